package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

func TestTxIsAllOrNothing(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		refusal := errors.New("no")
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			if err := errors.Join(insert("a")(tx), insert("b")(tx)); err != nil {
				return err
			}
			var inside, outside int
			const count = `SELECT count(*) FROM scratch`
			err := errors.Join(tx.QueryRow(t.Context(), count).Scan(&inside), d.Store.QueryRow(t.Context(), count).Scan(&outside))
			if inside != 2 || outside != 0 {
				t.Errorf("%d rows inside, %d outside", inside, outside)
			}
			return errors.Join(err, refusal)
		})
		if !errors.Is(err, refusal) {
			t.Errorf("told %v", err)
		}
		wantIDs(t, d.Store)
	})
}

func TestPanicUndoes(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		func() {
			defer func() {
				if got := recover(); got != "oh" {
					t.Errorf("recovered %v", got)
				}
			}()
			_ = d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				if err := insert("a")(tx); err != nil {
					return err
				}
				panic("oh")
			})
		}()
		wantIDs(t, d.Store)
		if err := d.Store.Tx(t.Context(), insert("b")); err != nil {
			t.Error(err)
		}
	})
}

func TestTxHasOneInstant(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		d.Clock.Set(time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.FixedZone("elsewhere", 7200)))
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			want := time.Date(2026, 5, 4, 1, 2, 1, 123456000, time.UTC)
			d.Clock.Advance(time.Hour)
			if tx.Now != want {
				t.Errorf("now is %v, want %v", tx.Now, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Wake-ups come after the rows they speak of, in order, and only then.
func TestAfterCommit(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		var woken []string
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			tx.AfterCommit(func() { woken = append(woken, "first") })
			tx.AfterCommit(func() { wantIDs(t, d.Store, "a"); woken = append(woken, "second") })
			if woken != nil {
				t.Error("woken inside")
			}
			return insert("a")(tx)
		})
		if err != nil || !slices.Equal(woken, []string{"first", "second"}) {
			t.Errorf("woken %q, %v", woken, err)
		}
		err = d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			tx.AfterCommit(func() { t.Error("woken by what did not happen") })
			return errors.New("no")
		})
		if err == nil {
			t.Error("the error is lost")
		}
		err = d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			tx.AfterCommit(func() { t.Error("woken by a COMMIT that failed") })
			_, err := tx.Exec(`INSERT INTO child (id) VALUES ('orphan')`)
			return err
		})
		if err == nil {
			t.Error("a broken reference was committed")
		}
	})
}

// Inside a transaction only its own context counts.
func TestTxIgnoresOtherContexts(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			var n int
			return tx.QueryRow(over, `SELECT count(*) FROM scratch`).Scan(&n)
		})
		if err != nil {
			t.Error(err)
		}
		for range 100 { // which of two ready things happens is a matter of luck
			if err := d.Store.Tx(over, insert("a")); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrOutcomeUnknown) {
				t.Fatalf("who had left before was told %v", err)
			}
		}
		wantIDs(t, d.Store)
	})
}

// Reading and then writing loses updates on PostgreSQL, unless the row is locked.
func TestLockedRowLosesNoUpdate(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		if err := d.Store.Tx(t.Context(), insert("counter")); err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for range 20 {
			writers.Go(func() {
				for range 30 {
					err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
						var n int64
						err := tx.QueryRow(t.Context(), `SELECT n FROM scratch WHERE id = $1 FOR UPDATE`, "counter").Scan(&n)
						if err != nil {
							return err
						}
						_, err = tx.Exec(`UPDATE scratch SET n = $1 WHERE id = $2`, n+1, "counter")
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		var n int64
		if err := d.Store.QueryRow(t.Context(), `SELECT n FROM scratch`).Scan(&n); err != nil || n != 600 {
			t.Errorf("600 increments made %d, %v", n, err)
		}
	})
}

// Of many who spend the same thing in one statement, one succeeds.
func TestSingleIsWonOnce(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		if err := d.Store.Tx(t.Context(), insert("once")); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		won := 0
		var spenders sync.WaitGroup
		for range 20 {
			spenders.Go(func() {
				found, err := d.Store.Single(t.Context(), `UPDATE scratch SET n = 1 WHERE id = $1 AND n = 0 RETURNING id`, []any{"once"}, scanNothing)
				if err != nil {
					t.Error(err)
				}
				if found {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		spenders.Wait()
		if won != 1 {
			t.Errorf("won %d times", won)
		}
	})
}

func TestSingleReportsErrors(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		bad := errors.New("bad row")
		found, err := d.Store.Single(t.Context(), insertScratch+` RETURNING id`, []any{"a", 0}, func(func(...any) error) error { return bad })
		if found || err == nil || !errors.Is(err, bad) {
			t.Errorf("a failing scan: %v, %v", found, err)
		}
		wantIDs(t, d.Store, "a") // the statement itself has succeeded
		if found, err := d.Store.Single(t.Context(), insertScratch+` RETURNING id`, []any{"a", 0}, scanNothing); found || err == nil {
			t.Errorf("a failing statement: %v, %v", found, err)
		}
	})
}

// A row may come back although the commit that follows it fails.
func TestSingleWhoseCommitFails(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		found, err := d.Store.Single(t.Context(), `INSERT INTO child (id) VALUES ($1) RETURNING id`, []any{"orphan"}, scanNothing)
		if found || err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("told %v, %v", found, err)
		}
	})
}

