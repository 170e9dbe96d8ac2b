package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/testkit/app"
)

var handoverSettings = app.Settings{"redirect-allow": "https://app.example.com,com.example.app:/signed-in"}

const (
	callback = "https://app.example.com/callback?from=limen"
	verifier = "a-verifier-of-forty-three-unreserved-bytes.~"
)

// destination is what an application sends along.
func destination(redirectTo string) url.Values {
	return url.Values{"redirect_to": {redirectTo}, "state": {"state-1"}, "code_challenge": {oauth.Challenge(verifier)}}
}

// pageSignIn signs in on the hosted page and returns where it leads.
func pageSignIn(c *app.Client, email string, to url.Values) *app.Answer {
	form := url.Values{"identifier": {email}, "password": {app.Password}}
	for name, value := range to {
		form[name] = value
	}
	return c.Do("POST", "/sign-in", form)
}

// codeFrom reads the code of a hand-over from where a page leads.
func codeFrom(t *testing.T, s *app.Server, a *app.Answer) string {
	t.Helper()
	a.Want(http.StatusSeeOther)
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("no code in %q", a.Header.Get("Location"))
	}
	s.Log.Secret(to.Query().Get("code"))
	return to.Query().Get("code")
}

func exchange(c *app.Client, code, verifier, redirectTo string) *app.Answer {
	return c.Do("POST", "/v1/sign-in/exchange", app.M{"code": code, "code_verifier": verifier, "redirect_to": redirectTo})
}

// TestHandoverCodeIsSpentOnce: by the right application, at most once, and by any attempt
// to use it otherwise.
func TestHandoverCodeIsSpentOnce(t *testing.T) {
	app.Each(t, handoverSettings, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "once@example.com", "")
		browser := s.Client(t, "")
		more := func() string { return codeFrom(t, s, browser.Do("POST", "/sign-in/continue", destination(callback))) }
		first := pageSignIn(browser, "once@example.com", destination(callback))
		code := codeFrom(t, s, first)
		if to := first.Header.Get("Location"); !strings.HasPrefix(to, "https://app.example.com/callback?") || !strings.Contains(to, "from=limen") || !strings.Contains(to, "state=state-1") {
			t.Errorf("sent to %s", to)
		}
		won := race(20, func() bool { return exchange(s.Client(t, ""), code, verifier, callback).Status == http.StatusOK })
		if won != 1 {
			t.Errorf("a code was exchanged %d times", won)
		}
		for name, try := range map[string][2]string{
			"another verifier":     {strings.Repeat("b", 43), callback},
			"no verifier":          {"", callback},
			"the challenge itself": {oauth.Challenge(verifier), callback},
			"a longer verifier":    {verifier + "a", callback},
			"another path":         {verifier, "https://app.example.com/other"},
			"another origin":       {verifier, "https://evil.example/callback"},
			"without the query":    {verifier, "https://app.example.com/callback"},
			"upper case":           {verifier, "https://APP.example.com/callback?from=limen"},
			"no redirect":          {verifier, ""},
		} {
			code := more()
			exchange(s.Client(t, ""), code, try[0], try[1]).Want(http.StatusUnauthorized, "invalid_code")
			if got := exchange(s.Client(t, ""), code, verifier, callback); got.Code() != "invalid_code" {
				t.Errorf("%s did not spend the code: %d", name, got.Status)
			}
		}
		// Garbage spends nothing.
		code = more()
		for _, garbage := range []string{"", code[:len(code)-1], code + "A", code[:31] + strings.Repeat("A", 43), strings.ToUpper(code), "hnd_", code[:10] + "\x01" + code[11:]} {
			exchange(s.Client(t, ""), garbage, verifier, callback).Want(http.StatusUnauthorized, "invalid_code")
		}
		exchange(s.Client(t, ""), code, verifier, callback).Want(http.StatusOK)
		// Sixty seconds.
		code = more()
		s.Clock.Advance(time.Minute)
		exchange(s.Client(t, ""), code, verifier, callback).Want(http.StatusUnauthorized, "invalid_code")
	})
}

