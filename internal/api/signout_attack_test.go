package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// lives reports whether the session of a client's newest tokens can still be refreshed.
func lives(s *app.Server, c *app.Client, t *testing.T) bool {
	t.Helper()
	rows := s.Look(t, "SELECT count(*) FROM session WHERE ended_at IS NULL AND id = '"+sessionOf(t, s, c)+"'")
	return rows[0][0] == "1"
}

// sessionOf reads the session id from the access token.
func sessionOf(t *testing.T, s *app.Server, c *app.Client) string {
	t.Helper()
	return forgerOf(t, s, c.Access).claims["sid"].(string)
}

// TestSignOutByRefreshToken: with an expired access token the refresh token ends its own
// session, whoever brings it; further than that it reaches with its device secret only,
// and a token that was spent long ago reaches nowhere else.
func TestSignOutByRefreshToken(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "out@example.com", "")
		other := s.Client(t, "")
		other.SignIn("out@example.com")
		bound := func() *app.Client {
			c := s.Client(t, "")
			c.SignIn("out@example.com")
			c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
			return c
		}
		out := func(c *app.Client, scope string, header ...string) *app.Answer {
			return c.Without().Do("POST", "/v1/sign-out", app.M{"scope": scope, "refresh_token": c.Refresh}, header...)
		}
		c := bound()
		for _, scope := range []string{"others", "everywhere"} {
			out(c, scope).Want(http.StatusUnauthorized, "unauthenticated")
			out(c, scope, "Limen-Device", other.Device).Want(http.StatusUnauthorized, "unauthenticated")
		}
		if !lives(s, other, t) || !lives(s, c, t) {
			t.Fatal("a refresh token without its device ended more than itself")
		}
		out(c, "local").Want(http.StatusNoContent)
		if lives(s, c, t) {
			t.Error("the sign-out was acknowledged, and the session lives")
		}
		out(c, "local").Want(http.StatusNoContent)

		c = bound()
		first := c.Refresh
		for range 2 {
			c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
		}
		c.Refresh = first
		out(c, "everywhere", "Limen-Device", c.Device).Want(http.StatusUnauthorized, "unauthenticated")
		if !lives(s, other, t) {
			t.Error("a token that was spent long ago ended the others")
		}

		c = bound()
		out(c, "others", "Limen-Device", c.Device).Want(http.StatusNoContent)
		if lives(s, other, t) || !lives(s, c, t) {
			t.Error("others: the wrong ones ended")
		}
		out(c, "everywhere", "Limen-Device", c.Device).Want(http.StatusNoContent)
		if lives(s, c, t) {
			t.Error("everywhere: the session lives")
		}
		// Garbage is a session that is over already.
		s.Client(t, "").Do("POST", "/v1/sign-out", app.M{"refresh_token": "lrt_garbage"}).Want(http.StatusNoContent)
	})
}

// TestSignOutIsNoEmptyPromise: 204 says that the session has ended. Who shows nothing but
// an access token that has expired is told to refresh.
func TestSignOutIsNoEmptyPromise(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "empty@example.com", "")
		for _, delivery := range []string{"token", "memory"} {
			c := s.Client(t, delivery)
			c.SignIn("empty@example.com")
			s.Clock.Advance(16 * time.Minute)
			c.Do("POST", "/v1/sign-out", nil).Want(http.StatusUnauthorized, "unauthenticated")
			if !lives(s, c, t) {
				t.Errorf("%s: refused, and ended", delivery)
			}
			if c.Cookies()["limen_refresh"] == "" && delivery == "memory" {
				t.Error("refused, and the cookie is gone")
			}
		}
		c := s.Client(t, "memory") // without Authorization the cookie counts
		c.SignIn("empty@example.com")
		s.Clock.Advance(16 * time.Minute)
		c.Without().Do("POST", "/v1/sign-out", nil).Want(http.StatusNoContent)
		if lives(s, c, t) || c.Cookies()["limen_refresh"] != "" {
			t.Error("the session or its cookie lives")
		}
		c = s.Client(t, "")
		c.SignIn("empty@example.com")
		c.Do("POST", "/v1/sign-out", nil).Want(http.StatusNoContent)
		c.Do("POST", "/v1/sign-out", nil).Want(http.StatusNoContent) // ended already
	})
}

