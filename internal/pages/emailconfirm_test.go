package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

// addressLink adds an address for a person who is signed in at c and returns the link that
// confirms it.
func addressLink(t *testing.T, s *app.Server, c *app.Client, email string) (link, id string) {
	t.Helper()
	s.Clock.Advance(time.Second)
	id = c.Do("POST", "/v1/me/emails", app.M{"email": email}).Want(http.StatusCreated).Text("id")
	return s.URL + "/email/confirm?token=" + s.TokenFor(t, email), id
}

// TestConfirmStory opens the link of an added address signed out, signed in as somebody
// else and signed in as who asked: only the last one adds it.
func TestConfirmStory(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		person(t, s, "eve@example.com")
		mia := s.Client(t, "")
		mia.SignIn("mia@example.com")
		link, _ := addressLink(t, s, mia, "new@example.com")
		signIn := func(tab *browser.Tab, email string) {
			tab.Open(s.URL + "/sign-in")
			tab.Fill("#identifier", email)
			tab.Fill("#password", app.Password)
			tab.Go(".card .btn-primary")
			tab.Wait("#profile")
		}
		out, other, here := chromium.Tab(t), chromium.Tab(t), chromium.Tab(t)
		out.Size(390, 844)
		if status := out.Open(link); status != http.StatusOK || out.Count("form[action='/email/confirm']") != 0 {
			t.Errorf("signed out: %d %s", status, out.Text("main"))
		}
		for _, want := range []string{"n•••@example.com", "m•••@example.com", "where you’re signed in"} {
			if !strings.Contains(out.Text("main"), want) {
				t.Errorf("signed out, the page lacks %q: %s", want, out.Text("main"))
			}
		}
		out.Axe("confirm, signed out")
		out.Go(".card .btn-primary")
		if !strings.HasSuffix(out.URL(), "/sign-in") {
			t.Errorf("it leads to %s", out.URL())
		}
		signIn(other, "eve@example.com")
		other.Open(link)
		if text := other.Text("main"); !strings.Contains(text, "signed in here as eve@example.com") || other.Count("form[action='/email/confirm']") != 0 {
			t.Error(text)
		}
		other.Axe("confirm, somebody else")
		signIn(here, "mia@example.com")
		here.Open(link)
		here.Axe("confirm")
		if status := here.Go(".card .btn-primary"); status != http.StatusOK || !strings.Contains(here.Text("h1"), "confirmed") {
			t.Errorf("%d %s", status, here.Text("main"))
		}
		out.Open(link)
		if !strings.Contains(out.Text("h1"), "already used") {
			t.Error(out.Text("main"))
		}
	})
}

// TestConfirmElsewhereConsumesNothing: the form, sent from a browser that is not signed in
// to the account that asked, says so and leaves link and code as they were.
func TestConfirmElsewhereConsumesNothing(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		person(t, s, "eve@example.com")
		mia, eve := s.Client(t, ""), s.Client(t, "")
		mia.SignIn("mia@example.com")
		pageOf := func(c *app.Client, email string) {
			c.Do("POST", "/sign-in", url.Values{"identifier": {email}, "password": {app.Password}}).Want(http.StatusSeeOther)
		}
		pageOf(eve, "eve@example.com")
		ended := s.Client(t, "")
		pageOf(ended, "mia@example.com")
		link, id := addressLink(t, s, mia, "new@example.com")
		code := s.CodeFor(t, "new@example.com")
		_, token, _ := strings.Cut(link, "token=")
		ended.Do("POST", "/sign-out", url.Values{}).Want(http.StatusSeeOther)
		before := s.Count(t)
		for name, c := range map[string]*app.Client{"signed out": s.Client(t, ""), "somebody else": eve, "a session that has ended": ended} {
			for range 3 {
				got := c.Do("POST", "/email/confirm", url.Values{"token": {token}}).Want(http.StatusUnauthorized)
				says(t, got, "m•••@example.com")
				if strings.Contains(string(got.Body), "new@example.com") || strings.Contains(string(got.Body), "mia@example.com") {
					t.Errorf("%s: the page names an address in full", name)
				}
			}
		}
		if after := s.Count(t); after["event"] != before["event"] || after["outbox"] != before["outbox"] {
			t.Errorf("it left traces: %v, %v", before, after)
		}
		for _, row := range s.Look(t, "SELECT tries, ended_at FROM attempt WHERE subject_id = '"+id+"'") {
			if row[0] != "0" || row[1] != "" {
				t.Errorf("the attempt has %v", row)
			}
		}
		c := s.Client(t, "")
		pageOf(c, "mia@example.com")
		says(t, send(t, c, c.Do("GET", link, nil).Want(http.StatusOK), "/email/confirm").Want(http.StatusOK), "Address confirmed")
		mia.Do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": code}).Want(http.StatusUnauthorized, "attempt_expired")
		// A link whose session has ended is over for everybody.
		link, _ = addressLink(t, s, mia, "third@example.com")
		mia.Do("POST", "/v1/sign-out", app.M{}).Want(http.StatusNoContent)
		says(t, c.Do("GET", link, nil).Want(http.StatusUnauthorized), "has expired")
		says(t, eve.Do("GET", link, nil).Want(http.StatusUnauthorized), "has expired")
	})
}
