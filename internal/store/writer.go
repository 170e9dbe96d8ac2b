package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/limenauth/limen/internal/fault"
)

const (
	// maxBatch and batchTime bound how long the first of a batch waits for the last.
	maxBatch  = 64
	batchTime = 5 * time.Millisecond
	// maxWaiting bounds the line. At a few thousand closures in a second, whoever
	// joins a full line would wait about as long as a client does.
	maxWaiting = 4096
)

const (
	beginText    = "BEGIN IMMEDIATE"
	commitText   = "COMMIT"
	rollbackText = "ROLLBACK"
	markText     = "SAVEPOINT closure"
	keepText     = "RELEASE closure"
	undoText     = "ROLLBACK TO closure"
)

// errLost is told to a closure that ended the transaction it ran in.
var errLost = errors.New("the transaction ended before its closure did")

// writer owns the connection that writes. Its goroutine decides whose turn it is;
// during a turn the connection belongs to the caller's goroutine. A job of one statement
// takes no turn: the writer runs it itself.
type writer struct {
	conn  *sql.Conn
	run   *prepared
	now   func() time.Time
	log   *slog.Logger
	queue chan *job
	span  time.Duration // how long a batch may run
	timer *time.Timer   // measures it
	ended chan struct{} // closed when the goroutine has ended

	closures, commits, lost atomic.Int64
}

// job is one closure in line.
type job struct {
	fn func(*Tx) error
	// single marks a closure of one statement of the store's own. It needs no savepoint,
	// since SQLite undoes a failing statement by itself, and the writer runs it in its own
	// goroutine: to hand the connection over and back costs as much as the statement. So
	// it may still run when its caller has left, and writes to nothing that is read then.
	single bool
	// meanwhile is what the caller of a single does between its statement and the commit,
	// in its own goroutine. A batch that was lost is run again, and meanwhile after it.
	meanwhile func()

	ran   chan struct{} // the statement of a single has run; buffered, later news replace earlier
	turn  chan struct{} // the writer hands the connection over
	back  chan ending   // the caller hands it back
	left  chan struct{} // closed by a caller who leaves; it takes no turn any more
	state atomic.Int32  // of a single: whether it has begun or its caller has left
	done  chan error    // the acknowledgement; buffered, since nobody may wait for it
	err   error         // what fn returned; written during the turn, read after it
}

// The states of a single.
const (
	waiting int32 = iota
	running
	abandoned
)

// begin claims a single for the writer: false when its caller has left.
func (j *job) begin() bool {
	return j.state.CompareAndSwap(waiting, running) || j.state.Load() == running
}

// leave tells that the caller does not wait any more, and returns whether the job had
// begun, as far as a single knows.
func (j *job) leave() bool {
	close(j.left)
	return j.state.Swap(abandoned) == running
}

// ending is how a turn ended.
type ending struct {
	panicked bool // the caller is gone, and what it did is undone
	lost     bool // the whole transaction is gone
	doubt    bool // it may be: only COMMIT can tell
}

func startWriter(conn *sql.Conn, now func() time.Time, log *slog.Logger) *writer {
	w := &writer{
		conn:  conn,
		run:   newPrepared(conn),
		now:   now,
		log:   log,
		queue: make(chan *job, maxWaiting),
		span:  batchTime,
		timer: time.NewTimer(0),
		ended: make(chan struct{}),
	}
	go func() {
		defer close(w.ended)
		for j := range w.queue {
			w.batch(j)
		}
	}()
	return w
}

// close waits for the line to empty. Nobody may call do any more.
func (w *writer) close() error {
	close(w.queue)
	<-w.ended
	return errors.Join(w.run.close(), w.conn.Close())
}

func (w *writer) stats() Stats {
	return Stats{Waiting: len(w.queue), Closures: w.closures.Load(), Commits: w.commits.Load(), Lost: w.lost.Load()}
}

// exec runs one of the texts above.
func (w *writer) exec(q string) error {
	_, err := w.run.exec(context.Background(), q, nil)
	return err
}

// do stands in line, runs the closure when its turn comes, and returns when its fate
// is known or ctx has ended.
func (w *writer) do(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.left, j.done = make(chan struct{}), make(chan error, 1)
	if j.single {
		j.ran = make(chan struct{}, 1)
	} else {
		j.turn, j.back = make(chan struct{}), make(chan ending)
	}
	select {
	case w.queue <- j:
	default:
		return fault.ErrUnavailable.After(time.Second).Because(errors.New("the line in front of the writer is full"))
	}
	begun := false
	for {
		select {
		case <-j.turn:
			begun = true
			w.take(j)
		case <-j.ran:
			j.meanwhile()
		case err := <-j.done:
			return err
		case <-ctx.Done():
			begun = j.leave() || begun
			select {
			case err := <-j.done: // it was told in the same moment
				return err
			default:
			}
			if begun {
				return unknown(context.Cause(ctx))
			}
			return ctx.Err()
		}
	}
}

