package limenauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

func TestRequireAnswers(t *testing.T) {
	now := time.Now()
	l := newLimen(t)
	a := l.auth()
	page := map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
	good := "Bearer " + l.key.token(mina(now))
	tests := []struct {
		name      string
		needs     []limenauth.Need
		header    map[string]string
		method    string
		status    int
		code      string
		challenge string
		location  bool
	}{
		{name: "nothing", status: 401, code: "unauthenticated", challenge: `Bearer realm="limen"`},
		{name: "good token", header: map[string]string{"Authorization": good}, status: 200},
		{name: "scheme in small letters", header: map[string]string{"Authorization": "bearer" + good[6:]}, status: 200},
		{name: "bad token", header: map[string]string{"Authorization": good + "x"}, status: 401, code: "unauthenticated", challenge: `Bearer realm="limen", error="invalid_token"`},
		{name: "empty header", header: map[string]string{"Authorization": ""}, status: 401, code: "unauthenticated"},
		{name: "Basic", header: map[string]string{"Authorization": "Basic bWluYTp4"}, status: 401, code: "unauthenticated"},
		{name: "DPoP", header: map[string]string{"Authorization": "DPoP" + good[6:]}, status: 401, code: "unauthenticated"},
		{name: "two spaces", header: map[string]string{"Authorization": "Bearer  " + good[7:]}, status: 401, code: "unauthenticated"},
		{name: "page", header: page, status: 303, location: true},
		{name: "page without fetch metadata", header: map[string]string{"Accept": "text/html"}, status: 303, location: true},
		{name: "page, but POST", method: "POST", header: page, status: 401, code: "unauthenticated"},
		{name: "page, but HEAD", method: "HEAD", header: page, status: 401},
		{name: "page in a frame", header: with(page, "Sec-Fetch-Dest", "iframe"), status: 401, code: "unauthenticated"},
		{name: "fetch that accepts HTML", header: with(page, "Sec-Fetch-Mode", "cors"), status: 401, code: "unauthenticated"},
		{name: "page that accepts anything", header: with(page, "Accept", "*/*"), status: 401, code: "unauthenticated"},
		{name: "page with a bad token", header: with(page, "Authorization", "Bearer x"), status: 401},
		{name: "role it has", needs: []limenauth.Need{limenauth.Role("admin")}, header: map[string]string{"Authorization": good}, status: 200},
		{name: "one of two roles", needs: []limenauth.Need{limenauth.Role("root", "user")}, header: map[string]string{"Authorization": good}, status: 200},
		{name: "role it lacks", needs: []limenauth.Need{limenauth.Role("root")}, header: map[string]string{"Authorization": good}, status: 403, code: "forbidden"},
		{name: "both roles", needs: []limenauth.Need{limenauth.Role("user"), limenauth.Role("root")}, header: map[string]string{"Authorization": good}, status: 403, code: "forbidden"},
		{name: "no role named", needs: []limenauth.Need{limenauth.Role()}, header: map[string]string{"Authorization": good}, status: 403, code: "forbidden"},
		{name: "fresh enough", needs: []limenauth.Need{limenauth.Fresh(time.Minute)}, header: map[string]string{"Authorization": good}, status: 200},
		{name: "not fresh", needs: []limenauth.Need{limenauth.Fresh(10 * time.Minute)},
			header: map[string]string{"Authorization": "Bearer " + l.key.token(mina(now).with("auth_time", now.Add(-11*time.Minute).Unix()))},
			status: 403, code: "reauthentication_required", challenge: `Bearer realm="limen", error="insufficient_user_authentication", max_age=600`},
		{name: "the strictest freshness counts", needs: []limenauth.Need{limenauth.Fresh(time.Minute), limenauth.Fresh(time.Hour)},
			header: map[string]string{"Authorization": "Bearer " + l.key.token(mina(now).with("auth_time", now.Add(-11*time.Minute).Unix()))},
			status: 403, code: "reauthentication_required"},
		{name: "fresh never", needs: []limenauth.Need{limenauth.Fresh(0)}, header: map[string]string{"Authorization": good}, status: 403, code: "reauthentication_required"},
		{name: "no auth_time", needs: []limenauth.Need{limenauth.Fresh(time.Hour)},
			header: map[string]string{"Authorization": "Bearer " + l.key.token(mina(now).without("auth_time"))}, status: 403, code: "reauthentication_required"},
		{name: "one factor", needs: []limenauth.Need{limenauth.MFA()}, header: map[string]string{"Authorization": good},
			status: 403, code: "reauthentication_required", challenge: `Bearer realm="limen", error="insufficient_user_authentication", acr_values="aal2"`},
		{name: "two factors", needs: []limenauth.Need{limenauth.MFA()},
			header: map[string]string{"Authorization": "Bearer " + l.key.token(mina(now).with("acr", "aal2"))}, status: 200},
		{name: "no acr", needs: []limenauth.Need{limenauth.MFA()},
			header: map[string]string{"Authorization": "Bearer " + l.key.token(mina(now).without("acr"))}, status: 403, code: "reauthentication_required"},
		{name: "acr of somebody else", needs: []limenauth.Need{limenauth.MFA()},
			header: map[string]string{"Authorization": "Bearer " + l.key.token(mina(now).with("acr", "aal22"))}, status: 403, code: "reauthentication_required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = "GET"
			}
			r := httptest.NewRequest(method, appURL+"/private?x=1", nil)
			for name, v := range tt.header {
				r.Header.Set(name, v)
			}
			w := httptest.NewRecorder()
			a.Require(whoami, tt.needs...).ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			if tt.status == 200 {
				if w.Body.String() != "usr_mina" {
					t.Errorf("handler saw %q", w.Body)
				}
				return
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Error("a refusal may be cached")
			}
			if tt.location != (w.Header().Get("Location") != "") {
				t.Errorf("Location = %q", w.Header().Get("Location"))
			}
			if got := w.Header().Get("WWW-Authenticate"); tt.challenge != "" && got != tt.challenge {
				t.Errorf("WWW-Authenticate %q, want %q", got, tt.challenge)
			}
			if tt.code == "" {
				return
			}
			var p struct {
				Type, Title, Code, Detail string
				Status                    int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" || p.Code != tt.code || p.Status != tt.status ||
				!strings.HasSuffix(p.Type, "#"+tt.code) || p.Title == "" || p.Detail == "" {
				t.Errorf("problem %s", w.Body)
			}
		})
	}
}

