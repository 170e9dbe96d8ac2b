package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/testkit/app"
)

const changedPassword = "another threshold"

// refreshed presents a refresh token as a program does; device may be "".
func refreshed(t *testing.T, s *app.Server, token, device string) *app.Answer {
	t.Helper()
	if device == "" {
		return s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": token})
	}
	return s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": token}, "Limen-Device", device)
}

// stepUp proves the client's person afresh by the password.
func stepUp(c *app.Client) { c.Grant(prove(c, begin(c, "password"))) }

// changePassword changes the password of a client that was proven lately.
func changePassword(c *app.Client) *app.Answer {
	c.Server.Log.Secret(changedPassword)
	return c.Grant(c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": changedPassword}))
}

// as is a client that presents one access token and nothing else.
func as(t *testing.T, s *app.Server, access string) *app.Client {
	t.Helper()
	c := s.Client(t, "")
	c.Header.Set("Authorization", "Bearer "+access)
	return c
}

// TestTokensBeforeAStepUp: a copy of the refresh token from just before the person's
// step-up does not share in it. Within the window it is told that it is superseded and
// nothing moves; later it is reuse. With the device secret it is the same browser.
func TestTokensBeforeAStepUp(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "up@example.com", "")
		s.Clock.Advance(time.Second)
		began := func(bound bool) (c *app.Client, before string) {
			c = s.Client(t, "")
			c.SignIn("up@example.com")
			if bound {
				c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
			}
			before = c.Refresh
			stepUp(c)
			if c.Refresh == before {
				t.Fatal("the step-up made no new generation")
			}
			return c, before
		}
		foreign := s.Client(t, "").SignIn("up@example.com").Text("device_secret")
		for _, bound := range []bool{false, true} {
			for _, device := range []string{"", foreign} {
				c, before := began(bound)
				s.Clock.Advance(29 * time.Second)
				for range 3 {
					refreshed(t, s, before, device).Want(http.StatusConflict, "refresh_superseded")
				}
				c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
				c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))

				c, before = began(bound)
				s.Clock.Advance(30 * time.Second)
				refreshed(t, s, before, device).Want(http.StatusUnauthorized, "refresh_reused")
				c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
			}
		}
		// The browser itself: its answer was lost, and the token before still finds its successor.
		c, before := began(true)
		again := refreshed(t, s, before, c.Device).Want(http.StatusOK)
		if again.Text("refresh_token") != c.Refresh {
			t.Error("the browser was given another successor")
		}
		s.Clock.Advance(time.Minute)
		refreshed(t, s, before, c.Device).Want(http.StatusOK) // late, once
	})
}

// TestTokensBeforeAStepUpUnderStrict: the same within the window of that policy.
func TestTokensBeforeAStepUpUnderStrict(t *testing.T) {
	app.Each(t, app.Settings{"refresh-policy": "strict"}, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "strict@example.com", "")
		before := c.Refresh
		stepUp(c)
		s.Clock.Advance(9 * time.Second)
		refreshed(t, s, before, "").Want(http.StatusConflict, "refresh_superseded")
		s.Clock.Advance(time.Second)
		refreshed(t, s, before, "").Want(http.StatusUnauthorized, "refresh_reused")
	})
}

// TestStepUpFreshensNoOlderToken: what a copied access token may do does not grow when the
// person proves themselves again.
func TestStepUpFreshensNoOlderToken(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "fresh@example.com", "")
		s.Clock.Advance(11 * time.Minute)
		stolen := as(t, s, c.Access)
		stepUp(c)
		thief := "thief@example.com"
		s.Log.Secret(changedPassword)
		for name, call := range map[string]func(*app.Client) *app.Answer{
			"password": func(c *app.Client) *app.Answer {
				return c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": changedPassword})
			},
			"email":    func(c *app.Client) *app.Answer { return c.Do("POST", "/v1/me/emails", app.M{"email": thief}) },
			"phone":    func(c *app.Client) *app.Answer { return c.Do("POST", "/v1/me/phones", app.M{"phone": evesPhone}) },
			"deletion": func(c *app.Client) *app.Answer { return c.Do("DELETE", "/v1/me", nil) },
		} {
			if got := call(stolen); got.Status != http.StatusForbidden || got.Code() != "reauthentication_required" {
				t.Errorf("%s with the older token: %d %s", name, got.Status, got.Body)
			}
		}
		stolen.Do("GET", "/v1/me", nil).Want(http.StatusOK) // it lives on, as weak as it was
		c.Do("POST", "/v1/me/emails", app.M{"email": "mine@example.com"}).Want(http.StatusCreated)

		// What the older token hands over is as old as the token.
		who := actorOf(t, s, c)
		old, err := s.Issuer.Authenticate(t.Context(), secret.Text(stolen.Header.Get("Authorization")[len("Bearer "):]))
		if err != nil {
			t.Fatal(err)
		}
		if d := who.Session.AuthenticatedAt.Sub(old.Session.AuthenticatedAt); d < 11*time.Minute || old.Session.AuthenticatedBy != "" {
			t.Errorf("the older token proves %v less than the newer, by %q", d, old.Session.AuthenticatedBy)
		}
	})
}

