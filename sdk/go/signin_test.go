package limenauth_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

const (
	exchangeCall = "POST /v1/sign-in/exchange"
	refreshCall  = "POST /v1/token/refresh"
	signOutCall  = "POST /v1/sign-out"
)

var cookieKey = []byte("0123456789abcdef0123456789abcdef")

// A lobby is the server's side of a browser sign-in: it hands out codes, exchanges
// them once, and rotates refresh tokens.
type lobby struct {
	l       *limen
	mu      sync.Mutex
	codes   map[string]url.Values // by code: what the sign-in page was asked with
	current string                // the one live refresh token
	rotated int
	extra   claims // claims of the next tokens
	device  []string
	ended   bool
	life    time.Duration
}

func newLobby(l *limen) *lobby {
	b := &lobby{l: l, codes: map[string]url.Values{}, extra: claims{}, life: 15 * time.Minute}
	l.on("GET /sign-in", b.signIn)
	l.on(exchangeCall, b.exchange)
	l.on(refreshCall, b.refresh)
	l.on(signOutCall, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		json.NewDecoder(r.Body).Decode(&body)
		b.mu.Lock()
		defer b.mu.Unlock()
		if body["scope"] == "local" && body["refresh_token"] == b.current && r.Header.Get("Limen-Device") == "lds_device" {
			b.ended = true
		}
		w.WriteHeader(204)
	})
	return b
}

// signIn lets everybody in as mina.
func (b *lobby) signIn(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	query := r.URL.Query()
	code := rand.Text()
	b.codes[code] = query
	back := url.Values{"code": {code}, "state": query["state"]}
	http.Redirect(w, r, query.Get("redirect_to")+"?"+back.Encode(), http.StatusSeeOther)
}

func (b *lobby) exchange(w http.ResponseWriter, r *http.Request) {
	var body map[string]string
	json.NewDecoder(r.Body).Decode(&body)
	b.mu.Lock()
	defer b.mu.Unlock()
	asked, ok := b.codes[body["code"]]
	delete(b.codes, body["code"])
	sum := sha256.Sum256([]byte(body["code_verifier"]))
	switch {
	case !ok, asked.Get("code_challenge") != b64(sum[:]), asked.Get("redirect_to") != body["redirect_to"],
		r.Header.Get("Limen-Delivery") != "token", r.Header.Get("Content-Type") != "application/json":
		answerProblem(w, 401, "link_expired")
		return
	}
	b.ended = false
	b.grant(w, "lds_device")
}

func (b *lobby) grant(w http.ResponseWriter, device string) {
	b.rotated++
	b.current = fmt.Sprintf("lrt_%d", b.rotated)
	c := mina(time.Now()).with("exp", time.Now().Add(b.life).Unix())
	for name, v := range b.extra {
		c[name] = v
	}
	g := claims{
		"status": "complete", "token_type": "Bearer", "access_token": b.l.key.token(c), "expires_in": 900,
		"refresh_token": b.current, "session": claims{"id": c["sid"], "expires_at": time.Now().Add(30 * 24 * time.Hour)},
	}
	if device != "" {
		g["device_secret"] = device
	}
	answerJSON(w, 200, g)
}

func (b *lobby) refresh(w http.ResponseWriter, r *http.Request) {
	var body map[string]string
	json.NewDecoder(r.Body).Decode(&body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.device = append(b.device, r.Header.Get("Limen-Device"))
	switch {
	case b.ended:
		answerProblem(w, 401, "session_ended")
	case body["refresh_token"] != b.current:
		b.ended = true
		answerProblem(w, 401, "refresh_reused")
	default:
		b.grant(w, "")
	}
}

// newApp is an application with everything mounted.
func newApp(a *limenauth.Auth) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.Require(whoami))
	mux.Handle("/public", a.Optional(whoami))
	mux.Handle("/danger", a.Require(whoami, limenauth.Fresh(5*time.Minute)))
	mux.Handle("/auth/callback", a.Callback())
	mux.HandleFunc("/login", a.SignIn)
	mux.HandleFunc("/sign-out", a.SignOut)
	return mux
}

// walk follows redirects from address to the end.
func (v *visitor) walk(address string) (at string, p seenPage) {
	v.t.Helper()
	for range 10 {
		p = v.open(address)
		if p.location() == "" {
			return address, p
		}
		base, _ := url.Parse(address)
		next, err := base.Parse(p.location())
		if err != nil {
			v.t.Fatal(err)
		}
		address = next.String()
	}
	v.t.Fatalf("going in circles at %s", address)
	return "", p
}

