package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/testkit/app"
)

func userID(c *app.Client) account.ID {
	return account.ID(c.Do("GET", "/v1/me", nil).Text("id"))
}

func sessions(t *testing.T, c *app.Client) []app.M {
	t.Helper()
	var out []app.M
	for _, one := range c.Do("GET", "/v1/sessions", nil).Want(http.StatusOK).JSON()["data"].([]any) {
		out = append(out, app.M(one.(map[string]any)))
	}
	return out
}

// events signs in and lists the types of a person's events.
func events(t *testing.T, c *app.Client, _ *app.Server, email string) string {
	t.Helper()
	c.SignIn(email)
	var types []string
	for _, one := range c.Do("GET", "/v1/me/events?limit=100", nil).Want(http.StatusOK).JSON()["data"].([]any) {
		types = append(types, one.(map[string]any)["type"].(string))
	}
	return strings.Join(types, " ")
}

func TestProfile(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "p@example.com", "")
		changed := c.Do("PATCH", "/v1/me", app.M{
			"first_name": "Ada", "username": "Ada.L", "locale": "fr", "unsafe_metadata": app.M{"n": 1}, "roles": []string{"admin"},
		}).Want(http.StatusOK).JSON()
		if changed["first_name"] != "Ada" || changed["username"] != "Ada.L" || changed["locale"] != "fr" {
			t.Errorf("profile: %v", changed)
		}
		if roles, _ := changed["roles"].([]any); len(roles) != 1 {
			t.Errorf("roles: %v", roles)
		}
		cleared := c.Do("PATCH", "/v1/me", app.M{"first_name": ""}).Want(http.StatusOK).JSON()
		if cleared["first_name"] != nil || cleared["username"] != "Ada.L" {
			t.Errorf("profile: %v", cleared)
		}
		s.Client(t, "").SignIn("ADA.L")
		other := signedIn(t, s, "q@example.com", "")
		other.Do("PATCH", "/v1/me", app.M{"username": "ada.l"}).Want(http.StatusConflict, "username_taken")
		other.Do("PATCH", "/v1/me", app.M{"picture": "javascript:alert(1)"}).Want(http.StatusUnprocessableEntity, "invalid_request")
	})
}

func TestLastCredential(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	c.Grant(c.Do("POST", "/v1/sign-up", app.M{"username": "nameonly", "password": app.Password}))
	c.Do("PATCH", "/v1/me", app.M{"username": ""}).Want(http.StatusConflict, "last_credential")
}

func TestChangePassword(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "c@example.com", "")
		c, other := s.Client(t, ""), s.Client(t, "")
		c.SignIn("c@example.com")
		other.SignIn("c@example.com")
		const next = "another threshold"
		s.Log.Secret(next)
		c.Do("POST", "/v1/me/password", app.M{"new_password": next}).Want(http.StatusUnprocessableEntity, "invalid_request")
		c.Do("POST", "/v1/me/password", app.M{"current_password": "not the one", "new_password": next}).Want(http.StatusUnauthorized, "invalid_credentials")
		c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": "short"}).Want(http.StatusUnprocessableEntity, "invalid_request")
		c.Grant(c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": next}))
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		other.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
		s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "c@example.com", "password": app.Password}).Want(http.StatusUnauthorized)
		s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "c@example.com", "password": next}).Want(http.StatusOK)
	})
}

func TestStepUp(t *testing.T) {
	app.Each(t, app.Settings{"deletion-grace": "0s"}, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "step@example.com", "")
		c := s.Client(t, "")
		c.SignIn("step@example.com")
		s.Clock.Advance(10 * time.Minute)
		problem := c.Do("DELETE", "/v1/me", nil).Want(http.StatusForbidden, "reauthentication_required").JSON()
		if factors, _ := problem["factors"].([]any); len(factors) != 2 {
			t.Errorf("factors: %v", problem["factors"])
		}
		c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": "another threshold"}).
			Want(http.StatusForbidden, "reauthentication_required")

		// Another person's attempt is worth nothing.
		eve := signedIn(t, s, "eve@example.com", "")
		hers := eve.Do("POST", "/v1/me/reauthenticate/begin", app.M{}).Want(http.StatusOK).Text("attempt")
		c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": hers, "type": "password", "password": app.Password}).
			Want(http.StatusUnauthorized, "attempt_expired")

		attempt := c.Do("POST", "/v1/me/reauthenticate/begin", app.M{}).Want(http.StatusOK).Text("attempt")
		c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "password", "password": "wrong"}).
			Want(http.StatusUnauthorized, "invalid_credentials")
		before, old := sessions(t, c)[0]["id"], c.Refresh
		c.Grant(c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "password", "password": app.Password}))
		if sessions(t, c)[0]["id"] != before || c.Refresh == old {
			t.Error("a fresh proof must keep the session and renew its tokens")
		}
		c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "password", "password": app.Password}).
			Want(http.StatusUnauthorized, "attempt_expired")
		c.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
		s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "step@example.com", "password": app.Password}).
			Want(http.StatusUnauthorized, "invalid_credentials")
		signedIn(t, s, "step@example.com", "") // the address is free again
	})
}

