package api_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/testkit/app"
)

// TestDomainsOfNewAccounts: a domain that is not admitted makes no account by any way in,
// and its people who have one keep it.
func TestDomainsOfNewAccounts(t *testing.T) {
	settings := app.Settings{"sign-up-domains": "example.com,*.example.com", "blocked-domains": "bad.example.com"}
	app.Each(t, settings, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "token")
		for _, email := range []string{"eve@example.org", "eve@bad.example.com"} {
			got := c.Do("POST", "/v1/sign-up", app.M{"email": email, "password": app.Password}).Want(http.StatusUnprocessableEntity, "invalid_request")
			if !strings.Contains(string(got.Body), "domain_not_allowed") {
				t.Errorf("%s", got.Body)
			}
			asked(c, email, app.M{"create": true})
			if m := s.Letter(t, email); m.Code != "" {
				t.Errorf("%s can make an account by letter", email)
			}
		}
		ann := signedIn(t, s, "ann@good.example.com", "")
		ann.Do("POST", "/v1/me/emails", app.M{"email": "eve@example.org"}).Want(http.StatusUnprocessableEntity, "invalid_request")
		if _, err := s.Auth.CreateAccount(t.Context(), auth.NewAccount{Email: "old@example.org", Verified: true}); err != nil {
			t.Fatal(err) // an operator may
		}
		s.Clock.Advance(time.Second)
		attempt := asked(c, "old@example.org", nil).Text("attempt")
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, "old@example.org")}).Want(http.StatusOK)
	})
}

// TestDomainsAreNotPassed: with a list of domains neither a username nor a number makes an
// account, in any delivery, on the pages or with an attempt from before the list. Who has an
// account keeps it and signs in.
func TestDomainsAreNotPassed(t *testing.T) {
	settings := app.Settings{"sign-up-domains": "example.com"}
	app.Each(t, settings, func(t *testing.T, s *app.Server) {
		for _, delivery := range []string{"token", "cookie"} {
			c := s.Client(t, delivery)
			for _, body := range []app.M{
				{"username": "eve", "password": app.Password}, {"phone": evesPhone}, {"phone": evesPhone, "username": "eve", "password": app.Password}, {},
			} {
				got := c.Do("POST", "/v1/sign-up", body).Want(http.StatusUnprocessableEntity, "invalid_request")
				if fields, _ := got.JSON()["errors"].(map[string]any); fields["email"] != "required" {
					t.Errorf("%v: %s", body, got.Body)
				}
			}
			with, without := texted(c, evesPhone, app.M{"create": true}), texted(c, evesPhone, nil)
			if mask(whole(with, evesPhone)) != mask(whole(without, evesPhone)) {
				t.Errorf("%s\n--- and ---\n%s", with.Body, without.Body)
			}
			for _, attempt := range []string{with.Text("attempt"), without.Text("attempt")} {
				c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "424242"}).Want(http.StatusUnauthorized, "code_incorrect")
			}
		}
		if n := s.Count(t)["account"]; n != 0 {
			t.Fatalf("%d accounts were made", n)
		}
		// Together with an admitted address both are welcome, and sign in from then on.
		c := s.Client(t, "")
		body := app.M{"email": "ann@example.com", "username": "ann", "phone": annsPhone, "password": app.Password}
		attempt := c.Do("POST", "/v1/sign-up", body).Want(http.StatusOK).Text("attempt")
		c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, "ann@example.com")}))
		s.Clock.Advance(time.Minute)
		got := c.Do("POST", "/v1/me/phones", app.M{"phone": annsPhone}).Want(http.StatusCreated)
		c.Do("POST", "/v1/me/phones/"+got.Text("id")+"/verify", app.M{"code": s.CodeFor(t, annsPhone)}).Want(http.StatusNoContent)
		s.Client(t, "").SignIn("ann")
		s.Clock.Advance(time.Minute)
		other := s.Client(t, "")
		other.Grant(other.Do("POST", "/v1/sign-in/code", app.M{"attempt": texted(other, annsPhone, nil).Text("attempt"), "code": s.CodeFor(t, annsPhone)}))
		// The address that made the account stays until another admitted one is proven.
		first := c.Do("GET", "/v1/me/emails", nil).JSON()["data"].([]any)[0].(map[string]any)["id"].(string)
		c.Do("DELETE", "/v1/me/emails/"+first, nil).Want(http.StatusConflict, "last_credential")
		proven(t, s, c, "ann.two@example.com")
		c.Do("DELETE", "/v1/me/emails/"+first, nil).Want(http.StatusNoContent)
	})
}

// TestAttemptsFromBeforeTheDomains: an attempt that was begun before there was a list makes
// no account.
func TestAttemptsFromBeforeTheDomains(t *testing.T) {
	path, clock := filepath.Join(t.TempDir(), "limen.db"), app.NewClock()
	before := app.Open(t, nil, path, clock)
	c := before.Client(t, "token")
	byPhone := c.Do("POST", "/v1/sign-up", app.M{"phone": evesPhone}).Want(http.StatusOK).Text("attempt")
	byEmail := c.Do("POST", "/v1/sign-up", app.M{"email": "eve@example.org"}).Want(http.StatusOK).Text("attempt")
	admitted := c.Do("POST", "/v1/sign-up", app.M{"email": "ann@example.com"}).Want(http.StatusOK).Text("attempt")
	codes := []string{before.CodeFor(t, evesPhone), before.CodeFor(t, "eve@example.org"), before.CodeFor(t, "ann@example.com")}
	after := app.Open(t, app.Settings{"sign-up-domains": "example.com"}, path, clock).Client(t, "token")
	for i, attempt := range []string{byPhone, byEmail} {
		after.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": codes[i]}).Want(http.StatusForbidden, "sign_up_closed")
	}
	after.Do("POST", "/v1/sign-in/code", app.M{"attempt": admitted, "code": codes[2]}).Want(http.StatusOK)
}

// TestInvitation: where sign-up is closed, an invited person signs in with a letter.
func TestInvitation(t *testing.T) {
	app.Each(t, app.Settings{"sign-up": "closed"}, func(t *testing.T, s *app.Server) {
		if _, err := s.Auth.CreateAccount(t.Context(), auth.NewAccount{Email: "new+1@example.com", Verified: true, Invite: true}); err != nil {
			t.Fatal(err)
		}
		m := s.Letter(t, "new+1@example.com")
		if m.Code != "" || len(m.Links) != 1 || !strings.HasSuffix(m.Links[0], "/sign-in?login_hint=new%2B1%40example.com") {
			t.Errorf("%+v", m)
		}
		s.Clock.Advance(time.Second)
		c := s.Client(t, "token")
		attempt := asked(c, "new+1@example.com", app.M{"create": true}).Text("attempt")
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, "new+1@example.com")}).Want(http.StatusOK)
		asked(c, "stranger@example.com", app.M{"create": true})
		if m := s.Letter(t, "stranger@example.com"); m.Code != "" {
			t.Error("a stranger can make an account")
		}
	})
}
