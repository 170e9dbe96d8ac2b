package session_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/refreshsim"
)

var simSeeds = flag.Uint64("sim.seeds", 3000, "how many lives the refresh simulator plays in each world")

// tally is what many lives have in common.
type tally struct {
	lives, requests, grants, repeats, late, relents, signOuts int
	loose, stepUps, changes, cutOff, shutOut                  int
	tried, stolen, loot, caught                               int
	conflicts                                                 map[int]int
	took                                                      []time.Duration
}

func (t *tally) add(r refreshsim.Report) {
	t.lives++
	t.requests += r.Requests
	t.grants += r.Grants
	t.repeats += r.Repeats
	t.late += r.Late
	t.relents += r.Relents
	t.signOuts += r.SignOuts
	t.loose += r.Loose
	t.stepUps += r.StepUps
	t.changes += r.Changes
	t.cutOff += r.CutOff
	if r.ShutOut {
		t.shutOut++
	}
	t.loot += r.Loot
	if r.Tried {
		t.tried++
	}
	if r.Stolen {
		t.stolen++
	}
	if r.Caught {
		t.caught++
		t.conflicts[r.Conflicts]++
		t.took = append(t.took, r.Took)
	}
}

// live plays the lives of all seeds on every core. A broken promise names its seed.
func live(t *testing.T, w refreshsim.World, open refreshsim.Open) tally {
	t.Helper()
	workers := uint64(runtime.GOMAXPROCS(0))
	tallies := make([]tally, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			sum := &tallies[i]
			sum.conflicts = map[int]int{}
			for seed := i; seed < *simSeeds; seed += workers {
				r := refreshsim.Run(seed, w, open)
				for _, v := range r.Violations {
					t.Errorf("seed %d, %s, %s: %s", seed, w.Policy, w.Thief, v)
				}
				if t.Failed() {
					return
				}
				sum.add(r)
			}
		})
	}
	wg.Wait()
	all := tally{conflicts: map[int]int{}}
	for _, s := range tallies {
		all.lives += s.lives
		all.requests += s.requests
		all.grants += s.grants
		all.repeats += s.repeats
		all.late += s.late
		all.relents += s.relents
		all.signOuts += s.signOuts
		all.loose += s.loose
		all.stepUps += s.stepUps
		all.changes += s.changes
		all.cutOff += s.cutOff
		all.shutOut += s.shutOut
		all.tried += s.tried
		all.stolen += s.stolen
		all.loot += s.loot
		all.caught += s.caught
		for n, c := range s.conflicts {
			all.conflicts[n] += c
		}
		all.took = append(all.took, s.took...)
	}
	slices.Sort(all.took)
	t.Logf("%s, %s: %d lives, %d requests, %d grants, %d of them repeated in the window, %d recovered late, %d times more bad luck than promised against; honest sign-outs: %d of bound sessions, %d of others; %d step-ups, %d changed passwords, after %d of which the person's own browser missed the answer",
		w.Policy, w.Thief, all.lives, all.requests, all.grants, all.repeats, all.late, all.relents, all.signOuts, all.loose, all.stepUps, all.changes, all.cutOff)
	return all
}

// A person without enemies, in a world that loses, repeats, reorders and crashes: under
// the policy resilient nobody is ever signed out.
func TestRefreshSimHonest(t *testing.T) {
	all := live(t, refreshsim.Default(session.Resilient, refreshsim.NoThief), refreshsim.Memory)
	if all.signOuts != 0 {
		t.Errorf("%d honest sign-outs", all.signOuts)
	}
	if all.late*1000 < all.grants || all.repeats*1000 < all.grants {
		t.Error("the world is too kind to prove anything")
	}
	if all.stepUps < all.lives || all.changes*10 < all.lives || all.cutOff == 0 || all.cutOff*5 > all.changes {
		t.Errorf("%d step-ups, %d changed passwords, %d of them missed", all.stepUps, all.changes, all.cutOff)
	}
}

// The same under strict: what single use to the letter costs.
func TestRefreshSimHonestStrict(t *testing.T) {
	all := live(t, refreshsim.Default(session.Strict, refreshsim.NoThief), refreshsim.Memory)
	if all.late != 0 || all.repeats != 0 {
		t.Error("a token was used twice")
	}
	t.Logf("strict signs out %.2f honest sessions of 1000 requests", 1000*float64(all.signOuts)/float64(all.requests))
}

// Without the device secret a token is refused at the first try, under both policies.
func TestRefreshSimBareThief(t *testing.T) {
	for _, policy := range []session.Policy{session.Resilient, session.Strict} {
		all := live(t, refreshsim.Default(policy, refreshsim.Bare), refreshsim.Memory)
		if all.tried == 0 || all.loot != 0 || policy == session.Resilient && all.signOuts != 0 {
			t.Errorf("%s: %d tries, %d tokens", policy, all.tried, all.loot)
		}
		if all.shutOut == 0 {
			t.Errorf("%s: no changed password shut a thief out", policy)
		}
		t.Logf("%s: %d tries, no token; %d copies were worthless after a changed password", policy, all.tried, all.shutOut)
	}
}

// A thief with a copy of everything cannot be told from the person until both have
// refreshed. How many conflicts that takes:
func TestRefreshSimFullThief(t *testing.T) {
	for _, policy := range []session.Policy{session.Resilient, session.Strict} {
		all := live(t, refreshsim.Default(policy, refreshsim.Full), refreshsim.Memory)
		if all.caught == 0 || all.shutOut == 0 {
			t.Fatalf("%s: %d thieves were caught, %d shut out", policy, all.caught, all.shutOut)
		}
		text, more := "", all.caught
		for n := 1; n <= 8; n++ {
			text += fmt.Sprintf(" %d: %.2f%%,", n, 100*float64(all.conflicts[n])/float64(all.caught))
			more -= all.conflicts[n]
		}
		text += fmt.Sprintf(" more: %.2f%%", 100*float64(more)/float64(all.caught))
		t.Logf("%s: of %d thieves %d were caught before the life ended, %d shut out by a changed password; conflicts until then:%s; time until then: median %v, 9 of 10 within %v; tokens each: %.1f",
			policy, all.stolen, all.caught, all.shutOut, text, all.took[len(all.took)/2].Round(time.Minute), all.took[len(all.took)*9/10].Round(time.Minute),
			float64(all.loot)/float64(all.stolen))
	}
}

// What lies beyond the conditions of the promise, measured: worse luck than the
// allowance of late recoveries, and tabs that refresh apart from each other. The other
// promises hold there too.
func TestRefreshSimBeyond(t *testing.T) {
	for _, beyond := range []func(*refreshsim.World){
		func(w *refreshsim.World) { w.Unlucky = true },
		func(w *refreshsim.World) { w.Apart = true },
	} {
		w := refreshsim.Default(session.Resilient, refreshsim.NoThief)
		beyond(&w)
		all := live(t, w, refreshsim.Memory)
		t.Logf("unlucky %v, apart %v: %.3f honest sign-outs of 1000 requests", w.Unlucky, w.Apart, 1000*float64(all.signOuts)/float64(all.requests))
	}
}

// One life is always the same.
func TestRefreshSimRepeats(t *testing.T) {
	for seed := range uint64(20) {
		w := refreshsim.Default(session.Resilient, refreshsim.Full)
		if a, b := fmt.Sprint(refreshsim.Run(seed, w, refreshsim.Memory)), fmt.Sprint(refreshsim.Run(seed, w, refreshsim.Memory)); a != b {
			t.Fatalf("seed %d: %s, then %s", seed, a, b)
		}
	}
}