func with(header map[string]string, name, v string) map[string]string {
	copied := map[string]string{name: v}
	for n, old := range header {
		if n != name {
			copied[n] = old
		}
	}
	return copied
}

func TestTokensComeByOneWayOnly(t *testing.T) {
	l := newLimen(t)
	h := l.auth().Require(whoami)
	token := l.key.token(mina(time.Now()))
	for name, make := range map[string]func(r *http.Request){
		"two headers":  func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token} },
		"in the query": func(r *http.Request) { r.URL.RawQuery = "access_token=" + token },
		"in the form": func(r *http.Request) {
			r.Method, r.Body = "POST", io.NopCloser(strings.NewReader("access_token="+token))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		},
		"in a header of another name": func(r *http.Request) { r.Header.Set("X-Access-Token", token) },
		"in a cookie of the server":   func(r *http.Request) { r.Header.Set("Cookie", "limen_access="+token) },
		"unsealed in our cookie":      func(r *http.Request) { r.Header.Set("Cookie", "__Host-limenauth_session="+token) },
	} {
		r := httptest.NewRequest("GET", appURL+"/", nil)
		make(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 401 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestUserOutsideRequire(t *testing.T) {
	u := limenauth.User(context.Background())
	if u != nil || u.HasRole("user") || u.Roles() != nil || u.Methods() != nil {
		t.Errorf("somebody is there: %+v", u)
	}
}

func TestOptional(t *testing.T) {
	l := newLimen(t)
	h := l.auth().Optional(whoami)
	for _, tt := range []struct {
		name, header string
		status       int
		body         string
	}{
		{"nobody", "", 200, "nobody"},
		{"mina", "Bearer " + l.key.token(mina(time.Now())), 200, "usr_mina"},
		{"expired", "Bearer " + l.key.token(mina(time.Now().Add(-time.Hour))), 401, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
	l.down.Store(true)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+newES256("k7").token(mina(time.Now())))
	w := httptest.NewRecorder()
	l.auth().Optional(whoami).ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("server away: %d", w.Code)
	}
}

// TestMisconfigured: New never fails, and a mistake closes the doors.
func TestMisconfigured(t *testing.T) {
	for name, tt := range map[string]struct {
		url     string
		options []limenauth.Option
	}{
		"no address":         {"", nil},
		"not an address":     {"auth.example.com", nil},
		"plain http":         {"http://auth.example.com", nil},
		"file":               {"file:///etc", nil},
		"user part":          {"https://user:pass@auth.example.com", nil},
		"query":              {"https://auth.example.com/?x=1", nil},
		"issuer":             {authURL, []limenauth.Option{limenauth.WithIssuer("ftp://x")}},
		"empty audience":     {authURL, []limenauth.Option{limenauth.WithAudience()}},
		"empty audience 2":   {authURL, []limenauth.Option{limenauth.WithAudience("")}},
		"no algorithm":       {authURL, []limenauth.Option{limenauth.WithAllowedAlgs()}},
		"symmetric":          {authURL, []limenauth.Option{limenauth.WithAllowedAlgs("HS256")}},
		"feed without key":   {authURL, []limenauth.Option{limenauth.WithRevocationFeed(limenauth.Allow)}},
		"key with a newline": {authURL, []limenauth.Option{limenauth.WithServerKey("lsk_1\n")}},
		"short cookie key":   {authURL, []limenauth.Option{limenauth.WithCookieKey([]byte("secret"))}},
		"cookie name":        {authURL, []limenauth.Option{limenauth.WithCookieName("a b")}},
		"callback path":      {authURL, []limenauth.Option{limenauth.WithCallbackPath("//evil.example/x")}},
		"callback query":     {authURL, []limenauth.Option{limenauth.WithCallbackPath("/x?y")}},
		"app over http":      {authURL, []limenauth.Option{limenauth.WithAppURL("http://app.example.com")}},
		"app with a path":    {authURL, []limenauth.Option{limenauth.WithAppURL("https://app.example.com/app")}},
		"trusted origin":     {authURL, []limenauth.Option{limenauth.WithTrustedOrigins("example.com")}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimen(t)
			options := append([]limenauth.Option{
				limenauth.WithHTTPClient(&http.Client{Transport: l}), limenauth.WithLogger(slog.New(slog.DiscardHandler)),
			}, tt.options...)
			a := limenauth.New(tt.url, options...)
			defer a.Close()
			if err := a.Start(t.Context()); err == nil {
				t.Error("Start found nothing wrong")
			}
			if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); codeOf(t, err) != limenauth.CodeUnavailable {
				t.Errorf("Verify: %v", err)
			}
			mux := http.NewServeMux()
			mux.Handle("/", a.Require(whoami))
			mux.Handle("/auth/callback", a.Callback())
			mux.HandleFunc("/sign-in", a.SignIn)
			mux.HandleFunc("/sign-out", a.SignOut)
			mux.Handle("/home", a.Optional(whoami))
			for method, path := range map[string]string{"GET": "/", "GET ": "/auth/callback?code=x&state=y", "GET  ": "/sign-in", "POST": "/sign-out", "GET   ": "/home"} {
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequest(strings.TrimSpace(method), path, nil))
				if w.Code != 503 {
					t.Errorf("%s answered %d", path, w.Code)
				}
			}
		})
	}
}

