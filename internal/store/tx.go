package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
)

// Tx is one transaction, valid until its closure returns and used by one goroutine.
type Tx struct {
	reader

	// Now is the transaction's one instant: UTC, in whole microseconds.
	Now time.Time

	after []func()
}

func newTx(ctx context.Context, run runner, now time.Time) *Tx {
	return &Tx{reader: reader{run: run, ctx: ctx}, Now: now.UTC().Truncate(time.Microsecond)}
}

// AfterCommit has fn run once the transaction is durable and Tx is about to return
// nil, in the caller's goroutine. It does not run when the outcome is unknown, so it
// may only hint: wake a worker, never carry a duty.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// exec runs a statement and returns how many rows it touched.
func (tx *Tx) exec(q string, args ...any) (int64, error) { return tx.run.exec(tx.ctx, q, args) }

// post runs a statement of which nobody needs to know how many rows it touched. On
// PostgreSQL it travels with the next statement or with COMMIT: its error may come later,
// never too late.
func (tx *Tx) post(q string, args ...any) error {
	if t, ok := tx.run.(*transaction); ok {
		t.post(q, args)
		return nil
	}
	_, err := tx.exec(q, args...)
	return err
}

// Tx runs fn in one transaction. A nil error means that everything fn did is durable;
// any other error that nothing of it happened, except ErrOutcomeUnknown. An error of
// fn comes back as it is. Contention is retried here and nowhere else, so fn may run
// more than once; see the package's essay for what it may do.
func (s *Store) Tx(ctx context.Context, fn func(*Tx) error) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	var last *Tx
	err = s.retry(ctx, func() error {
		return s.db.transact(ctx, func(tx *Tx) error {
			last = tx
			return fn(tx)
		})
	})
	if err != nil {
		return err
	}
	for _, wake := range last.after {
		wake()
	}
	return nil
}

// single runs one statement with RETURNING as a transaction of its own: one round
// trip to PostgreSQL, one place in a batch on SQLite. The statement's effect is
// durable when it returns nil. The row, if there is one, is handed to scan; a failing
// scan does not undo the statement. Scan may still be running when an error is returned:
// what it writes is to be read after success, or in meanwhile if scan makes it known to
// other goroutines as a whole.
func (s *Store) single(ctx context.Context, q string, args []any, scan func(func(...any) error) error, meanwhile func()) (found bool, err error) {
	leave, err := s.enter()
	if err != nil {
		return false, err
	}
	defer leave()
	err = s.retry(ctx, func() error {
		var row bool // this try's own: one that was given up may still be running
		err := s.db.single(ctx, func(ctx context.Context, run runner) error {
			rows, err := run.query(ctx, q, args)
			row, err = scanOne(rows, err, scan)
			return err
		}, meanwhile)
		if err == nil {
			found = row
		}
		return err
	})
	return found, err
}

// maxTries bounds how often contention is met with another try.
const maxTries = 8

// retry runs once until it succeeds, fails for another reason than contention, or has
// been tried often enough.
func (s *Store) retry(ctx context.Context, once func() error) error {
	for try := 1; ; try++ {
		err := once()
		if err == nil || !s.db.retryable(err) {
			return err
		}
		if try == maxTries {
			return fault.ErrUnavailable.After(time.Second).Because(fmt.Errorf("after %d tries: %w", try, err))
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// pause waits between half and all of a span that doubles from 2 ms with every try:
// those who collided must not collide again in step.
func pause(ctx context.Context, try int) error {
	span := time.Millisecond << try
	jitter := time.Duration(binary.BigEndian.Uint16(secret.Bytes(2))) * (span / 2) / (1 << 16)
	t := time.NewTimer(span/2 + jitter)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unknown is the answer when the work had begun and its end was not seen.
func unknown(cause error) error {
	return fault.ErrUnavailable.After(time.Second).Because(fmt.Errorf("%w: %w", ErrOutcomeUnknown, cause))
}
