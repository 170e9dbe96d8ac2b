package slots_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/slots"
)

const hash = 20 * time.Millisecond // what the work of these tests lasts, in fake time

// most runs n pieces of work at once and returns how many ran side by side.
func most(t *testing.T, q *slots.Queue, n int) int {
	t.Helper()
	var running, peak atomic.Int32
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			err := q.Do(t.Context(), func() {
				now := running.Add(1)
				for was := peak.Load(); now > was && !peak.CompareAndSwap(was, now); was = peak.Load() {
				}
				time.Sleep(hash)
				running.Add(-1)
			})
			if err != nil {
				t.Errorf("Do: %v", err)
			}
		})
	}
	all.Wait()
	return int(peak.Load())
}

func TestEveryCoreWhileAloneOneFewerWhileServing(t *testing.T) {
	for _, c := range []struct{ cores, alone, serving int }{{0, 1, 1}, {1, 1, 1}, {2, 2, 1}, {4, 4, 3}} {
		synctest.Test(t, func(t *testing.T) {
			q := slots.New(c.cores, 100, time.Now)
			if got := most(t, q, 20); got != c.alone {
				t.Errorf("%d cores alone: %d at once, want %d", c.cores, got, c.alone)
			}
			q.Serving()()
			if got := q.Stats().Bound; got != c.serving {
				t.Errorf("%d cores while serving: a bound of %d, want %d", c.cores, got, c.serving)
			}
			stop := make(chan struct{})
			go func() { // a check that returns every millisecond
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
						q.Serving()()
					}
				}
			}()
			if got := most(t, q, 20); got != c.serving {
				t.Errorf("%d cores while serving: %d at once, want %d", c.cores, got, c.serving)
			}
			close(stop)
		})
	}
}

// The memory of a served request fades after Window, counted from its begin and from its
// end; a stream that stays open does not hold a core.
func TestServingFades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := slots.New(4, 100, time.Now)
		done := q.Serving()
		time.Sleep(slots.Window - 1)
		if b := q.Stats().Bound; b != 3 {
			t.Errorf("a bound of %d within the window", b)
		}
		time.Sleep(time.Nanosecond)
		if b := q.Stats().Bound; b != 4 {
			t.Errorf("a bound of %d while a stream stays open", b)
		}
		done()
		if b := q.Stats().Bound; b != 3 {
			t.Errorf("a bound of %d after its end", b)
		}
		time.Sleep(slots.Window)
		if b := q.Stats().Bound; b != 4 {
			t.Errorf("a bound of %d after the window", b)
		}
	})
}

// When the bound rises, the line moves up with the next release or arrival.
func TestLineMovesUpWhenTheBoundRises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := slots.New(4, 100, time.Now)
		q.Serving()()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { q.Do(t.Context(), func() { time.Sleep(slots.Window + hash) }) })
		}
		synctest.Wait()
		if s := q.Stats(); s.Running != 3 || s.Waiting != 5 {
			t.Errorf("%+v", s)
		}
		time.Sleep(slots.Window)
		all.Go(func() { q.Do(t.Context(), func() {}) })
		synctest.Wait()
		if s := q.Stats(); s.Running != 4 || s.Waiting != 5 {
			t.Errorf("after the window: %+v", s)
		}
		all.Wait()
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := slots.New(1, 100, time.Now)
		var order []int
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() { q.Do(t.Context(), func() { order = append(order, i); time.Sleep(hash) }) })
			synctest.Wait() // so that they arrive in this order
		}
		all.Wait()
		if !slices.IsSorted(order) || len(order) != 20 {
			t.Errorf("order: %v", order)
		}
		if s := q.Stats(); s.Waited != hash*(19*20/2) || s.Average != hash || s.Done != 20 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhoLeavesCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := slots.New(1, 2, time.Now)
		var all sync.WaitGroup
		all.Go(func() { q.Do(t.Context(), func() { time.Sleep(hash) }) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			all.Go(func() {
				if err := q.Do(ctx, func() { t.Error("ran all the same") }); !errors.Is(err, context.Canceled) {
					t.Errorf("a caller who left: %v", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if s := q.Stats(); s.Waiting != 0 || s.Left != 2 || s.Running != 1 {
			t.Errorf("%+v", s)
		}
		began := time.Now()
		if err := q.Do(t.Context(), func() {}); err != nil || time.Since(began) != hash {
			t.Errorf("their places are not free: %v after %v", err, time.Since(began))
		}
		all.Wait()
		if err := q.Do(ctx, func() { t.Error("ran all the same") }); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who had left before: %v", err)
		}
		if s := q.Stats(); s.Done != 2 || s.Running != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A caller that leaves in the very moment its turn comes does not run, and its slot is
// not lost.
func TestLeavingAsTheTurnComes(t *testing.T) {
	q := slots.New(1, 1, time.Now)
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			q.Do(t.Context(), func() {
				all.Go(func() {
					if err := q.Do(ctx, func() { t.Error("ran all the same") }); !errors.Is(err, context.Canceled) {
						t.Errorf("Do: %v", err)
					}
				})
				for q.Stats().Waiting == 0 {
					runtime.Gosched()
				}
				cancel() // and the slot is free at once
			})
		})
		all.Wait()
		if s := q.Stats(); s.Running != 0 || s.Waiting != 0 {
			t.Fatalf("%+v", s)
		}
	}
}

func TestAFullLineIsRefusedWithATimeToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 300 * time.Millisecond
		q := slots.New(2, 9, time.Now)
		if err := q.Do(t.Context(), func() { time.Sleep(slow) }); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 11 {
			all.Go(func() {
				if err := q.Do(t.Context(), func() { time.Sleep(slow) }); err != nil {
					t.Errorf("Do: %v", err)
				}
			})
		}
		synctest.Wait()
		err := q.Do(t.Context(), func() { t.Error("ran all the same") })
		if !errors.Is(err, fault.ErrUnavailable) {
			t.Fatalf("the line is full: %v", err)
		}
		if wait := fault.Of(err).RetryAfter; wait != 2*time.Second { // 10 in line, 2 at once, 0.3 s each: 1.8 s
			t.Errorf("come back after %v", wait)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.Do(gone, func() { t.Error("ran all the same") }); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who had left before it came: %v", err)
		}
		if s := q.Stats(); s.Refused != 1 || s.Waiting != 9 || s.Running != 2 {
			t.Errorf("%+v", s)
		}
		all.Wait()
	})
}

func TestRetryAfterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for slow, want := range map[time.Duration]time.Duration{time.Microsecond: time.Second, time.Hour: 30 * time.Second} {
			q := slots.New(1, 0, time.Now)
			q.Do(t.Context(), func() { time.Sleep(slow) })
			go q.Do(t.Context(), func() { time.Sleep(slow) })
			synctest.Wait()
			if wait := fault.Of(q.Do(t.Context(), func() {})).RetryAfter; wait != want {
				t.Errorf("work of %v: come back after %v, want %v", slow, wait, want)
			}
			time.Sleep(slow)
		}
	})
}

func TestAPanicFreesItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := slots.New(1, 1, time.Now)
		func() {
			defer func() { recover() }()
			q.Do(t.Context(), func() { panic("hash") })
		}()
		if s := q.Stats(); s.Running != 0 || s.Done != 0 {
			t.Errorf("%+v", s)
		}
		if err := q.Do(t.Context(), func() {}); err != nil {
			t.Errorf("Do: %v", err)
		}
	})
}

func TestMemory(t *testing.T) {
	if m := slots.New(4, 0, time.Now).Memory(19 << 20); m != 76<<20 {
		t.Errorf("%d", m)
	}
}

func TestServingAllocatesNothing(t *testing.T) {
	q := slots.New(4, 0, time.Now)
	if n := testing.AllocsPerRun(100, func() { q.Serving()() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A clock that is set back must not keep a core free for ever.
func TestClockSetBack(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	q := slots.New(4, 0, func() time.Time { return now })
	q.Serving()()
	if now = now.Add(-time.Hour); q.Stats().Bound != 4 {
		t.Errorf("%+v", q.Stats())
	}
}

// Whatever arrives, leaves and is served, in whatever order: everybody who stays is let
// through exactly once and in order, nobody else is, the slots are never exceeded and
// none is lost.
func TestQueueProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type caller struct{ arrives, works, patience time.Duration }
		ms := func(label string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(rt, label)) * time.Millisecond
		}
		cores, most := rapid.IntRange(1, 4).Draw(rt, "cores"), rapid.IntRange(0, 10).Draw(rt, "line")
		callers := make([]caller, rapid.IntRange(1, 40).Draw(rt, "callers"))
		for i := range callers {
			callers[i] = caller{ms("arrives", 200), ms("works", 40), ms("patience", 200)}
		}
		slices.SortStableFunc(callers, func(a, b caller) int { return int(a.arrives - b.arrives) })
		serves := make([]time.Duration, rapid.IntRange(0, 10).Draw(rt, "serves"))
		for i := range serves {
			serves[i] = ms("serves", 400)
		}
		synctest.Test(t, func(t *testing.T) {
			q := slots.New(cores, most, time.Now)
			var all sync.WaitGroup
			var ran, left, refused, running atomic.Int64
			var mu sync.Mutex
			var began []int
			for _, at := range serves {
				all.Go(func() { time.Sleep(at); q.Serving()() })
			}
			start := time.Now()
			for i, c := range callers {
				time.Sleep(c.arrives - time.Since(start))
				synctest.Wait()
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), c.patience)
					defer cancel()
					err := q.Do(ctx, func() {
						if n := running.Add(1); n > int64(cores) {
							t.Errorf("%d at once on %d cores", n, cores)
						}
						mu.Lock()
						began = append(began, i)
						mu.Unlock()
						time.Sleep(c.works)
						running.Add(-1)
						ran.Add(1)
					})
					switch {
					case errors.Is(err, fault.ErrUnavailable):
						refused.Add(1)
					case errors.Is(err, context.DeadlineExceeded):
						left.Add(1)
					case err != nil:
						t.Errorf("Do: %v", err)
					}
				})
				synctest.Wait()
			}
			all.Wait()
			s := q.Stats()
			if s.Running != 0 || s.Waiting != 0 || int64(s.Done) != ran.Load() || int64(s.Refused) != refused.Load() {
				t.Errorf("%+v", s)
			}
			if ran.Load()+left.Load()+refused.Load() != int64(len(callers)) {
				t.Errorf("%d ran, %d left, %d were refused of %d", ran.Load(), left.Load(), refused.Load(), len(callers))
			}
			if cores == 1 && !slices.IsSorted(began) {
				t.Errorf("began in the order %v", began)
			}
		})
	})
}
