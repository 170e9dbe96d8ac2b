package explorer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
)

// Options say what to explore.
type Options struct {
	Engine   string
	Runs     int
	Seed     uint64 // of the first run; each run counts it up
	Workers  int
	Dir      string    // where databases of SQLite are made
	Postgres string    // the server on which databases are made
	Progress io.Writer // told of every thousandth run; may be nil
	// First is told of the first finding, with which the exploration ends; nil goes on.
	First func(Finding)
}

// Defaults are the options of a long exploration on SQLite: as many servers as there are
// processors, in memory where the system has a place for that.
func Defaults() Options {
	o := Options{
		Engine: SQLite, Runs: 20_000, Seed: 1, Workers: runtime.NumCPU(),
		Postgres: cmp.Or(os.Getenv("LIMEN_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"),
	}
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		o.Dir = "/dev/shm"
	}
	return o
}

// runsPerServer bounds a database and how far its clock gets.
const runsPerServer = 250

// Explore plays runs on several servers at once and sums them up.
func Explore(ctx context.Context, o Options) (*Report, error) {
	total := NewReport()
	var mu sync.Mutex
	var failed error
	seeds := make(chan uint64)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var workers sync.WaitGroup
	for range max(1, o.Workers) {
		workers.Go(func() {
			report, err := work(ctx, o, seeds)
			mu.Lock()
			defer mu.Unlock()
			total.Merge(report)
			if err != nil {
				failed = errors.Join(failed, err)
				cancel()
			}
			if o.First != nil && len(report.Shortest) > 0 {
				cancel()
			}
		})
	}
	for n := range o.Runs {
		if n > 0 && n%1000 == 0 && o.Progress != nil {
			fmt.Fprintf(o.Progress, "%d runs\n", n)
		}
		select {
		case seeds <- o.Seed + uint64(n):
			continue
		case <-ctx.Done():
		}
		break
	}
	close(seeds)
	workers.Wait()
	return total, failed
}

// work plays the seeds that come, each server for some of them.
func work(ctx context.Context, o Options, seeds <-chan uint64) (r *Report, err error) {
	r = NewReport()
	var s *Server
	defer func() {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	n := 0
	for seed := range seeds {
		if s == nil || n%runsPerServer == 0 {
			if s != nil {
				if err := s.Close(); err != nil {
					return r, err
				}
			}
			if s, err = Open(ctx, o); err != nil {
				return r, err
			}
		}
		n++
		one, err := Run(ctx, s, NewPlan(seed))
		if err != nil {
			return r, err
		}
		r.Add(one)
		if o.First != nil && one.Violation != nil {
			o.First(Finding{one.Plan, *one.Violation})
			return r, nil
		}
	}
	return r, nil
}
