package api

import (
	"fmt"
	"net/http"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/web"
)

// Client is what a sign-in screen needs to know, and anybody may.
type Client struct {
	Name        string          `json:"name"`
	URL         string          `json:"url"`
	Enumeration string          `json:"enumeration" enum:"strict,off"`
	SignUp      bool            `json:"sign_up" doc:"Whether new accounts are open."`
	Methods     []string        `json:"methods"`
	Identifiers []string        `json:"identifiers"`
	Password    PasswordRules   `json:"password"`
	Providers   []string        `json:"providers"`
	Locales     []string        `json:"locales"`
	Branding    map[string]any  `json:"branding"`
	Features    map[string]bool `json:"features"`
}

// PasswordRules are the rules that a form can tell before it asks.
type PasswordRules struct {
	MinLength int `json:"min_length"`
	MaxLength int `json:"max_length"`
}

// documents are what programs read about the server.
func (a *API) documents() web.Table {
	return web.Table{
		{Pattern: "GET /v1/client", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(a.client), Doc: web.Doc{
			Tag: "Server", Summary: "What a sign-in screen needs to know", Answers: map[int]any{http.StatusOK: Client{}},
		}},
		{Pattern: "GET /.well-known/jwks.json", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(a.jwks), Doc: web.Doc{
			Tag: "Server", Summary: "The public keys: previous, current and next (RFC 7517)", Answers: map[int]any{http.StatusOK: jwks{}},
			Media: "application/jwk-set+json",
		}},
		{Pattern: "GET /openapi.json", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(a.openapi), Doc: web.Doc{
			Tag: "Server", Summary: "This document", Answers: map[int]any{http.StatusOK: map[string]any{}},
		}},
		{Pattern: "GET /metrics", Guard: web.ServerKey("metrics"), Limit: web.Free(), Handle: web.Plain(a.metrics), Doc: web.Doc{
			Tag: "Server", Summary: "The numbers, in the text format of Prometheus", Answers: map[int]any{http.StatusOK: nil}, Media: "text/plain",
		}},
		{Pattern: "GET /healthz", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(healthy), Doc: web.Doc{
			Tag: "Server", Summary: "Whether the process answers", Answers: map[int]any{http.StatusOK: health{}},
		}},
		{Pattern: "GET /readyz", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(a.ready), Doc: web.Doc{
			Tag: "Server", Summary: "Whether the server can do its work", Answers: map[int]any{http.StatusOK: health{}},
			Faults: []*fault.Fault{fault.ErrUnavailable},
		}},
	}
}

func (a *API) client(c *web.Call) error {
	c.W.Header().Set("Cache-Control", "public, max-age=60")
	return c.JSON(http.StatusOK, a.Client)
}

// jwks only documents the answer; the bytes come from the issuer.
type jwks struct {
	Keys []jwk `json:"keys"`
}

type jwk struct {
	KeyType   string `json:"kty"`
	KeyID     string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

func (a *API) jwks(c *web.Call) error {
	document, fresh := a.Issuer.JWKS(c.R.Context())
	c.W.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(fresh.Seconds())))
	c.AnyOrigin()
	return c.Write(http.StatusOK, "application/jwk-set+json", document)
}

func (a *API) openapi(c *web.Call) error {
	document, err := a.Document()
	if err != nil {
		return err
	}
	c.W.Header().Set("Cache-Control", "public, max-age=60")
	return c.Write(http.StatusOK, "application/json", document)
}

type health struct {
	Status string `json:"status"`
}

func (a *API) metrics(c *web.Call) error {
	a.Metrics.ServeHTTP(c.W, c.R)
	return nil
}

func healthy(c *web.Call) error { return c.JSON(http.StatusOK, health{Status: "ok"}) }

func (a *API) ready(c *web.Call) error {
	if err := a.Ready(c.R.Context()); err != nil {
		return fault.ErrUnavailable.Because(err)
	}
	return c.JSON(http.StatusOK, health{Status: "ready"})
}