func TestNilOptionsAreLeftOut(t *testing.T) {
	a := limenauth.New(authURL, limenauth.WithHTTPClient(nil), limenauth.WithClock(nil), limenauth.WithLogger(nil), limenauth.WithErrorWriter(nil))
	w := httptest.NewRecorder()
	a.Require(whoami).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 401 {
		t.Error(w.Code)
	}
}

func TestErrorWriter(t *testing.T) {
	l := newLimen(t)
	a := l.auth(limenauth.WithErrorWriter(func(w http.ResponseWriter, r *http.Request, p *limenauth.Problem) {
		w.Header().Set("X-Mine", p.Code)
		p.ServeHTTP(w, r)
	}))
	w := httptest.NewRecorder()
	a.Require(whoami).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 401 || w.Header().Get("X-Mine") != "unauthenticated" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestStart(t *testing.T) {
	l := newLimen(t)
	a := l.auth()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := a.Status(); s.Keys != 1 || s.KeysSince.IsZero() || s.KeysErr != nil {
		t.Errorf("status %+v", s)
	}
	l.down.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.auth().Start(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Start without a server: %v", err)
	}
}

// TestOverARealSocket: the one test that needs the network stack.
func TestOverARealSocket(t *testing.T) {
	l := newLimen(t)
	server := httptest.NewServer(l)
	defer server.Close()
	a := limenauth.New(server.URL + "/")
	app := httptest.NewServer(a.Require(whoami))
	defer app.Close()
	r, err := http.NewRequest("GET", app.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+l.key.token(mina(time.Now()).with("iss", server.URL).with("aud", server.URL)))
	resp, err := app.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "usr_mina" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
