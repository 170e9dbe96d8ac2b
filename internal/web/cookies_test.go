package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

func issued(d session.Delivery, device secret.Text, withUser bool) web.Issued {
	at := noon.Add(-time.Hour)
	generation, attempt := int64(7), secret.Text("")
	if withUser { // a sign-in
		generation, attempt = session.FirstGeneration, "attempt"
	}
	return web.Issued{
		Account: account.Account{
			ID: "usr_1", Email: "maria@example.com", EmailVerified: true, FirstName: "Maria", Roles: []string{"user"},
			PasswordHash: "$argon2id$hash", CreatedAt: at, UpdatedAt: at, LastSignInAt: noon,
		},
		Session: session.Session{
			ID: "ses_1", Account: "usr_1", Delivery: d, Generation: generation, CreatedAt: noon, LastSeenAt: noon, AuthenticatedAt: noon,
			IdleExpiresAt: noon.Add(30 * 24 * time.Hour), ExpiresAt: noon.Add(90 * 24 * time.Hour), IP: "192.0.2.1",
			Device:  session.Device{Name: "Firefox on Linux", OS: "Linux", Browser: "Firefox", Kind: session.KindDesktop},
			Methods: []string{"password"}, AAL: 1,
		},
		AccessToken: "eyJaccess", AccessExpiresAt: noon.Add(15 * time.Minute), RefreshToken: "lrt_refresh",
		DeviceSecret: device, AttemptSecret: attempt, WithUser: withUser,
	}
}

func grantTable() web.Table {
	type none = web.None
	row := func(path string, h web.Handler) web.Row {
		return web.Row{Pattern: "POST " + path, Guard: web.Anyone, Limit: web.Free(), Handle: h, Doc: doc}
	}
	kept := func(c *web.Call) secret.Text { // what a deed gives a browser to keep
		if c.Delivery == session.Token {
			return ""
		}
		return "browser"
	}
	return web.Table{
		row("/v1/sign-in", web.JSON(func(c *web.Call, _ none) (web.Step, error) {
			g := issued(c.Delivery, "lds_device", true)
			return web.Step{Granted: &g}, nil
		})),
		row("/v1/refresh", web.JSON(func(c *web.Call, _ none) (web.Issued, error) {
			return issued(c.Delivery, "", false), nil
		})),
		row("/v1/verify", web.JSON(func(c *web.Call, _ none) (web.Step, error) {
			return web.Step{Verification: &web.NeedsVerification{
				Attempt: "att_1_x", Channel: "email", SentTo: "m•••@example.com", ExpiresIn: 600, ResendIn: 30, Cookie: kept(c),
			}}, nil
		})),
		row("/v1/factor", web.JSON(func(c *web.Call, _ none) (web.Step, error) {
			return web.Step{Factor: &web.NeedsFactor{
				Attempt: "att_1_x", ExpiresIn: 600, Factors: []web.Factor{{Type: "totp"}, {Type: "phone_code", ID: "phn_1", Hint: "••••12"}}, Cookie: kept(c),
			}}, nil
		})),
		row("/v1/sign-out", web.JSON(func(c *web.Call, _ none) (web.NoContent, error) {
			c.DropSession()
			return web.NoContent{}, nil
		})),
		{Pattern: "POST /sign-in", Guard: web.Anyone, Limit: web.Free(), Handle: web.Page(func(c *web.Call) error {
			return web.RedirectGrant(c, issued(c.Delivery, "lds_device", true), "/account")
		})},
		{Pattern: "POST /wrong", Guard: web.Anyone, Limit: web.Free(), Handle: web.Page(func(c *web.Call) error {
			return web.RedirectGrant(c, issued(session.Token, "", true), "/account")
		})},
	}
}

