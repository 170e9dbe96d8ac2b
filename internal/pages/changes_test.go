package pages_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

// enter signs up over the API and in on the pages.
func enter(t *testing.T, tab *browser.Tab, s *app.Server, email string) {
	t.Helper()
	s.Client(t, "").SignUp(email)
	tab.Open(s.URL + "/sign-in")
	tab.Fill("#identifier", email)
	tab.Fill("#password", app.Password)
	tab.Go(".card .btn-primary")
}

// TestStepUpStory changes a password long after the sign-in: the page asks who it is, first
// by password, then by code, and then lets the change happen.
func TestStepUpStory(t *testing.T) {
	s := app.SQLite(t, nil)
	tab := browser.New(t).Tab(t)
	enter(t, tab, s, "lea@example.com")
	s.Clock.Advance(11 * time.Minute)
	tab.Open(s.URL + "/account")
	tab.Fill("#current_password", app.Password)
	tab.Fill("#new_password", "another threshold")
	tab.Go("form[action='/account/password'] .btn-primary")
	if !strings.Contains(tab.URL(), "/account/confirm") {
		t.Fatalf("landed on %s", tab.URL())
	}
	tab.Axe("confirm by password")
	tab.Fill("#password", "not the password")
	tab.Go(".card .btn-primary")
	tab.Axe("confirm by password, refused")
	tab.Go("button[name=send]")
	tab.Wait("#code")
	tab.Axe("confirm by code")
	tab.Scripts(false) // the script would submit by itself
	tab.Open(tab.URL())
	tab.Fill("#code", s.CodeFor(t, "lea@example.com"))
	tab.Go(".card .btn-primary")
	if !strings.Contains(tab.URL(), "saved=confirmed") {
		t.Fatalf("landed on %s", tab.URL())
	}
	// Proven by the mailbox, the old password is not asked for.
	if tab.Count("#current_password") != 0 {
		t.Error("the old password is still asked for")
	}
	tab.Fill("#new_password", "another threshold")
	tab.Go("form[action='/account/password'] .btn-primary")
	if !strings.Contains(tab.URL(), "saved=password") {
		t.Fatalf("landed on %s", tab.URL())
	}
	s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "lea@example.com", "password": "another threshold"}).Want(http.StatusOK)
}

// TestDeletionStory deletes an account in French; a mistyped confirmation does nothing.
func TestDeletionStory(t *testing.T) {
	s := app.SQLite(t, nil)
	tab := browser.New(t).Tab(t)
	enter(t, tab, s, "luc@example.com")
	tab.Choose(".lang select", "fr")
	tab.Go(".lang button")
	if got := browser.Eval[string](tab, "document.documentElement.lang"); got != "fr" {
		t.Fatalf("the page speaks %s", got)
	}
	tab.Click("#delete summary")
	tab.Fill("#confirm", "luc")
	tab.Go("form[action='/account/delete'] button")
	tab.Axe("deletion, refused")
	tab.Fill("#confirm", "luc@example.com")
	tab.Go("form[action='/account/delete'] button")
	if !strings.Contains(tab.URL(), "/signed-out") {
		t.Fatalf("landed on %s", tab.URL())
	}
	tab.Axe("deleted")
	s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "luc@example.com", "password": app.Password}).
		Want(http.StatusForbidden, "account_deleting")
}

// TestHandoverStory sends a browser from an application on another origin through the
// sign-in and back, and a second time through the question whether to go on.
func TestHandoverStory(t *testing.T) {
	s := app.SQLite(t, nil)
	back := make(chan url.Values, 2)
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/callback" {
			back <- r.URL.Query()
			_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>app</title><link rel="icon" href="data:,"><p id="here">back</p>`))
		}
	}))
	t.Cleanup(application.Close)
	callback := application.URL + "/callback"
	verifier := strings.Repeat("v", 43)
	start := s.URL + "/sign-in?" + url.Values{"redirect_to": {callback}, "state": {"s & 1"}, "code_challenge": {oauth.Challenge(verifier)}}.Encode()

	s.Client(t, "").SignUp("kim@example.com")
	tab := browser.New(t).Tab(t)
	tab.Open(start)
	tab.Fill("#identifier", "kim@example.com")
	tab.Fill("#password", app.Password)
	tab.Go(".card .btn-primary")
	tab.Wait("#here")
	exchange(t, s, <-back, verifier, callback)

	tab.Open(start)
	tab.Axe("continue")
	if !strings.Contains(tab.Text("main"), "kim@example.com") {
		t.Error("the question does not say who is signed in")
	}
	tab.Go(".card .btn-primary")
	tab.Wait("#here")
	exchange(t, s, <-back, verifier, callback)

	if status := tab.Open(s.URL + "/sign-in?redirect_to=https://evil.example/&code_challenge=" + oauth.Challenge(verifier)); status != http.StatusUnprocessableEntity {
		t.Errorf("a stranger's address answers %d", status)
	}
	tab.Axe("error")
}

func exchange(t *testing.T, s *app.Server, query url.Values, verifier, callback string) {
	t.Helper()
	if query.Get("state") != "s & 1" {
		t.Errorf("state %q", query.Get("state"))
	}
	s.Log.Secret(query.Get("code"))
	body := app.M{"code": query.Get("code"), "code_verifier": verifier, "redirect_to": callback}
	c := s.Client(t, "")
	c.Grant(c.Do("POST", "/v1/sign-in/exchange", body))
	s.Client(t, "").Do("POST", "/v1/sign-in/exchange", body).Want(http.StatusUnauthorized, "invalid_code")
}
