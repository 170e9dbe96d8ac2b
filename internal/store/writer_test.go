package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// These tests are of group commit, so of SQLite alone.

func slow(t *testing.T) *db.DB {
	t.Helper()
	d := db.SQLite(t)
	scratch(t, d)
	d.Store.SlowBatches()
	return d
}

// writing returns a caller of Tx.
func writing(t *testing.T, s *store.Store, fn func(*store.Tx) error) func() error {
	return func() error { return s.Tx(t.Context(), fn) }
}

func TestBatchSharesOneCommit(t *testing.T) {
	d := slow(t)
	var callers []func() error
	var want []string
	for i := range store.MaxBatch - 1 { // the closure in front is in the batch, too
		callers = append(callers, writing(t, d.Store, insert(name(i))))
		want = append(want, name(i))
	}
	for i, err := range batch(t, d.Store, callers...) {
		if err != nil {
			t.Errorf("closure %d: %v", i, err)
		}
	}
	wantIDs(t, d.Store, want...)
	if got := d.Store.Stats(); got != (store.Stats{Closures: store.MaxBatch, Commits: 1}) {
		t.Errorf("%d closures in one batch: %+v", store.MaxBatch, got)
	}
}

func TestBatchIsBounded(t *testing.T) {
	d := slow(t)
	var callers []func() error
	for i := range 2 * store.MaxBatch {
		callers = append(callers, writing(t, d.Store, insert(name(i))))
	}
	batch(t, d.Store, callers...)
	if got := d.Store.Stats().Commits; got != 3 {
		t.Errorf("%d closures took %d commits, want 3 of at most %d", 2*store.MaxBatch+1, got, store.MaxBatch)
	}
}

func TestClosureAloneCommitsAtOnce(t *testing.T) {
	d := slow(t) // a batch may last an hour: one that waited for company would hang
	if err := d.Store.Tx(t.Context(), insert("a")); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, d.Store, "a")
}

func TestErrorConcernsItsCallerOnly(t *testing.T) {
	d := slow(t)
	refusal := errors.New("no")
	var callers []func() error
	var want []string
	for i := range 20 {
		if i%2 == 0 {
			want = append(want, name(i))
		}
		callers = append(callers, writing(t, d.Store, func(tx *store.Tx) error {
			if err := insert(name(i))(tx); err != nil || i%2 == 0 {
				return err
			}
			return refusal
		}))
	}
	for i, err := range batch(t, d.Store, callers...) {
		if i%2 == 0 && err != nil || i%2 == 1 && err != refusal {
			t.Errorf("closure %d was told %v", i, err)
		}
	}
	wantIDs(t, d.Store, want...)
	if got := d.Store.Stats(); got.Commits != 1 || got.Lost != 0 {
		t.Errorf("errors cost more than themselves: %+v", got)
	}
}

// A statement that fails inside a batch takes back its own closure's earlier
// statements and nobody else's.
func TestFailedStatementConcernsItsClosureOnly(t *testing.T) {
	d := slow(t)
	told := batch(t, d.Store,
		writing(t, d.Store, insert("a")),
		writing(t, d.Store, func(tx *store.Tx) error { return errors.Join(insert("b")(tx), insert("a")(tx)) }),
		func() error {
			_, err := d.Store.Single(t.Context(), insertScratch+` RETURNING id`, []any{"a", 1}, scanNothing)
			return err
		},
		writing(t, d.Store, insert("c")),
	)
	if told[0] != nil || told[3] != nil {
		t.Errorf("the others were told %v and %v", told[0], told[3])
	}
	for _, i := range []int{1, 2} {
		if e, ok := errors.AsType[*sqlite.Error](told[i]); !ok || e.Code() != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
			t.Errorf("closure %d was told %v", i, told[i])
		}
	}
	wantIDs(t, d.Store, "a", "c")
}

func scanNothing(scan func(...any) error) error { var id string; return scan(&id) }

func TestPanicGoesToItsCallerOnly(t *testing.T) {
	d := slow(t)
	var caught any
	exited := true
	told := batch(t, d.Store,
		writing(t, d.Store, insert("a")),
		func() error {
			defer func() { caught = recover() }()
			return d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				if err := insert("b")(tx); err != nil {
					return err
				}
				panic("the closure panics")
			})
		},
		writing(t, d.Store, insert("c")),
		func() error { // as t.Fatal does
			var gone sync.WaitGroup
			gone.Go(func() {
				_ = d.Store.Tx(t.Context(), func(tx *store.Tx) error {
					if err := insert("d")(tx); err != nil {
						return err
					}
					runtime.Goexit()
					return nil
				})
				exited = false
			})
			gone.Wait()
			return nil
		},
		writing(t, d.Store, insert("e")),
	)
	if err := errors.Join(told...); err != nil {
		t.Error(err)
	}
	if caught != "the closure panics" || !exited {
		t.Errorf("the callers saw %v and an exit: %v", caught, exited)
	}
	wantIDs(t, d.Store, "a", "c", "e")
	if err := d.Store.Tx(t.Context(), insert("f")); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}