func TestGrantsGolden(t *testing.T) {
	var out strings.Builder
	for _, place := range []struct {
		name   string
		change func(*web.Hallway)
	}{
		{"http on loopback", overHTTP},
		{"https", nil},
		{"https with a cookie domain", func(h *web.Hallway) { h.CookieDomain = "example.com" }},
	} {
		h := openHall(t, place.change, grantTable())
		for _, mode := range []string{"", "token", "memory", "cookie"} {
			for _, path := range []string{"/v1/sign-in", "/v1/refresh", "/v1/verify", "/v1/factor", "/v1/sign-out"} {
				if mode == "" && path != "/v1/sign-in" {
					continue
				}
				var headers []string
				if mode != "" {
					headers = []string{"Limen-Delivery: " + mode}
				}
				w := h.ask("POST", path, "", headers...)
				fmt.Fprintf(&out, "%s, %q, POST %s: %d\n", place.name, mode, path, w.Code)
				show(&out, w)
			}
		}
		w := h.ask("POST", "/sign-in", "")
		fmt.Fprintf(&out, "%s, page, POST /sign-in: %d %s\n", place.name, w.Code, w.Header().Get("Location"))
		show(&out, w)
	}
	golden(t, "grants.golden", []byte(out.String()))
}

func show(out *strings.Builder, w *httptest.ResponseRecorder) {
	for _, name := range []string{"Clear-Site-Data", "Set-Cookie"} {
		for _, v := range w.Header().Values(name) {
			fmt.Fprintf(out, "\t%s: %s\n", name, v)
		}
	}
	if w.Body.Len() > 0 {
		fmt.Fprintf(out, "\t%s\n", strings.TrimSpace(w.Body.String()))
	}
	out.WriteByte('\n')
}

// What is in a cookie is in no body (ASVS 3.3.4).
func TestNoTokenTwice(t *testing.T) {
	h := openHall(t, nil, grantTable())
	for mode, kept := range map[string][]string{
		"token": nil, "memory": {"lrt_refresh", "lds_device"}, "cookie": {"eyJaccess", "lrt_refresh", "lds_device"},
	} {
		w := h.ask("POST", "/v1/sign-in", "", "Limen-Delivery: "+mode)
		cookies := strings.Join(w.Header().Values("Set-Cookie"), "\n")
		for _, token := range []string{"eyJaccess", "lrt_refresh", "lds_device"} {
			inCookie, inBody := strings.Contains(cookies, token), strings.Contains(w.Body.String(), token)
			if want := slices.Contains(kept, token); inCookie != want || inBody == want {
				t.Errorf("%s: %s in cookie %v, in body %v", mode, token, inCookie, inBody)
			}
		}
		if strings.Contains(w.Body.String(), "argon2id") {
			t.Errorf("%s: the hash is in the answer", mode)
		}
	}
}

func TestRedirectCarriesNoToken(t *testing.T) {
	h := openHall(t, nil, grantTable())
	w := h.ask("POST", "/wrong", "")
	if w.Code != http.StatusInternalServerError || w.Header().Get("Location") != "" {
		t.Errorf("%d %q", w.Code, w.Header().Get("Location"))
	}
}