// TestStepUpByCodeIsNotTheThiefs: the person proves the mailbox, and a copy of the token
// from before sets no password without the old one, although it is fresh by itself.
func TestStepUpByCodeIsNotTheThiefs(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "mail@example.com", "")
		for _, pause := range []time.Duration{0, 2 * time.Second} {
			c := s.Client(t, "")
			c.SignIn("mail@example.com") // by password
			s.Clock.Advance(pause)
			stolen := as(t, s, c.Access)
			attempt := begin(c, "email_code")
			c.Grant(c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "email_code", "code": s.CodeFor(t, "mail@example.com")}))
			stolen.Do("POST", "/v1/me/password", app.M{"new_password": "the thief's password"}).
				Want(http.StatusUnprocessableEntity, "invalid_request")
			s.Clock.Advance(31 * time.Second) // before another code may be sent
		}
	})
}

// TestPasswordChangeCutsTheSessionOff: the answer is a grant of the same session in its
// delivery, with a new device secret, and whatever was copied before is worth nothing and
// harms nothing.
func TestPasswordChangeCutsTheSessionOff(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for _, delivery := range []string{"token", "memory", "cookie"} {
			t.Run(delivery, func(t *testing.T) {
				email := delivery + "@example.com"
				signedIn(t, s, email, "")
				s.Clock.Advance(time.Second)
				c := s.Client(t, delivery)
				c.SignIn(email)
				c.Header.Del("Limen-Delivery")
				first := c.Cookies()
				old := *c
				s.Clock.Advance(2 * time.Second)
				another := map[string]string{"token": "cookie", "memory": "token", "cookie": "memory"}[delivery]
				c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": changedPassword}, "Limen-Delivery", another).
					Want(http.StatusUnprocessableEntity, "invalid_request")
				grant := changePassword(c)
				if in := grant.Text("refresh_token") != ""; in != (delivery == "token") {
					t.Errorf("the refresh token stands in the body: %t", in)
				}
				if in := grant.Text("device_secret") != ""; in != (delivery == "token") {
					t.Errorf("the device secret stands in the body: %t", in)
				}
				if in := grant.Text("access_token") != ""; in != (delivery != "cookie") {
					t.Errorf("the access token stands in the body: %t", in)
				}
				newest := c.Cookies()
				if delivery == "token" {
					if c.Device == old.Device || c.Refresh == old.Refresh {
						t.Fatal("nothing is new")
					}
				} else {
					old.Refresh, old.Device, old.Access = first["limen_refresh"], first["limen_device"], first["limen_access"]
					c.Refresh, c.Device, c.Access = newest["limen_refresh"], newest["limen_device"], newest["limen_access"]
					if c.Device == old.Device || c.Refresh == old.Refresh || c.Device == "" {
						t.Fatal("nothing is new")
					}
				}
				present := func(held *app.Client, device string) *app.Answer {
					if delivery == "token" {
						return refreshed(t, s, held.Refresh, device)
					}
					jar := "limen_refresh=" + held.Refresh
					if device != "" {
						jar += "; limen_device=" + device
					}
					return s.Client(t, "").Do("POST", "/v1/token/refresh", nil, "Cookie", jar)
				}
				for _, device := range []string{old.Device, "", c.Device} {
					present(&old, device).Want(http.StatusConflict, "refresh_superseded")
				}
				s.Clock.Advance(30 * time.Second)
				for _, device := range []string{old.Device, "", c.Device} {
					present(&old, device).Want(http.StatusUnauthorized, "session_ended")
				}
				// The person is signed in all the while, and the next token works.
				present(c, c.Device).Want(http.StatusOK)
				s.Clock.Advance(day)
				present(&old, old.Device).Want(http.StatusUnauthorized, "session_ended")
			})
		}
	})
}

