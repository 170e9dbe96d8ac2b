package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options say what is measured, and for how long.
type Options struct {
	// People are the sizes of the databases; each person has three sessions. Every figure
	// is measured with the first, and beside the last for what growth costs.
	People []int
	// Engines are "sqlite" and "postgres".
	Engines []string
	// Figures are the names of those to measure; none means all.
	Figures []string
	// Rounds is how often a figure and its limit take turns, Slice how long each turn is.
	Rounds int
	Slice  time.Duration
	// Postgres is the address of a server whose user may create databases.
	Postgres string
	// Dir is where SQLite databases are made: choose the disk with it.
	Dir string
	// Source is the root of limen's source, to build the binary from; "" leaves the
	// figures of the process out.
	Source string
	// Profiles is a directory that receives a CPU profile of each figure; "" makes none.
	Profiles string
}

// Defaults are what make bench uses: two minutes or so.
func Defaults() Options {
	return Options{
		People: []int{1000, 100_000}, Engines: []string{"sqlite", "postgres"}, Rounds: 5, Slice: time.Second,
		Postgres: cmp.Or(os.Getenv("LIMEN_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"),
		Source:   ".",
	}
}

// clients is how many ask at once where the issue names no other number.
const clients = 16

// wants reports whether a figure is to be measured.
func (o Options) wants(figure string) bool {
	return len(o.Figures) == 0 || slices.Contains(o.Figures, figure)
}

// Run measures and prints a table on out. It fails when something could not be measured;
// a figure that misses its target is printed as such and is no failure.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if len(o.People) == 0 || len(o.Engines) == 0 || o.Rounds < 1 || o.Slice <= 0 {
		return errors.New("bench: people, engines, rounds and a slice are needed")
	}
	fmt.Fprintf(out, "%s %s/%s, %d cores, load %s; %d rounds of %s; CPU includes the client\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), loadAverage(), o.Rounds, o.Slice)
	var errs []error
	for _, engine := range o.Engines {
		errs = append(errs, o.engine(ctx, engine, out))
	}
	if o.Source != "" && o.wants("process") {
		errs = append(errs, o.processes(ctx, out))
	}
	fmt.Fprintf(out, "\nload %s at the end\n", loadAverage())
	return errors.Join(errs...)
}

// engine measures everything on one engine, at each size, and compares the sizes.
func (o Options) engine(ctx context.Context, engine string, out io.Writer) error {
	var sizes []map[string]time.Duration
	for _, people := range o.People {
		t := newTable(fmt.Sprintf("%s, %d people, %d sessions", engine, people, people*sessionsEach))
		costs, err := o.size(ctx, engine, people, t)
		t.print(out)
		if err != nil {
			return fmt.Errorf("%s with %d people: %w", engine, people, err)
		}
		sizes = append(sizes, costs)
	}
	if len(sizes) > 1 {
		growth(engine, o.People, sizes).print(out)
	}
	return nil
}

// size measures on one database and returns what each figure costs: time per operation
// with all clients together.
func (o Options) size(ctx context.Context, engine string, people int, t *table) (costs map[string]time.Duration, err error) {
	h, err := openHouse(ctx, o, engine, people)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	costs = map[string]time.Duration{}
	for _, f := range []struct {
		name    string
		measure func(context.Context, Options, *house, *table) (time.Duration, error)
	}{
		{"me", measureMe}, {"refresh", measureRefresh}, {"sign-in", measureSignIn}, {"storm", measureStorm}, {"deeds", measureDeeds}, {"outbox", measureOutbox},
		{"alike", measureAlike},
	} {
		if !o.wants(f.name) || slices.Contains([]string{"deeds", "outbox", "alike"}, f.name) && people != o.People[0] {
			continue
		}
		stop, err := o.profile(fmt.Sprintf("%s-%s-%d", f.name, engine, people))
		if err != nil {
			return costs, err
		}
		cost, err := f.measure(ctx, o, h, t)
		if err = errors.Join(err, stop()); err != nil {
			return costs, fmt.Errorf("%s: %w", f.name, err)
		}
		if cost > 0 {
			costs[f.name] = cost
		}
	}
	return costs, nil
}

// growth compares the cost of each figure at the last size with the first.
func growth(engine string, people []int, sizes []map[string]time.Duration) *table {
	t := newTable(fmt.Sprintf("%s, what growth from %d to %d people costs", engine, people[0], people[len(people)-1]))
	first, last := sizes[0], sizes[len(sizes)-1]
	for _, name := range []string{"me", "refresh", "sign-in"} {
		if first[name] > 0 && last[name] > 0 {
			times := float64(last[name]) / float64(first[name])
			t.row(name, perOperation(last[name]), perOperation(first[name]), fmt.Sprintf("%.2fx", times), "<= 1.6x", times <= 1.6)
		}
	}
	return t
}

// loadAverage is how busy the machine is, where it can be read.
func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}
