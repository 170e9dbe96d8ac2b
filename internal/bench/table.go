package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"text/tabwriter"
	"time"
)

// table is what is printed of one database: a figure, its bare limit, their ratio, the
// target, and whether it is met.
type table struct {
	title string
	rows  [][6]string
	notes []string
}

func newTable(title string) *table { return &table{title: title} }

// note adds a line that has no limit.
func (t *table) note(text string) { t.notes = append(t.notes, text) }

func (t *table) row(figure, ours, limit, ratio, target string, met bool) {
	verdict := "ok"
	if !met {
		verdict = "MISSED"
	}
	if target == "" {
		verdict = ""
	}
	t.rows = append(t.rows, [6]string{figure, ours, limit, ratio, target, verdict})
}

// duel adds what came of a figure and its limit.
func (t *table) duel(figure string, pairs []pair, least float64) {
	ratio := median(pairs, func(p pair) float64 { return p.ours.rate() / p.bare.rate() })
	t.row(figure, rateAndCost(pairs, pair.left), rateAndCost(pairs, pair.right), percent(ratio), ">= "+percent(least), ratio >= least)
}

func (p pair) left() sample  { return p.ours }
func (p pair) right() sample { return p.bare }

func rateAndCost(pairs []pair, side func(pair) sample) string {
	rate := median(pairs, func(p pair) float64 { return side(p).rate() })
	cpu := median(pairs, func(p pair) float64 { return float64(side(p).perOp()) })
	p99 := median(pairs, func(p pair) float64 { return float64(side(p).within(.99)) })
	return fmt.Sprintf("%.0f/s, %s CPU, p99 %s", rate, time.Duration(cpu).Round(time.Microsecond/10), short(time.Duration(p99)))
}

func perOperation(d time.Duration) string { return short(d) + " each" }

func percent(ratio float64) string { return fmt.Sprintf("%.0f %%", 100*ratio) }

// short is d with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}

func (t *table) print(out io.Writer) {
	if len(t.rows)+len(t.notes) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", t.title)
	defer func() {
		for _, n := range t.notes {
			fmt.Fprintf(out, "  %s\n", n)
		}
	}()
	if len(t.rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  figure\tlimen\tbare limit\tratio\ttarget\t")
	for _, r := range t.rows {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", r[0], r[1], r[2], r[3], r[4], r[5])
	}
	_ = w.Flush()
}

// profile begins a CPU profile with that name, if any are wanted.
func (o Options) profile(name string) (stop func() error, err error) {
	if o.Profiles == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(filepath.Join(o.Profiles, name+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
