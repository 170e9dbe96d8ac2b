package ratelimit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/limenauth/limen/internal/ratelimit"
)

// A take of several keys is one command, so one round trip, and so is giving them back.
func TestRedisTakesInOneRoundTrip(t *testing.T) {
	server := miniredis.RunT(t)
	c := dial(t, server.Addr())
	needs := []ratelimit.Need{need("a", "1"), need("b", "2"), need("c", "3")}
	giveBack(t, c, noon, take(t, c, noon, needs...)) // the scripts are loaded now
	before := server.CommandCount()
	d := take(t, c, noon, needs...)
	if n := server.CommandCount() - before; n != 1+3+3 { // the script, and inside it a GET and a SET per key
		t.Errorf("a take is %d commands", n)
	}
	before = server.CommandCount()
	giveBack(t, c, noon, d)
	if n := server.CommandCount() - before; n != 1+3+3 {
		t.Errorf("giving back is %d commands", n)
	}
}

// Redis cleans up after the debt is paid, never before, and holds no key in the clear.
func TestRedisKeys(t *testing.T) {
	server := miniredis.RunT(t)
	c := dial(t, server.Addr())
	first := take(t, c, noon, need("sign-in", "ada@example.com"))
	take(t, c, noon, need("sign-in", "ada@example.com"))
	for range 2 {
		keys := server.Keys()
		if len(keys) != 1 || !strings.HasPrefix(keys[0], "limen:{limits}:sign-in:") || strings.Contains(keys[0], "ada") {
			t.Fatalf("keys %v", keys)
		}
		if ttl := server.TTL(keys[0]); ttl < 2*time.Minute || ttl > 4*time.Minute {
			t.Errorf("a debt of 2 minutes lives %v", ttl)
		}
		giveBack(t, c, noon, first)
		first = ratelimit.Decision{}
	}
}

// The clock of Redis plays no part: the same history a century ago and a year ahead.
func TestRedisClockPlaysNoPart(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		for _, now := range []time.Time{noon.AddDate(-50, 0, 0), noon.AddDate(1, 0, 0), noon.AddDate(100, 0, 0)} {
			n := need(fresh(), "ada")
			take(t, c, now, n)
			take(t, c, now, n)
			if d := take(t, c, now, n); d.Allowed || d.RetryAfter != time.Minute {
				t.Errorf("%v: %+v", now, d)
			}
			if d := take(t, c, now.Add(time.Minute), n); !d.Allowed {
				t.Errorf("%v: %+v", now, d)
			}
		}
	})
}

func TestRedisFails(t *testing.T) {
	server := miniredis.RunT(t)
	c := dial(t, server.Addr())
	d := take(t, c, noon, need("sign-in", "ada"))
	server.Close()
	if d, err := c.Take(t.Context(), noon, need("sign-in", "ada")); err == nil || d.Allowed {
		t.Errorf("%+v, %v", d, err)
	}
	if err := c.GiveBack(t.Context(), noon, d); err == nil {
		t.Error("giving back to a Redis that is away succeeds")
	}
}
