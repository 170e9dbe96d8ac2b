package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestStrictRefusalLeavesEvidence: an older token that is refused inside the window ends
// nothing, and the record says that it was used, from where and by what.
func TestStrictRefusalLeavesEvidence(t *testing.T) {
	app.Each(t, app.Settings{"refresh-policy": "strict", "trusted-proxies": "127.0.0.1"}, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "ann@example.com", "")
		first := c.Refresh
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", c.Device))
		s.Clock.Advance(3 * time.Second)
		refusal := s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": first},
			"Limen-Device", c.Device, "X-Forwarded-For", "198.51.100.7", "User-Agent", "curl/8.5.0").Want(http.StatusConflict, "refresh_superseded")
		session := c.Do("GET", "/v1/sessions", nil).Want(http.StatusOK).JSON()["data"].([]any)[0].(map[string]any)["id"]
		rows := s.Look(t, "SELECT outcome, session_id, ip, user_agent, request_id, data FROM event WHERE type = 'session.refresh_refused'")
		if len(rows) != 1 {
			t.Fatalf("%d events tell of the refusal", len(rows))
		}
		if got := rows[0]; got[0] != "refused" || got[1] != session || got[2] != "198.51.100.7" || got[3] != "curl/8.5.0" ||
			got[4] != refusal.Header.Get("Request-Id") || !strings.Contains(got[5], `"superseded"`) {
			t.Errorf("the evidence is %q", got)
		}
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}
