package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/ratelimit"
)

func need(name, key string) ratelimit.Need {
	return ratelimit.Need{Rate: ratelimit.Rate{Name: name, Events: 1, Per: time.Minute, Burst: 2}, Key: key}
}

// A memory that is full forgets nobody who owes, and lets strangers through at one rate
// together.
func TestAFullMemoryIsClosed(t *testing.T) {
	const most, shards = 640, 64
	m := ratelimit.NewMemory(most)
	allowed := 0
	for i := range 10_000 {
		if take(t, m, noon, need("sign-in", fmt.Sprint("stranger ", i))).Allowed {
			allowed++
		}
	}
	if m.Keys() > most+shards {
		t.Errorf("%d keys are held, at most %d are allowed", m.Keys(), most+shards)
	}
	if allowed > most+2*shards {
		t.Errorf("%d strangers got through", allowed)
	}
	known := 0
	for i := range 10_000 {
		d := take(t, m, noon, need("sign-in", fmt.Sprint("stranger ", i)))
		if d.Allowed {
			known++
		}
	}
	if known < most/2 || known > most {
		t.Errorf("%d of %d known keys kept their own counter", known, most)
	}
	// Another rate's strangers share another debt.
	if !take(t, m, noon, need("letters", "ada")).Allowed {
		t.Error("one rate's strangers close another rate")
	}
	// What owes nothing is forgotten first.
	later := noon.Add(3 * time.Minute)
	for i := range most / 2 {
		if !take(t, m, later, need("sign-in", fmt.Sprint("newcomer ", i))).Allowed {
			t.Fatalf("newcomer %d is refused although all debts are paid", i)
		}
	}
}

func TestMemoryForgetsWhatWasGivenBack(t *testing.T) {
	m := ratelimit.NewMemory(0)
	for i := range 1000 {
		giveBack(t, m, noon, take(t, m, noon, need("sign-in", fmt.Sprint(i))))
	}
	if m.Keys() != 0 {
		t.Errorf("%d keys are held", m.Keys())
	}
}

// A debt that is given back makes room when the rest is paid, not when all of it would
// have been.
func TestMemoryMakesRoomInTime(t *testing.T) {
	const shards, perShard = 64, 8
	m := ratelimit.NewMemory(shards * perShard)
	var seconds []ratelimit.Decision
	for i := range 10_000 {
		n := need("sign-in", fmt.Sprint("early ", i))
		take(t, m, noon, n)
		seconds = append(seconds, take(t, m, noon, n))
	}
	for _, d := range seconds {
		giveBack(t, m, noon, d)
	}
	allowed := 0
	for i := range 10_000 {
		if take(t, m, noon.Add(time.Minute), need("sign-in", fmt.Sprint("late ", i))).Allowed {
			allowed++
		}
	}
	if want := shards * (perShard + 2); allowed != want { // those with a counter of their own, and two strangers
		t.Errorf("%d newcomers got through, not %d", allowed, want)
	}
}

// A memory that a clock filled a year ahead has room again once debts of that size would
// be paid.
func TestMemoryMakesRoomAfterTheClockWasSetBack(t *testing.T) {
	m := ratelimit.NewMemory(64 * 8)
	for i := range 10_000 {
		take(t, m, noon.AddDate(1, 0, 0), need("sign-in", fmt.Sprint("early ", i)))
	}
	for i := range 1000 { // strangers share one debt per shard
		take(t, m, noon, need("sign-in", fmt.Sprint("late ", i)))
	}
	for i := range 64 * 4 {
		if !take(t, m, noon.Add(3*time.Minute), need("sign-in", fmt.Sprint("newcomer ", i))).Allowed {
			t.Fatalf("newcomer %d is refused although all debts are paid", i)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	eachCounterB(b, func(b *testing.B, c ratelimit.Counter) {
		b.RunParallel(func(pb *testing.PB) {
			n := []ratelimit.Need{need("a", fresh()), {Rate: ratelimit.Rate{Name: "b", Events: 1 << 20, Per: time.Second, Burst: 1 << 20}}}
			for pb.Next() {
				d, err := c.Take(b.Context(), noon, n...)
				if err != nil {
					b.Fatal(err)
				}
				c.GiveBack(b.Context(), noon, d)
			}
		})
	})
}

func eachCounterB(b *testing.B, bench func(b *testing.B, c ratelimit.Counter)) {
	b.Run("memory", func(b *testing.B) { bench(b, ratelimit.NewMemory(100_000)) })
	b.Run("redis", func(b *testing.B) { bench(b, realRedis(b)) })
}
