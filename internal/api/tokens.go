package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

// tokens are refresh, sign-out, and what servers may ask.
func (a *API) tokens() web.Table {
	return web.Table{
		{Pattern: "POST /v1/token/refresh", Guard: web.Anyone, Limit: renewing, Handle: web.JSON(a.refresh), Doc: web.Doc{
			Tag: "Tokens", Summary: "Exchange a refresh token for its successor",
			Detail: "The token comes in the body, or in its cookie. session_ended and refresh_reused are final.",
			Faults: []*fault.Fault{session.ErrUnauthenticated, session.ErrEnded, session.ErrReused, session.ErrSuperseded},
		}},
		{Pattern: "POST /v1/token/introspect", Guard: web.ServerKey("introspect"), Limit: web.Free(), Handle: web.Plain(a.introspect), Doc: web.Doc{
			Tag: "Tokens", Summary: "Ask whether a token still holds (RFC 7662)", Request: introspect{}, Form: true,
			Answers: map[int]any{http.StatusOK: introspection{}},
		}},
		{Pattern: "GET /v1/revocations", Guard: web.ServerKey("revocations"), Limit: web.Free(), Handle: web.Stream(a.revocations), Doc: web.Doc{
			Tag: "Tokens", Summary: "What to stop accepting before its time", Stream: true,
			Detail: "At least once each: every poll repeats the last 30 seconds, so drop what you know by id.",
			Query:  cursor{}, Answers: map[int]any{http.StatusOK: web.List[revocation]{}},
		}},
		{Pattern: "POST /v1/sign-out", Guard: web.Anyone, Limit: renewing, Handle: web.JSON(a.signOut), Doc: web.Doc{
			Tag: "Sessions", Summary: "Sign out here, elsewhere or everywhere",
			Detail: "Idempotent. With an expired access token, send the refresh token; for others and everywhere its device secret as well.",
		}},
	}
}

type refresh struct {
	RefreshToken string `json:"refresh_token,omitempty" doc:"Absent where it comes in its cookie."`
}

func (a *API) refresh(c *web.Call, in refresh) (web.Issued, error) {
	issued, err := a.renew(c, secret.Text(in.RefreshToken))
	if err != nil {
		return web.Issued{}, err
	}
	return onWire(issued, false), nil
}

// renew refreshes with the token of the body or, if there is none, of the cookie.
func (a *API) renew(c *web.Call, body secret.Text) (session.Issued, error) {
	token, device, err := c.Refreshing(body)
	if err != nil {
		return session.Issued{}, err
	}
	if token == "" {
		return session.Issued{}, session.ErrUnauthenticated
	}
	b, err := browser(c)
	if err != nil {
		return session.Issued{}, err
	}
	return a.Issuer.Refresh(c.R.Context(), issuer.Refreshing{
		Token: token, Device: device, InCookie: body == "", Asked: c.Asked(), Browser: b,
	})
}

type introspect struct {
	Token         string `json:"token"`
	TokenTypeHint string `json:"token_type_hint,omitempty"`
}

// introspection is the answer of RFC 7662 section 2.2; an inactive token has nothing but
// the first member.
type introspection struct {
	Active    bool   `json:"active"`
	TokenType string `json:"token_type,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	Audience  string `json:"aud,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Subject   string `json:"sub,omitempty"`
	SessionID string `json:"sid,omitempty"`
	JTI       string `json:"jti,omitempty"`
	IssuedAt  int64  `json:"iat,omitempty"`
	Expires   int64  `json:"exp,omitempty"`
	AuthTime  int64  `json:"auth_time,omitempty"`
	ACR       string `json:"acr,omitempty"`
}

func (a *API) introspect(c *web.Call) error {
	token, err := tokenOf(c)
	if err != nil {
		return err
	}
	i, err := a.Issuer.Introspect(c.R.Context(), token)
	if err != nil {
		return err
	}
	if !i.Active {
		return c.JSON(http.StatusOK, introspection{})
	}
	return c.JSON(http.StatusOK, introspection{
		Active: true, TokenType: i.Kind, Issuer: i.Claims.Issuer, Audience: i.Claims.Audience, ClientID: i.Claims.Client,
		Subject: string(i.Claims.Subject), SessionID: string(i.Claims.Session), JTI: i.Claims.ID, IssuedAt: i.Claims.IssuedAt,
		Expires: i.Claims.Expires, AuthTime: i.Claims.AuthTime, ACR: i.Claims.ACR,
	})
}

// tokenOf reads the token from a form or from JSON.
func tokenOf(c *web.Call) (secret.Text, error) {
	token := ""
	if strings.HasPrefix(c.R.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := c.Form()
		if err != nil {
			return "", err
		}
		token = form["token"]
	} else {
		in, err := web.Read[introspect](c)
		if err != nil {
			return "", err
		}
		token = in.Token
	}
	if token == "" {
		return "", fault.Invalidate("token", "required")
	}
	return secret.Text(token), nil
}

