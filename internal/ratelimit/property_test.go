package ratelimit_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/ratelimit"
)

// drawRate draws a rate whose numbers are small enough to meet their edges.
func drawRate(t *rapid.T, name string) ratelimit.Rate {
	return ratelimit.Rate{
		Name:   name,
		Events: rapid.IntRange(1, 7).Draw(t, "events"),
		Per:    time.Duration(rapid.IntRange(1, 40).Draw(t, "per")) * 1501 * time.Microsecond,
		Burst:  rapid.IntRange(1, 5).Draw(t, "burst"),
		Window: rapid.Bool().Draw(t, "window"),
	}
}

// atOnce is how many events a rate lets through at once.
func atOnce(r ratelimit.Rate) int {
	if r.Window {
		return r.Events
	}
	return r.Burst
}

// However events are taken and given back, those that are kept never exceed the rate:
// within any span at most Burst and one per Per/Events, of a window at most Events within any
// Per. And a caller that waits as long
// as it was told is allowed.
func TestNeverMoreThanTheRate(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		rapid.Check(t, func(t *rapid.T) {
			need := ratelimit.Need{Rate: drawRate(t, fresh()), Key: "ada"}
			type taken struct {
				at   time.Time
				cost int
				d    ratelimit.Decision
				back bool
			}
			var kept []*taken
			now := noon
			for range rapid.IntRange(1, 30).Draw(t, "steps") {
				now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "pause")) * 701 * time.Microsecond)
				if len(kept) > 0 && rapid.IntRange(0, 2).Draw(t, "dice") == 0 {
					k := rapid.SampledFrom(kept).Draw(t, "which")
					if !k.back {
						k.back = true
						if err := c.GiveBack(t.Context(), now, k.d); err != nil {
							t.Fatal(err)
						}
					}
					continue
				}
				need.Cost = rapid.IntRange(1, atOnce(need.Rate)).Draw(t, "cost")
				d, err := c.Take(t.Context(), now, need)
				if err != nil {
					t.Fatal(err)
				}
				if !d.Allowed {
					if d.RetryAfter <= 0 {
						t.Fatalf("refused without a time to come back: %+v", d)
					}
					if rapid.Bool().Draw(t, "patient") {
						now = now.Add(d.RetryAfter)
						if d, err = c.Take(t.Context(), now, need); err != nil || !d.Allowed {
							t.Fatalf("refused after the wait: %+v, %v", d, err)
						}
					}
				}
				if d.Allowed {
					kept = append(kept, &taken{at: now, cost: need.Cost, d: d})
				}
			}
			for i := range kept {
				sum := 0
				for _, k := range kept[i:] {
					if k.back {
						continue
					}
					sum += k.cost
					span := k.at.Sub(kept[i].at)
					most := need.Rate.Burst + int(int64(span)*int64(need.Rate.Events)/int64(need.Rate.Per))
					if need.Rate.Window {
						if most = need.Rate.Events; span >= need.Rate.Per {
							break
						}
					}
					if sum > most {
						t.Fatalf("%d events within %v, at most %d are allowed by %+v", sum, span, most, need.Rate)
					}
				}
			}
		})
	})
}

// All counters answer the same to the same history, to the microsecond.
func TestCountersAgree(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		rapid.Check(t, func(t *rapid.T) {
			reference := ratelimit.NewMemory(100_000)
			rates := []ratelimit.Rate{drawRate(t, fresh()), drawRate(t, fresh())}
			now := noon
			var mine, theirs []ratelimit.Decision
			for range rapid.IntRange(1, 20).Draw(t, "steps") {
				// Mostly forward, sometimes back.
				now = now.Add(time.Duration(rapid.IntRange(-5, 30).Draw(t, "pause")) * 997 * time.Microsecond)
				if len(mine) > 0 && rapid.IntRange(0, 3).Draw(t, "dice") == 0 {
					i := rapid.IntRange(0, len(mine)-1).Draw(t, "which")
					if err := reference.GiveBack(t.Context(), now, mine[i]); err != nil {
						t.Fatal(err)
					}
					if err := c.GiveBack(t.Context(), now, theirs[i]); err != nil {
						t.Fatal(err)
					}
					mine[i], theirs[i] = ratelimit.Decision{}, ratelimit.Decision{}
					continue
				}
				needs := make([]ratelimit.Need, rapid.IntRange(1, 3).Draw(t, "needs"))
				for i := range needs {
					r := rapid.SampledFrom(rates).Draw(t, "rate")
					needs[i] = ratelimit.Need{Rate: r, Key: rapid.SampledFrom([]string{"", "ada", "ﾊ\x00\n"}).Draw(t, "key"), Cost: rapid.IntRange(1, atOnce(r)).Draw(t, "cost"), Optional: rapid.IntRange(0, 3).Draw(t, "optional") == 0}
				}
				m, err := reference.Take(t.Context(), now, needs...)
				if err != nil {
					t.Fatal(err)
				}
				d, err := c.Take(t.Context(), now, needs...)
				if err != nil {
					t.Fatal(err)
				}
				if m.Allowed != d.Allowed || m.RetryAfter != d.RetryAfter || m.Remaining != d.Remaining || m.Refused != d.Refused || m.Spent != d.Spent {
					t.Fatalf("memory says %+v, this one %+v", m, d)
				}
				mine, theirs = append(mine, m), append(theirs, d)
			}
		})
	})
}