// A closure can pass and yet make COMMIT fail: a deferred foreign key.
func TestFailedCommitRunsEachAloneOnce(t *testing.T) {
	d := slow(t)
	runs := make([]atomic.Int64, 12)
	var callers []func() error
	var want []string
	for i := range runs {
		callers = append(callers, writing(t, d.Store, func(tx *store.Tx) error {
			runs[i].Add(1)
			if i == 7 {
				_, err := tx.Exec(`INSERT INTO child (id) VALUES ('orphan')`)
				return err
			}
			return insert(name(i))(tx)
		}))
		if i != 7 {
			want = append(want, name(i))
		}
	}
	for i, err := range batch(t, d.Store, callers...) {
		if i == 7 {
			if e, ok := errors.AsType[*sqlite.Error](err); !ok || e.Code()&0xff != sqlite3.SQLITE_CONSTRAINT {
				t.Errorf("the closure that broke COMMIT was told %v", err)
			}
		} else if err != nil {
			t.Errorf("closure %d was told %v", i, err)
		}
		if n := runs[i].Load(); n != 2 {
			t.Errorf("closure %d ran %d times, want 2", i, n)
		}
	}
	wantIDs(t, d.Store, want...)
	if got := d.Store.Stats(); got.Lost != 1 || got.Commits != int64(len(want))+1 {
		t.Errorf("one lost batch, then each alone: %+v", got)
	}
}