func (v *visitor) cookies() map[string]string {
	u, _ := url.Parse(appURL)
	found := map[string]string{}
	for _, c := range v.jar.Cookies(u) {
		found[c.Name] = c.Value
	}
	return found
}

func stage(t *testing.T, options ...limenauth.Option) (*limen, *lobby, *limenauth.Auth, *visitor) {
	l := newLimen(t)
	b := newLobby(l)
	a := l.auth(append([]limenauth.Option{limenauth.WithCookieKey(cookieKey)}, options...)...)
	return l, b, a, newVisitor(t, newApp(a), l)
}

func TestSignInAndBack(t *testing.T) {
	_, _, _, v := stage(t)
	first := v.open(appURL + "/reports?year=2026&q=%2F%2Fx")
	if first.status != 303 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	to, err := url.Parse(first.location())
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if to.Scheme+"://"+to.Host+to.Path != authURL+"/sign-in" || q.Get("redirect_to") != appURL+"/auth/callback" ||
		len(q.Get("state")) < 22 || len(q.Get("code_challenge")) != 43 || len(q) != 3 {
		t.Errorf("sent to %s", to)
	}
	flow := parseCookies(first.header)
	if len(flow) != 1 || !strings.HasPrefix(flow[0].Name, "__Host-limenauth_flow_") || flow[0].MaxAge != 600 {
		t.Fatalf("cookies %v", flow)
	}
	checkCookie(t, flow[0])
	if strings.Contains(flow[0].Value, q.Get("state")) || strings.Contains(first.location(), flow[0].Value) {
		t.Error("the flow cookie is not sealed")
	}

	back := v.open(first.location())
	landed := v.open(back.location())
	if landed.status != 303 || landed.location() != "/reports?year=2026&q=%2F%2Fx" || landed.header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%d to %q: %s", landed.status, landed.location(), landed.body)
	}
	set := parseCookies(landed.header)
	if len(set) != 2 || set[0].MaxAge != -1 || set[0].Name != flow[0].Name || set[1].Name != "__Host-limenauth_session" {
		t.Fatalf("cookies %v", set)
	}
	checkCookie(t, set[1])
	if days := set[1].MaxAge / 86400; days < 29 || days > 30 {
		t.Errorf("the session cookie lives %d days", days)
	}
	if strings.Contains(set[1].Value, ".") || strings.Contains(set[1].Value, "lrt_") {
		t.Error("the session cookie is not sealed")
	}
	if p := v.open(appURL + landed.location()); p.status != 200 || p.body != "usr_mina" {
		t.Errorf("%d %s", p.status, p.body)
	}
	if got := len(v.cookies()); got != 1 {
		t.Errorf("%d cookies are left: %v", got, v.cookies())
	}
	// The same answer again brings nothing: the browser has forgotten the flow.
	if p := v.open(back.location()); p.status != 401 {
		t.Errorf("replay: %d", p.status)
	}
}

func parseCookies(h http.Header) []*http.Cookie { return (&http.Response{Header: h}).Cookies() }

func checkCookie(t *testing.T, c *http.Cookie) {
	t.Helper()
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Name)+len(c.Value) > 4096 {
		t.Errorf("cookie %s", c)
	}
}

func TestTabsDoNotSpoilEachOther(t *testing.T) {
	_, _, _, v := stage(t)
	var tabs []string
	for i := range 5 {
		tabs = append(tabs, v.open(fmt.Sprintf("%s/tab/%d", appURL, i)).location())
	}
	slices.Reverse(tabs)
	for i, tab := range tabs {
		p := v.open(v.open(tab).location())
		if want := fmt.Sprintf("/tab/%d", 4-i); p.location() != want {
			t.Errorf("tab %d came back to %q (%d %s), want %s", i, p.location(), p.status, p.body, want)
		}
	}
	for range 50 { // a page that sends the browser here again and again
		v.open(appURL + "/login")
	}
	size := 0
	for name, value := range v.cookies() {
		size += len(name) + len(value)
	}
	if n := len(v.cookies()); n > 7 || size > 6000 {
		t.Errorf("%d cookies, %d bytes", n, size)
	}
	if _, p := v.walk(appURL + "/login?return_to=/public"); p.body != "usr_mina" {
		t.Errorf("after many started sign-ins: %d %s", p.status, p.body)
	}
}

