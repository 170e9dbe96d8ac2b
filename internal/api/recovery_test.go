package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/app"
)

const newPassword = "four words nobody guesses"

func recovering(c *app.Client, email string) string {
	return c.Do("POST", "/v1/recovery", app.M{"email": email}).Want(http.StatusAccepted).Text("attempt")
}

func TestRecovery(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for _, by := range []string{"code", "link"} {
			t.Run(by, func(t *testing.T) {
				email := by + "@example.com"
				before := signedIn(t, s, email, "")
				s.Clock.Advance(time.Hour)
				stale := s.Client(t, "token")
				other := asked(stale, email, nil).Text("attempt")
				otherCode, otherLink := s.CodeFor(t, email), s.TokenFor(t, email)
				c := s.Client(t, "token")
				attempt := recovering(c, email)
				proof := app.M{"attempt": attempt, "code": s.CodeFor(t, email)}
				if by == "link" {
					proof = app.M{"token": s.TokenFor(t, email)}
					c = s.Client(t, "token") // any browser may
				}
				with := func(password string) app.M {
					body := app.M{"password": password}
					for k, v := range proof {
						body[k] = v
					}
					return body
				}
				c.Do("POST", "/v1/recovery/confirm", with("short")).Want(http.StatusUnprocessableEntity, "invalid_request") // and spends nothing
				got := c.Do("POST", "/v1/recovery/confirm", with(newPassword)).Want(http.StatusOK)
				if got.Text("status") != "password_changed" || strings.Contains(string(got.Body), "token") || len(got.Header.Values("Set-Cookie")) != 0 {
					t.Errorf("%s %v", got.Body, got.Header)
				}
				c.Do("POST", "/v1/recovery/confirm", with(newPassword)).Want(http.StatusUnauthorized)
				before.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
				before.Do("POST", "/v1/token/refresh", app.M{"refresh_token": before.Refresh}).Want(http.StatusUnauthorized, "session_ended")
				stale.Do("POST", "/v1/sign-in/code", app.M{"attempt": other, "code": otherCode}).Want(http.StatusUnauthorized, "attempt_expired")
				stale.Do("POST", "/v1/sign-in/link", app.M{"token": otherLink, "attempt": other}).Want(http.StatusUnauthorized, "link_expired")
				if m := s.Letter(t, email); !strings.Contains(m.Subject, "changed") || len(m.Links) != 1 {
					t.Errorf("the owner was not told: %q", m.Subject)
				}
				s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": app.Password}).Want(http.StatusUnauthorized)
				s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": newPassword}).Want(http.StatusOK)
			})
		}
	})
}

// TestRecoveryOfNobody: an unknown address and a banned person's are answered like others,
// in every call.
func TestRecoveryOfNobody(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "known@example.com", "")
		signedIn(t, s, "banne@example.com", "")
		s.Clock.Advance(time.Hour)
		who, _, err := s.Store.AccountByEmail(t.Context(), "banne@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Auth.Ban(t.Context(), who.ID); err != nil {
			t.Fatal(err)
		}
		s.Letter(t, "banne@example.com")
		sent := len(s.Inbox.Messages("banne@example.com", ""))
		play := func(email string) string {
			c := s.Client(t, "token")
			begun := c.Do("POST", "/v1/recovery", app.M{"email": email}).Want(http.StatusAccepted)
			attempt := begun.Text("attempt")
			out := said(begun)
			for range 6 {
				out += "\n" + said(c.Do("POST", "/v1/recovery/confirm", app.M{"attempt": attempt, "code": "000000", "password": newPassword}))
			}
			s.Clock.Advance(31 * time.Second)
			return out + "\n" + said(c.Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil))
		}
		known, unknown, banned := play("known@example.com"), play("unkno@example.com"), play("banne@example.com")
		if known != unknown || known != banned {
			t.Errorf("%s\n\n%s\n\n%s", known, unknown, banned)
		}
		if m := s.Letter(t, "unkno@example.com"); m.Code != "" || len(m.Links) != 1 || !strings.HasSuffix(m.Links[0], "/sign-up") {
			t.Errorf("%+v", m)
		}
		if got := len(s.Inbox.Messages("banne@example.com", "")); got != sent {
			t.Error("a banned person was written to")
		}
	})
}

