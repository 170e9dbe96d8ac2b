package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/app"
)

// TestNobodyWaitsInsideAnAccount: what a stranger prepared for an address, in every way
// there is, gives them nothing once its owner proves it, and leaves nothing of theirs there.
func TestNobodyWaitsInsideAnAccount(t *testing.T) {
	const evesPassword = "the password that eve chose"
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		ways := map[string]func(c *app.Client, email string) string{
			"with a password": func(c *app.Client, email string) string {
				s.Clock.Advance(time.Minute)
				attempt := c.Do("POST", "/v1/sign-up", app.M{"email": email, "password": app.Password}).Want(http.StatusOK).Text("attempt")
				return c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, email)})).Text("status")
			},
			"by letter": func(c *app.Client, email string) string {
				s.Clock.Advance(time.Minute)
				attempt := asked(c, email, app.M{"create": true}).Text("attempt")
				return c.Grant(c.Do("POST", "/v1/sign-in/link", app.M{"attempt": attempt, "token": s.TokenFor(t, email)})).Text("status")
			},
		}
		n := 0
		for name, way := range ways {
			n++
			email := network(n) + "-victim@example.com"
			eve := signedIn(t, s, network(n)+"-eve@example.com", "")
			// Eve holds a sign-up with her password, a sign-in that would create, and the
			// address as an unproven second one of hers.
			signUp := eve.Without().Do("POST", "/v1/sign-up", app.M{"email": email, "password": evesPassword, "first_name": "Eve"}).Want(http.StatusOK).Text("attempt")
			evesCode, evesLink := s.CodeFor(t, email), s.TokenFor(t, email)
			s.Clock.Advance(time.Second)
			create := asked(eve.Without(), email, app.M{"create": true}).Text("attempt")
			createCode := s.CodeFor(t, email)
			s.Clock.Advance(time.Second)
			secondary, verify := added(eve, email)
			verifyCode := s.CodeFor(t, email)
			// The owner opens Eve's link: nothing is made of what Eve typed.
			owner := s.Client(t, "token")
			owner.Do("POST", "/v1/sign-in/link", app.M{"token": evesLink}).Want(http.StatusConflict, "link_elsewhere")
			if way(owner, email) != "complete" {
				t.Fatal(name)
			}
			me := owner.Do("GET", "/v1/me", nil).Want(http.StatusOK)
			if me.JSON()["first_name"] != nil || me.JSON()["has_password"] != (name == "with a password") {
				t.Errorf("%s: something of Eve's is in the account: %s", name, me.Body)
			}
			// Suppose Eve reads the owner's old letters as well: they are worth nothing now.
			stranger := eve.Without()
			stranger.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": evesPassword}).Want(http.StatusUnauthorized, "invalid_credentials")
			stranger.Do("POST", "/v1/sign-in/code", app.M{"attempt": signUp, "code": evesCode}).Want(http.StatusUnauthorized)
			stranger.Do("POST", "/v1/sign-in/link", app.M{"attempt": signUp, "token": evesLink}).Want(http.StatusUnauthorized)
			stranger.Do("POST", "/v1/sign-in/code", app.M{"attempt": create, "code": createCode}).Want(http.StatusUnauthorized)
			eve.Do("POST", "/v1/me/emails/"+secondary+"/verify", app.M{"code": verifyCode}).Want(http.StatusUnauthorized)
			stranger.Do("POST", "/v1/email/confirm", app.M{"attempt": verify, "code": verifyCode}).Want(http.StatusUnauthorized)
			// Nothing was merged: two people, and each has their own address.
			if got := addresses(owner); got != email+"*" {
				t.Errorf("%s: the owner has %s", name, got)
			}
			rows := s.Look(t, "SELECT count(DISTINCT account_id) FROM email WHERE verified_at IS NOT NULL AND address_key IN ('"+email+"', '"+network(n)+"-eve@example.com')")
			if rows[0][0] != "2" {
				t.Errorf("%s: %s people", name, rows[0][0])
			}
			if n := len(s.Look(t, "SELECT id FROM session WHERE account_id = '"+string(userID(owner))+"'")); n != 1 {
				t.Errorf("%s: %d sessions", name, n)
			}
		}
	})
}

