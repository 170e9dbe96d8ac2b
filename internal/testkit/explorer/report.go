package explorer

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Finding is a run that violated an oracle.
type Finding struct {
	Plan      *Plan
	Violation Violation
}

// Report sums up runs.
type Report struct {
	Runs, Judged  int
	Taken         map[string]int
	Refused       map[string]int
	Remedies      map[string]int
	Pairs         map[[2]string]int // the thief's last step and the remedy
	Findings      map[string]int    // by what was violated
	Shortest      map[string]Finding
	WithoutRemedy int
}

// NewReport is an empty one.
func NewReport() *Report {
	return &Report{
		Taken: map[string]int{}, Refused: map[string]int{}, Remedies: map[string]int{}, Pairs: map[[2]string]int{},
		Findings: map[string]int{}, Shortest: map[string]Finding{},
	}
}

// Class sorts a finding by what was violated after which remedy.
func (f Finding) Class() string {
	remedy := "no remedy"
	if f.Plan.Remedy != nil {
		remedy = f.Plan.Remedy.Kind
	}
	return "oracle " + f.Violation.Oracle + ": " + f.Violation.Means + ", after " + remedy
}

// Add counts a run.
func (r *Report) Add(one Result) {
	r.Runs++
	for name, n := range one.Taken {
		r.Taken[name] += n
	}
	for name, n := range one.Refused {
		r.Refused[name] += n
	}
	if one.Judged {
		r.Judged++
		r.Remedies[one.Plan.Remedy.Kind]++
		if one.Plan.Variant != NoThief {
			last := one.Last
			if last == "" {
				last = "theft"
			}
			r.Pairs[[2]string{last, one.Plan.Remedy.Kind}]++
		}
	} else if one.Violation == nil {
		r.WithoutRemedy++
	}
	if one.Violation == nil {
		return
	}
	f := Finding{one.Plan, *one.Violation}
	class := f.Class()
	r.Findings[class]++
	if known, found := r.Shortest[class]; !found || len(f.Plan.Steps) < len(known.Plan.Steps) {
		r.Shortest[class] = f
	}
}

// Merge adds the runs of another report.
func (r *Report) Merge(o *Report) {
	r.Runs, r.Judged, r.WithoutRemedy = r.Runs+o.Runs, r.Judged+o.Judged, r.WithoutRemedy+o.WithoutRemedy
	add(r.Taken, o.Taken)
	add(r.Refused, o.Refused)
	add(r.Remedies, o.Remedies)
	add(r.Pairs, o.Pairs)
	add(r.Findings, o.Findings)
	for class, f := range o.Shortest {
		if known, found := r.Shortest[class]; !found || len(f.Plan.Steps) < len(known.Plan.Steps) {
			r.Shortest[class] = f
		}
	}
}

func add[K comparable](to, from map[K]int) {
	for k, n := range from {
		to[k] += n
	}
}

// Never lists the steps, remedies and pairs that no run had.
func (r *Report) Never() (out []string) {
	for _, name := range stepNames() {
		if r.Taken[name] == 0 {
			out = append(out, "step "+name)
		}
	}
	for _, kind := range remedyKinds {
		if r.Remedies[kind] == 0 {
			out = append(out, "remedy "+kind)
		}
		for _, op := range thiefOperations() {
			if r.Pairs[[2]string{op, kind}] == 0 {
				out = append(out, "pair "+op+", "+kind)
			}
		}
	}
	return out
}

var remedyKinds = []string{Undo, NotMe, Keep, Recovery, EndSessions}

func thiefOperations() (out []string) {
	for _, o := range operations {
		if o.who != "owner" {
			out = append(out, o.name)
		}
	}
	return out
}

func stepNames() (out []string) {
	for _, o := range operations {
		for _, who := range []string{"owner", "thief"} {
			if o.who == "" || o.who == who {
				out = append(out, who+" "+o.name)
			}
		}
	}
	for _, d := range clockSteps {
		out = append(out, "clock "+d)
	}
	return append(out, "thief theft")
}

// Print writes what the runs did and found.
func (r *Report) Print(out io.Writer) {
	fmt.Fprintf(out, "%d runs, %d judged, %d in which no remedy had reached the owner\n\nsteps: done, refused\n", r.Runs, r.Judged, r.WithoutRemedy)
	for _, name := range stepNames() {
		fmt.Fprintf(out, "  %-32s %8d %8d\n", name, r.Taken[name], r.Refused[name])
	}
	fmt.Fprintf(out, "\nthe thief's last step, and the remedy\n  %-32s", "")
	for _, kind := range remedyKinds {
		fmt.Fprintf(out, " %18s", kind)
	}
	for _, op := range append(thiefOperations(), "theft") {
		fmt.Fprintf(out, "\n  %-32s", op)
		for _, kind := range remedyKinds {
			fmt.Fprintf(out, " %18d", r.Pairs[[2]string{op, kind}])
		}
	}
	fmt.Fprintf(out, "\n  %-32s", "all, with and without a thief")
	for _, kind := range remedyKinds {
		fmt.Fprintf(out, " %18d", r.Remedies[kind])
	}
	never := r.Never()
	fmt.Fprintf(out, "\n\nnever: %d %s\n", len(never), strings.Join(never[:min(len(never), 40)], "; "))
	fmt.Fprintln(out, "\nfindings:", len(r.Findings), "kinds")
	for _, class := range slices.Sorted(maps.Keys(r.Findings)) {
		fmt.Fprintf(out, "  %6d  %s\n", r.Findings[class], class)
	}
}

// Shrink plays a finding again with fewer steps for as long as the same is violated.
func Shrink(ctx context.Context, s *Server, f Finding) (Finding, error) {
	for smaller := true; smaller; {
		smaller = false
		for n := len(f.Plan.Steps) - 1; n >= 0; n-- {
			plan := *f.Plan
			plan.First = f.Violation.Means
			plan.Steps = slices.Delete(slices.Clone(f.Plan.Steps), n, n+1)
			r, err := Run(ctx, s, &plan)
			if err != nil {
				return f, err
			}
			if r.Violation == nil {
				continue
			}
			if g := (Finding{r.Plan, *r.Violation}); g.Class() == f.Class() {
				f, smaller = g, true
			}
		}
	}
	return f, nil
}