// A refresh token that came in a cookie does not leave in a body, whatever the session's
// row says.
func TestCookieNeverLeavesInBody(t *testing.T) {
	h := openHall(t, nil, web.Table{{
		Pattern: "POST /v1/refresh", Guard: web.Anyone, Limit: web.Free(), Doc: doc,
		Handle: web.JSON(func(c *web.Call, in struct {
			RefreshToken secret.Text `json:"refresh_token,omitempty"`
		}) (web.Issued, error) {
			token, _, err := c.Refreshing(in.RefreshToken)
			if err != nil || token == "" {
				return web.Issued{}, web.ErrUnauthenticated
			}
			return issued(session.Token, "", false), nil
		}),
	}})
	w := h.ask("POST", "/v1/refresh", "", "Cookie: __Host-limen_refresh=lrt_planted")
	if w.Code != 422 || strings.Contains(w.Body.String(), "lrt_refresh") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = h.ask("POST", "/v1/refresh", `{"refresh_token":"lrt_1"}`, "Content-Type: application/json")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "lrt_refresh") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRefreshing(t *testing.T) {
	for _, c := range []struct {
		name, body string
		headers    []string
		want       string
	}{
		{"body", "lrt_b", nil, "lrt_b|"},
		{"body and header", "lrt_b", []string{"Limen-Device: lds_h"}, "lrt_b|lds_h"},
		{"body wins and takes no cookie", "lrt_b", []string{"Cookie: __Host-limen_refresh=lrt_c; __Host-limen_device=lds_c"}, "lrt_b|"},
		{"cookies", "", []string{"Cookie: __Host-limen_refresh=lrt_c; __Host-limen_device=lds_c"}, "lrt_c|lds_c"},
		{"cookie and header", "", []string{"Cookie: __Host-limen_refresh=lrt_c; __Host-limen_device=lds_c", "Limen-Device: lds_h"}, "lrt_c|lds_h"},
		{"nothing", "", nil, "|"},
		{"Authorization hides cookies", "", []string{"Authorization: Bearer x", "Cookie: __Host-limen_refresh=lrt_c"}, "|"},
		{"two cookies", "", []string{"Cookie: __Host-limen_refresh=a; __Host-limen_refresh=b"}, "invalid_request"},
		{"two device headers", "lrt_b", []string{"Limen-Device: a", "Limen-Device: b"}, "invalid_request"},
		{"odd device header", "lrt_b", []string{"Limen-Device: a b"}, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			h := openHall(t, nil, web.Table{{
				Pattern: "POST /v1/refresh", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(call *web.Call) error {
					token, device, err := call.Refreshing(secret.Text(c.body))
					got = token.Reveal() + "|" + device.Reveal()
					return err
				}),
			}})
			if w := h.ask("POST", "/v1/refresh", "", c.headers...); w.Code != 200 {
				got = problem(t, w).Code
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The device cookie in token mode would bind a session to a secret its client cannot send.
func TestDeviceSecret(t *testing.T) {
	const cookie = "Cookie: __Host-limen_device=lds_c"
	for _, c := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"token mode ignores the cookie", []string{cookie}, ""},
		{"memory mode", []string{cookie, "Limen-Delivery: memory"}, "lds_c"},
		{"cookie mode", []string{cookie, "Limen-Delivery: cookie"}, "lds_c"},
		{"an attempt of a cookie mode", []string{cookie + "; __Host-limen_attempt=x"}, "lds_c"},
		{"header", []string{"Limen-Device: lds_h"}, "lds_h"},
		{"header before cookie", []string{cookie, "Limen-Delivery: cookie", "Limen-Device: lds_h"}, "lds_h"},
		{"Authorization", []string{cookie, "Limen-Delivery: cookie", "Authorization: Bearer good"}, ""},
	} {
		var b session.Browser
		h := openHall(t, nil, web.Table{{
			Pattern: "POST /v1/x", Guard: web.Anyone, Limit: web.Free(),
			Handle: web.Plain(func(call *web.Call) (err error) { b, err = call.Browser(); return err }),
		}})
		if w := h.ask("POST", "/v1/x", "", c.headers...); w.Code != 200 || b.Device.Reveal() != c.want {
			t.Errorf("%s: %d %q", c.name, w.Code, b.Device.Reveal())
		}
	}
}

func cookieTable(out *string) web.Table {
	return web.Table{{
		Pattern: "GET /v1/cookie", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(c *web.Call) error {
			token, err := c.RefreshToken()
			*out = token.Reveal()
			return err
		}),
	}}
}