// TestReturnPaths is the table of A12.
func TestReturnPaths(t *testing.T) {
	for path, want := range map[string]string{
		"/reports?x=1#top":              "/reports?x=1#top",
		"/a//b":                         "/a//b",
		"/%2f%2fevil.example":           "/%2f%2fevil.example",
		"":                              "/",
		"reports":                       "/",
		"//evil.example":                "/",
		"///evil.example":               "/",
		"/\\evil.example":               "/",
		"\\/evil.example":               "/",
		"/x\\..\\evil":                  "/",
		"https://evil.example":          "/",
		"https:evil.example":            "/",
		"javascript:alert(1)":           "/",
		" //evil.example":               "/",
		"\t//evil.example":              "/",
		"/\t/evil.example":              "/",
		"/\n/evil.example":              "/",
		"/\x00":                         "/",
		"/x\x7f":                        "/",
		"/%zz":                          "/",
		"@evil.example":                 "/",
		"/" + strings.Repeat("x", 2000): "/",
	} {
		_, _, _, v := stage(t)
		p := v.open(appURL + "/login?" + url.Values{"return_to": {path}}.Encode())
		p = v.open(v.open(p.location()).location())
		if p.status != 303 || p.location() != want {
			t.Errorf("%q came back to %q", path, p.location())
		}
	}
	// What was asked for may look like a host as well.
	_, _, a, v := stage(t)
	v.c.Transport.(town)["app.example.com"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/callback" {
			a.Callback().ServeHTTP(w, r)
			return
		}
		a.Require(whoami).ServeHTTP(w, r)
	})
	p := v.open(appURL + "//evil.example/x")
	p = v.open(v.open(p.location()).location())
	if p.location() != "/" {
		t.Errorf("a path with two slashes came back to %q", p.location())
	}
}

// TestCallbackRefuses: every answer that this browser did not ask for, or that is not
// whole. Each begins with an answer that would do.
func TestCallbackRefuses(t *testing.T) {
	type answer = url.Values
	for name, spoil := range map[string]func(mine, other, theirs answer) answer{
		"nothing":        func(mine, other, theirs answer) answer { return answer{} },
		"no state":       func(mine, other, theirs answer) answer { return answer{"code": mine["code"]} },
		"no code":        func(mine, other, theirs answer) answer { return answer{"state": mine["state"]} },
		"an error":       func(mine, other, theirs answer) answer { mine.Set("error", "access_denied"); return mine },
		"two codes":      func(mine, other, theirs answer) answer { mine.Add("code", "x"); return mine },
		"two states":     func(mine, other, theirs answer) answer { mine.Add("state", mine.Get("state")); return mine },
		"an empty state": func(mine, other, theirs answer) answer { mine.Set("state", ""); return mine },
		"a long state":   func(mine, other, theirs answer) answer { mine.Set("state", mine.Get("state")+"x"); return mine },
		"a state nobody began": func(mine, other, theirs answer) answer {
			mine.Set("state", rand.Text())
			return mine
		},
		"a state with the same stem": func(mine, other, theirs answer) answer {
			mine.Set("state", mine.Get("state")[:8]+rand.Text()[:18])
			return mine
		},
		"sign-in of another browser":   func(mine, other, theirs answer) answer { return theirs }, // login CSRF
		"code of another browser":      func(mine, other, theirs answer) answer { mine["code"] = theirs["code"]; return mine },
		"code of our other sign-in":    func(mine, other, theirs answer) answer { mine["code"] = other["code"]; return mine },
		"a code the server never gave": func(mine, other, theirs answer) answer { mine.Set("code", "x"); return mine },
	} {
		t.Run(name, func(t *testing.T) {
			l, _, _, v := stage(t)
			foreign := newVisitor(t, v.c.Transport.(town)["app.example.com"], l)
			begin := func(v *visitor) answer {
				at, err := url.Parse(v.open(v.open(appURL + "/").location()).location())
				if err != nil {
					t.Fatal(err)
				}
				return at.Query()
			}
			query := spoil(begin(v), begin(v), begin(foreign))
			p := v.open(appURL + "/auth/callback?" + query.Encode())
			if p.status != 401 || p.location() != "" {
				t.Errorf("%d to %q", p.status, p.location())
			}
			if !strings.Contains(p.header.Get("Content-Type"), "text/html") || !strings.Contains(p.body, "<h1>") {
				t.Errorf("a person is shown %s", p.body)
			}
			if v.cookies()["__Host-limenauth_session"] != "" {
				t.Fatal("somebody is signed in")
			}
		})
	}
}