// TestAccessTokensBeforeAPasswordChange: limen refuses them at once, introspection says the
// same, and those of a session that was kept need one refresh. A token of the very second
// of the change is accepted: the new one may be of that second.
func TestAccessTokensBeforeAPasswordChange(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		_, key, err := s.Issuer.CreateServerKey(t.Context(), "api", []string{"introspect"}, "operator")
		if err != nil {
			t.Fatal(err)
		}
		s.Log.Secret(key.Reveal(), changedPassword)
		active := func(token string) bool {
			c := s.Client(t, "")
			c.Header.Set("Authorization", "Bearer "+key.Reveal())
			return c.Do("POST", "/v1/token/introspect", app.M{"token": token}).Want(http.StatusOK).JSON()["active"] == true
		}
		signedIn(t, s, "access@example.com", "")
		c, kept := s.Client(t, ""), s.Client(t, "")
		c.SignIn("access@example.com")
		kept.SignIn("access@example.com")
		s.Clock.Advance(900 * time.Millisecond) // into the next second, in part
		old, refresh := c.Access, c.Refresh
		change := app.M{"current_password": app.Password, "new_password": changedPassword, "sign_out_others": false}
		c.Grant(c.Do("POST", "/v1/me/password", change))
		as(t, s, old).Do("GET", "/v1/me", nil).Want(http.StatusOK) // of the same second
		s.Clock.Advance(200 * time.Millisecond)
		change = app.M{"current_password": changedPassword, "new_password": app.Password, "sign_out_others": false}
		newer, middle := c.Access, c.Refresh
		c.Grant(c.Do("POST", "/v1/me/password", change))
		for _, token := range []string{old, newer} {
			as(t, s, token).Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "unauthenticated")
			as(t, s, token).Do("POST", "/v1/me/reauthenticate/begin", app.M{}).Want(http.StatusUnauthorized, "unauthenticated")
			if active(token) {
				t.Error("introspection calls an older access token active")
			}
		}
		for _, token := range []string{refresh, middle} {
			if active(token) {
				t.Error("introspection calls an older refresh token active")
			}
		}
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		if !active(c.Access) || !active(c.Refresh) {
			t.Error("introspection refuses the new tokens")
		}
		kept.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "unauthenticated")
		kept.Grant(kept.Do("POST", "/v1/token/refresh", app.M{"refresh_token": kept.Refresh}))
		kept.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

// TestAChangeIsNotBeforeTheTokensItRefuses: a refresh that committed while the change waited
// may be later than the change's own instant, and so may what was issued before it.
func TestAChangeIsNotBeforeTheTokensItRefuses(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "order@example.com", "")
		start := s.Clock.Now()
		s.Clock.Advance(2 * time.Second)
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}))
		middle := c.Access
		s.Clock.Advance(2 * time.Second)
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}))
		s.Clock.Set(start.Add(time.Second))
		changePassword(c)
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		as(t, s, middle).Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "unauthenticated")
	})
}

