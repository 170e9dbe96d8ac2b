package ratelimit_test

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/limenauth/limen/internal/ratelimit"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// eachCounter runs a test over every counter: they must not differ.
func eachCounter(t *testing.T, test func(t *testing.T, c ratelimit.Counter)) {
	t.Run("memory", func(t *testing.T) { test(t, ratelimit.NewMemory(100_000)) })
	t.Run("miniredis", func(t *testing.T) { test(t, dial(t, miniredis.RunT(t).Addr())) })
	t.Run("redis", func(t *testing.T) { test(t, realRedis(t)) })
}

// realRedis returns the Redis at LIMEN_TEST_REDIS, by default a local one. CI must have
// it; elsewhere its absence shows as a skipped test.
func realRedis(t testing.TB) *ratelimit.Redis {
	t.Helper()
	addr := os.Getenv("LIMEN_TEST_REDIS")
	if addr == "" {
		addr = "redis://127.0.0.1:6379"
	}
	r := redisAt(t, addr)
	if err := r.Ping(t.Context()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no Redis at %s: %v", addr, err)
		}
		t.Skipf("no Redis at %s (set LIMEN_TEST_REDIS): %v", addr, err)
	}
	return r
}

func dial(t testing.TB, addr string) *ratelimit.Redis { return redisAt(t, "redis://"+addr) }

func redisAt(t testing.TB, url string) *ratelimit.Redis {
	t.Helper()
	address, err := ratelimit.ParseRedis(url)
	if err != nil {
		t.Fatal(err)
	}
	r := ratelimit.NewRedis(address)
	t.Cleanup(r.Close)
	return r
}

var names atomic.Int64

// fresh returns a name that no earlier run has used: Redis remembers.
func fresh() string {
	return fmt.Sprintf("test-%d-%d-%d", os.Getpid(), time.Now().UnixNano(), names.Add(1))
}

func take(t testing.TB, c ratelimit.Counter, now time.Time, needs ...ratelimit.Need) ratelimit.Decision {
	t.Helper()
	d, err := c.Take(t.Context(), now, needs...)
	if err != nil {
		t.Fatalf("Take: %v", err)
	}
	return d
}

func giveBack(t testing.TB, c ratelimit.Counter, now time.Time, d ratelimit.Decision) {
	t.Helper()
	if err := c.GiveBack(t.Context(), now, d); err != nil {
		t.Fatalf("GiveBack: %v", err)
	}
}

func TestBurstThenOneByOne(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		need := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 6, Per: time.Minute, Burst: 3}, Key: "ada"}
		for left := 2; left >= 0; left-- {
			if d := take(t, c, noon, need); !d.Allowed || d.Remaining != left {
				t.Fatalf("%+v, want %d remaining", d, left)
			}
		}
		d := take(t, c, noon, need)
		if d.Allowed || d.RetryAfter != 10*time.Second || d.Refused != need.Rate.Name || d.Remaining != 0 {
			t.Fatalf("the fourth: %+v", d)
		}
		if d := take(t, c, noon.Add(10*time.Second-time.Microsecond), need); d.Allowed || d.RetryAfter != time.Microsecond {
			t.Fatalf("a moment too early: %+v", d)
		}
		if d := take(t, c, noon.Add(10*time.Second), need); !d.Allowed || d.Remaining != 0 {
			t.Fatalf("in time: %+v", d)
		}
		if d := take(t, c, noon.Add(10*time.Second), need); d.Allowed {
			t.Fatalf("a refusal was not free: %+v", d)
		}
		if d := take(t, c, noon.Add(time.Hour), need); !d.Allowed || d.Remaining != 2 {
			t.Fatalf("an hour later: %+v", d)
		}
		other := need
		other.Key = "bob"
		if d := take(t, c, noon, other); !d.Allowed || d.Remaining != 2 {
			t.Fatalf("another key: %+v", d)
		}
		need.Cost = 3
		if d := take(t, c, noon.Add(2*time.Hour), need); !d.Allowed || d.Remaining != 0 {
			t.Fatalf("three at once: %+v", d)
		}
	})
}