// TestLifetimesOfLetters: everything works until its last microsecond, and not after it.
func TestLifetimesOfLetters(t *testing.T) {
	app.Each(t, app.Settings{"trusted-proxies": "127.0.0.1", "deletion-grace": "3d"}, func(t *testing.T, s *app.Server) {
		n := 0
		fresh := func() (*app.Client, string) {
			n++
			email := network(n) + "@example.com"
			return signedIn(t, s, email, ""), email
		}
		ok := func(c *app.Client, path string, body any) func() bool {
			return func() bool { return c.Do("POST", path, body).Status < 300 }
		}
		asking := func(path string) (c *app.Client, email, attempt string) {
			_, email = fresh()
			c = s.Client(t, "token")
			return c, email, c.Do("POST", path, app.M{"email": email}).Want(http.StatusAccepted).Text("attempt")
		}
		changed := func() string {
			c, email := fresh()
			id := proven(t, s, c, "two-"+email)
			s.Clock.Advance(time.Second)
			c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
			return email
		}
		for name, thing := range map[string]struct {
			life  time.Duration
			begin func() func() bool
			after bool // it works when the time is over, not before
		}{
			"code": {10 * time.Minute, func() func() bool {
				c, email, attempt := asking("/v1/sign-in/email")
				return ok(c, "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, email)})
			}, false},
			"link": {10 * time.Minute, func() func() bool {
				c, email, attempt := asking("/v1/sign-in/email")
				return ok(c, "/v1/sign-in/link", app.M{"attempt": attempt, "token": s.TokenFor(t, email)})
			}, false},
			"recovery": {10 * time.Minute, func() func() bool {
				c, email, _ := asking("/v1/recovery")
				return ok(c, "/v1/recovery/confirm", app.M{"token": s.TokenFor(t, email), "password": newPassword})
			}, false},
			"confirmation": {10 * time.Minute, func() func() bool {
				c, email := fresh()
				added(c, "two-"+email)
				return ok(c, "/v1/email/confirm", app.M{"token": s.TokenFor(t, "two-"+email)})
			}, false},
			"resend": {30 * time.Second, func() func() bool {
				c, _, attempt := asking("/v1/sign-in/email")
				return ok(c, "/v1/sign-in/attempts/"+attempt+"/resend", nil)
			}, true},
			"undo": {72 * time.Hour, func() func() bool {
				token := secret.Text(s.TokenFor(t, changed()))
				return func() bool { _, err := s.Auth.UndoChange(t.Context(), token, elsewhere); return err == nil }
			}, false},
			"not me": {72 * time.Hour, func() func() bool {
				c, email := fresh()
				proven(t, s, c, "two-"+email)
				token := letterAbout(t, s, email, "added")
				return func() bool { _, err := s.Auth.NotMe(t.Context(), token, elsewhere); return err == nil }
			}, false},
			"deletion": {72 * time.Hour, func() func() bool {
				c, email := fresh()
				c.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
				token := secret.Text(s.TokenFor(t, email))
				return func() bool {
					if err := s.Sweep(t.Context()); err != nil {
						t.Fatal(err)
					}
					return s.Auth.UndoDeletion(t.Context(), token, elsewhere) == nil
				}
			}, false},
		} {
			try := thing.begin()
			s.Clock.Advance(thing.life - time.Microsecond)
			if thing.after == try() {
				t.Errorf("%s: a microsecond before its time it worked: %v", name, thing.after)
			}
			s.Clock.Advance(time.Hour)
			try = thing.begin()
			s.Clock.Advance(thing.life)
			if thing.after != try() {
				t.Errorf("%s: when its time had come it worked: %v", name, !thing.after)
			}
			s.Clock.Advance(time.Hour)
		}
	})
}
