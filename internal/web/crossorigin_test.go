package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

func originTable() web.Table {
	free := web.Free()
	return web.Table{
		{Pattern: "POST /v1/do", Guard: web.Anyone, Limit: free, Handle: web.Plain(nothing)},
		{Pattern: "GET /v1/do", Guard: web.Anyone, Limit: free, Handle: web.Plain(nothing)},
		{Pattern: "DELETE /v1/do", Guard: web.Anyone, Limit: free, Handle: web.Plain(nothing)},
		{Pattern: "POST /callback", Guard: web.Anyone, Limit: free, Handle: web.Plain(nothing), Exempt: "state and flow cookie"},
		{Pattern: "POST /sign-in", Guard: web.Anyone, Limit: free, Handle: web.Page(nothing)},
		{Pattern: "GET /sign-in", Guard: web.Anyone, Limit: free, Handle: web.Page(nothing)},
	}
}

func TestCrossOriginRule(t *testing.T) {
	h := openHall(t, func(h *web.Hallway) {
		h.AllowedOrigins = []string{"https://app.example.com", "https://port.example.com:8443"}
	}, originTable())
	const (
		same  = "Sec-Fetch-Site: same-origin"
		cross = "Sec-Fetch-Site: cross-site"
		site  = "Sec-Fetch-Site: same-site"
		own   = "Origin: https://auth.example.com"
		app   = "Origin: https://app.example.com"
		evil  = "Origin: https://evil.example"
	)
	for _, c := range []struct {
		name, request string
		headers       []string
		pass          bool
	}{
		{"no browser", "POST /v1/do", nil, true},
		{"same origin", "POST /v1/do", []string{same, own}, true},
		{"typed by the person", "POST /v1/do", []string{"Sec-Fetch-Site: none"}, true},
		{"cross site", "POST /v1/do", []string{cross, evil}, false},
		{"cross site without Origin", "POST /v1/do", []string{cross}, false},
		{"cross site that claims our Origin", "POST /v1/do", []string{cross, own}, false},
		{"sibling host", "POST /v1/do", []string{site, "Origin: https://other.example.com"}, false},
		{"allowed origin", "POST /v1/do", []string{cross, app}, true},
		{"allowed origin of the same site", "POST /v1/do", []string{site, app}, true},
		{"allowed origin with port", "POST /v1/do", []string{cross, "Origin: https://port.example.com:8443"}, true},
		{"allowed origin, other port", "POST /v1/do", []string{cross, "Origin: https://app.example.com:8443"}, false},
		{"allowed origin, other scheme", "POST /v1/do", []string{cross, "Origin: http://app.example.com"}, false},
		{"unknown word", "POST /v1/do", []string{"Sec-Fetch-Site: elsewhere", evil}, false},
		{"two words", "POST /v1/do", []string{same, cross}, false},

		{"old browser, own", "POST /v1/do", []string{own}, true},
		{"old browser, allowed", "POST /v1/do", []string{app}, true},
		{"old browser, evil", "POST /v1/do", []string{evil}, false},
		{"null", "POST /v1/do", []string{"Origin: null"}, false},
		{"null and cross site", "POST /v1/do", []string{cross, "Origin: null"}, false},
		{"null of a page under no-referrer", "POST /v1/do", []string{same, "Origin: null"}, true},
		{"two origins", "POST /v1/do", []string{own, evil}, false},
		{"origin of the request's host", "POST /v1/do", []string{"Host: 127.0.0.1:4455", "Origin: https://127.0.0.1:4455"}, true},
		{"default port spelled out", "POST /v1/do", []string{"Origin: https://auth.example.com:443"}, true},

		{"userinfo", "POST /v1/do", []string{"Origin: https://evil@auth.example.com"}, false},
		{"our host as userinfo", "POST /v1/do", []string{"Origin: https://auth.example.com@evil.example"}, false},
		{"our host as userinfo, allowed", "POST /v1/do", []string{cross, "Origin: https://app.example.com@evil.example"}, false},
		{"path", "POST /v1/do", []string{"Origin: https://auth.example.com/"}, false},
		{"query", "POST /v1/do", []string{"Origin: https://auth.example.com?x"}, false},
		{"fragment", "POST /v1/do", []string{"Origin: https://auth.example.com#x"}, false},
		{"upper case", "POST /v1/do", []string{"Origin: https://AUTH.example.com"}, false},
		{"suffix", "POST /v1/do", []string{"Origin: https://auth.example.com.evil.example"}, false},
		{"prefix", "POST /v1/do", []string{"Origin: https://evilauth.example.com"}, false},
		{"other scheme", "POST /v1/do", []string{"Origin: http://auth.example.com"}, false},
		{"list", "POST /v1/do", []string{"Origin: https://auth.example.com https://evil.example"}, false},
		{"odd port", "POST /v1/do", []string{"Origin: https://auth.example.com:0443"}, false},
		{"localhost is for development", "POST /v1/do", []string{"Origin: http://localhost:3000"}, false},

		{"DELETE is unsafe", "DELETE /v1/do", []string{cross, evil}, false},
		{"GET is safe", "GET /v1/do", []string{cross, evil}, true},
		{"HEAD is safe", "HEAD /v1/do", []string{cross, evil}, true},
		{"GET in a frame of another site", "GET /v1/do", []string{cross, "Sec-Fetch-Dest: iframe"}, false},
		{"GET as an object of a sibling", "GET /v1/do", []string{site, "Sec-Fetch-Dest: object"}, false},
		{"GET in a frame of our own", "GET /v1/do", []string{same, "Sec-Fetch-Dest: iframe"}, true},

		{"with Authorization cookies are not read", "POST /v1/do", []string{cross, evil, "Authorization: Bearer good"}, true},
		{"named exception", "POST /callback", []string{cross, evil}, true},
		{"named exception, null", "POST /callback", []string{cross, "Origin: null"}, true},

		{"page, same origin", "POST /sign-in", []string{same, own}, true},
		{"page, evil", "POST /sign-in", []string{cross, evil}, false},
		{"no page is posted from an allowed origin", "POST /sign-in", []string{cross, app}, false},
		{"page, old browser, allowed origin", "POST /sign-in", []string{app}, false},
		{"page followed from anywhere", "GET /sign-in", []string{cross}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, _ := strings.Cut(c.request, " ")
			w := h.ask(method, path, "", c.headers...)
			if c.pass && w.Code != http.StatusOK {
				t.Errorf("refused: %d %s", w.Code, w.Body)
			}
			if !c.pass && (w.Code != http.StatusForbidden || problem(t, w).Code != "cross_origin") {
				t.Errorf("not refused: %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestExemptRowSeesNoSessionCookie(t *testing.T) {
	for _, exempt := range []string{"", "guarded by state"} {
		var got [4]string
		h := openHall(t, nil, web.Table{{
			Pattern: "POST /callback", Guard: web.Anyone, Limit: web.Free(), Exempt: exempt,
			Handle: web.Plain(func(c *web.Call) error {
				c.Delivery = session.Cookie
				got = [4]string{must(c.AccessToken()).Reveal(), must(c.RefreshToken()).Reveal(), must(c.Device()).Reveal(), must(c.Attempt()).Reveal()}
				return nil
			}),
		}})
		h.ask("POST", "/callback", "", "Cookie: __Host-limen_access=a; __Host-limen_refresh=b; __Host-limen_device=c; __Host-limen_attempt=d")
		want := [4]string{"a", "b", "c", "d"}
		if exempt != "" {
			want = [4]string{}
		}
		if got != want {
			t.Errorf("exempt %q: saw %q", exempt, got)
		}
	}
}

func TestCORS(t *testing.T) {
	table := append(originTable(), web.Row{
		Pattern: "GET /dev/messages", Guard: web.Development, Limit: web.Free(), Handle: web.Plain(nothing),
	})
	production := openHall(t, func(h *web.Hallway) { h.AllowedOrigins = []string{"https://app.example.com"} }, table)
	development := openHall(t, overHTTP, table)
	const app = "https://app.example.com"
	for _, c := range []struct {
		name           string
		h              hall
		request, from  string
		allowed, fails bool
	}{
		{"allowed", production, "GET /v1/do", app, true, false},
		{"allowed, unsafe", production, "POST /v1/do", app, true, false},
		{"unknown", production, "GET /v1/do", "https://evil.example", false, false},
		{"unknown, unsafe", production, "POST /v1/do", "https://evil.example", false, true},
		{"null", production, "GET /v1/do", "null", false, false},
		{"localhost in production", production, "GET /v1/do", "http://localhost:3000", false, false},
		{"none", production, "GET /v1/do", "", false, false},
		{"page", production, "GET /sign-in", app, false, false},
		{"localhost in development", development, "GET /v1/do", "http://localhost:3000", true, false},
		{"localhost without port", development, "GET /v1/do", "http://localhost", true, false},
		{"localhost over https", development, "GET /v1/do", "https://localhost:3000", false, false},
		{"a name that begins alike", development, "GET /v1/do", "http://localhost.evil.example", false, false},
		{"development tools", development, "GET /dev/messages", "http://localhost:3000", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, _ := strings.Cut(c.request, " ")
			var headers []string
			if c.from != "" {
				headers = []string{"Origin: " + c.from}
			}
			w := c.h.ask(method, path, "", headers...)
			if refused := w.Code == http.StatusForbidden; refused != c.fails {
				t.Errorf("status %d", w.Code)
			}
			want := map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Access-Control-Expose-Headers": ""}
			if c.allowed {
				want = map[string]string{
					"Access-Control-Allow-Origin": c.from, "Access-Control-Allow-Credentials": "true",
					"Access-Control-Expose-Headers": "Request-Id, Retry-After",
				}
			}
			for name, value := range want {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s = %q, want %q", name, got, value)
				}
			}
			if vary := w.Header().Get("Vary"); path != "/sign-in" && vary != "Origin" {
				t.Errorf("Vary = %q", vary)
			}
		})
	}
}

func TestAnyOriginIsWithoutCredentials(t *testing.T) {
	h := openHall(t, func(h *web.Hallway) { h.AllowedOrigins = []string{"https://app.example.com"} }, web.Table{{
		Pattern: "GET /.well-known/jwks.json", Guard: web.Anyone, Limit: web.Free(),
		Handle: web.Plain(func(c *web.Call) error { c.AnyOrigin(); return nothing(c) }),
	}})
	for _, origin := range []string{"https://app.example.com", "https://evil.example"} {
		w := h.ask("GET", "/.well-known/jwks.json", "", "Origin: "+origin)
		if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", origin, w.Header())
		}
	}
}

func TestPreflight(t *testing.T) {
	h := openHall(t, func(h *web.Hallway) { h.AllowedOrigins = []string{"https://app.example.com"} }, originTable())
	w := h.ask("OPTIONS", "/v1/do", "", "Origin: https://app.example.com", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
	if w.Code != http.StatusNoContent {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://app.example.com",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, POST, DELETE",
		"Access-Control-Allow-Headers":     "Authorization, Content-Type, Limen-Delivery, Limen-Device, Idempotency-Key",
		"Access-Control-Max-Age":           "600",
		"Vary":                             "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct{ path, method, origin string }{
		{"/v1/do", "POST", "https://evil.example"},
		{"/v1/do", "POST", "null"},
		{"/v1/do", "PUT", "https://app.example.com"},
		{"/v1/nothing", "POST", "https://app.example.com"},
		{"/sign-in", "POST", "https://app.example.com"},
	} {
		w := h.ask("OPTIONS", c.path, "", "Origin: "+c.origin, "Access-Control-Request-Method: "+c.method)
		if w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v: %d, allowed %q", c, w.Code, w.Header().Get("Access-Control-Allow-Origin"))
		}
	}
}

func TestDevelopmentTools(t *testing.T) {
	h := openHall(t, overHTTP, web.Table{
		{Pattern: "GET /dev/inbox", Guard: web.Development, Limit: web.Free(), Handle: web.Page(nothing)},
		{Pattern: "GET /dev/messages", Guard: web.Development, Limit: web.Free(), Handle: web.Plain(nothing)},
		{Pattern: "DELETE /dev/messages", Guard: web.Development, Limit: web.Free(), Handle: web.Plain(nothing)},
	})
	const follow = "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document"
	for _, c := range []struct {
		request, headers string
		want             int
	}{
		{"GET /dev/messages", "", 200},
		{"GET /dev/messages", "Host: 127.0.0.1:4455", 200},
		{"GET /dev/messages", "Host: [::1]:4455", 200},
		{"GET /dev/messages", "Host: [::1]", 200},
		{"GET /dev/messages", "Host: LOCALHOST", 200},
		{"GET /dev/messages", "Host: evil.example", 403},
		{"GET /dev/messages", "Host: evil.example:4455", 403},
		{"GET /dev/messages", "Host: localhost.evil.example", 403},
		{"GET /dev/messages", "Host: localhost:", 403},
		{"GET /dev/messages", "Host: localhost:80@evil", 403},
		{"GET /dev/messages", "Host: 127.0.0.2:4455", 403},
		{"GET /dev/messages", "Host: ", 403},
		{"GET /dev/messages", "Sec-Fetch-Site: same-origin", 200},
		{"GET /dev/messages", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: cors", 403},
		{"GET /dev/messages", "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: no-cors", 403},
		{"GET /dev/messages", "Origin: http://localhost:3000", 403},
		{"GET /dev/messages", "Origin: null", 403},
		{"GET /dev/inbox", "Sec-Fetch-Site: cross-site|" + follow, 200},
		{"GET /dev/inbox", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe", 403},
		{"DELETE /dev/messages", "Sec-Fetch-Site: cross-site|" + follow, 403},
		{"DELETE /dev/messages", "Authorization: Bearer x|Origin: http://localhost:3000", 403},
		{"DELETE /dev/messages", "", 200},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		var headers []string
		if c.headers != "" {
			headers = strings.Split(c.headers, "|")
		}
		if w := h.ask(method, path, "", headers...); w.Code != c.want {
			t.Errorf("%s %q: %d, want %d", c.request, c.headers, w.Code, c.want)
		}
	}
}
