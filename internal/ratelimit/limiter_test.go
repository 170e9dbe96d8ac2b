package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/ratelimit"
)

func TestLimiterRefusesWithATimeToComeBack(t *testing.T) {
	var refused []string
	l := &ratelimit.Limiter{Counter: ratelimit.NewMemory(100), OnRefused: func(rate string) { refused = append(refused, rate) }}
	n := ratelimit.Need{Rate: ratelimit.Rate{Name: "sign-in", Events: 1, Per: 1500 * time.Millisecond, Burst: 1}, Key: "ada"}
	first, err := l.Take(t.Context(), noon, n)
	if err != nil || first.Remaining() != 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	_, err = l.Take(t.Context(), noon, n)
	if !errors.Is(err, fault.ErrRateLimited) || fault.Of(err).RetryAfter != 2*time.Second || fault.Of(err).Kind != fault.Limited {
		t.Fatalf("the second: %+v", err)
	}
	if len(refused) != 1 || refused[0] != "sign-in" {
		t.Errorf("told of %v", refused)
	}
	left, cancel := context.WithCancel(t.Context())
	cancel()
	first.GiveBack(left, noon) // the client may be gone by then
	second, err := l.Take(t.Context(), noon, n)
	if err != nil {
		t.Fatalf("nothing was given back: %v", err)
	}
	first.GiveBack(t.Context(), noon)
	if _, err := l.Take(t.Context(), noon, n); err == nil {
		t.Error("a cost was given back twice")
	}
	second.GiveBack(t.Context(), noon)
	var none *ratelimit.Taken
	none.GiveBack(t.Context(), noon)
}

// What was counted before Forget counts no more, and what was taken before is given back to
// where it was taken from.
func TestLimiterForgets(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		l := &ratelimit.Limiter{Counter: c}
		n := ratelimit.Need{Rate: ratelimit.Rate{Name: fresh(), Events: 1, Per: time.Hour, Burst: 1}, Key: "ada"}
		before, err := l.Take(t.Context(), noon, n)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l.Forget()
			if _, err := l.Take(t.Context(), noon.AddDate(-1, 0, 0), n); err != nil {
				t.Fatalf("after Forget: %v", err)
			}
			before.GiveBack(t.Context(), noon)
			if _, err := l.Take(t.Context(), noon.AddDate(-1, 0, 0), n); err == nil {
				t.Fatal("nothing is counted after Forget, or it is given back what was taken before")
			}
		}
	})
}