// TestHandoverDiesWithItsSession: whatever ends the session that issued a code ends the
// code, and the session that an application fetched is one of the person's own.
func TestHandoverDiesWithItsSession(t *testing.T) {
	app.Each(t, handoverSettings, func(t *testing.T, s *app.Server) {
		id := userID(signedIn(t, s, "dies@example.com", ""))
		for name, end := range map[string]func(*app.Client){
			"sign-out": func(b *app.Client) { b.Do("POST", "/sign-out", url.Values{}).Want(http.StatusSeeOther) },
			"sign-out everywhere": func(b *app.Client) {
				b.Do("POST", "/sign-out", url.Values{"scope": {"everywhere"}}).Want(http.StatusSeeOther)
			},
			"a ban": func(*app.Client) {
				if err := s.Auth.Ban(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			},
		} {
			if err := s.Auth.Unban(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			browser := s.Client(t, "")
			code := codeFrom(t, s, pageSignIn(browser, "dies@example.com", destination(callback)))
			application := s.Client(t, "")
			application.Grant(exchange(application, code, verifier, callback))
			code = codeFrom(t, s, browser.Do("POST", "/sign-in/continue", destination(callback)))
			end(browser)
			if got := exchange(s.Client(t, ""), code, verifier, callback); got.Code() != "invalid_code" {
				t.Errorf("%s: the code still works: %d %s", name, got.Status, got.Body)
			}
			want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[name == "sign-out"]
			if got := application.Do("GET", "/v1/me", nil); got.Status != want {
				t.Errorf("%s: the application's session is answered %d", name, got.Status)
			}
			if name == "sign-out" {
				// The application's session is as fresh as the sign-in was, and no fresher.
				s.Clock.Advance(10 * time.Minute)
				application.Do("DELETE", "/v1/me", nil).Want(http.StatusForbidden, "reauthentication_required")
			}
		}
		if err := s.Auth.Unban(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		browser := s.Client(t, "")
		code := codeFrom(t, s, pageSignIn(browser, "dies@example.com", destination(callback)))
		if err := s.Auth.Forget(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		exchange(s.Client(t, ""), code, verifier, callback).Want(http.StatusUnauthorized, "invalid_code")
	})
}

// hostileRedirects must never be led to, on no page and by no method.
var hostileRedirects = []string{
	"https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https:/evil.example",
	"https://app.example.com@evil.example/", "https://app.example.com:pw@evil.example/", "https://evil@app.example.com/",
	"https://app.example.com@evil.example@app.example.com/", "https://app.example.com.evil.example/", "https://evilapp.example.com/",
	"https://app.example.com\\@evil.example/", "https://app.example.com%2f@evil.example/", "https://app.example.com%00.evil.example/",
	"https://app.example.com:8443/", "http://app.example.com/", "HTTPS://app.example.com/", "https://APP.example.com/",
	"https://app.example.com./", "https://app.example.com/#fragment", "https://app.example.com/\r\nSet-Cookie: a=b",
	"https://app.example.com/%zz", "https://аpp.example.com/", "https://app。example.com/", "https://app.example.com/ space",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://app.example.com/x",
	"com.example.app:/signed-in/", "com.example.app:/signed-in?x=1", "com.example.app://signed-in", "com.example.other:/signed-in",
	"about:blank", "/account", "account", "?", "https://", "https:///evil.example", "http://localhost.evil.example/", "http://2130706433/",
	"http://0x7f.1/", "http://[::1%25eth0]/", "https://app.example.com/" + strings.Repeat("a", 2100),
}

// TestRedirectTargets tries the table of attacks on each page that takes a destination.
func TestRedirectTargets(t *testing.T) {
	s := app.SQLite(t, handoverSettings)
	signedIn(t, s, "to@example.com", "")
	in := s.Client(t, "")
	pageSignIn(in, "to@example.com", nil).Want(http.StatusSeeOther)
	for _, target := range append(hostileRedirects, own(s)...) {
		to := destination(target)
		for _, path := range []string{"/sign-in", "/sign-up", "/sign-in/code"} {
			for _, method := range []string{"GET", "HEAD"} {
				refusesRedirect(t, in.Do(method, path+"?"+to.Encode(), nil), target)
				refusesRedirect(t, s.Client(t, "").Do(method, path+"?"+to.Encode(), nil), target)
			}
		}
		refusesRedirect(t, in.Do("POST", "/sign-in/continue", to), target)
		refusesRedirect(t, in.Do("POST", "/sign-in/code", to), target)
		refusesRedirect(t, in.Do("POST", "/sign-up", to), target)
		refusesRedirect(t, in.Do("POST", "/sign-in", to), target)
		s.Clock.Advance(11 * time.Minute) // the rows share a limit
		if in.Do("GET", "/account", nil).Status != http.StatusOK {
			t.Fatal("the session did not survive")
		}
	}
	for target, origin := range map[string]string{
		callback: "https://app.example.com", "com.example.app:/signed-in": "com.example.app:",
		"http://localhost:3000/x": "http://localhost:3000", "http://127.0.0.1:3000": "http://127.0.0.1:3000",
	} {
		to := destination(target)
		page := in.Do("GET", "/sign-in?"+to.Encode(), nil).Want(http.StatusOK)
		policy := page.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "form-action 'self' "+origin+";") {
			t.Errorf("%s: the policy lets forms go elsewhere: %s", target, policy)
		}
		to.Del("code_challenge")
		in.Do("GET", "/sign-in?"+to.Encode(), nil).Want(http.StatusUnprocessableEntity)
		for _, bad := range []string{"plain", verifier, oauth.Challenge(verifier) + "=", "../" + oauth.Challenge(verifier)[3:]} {
			to.Set("code_challenge", bad)
			in.Do("GET", "/sign-in?"+to.Encode(), nil).Want(http.StatusUnprocessableEntity)
		}
	}
	for _, state := range []string{strings.Repeat("s", 513), "a\x7f", "ä", "a\nb"} {
		to := destination(callback)
		to.Set("state", state)
		in.Do("GET", "/sign-in?"+to.Encode(), nil).Want(http.StatusUnprocessableEntity)
	}
	twice := "/sign-in?" + destination(callback).Encode() + "&redirect_to=" + url.QueryEscape("https://evil.example/")
	in.Do("GET", twice, nil).Want(http.StatusUnprocessableEntity)
}

// own are spellings of limen's own origin that are not its own.
func own(s *app.Server) []string {
	host := strings.TrimPrefix(s.URL, "http://")
	return []string{
		s.URL + "@evil.example/", s.URL + ".evil.example/", "http://x@" + host + "/", "https://" + host + "/", s.URL + "/\\..\\evil", s.URL + "/#x",
		s.URL + "/a\tb",
	}
}

func refusesRedirect(t *testing.T, a *app.Answer, target string) {
	t.Helper()
	if to := a.Header.Get("Location"); to != "" || a.Status != http.StatusUnprocessableEntity {
		t.Errorf("%q: %d, led to %q", target, a.Status, to)
	}
	if strings.Contains(a.Header.Get("Content-Security-Policy"), "evil") || strings.Contains(string(a.Body), `href="javascript`) {
		t.Errorf("%q: the page carries it on", target)
	}
}

// TestOneRuleForRedirects drives one table through every place that takes a destination:
// the pages and the API judge each target alike.
func TestOneRuleForRedirects(t *testing.T) {
	s := app.SQLite(t, handoverSettings)
	host := strings.TrimPrefix(s.URL, "http://")
	challenge := oauth.Challenge(verifier)
	const ok, bad, unproven = "", "redirect_not_allowed", "invalid_request"
	type target struct{ to, state, challenge, want string }
	table := []target{
		{callback, "s", challenge, ok}, {callback, "", challenge, ok}, {"com.example.app:/signed-in", "s", challenge, ok},
		{callback, "s", "", unproven}, {callback, "s", "plain", unproven}, {callback, strings.Repeat("s", 513), challenge, unproven},
		{callback, "a\x7f", challenge, unproven},
		// limen's own origin needs no challenge; its form is that of every other target.
		{s.URL + "/account", "", "", ok}, {s.URL + "/account?from=mail", "", "", ok}, {s.URL + "/", "", "", ok}, {s.URL, "", "", ok},
		{s.URL + "?x=1", "", "", ok}, {s.URL + "/account", strings.Repeat("s", 513), "", unproven},
		{s.URL + "/" + strings.Repeat("a", 2048), "", "", bad}, {s.URL + "/a b", "", "", bad}, {s.URL + `/"x`, "", "", bad},
		{s.URL + "/%zz", "", "", bad}, {s.URL + "/a%", "", "", bad}, {s.URL + "/\u00e4", "", "", bad}, {s.URL + "/\\evil.example", "", "", bad},
		{s.URL + "/#x", "", "", bad}, {s.URL + "/a\tb", "", "", bad}, {s.URL + "/a\r\nb", "", "", bad}, {s.URL + "/a\u2028b", "", "", bad},
		{"http://user@" + host + "/", "", "", bad}, {"HTTP://" + host + "/", "", "", bad}, {strings.Replace(s.URL, "localhost", "LOCALHOST", 1) + "/", "", "", bad},
		{"/account", "", "", bad}, {"//" + host + "/", "", "", bad},
	}
	for _, hostile := range append(hostileRedirects, own(s)...) {
		table = append(table, target{hostile, "s", challenge, bad})
	}
	for n, c := range table {
		values := url.Values{"redirect_to": {c.to}, "state": {c.state}, "code_challenge": {c.challenge}}
		form := func(more url.Values) url.Values {
			maps.Copy(more, values)
			return more
		}
		body := func(name, value string) app.M {
			return app.M{"redirect_to": c.to, "state": c.state, "code_challenge": c.challenge, name: value}
		}
		who := fmt.Sprintf("one-rule-%d@example.com", n)
		page, program := s.Client(t, ""), s.Client(t, "")
		for where, a := range map[string]*app.Answer{
			"GET /sign-in":           page.Do("GET", "/sign-in?"+values.Encode(), nil),
			"POST /sign-in/email":    page.Do("POST", "/sign-in/email", form(url.Values{"identifier": {who}})),
			"POST /sign-up":          page.Do("POST", "/sign-up", form(url.Values{"email": {"x" + who}, "password": {app.Password}})),
			"POST /v1/sign-in/email": program.Do("POST", "/v1/sign-in/email", body("email", "y"+who)),
			"POST /v1/sign-in/phone": program.Do("POST", "/v1/sign-in/phone", body("phone", fmt.Sprintf("+4179555%04d", n))),
		} {
			if refused := a.Status == http.StatusUnprocessableEntity; refused != (c.want != ok) || strings.Contains(where, "/v1/") && a.Code() != c.want {
				t.Errorf("%s: redirect_to %.60q, state %.9q, challenge %.9q: %d %s, want %q", where, c.to, c.state, c.challenge, a.Status, a.Code(), c.want)
			}
		}
		s.Clock.Advance(time.Hour) // the rows share a limit
	}
}
