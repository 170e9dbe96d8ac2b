package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestSweep: what has expired goes, what lives stays.
func TestSweep(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		old := signedIn(t, s, "old@example.com", "")
		old.Do("POST", "/v1/sign-out", app.M{"scope": "local"}).Want(http.StatusNoContent)
		s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "never@example.com", "password": app.Password}).Want(http.StatusOK)
		s.CodeFor(t, "never@example.com")
		count := func() map[string]int {
			out := map[string]int{}
			for _, e := range mustEvents(t, s, "old@example.com") {
				out[e]++
			}
			return out
		}
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if count()["session.ended"] == 0 {
			t.Error("a fresh event was swept away")
		}
		revoked, err := s.Store.Revocations(t.Context(), time.Time{}, "", s.Clock.Now(), 10)
		if err != nil || len(revoked) != 1 {
			t.Errorf("a revocation in force was swept away: %v %v", revoked, err)
		}
		s.Clock.Advance(366 * day)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := count(); len(left) != 0 {
			t.Errorf("events left: %v", left)
		}
		who, found, err := s.Store.AccountByEmail(t.Context(), "old@example.com")
		if err != nil || !found {
			t.Fatal("a person was swept away", err)
		}
		if sessions, err := s.Store.SessionsOf(t.Context(), who.ID, 10); err != nil || len(sessions) != 0 {
			t.Errorf("sessions left: %d %v", len(sessions), err)
		}
		s.Client(t, "").SignIn("old@example.com")
	})
}

// mustEvents lists the types of a person's events without signing in.
func mustEvents(t *testing.T, s *app.Server, email string) []string {
	t.Helper()
	who, found, err := s.Store.AccountByEmail(t.Context(), email)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	events, err := s.Store.EventsOf(t.Context(), who.ID, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range events {
		types = append(types, string(e.Type))
	}
	return types
}