func TestWindow(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		need := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 3, Per: time.Hour, Window: true}, Key: "ada"}
		for i := range 3 {
			if d := take(t, c, noon.Add(time.Duration(i)*10*time.Minute), need); !d.Allowed || d.Remaining != 2-i {
				t.Fatalf("event %d: %+v", i, d)
			}
		}
		if d := take(t, c, noon.Add(30*time.Minute), need); d.Allowed || d.RetryAfter != 30*time.Minute {
			t.Fatalf("the fourth: %+v", d)
		}
		if d := take(t, c, noon.Add(time.Hour-time.Microsecond), need); d.Allowed || d.RetryAfter != time.Microsecond {
			t.Fatalf("a moment too early: %+v", d)
		}
		fourth := take(t, c, noon.Add(time.Hour), need)
		if !fourth.Allowed || fourth.Remaining != 0 {
			t.Fatalf("in time: %+v", fourth)
		}
		if d := take(t, c, noon.Add(time.Hour), need); d.Allowed || d.RetryAfter != 10*time.Minute {
			t.Fatalf("the next: %+v", d)
		}
		giveBack(t, c, noon.Add(65*time.Minute), fourth)
		need.Cost = 2
		if d := take(t, c, noon.Add(65*time.Minute), need); d.Allowed || d.RetryAfter != 5*time.Minute {
			t.Fatalf("two, of which one was given back: %+v", d)
		}
		if d := take(t, c, noon.Add(70*time.Minute), need); !d.Allowed {
			t.Fatalf("two: %+v", d)
		}
		if d := take(t, c, noon.Add(5*time.Hour), need); !d.Allowed || d.Remaining != 1 {
			t.Fatalf("much later: %+v", d)
		}
	})
}

// An optional need that does not fit is not charged and refuses nothing.
func TestOptionalNeeds(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		own := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 3, Per: time.Hour, Burst: 3}, Key: "a name"}
		shared := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 1, Per: time.Hour, Window: true}, Key: "an account", Optional: true}
		if d := take(t, c, noon, own, shared); !d.Allowed || d.Spent || d.Remaining != 0 {
			t.Fatalf("%+v", d)
		}
		second := take(t, c, noon, shared, own)
		if !second.Allowed || !second.Spent || second.Remaining != 1 {
			t.Fatalf("%+v", second)
		}
		giveBack(t, c, noon, second)
		for range 2 {
			if d := take(t, c, noon, own, shared); !d.Allowed || !d.Spent {
				t.Fatalf("%+v", d)
			}
		}
		if d := take(t, c, noon, own, shared); d.Allowed || d.Spent || d.Refused != own.Rate.Name {
			t.Fatalf("%+v", d)
		}
		if d := take(t, c, noon.Add(20*time.Minute), own, shared); !d.Allowed || !d.Spent {
			t.Fatalf("%+v", d)
		}
		if d := take(t, c, noon.Add(time.Hour), own, shared); !d.Allowed || d.Spent {
			t.Fatalf("%+v", d)
		}
		if d := take(t, c, noon, shared); !d.Allowed || !d.Spent {
			t.Fatalf("nothing but an optional one: %+v", d)
		}
	})
}