// TestTokensThatWereCutOffEndNothing: not by signing out with them, in any scope.
func TestTokensThatWereCutOffEndNothing(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "out@example.com", "")
		c := s.Client(t, "")
		c.SignIn("out@example.com")
		old := *c
		s.Clock.Advance(2 * time.Second)
		changePassword(c)
		other := s.Client(t, "")
		other.Grant(other.Do("POST", "/v1/sign-in/password", app.M{"identifier": "out@example.com", "password": changedPassword}))
		for _, scope := range []string{"local", "others", "everywhere"} {
			for _, access := range []string{"", old.Access} {
				thief := s.Client(t, "")
				if access != "" {
					thief.Header.Set("Authorization", "Bearer "+access)
				}
				body := app.M{"scope": scope, "refresh_token": old.Refresh}
				thief.Do("POST", "/v1/sign-out", body, "Limen-Device", old.Device).Want(http.StatusNoContent)
			}
		}
		as(t, s, old.Access).Do("POST", "/v1/sign-out", app.M{"scope": "everywhere"}).Want(http.StatusUnauthorized, "unauthenticated")
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		other.Do("GET", "/v1/me", nil).Want(http.StatusOK)

		// Before a step-up a token still ends its own session, as refreshing with it would,
		// and reaches no further without the device.
		before := c.Refresh
		c.Grant(c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": begin(c, "password"), "type": "password", "password": changedPassword}))
		s.Client(t, "").Do("POST", "/v1/sign-out", app.M{"scope": "everywhere", "refresh_token": before}).Want(http.StatusUnauthorized, "unauthenticated")
		other.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

// TestWhatWasUnderWayWhenThePasswordChanged: a request that was let in before the change
// does nothing after it, and a hand-over code of before opens no session.
func TestWhatWasUnderWayWhenThePasswordChanged(t *testing.T) {
	app.Each(t, handoverSettings, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "way@example.com", "")
		c := s.Client(t, "")
		c.SignIn("way@example.com")
		thief := actorOf(t, s, c)
		handOver := func(ctx context.Context) (secret.Text, error) {
			to, err := s.Auth.Destination(callback, "state-1", destination(callback).Get("code_challenge"))
			if err != nil {
				return "", err
			}
			return s.Auth.IssueHandover(ctx, thief.Actor, to, thief.browser)
		}
		code, err := handOver(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Log.Secret(code.Reveal())
		s.Clock.Advance(2 * time.Second)
		changePassword(c)
		exchange(s.Client(t, ""), code.Reveal(), verifier, callback).Want(http.StatusUnauthorized, "invalid_code")
		name := "Eve"
		for what, call := range map[string]func(context.Context) error{
			"profile": func(ctx context.Context) error {
				_, err := s.Auth.UpdateProfile(ctx, thief.Actor, account.Profile{FirstName: &name}, thief.browser)
				return err
			},
			"others":   func(ctx context.Context) error { return s.Auth.EndOtherSessions(ctx, thief.Actor, thief.browser) },
			"deletion": func(ctx context.Context) error { return s.Auth.DeleteAccount(ctx, thief.Actor, thief.browser) },
			"step-up": func(ctx context.Context) error {
				_, err := s.Auth.BeginReauthentication(ctx, thief.Actor, signin.Password, thief.browser)
				return err
			},
			"hand-over": func(ctx context.Context) error { _, err := handOver(ctx); return err },
		} {
			if err := call(t.Context()); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("%s: %v", what, err)
			}
		}
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

// TestPasswordChangesRace: of twenty at once one wins, and the session has one leaf.
func TestPasswordChangesRace(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "twenty@example.com", "")
		c := s.Client(t, "")
		c.SignIn("twenty@example.com")
		actor := actorOf(t, s, c)
		var leaf atomic.Pointer[session.Issued]
		won := race(20, func() bool {
			granted, err := s.Auth.ChangePassword(t.Context(), actor.Actor, auth.PasswordChange{Current: app.Password, New: changedPassword}, actor.browser)
			if err != nil {
				return false
			}
			issued, err := s.Issuer.Issue(granted)
			leaf.Store(&issued)
			return err == nil
		})
		if won != 1 {
			t.Fatalf("%d password changes", won)
		}
		newest := leaf.Load()
		s.Log.Secret(newest.RefreshToken.Reveal(), newest.Device.Reveal(), newest.AccessToken.Reveal(), changedPassword)
		refreshed(t, s, c.Refresh, c.Device).Want(http.StatusConflict, "refresh_superseded")
		refreshed(t, s, newest.RefreshToken.Reveal(), newest.Device.Reveal()).Want(http.StatusOK)
	})
}

// TestRefreshesRaceAPasswordChange: whatever order they come in, no copy ends the session,
// and afterwards the token of the change is the only one that works.
func TestRefreshesRaceAPasswordChange(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "both@example.com", "")
		c := s.Client(t, "")
		c.SignIn("both@example.com")
		s.Log.Secret(changedPassword)
		old := *c
		changed := make(chan *app.Answer, 1)
		var turn atomic.Int64
		race(20, func() bool {
			if turn.Add(1) == 7 {
				changed <- c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": changedPassword})
				return true
			}
			got := refreshed(t, s, old.Refresh, old.Device)
			if got.Status == http.StatusOK {
				s.Log.Secret(got.Text("refresh_token"), got.Text("access_token"))
			} else if got.Code() != "refresh_superseded" {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			return got.Status == http.StatusOK
		})
		c.Grant(<-changed)
		refreshed(t, s, old.Refresh, old.Device).Want(http.StatusConflict, "refresh_superseded")
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

// TestReuseIsTold: the person learns once that a token of a session was used again,
// however often it comes and in however many requests at once.
func TestReuseIsTold(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "told@example.com", "")
		told := func() int {
			s.Letter(t, "told@example.com")
			n := 0
			for _, m := range s.Inbox.Messages("told@example.com", "") {
				if strings.HasPrefix(m.Subject, "We signed a device out") {
					n++
				}
			}
			return n
		}
		for n := range 2 {
			c := s.Client(t, "")
			c.SignIn("told@example.com")
			first := c.Refresh
			c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", c.Device))
			c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
			if ended := race(20, func() bool { return refreshed(t, s, first, c.Device).Code() == "refresh_reused" }); ended != 1 {
				t.Errorf("the session ended %d times", ended)
			}
			refreshed(t, s, first, "").Want(http.StatusUnauthorized, "session_ended")
			if got := told(); got != n+1 {
				t.Errorf("%d messages about %d sessions", got, n+1)
			}
		}
		token := s.TokenFor(t, "told@example.com")
		if token == "" {
			t.Error("the message has no link")
		}
	})
}