func TestCallbackTakesGetOnly(t *testing.T) {
	_, _, _, v := stage(t)
	back := v.open(v.open(appURL + "/").location()).location()
	for _, method := range []string{"HEAD", "POST", "PUT"} {
		r := navigation(t, back)
		r.Method = method
		if p := v.do(r); p.status != 405 || p.header.Get("Allow") != "GET" {
			t.Errorf("%s: %d", method, p.status)
		}
	}
	if p := v.open(back); p.status != 303 {
		t.Errorf("afterwards: %d %s", p.status, p.body)
	}
}

func TestASignInLivesTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, _, v := stage(t)
		back := v.open(v.open(appURL + "/").location()).location()
		u, _ := url.Parse(appURL)
		flow := v.jar.Cookies(u) // a browser that ignores Max-Age
		time.Sleep(10*time.Minute + time.Second)
		r := navigation(t, back)
		for _, c := range flow {
			r.AddCookie(c)
		}
		if p := v.do(r); p.status != 401 {
			t.Errorf("%d to %q", p.status, p.location())
		}
	})
}

// TestOnlyACheckedTokenIsKept: the server's word is judged like anybody's.
func TestOnlyACheckedTokenIsKept(t *testing.T) {
	for name, extra := range map[string]claims{
		"audience": {"aud": "https://other.example"},
		"issuer":   {"iss": "https://other.example"},
		"expired":  {"exp": time.Now().Add(-time.Hour).Unix()},
		"too big":  {"pad": strings.Repeat("x", 4000)},
	} {
		_, b, _, v := stage(t)
		b.extra = extra
		_, p := v.walk(appURL + "/")
		if p.status < 400 || v.cookies()["__Host-limenauth_session"] != "" {
			t.Errorf("%s: %d", name, p.status)
		}
	}
	// The largest token the server issues does fit.
	_, b, _, v := stage(t)
	b.extra = claims{"pad": strings.Repeat("x", 1700)}
	if _, p := v.walk(appURL + "/"); p.body != "usr_mina" {
		t.Errorf("a token of 3 KB: %d %s", p.status, p.body)
	}
}

func TestExchangeFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		h      http.HandlerFunc
		status int
	}{
		"server error": {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 500, "internal_error") }, 503},
		"limited":      {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 429, "rate_limited") }, 503},
		"refused":      {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "link_used") }, 401},
		"not complete": {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"status": "needs_factor"}) }, 503},
		"no tokens":    {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"status": "complete"}) }, 503},
		"not JSON":     {func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) }, 503},
		"not a token": {func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, claims{"status": "complete", "access_token": "x", "refresh_token": "y"})
		}, 401},
		"a redirection": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, 401},
	} {
		l, _, _, v := stage(t)
		l.on(exchangeCall, tt.h)
		if _, p := v.walk(appURL + "/"); p.status != tt.status || v.cookies()["__Host-limenauth_session"] != "" {
			t.Errorf("%s: %d, want %d", name, p.status, tt.status)
		}
	}
}

// TestAnUnknownStatusIsNotASignIn: "blocked" and whatever comes later are not complete,
// whatever comes with them.
func TestAnUnknownStatusIsNotASignIn(t *testing.T) {
	l, _, _, v := stage(t)
	l.on(exchangeCall, func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, 200, claims{"status": "blocked", "access_token": l.key.token(mina(time.Now())), "refresh_token": "lrt_1"})
	})
	if _, p := v.walk(appURL + "/"); p.status != 503 || v.cookies()["__Host-limenauth_session"] != "" {
		t.Errorf("%d, cookies %v", p.status, v.cookies())
	}
}