func TestStepUpByCode(t *testing.T) {
	for _, delivery := range []string{"token", "cookie"} {
		t.Run(delivery, func(t *testing.T) {
			app.Each(t, nil, func(t *testing.T, s *app.Server) {
				c := signedIn(t, s, "code@example.com", delivery)
				s.Clock.Advance(11 * time.Minute)
				c.Do("POST", "/v1/me/password", app.M{"new_password": "another threshold"}).Want(http.StatusForbidden, "reauthentication_required")
				begun := c.Do("POST", "/v1/me/reauthenticate/begin", app.M{"type": "email_code"}).Want(http.StatusOK)
				body := app.M{"attempt": begun.Text("attempt"), "type": "email_code", "code": s.CodeFor(t, "code@example.com")}
				c.Grant(c.Do("POST", "/v1/me/reauthenticate", body))
				// Who proved the mailbox a moment ago may set a password without the old one.
				c.Do("POST", "/v1/me/password", app.M{"new_password": "another threshold"}).Want(http.StatusOK)
			})
		})
	}
}

func TestErrors(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	cases := []struct {
		name, method, path string
		body               any
		header             []string
		status             int
		code               string
	}{
		{"not found", "GET", "/v1/nothing", nil, nil, 404, "not_found"},
		{"method", "PUT", "/v1/me", app.M{}, nil, 405, "method_not_allowed"},
		{"media type", "POST", "/v1/sign-in/password", "{}", []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type"},
		{"malformed", "POST", "/v1/sign-in/password", "{", nil, 400, "malformed_json"},
		{"trailing", "POST", "/v1/sign-in/password", `{"identifier":"a","password":"b"}x`, nil, 400, "malformed_json"},
		{"duplicate", "POST", "/v1/sign-in/password", `{"identifier":"a","identifier":"b","password":"c"}`, nil, 422, "invalid_request"},
		{"wrong type", "POST", "/v1/sign-in/password", `{"identifier":7,"password":"c"}`, nil, 422, "invalid_request"},
		{"nul", "POST", "/v1/sign-in/password", `{"identifier":"a\u0000b","password":"c"}`, nil, 422, "invalid_request"},
		{"large", "POST", "/v1/sign-in/password", `{"identifier":"` + strings.Repeat("a", 70<<10) + `"}`, nil, 413, "payload_too_large"},
		{"missing", "POST", "/v1/sign-in/password", `{}`, nil, 422, "invalid_request"},
		{"unauthenticated", "GET", "/v1/me", nil, nil, 401, "unauthenticated"},
		{"garbage bearer", "GET", "/v1/me", nil, []string{"Authorization", "Bearer x.y.z"}, 401, "unauthenticated"},
		{"basic", "GET", "/v1/me", nil, []string{"Authorization", "Basic eDp5"}, 401, "unauthenticated"},
		{"delivery", "POST", "/v1/sign-in/password", app.M{"identifier": "a", "password": "b"}, []string{"Limen-Delivery", "carrier pigeon"}, 422, "invalid_request"},
		{"host", "GET", "/v1/client", nil, []string{"Host", "evil.example"}, 0, "host_not_allowed"},
		{"no refresh token", "POST", "/v1/token/refresh", nil, nil, 401, "unauthenticated"},
		{"garbage refresh token", "POST", "/v1/token/refresh", app.M{"refresh_token": "lrt_garbage"}, nil, 401, "session_ended"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			answer := c.Do(test.method, test.path, test.body, test.header...)
			if answer.Code() != test.code || test.status != 0 && answer.Status != test.status {
				t.Errorf("%d %s, want %d %s\n%s", answer.Status, answer.Code(), test.status, test.code, answer.Body)
			}
			if answer.Header.Get("Request-Id") == "" {
				t.Error("no Request-Id")
			}
			if test.status == 401 && answer.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}