// TestReuseIsToldByPhone: people with only a number are told there.
func TestReuseIsToldByPhone(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "")
		attempt := texted(c, annsPhone, app.M{"create": true}).Text("attempt")
		c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, annsPhone)}))
		first := c.Refresh
		for range 2 {
			c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
		}
		race(20, func() bool { return refreshed(t, s, first, c.Device).Code() == "refresh_reused" })
		s.Letter(t, annsPhone)
		told := 0
		for _, m := range s.Inbox.Messages(annsPhone, "") {
			if strings.HasPrefix(m.Text, "A device was signed out") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%d text messages", told)
		}
	})
}

// TestPasswordChangeOnThePages: the form answers with new cookies of the same session.
func TestPasswordChangeOnThePages(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "page@example.com", "")
		c := s.Client(t, "")
		pageSignIn(c, "page@example.com", nil).Want(http.StatusSeeOther)
		old := c.Cookies()
		s.Clock.Advance(2 * time.Second)
		s.Log.Secret(changedPassword)
		form := url.Values{"current_password": {app.Password}, "new_password": {changedPassword}, "sign_out_others": {"1"}}
		if to := c.Do("POST", "/account/password", form).Want(http.StatusSeeOther).Header.Get("Location"); to != "/account?saved=password" {
			t.Fatalf("leads to %s", to)
		}
		c.Do("GET", "/account", nil).Want(http.StatusOK)
		for _, name := range []string{"limen_access", "limen_refresh", "limen_device"} {
			if c.Cookies()[name] == old[name] {
				t.Errorf("%s is the old one", name)
			}
		}
		// Another tab comes with the cookies of before: it is sent round once, and then told.
		stale := "limen_access=" + old["limen_access"] + "; limen_refresh=" + old["limen_refresh"] + "; limen_device=" + old["limen_device"]
		tab := s.Client(t, "")
		again := tab.Do("GET", "/account?theme=dark", nil, "Cookie", stale).Want(http.StatusSeeOther)
		if to := again.Header.Get("Location"); to != "/account?again=1&theme=dark" {
			t.Errorf("sent to %s", to)
		}
		if len(again.Header["Set-Cookie"]) != 0 {
			t.Errorf("cookies: %v", again.Header["Set-Cookie"])
		}
		c.Do("GET", again.Header.Get("Location"), nil).Want(http.StatusOK)
		tab.Do("GET", "/account?again=1", nil, "Cookie", stale).Want(http.StatusConflict)
		form = url.Values{"first_name": {"Ann"}}
		if to := tab.Do("POST", "/account/profile", form, "Cookie", stale).Want(http.StatusSeeOther).Header.Get("Location"); to != "/account?again=1" {
			t.Errorf("a form is sent to %s", to)
		}
		s.Clock.Advance(30 * time.Second)
		if to := tab.Do("GET", "/account", nil, "Cookie", stale).Want(http.StatusSeeOther).Header.Get("Location"); to != "/sign-in?ended=1" {
			t.Errorf("later sent to %s", to)
		}
		c.Do("GET", "/account", nil).Want(http.StatusOK)
	})
}

// TestProofsOnThePagesInMemoryMode: a single-page application's session may use the pages:
// its refresh cookie is renewed, and the next page finds it.
func TestProofsOnThePagesInMemoryMode(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "spa@example.com", "")
		c := s.Client(t, "memory")
		c.SignIn("spa@example.com")
		page := c.Without()
		page.Header.Del("Limen-Delivery")
		page.Do("POST", "/account/confirm", url.Values{"password": {app.Password}}).Want(http.StatusSeeOther)
		s.Log.Secret(changedPassword)
		form := url.Values{"current_password": {app.Password}, "new_password": {changedPassword}}
		page.Do("POST", "/account/password", form).Want(http.StatusSeeOther)
		page.Do("GET", "/account", nil).Want(http.StatusOK)
		if page.Cookies()["limen_access"] != "" {
			t.Error("the access token is in a cookie")
		}
	})
}