func TestForeignCookies(t *testing.T) {
	_, _, _, v := stage(t)
	v.walk(appURL + "/")
	good := v.cookies()["__Host-limenauth_session"]
	_, _, _, w := stage(t, limenauth.WithCookieKey([]byte("another key of thirty-two bytes!")))
	w.walk(appURL + "/")
	v.open(appURL + "/login")
	var flow string
	for name, value := range v.cookies() {
		if strings.Contains(name, "_flow_") {
			flow = value
		}
	}
	for name, cookies := range map[string][]string{
		"changed":             {good[:len(good)-2] + "AA"},
		"cut":                 {good[:len(good)/2]},
		"loose trailing bits": {good + "="},
		"garbage":             {"x"},
		"long garbage":        {strings.Repeat("A", 5000)},
		"of another key":      {w.cookies()["__Host-limenauth_session"]},
		"of another purpose":  {flow},
		"twice":               {good, good},
	} {
		r := httptest.NewRequest("GET", appURL+"/", nil)
		for _, value := range cookies {
			r.AddCookie(&http.Cookie{Name: "__Host-limenauth_session", Value: value})
		}
		rec := httptest.NewRecorder()
		v.c.Transport.(town)["app.example.com"].ServeHTTP(rec, r)
		if rec.Code != 401 {
			t.Errorf("%s: %d", name, rec.Code)
		}
		if set := parseCookies(rec.Header()); len(set) != 1 || set[0].MaxAge != -1 {
			t.Errorf("%s is not cleared: %v", name, set)
		}
	}
	// The same cookie under the plain name is not the session's.
	r := httptest.NewRequest("GET", appURL+"/", nil)
	r.AddCookie(&http.Cookie{Name: "limenauth_session", Value: good})
	rec := httptest.NewRecorder()
	v.c.Transport.(town)["app.example.com"].ServeHTTP(rec, r)
	if rec.Code != 401 {
		t.Errorf("a plain cookie over https: %d", rec.Code)
	}
}

func TestCookieKeysRotate(t *testing.T) {
	l, _, _, v := stage(t)
	v.walk(appURL + "/")
	next := []byte("the next key of thirty-two bytes")
	app := func(keys ...[]byte) string {
		v.c.Transport.(town)["app.example.com"] = newApp(l.auth(limenauth.WithCookieKey(keys...)))
		return v.open(appURL + "/public").body
	}
	if got := app(next, cookieKey); got != "usr_mina" {
		t.Errorf("with the old key in second place: %s", got)
	}
	if got := app(next); got != "nobody" {
		t.Errorf("without the old key: %s", got)
	}
}

func TestAuthorizationHidesCookies(t *testing.T) {
	_, _, _, v := stage(t)
	v.walk(appURL + "/")
	for _, header := range []string{"", "Bearer x", "Basic x"} {
		r := navigation(t, appURL+"/")
		r.Header["Authorization"] = []string{header}
		if p := v.do(r); p.status != 401 || p.location() != "" {
			t.Errorf("%q: %d to %q", header, p.status, p.location())
		}
	}
}

