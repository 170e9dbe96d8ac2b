package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/testkit/app"
)

// sprays are the events of sprayed passwords, by scope.
func sprays(t *testing.T, s *app.Server) (network, anywhere int) {
	t.Helper()
	for _, row := range s.Look(t, "SELECT data FROM event WHERE type = 'sign_in.password_sprayed'") {
		if strings.Contains(row[0], `"scope":"network"`) {
			network++
		} else {
			anywhere++
		}
	}
	return network, anywhere
}

// TestOnePasswordForManyPeople leaves evidence, whether they exist or not, and shows in no
// answer. Many passwords for many people are something else.
func TestOnePasswordForManyPeople(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "person-3@example.com", "")
		try := func(n int, password, from string) {
			got := s.Client(t, "").Do("POST", "/v1/sign-in/password",
				app.M{"identifier": "person-" + toText(n) + "@example.com", "password": password}, "X-Forwarded-For", from)
			got.Want(http.StatusUnauthorized, "invalid_credentials")
		}
		const sprayed = "Spring2026! of many"
		for n := range 3 * auth.SprayedByNetwork { // each another password, and one person with one again and again
			try(n, "password "+toText(n), network(1))
			if n < 9 {
				try(1000, sprayed, network(1))
			}
		}
		if here, anywhere := sprays(t, s); here != 0 || anywhere != 0 {
			t.Errorf("nothing was sprayed, and %d and %d events tell of it", here, anywhere)
		}
		for n := range auth.SprayedByNetwork - 1 {
			try(n, sprayed, network(2))
		}
		if here, _ := sprays(t, s); here != 0 {
			t.Error("an event comes too early")
		}
		try(auth.SprayedByNetwork, sprayed, network(2))
		if here, anywhere := sprays(t, s); here != 1 || anywhere != 0 {
			t.Errorf("%d and %d events, want one of a network", here, anywhere)
		}
		for n := range auth.SprayedByAnywhere { // from everywhere
			try(100+n, sprayed, network(10+n))
		}
		if here, anywhere := sprays(t, s); here != 1 || anywhere != 1 {
			t.Errorf("%d and %d events, want one of each", here, anywhere)
		}
		s.Clock.Advance(2 * time.Hour)
		for n := range auth.SprayedByNetwork - 1 {
			try(n, sprayed, network(2))
		}
		if here, _ := sprays(t, s); here != 1 {
			t.Error("what was tried two hours ago counts")
		}
		s.Log.Secret(sprayed) // it stands nowhere in the log
		w := httptest.NewRecorder()
		s.Metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		text := w.Body.String()
		for _, line := range []string{`limen_password_sprays_total{scope="network"} 1`, `limen_password_sprays_total{scope="anywhere"} 1`} {
			if !strings.Contains(text, line) {
				t.Errorf("the metrics lack %s", line)
			}
		}
		for _, row := range s.Look(t, "SELECT data FROM event") {
			if strings.Contains(row[0], "Spring") {
				t.Errorf("an event holds the password: %s", row[0])
			}
		}
	})
}