// TestASignInReplacesTheBrowsersSession: a browser holds one session. A second sign-in in
// the same cookies ends the first (ASVS 7.2.4), and never takes up one that was planted.
func TestASignInReplacesTheBrowsersSession(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "victim@example.com", "")
		signedIn(t, s, "mallory@example.com", "")
		for _, delivery := range []string{"memory", "cookie"} {
			mallory := s.Client(t, delivery)
			mallory.SignIn("mallory@example.com")
			planted := mallory.Cookies()
			// The victim's browser holds Mallory's cookies, and the victim signs in.
			victim := mallory.Without()
			victim.SignIn("victim@example.com")
			now := victim.Cookies()
			for _, name := range []string{"limen_access", "limen_refresh"} {
				if now[name] == planted[name] && now[name] != "" {
					t.Errorf("%s: the planted %s survived the sign-in", delivery, name)
				}
			}
			jar := ""
			for name, value := range planted {
				jar += name + "=" + value + "; "
			}
			got := s.Client(t, "").Do("POST", "/v1/token/refresh", nil, "Cookie", strings.TrimSuffix(jar, "; "))
			if got.Code() != "session_ended" {
				t.Errorf("%s: the planted session is answered %d %s", delivery, got.Status, got.Body)
			}
			if email := victim.Do("GET", "/v1/me", nil).Want(http.StatusOK).Text("email"); email != "victim@example.com" {
				t.Errorf("%s: the victim is %s", delivery, email)
			}
		}
		// A client that holds its tokens itself may hold as many as it likes.
		one, two := s.Client(t, ""), s.Client(t, "")
		one.SignIn("victim@example.com")
		two.SignIn("victim@example.com")
		one.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

// TestForeignDeviceSecrets: nobody chooses a device's secret. A sign-in under one that the
// server did not make gets another, and the session can be refreshed.
func TestForeignDeviceSecrets(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "device@example.com", "")
		c := s.Client(t, "")
		c.Header.Set("Limen-Device", "chosen-by-mallory")
		c.SignIn("device@example.com")
		if c.Device == "" || c.Device == "chosen-by-mallory" {
			t.Errorf("the device secret is %q", c.Device)
		}
		c.Header.Del("Limen-Device")
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
		browser := s.Client(t, "cookie")
		browser.Do("POST", "/v1/sign-in/password", app.M{"identifier": "device@example.com", "password": app.Password},
			"Cookie", "limen_device=chosen-by-mallory").Want(http.StatusOK)
		if got := browser.Cookies()["limen_device"]; got == "" || got == "chosen-by-mallory" {
			t.Errorf("the device cookie is %q", got)
		}
		browser.Do("POST", "/v1/token/refresh", nil).Want(http.StatusOK)
	})
}

// TestPageSignOutDoesNotPretend: when the page cannot tell who is signed in, it must not
// say that nobody is any more.
func TestPageSignOutDoesNotPretend(t *testing.T) {
	s := app.SQLite(t, nil)
	signedIn(t, s, "page@example.com", "")
	c := s.Client(t, "")
	pageSignIn(c, "page@example.com", nil).Want(http.StatusSeeOther)
	jar := c.Cookies()
	twice := "limen_access=" + jar["limen_access"] + "; limen_access=x; limen_refresh=" + jar["limen_refresh"]
	s.Client(t, "").Do("POST", "/sign-out", url.Values{}, "Cookie", twice).Want(http.StatusUnprocessableEntity)
	c.Do("GET", "/account", nil).Want(http.StatusOK)
	c.Do("POST", "/sign-out", url.Values{}).Want(http.StatusSeeOther)
	c.Do("GET", "/account", nil).Want(http.StatusSeeOther)
}