func TestTakeOfSeveralIsAllOrNone(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		wide := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 10, Per: time.Minute, Burst: 10}, Key: "192.0.2.0/24"}
		tight := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 1, Per: time.Hour, Burst: 2}, Key: "ada"}
		if d := take(t, c, noon, wide, tight); !d.Allowed || d.Remaining != 1 {
			t.Fatalf("%+v", d)
		}
		take(t, c, noon, wide, tight)
		for _, needs := range [][]ratelimit.Need{{wide, tight}, {tight, wide}} {
			if d := take(t, c, noon, needs...); d.Allowed || d.RetryAfter != time.Hour || d.Refused != tight.Rate.Name {
				t.Fatalf("%+v", d)
			}
		}
		if d := take(t, c, noon, wide); d.Remaining != 7 {
			t.Errorf("a refused take charged the other key: %+v", d)
		}
		if d := take(t, c, noon); !d.Allowed {
			t.Errorf("nothing needed: %+v", d)
		}
		// The same key twice counts twice.
		twice := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 1, Per: time.Hour, Burst: 3}, Key: "ada"}
		if d := take(t, c, noon, twice, twice); !d.Allowed || d.Remaining != 1 {
			t.Errorf("twice: %+v", d)
		}
		if d := take(t, c, noon, twice, twice); d.Allowed {
			t.Errorf("twice again: %+v", d)
		}
		if d := take(t, c, noon, twice); !d.Allowed {
			t.Errorf("once more: %+v", d)
		}
	})
}

func TestGiveBack(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		need := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 1, Per: 10 * time.Second, Burst: 2}, Key: "ada"}
		for range 20 {
			d := take(t, c, noon, need)
			if !d.Allowed || d.Remaining != 1 {
				t.Fatalf("a cost that was given back still counts: %+v", d)
			}
			giveBack(t, c, noon, d)
		}
		first := take(t, c, noon, need)
		take(t, c, noon, need)
		refused := take(t, c, noon, need)
		giveBack(t, c, noon, refused)
		if d := take(t, c, noon, need); d.Allowed {
			t.Fatalf("a refusal gave something back: %+v", d)
		}
		// Four seconds of the first have drained: six are given back.
		giveBack(t, c, noon.Add(4*time.Second), first)
		if d := take(t, c, noon.Add(4*time.Second), need); !d.Allowed {
			t.Fatalf("nothing was given back: %+v", d)
		}
		if d := take(t, c, noon.Add(4*time.Second), need); d.Allowed || d.RetryAfter != 10*time.Second {
			t.Fatalf("too much was given back: %+v", d)
		}
		// What has drained long ago gives nothing back.
		old := take(t, c, noon.Add(time.Hour), need)
		take(t, c, noon.Add(time.Hour+10*time.Second), need)
		take(t, c, noon.Add(time.Hour+10*time.Second), need)
		giveBack(t, c, noon.Add(time.Hour+10*time.Second), old)
		if d := take(t, c, noon.Add(time.Hour+10*time.Second), need); d.Allowed {
			t.Fatalf("an old cost was given back: %+v", d)
		}
		if d := take(t, c, noon.Add(2*time.Hour), ratelimit.Need{Rate: need.Rate, Key: "bob"}); d.Allowed {
			giveBack(t, c, noon.Add(3*time.Hour), d) // gone by now; nothing happens
		}
	})
}

// One hundred guesses at once against a burst of five: exactly five are judged, also when
// each take names two keys in one order or the other (api.md section 0).
func TestParallelGuessesDoNotSlipThrough(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		account := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 5, Per: time.Hour, Burst: 5}, Key: "ada"}
		network := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 50, Per: time.Hour, Burst: 50}, Key: "192.0.2.0/24"}
		var allowed atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range 100 {
			needs := []ratelimit.Need{account, network}
			if i%2 == 0 {
				needs = []ratelimit.Need{network, account}
			}
			all.Go(func() {
				<-start
				d, err := c.Take(t.Context(), noon, needs...)
				if err != nil {
					t.Errorf("Take: %v", err)
				}
				if d.Allowed {
					allowed.Add(1)
				}
			})
		}
		close(start)
		all.Wait()
		if allowed.Load() != 5 {
			t.Errorf("%d of 100 were allowed, not 5", allowed.Load())
		}
		if d := take(t, c, noon, network); d.Remaining != 44 {
			t.Errorf("the network has %d left, not 44", d.Remaining)
		}
	})
}

