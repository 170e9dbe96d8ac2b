// Package slots is the line in front of heavy work: a bounded, adaptive queue for
// password hashing.
//
// A hash holds one core for about 20 ms and 19 MiB of memory, and nothing can interrupt
// it. Without a bound, a flood of sign-ins takes every core and all memory, and a session
// check, which needs 50 µs, waits behind them. So hashes run in slots:
//
//   - as many as there are cores while nothing else is asked of the server, so that
//     sign-in alone reaches the bare hash rate of the machine;
//   - one fewer, and at least one, while anything else is being served. The core that is
//     left free is what keeps other requests fast.
//
// "While" is a short memory: something was served within the last Window. Counting the
// requests of this very instant would not do. A check lasts 50 µs, so between two of them
// the count is 0 most of the time, every slot would fill at once, and each check would
// meet full cores and wait for the scheduler to take one away from a hash. A door brackets
// every request that does not hash with Serving, which stores one number and allocates
// nothing. A request that lasts, such as an event stream, counts when it begins and when
// it ends, not in between: it waits, it does not compute.
//
// Invariants. First come, first served. A caller who leaves the line costs nothing: what
// it asked for does not run, and its place is free at once. No more than maxWaiting
// callers wait; the next one is refused with fault.ErrUnavailable and an estimate of when
// to come back (ASVS 2.4.1, and nothing is dropped without an answer). The memory of all
// hashes together is at most cores times that of one: see Memory. A panic in the work
// frees its slot.
//
// Limits. A slot is not taken back from a hash that runs: when the first other request
// arrives, up to one hash per core is still to end. A hash with several threads would
// break the count, so factor refuses to make one; an imported hash may bring up to eight
// until its owner has signed in once. On a single core the bound is always one, and other
// requests share that core with it. The queue is local to the process.
//
// Threats. Sign-in floods (compare the "login hash DoS" reports of 2026 against other
// servers). The queue stands behind the rate limits and never replaces them: it keeps the
// server alive, and they keep one client from taking the whole line.
package slots

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limenauth/limen/internal/fault"
)

// Window is for how long a served request keeps one core free. It is longer than a hash,
// so that a check which a hash delayed does not open the door to the next hash, and far
// shorter than anything an operator would notice in the rate of sign-ins.
const Window = 100 * time.Millisecond

// What a refused caller is told to wait, at least and at most.
const (
	leastRetry = time.Second
	mostRetry  = 30 * time.Second
)

// Queue lets work through, slot by slot. Make one with New; it is safe for concurrent
// use.
type Queue struct {
	cores, maxWaiting int
	now               func() time.Time
	mark              func() // q.served, bound once so that Serving does not allocate
	lastServed        atomic.Int64

	mu      sync.Mutex // guards what follows; never held while work runs
	running int
	line    list.List // of *waiter
	stats   Stats
}

type waiter struct {
	place   *list.Element
	since   time.Time
	granted bool          // guarded by Queue.mu
	ready   chan struct{} // closed when a slot is granted
}

// Stats is a snapshot for metrics. Counters start at 0 with the process.
type Stats struct {
	Cores, MaxWaiting int
	// Bound is how many may run now; Running and Waiting how many do.
	Bound, Running, Waiting int
	// Done ran to the end, Refused found the line full, Left gave up waiting.
	Done, Refused, Left uint64
	// Average is the moving mean of how long the work lasts.
	Average time.Duration
	// Waited is the time spent in line by all who were let through.
	Waited time.Duration
}

// New returns a queue with cores slots and a line of at most maxWaiting callers: with 0,
// whoever cannot start at once is refused. Less than one core counts as one. now is the
// real clock, even where the rest of the program runs on a clock that can be set.
func New(cores, maxWaiting int, now func() time.Time) *Queue {
	q := &Queue{cores: max(cores, 1), maxWaiting: max(maxWaiting, 0), now: now}
	q.mark = q.served
	q.lastServed.Store(now().Add(-2 * Window).UnixNano())
	return q
}

// Do waits for a slot, runs fn in it and returns nil. It fails without running fn: with
// fault.ErrUnavailable and a time to come back when the line is full, and with the
// context's error when the caller leaves before its turn. Once fn has begun, Do waits for
// its end; fn runs in the caller's goroutine.
func (q *Queue) Do(ctx context.Context, fn func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w, err := q.join()
	if err != nil {
		return err
	}
	select {
	case <-w.ready:
	case <-ctx.Done():
		if q.leave(w) {
			return ctx.Err()
		}
	}
	start, finished := q.now(), false
	defer func() { q.release(start, finished) }()
	if err := ctx.Err(); err != nil {
		return err // it left in the moment its turn came: the slot goes to the next
	}
	fn()
	finished = true
	return nil
}

// Serving tells the queue that a request is being served which does not hash. Call it
// when the request begins and the returned function when it ends.
func (q *Queue) Serving() (done func()) {
	q.served()
	return q.mark
}

// Memory returns how much memory all slots need together, when one hash needs each.
func (q *Queue) Memory(each int64) int64 { return int64(q.cores) * each }

// Stats returns a snapshot.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Cores, s.MaxWaiting = q.cores, q.maxWaiting
	s.Bound, s.Running, s.Waiting = q.bound(), q.running, q.line.Len()
	return s
}

func (q *Queue) served() { q.lastServed.Store(q.now().UnixNano()) }

// bound is how many slots there are now.
func (q *Queue) bound() int {
	age := time.Duration(q.now().UnixNano() - q.lastServed.Load())
	// An age below 0 is another goroutine's newer mark, or a clock that was set back.
	if age < -Window || age >= Window {
		return q.cores
	}
	return max(q.cores-1, 1)
}

// join puts the caller in line, and through it if there is room.
func (q *Queue) join() (*waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiter{since: q.now(), ready: make(chan struct{})}
	w.place = q.line.PushBack(w)
	q.admit() // the bound may have risen since anybody looked
	if !w.granted && q.line.Len() > q.maxWaiting {
		q.line.Remove(w.place)
		q.stats.Refused++
		return nil, fault.ErrUnavailable.After(q.retryAfter())
	}
	return w, nil
}

// leave takes a caller out of the line. It returns false when a slot was granted in the
// meantime; the caller must then release it.
func (q *Queue) leave(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.granted {
		return false
	}
	q.line.Remove(w.place)
	q.stats.Left++
	return true
}

// release frees a slot and lets the next ones in. When the bound has fallen nobody
// follows; when it has risen, several do.
func (q *Queue) release(start time.Time, finished bool) {
	took := q.now().Sub(start)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	if finished {
		q.stats.Done++
		if q.stats.Average == 0 {
			q.stats.Average = took
		}
		q.stats.Average += (took - q.stats.Average) / 8
	}
	q.admit()
}

// admit lets in from the head of the line while there is a slot.
func (q *Queue) admit() {
	if q.line.Len() == 0 {
		return
	}
	for bound := q.bound(); q.running < bound && q.line.Len() > 0; q.running++ {
		w := q.line.Remove(q.line.Front()).(*waiter)
		w.granted = true
		q.stats.Waited += q.now().Sub(w.since)
		close(w.ready)
	}
}

// retryAfter estimates when the line will be empty, in whole seconds as the header
// Retry-After tells them.
func (q *Queue) retryAfter() time.Duration {
	rounds := time.Duration(q.line.Len()/q.bound() + 1)
	wait := (rounds*q.stats.Average + time.Second - 1).Truncate(time.Second)
	return min(max(wait, leastRetry), mostRetry)
}
