package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/pages"
	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/text"
)

func addressFixtures(c *text.Catalogue, lang string) []fixture {
	p := page(c, lang, "/account/addresses")
	emails := []pages.AddressRow{
		{ID: "eml_06bq3k4v9x8dtmz2w1", Text: "mara@studio.example", Verified: true, Primary: true},
		{ID: "eml_06bq3k4v9x8dtmz2w2", Text: "mara.antunes.de.oliveira@a-very-long-domain-of-a-company.example", Verified: true},
		{ID: "eml_06bq3k4v9x8dtmz2w3", Text: "new@studio.example"},
	}
	open := append([]pages.AddressRow{}, emails...)
	open[2].Open = true
	phones := []pages.AddressRow{{ID: "phn_06bq3k4v9x8dtmz2w1", Text: "+12015550123", Verified: true, Primary: true}, {ID: "phn_06bq3k4v9x8dtmz2w2", Text: "+12015550124"}}
	return []fixture{
		{"addresses", pages.Addresses{Page: p, Emails: emails, Phones: phones, CanText: true, Saved: "primary"}},
		{"addresses-sent", pages.Addresses{Page: p, Emails: open, CanText: true, Saved: "sent"}},
		{"addresses-refused", pages.Addresses{Page: p, Emails: open, Section: pages.EmailsForm, Problem: p.Problem(fault.Invalidate("code", "required"), 8)}},
		{"addresses-phone-refused", pages.Addresses{Page: p, Emails: emails[:1], Phones: phones, CanText: true, Section: pages.PhonesForm, Typed: "044 668 18 00",
			Problem: p.Problem(fault.Invalidate("phone", "not_mobile"), 8)}},
	}
}

// TestAddressesByForms walks the page as a browser without scripts does.
func TestAddressesByForms(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "cookie")
		c.SignUp("ann@example.com")
		post := func(path string, form url.Values) *app.Answer { return c.Do("POST", path, form, "Origin", s.URL) }
		look := func(path string) string { return string(c.Do("GET", path, nil).Want(http.StatusOK).Body) }
		added := post("/account/emails/add", url.Values{"address": {"two@example.com"}}).Want(http.StatusSeeOther).Header.Get("Location")
		shown := look(added)
		if !strings.Contains(shown, "two@example.com") || !strings.Contains(shown, `name="code"`) {
			t.Fatalf("%s", shown)
		}
		to, err := url.Parse(added)
		if err != nil {
			t.Fatal(err)
		}
		id := to.Query().Get("row")
		if got := post("/account/emails/verify", url.Values{"id": {id}, "code": {"000000"}}); got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Body), `role="alert"`) {
			t.Errorf("%d", got.Status)
		}
		post("/account/emails/verify", url.Values{"id": {id}, "code": {s.CodeFor(t, "two@example.com")}}).Want(http.StatusSeeOther)
		post("/account/emails/primary", url.Values{"id": {id}}).Want(http.StatusSeeOther)
		if got := c.Do("GET", "/v1/me", nil).Want(http.StatusOK).Text("email"); got != "two@example.com" {
			t.Error(got)
		}
		added = post("/account/phones/add", url.Values{"address": {"+1 201 555 0123"}}).Want(http.StatusSeeOther).Header.Get("Location")
		if to, err = url.Parse(added); err != nil {
			t.Fatal(err)
		}
		post("/account/phones/verify", url.Values{"id": {to.Query().Get("row")}, "code": {"424242"}}).Want(http.StatusSeeOther)
		if shown := look("/account/addresses"); !strings.Contains(shown, "12015550123") || strings.Contains(shown, `chip warn`) {
			t.Errorf("%s", shown)
		}
		s.Clock.Advance(11 * time.Minute)
		if got := post("/account/emails/remove", url.Values{"id": {id}}).Want(http.StatusSeeOther).Header.Get("Location"); got != "/account/confirm?for=addresses" {
			t.Error(got)
		}
		foreign := c.Do("POST", "/account/emails/remove", url.Values{"id": {id}}, "Origin", "https://evil.example")
		foreign.Want(http.StatusForbidden)
	})
}

// TestPhoneSignsInByForms: a number typed where an address may stand gets a code.
func TestPhoneSignsInByForms(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "cookie")
		c.SignUp("ann@example.com")
		id := c.Do("POST", "/v1/me/phones", app.M{"phone": "+12015550123"}, "Origin", s.URL).Want(http.StatusCreated).Text("id")
		c.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": "424242"}, "Origin", s.URL).Want(http.StatusNoContent)
		s.Clock.Advance(time.Hour)
		other := s.Client(t, "cookie")
		to := other.Do("POST", "/sign-in/email", url.Values{"identifier": {"+1 (201) 555-0123"}}, "Origin", s.URL).Want(http.StatusSeeOther).Header.Get("Location")
		if shown := string(other.Do("GET", to, nil).Want(http.StatusOK).Body); !strings.Contains(shown, "Check your phone") || strings.Contains(shown, "5550123") {
			t.Errorf("%s", shown)
		}
		at, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		other.Do("POST", "/sign-in/code", url.Values{"attempt": at.Query()["attempt"], "code": {s.CodeFor(t, "+12015550123")}}, "Origin", s.URL).Want(http.StatusSeeOther)
		other.Do("GET", "/account", nil).Want(http.StatusOK)
	})
}