func TestReadCookie(t *testing.T) {
	var got string
	h := openHall(t, nil, cookieTable(&got))
	const n = "__Host-limen_refresh"
	for _, c := range []struct {
		name    string
		headers []string
		want    string
		refused string
	}{
		{"alone", []string{n + "=a"}, "a", ""},
		{"among others", []string{"x=1; " + n + "=a; y=2"}, "a", ""},
		{"in the second header", []string{"x=1", n + "=a"}, "a", ""},
		{"none", []string{"x=1"}, "", ""},
		{"the name without its prefix", []string{"limen_refresh=a"}, "", ""},
		{"a name that begins alike", []string{n + "2=a"}, "", ""},
		{"other case", []string{strings.ToLower(n) + "=a"}, "", ""},
		{"equals signs stay", []string{n + "=a=="}, "a==", ""},
		{"twice", []string{n + "=a; " + n + "=b"}, "", "duplicate"},
		{"twice the same", []string{n + "=a; " + n + "=a"}, "", "duplicate"},
		{"twice in two headers", []string{n + "=a", n + "=a"}, "", "duplicate"},
		{"twice, the second empty", []string{n + "=a; " + n + "="}, "", "duplicate"},
		{"twice, the second bare", []string{n + "=a; " + n}, "", "duplicate"},
		{"empty", []string{n + "="}, "", "invalid"},
		{"bare", []string{n}, "", "invalid"},
		{"quoted", []string{n + `="a"`}, "", "invalid"},
		{"a comma", []string{n + "=a,b"}, "", "invalid"},
		{"a space", []string{n + "=a b"}, "", "invalid"},
		{"not ASCII", []string{n + "=é"}, "", "invalid"},
		{"too long", []string{n + "=" + strings.Repeat("a", 5000)}, "", "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got = ""
			var headers []string
			for _, v := range c.headers {
				headers = append(headers, "Cookie: "+v)
			}
			w := h.ask("GET", "/v1/cookie", "", headers...)
			if c.refused != "" {
				if p := problem(t, w); w.Code != 422 || p.Errors[n] != c.refused {
					t.Errorf("%d %v", w.Code, p.Errors)
				}
				return
			}
			if w.Code != 200 || got != c.want {
				t.Errorf("%d %q", w.Code, got)
			}
		})
	}
}

// TestHostOnlyCookies: the attempt cookie is read under its __Host- name alone, also where
// the others are shared with sibling hosts, and none that a browser or a lenient parser
// might take for it is.
func TestHostOnlyCookies(t *testing.T) {
	var b session.Browser
	h := openHall(t, func(h *web.Hallway) { h.CookieDomain = "example.com" }, web.Table{{
		Pattern: "POST /v1/x", Guard: web.Anyone, Limit: web.Free(),
		Handle: web.Plain(func(c *web.Call) (err error) { b, err = c.Browser(); return err }),
	}})
	const own = "__Host-limen_attempt"
	for line, want := range map[string]string{
		own + "=a":                                     "a",
		own + "=a; __Secure-limen_attempt=b":           "a",
		"limen_attempt=b; " + own + "=a":               "a",
		"limen_attempt=b":                              "",
		"__Secure-limen_attempt=b":                     "",
		"__host-limen_attempt=b":                       "",
		"__HOST-limen_attempt=b":                       "",
		"\u2000" + own + "=b":                          "",
		"\u00a0" + own + "=b":                          "",
		"$Version=1," + own + "=b":                     "",
		"$Version=1; limen_attempt=b; $Path=/":         "",
		own + ".=b":                                    "",
		"=" + own + "=b":                               "",
		"__Host-limen_device=b; __Secure-limen_device": "",
		own + "=a; " + own + "=a":                      "refused",
		own + "=a; x=1; " + own + "=b":                 "refused",
	} {
		b = session.Browser{}
		w := h.ask("POST", "/v1/x", "", "Cookie: "+line)
		got := b.Attempt.Reveal()
		if w.Code != 200 {
			got = "refused"
		}
		if got != want {
			t.Errorf("%q is read as %q, want %q", line, got, want)
		}
	}
	h.ask("POST", "/v1/x", "", "Limen-Delivery: cookie", "Cookie: __Secure-limen_device=a; __Host-limen_device=b")
	if b.Device.Reveal() != "a" {
		t.Errorf("the shared device cookie is read as %q", b.Device.Reveal())
	}
}

