package metrics_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/metrics"
)

func TestNumbersAreServed(t *testing.T) {
	m := metrics.New()
	m.Request("GET /v1/me", 200, 3*time.Millisecond)
	m.Request("GET /v1/me", 204, 3*time.Millisecond)
	m.Request("-", 404, 0)
	m.Refused("not_found")
	m.Granted("password")
	m.Refreshed("rotate")
	m.Refreshed("rotate")
	m.FellBack()
	m.WatchQueue(func() metrics.Queue { return metrics.Queue{Running: 1, Waiting: 2, Done: 3, Refused: 4} })
	m.WatchOutbox(func() []metrics.Lane { return []metrics.Lane{{Name: "campaign", Waiting: 5, Oldest: 90 * time.Second}} })
	m.Letter("interactive", "sent")
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	lines := strings.Split(w.Body.String(), "\n")
	for _, want := range []string{
		`limen_requests_total{class="2xx",route="GET /v1/me"} 2`,
		`limen_requests_total{class="4xx",route="-"} 1`,
		`limen_request_seconds_count{route="GET /v1/me"} 2`,
		`limen_request_seconds_bucket{route="GET /v1/me",le="0.0025"} 0`,
		`limen_request_seconds_bucket{route="GET /v1/me",le="0.005"} 2`,
		`limen_refusals_total{code="not_found"} 1`,
		`limen_grants_total{method="password"} 1`,
		`limen_refreshes_total{outcome="rotate"} 2`,
		`limen_limiter_fallback_total 1`,
		`limen_hash_running 1`, `limen_hash_waiting 2`, `limen_hash_done_total 3`, `limen_hash_refused_total 4`,
		`limen_outbox_waiting{lane="campaign"} 5`, `limen_outbox_oldest_due_seconds{lane="campaign"} 90`,
		`limen_letters_total{lane="interactive",outcome="sent"} 1`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q", want)
		}
	}
}

// Two servers in one program count apart.
func TestSetsAreApart(t *testing.T) {
	a, b := metrics.New(), metrics.New()
	a.Refused("x")
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if strings.Contains(w.Body.String(), `code="x"`) {
		t.Error("one set counts what happened to the other")
	}
}

func TestNilCountsNothing(t *testing.T) {
	var m *metrics.Metrics
	m.Request("x", 200, 0)
	m.Refused("x")
	m.Granted("x")
	m.Refreshed("x")
	m.FellBack()
	m.WatchQueue(nil)
	m.WatchOutbox(nil)
	m.Letter("interactive", "sent")
}
