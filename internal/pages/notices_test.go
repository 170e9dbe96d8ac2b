package pages_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

// TestAddressStory: in a browser, a person proves a second address with its link and makes
// it the main one; the old mailbox takes that back, and says of a thief's sign-in that it
// was not theirs.
func TestAddressStory(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		s.Clock.Advance(time.Minute)
		tab := chromium.Tab(t)
		tab.Open(s.URL + "/sign-in")
		tab.Fill("#identifier", "mia@example.com")
		tab.Fill("#password", app.Password)
		tab.Go(".card .btn-primary")
		tab.Wait("#profile")
		tab.Go("a[href='/account/addresses']")
		tab.Axe("addresses")
		tab.Fill("#email", "second@example.com")
		tab.Go("#emails form[action='/account/emails/add'] .btn")
		tab.Wait("#code")
		tab.Axe("addresses, letter sent")
		link, _ := letterLink(t, s, "second@example.com")
		tab.Open(link)
		tab.Axe("confirm address")
		tab.Go(".card .btn-primary")
		tab.Axe("address confirmed")
		tab.Open(s.URL + "/account/addresses")
		s.Clock.Advance(time.Minute)
		tab.Go("#emails form[action='/account/emails/primary'] .btn")
		if got := tab.Text("[role=status]"); !strings.Contains(got, "main one") {
			t.Errorf("%s: %s", tab.URL(), got)
		}
		undo, _ := letterLink(t, s, "mia@example.com")
		old := chromium.Tab(t)
		old.Open(undo)
		old.Axe("take the change back")
		old.Go(".card .btn-primary")
		old.Axe("change taken back")
		if strings.Contains(strings.Join(old.Cookies(), " "), "limen_access") {
			t.Error("undoing signs in")
		}
		tab.Open(s.URL + "/account")
		tab.Wait("#identifier") // every session has ended

		s.Clock.Advance(time.Minute)
		mia, err := s.Auth.FindAccount(t.Context(), "mia@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Auth.SetPassword(t.Context(), mia.ID, app.Password); err != nil { // the undo has removed it
			t.Fatal(err)
		}
		thief := s.Client(t, "")
		thief.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36")
		thief.SignIn("mia@example.com")
		notMe, _ := letterLink(t, s, "mia@example.com")
		old.Open(notMe)
		old.Axe("this was not me")
		old.Go(".card .btn-danger, .card .btn-primary")
		old.Wait("#code")
		old.Axe("not me, recovery")
		thief.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
	})
}

// TestPhoneStory: in a browser, a person adds a number, and signs in with it on another.
func TestPhoneStory(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		tab := chromium.Tab(t)
		tab.Open(s.URL + "/sign-in")
		tab.Fill("#identifier", "mia@example.com")
		tab.Fill("#password", app.Password)
		tab.Go(".card .btn-primary")
		tab.Wait("#profile")
		tab.Open(s.URL + "/account/addresses")
		tab.Fill("#phone", "+1 201 555 0123")
		tab.Go("#phones form[action='/account/phones/add'] .btn")
		tab.Wait("#code")
		tab.Fill("#code", s.CodeFor(t, "+12015550123"))
		tab.Go("#phones form[action='/account/phones/verify'] .btn")
		if got := tab.Text("[role=status]"); !strings.Contains(got, "Confirmed") {
			t.Errorf("%s: %s", tab.URL(), got)
		}
		s.Clock.Advance(time.Hour)
		other := chromium.Tab(t)
		other.Open(s.URL + "/sign-in")
		other.Fill("#identifier", "+12015550123")
		other.Go("button[formaction='/sign-in/email']")
		other.Wait("#code")
		other.Axe("check your phone")
		other.Fill("#code", s.CodeFor(t, "+12015550123"))
		other.Wait("#profile") // six digits submit themselves
	})
}
