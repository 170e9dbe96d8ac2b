package api_test

import (
	"net/http"
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