// TestUnsafeRequestsComeFromOurOwnPages: A17.
func TestUnsafeRequestsComeFromOurOwnPages(t *testing.T) {
	l, _, _, v := stage(t, limenauth.WithTrustedOrigins("https://admin.example.com"))
	v.walk(appURL + "/")
	for _, tt := range []struct {
		method, site, origin, upgrade string
		status                        int
	}{
		{"POST", "same-origin", "", "", 200},
		{"POST", "none", "", "", 200},
		{"POST", "same-site", "", "", 403},
		{"POST", "cross-site", "", "", 403},
		{"PUT", "cross-site", "", "", 403},
		{"DELETE", "cross-site", "", "", 403},
		{"BREW", "cross-site", "", "", 403},
		{"POST", "", appURL, "", 200},
		{"POST", "", "https://evil.example", "", 403},
		{"POST", "", "null", "", 403},
		{"POST", "", "https://evil@app.example.com", "", 403},
		{"POST", "same-site", "https://admin.example.com", "", 200},
		{"GET", "cross-site", "", "", 200},
		{"GET", "same-site", "https://blog.example.com", "websocket", 403},
		{"GET", "same-origin", appURL, "websocket", 200},
	} {
		r, err := http.NewRequest(tt.method, appURL+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": tt.site, "Origin": tt.origin, "Upgrade": tt.upgrade} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		p := v.do(r)
		if p.status != tt.status || tt.status == 403 && !strings.Contains(p.body, "cross_origin") {
			t.Errorf("%+v: %d %s", tt, p.status, p.body)
		}
		// With a token nothing is sent by accident, so nothing is asked.
		r.Header.Set("Authorization", "Bearer "+l.key.token(mina(time.Now())))
		if p := v.do(r); p.status != 200 {
			t.Errorf("%+v with a token: %d", tt, p.status)
		}
	}
}

func TestSignOut(t *testing.T) {
	l, b, _, v := stage(t)
	v.walk(appURL + "/")
	for method, want := range map[string]int{"GET": 405, "HEAD": 405, "DELETE": 405} {
		if p := v.send(method, appURL+"/sign-out", "same-origin"); p.status != want {
			t.Errorf("%s: %d", method, p.status)
		}
	}
	if p := v.send("POST", appURL+"/sign-out", "cross-site"); p.status != 403 {
		t.Errorf("from another site: %d", p.status)
	}
	if p := v.open(appURL + "/public"); p.body != "usr_mina" {
		t.Fatal("signed out without asking")
	}
	p := v.send("POST", appURL+"/sign-out?return_to=//evil.example", "same-origin")
	if p.status != 303 || p.location() != "/" || !b.ended || len(v.cookies()) != 0 {
		t.Errorf("%d to %q, ended %v, cookies %v", p.status, p.location(), b.ended, v.cookies())
	}
	if p := v.send("POST", appURL+"/sign-out", "same-origin"); p.status != 303 || l.asked(signOutCall) != 1 {
		t.Errorf("again: %d, the server was told %d times", p.status, l.asked(signOutCall))
	}

	// The person is signed out here even when the server is away.
	v.walk(appURL + "/")
	l.down.Store(true)
	if p := v.send("POST", appURL+"/sign-out", "same-origin"); p.status != 303 || len(v.cookies()) != 0 {
		t.Errorf("server away: %d, cookies %v", p.status, v.cookies())
	}
}

func TestPlainHTTPOnLoopback(t *testing.T) {
	l := newLimen(t)
	newLobby(l)
	a := l.auth()
	for host, want := range map[string]string{
		"localhost:8080":      "http://localhost:8080/auth/callback",
		"127.0.0.1:8080":      "http://127.0.0.1:8080/auth/callback",
		"[::1]:8080":          "http://[::1]:8080/auth/callback",
		"localhost.evil.test": "https://localhost.evil.test/auth/callback",
		"192.168.1.4:8080":    "https://192.168.1.4:8080/auth/callback",
	} {
		r := httptest.NewRequest("GET", "/login", nil)
		r.Host = host
		r.Header.Set("X-Forwarded-Proto", "http")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		w := httptest.NewRecorder()
		a.SignIn(w, r)
		to, _ := url.Parse(w.Header().Get("Location"))
		if got := to.Query().Get("redirect_to"); got != want {
			t.Errorf("%s: redirect_to %q", host, got)
		}
		c := parseCookies(w.Header())[0]
		plain := strings.HasPrefix(want, "http:")
		if c.Secure == plain || strings.HasPrefix(c.Name, "__Host-") == plain || plain && !strings.HasSuffix(c.Name, "_8080") {
			t.Errorf("%s: cookie %s", host, c)
		}
	}
	fixed := l.auth(limenauth.WithAppURL(appURL), limenauth.WithCallbackPath("/cb"), limenauth.WithIssuer("https://id.example.com"))
	w := httptest.NewRecorder()
	fixed.SignIn(w, httptest.NewRequest("GET", "http://localhost:9000/login", nil))
	to, _ := url.Parse(w.Header().Get("Location"))
	if to.Host != "id.example.com" || to.Query().Get("redirect_to") != appURL+"/cb" {
		t.Errorf("sent to %s", to)
	}
}

// TestStepUp: an old sign-in is sent to sign in again, once.
func TestStepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b, _, v := stage(t)
		v.walk(appURL + "/")
		b.extra["auth_time"] = time.Now().Unix()
		time.Sleep(6 * time.Minute)
		p := v.open(appURL + "/danger")
		to, _ := url.Parse(p.location())
		if p.status != 303 || to.Query().Get("max_age") != "300" || to.Query().Get("prompt") != "login" {
			t.Fatalf("%d to %q", p.status, p.location())
		}
		// The server signs in without asking: the person must not go in circles.
		at, p := v.walk(appURL + "/danger")
		if at != appURL+"/danger" || p.status != 403 {
			t.Errorf("%d at %s", p.status, at)
		}
		b.extra["auth_time"] = time.Now().Unix()
		time.Sleep(2 * time.Minute)
		if _, p := v.walk(appURL + "/danger"); p.body != "usr_mina" {
			t.Errorf("after signing in again: %d", p.status)
		}
		if p := v.send("GET", appURL+"/danger", "same-origin"); p.status != 200 {
			t.Errorf("script: %d", p.status)
		}
	})
}