// A refusal rests on what was read. When the batch is lost, so is the ground of the
// refusal, and the closure decides anew.
func TestRefusalIsNotToldFromALostBatch(t *testing.T) {
	d := slow(t)
	taken := errors.New("taken")
	told := batch(t, d.Store,
		writing(t, d.Store, func(tx *store.Tx) error { // claims "x", and loses it with its COMMIT
			_, err := tx.Exec(`INSERT INTO child (id) VALUES ('orphan')`)
			return errors.Join(err, insert("x")(tx))
		}),
		writing(t, d.Store, func(tx *store.Tx) error {
			var n int
			if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM scratch WHERE id = 'x'`).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return taken
			}
			return insert("y")(tx)
		}),
	)
	if told[0] == nil || told[1] != nil {
		t.Errorf("told %v", told)
	}
	wantIDs(t, d.Store, "y")
}

func TestLostTransactionRunsEachAloneOnce(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	tests := map[string]struct {
		loses func(s *store.Store) error
		want  func(error) bool
	}{
		"ROLLBACK in a closure": {
			func(s *store.Store) error {
				return s.Tx(context.Background(), func(tx *store.Tx) error {
					_, err := tx.Exec(`ROLLBACK`)
					return err
				})
			},
			func(err error) bool { return errors.Is(err, store.ErrLost) },
		},
		"ROLLBACK in a closure that then refuses": {
			func(s *store.Store) error {
				return s.Tx(context.Background(), func(tx *store.Tx) error {
					_, err := tx.Exec(`ROLLBACK`)
					return errors.Join(err, errors.New("refused"))
				})
			},
			func(err error) bool { return err != nil },
		},
		"a statement of its own that rolls everything back": {
			func(s *store.Store) error {
				q := strings.Replace(insertScratch, "INSERT", "INSERT OR ROLLBACK", 1)
				_, err := s.Single(context.Background(), q+` RETURNING id`, []any{"first", 0}, scanNothing)
				return err
			},
			isCode(sqlite3.SQLITE_CONSTRAINT),
		},
		"a full disk": {
			func(s *store.Store) error {
				return s.Tx(context.Background(), func(tx *store.Tx) error {
					_, err := tx.Exec(`PRAGMA max_page_count = 1`) // as few as there are now
					if err != nil {
						return err
					}
					_, err = tx.Exec(`INSERT INTO kept (id, words) VALUES ('big', $1)`, big)
					_, reset := tx.Exec(`PRAGMA max_page_count = 1000000`)
					return errors.Join(err, reset)
				})
			},
			isCode(sqlite3.SQLITE_FULL),
		},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			d := slow(t)
			if err := d.Store.Tx(t.Context(), insert("first")); err != nil {
				t.Fatal(err)
			}
			told := batch(t, d.Store,
				writing(t, d.Store, insert("a")),
				func() error {
					_, err := d.Store.Single(t.Context(), insertScratch+` RETURNING id`, []any{"b", 1}, scanNothing)
					return err
				},
				func() error { return tt.loses(d.Store) },
				func() error {
					_, err := d.Store.Single(t.Context(), insertScratch+` RETURNING id`, []any{"c", 1}, scanNothing)
					return err
				},
				writing(t, d.Store, insert("d")),
			)
			for i, err := range told {
				if i == 2 && !tt.want(err) || i != 2 && err != nil {
					t.Errorf("closure %d was told %v", i, err)
				}
			}
			wantIDs(t, d.Store, "first", "a", "b", "c", "d")
		})
	}
}

func isCode(code int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*sqlite.Error](err)
		return ok && e.Code()&0xff == code
	}
}

func TestCallerWhoLeavesBeforeItsTurn(t *testing.T) {
	d := slow(t)
	release := hold(t, d.Store)
	ctx, leave := context.WithCancel(t.Context())
	told := make(chan error)
	go func() { told <- d.Store.Tx(ctx, insert("a")) }()
	until(t, func() bool { return d.Store.Stats().Waiting == 1 })
	leave()
	if err := <-told; err != context.Canceled {
		t.Errorf("told %v, want that nothing has happened", err)
	}
	release()
	if err := d.Store.Tx(t.Context(), insert("b")); err != nil {
		t.Error(err)
	}
	wantIDs(t, d.Store, "b")
}

func TestCallerWhoLeavesAfterItsTurn(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("batch lost=%v", lost), func(t *testing.T) {
			d := slow(t)
			ctx, leave := context.WithCancel(t.Context())
			gone := make(chan struct{})
			runs, woken := 0, false
			told := batch(t, d.Store,
				func() error {
					defer close(gone)
					return d.Store.Tx(ctx, func(tx *store.Tx) error {
						runs++
						tx.AfterCommit(func() { woken = true })
						return insert("a")(tx)
					})
				},
				writing(t, d.Store, func(tx *store.Tx) error { // while the batch is open
					leave()
					<-gone
					if !lost {
						return nil
					}
					_, err := tx.Exec(`INSERT INTO child (id) VALUES ('orphan')`)
					return err
				}),
				writing(t, d.Store, insert("c")),
			)
			if err := told[0]; !errors.Is(err, store.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) || !errors.Is(err, fault.ErrUnavailable) {
				t.Errorf("who left was told %v", err)
			}
			if told[2] != nil {
				t.Errorf("who stayed was told %v", told[2])
			}
			if woken || runs != 1 {
				t.Errorf("behind the back of who left: %d runs, wake-up %v", runs, woken)
			}
			if lost {
				wantIDs(t, d.Store, "c")
			} else {
				wantIDs(t, d.Store, "a", "c")
			}
		})
	}
}

func TestFullLineIsUnavailable(t *testing.T) {
	d := slow(t)
	release := hold(t, d.Store)
	ctx, leave := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range store.MaxWaiting {
		callers.Go(func() { _ = d.Store.Tx(ctx, insert("never")) })
	}
	until(t, func() bool { return d.Store.Stats().Waiting == store.MaxWaiting })
	err := d.Store.Tx(t.Context(), insert("late"))
	if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != "unavailable" || f.RetryAfter == 0 {
		t.Errorf("told %v", err)
	}
	leave()
	callers.Wait()
	release()
	if err := d.Store.Tx(t.Context(), insert("a")); err != nil {
		t.Error(err)
	}
	wantIDs(t, d.Store, "a")
}

// Whatever an earlier batch has left behind, the next one begins anew.
func TestOpenTransactionIsSwept(t *testing.T) {
	d := slow(t)
	if err := d.Store.LeaveOpen(); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Tx(t.Context(), insert("a")); err != nil {
		t.Error(err)
	}
	wantIDs(t, d.Store, "a")
}

func TestManyWritersLoseNothing(t *testing.T) {
	d := db.SQLite(t)
	scratch(t, d)
	var callers sync.WaitGroup
	var want []string
	for i := range 400 {
		want = append(want, name(i))
	}
	for part := range slices.Chunk(want, 20) {
		callers.Go(func() {
			for _, id := range part {
				if err := d.Store.Tx(t.Context(), insert(id)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	wantIDs(t, d.Store, want...)
	if got := d.Store.Stats(); got.Closures != 400 || got.Commits >= 400 {
		t.Errorf("20 writers never shared a commit: %+v", got)
	}
}