// take is a turn, in the caller's goroutine. However fn ends, the connection goes
// back to the writer in an orderly state.
func (w *writer) take(j *job) {
	end := ending{panicked: true}
	defer func() { j.back <- end }()
	if err := w.exec(markText); err != nil {
		j.err, end = err, ending{lost: true}
		return
	}
	defer func() {
		if end.panicked || j.err != nil {
			end.lost = w.exec(undoText) != nil || w.exec(keepText) != nil
		} else {
			end.lost = w.exec(keepText) != nil
		}
	}()
	// Not ctx: a statement that is interrupted by one caller can take the whole
	// transaction of all others with it.
	j.err = j.fn(newTx(context.Background(), w.run, w.now()))
	end.panicked = false
}

// give offers the connection to j and waits until it comes back. It reports false
// when the caller has left.
func (w *writer) give(j *job) (end ending, taken bool) {
	if j.single {
		return w.serve(j)
	}
	select {
	case j.turn <- struct{}{}:
		w.closures.Add(1)
		return <-j.back, true
	case <-j.left:
		return ending{}, false
	}
}

// serve runs a single in the writer's goroutine. A panic is told to the caller as an
// error: nobody else is to fall with it.
func (w *writer) serve(j *job) (end ending, begun bool) {
	if !j.begin() {
		return ending{}, false
	}
	begun = true
	w.closures.Add(1)
	defer func() {
		if p := recover(); p != nil {
			j.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		end.doubt = j.err != nil
	}()
	j.err = j.fn(newTx(context.Background(), w.run, w.now()))
	select {
	case j.ran <- struct{}{}:
	default: // it has not looked since the last time
	}
	return end, begun
}

// batch runs first, and whoever is waiting, in one transaction.
func (w *writer) batch(first *job) {
	if err := w.begin(); err != nil {
		first.done <- err
		return
	}
	w.timer.Reset(w.span)
	var ran []*job
	var end ending
	for j := first; j != nil; j = w.next(len(ran)) {
		var taken bool
		end, taken = w.give(j)
		if taken && !end.panicked {
			ran = append(ran, j)
		}
		if end.lost || end.doubt {
			break
		}
	}
	err := errLost
	if !end.lost {
		err = w.exec(commitText)
	}
	if err == nil {
		if len(ran) > 0 {
			w.commits.Add(1)
		}
		for _, j := range ran {
			j.done <- j.err
		}
		return
	}
	w.lost.Add(1)
	w.log.Warn("a batch of writes was lost; each is tried once more, alone", "closures", len(ran), "err", err)
	w.rollback()
	for _, j := range ran {
		w.alone(j)
	}
}

// next returns who is waiting, or nil when nobody is or the batch has lasted enough.
//
// Before it says nobody, it lets everybody run who can: whoever is about to stand in line
// does so now and shares the commit, which costs more than all their statements. On a
// processor with nothing else to do this takes no time.
func (w *writer) next(ran int) *job {
	if ran >= maxBatch {
		return nil
	}
	select {
	case <-w.timer.C:
		return nil
	default:
	}
	for range 2 {
		select {
		case j := <-w.queue: // nil when the queue is closed and empty
			return j
		default:
			runtime.Gosched()
		}
	}
	return nil
}

// alone runs j in a transaction of its own and tells how that ended.
func (w *writer) alone(j *job) {
	if err := w.begin(); err != nil {
		j.done <- err
		return
	}
	end, taken := w.give(j)
	if !taken || end.panicked {
		w.rollback()
		return
	}
	err := j.err
	if err == nil && end.lost {
		err = errLost
	}
	if err != nil {
		w.rollback()
		j.done <- err
		return
	}
	if err := w.exec(commitText); err != nil {
		w.rollback()
		if isUncertain(err) {
			err = unknown(err)
		}
		j.done <- fmt.Errorf("commit: %w", err)
		return
	}
	w.commits.Add(1)
	j.done <- nil
}

// begin takes the write lock. SQLite itself waits for other processes; Store.retry
// does the rest.
func (w *writer) begin() error {
	err := w.exec(beginText)
	if err != nil && !isBusy(err) {
		w.rollback() // whatever is left of an earlier transaction
		err = w.exec(beginText)
	}
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return nil
}

// rollback ends a transaction that may have ended already; its error tells nothing.
func (w *writer) rollback() { _ = w.exec(rollbackText) }