// FuzzCookie: what is read is what net/http reads, and never a guess among several.
func FuzzCookie(f *testing.F) {
	for _, seed := range []string{
		"__Host-limen_refresh=a", "a=b; __Host-limen_refresh=c; d", "__Host-limen_refresh=a;__Host-limen_refresh=b",
		" __Host-limen_refresh = a", `__Host-limen_refresh="a"`, "=;;;=", "__Host-limen_refresh",
	} {
		f.Add(seed)
	}
	var got string
	h := openHall(f, nil, cookieTable(&got))
	f.Fuzz(func(t *testing.T, header string) {
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return // net/http answers such a header 400 (RFC 9110 section 5.5)
		}
		h.log.Reset() // or it grows without end
		got = ""
		w := h.ask("GET", "/v1/cookie", "", "Cookie: "+header)
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		theirs := r.CookiesNamed("__Host-limen_refresh")
		switch w.Code {
		case 200:
			if len(theirs) > 1 {
				t.Fatalf("guessed among %d cookies: %q", len(theirs), header)
			}
			if got == "" && len(theirs) == 1 || got != "" && (len(theirs) != 1 || theirs[0].Value != got) {
				t.Fatalf("read %q, net/http reads %v: %q", got, theirs, header)
			}
		case 422:
			if got != "" {
				t.Fatalf("refused and passed on: %q", header)
			}
		default:
			t.Fatalf("status %d: %q", w.Code, header)
		}
	})
}

// The last word on a cookie is the only one.
func TestCookiesAreSetOnce(t *testing.T) {
	h := openHall(t, nil, web.Table{{
		Pattern: "POST /page", Guard: web.Anyone, Limit: web.Free(), Handle: web.Page(func(c *web.Call) error {
			if err := web.KeepGrant(c, issued(session.Cookie, "lds_1", false)); err != nil {
				return err
			}
			c.DropSession()
			return nothing(c)
		}),
	}})
	lines := h.ask("POST", "/page", "").Header().Values("Set-Cookie")
	if len(lines) != 4 {
		t.Errorf("%q", lines)
	}
	for _, line := range lines {
		if gone := strings.Contains(line, "Max-Age=0;"); gone == strings.Contains(line, "limen_device") {
			t.Errorf("%q", line)
		}
	}
}

func TestCookieTooLarge(t *testing.T) {
	h := openHall(t, nil, web.Table{{
		Pattern: "POST /v1/x", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(c *web.Call) error {
			g := issued(session.Cookie, "", false)
			g.AccessToken = secret.Text(strings.Repeat("a", 4096))
			return web.WriteGrant(c, g)
		}),
	}})
	if w := h.ask("POST", "/v1/x", ""); w.Code != 500 {
		t.Errorf("%d: a cookie that browsers drop was set", w.Code)
	}
}

func TestCookieSettings(t *testing.T) {
	for name, change := range map[string]func(*web.Hallway){
		"no name":         func(h *web.Hallway) { h.Cookies.Access = "" },
		"one name twice":  func(h *web.Hallway) { h.Cookies.Access = h.Cookies.Device },
		"own prefix":      func(h *web.Hallway) { h.Cookies.Access = "__Host-x" },
		"no token":        func(h *web.Hallway) { h.Cookies.Access = "a;b" },
		"foreign domain":  func(h *web.Hallway) { h.CookieDomain = "example.org" },
		"half a label":    func(h *web.Hallway) { h.CookieDomain = "ample.com" },
		"domain on http":  func(h *web.Hallway) { overHTTP(h); h.CookieDomain = "localhost" },
		"no public URL":   func(h *web.Hallway) { h.PublicURL = nil },
		"odd public URL":  func(h *web.Hallway) { h.PublicURL = &url.URL{Scheme: "ftp", Host: "x"} },
		"a bad origin":    func(h *web.Hallway) { h.AllowedOrigins = []string{"*"} },
		"null":            func(h *web.Hallway) { h.AllowedOrigins = []string{"null"} },
		"upper case":      func(h *web.Hallway) { h.AllowedOrigins = []string{"https://App.example.com"} },
		"a pattern":       func(h *web.Hallway) { h.AllowedOrigins = []string{"https://*.example.com"} },
		"origin and path": func(h *web.Hallway) { h.AllowedOrigins = []string{"https://a.example/"} },
	} {
		if err := newHall(t, change).Open(); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}