// cursor only documents what the feed reads; a stream also heeds Last-Event-ID.
type cursor struct {
	After string `json:"-" query:"after" doc:"The cursor next of the answer before, or the id of the last event of a stream."`
}

// revocation is one entry of the feed.
type revocation struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" enum:"session,user,key" doc:"user refuses every token of the person with iat <= at, key every token with that kid."`
	SessionID *string   `json:"session_id"`
	UserID    *string   `json:"user_id" doc:"null for a key."`
	KeyID     *string   `json:"kid" doc:"The signing key; null unless for a key."`
	At        time.Time `json:"at"`
	Reason    string    `json:"reason"`
	Until     time.Time `json:"until" doc:"When the last token concerned has expired."`
}

func revocationOf(r issuer.Revocation) revocation {
	return revocation{
		ID: r.ID, Kind: r.Kind, SessionID: orNull(string(r.Session)), UserID: orNull(string(r.Account)), KeyID: orNull(r.KeyID),
		At: r.At, Reason: r.Reason, Until: r.Until,
	}
}

const feedPage = 100

func (a *API) revocations(c *web.Call) error {
	query, err := c.Query()
	if err != nil {
		return err
	}
	if strings.Contains(c.R.Header.Get("Accept"), "text/event-stream") {
		return a.streamRevocations(c, query["after"])
	}
	page, err := a.Issuer.Revocations(c.R.Context(), query["after"], feedPage)
	if err != nil {
		return err
	}
	data := make([]revocation, len(page.Revocations))
	for n, r := range page.Revocations {
		data[n] = revocationOf(r)
	}
	return c.JSON(http.StatusOK, web.ListOf(data, page.Next))
}

// streamRevocations writes server-sent events: the id of each is the cursor after it, so
// a reader that was cut off continues where it stood.
func (a *API) streamRevocations(c *web.Call, after string) error {
	if last := c.R.Header.Get("Last-Event-ID"); last != "" {
		after = last
	}
	out := http.NewResponseController(c.W)
	started := false
	write := func(text string) error {
		if err := c.StillAllowed(); err != nil {
			return err
		}
		if !started {
			c.W.Header().Set("Content-Type", "text/event-stream")
			c.W.WriteHeader(http.StatusOK)
			started = true
		}
		if _, err := c.W.Write([]byte(text)); err != nil {
			return err
		}
		return out.Flush()
	}
	send := func(r issuer.Revocation, cursor string) error {
		body, err := json.Marshal(revocationOf(r))
		if err != nil {
			return err
		}
		return write(fmt.Sprintf("event: revocation\nid: %s\ndata: %s\n\n", cursor, body))
	}
	err := a.Issuer.Watch(c.R.Context(), after, send, func() error { return write(": here\n\n") })
	if started {
		return nil // the reader left, or will come again
	}
	return err
}

type signOut struct {
	Scope        string `json:"scope,omitempty" enum:"local,others,everywhere"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

func (a *API) signOut(c *web.Call, in signOut) (web.NoContent, error) {
	scope := auth.Scope(in.Scope)
	switch scope {
	case "":
		scope = auth.Local
	case auth.Local, auth.Others, auth.Everywhere:
	default:
		return web.NoContent{}, fault.Invalidate("scope", "invalid")
	}
	b, err := browser(c)
	if err != nil {
		return web.NoContent{}, err
	}
	s, err := a.leaving(c, secret.Text(in.RefreshToken), scope)
	if err != nil {
		return web.NoContent{}, err
	}
	if s.ID != "" {
		if err := a.Auth.SignOut(c.R.Context(), s, scope, b); err != nil {
			return web.NoContent{}, err
		}
	}
	if scope != auth.Others {
		c.DropSession()
	}
	return web.NoContent{}, nil
}

// leaving is the session that signs out: of the access token or, when that has expired,
// of the refresh token. The zero session means that there is none left to end.
func (a *API) leaving(c *web.Call, body secret.Text, scope auth.Scope) (session.Session, error) {
	who, why := c.Identify()
	if why == nil {
		return who.Session, nil
	}
	if fault.Of(why).Kind != fault.Unauthenticated {
		return session.Session{}, why
	}
	token, device, err := c.Refreshing(body)
	if err != nil {
		return session.Session{}, err
	}
	if token == "" {
		shown, err := c.Bearer()
		if (shown != "" || err != nil) && !errors.Is(why, session.ErrEnded) {
			return session.Session{}, why // the session behind it may live: nobody has ended it
		}
		return session.Session{}, nil
	}
	s, proven, err := a.Issuer.Bearer(c.R.Context(), token, device)
	switch {
	case err != nil && fault.Of(err).Kind == fault.Unauthenticated:
		return session.Session{}, nil
	case err == nil && !proven && scope != auth.Local:
		return session.Session{}, session.ErrUnauthenticated
	}
	return s, err
}
