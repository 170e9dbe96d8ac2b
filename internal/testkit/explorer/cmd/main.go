// Command explorer tries what package explorer tries: thefts of accounts and what their
// owners do about them, against the real router in this process. It prints how often each
// step, each remedy and each pair of a thief's last step and a remedy occurred, and for
// each finding its seed and its shortest trace; it fails where there is a finding or, in
// 10,000 runs and more, a step, remedy or pair that never occurred. With -mutants it breaks
// limen's rules one by one and fails where it does not find that. For PostgreSQL it needs a
// server, named by LIMEN_TEST_POSTGRES or found at 127.0.0.1:5432, on which it creates and
// drops databases of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/limenauth/limen/internal/testkit/explorer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o := explorer.Defaults()
	o.Progress = os.Stderr
	flag.StringVar(&o.Engine, "engine", o.Engine, "sqlite or postgres")
	flag.IntVar(&o.Runs, "runs", o.Runs, "how many runs")
	flag.Uint64Var(&o.Seed, "seed", o.Seed, "the seed of the first run; the others count up")
	flag.IntVar(&o.Workers, "workers", o.Workers, "how many servers at once")
	flag.StringVar(&o.Postgres, "postgres", o.Postgres, "a PostgreSQL server whose user may create databases")
	flag.StringVar(&o.Dir, "dir", o.Dir, "where SQLite databases are made")
	first := flag.Bool("first", false, "stop at the first finding, and print nothing but its seed and its kind")
	mutants := flag.Bool("mutants", false, "break the rules one by one, and demand that each is found within the runs")
	flag.Parse()
	do := run
	switch {
	case *first:
		do = firstFinding
	case *mutants:
		do = breakRules
	}
	if err := do(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "explorer:", err)
		os.Exit(1)
	}
}

// complete is how many runs should have had every step, every remedy and every pair.
const complete = 10_000

func run(ctx context.Context, o explorer.Options) error {
	began := time.Now()
	report, err := explorer.Explore(ctx, o)
	report.Print(os.Stdout)
	fmt.Printf("\n%s, seeds %d to %d, %s\n", o.Engine, o.Seed, o.Seed+uint64(o.Runs)-1, time.Since(began).Round(time.Second))
	if err != nil {
		return err
	}
	if len(report.Shortest) > 0 {
		s, err := explorer.Open(ctx, o)
		if err != nil {
			return err
		}
		defer s.Close()
		for _, class := range slices.Sorted(maps.Keys(report.Shortest)) {
			f, err := explorer.Shrink(ctx, s, report.Shortest[class])
			if err != nil {
				return err
			}
			fmt.Printf("\n%s\n%s      %s\n", class, f.Plan, f.Violation)
		}
		return fmt.Errorf("%d kinds of findings", len(report.Shortest))
	}
	if never := report.Never(); len(never) > 0 && o.Runs >= complete {
		return fmt.Errorf("%d steps, remedies or pairs never occurred", len(never))
	}
	return nil
}