func TestARateThatAllowsNothing(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		for _, need := range []ratelimit.Need{
			{}, {Rate: ratelimit.Rate{Name: "x", Events: 1}}, {Rate: ratelimit.Rate{Name: "x", Per: time.Second}},
			{Rate: ratelimit.Rate{Name: "x", Events: -1, Per: time.Second}}, {Rate: ratelimit.Rate{Name: "x", Events: 1, Per: -1}},
			{Rate: ratelimit.Rate{Name: "x", Events: 9, Per: time.Second, Burst: 2}, Cost: 3},
			{Rate: ratelimit.Rate{Name: "x", Events: 1, Per: 1 << 62, Burst: 2}},
			{Rate: ratelimit.Rate{Name: "x", Events: 2, Per: time.Second, Window: true}, Cost: 3},
			{Rate: ratelimit.Rate{Name: "x", Events: 2, Per: 1 << 62, Window: true}},
			{Rate: ratelimit.Rate{Name: "x", Events: 1000, Per: time.Second, Window: true}},
			{Rate: ratelimit.Rate{Name: "x", Per: time.Second, Window: true}},
		} {
			if d, err := c.Take(t.Context(), noon, need); err != ratelimit.ErrRate || d.Allowed {
				t.Errorf("%+v: %+v, %v", need, d, err)
			}
		}
		once := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 100, Per: time.Second}}
		if take(t, c, noon, once); take(t, c, noon, once).Allowed {
			t.Error("a burst of 0 allows two at once")
		}
	})
}

// A clock that was a day ahead once closes no key for a day: what it left behind is as much
// as a key can owe, and drains from then on.
func TestClockSetBack(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		need := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 1, Per: time.Second, Burst: 2}, Key: "ada"}
		other := ratelimit.Need{Rate: need.Rate, Key: "bob"}
		take(t, c, noon.Add(24*time.Hour), need)
		take(t, c, noon.Add(24*time.Hour), need)
		if d := take(t, c, noon, other, need); d.Allowed || d.RetryAfter != time.Second {
			t.Errorf("%+v", d)
		}
		if d := take(t, c, noon.Add(time.Second), need); !d.Allowed || d.Remaining != 0 {
			t.Errorf("after the wait: %+v", d)
		}
		if d := take(t, c, noon.Add(time.Second), need); d.Allowed || d.RetryAfter != time.Second {
			t.Errorf("the next: %+v", d)
		}
		if d := take(t, c, noon, other); !d.Allowed || d.Remaining != 1 {
			t.Errorf("a refusal charged another key: %+v", d)
		}
		window := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 2, Per: time.Hour, Window: true}, Key: "ada"}
		take(t, c, noon.Add(24*time.Hour), window)
		take(t, c, noon.Add(25*time.Hour-1), window)
		if d := take(t, c, noon, window); d.Allowed || d.RetryAfter != time.Hour {
			t.Errorf("a window: %+v", d)
		}
		if d := take(t, c, noon.Add(time.Hour), window); !d.Allowed || d.Remaining != 1 {
			t.Errorf("a window after the wait: %+v", d)
		}
	})
}

// An instant up to a minute older than the last one, as parallel requests and other
// machines bring, lets nothing more through.
func TestInstantsOutOfOrder(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		need := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 2, Per: time.Second, Burst: 2}, Key: "ada"}
		take(t, c, noon, need)
		take(t, c, noon, need)
		for _, older := range []time.Duration{0, time.Microsecond, time.Second, time.Minute} {
			d := take(t, c, noon.Add(-older), need)
			if d.Allowed || d.RetryAfter != older+500*time.Millisecond {
				t.Errorf("%v older: %+v", older, d)
			}
		}
		if d := take(t, c, noon.Add(500*time.Millisecond), need); !d.Allowed {
			t.Errorf("in time: %+v", d)
		}
	})
}
