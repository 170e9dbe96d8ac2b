package web_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

type passwordIn struct {
	Identifier string      `json:"identifier" doc:"An e-mail address or a username."`
	Password   secret.Text `json:"password"`
}

type shared struct {
	Locale *string `json:"locale,omitempty" doc:"A language."`
	Kind   string  `json:"kind"`
}

type introspectIn struct {
	Token string `json:"token"`
}

type introspection struct {
	shared
	Active bool `json:"active"`
}

func apiTable() web.Table {
	return web.Table{
		{
			Pattern: "POST /v1/sign-in/password", Guard: web.Anyone, Limit: web.Limited(rate), Hashes: true,
			Handle: web.JSON(func(*web.Call, passwordIn) (web.Step, error) { return web.Step{}, nil }),
			Doc:    web.Doc{Tag: "Sign-in", Summary: "Sign in with a password.", Faults: faults(signin.ErrInvalidCredentials)},
		},
		{
			Pattern: "POST /v1/token/refresh", Guard: web.Anyone, Limit: web.Limited(rate),
			Handle: web.JSON(func(*web.Call, struct {
				RefreshToken secret.Text `json:"refresh_token,omitempty"`
			}) (web.Issued, error) {
				return web.Issued{}, nil
			}),
			Doc: web.Doc{Tag: "Sessions", Summary: "Refresh.", Faults: faults(session.ErrEnded, session.ErrReused, session.ErrSuperseded)},
		},
		{
			Pattern: "GET /v1/sessions", Guard: web.SignedIn, Limit: web.Free(),
			Handle: web.JSON(func(*web.Call, web.Paging) (web.List[web.Session], error) { return web.List[web.Session]{}, nil }),
			Doc:    web.Doc{Tag: "Sessions", Summary: "List the sessions."},
		},
		{
			Pattern: "DELETE /v1/sessions/{id}", Guard: web.SignedIn, Limit: web.Free(),
			Handle: web.JSON(func(*web.Call, struct {
				ID session.ID `json:"-" path:"id"`
			}) (web.NoContent, error) {
				return web.NoContent{}, nil
			}),
			Doc: web.Doc{Tag: "Sessions", Summary: "End a session."},
		},
		{
			Pattern: "POST /v1/recovery", Guard: web.Anyone, Limit: web.Limited(rate),
			Handle: web.JSON(func(*web.Call, struct {
				shared
				Email string `json:"email" format:"email"`
			}) (web.Accepted[introspection], error) {
				return web.Accepted[introspection]{}, nil
			}),
			Doc: web.Doc{Summary: "Recover."},
		},
		{
			Pattern: "POST /v1/token/introspect", Guard: web.ServerKey("introspect"), Limit: web.Free(), Handle: web.Plain(nothing),
			Doc: web.Doc{Summary: "Introspect a token.", Request: introspectIn{}, Form: true, Answers: map[int]any{200: introspection{}}},
		},
		{Pattern: "GET /sign-in", Guard: web.Anyone, Limit: web.Free(), Handle: web.Page(nothing)},
	}
}

func TestOpenAPIGolden(t *testing.T) {
	first := must(openHall(t, nil, apiTable()).OpenAPI())
	for range 5 {
		if again := must(openHall(t, nil, apiTable()).OpenAPI()); !bytes.Equal(first, again) {
			t.Fatal("the document differs from one time to the next")
		}
	}
	if !json.Valid(first) {
		t.Fatal("no JSON")
	}
	golden(t, "openapi.golden.json", first)
}

func TestOpenAPITellsWhatItCannotDescribe(t *testing.T) {
	type Problem struct { // a second type of that name
		A string `json:"a"`
	}
	h := openHall(t, nil, web.Table{{
		Pattern: "POST /v1/x", Guard: web.Anyone, Limit: web.Free(), Doc: doc,
		Handle: web.JSON(func(*web.Call, Problem) (web.NoContent, error) { return web.NoContent{}, nil }),
	}})
	if _, err := h.OpenAPI(); err == nil {
		t.Error("two types of one name were described")
	}
}