func TestLimiterWithoutACounterIsClosed(t *testing.T) {
	var l ratelimit.Limiter
	if _, err := l.Take(t.Context(), noon, need("a", "b")); !errors.Is(err, fault.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	l.Fallback = ratelimit.NewMemory(100)
	if _, err := l.Take(t.Context(), noon, ratelimit.Need{}); !errors.Is(err, ratelimit.ErrRate) {
		t.Errorf("%v", err)
	}
	l.Counter = ratelimit.NewMemory(100)
	if _, err := l.Take(t.Context(), noon, ratelimit.Need{}); !errors.Is(err, ratelimit.ErrRate) {
		t.Errorf("%v", err)
	}
}

// Without Redis the rule holds in this process, and with Redis again in all of them.
func TestLimiterFallsBackAndReturns(t *testing.T) {
	server := miniredis.RunT(t)
	var failures []error
	l := &ratelimit.Limiter{
		Counter: dial(t, server.Addr()), Fallback: ratelimit.NewMemory(100),
		OnFailure: func(err error) { failures = append(failures, err) },
	}
	n := need("sign-in", "ada")
	before, err := l.Take(t.Context(), noon, n)
	if err != nil || len(server.Keys()) != 1 {
		t.Fatalf("%v, keys %v", err, server.Keys())
	}
	server.SetError("LOADING")
	allowed := 0
	now := noon
	for range 20 {
		if _, err := l.Take(t.Context(), now, n); err == nil {
			allowed++
		} else if !errors.Is(err, fault.ErrRateLimited) {
			t.Fatalf("%v", err)
		}
	}
	if allowed != 2 {
		t.Errorf("%d of 20 got through while Redis was away, not 2", allowed)
	}
	if len(failures) != 1 || !strings.Contains(failures[0].Error(), "LOADING") {
		t.Errorf("one request tries and the others do not: told of %v", failures)
	}
	before.GiveBack(t.Context(), now) // taken in Redis, which is away
	if now = now.Add(ratelimit.Pause); len(server.Keys()) != 1 {
		t.Errorf("keys %v", server.Keys())
	}
	l.Take(t.Context(), now, n)
	if len(failures) != 2 {
		t.Errorf("after the pause: told of %v", failures)
	}
	server.SetError("")
	if _, err := l.Take(t.Context(), now.Add(ratelimit.Pause/2), n); err == nil {
		t.Error("within the pause Redis is asked")
	}
	now = now.Add(ratelimit.Pause)
	for want := 1; want >= 0; want-- { // one of two was taken in Redis before
		_, err := l.Take(t.Context(), now, n)
		if (err == nil) != (want == 1) {
			t.Errorf("with Redis back: %v", err)
		}
	}
	if len(failures) != 2 {
		t.Errorf("told of %v", failures[2:])
	}
	if _, err := l.Take(t.Context(), now, ratelimit.Need{Rate: n.Rate, Key: "carol"}); err != nil || len(server.Keys()) != 2 {
		t.Errorf("the next one does not go to Redis: %v, keys %v", err, server.Keys())
	}
	// A clock that was set back does not keep Redis out.
	server.SetError("LOADING")
	l.Take(t.Context(), noon.Add(time.Hour), n)
	server.SetError("")
	if _, err := l.Take(t.Context(), noon, ratelimit.Need{Rate: n.Rate, Key: "bob"}); err != nil || len(server.Keys()) != 3 {
		t.Errorf("%v, keys %v", err, server.Keys())
	}
}

// The client may be gone when its success is known; its cost comes back all the same.
func TestLimiterGivesBackForThoseWhoLeft(t *testing.T) {
	server := miniredis.RunT(t)
	l := &ratelimit.Limiter{Counter: dial(t, server.Addr())}
	taken, err := l.Take(t.Context(), noon, need("sign-in", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	taken.GiveBack(ctx, noon)
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("keys %v", keys)
	}

	// Without a fallback the limiter is closed, until Redis answers anything again.
	taken, err = l.Take(t.Context(), noon, need("sign-in", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	server.SetError("LOADING")
	for range 2 {
		if _, err := l.Take(t.Context(), noon, need("sign-in", "bob")); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	server.SetError("")
	taken.GiveBack(t.Context(), noon.Add(ratelimit.Pause))
	if _, err := l.Take(t.Context(), noon.Add(ratelimit.Pause), need("sign-in", "bob")); err != nil {
		t.Errorf("%v", err)
	}
}

// A Redis that answers nothing delays one request in every pause, by the timeout.
func TestLimiterDoesNotHangWithRedis(t *testing.T) {
	line := newLine(t, miniredis.RunT(t).Addr())
	l := &ratelimit.Limiter{
		Counter: dial(t, line.addr), Fallback: ratelimit.NewMemory(100), Timeout: 50 * time.Millisecond,
	}
	var failures atomic.Int64
	l.OnFailure = func(error) { failures.Add(1) }
	held, err := l.Take(t.Context(), noon, need("sign-in", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	line.cut()
	began := time.Now()
	for range 10 {
		if _, err := l.Take(t.Context(), noon, need("letters", fresh())); err != nil {
			t.Fatal(err)
		}
	}
	held.GiveBack(t.Context(), noon)
	if took := time.Since(began); took > 5*time.Second || failures.Load() != 1 {
		t.Errorf("10 takes took %v with %d failures", took, failures.Load())
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { l.Take(t.Context(), noon.Add(ratelimit.Pause), need("letters", fresh())) })
	}
	if all.Wait(); failures.Load() != 2 {
		t.Errorf("%d requests of 10 waited for Redis", failures.Load()-1)
	}
	// A caller who leaves is told so, and Redis is not blamed.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Take(ctx, noon.Add(3*ratelimit.Pause), need("sign-in", "ada")); !errors.Is(err, context.Canceled) || failures.Load() != 2 {
		t.Errorf("%v, %d failures", err, failures.Load())
	}
}

// line is a TCP connection that can go silent.
type line struct {
	addr string
	mu   sync.Mutex
	dead bool
}

func newLine(t *testing.T, to string) *line {
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	l := &line{addr: front.Addr().String()}
	pipe := func(dst, src net.Conn) {
		defer dst.Close()
		buf := make([]byte, 4096)
		for {
			n, err := src.Read(buf)
			if err != nil {
				return
			}
			l.mu.Lock()
			dead := l.dead
			l.mu.Unlock()
			if dead {
				io.Copy(io.Discard, src)
				return
			}
			dst.Write(buf[:n])
		}
	}
	go func() {
		for {
			in, err := front.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				return
			}
			go pipe(out, in)
			go pipe(in, out)
		}
	}()
	return l
}

func (l *line) cut() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
}

// Who rotates through the networks of a /48 has five times what one of them has.
func TestByNetwork(t *testing.T) {
	eachCounter(t, func(t *testing.T, c ratelimit.Counter) {
		rate := ratelimit.Rate{Name: fresh(), Events: 2, Per: time.Hour, Burst: 2}
		count := func(ip func(int) string) (allowed int) {
			for i := range 40 {
				if take(t, c, noon, ratelimit.ByNetwork(rate, "x|", netip.MustParseAddr(ip(i)))...).Allowed {
					allowed++
				}
			}
			return allowed
		}
		for what, want := range map[string]struct {
			ip   func(int) string
			want int
		}{
			"one /64":    {func(i int) string { return fmt.Sprintf("2001:db8:1:1::%x", i) }, 2},
			"one /48":    {func(i int) string { return fmt.Sprintf("2001:db8:2:%x::1", i) }, 10},
			"many /48":   {func(i int) string { return fmt.Sprintf("2001:db8:%x::1", 100+i) }, 40},
			"one /24":    {func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }, 2},
			"its mapped": {func(i int) string { return fmt.Sprintf("::ffff:198.51.100.%d", i) }, 2},
			"many /24":   {func(i int) string { return fmt.Sprintf("10.0.%d.1", i) }, 40},
		} {
			if got := count(want.ip); got != want.want {
				t.Errorf("%s: %d were allowed, want %d", what, got, want.want)
			}
		}
	})
}

func TestPrefix(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.55": "192.0.2.0/24", "::ffff:192.0.2.55": "192.0.2.0/24", "127.0.0.1": "127.0.0.0/24",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64", "::1": "::/64",
		"fe80::1%eth0": "fe80::/64", "fe80::1%eth1": "fe80::/64",
	} {
		if got := ratelimit.Prefix(netip.MustParseAddr(ip)); got != want {
			t.Errorf("Prefix(%s) = %s, want %s", ip, got, want)
		}
	}
	if got := ratelimit.Prefix(netip.Addr{}); got != "no address" {
		t.Errorf("Prefix of none: %s", got)
	}
}
