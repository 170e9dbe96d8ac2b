package explorer_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/limenauth/limen/internal/testkit/db"
	"github.com/limenauth/limen/internal/testkit/explorer"
)

// TestExplore is the short form of the exploration: the long one is a command.
func TestExplore(t *testing.T) {
	for _, engine := range []string{explorer.SQLite, explorer.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			o := explorer.Defaults()
			o.Engine, o.Runs, o.Workers = engine, 250, 1
			if engine == explorer.Postgres {
				o.Runs = 100
				o.Postgres = db.Server(t)
			}
			report, err := explorer.Explore(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if report.Judged < o.Runs/2 {
				t.Errorf("only %d of %d runs came to a remedy", report.Judged, o.Runs)
			}
			for _, class := range slices.Sorted(maps.Keys(report.Shortest)) {
				f := report.Shortest[class]
				t.Errorf("%s\n%s%s", class, f.Plan, f.Violation)
			}
		})
	}
}

// TestReplay plays a run again from its plan: the steps are the same, and so is what is
// found.
func TestReplay(t *testing.T) {
	s, err := explorer.Open(t.Context(), explorer.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for seed := range uint64(40) {
		first, err := explorer.Run(t.Context(), s, explorer.NewPlan(seed))
		if err != nil {
			t.Fatal(err)
		}
		again, err := explorer.Run(t.Context(), s, first.Plan)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := again.Plan.String(), first.Plan.String(); got != want {
			t.Errorf("played again:\n%s\nthe first time:\n%s", got, want)
		}
		if (again.Violation == nil) != (first.Violation == nil) || first.Violation != nil && again.Violation.Means != first.Violation.Means {
			t.Errorf("%s\nfound %v, then %v", first.Plan, first.Violation, again.Violation)
		}
		if !maps.Equal(first.Taken, again.Taken) {
			t.Errorf("%s\ntook %v, then %v", first.Plan, first.Taken, again.Taken)
		}
	}
}
