package api_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/limenauth/limen/internal/testkit/app"
)

// Every event that a request leaves names the request as its answer and the log do,
// whichever package left it.
func TestEventsNameTheirRequest(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		const email = "mara@example.com"
		seen := map[string]bool{}
		c, stranger, page := s.Client(t, ""), s.Client(t, ""), s.Client(t, "")
		do := func(c *app.Client, method, path string, body any, header ...string) *app.Answer {
			t.Helper()
			a := c.Do(method, path, body, header...)
			seen[a.Header.Get("Request-Id")] = true
			return a
		}
		page.Header.Set("Origin", s.URL)
		page.Header.Set("Sec-Fetch-Site", "same-origin")
		signIn := app.M{"identifier": email, "password": app.Password}

		owed := do(c, "POST", "/v1/sign-up", app.M{"email": email, "password": app.Password}).Want(http.StatusOK)
		do(c, "POST", "/v1/sign-in/code", app.M{"attempt": owed.Text("attempt"), "code": "000000"})
		c.Grant(do(c, "POST", "/v1/sign-in/code", app.M{"attempt": owed.Text("attempt"), "code": s.CodeFor(t, email)}))
		do(stranger, "POST", "/v1/sign-in/password", app.M{"identifier": email, "password": "wrong on purpose"}).Want(http.StatusUnauthorized)
		do(page, "POST", "/sign-in", url.Values{"identifier": {email}, "password": {app.Password}}).Want(http.StatusSeeOther)
		stranger.Grant(do(stranger, "POST", "/v1/sign-in/password", signIn))
		first, device := stranger.Refresh, stranger.Device
		stranger.Grant(do(stranger, "POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", device))
		stranger.Grant(do(stranger, "POST", "/v1/token/refresh", app.M{"refresh_token": stranger.Refresh}, "Limen-Device", device))
		do(stranger, "POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", device).Want(http.StatusUnauthorized, "refresh_reused")
		do(c, "PATCH", "/v1/me", app.M{"first_name": "Mara"}).Want(http.StatusOK)
		do(stranger.Without(), "POST", "/v1/recovery", app.M{"email": email}).Want(http.StatusAccepted)
		do(c, "POST", "/v1/sign-out", app.M{"scope": "others"}).Want(http.StatusNoContent)

		types := map[string]bool{}
		for _, row := range s.Look(t, `SELECT type, request_id FROM event`) {
			if types[row[0]] = true; !seen[row[1]] {
				t.Errorf("%s names the request %q, which no answer does", row[0], row[1])
			}
		}
		for _, kind := range []string{"sign_in.failed", "sign_in.succeeded", "session.refresh_reused", "code.wrong", "profile.changed", "session.ended_all"} {
			if !types[kind] {
				t.Errorf("no %s: %v", kind, types)
			}
		}
		answer := do(c, "GET", "/v1/me/events?limit=1", nil).Want(http.StatusOK)
		data, _ := answer.JSON()["data"].([]any)
		if newest, _ := data[0].(map[string]any); len(data) != 1 || !seen[newest["request_id"].(string)] {
			t.Errorf("the person sees %s", answer.Body)
		}
	})
}
