package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestTheAccountPageTellsOfThePassword: when it was changed last, so that somebody whose
// password was changed by another notices.
func TestTheAccountPageTellsOfThePassword(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		s.Client(t, "").SignUp("told@example.com")
		s.Clock.Advance(50 * time.Hour)
		c := s.Client(t, "")
		c.Do("POST", "/sign-in", url.Values{"identifier": {"told@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
		page := c.Do("GET", "/account", nil).Want(http.StatusOK)
		if !strings.Contains(string(page.Body), "Last changed ") {
			t.Error("the page does not say when the password was changed")
		}
	})
}

// TestPagesReflectNothing puts markup into everything that a link can carry: no page shows
// it as markup, runs a script of its own line, may be framed or stored.
func TestPagesReflectNothing(t *testing.T) {
	s := app.SQLite(t, nil)
	s.Client(t, "").SignUp("page@example.com")
	in := s.Client(t, "")
	in.Do("POST", "/sign-in", url.Values{"identifier": {"page@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	query := url.Values{}
	for _, name := range []string{"login_hint", "for", "attempt", "saved", "ended", "ui_locales", "theme", "error", "error_description", "resent", "screen_hint", "deleted", "everywhere", "token", "email", "via", "code", "device", "place", "secured", "changed", "closed", evil} {
		query.Set(name, evil)
	}
	for _, c := range []*app.Client{s.Client(t, ""), in} {
		for _, path := range []string{"/", "/sign-in", "/sign-up", "/sign-in/code", "/signed-out", "/account", "/account/confirm", "/nothing-here", "/dev/inbox",
			"/sign-in/link", "/recovery", "/recovery/code", "/recovery/new-password", "/not-me", "/undo/change", "/undo/deletion", "/email/confirm"} {
			for _, method := range []string{"GET", "HEAD"} {
				page := c.Do(method, path+"?"+query.Encode(), nil, "Accept", "text/html")
				if page.Status >= 500 {
					t.Errorf("%s %s: %d", method, path, page.Status)
				}
				if method == "HEAD" && len(page.Body) > 0 {
					t.Errorf("HEAD %s has a body", path)
				}
				if body := string(page.Body); strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
					t.Errorf("%s %s carries markup on", method, path)
				}
				safeHeaders(t, method+" "+path, page)
			}
		}
		for _, form := range []string{"/sign-in", "/sign-up", "/sign-in/email", "/sign-up/email", "/sign-in/complete", "/sign-in/link", "/sign-in/link/approve",
			"/recovery", "/recovery/code", "/recovery/new-password", "/not-me", "/undo/change", "/undo/deletion", "/email/confirm"} {
			page := c.Do("POST", form, url.Values{
				"identifier": {evil}, "email": {evil}, "username": {evil}, "password": {"short"}, "attempt": {evil}, "via": {evil}, "code": {evil},
				"token": {evil}, "device": {evil}, "place": {evil}, "decision": {"approve"}, "match": {""}, "new_password": {evil},
			})
			if strings.Contains(string(page.Body), "<script>alert") {
				t.Errorf("POST %s carries markup on", form)
			}
			safeHeaders(t, "POST "+form, page)
		}
	}
}

func safeHeaders(t *testing.T, what string, page *app.Answer) {
	t.Helper()
	h := page.Header
	if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") == "" {
		t.Errorf("%s: %v", what, h)
	}
	policy := h.Get("Content-Security-Policy")
	for _, need := range []string{"default-src 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, need) {
			t.Errorf("%s: the policy lacks %s: %s", what, need, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("%s: the policy lets too much: %s", what, policy)
	}
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") && (h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("X-Frame-Options") != "DENY") {
		t.Errorf("%s: %v", what, h)
	}
}

// TestLanguageLeadsNowhereElse: the switch returns to a path of ours, whatever it is told.
func TestLanguageLeadsNowhereElse(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	for _, target := range []string{
		"https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example", "/\n/evil.example",
		"javascript:alert(1)", "", "account", "https:evil.example", "http://" + strings.TrimPrefix(s.URL, "http://") + "@evil.example/", "/%09/evil.example",
	} {
		to := c.Do("POST", "/language", url.Values{"lang": {"fr"}, "return_to": {target}}).Want(http.StatusSeeOther).Header.Get("Location")
		u, err := url.Parse(to)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\") {
			t.Errorf("%q leads to %q", target, to)
		}
	}
}

// TestPageAttemptsBelongToTheirBrowser: the address of a page carries the attempt, and is
// worth nothing in another browser.
func TestPageAttemptsBelongToTheirBrowser(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c, thief := s.Client(t, ""), s.Client(t, "")
		to := c.Do("POST", "/sign-up", url.Values{"email": {"tab@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther).Header.Get("Location")
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		attempt := u.Query().Get("attempt")
		code := s.CodeFor(t, "tab@example.com")
		thief.Do("GET", to, nil).Want(http.StatusUnauthorized)
		thief.Do("POST", "/sign-in/code", url.Values{"attempt": {attempt}, "code": {code}}).Want(http.StatusUnauthorized)
		thief.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": code}).Want(http.StatusUnauthorized, "attempt_expired")
		s.Clock.Advance(31 * time.Second)
		thief.Do("POST", "/sign-in/code/resend", url.Values{"attempt": {attempt}}).Want(http.StatusUnauthorized)
		c.Do("POST", "/sign-in/code", url.Values{"attempt": {attempt}, "code": {code}}).Want(http.StatusSeeOther)

		// The same for a step-up: somebody else who is signed in cannot use it either.
		s.Clock.Advance(11 * time.Minute)
		step := c.Do("POST", "/account/confirm", url.Values{"send": {"1"}, "for": {"delete"}}).Want(http.StatusSeeOther).Header.Get("Location")
		if u, err = url.Parse(step); err != nil {
			t.Fatal(err)
		}
		attempt, code = u.Query().Get("attempt"), s.CodeFor(t, "tab@example.com")
		s.Client(t, "").SignUp("thief@example.com")
		thief.Do("POST", "/sign-in", url.Values{"identifier": {"thief@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
		thief.Do("POST", "/account/confirm", url.Values{"attempt": {attempt}, "code": {code}}).Want(http.StatusUnauthorized)
		c.Do("POST", "/account/delete", url.Values{"confirm": {"tab@example.com"}}).Want(http.StatusSeeOther)
		c.Do("GET", "/account", nil).Want(http.StatusOK) // it asked for a proof, and deleted nothing
		if to := c.Do("POST", "/account/confirm", url.Values{"attempt": {attempt}, "code": {code}, "for": {"https://evil.example/"}}).
			Want(http.StatusSeeOther).Header.Get("Location"); !strings.HasPrefix(to, "/account") {
			t.Errorf("the step-up leads to %q", to)
		}
	})
}

// TestPagesRenewOnce: pages that load at once with an access cookie that has run out share
// one renewal, and the browser stays signed in.
func TestPagesRenewOnce(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		s.Client(t, "").SignUp("renew@example.com")
		c := s.Client(t, "")
		c.Do("POST", "/sign-in", url.Values{"identifier": {"renew@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
		s.Clock.Advance(16 * time.Minute)
		jar := c.Cookies()
		only := "limen_refresh=" + jar["limen_refresh"] + "; limen_device=" + jar["limen_device"]
		pages := make(chan *app.Answer, 8)
		for range cap(pages) {
			go func() {
				pages <- s.Client(t, "").Do("GET", "/account", nil, "Cookie", only, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
			}()
		}
		successors := map[string]bool{}
		for range cap(pages) {
			page := <-pages
			if page.Status != http.StatusOK {
				t.Errorf("a page is answered %d", page.Status)
			}
			for _, line := range page.Header["Set-Cookie"] {
				if strings.HasPrefix(line, "limen_refresh=") {
					successors[line] = true
				}
			}
		}
		if len(successors) != 1 {
			t.Errorf("%d successors", len(successors))
		}
		// Without its device the cookie is a stolen one.
		s.Client(t, "").Do("GET", "/account", nil, "Cookie", "limen_refresh="+jar["limen_refresh"]).Want(http.StatusSeeOther)
		c.Do("GET", "/account", nil).Want(http.StatusSeeOther)
	})
}