func TestRecoveryProofsServeNothingElse(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		c := s.Client(t, "token")
		attempt := recovering(c, "ann@example.com")
		code, token := s.CodeFor(t, "ann@example.com"), s.TokenFor(t, "ann@example.com")
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": code}).Want(http.StatusUnauthorized, "attempt_expired")
		c.Do("POST", "/v1/sign-in/link", app.M{"token": token, "attempt": attempt}).Want(http.StatusUnauthorized, "link_expired")
		c.Do("POST", "/v1/sign-in/link/approve", app.M{"token": token, "match": "00", "decision": "deny"}).Want(http.StatusUnauthorized, "link_expired")
		s.Clock.Advance(time.Hour)
		attempt = asked(c, "ann@example.com", nil).Text("attempt")
		code, token = s.CodeFor(t, "ann@example.com"), s.TokenFor(t, "ann@example.com")
		c.Do("POST", "/v1/recovery/confirm", app.M{"attempt": attempt, "code": code, "password": newPassword}).Want(http.StatusUnauthorized, "attempt_expired")
		c.Do("POST", "/v1/recovery/confirm", app.M{"token": token, "password": newPassword}).Want(http.StatusUnauthorized, "link_expired")
	})
}

func TestRecoveryIsSpentOnce(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		recovering(s.Client(t, "token"), "ann@example.com")
		body := app.M{"token": s.TokenFor(t, "ann@example.com"), "password": newPassword}
		if won := race(20, func() bool {
			return s.Client(t, "").Do("POST", "/v1/recovery/confirm", body).Status == http.StatusOK
		}); won != 1 {
			t.Errorf("%d recoveries", won)
		}
	})
}

// TestNewDeviceIsTold: a sign-in from a browser that the person has not used, and only
// that, writes a letter whose link ends that session and begins a recovery.
func TestNewDeviceIsTold(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		home := signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Minute)
		told := func() int {
			s.Letter(t, "ann@example.com")
			n := 0
			for _, m := range s.Inbox.Messages("ann@example.com", "") {
				if strings.HasPrefix(m.Subject, "New sign-in") {
					n++
				}
			}
			return n
		}
		if told() != 0 {
			t.Error("the first device is no news")
		}
		s.Client(t, "").SignIn("ann@example.com")
		if told() != 0 {
			t.Error("the same browser in the same network is no news")
		}
		abroad := s.Client(t, "cookie")
		abroad.Header.Set("User-Agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15")
		abroad.Header.Set("X-Forwarded-For", "203.0.113.9")
		abroad.SignIn("ann@example.com")
		if told() != 1 {
			t.Fatal("the person was not told")
		}
		abroad.Header.Set("X-Forwarded-For", "198.18.0.1") // it travels, and brings its device secret
		abroad.SignIn("ann@example.com")
		if told() != 1 {
			t.Error("a known device is no news")
		}
		m := s.Letter(t, "ann@example.com")
		if !strings.Contains(m.Text, "Safari") || !strings.Contains(m.Text, "203.0.113.9") {
			t.Errorf("%s", m.Text)
		}
		token := secret.Text(s.TokenFor(t, "ann@example.com"))
		b := session.Browser{IP: "192.0.2.1", Delivery: session.Token}
		out, err := s.Auth.NotMe(t.Context(), token, b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Auth.NotMe(t.Context(), token, b); err == nil {
			t.Error("the link works twice")
		}
		for _, c := range []*app.Client{home, abroad} {
			c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
		}
		s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "ann@example.com", "password": app.Password}).Want(http.StatusUnauthorized, "invalid_credentials")
		recovered(t, s, out, "ann@example.com")
	})
}

func TestDeletionCanBeTakenBack(t *testing.T) {
	app.Each(t, app.Settings{"deletion-grace": "3d"}, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		ann.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		ann.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
		s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "ann@example.com", "password": app.Password}).Want(http.StatusForbidden, "account_deleting")
		token := s.TokenFor(t, "ann@example.com")
		s.Clock.Advance(2 * day)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		undo := func() error {
			return s.Auth.UndoDeletion(t.Context(), secret.Text(token), session.Browser{IP: "192.0.2.1", Delivery: session.Token})
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if err := undo(); err == nil {
			t.Error("the link works twice")
		}
		again := s.Client(t, "")
		again.SignIn("ann@example.com")
		again.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		s.Clock.Advance(3 * day)
		if err := undo(); err == nil {
			t.Error("the link works after its time")
		}
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.Store.AccountByEmail(t.Context(), "ann@example.com"); found || err != nil {
			t.Error("the account is still there", err)
		}
	})
}
