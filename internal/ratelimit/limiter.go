package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/limenauth/limen/internal/fault"
)

const (
	// DefaultTimeout is how long a request waits for its counter.
	DefaultTimeout = 250 * time.Millisecond
	// Pause is how long a counter that failed is left alone before one request tries
	// it again.
	Pause = time.Second
)

// Limiter is what deeds and doors ask. Its fields are set before the first use. The zero
// value refuses everything.
type Limiter struct {
	// Counter holds the debts.
	Counter Counter
	// Fallback counts while Counter fails. Without it a failure refuses.
	Fallback *Memory
	// Timeout bounds one call of Counter; 0 means DefaultTimeout.
	Timeout time.Duration
	// OnFailure, if set, is told of every failure of Counter, for the log and metrics.
	OnFailure func(err error)
	// OnRefused, if set, is told the name of the rate for every refusal.
	OnRefused func(rate string)

	era     atomic.Int64 // how often Forget was called
	retryAt atomic.Int64 // when Counter may be tried again, in µs; 0 while it works
}

// Taken is a cost that was taken and may be given back.
type Taken struct {
	limiter  *Limiter
	counter  Counter
	decision Decision
	given    atomic.Bool
}

// Take charges all needs, but for optional ones that do not fit, or none, before the work they stand for. It refuses with
// fault.ErrRateLimited, which carries when to come back in whole seconds; when neither
// counter works it refuses with fault.ErrUnavailable. If the caller has left, it fails
// with the context's error.
func (l *Limiter) Take(ctx context.Context, now time.Time, needs ...Need) (*Taken, error) {
	needs = l.current(needs)
	if l.Counter != nil && l.mayTry(now) {
		d, err := l.call(ctx, l.Counter, func(ctx context.Context) (Decision, error) { return l.Counter.Take(ctx, now, needs...) })
		switch {
		case err == nil:
			l.retryAt.Store(0)
			return l.judge(l.Counter, d)
		case errors.Is(err, ErrRate):
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		l.failed(now, err)
	}
	if l.Fallback == nil {
		return nil, fault.ErrUnavailable.After(Pause)
	}
	d, err := l.Fallback.Take(ctx, now, needs...)
	if err != nil {
		return nil, err
	}
	return l.judge(l.Fallback, d)
}

// Forget begins to count anew, for development: under other keys, so that a Redis which
// others share keeps what is theirs.
func (l *Limiter) Forget() { l.era.Add(1) }

// current names the keys of needs as they are since the last Forget.
func (l *Limiter) current(needs []Need) []Need {
	era := l.era.Load()
	if era == 0 {
		return needs
	}
	renamed := slices.Clone(needs)
	for i := range renamed {
		renamed[i].Key += fmt.Sprintf("\x00%d", era)
	}
	return renamed
}

// Remaining is how many more events the scarcest need would have allowed.
func (t *Taken) Remaining() int { return t.decision.Remaining }

// Spent reports whether an optional need did not fit.
func (t *Taken) Spent() bool { return t.decision.Spent }

// GiveBack returns the cost to where it was taken from. It does so once, however often it
// is called, also for a caller that has left, and it is safe on nil. A failure is told to
// OnFailure only: the worst that comes of it is a limit that is reached sooner.
func (t *Taken) GiveBack(ctx context.Context, now time.Time) {
	if t == nil || t.given.Swap(true) {
		return
	}
	if t.counter == t.limiter.Counter && !t.limiter.mayTry(now) {
		return // it failed a moment ago: the request need not wait for it again
	}
	_, err := t.limiter.call(context.WithoutCancel(ctx), t.counter, func(ctx context.Context) (Decision, error) {
		return Decision{}, t.counter.GiveBack(ctx, now, t.decision)
	})
	switch {
	case err != nil:
		t.limiter.failed(now, err)
	case t.counter == t.limiter.Counter:
		t.limiter.retryAt.Store(0)
	}
}

func (l *Limiter) judge(c Counter, d Decision) (*Taken, error) {
	if d.Allowed {
		return &Taken{limiter: l, counter: c, decision: d}, nil
	}
	if l.OnRefused != nil {
		l.OnRefused(d.Refused)
	}
	return nil, fault.ErrRateLimited.After((d.RetryAfter + time.Second - 1).Truncate(time.Second))
}

// call bounds how long a counter may take. Memory never waits, so it needs no timer.
func (l *Limiter) call(ctx context.Context, c Counter, do func(context.Context) (Decision, error)) (Decision, error) {
	if _, local := c.(*Memory); local {
		return do(ctx)
	}
	timeout := l.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return do(ctx)
}

// mayTry reports whether to ask Counter. After a failure one request in every Pause does,
// and the others do not wait for it.
func (l *Limiter) mayTry(now time.Time) bool {
	at, t := l.retryAt.Load(), now.UnixMicro()
	switch {
	case at == 0:
		return true
	case t < at && at-t <= Pause.Microseconds(): // more would be a clock that was set back
		return false
	}
	return l.retryAt.CompareAndSwap(at, t+Pause.Microseconds())
}

func (l *Limiter) failed(now time.Time, err error) {
	l.retryAt.Store(now.Add(Pause).UnixMicro())
	if l.OnFailure != nil {
		l.OnFailure(err)
	}
}
