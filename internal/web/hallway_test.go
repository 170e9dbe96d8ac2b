package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

type who struct {
	User, Key string
}

func guardTable() web.Table {
	tell := func(c *web.Call) error {
		out := who{Key: c.Key}
		if c.Actor != nil {
			out.User = string(c.Actor.Account.ID)
		}
		return c.JSON(http.StatusOK, out)
	}
	return web.Table{
		{Pattern: "GET /v1/me", Guard: web.SignedIn, Limit: web.Free(), Handle: web.Plain(tell)},
		{Pattern: "GET /account", Guard: web.SignedIn, Limit: web.Free(), Handle: web.Page(tell)},
		{Pattern: "POST /v1/token/introspect", Guard: web.ServerKey("introspect"), Limit: web.Free(), Handle: web.Plain(tell)},
		{Pattern: "GET /v1/revocations", Guard: web.ServerKey("revocations"), Limit: web.Free(), Handle: web.Plain(tell)},
	}
}

func TestGuards(t *testing.T) {
	h := openHall(t, nil, guardTable())
	const (
		noToken = `Bearer realm="limen"`
		invalid = `Bearer realm="limen", error="invalid_token"`
		odd     = `Bearer realm="limen", error="invalid_request"`
	)
	for _, c := range []struct {
		name, request string
		headers       []string
		want          int
		code, dare    string
	}{
		{"bearer", "GET /v1/me", []string{"Authorization: Bearer good"}, 200, "", ""},
		{"scheme in any case", "GET /v1/me", []string{"Authorization: bEARER good"}, 200, "", ""},
		{"cookie", "GET /v1/me", []string{"Cookie: __Host-limen_access=good"}, 200, "", ""},
		{"nothing", "GET /v1/me", nil, 401, "unauthenticated", noToken},
		{"unknown token", "GET /v1/me", []string{"Authorization: Bearer other"}, 401, "unauthenticated", invalid},
		{"ended session", "GET /v1/me", []string{"Authorization: Bearer ended"}, 401, "session_ended", invalid},
		{"no actor and no error", "GET /v1/me", []string{"Authorization: Bearer nobody"}, 401, "unauthenticated", invalid},
		{"Authorization hides the cookie", "GET /v1/me", []string{"Authorization: Bearer other", "Cookie: __Host-limen_access=good"}, 401, "unauthenticated", invalid},
		{"another scheme hides the cookie", "GET /v1/me", []string{"Authorization: Basic Z29vZA==", "Cookie: __Host-limen_access=good"}, 401, "unauthenticated", odd},
		{"an empty one hides the cookie", "GET /v1/me", []string{"Authorization: ", "Cookie: __Host-limen_access=good"}, 401, "unauthenticated", odd},
		{"two of them", "GET /v1/me", []string{"Authorization: Bearer good", "Authorization: Bearer good"}, 401, "unauthenticated", odd},
		{"two tokens in one", "GET /v1/me", []string{"Authorization: Bearer good, Bearer good"}, 401, "unauthenticated", odd},
		{"token in the query", "GET /v1/me?access_token=good", nil, 401, "unauthenticated", noToken},
		{"two cookies", "GET /v1/me", []string{"Cookie: __Host-limen_access=good; __Host-limen_access=good"}, 422, "invalid_request", ""},
		{"malformed cookie", "GET /v1/me", []string{`Cookie: __Host-limen_access="good"`}, 422, "invalid_request", ""},
		{"cookie without its prefix", "GET /v1/me", []string{"Cookie: limen_access=good"}, 401, "unauthenticated", noToken},

		{"key", "POST /v1/token/introspect", []string{"Authorization: Bearer lsk_1"}, 200, "", ""},
		{"no key", "POST /v1/token/introspect", nil, 401, "unauthenticated", noToken},
		{"unknown key", "POST /v1/token/introspect", []string{"Authorization: Bearer lsk_2"}, 401, "unauthenticated", invalid},
		{"a person is no key", "POST /v1/token/introspect", []string{"Authorization: Bearer good"}, 401, "unauthenticated", invalid},
		{"a key in a cookie", "POST /v1/token/introspect", []string{"Cookie: __Host-limen_access=lsk_1"}, 401, "unauthenticated", noToken},
		{"a key is no person", "GET /v1/me", []string{"Authorization: Bearer lsk_1"}, 401, "unauthenticated", invalid},
		{"other scope", "GET /v1/revocations", []string{"Authorization: Bearer lsk_1"}, 403, "forbidden",
			`Bearer realm="limen", error="insufficient_scope", scope="revocations"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, _ := strings.Cut(c.request, " ")
			w := h.ask(method, path, "", c.headers...)
			if w.Code != c.want {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if c.code != "" && problem(t, w).Code != c.code {
				t.Errorf("code = %s", problem(t, w).Code)
			}
			got, _, _ := strings.Cut(w.Header().Get("WWW-Authenticate"), ", error_description")
			if got != c.dare {
				t.Errorf("WWW-Authenticate = %q", got)
			}
		})
	}
}

func TestPageRenewsItsCookies(t *testing.T) {
	renewed := 0
	h := openHall(t, func(h *web.Hallway) {
		h.Renew = func(c *web.Call) (*web.Actor, error) {
			renewed++
			g := issued(session.Cookie, "", false)
			return &web.Actor{Account: account.Account{ID: "usr_2"}}, web.KeepGrant(c, g)
		}
	}, guardTable())
	for _, c := range []struct {
		path, cookie string
		want         string
		renews       int
	}{
		{"/account", "__Host-limen_access=good; __Host-limen_refresh=lrt_1", "usr_1", 0},
		{"/account", "__Host-limen_access=ended; __Host-limen_refresh=lrt_1", "usr_2", 1},
		{"/account", "__Host-limen_refresh=lrt_1", "usr_2", 1},
		{"/account", "__Host-limen_access=other", "", 0},
		{"/v1/me", "__Host-limen_refresh=lrt_1", "", 0}, // an API client refreshes by itself
	} {
		renewed = 0
		w := h.ask("GET", c.path, "", "Cookie: "+c.cookie)
		var got who
		_ = json.Unmarshal(w.Body.Bytes(), &got)
		if got.User != c.want || renewed != c.renews || len(w.Header().Values("Set-Cookie")) != 2*c.renews {
			t.Errorf("%s %q: %q, renewed %d, cookies %q", c.path, c.cookie, got.User, renewed, w.Header().Values("Set-Cookie"))
		}
	}
}

// A refresh token that was refused is not shown again while the refusal is written.
func TestIdentifyAsksOnce(t *testing.T) {
	renewed := 0
	h := openHall(t, func(h *web.Hallway) {
		h.Renew = func(*web.Call) (*web.Actor, error) { renewed++; return nil, session.ErrReused }
		h.RefusePage = func(c *web.Call, f *fault.Fault, status int) error {
			if who, err := c.Identify(); err == nil || who != nil {
				t.Error("somebody after all")
			}
			return c.HTML(status, "default-src 'none'", []byte(f.Code))
		}
	}, guardTable())
	if w := h.ask("GET", "/account", "", "Cookie: __Host-limen_refresh=lrt_1"); w.Code != 401 || w.Body.String() != "refresh_reused" || renewed != 1 {
		t.Errorf("%d %s, renewed %d times", w.Code, w.Body, renewed)
	}
}

func TestRefusals(t *testing.T) {
	three := fault.New(fault.Unauthenticated, "code_incorrect", "That code isn't right.").Left(3)
	for _, c := range []struct {
		err    error
		status int
		code   string
		want   map[string]string // headers
		extra  string            // in the body
	}{
		{fault.ErrMalformedJSON, 400, "malformed_json", nil, ""},
		{fault.Invalidate("email", "required"), 422, "invalid_request", nil, `"errors":{"email":"required"}`},
		{three, 401, "code_incorrect", map[string]string{"WWW-Authenticate": `Bearer realm="limen"`}, `"tries_left":3`},
		{fault.New(fault.Denied, "reauthentication_required", "x").Offering("password"), 403, "reauthentication_required", nil, `"factors":["password"]`},
		{fault.ErrNotFound, 404, "not_found", nil, ""},
		{fault.New(fault.Conflict, "username_taken", "x"), 409, "username_taken", nil, ""},
		{fault.ErrTooLarge, 413, "payload_too_large", nil, ""},
		{fault.ErrMediaType, 415, "unsupported_media_type", nil, ""},
		{fault.ErrRateLimited, 429, "rate_limited", map[string]string{"Retry-After": "1"}, ""},
		{fault.ErrRateLimited.After(1500 * time.Millisecond), 429, "rate_limited", map[string]string{"Retry-After": "2"}, ""},
		{fault.ErrUnavailable.After(2 * time.Second), 503, "unavailable", map[string]string{"Retry-After": "2"}, ""},
		{fmt.Errorf("wrapped: %w", fault.ErrNotFound), 404, "not_found", nil, ""},
		{context.DeadlineExceeded, 503, "unavailable", map[string]string{"Retry-After": "1"}, ""},
		{errors.New("dial tcp: the secret host"), 500, "internal_error", nil, ""},
		{fault.ErrUnavailable.Because(errors.New("the secret host")), 503, "unavailable", nil, ""},
	} {
		h := openHall(t, nil, web.Table{{Pattern: "GET /v1/x", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(*web.Call) error { return c.err })}})
		w := h.ask("GET", "/v1/x", "")
		p := problem(t, w)
		if w.Code != c.status || p.Code != c.code || !strings.Contains(w.Body.String(), c.extra) {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
		for name, want := range c.want {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%v: %s = %q, want %q", c.err, name, got, want)
			}
		}
		if strings.Contains(w.Body.String(), "secret host") {
			t.Errorf("the cause was told: %s", w.Body)
		}
		if c.status == 500 && (!strings.Contains(h.log.String(), "secret host") || !strings.Contains(h.log.String(), p.RequestID)) {
			t.Errorf("the cause is not in the log: %s", h.log)
		}
	}
}

func TestPanicIsTheLastResort(t *testing.T) {
	h := openHall(t, nil, web.Table{
		{Pattern: "GET /v1/panic", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(*web.Call) error { panic("the secret cause") })},
		{Pattern: "GET /v1/half", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(c *web.Call) error {
			_, _ = io.WriteString(c.W, "half an ans")
			return errors.New("the rest is missing")
		})},
		{Pattern: "GET /v1/fine", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(nothing)},
	})
	server := httptest.NewServer(h)
	defer server.Close()
	w := h.ask("GET", "/v1/panic", "")
	if p := problem(t, w); w.Code != 500 || p.Code != "internal_error" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(h.log.String(), "the secret cause") || !strings.Contains(h.log.String(), "hallway_test.go") {
		t.Errorf("no cause or no stack in the log: %s", h.log)
	}
	resp, err := http.Get(server.URL + "/v1/half")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looked whole")
	}
	if resp, err := http.Get(server.URL + "/v1/fine"); err != nil || resp.StatusCode != 200 {
		t.Errorf("the server did not go on: %v", err)
	}
}

func TestUnrouted(t *testing.T) {
	pages := 0
	h := openHall(t, func(h *web.Hallway) {
		h.RefusePage = func(c *web.Call, f *fault.Fault, status int) error {
			pages++
			return c.HTML(status, "default-src 'self'", []byte("<p>"+f.Detail+" "+c.RequestID))
		}
	}, originTable())
	for _, c := range []struct {
		request, accept string
		status          int
		allow           string
		page            bool
	}{
		{"GET /v1/nothing", "", 404, "", false},
		{"GET /v1/nothing", "text/html", 404, "", false},
		{"GET /nothing", "", 404, "", false},
		{"GET /nothing", "text/html,*/*", 404, "", true},
		{"PUT /v1/do", "", 405, "DELETE, GET, HEAD, POST", false},
		{"PUT /sign-in", "text/html", 405, "GET, HEAD, POST", true},
		{"OPTIONS /v1/do", "", 405, "DELETE, GET, HEAD, POST", false},
		{"GET /.well-known/nothing", "text/html", 404, "", false},
		{"GET /v1/do/", "", 404, "", false},
	} {
		pages = 0
		method, path, _ := strings.Cut(c.request, " ")
		w := h.ask(method, path, "", "Accept: "+c.accept)
		if w.Code != c.status || w.Header().Get("Allow") != c.allow || (pages == 1) != c.page {
			t.Errorf("%v: %d, Allow %q, %d pages", c, w.Code, w.Header().Get("Allow"), pages)
		}
		if !c.page {
			problem(t, w)
		} else if w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%v: %q", c, w.Header().Get("Content-Type"))
		}
	}
}

// Matcher and router must see one path.
func TestPathsReadInOneWay(t *testing.T) {
	h := openHall(t, nil, web.Table{
		{Pattern: "GET /v1/things/{id}", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(nothing)},
		{Pattern: "GET /v1/admin", Guard: web.SignedIn, Limit: web.Free(), Handle: web.Plain(nothing)},
		{Pattern: "GET /files/{path...}", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(nothing)},
	})
	for _, c := range []struct {
		path string
		want int
	}{
		{"/v1/things/a", 200}, {"/files/a/b.css", 200}, {"/v1/things/a%20b", 200}, {"/v1/things/%C3%A9", 200}, {"/files/..a", 200},
		{"//v1/things/a", 404}, {"/v1//things/a", 404}, {"/v1/./things/a", 404}, {"/files/../v1/admin", 404},
		{"/files/%2e%2e/v1/admin", 404}, {"/files/%2E./v1/admin", 404}, {"/files/..%2fv1/admin", 404}, {"/files/a%5c..%5cb", 404},
		{"/files/..", 404}, {"/files/.", 404}, {"/v1/things/a%2Fb", 404}, {"/v1/things/a%2eb", 404}, {"/v1/things/%2561", 404}, {"/v1/things/a%00", 404},
		{"/v1/things/a%0d%0a", 404}, {"/v1/things/%ff", 404}, {"/v1/admin%2f", 404}, {"/v1/%61dmin", 401},
	} {
		if w := h.ask("GET", c.path, ""); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.path, w.Code, c.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	table := web.Table{
		{Pattern: "GET /v1/x", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(nothing)},
		{Pattern: "GET /page", Guard: web.Anyone, Limit: web.Free(), Handle: web.Page(func(c *web.Call) error {
			return c.HTML(200, "default-src 'self'; base-uri 'self';", []byte("<p>"))
		})},
	}
	api := map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
		"Cross-Origin-Opener-Policy": "",
	}
	page := map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Content-Security-Policy":    "default-src 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=31536000",
	}
	h := openHall(t, nil, table)
	for path, want := range map[string]map[string]string{"/v1/x": api, "/v1/nothing": api, "/page": page} {
		w := h.ask("GET", path, "", "Request-Id: req_chosen", "X-Request-Id: req_chosen")
		for name, value := range want {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s = %q, want %q", path, name, got, value)
			}
		}
		if id := w.Header().Get("Request-Id"); !strings.HasPrefix(id, "req_") || len(id) != 30 {
			t.Errorf("%s: Request-Id %q", path, id)
		}
	}
	if w := openHall(t, overHTTP, table).ask("GET", "/v1/x", ""); w.Header().Get("Strict-Transport-Security") != "" {
		t.Error("HSTS over http")
	}
}

func TestLimits(t *testing.T) {
	fail := false
	h := openHall(t, nil, web.Table{
		{Pattern: "POST /v1/cost", Guard: web.Anyone, Limit: web.Limited(rate), Handle: web.Plain(nothing)},
		{Pattern: "POST /v1/refund", Guard: web.Anyone, Limit: web.Refunded(ratelimit.Rate{Name: "refund", Events: 3, Per: time.Minute, Burst: 3}),
			Handle: web.Plain(func(c *web.Call) error {
				if fail {
					return fault.ErrNotFound
				}
				return nothing(c)
			})},
	})
	for i := range 5 {
		w := h.ask("POST", "/v1/cost", "")
		if i < 3 && w.Code != 200 || i >= 3 && (w.Code != 429 || problem(t, w).Code != "rate_limited" || w.Header().Get("Retry-After") == "") {
			t.Errorf("request %d: %d", i, w.Code)
		}
	}
	for i := range 9 {
		if w := h.ask("POST", "/v1/refund", ""); w.Code != 200 {
			t.Errorf("success %d: %d", i, w.Code)
		}
	}
	fail = true
	for i := range 5 {
		if w := h.ask("POST", "/v1/refund", ""); i < 3 && w.Code != 404 || i >= 3 && w.Code != 429 {
			t.Errorf("failure %d: %d", i, w.Code)
		}
	}
}

// A refused origin costs its victim's address nothing.
func TestCrossOriginBeforeLimit(t *testing.T) {
	h := openHall(t, nil, web.Table{{Pattern: "POST /v1/cost", Guard: web.Anyone, Limit: web.Limited(rate), Handle: web.Plain(nothing)}})
	for range 10 {
		h.ask("POST", "/v1/cost", "", "Sec-Fetch-Site: cross-site")
	}
	if w := h.ask("POST", "/v1/cost", ""); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

func TestDelivery(t *testing.T) {
	var c *web.Call
	h := openHall(t, nil, web.Table{
		{Pattern: "POST /v1/x", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(call *web.Call) error { c = call; return nil })},
		{Pattern: "POST /page", Guard: web.Anyone, Limit: web.Free(), Handle: web.Page(func(call *web.Call) error { c = call; return nil })},
	})
	for _, x := range []struct {
		path, header    string
		delivery, asked session.Delivery
		keepsMemory     bool
	}{
		{"/v1/x", "", session.Token, "", true},
		{"/v1/x", "token", session.Token, session.Token, false},
		{"/v1/x", "memory", session.Memory, session.Memory, true},
		{"/page", "token", session.Cookie, session.Cookie, false},
		{"/page", "", session.Cookie, "", true},
	} {
		var headers []string
		if x.header != "" {
			headers = []string{"Limen-Delivery: " + x.header}
		}
		h.ask("POST", x.path, "", headers...)
		if c.Delivery != x.delivery || c.Asked() != x.asked || (c.Keeps(session.Memory) == nil) != x.keepsMemory {
			t.Errorf("%v: %q %q", x, c.Delivery, c.Asked())
		}
	}
	if w := h.ask("POST", "/v1/x", "", "Limen-Delivery: pigeon"); problem(t, w).Errors["Limen-Delivery"] != "invalid" {
		t.Errorf("%s", w.Body)
	}
}

func TestUserAgentIsFitToKeep(t *testing.T) {
	var c *web.Call
	h := openHall(t, nil, web.Table{{Pattern: "GET /v1/x", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(call *web.Call) error { c = call; return nil })}})
	for _, x := range []struct{ sent, want string }{
		{"curl/8", "curl/8"}, {"a\tb", "ab"}, {"a\xffb", "ab"}, {"é", "é"},
		{strings.Repeat("é", 400), strings.Repeat("é", 256)}, {"x" + strings.Repeat("é", 400), "x" + strings.Repeat("é", 255)},
	} {
		h.ask("GET", "/v1/x", "", "User-Agent: "+x.sent)
		if c.UserAgent != x.want {
			t.Errorf("%q became %q", x.sent, c.UserAgent)
		}
	}
}

func TestLogTellsNoSecret(t *testing.T) {
	h := openHall(t, nil, append(guardTable(), originTable()...))
	h.ask("GET", "/v1/me?token=SECRET1", "", "Authorization: Bearer SECRET2", "User-Agent: SECRET5")
	h.ask("GET", "/v1/me", "", "Cookie: __Host-limen_access=SECRET3")
	h.ask("POST", "/sign-in?code=SECRET4", "password=SECRET6")
	h.ask("GET", "/SECRET7", "")
	if strings.Contains(h.log.String(), "SECRET") {
		t.Errorf("the log tells a secret: %s", h.log)
	}
	lines := bufio.NewScanner(h.log)
	lines.Scan()
	var line map[string]any
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"method": "GET", "route": "GET /v1/me", "status": 401.0, "code": "unauthenticated", "address": "192.0.2.0/24",
	} {
		if line[name] != want {
			t.Errorf("%s = %v, want %v", name, line[name], want)
		}
	}
	if line["request_id"] == "" || line["bytes"] == 0.0 {
		t.Errorf("%v", line)
	}
}

func TestClientGone(t *testing.T) {
	h := openHall(t, nil, web.Table{{
		Pattern: "GET /v1/x", Guard: web.Anyone, Limit: web.Free(),
		Handle: web.Plain(func(c *web.Call) error { return c.R.Context().Err() }),
	}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/x", nil)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if !strings.Contains(h.log.String(), `"status":499`) || strings.Contains(h.log.String(), `"level":"ERROR"`) {
		t.Errorf("%s", h.log)
	}
}

func TestServingBracketsWhatDoesNotHash(t *testing.T) {
	serving, during := 0, map[string]int{}
	note := func(c *web.Call) error { during[c.R.URL.Path] = serving; return nil }
	h := openHall(t, func(h *web.Hallway) {
		h.Serving = func() func() { serving++; return func() { serving-- } }
	}, web.Table{
		{Pattern: "GET /v1/me", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(note)},
		{Pattern: "GET /v1/hash", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(note), Hashes: true},
		{Pattern: "GET /v1/stream", Guard: web.Anyone, Limit: web.Free(), Handle: web.Stream(note)},
	})
	for _, path := range []string{"/v1/me", "/v1/hash", "/v1/stream"} {
		h.ask("GET", path, "")
	}
	if during["/v1/me"] != 1 || during["/v1/hash"] != 0 || during["/v1/stream"] != 0 || serving != 0 {
		t.Errorf("%v, %d left", during, serving)
	}
}

type one struct {
	A string `json:"a"`
}

type another struct{ one }

func TestRowsThatDoNotOpen(t *testing.T) {
	handle := web.Plain(nothing)
	anyone, free := web.Anyone, web.Free()
	typed := web.JSON(func(*web.Call, web.None) (web.None, error) { return web.None{}, nil })
	slower := rate
	slower.Per *= 2
	for name, table := range map[string]web.Table{
		"one rate, two meanings": {
			{Pattern: "GET /x", Guard: anyone, Limit: web.Limited(rate), Handle: handle},
			{Pattern: "GET /y", Guard: anyone, Limit: web.Limited(slower), Handle: handle},
		},
		"no guard":           {{Pattern: "GET /x", Limit: free, Handle: handle}},
		"unknown guard":      {{Pattern: "GET /x", Guard: "anybody", Limit: free, Handle: handle}},
		"key without scope":  {{Pattern: "GET /x", Guard: web.ServerKey(""), Limit: free, Handle: handle}},
		"no limit":           {{Pattern: "GET /x", Guard: anyone, Handle: handle}},
		"no handler":         {{Pattern: "GET /x", Guard: anyone, Limit: free}},
		"no method":          {{Pattern: "/x", Guard: anyone, Limit: free, Handle: handle}},
		"a host":             {{Pattern: "GET example.com/x", Guard: anyone, Limit: free, Handle: handle}},
		"undocumented":       {{Pattern: "GET /x", Guard: anyone, Limit: free, Handle: typed}},
		"exempt and safe":    {{Pattern: "GET /x", Guard: anyone, Limit: free, Handle: handle, Exempt: "why"}},
		"twice":              {{Pattern: "GET /x", Guard: anyone, Limit: free, Handle: handle}, {Pattern: "GET /x", Guard: anyone, Limit: free, Handle: handle}},
		"conflicting":        {{Pattern: "GET /{a}/x", Guard: anyone, Limit: free, Handle: handle}, {Pattern: "GET /x/{b}", Guard: anyone, Limit: free, Handle: handle}},
		"wildcard not there": {{Pattern: "GET /x", Guard: anyone, Limit: free, Doc: doc, Handle: web.JSON(func(*web.Call, listIn) (web.None, error) { return web.None{}, nil })}},
		"untagged field":     {{Pattern: "GET /x", Guard: anyone, Limit: free, Doc: doc, Handle: web.JSON(func(*web.Call, struct{ A string }) (web.None, error) { return web.None{}, nil })}},
		"unreadable field": {{Pattern: "GET /x", Guard: anyone, Limit: free, Doc: doc, Handle: web.JSON(func(*web.Call, struct {
			A any `json:"a"`
		}) (web.None, error) {
			return web.None{}, nil
		})}},
		"two of a name": {{Pattern: "GET /x", Guard: anyone, Limit: free, Doc: doc, Handle: web.JSON(func(*web.Call, struct {
			one
			another
		}) (web.None, error) {
			return web.None{}, nil
		})}},
	} {
		if err := newHall(t, nil).Open(table); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestRoutesGolden(t *testing.T) {
	h := openHall(t, nil, guardTable(), web.Table{
		{Pattern: "POST /v1/sign-in/password", Guard: web.Anyone, Limit: web.Limited(rate), Handle: web.Plain(nothing), Hashes: true},
		{Pattern: "POST /callback/{provider}", Guard: web.Anyone, Limit: web.Refunded(ratelimit.Rate{Name: "callback", Events: 10, Per: time.Hour, Burst: 3}), Handle: web.Plain(nothing), Exempt: "state and flow cookie"},
	})
	golden(t, "routes.golden", []byte(h.Routes()))
}

func TestStreamOutlivesTheDeadline(t *testing.T) {
	pause := make(chan struct{})
	slow := func(c *web.Call) error {
		<-pause
		_, err := io.WriteString(c.W, "data: late\n\n")
		return err
	}
	h := openHall(t, nil, web.Table{{Pattern: "GET /v1/stream", Guard: web.Anyone, Limit: web.Free(), Handle: web.Stream(slow)}})
	server := httptest.NewUnstartedServer(h)
	server.Config = web.NewServer(h, h.Log)
	server.Config.WriteTimeout = time.Nanosecond // has passed when the stream begins
	server.Start()
	defer server.Close()
	close(pause)
	resp, err := http.Get(server.URL + "/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "data: late\n\n" {
		t.Errorf("%q %v", body, err)
	}
}

func TestServerIsHardened(t *testing.T) {
	h := openHall(t, nil)
	s := web.NewServer(h, h.Log)
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes != 32<<10 {
		t.Errorf("%+v", s)
	}
}

func TestForms(t *testing.T) {
	var got map[string]string
	h := openHall(t, nil, web.Table{{Pattern: "POST /page", Guard: web.Anyone, Limit: web.Free(), Handle: web.Page(func(c *web.Call) (err error) {
		got, err = c.Form()
		return err
	})}})
	const form = "Content-Type: application/x-www-form-urlencoded"
	if w := h.ask("POST", "/page", "a=1&b=x+y%C3%A9", form); w.Code != 200 || got["a"] != "1" || got["b"] != "x yé" {
		t.Errorf("%d %v", w.Code, got)
	}
	for body, want := range map[string]string{
		"a=1&a=2": `{"a":"duplicate"}`, "a=%00": `{"a":"nul"}`, "a=%ff": `{"a":"utf8"}`,
	} {
		if w := h.ask("POST", "/page", body, form); w.Code != 422 || fields(problem(t, w)) != want {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
	for body, want := range map[string]int{"a=%zz": 400, "a=" + strings.Repeat("x", 64<<10): 413} {
		if w := h.ask("POST", "/page", body, form); w.Code != want {
			t.Errorf("%d, want %d", w.Code, want)
		}
	}
	if w := h.ask("POST", "/page", "a=1", "Content-Type: text/plain"); w.Code != 415 {
		t.Errorf("%d", w.Code)
	}
}

func TestMetricsCount(t *testing.T) {
	h := openHall(t, nil, guardTable())
	h.ask("GET", "/v1/me", "", "Authorization: Bearer good")
	h.ask("GET", "/v1/me", "")
	h.ask("GET", "/anything/at/all", "")
	w := httptest.NewRecorder()
	h.Metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	lines := strings.Split(w.Body.String(), "\n")
	for _, want := range []string{
		`limen_requests_total{class="2xx",route="GET /v1/me"} 1`,
		`limen_requests_total{class="4xx",route="GET /v1/me"} 1`,
		`limen_requests_total{class="4xx",route="-"} 1`,
		`limen_refusals_total{code="unauthenticated"} 1`,
		`limen_refusals_total{code="not_found"} 1`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}
