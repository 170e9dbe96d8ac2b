package limenauth_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

const introspectCall = "POST /v1/token/introspect"

func TestLiveWithAServerKey(t *testing.T) {
	l := newLimen(t)
	a := l.auth(limenauth.WithServerKey(serverKey))
	token := l.key.token(mina(time.Now()))
	answer := func(h http.HandlerFunc) string {
		t.Helper()
		l.on(introspectCall, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+serverKey || r.PostFormValue("token") != token {
				t.Errorf("asked with %v", r.Header)
			}
			h(w, r)
		})
		_, err := a.Verify(t.Context(), token, limenauth.Live())
		return codeOf(t, err)
	}
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		code string
	}{
		"active": {func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, claims{"active": true, "sub": "usr_mina"})
		}, ""},
		"active, bare": {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"active": true}) }, ""},
		"inactive":     {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"active": false}) }, "unauthenticated"},
		"of another": {func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, claims{"active": true, "sub": "usr_x"})
		}, "unauthenticated"},
		"empty":        {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{}) }, "unauthenticated"},
		"active as 1":  {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"active": 1}) }, "unavailable"},
		"not JSON":     {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "yes") }, "unavailable"},
		"our key bad":  {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "unauthenticated") }, "unavailable"},
		"server error": {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 500, "internal_error") }, "unavailable"},
		"limited":      {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 429, "rate_limited") }, "unavailable"},
		"redirect":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, "unavailable"},
	} {
		if code := answer(tt.h); code != tt.code {
			t.Errorf("%s: %q, want %q", name, code, tt.code)
		}
	}
	before := l.asked(introspectCall)
	for range 3 {
		answer(func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"active": true}) })
	}
	if n := l.asked(introspectCall) - before; n != 3 {
		t.Errorf("3 requests asked %d times: liveness is never remembered", n)
	}
	if _, err := a.Verify(t.Context(), token); err != nil || l.asked(introspectCall) != before+3 {
		t.Error("a route without Live asked the server")
	}
	if _, err := a.Verify(t.Context(), token+"x", limenauth.Live()); err == nil || l.asked(introspectCall) != before+3 {
		t.Error("a bad token was sent to the server")
	}
	l.down.Store(true)
	if _, err := a.Verify(t.Context(), token, limenauth.Live()); codeOf(t, err) != "unavailable" {
		t.Errorf("server away: %v", err)
	}
}

func TestLiveWithoutAServerKey(t *testing.T) {
	l := newLimen(t)
	a := l.auth()
	token := l.key.token(mina(time.Now()))
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		code string
	}{
		"alive":        {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"id": "usr_mina"}) }, ""},
		"of another":   {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"id": "usr_x"}) }, "unavailable"},
		"ended":        {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "session_ended") }, "session_ended"},
		"recalled":     {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "unauthenticated") }, "unauthenticated"},
		"banned":       {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 403, "account_banned") }, "unauthenticated"},
		"server error": {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 503, "unavailable") }, "unavailable"},
	} {
		l.on("GET /v1/me", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token {
				t.Errorf("%s: asked with %v", name, r.Header)
			}
			tt.h(w, r)
		})
		_, err := a.Verify(t.Context(), token, limenauth.Live())
		if code := codeOf(t, err); code != tt.code {
			t.Errorf("%s: %q, want %q", name, code, tt.code)
		}
	}
}
