package pages_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

// TestStory is what a newcomer does first: sign up with the code from the inbox, sign in
// on a second browser, see both sessions, end one, sign out everywhere. Each screen on the
// way is held to WCAG 2.2 AA.
func TestStory(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		first := chromium.Tab(t)
		first.Scripts(false) // nothing on the way depends on them
		signUpInBrowser(t, first, s, "maya@example.com")

		second := chromium.Tab(t)
		second.Open(s.URL + "/sign-in")
		second.Axe("sign in")
		second.Fill("#identifier", "maya@example.com")
		second.Fill("#password", "not the password")
		if status := second.Go(".card .btn-primary"); status != http.StatusUnauthorized {
			t.Errorf("a wrong password answers %d", status)
		}
		second.Axe("sign in, refused")
		if second.Value("#identifier") != "maya@example.com" || second.Value("#password") != "" {
			t.Error("the form keeps the wrong things")
		}
		second.Fill("#password", app.Password)
		second.Go(".card .btn-primary")
		if !strings.HasSuffix(second.URL(), "/account") {
			t.Fatalf("landed on %s", second.URL())
		}
		if n := second.Count("form[action='/account/sessions/end']"); n != 1 {
			t.Errorf("%d other sessions to end, want 1", n)
		}
		second.Go("form[action='/account/sessions/end'] button")
		if n := second.Count("form[action='/account/sessions/end']"); n != 0 {
			t.Errorf("%d other sessions are left", n)
		}
		first.Open(s.URL + "/account")
		if !strings.Contains(first.URL(), "/sign-in") {
			t.Errorf("an ended session still shows %s", first.URL())
		}
		first.Fill("#identifier", "maya@example.com")
		first.Fill("#password", app.Password)
		first.Go(".card .btn-primary")
		second.Open(s.URL + "/account")
		second.Axe("account")
		second.Go("form[action='/sign-out'] input[value=everywhere] ~ button")
		second.Axe("signed out")
		first.Open(s.URL + "/account")
		if !strings.Contains(first.URL(), "/sign-in") {
			t.Errorf("signed out everywhere, and %s is still shown", first.URL())
		}
	})
}

func signUpInBrowser(t *testing.T, tab *browser.Tab, s *app.Server, email string) {
	tab.Open(s.URL + "/sign-up")
	tab.Fill("#email", email)
	tab.Fill("#password", app.Password)
	tab.Go(".card .btn-primary")
	tab.Wait("#code")
	tab.Fill("#code", s.CodeFor(t, email))
	tab.Go(".card .btn-primary")
	if !strings.HasSuffix(tab.URL(), "/account") {
		t.Fatalf("landed on %s", tab.URL())
	}
}
