package bench_test

import (
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/bench"
	"github.com/limenauth/limen/internal/testkit/db"
)

// TestBench runs every figure for a moment: the numbers mean nothing, but whoever breaks
// the bench hears of it before the day on which somebody needs it.
func TestBench(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			if engine == "postgres" {
				db.Postgres(t) // or skip
			}
			o := bench.Defaults()
			o.People, o.Engines, o.Rounds, o.Slice, o.Source, o.Dir = []int{150}, []string{engine}, 1, 20*time.Millisecond, "", t.TempDir()
			prints(t, o, "GET /v1/me", "refresh", "sign-in alone", "storm", "p99 of a check", "per deed", "outbox to a local relay", "claim of 50, 1500 rows",
				"alike: sign-up", "alike: wrong code")
			o.People, o.Figures = []int{150, 200}, []string{"me"}
			prints(t, o, "growth from 150 to 200")
		})
	}
}

func prints(t *testing.T, o bench.Options, figures ...string) {
	t.Helper()
	var out strings.Builder
	if err := bench.Run(t.Context(), o, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, figure := range figures {
		if !strings.Contains(out.String(), figure) {
			t.Errorf("%s is missing:\n%s", figure, out.String())
		}
	}
}

func TestBenchRefusesNonsense(t *testing.T) {
	o := bench.Defaults()
	o.Rounds = 0
	if err := bench.Run(t.Context(), o, &strings.Builder{}); err == nil {
		t.Error("no rounds were measured without complaint")
	}
	o = bench.Defaults()
	o.Engines, o.Dir = []string{"abacus"}, t.TempDir()
	if err := bench.Run(t.Context(), o, &strings.Builder{}); err == nil {
		t.Error("an engine that does not exist was measured")
	}
}