// Contention that PostgreSQL ends with an error is met with another try.
func TestDeadlockIsRetried(t *testing.T) {
	d := db.Postgres(t)
	scratch(t, d)
	if err := d.Store.Tx(t.Context(), func(tx *store.Tx) error { return errors.Join(insert("a")(tx), insert("b")(tx)) }); err != nil {
		t.Fatal(err)
	}
	const add = `UPDATE scratch SET n = n + 1 WHERE id = $1`
	var both, writers sync.WaitGroup
	both.Add(2)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		var met sync.Once
		writers.Go(func() {
			err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				if _, err := tx.Exec(add, order[0]); err != nil {
					return err
				}
				met.Do(func() { both.Done(); both.Wait() })
				_, err := tx.Exec(add, order[1])
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	var sum int
	if err := d.Store.QueryRow(t.Context(), `SELECT SUM(n) FROM scratch`).Scan(&sum); err != nil || sum != 4 {
		t.Errorf("four increments made %d, %v", sum, err)
	}
}

// busy makes a true SQLITE_BUSY, by a second process's lock.
func busy(t *testing.T, d *db.DB) error {
	t.Helper()
	tx, err := d.SQL(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(insertScratch, "lock", 0); err != nil {
		t.Fatal(err)
	}
	_, err = d.SQL(t).Exec(insertScratch, "other", 0)
	if err == nil {
		t.Fatal("two wrote at once")
	}
	return err
}

func TestBusyIsRetriedBoundedly(t *testing.T) {
	d := db.SQLite(t)
	scratch(t, d)
	contention := busy(t, d)
	runs := 0
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		if runs++; runs < 3 {
			return contention
		}
		return insert("a")(tx)
	})
	if err != nil || runs != 3 {
		t.Errorf("after %d runs: %v", runs, err)
	}
	runs = 0
	err = d.Store.Tx(t.Context(), func(*store.Tx) error { runs++; return contention })
	if !errors.Is(err, fault.ErrUnavailable) || !errors.Is(err, contention) || runs != store.MaxTries {
		t.Errorf("after %d runs: %v", runs, err)
	}
	ctx, leave := context.WithCancel(t.Context())
	err = d.Store.Tx(ctx, func(*store.Tx) error { leave(); return contention })
	if !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("who left between two tries was told %v", err)
	}
	wantIDs(t, d.Store, "a")
}

// Another process's write is waited for.
func TestWriterWaitsForOtherProcesses(t *testing.T) {
	d := db.SQLite(t)
	scratch(t, d)
	other, err := d.SQL(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(insertScratch, "theirs", 0); err != nil {
		t.Fatal(err)
	}
	told := make(chan error)
	go func() { told <- d.Store.Tx(t.Context(), insert("ours")) }()
	if got, err := d.Store.Texts(t.Context(), allScratch); err != nil || len(got) != 0 {
		t.Errorf("readers wait for writers: %q, %v", got, err)
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Error(err)
	}
	wantIDs(t, d.Store, "ours", "theirs")
}

// The connection breaks when the commit has been asked for: nobody knows.
func TestBrokenCommitIsUnknown(t *testing.T) {
	d := db.Postgres(t)
	scratch(t, d)
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		tx.AfterCommit(func() { t.Error("woken by what nobody knows") })
		if err := insert("a")(tx); err != nil {
			return err
		}
		var pid, killed any
		if err := tx.QueryRow(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		return d.Store.QueryRow(t.Context(), `SELECT pg_terminate_backend(CAST($1 AS INTEGER), 5000)`, pid).Scan(&killed)
	})
	if !errors.Is(err, store.ErrOutcomeUnknown) || !errors.Is(err, fault.ErrUnavailable) {
		t.Errorf("told %v", err)
	}
	if err := d.Store.Tx(t.Context(), insert("b")); err != nil {
		t.Errorf("the pool did not recover: %v", err)
	}
}

func TestCloseWaitsForWrites(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		s := d.Open(t)
		begun, release := make(chan struct{}), make(chan struct{})
		told, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			told <- s.Tx(t.Context(), func(tx *store.Tx) error {
				close(begun)
				<-release
				return insert("a")(tx)
			})
		}()
		<-begun
		go func() { closed <- s.Close() }()
		until(t, s.Closing)
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		close(release)
		if err := errors.Join(<-told, <-closed); err != nil {
			t.Errorf("the write that had begun: %v", err)
		}
		if err := s.Tx(t.Context(), insert("b")); !errors.Is(err, store.ErrClosed) || !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := s.Single(t.Context(), insertScratch+` RETURNING id`, []any{"c", 0}, scanNothing); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
		wantIDs(t, d.Store, "a")
	})
}

func TestPing(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		if err := d.Store.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		s := d.Open(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Error("a closed store answers")
		}
	})
}
