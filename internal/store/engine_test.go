package store_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// The engine is tested on tables of its own, so that no test of it depends on a noun.
const (
	insertScratch = `INSERT INTO scratch (id, n) VALUES ($1, $2)`
	allScratch    = `SELECT id FROM scratch ORDER BY id`
)

// scratchTables are made for a test and gone after it. A child without its parent is
// found out by COMMIT alone.
var scratchTables = []string{
	`CREATE TABLE scratch (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)`,
	`CREATE TABLE child (id TEXT NOT NULL PRIMARY KEY REFERENCES scratch (id) DEFERRABLE INITIALLY DEFERRED)`,
	`CREATE TABLE kept (id TEXT NOT NULL PRIMARY KEY, bytes BYTEA, at BIGINT, yes BOOLEAN, words TEXT)`,
}

// scratch adds the scratch tables to a database: a SQLite file behind the store's
// back, so that the writer's numbers stay at zero; a PostgreSQL database through the
// store, so that it can be given back.
func scratch(t testing.TB, d *db.DB) {
	t.Helper()
	if d.Engine == store.SQLite {
		for _, q := range scratchTables {
			if _, err := d.SQL(t).Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	all := func(statements ...string) {
		err := d.Store.Tx(context.Background(), func(tx *store.Tx) error {
			for _, q := range statements {
				if _, err := tx.Exec(q); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all(scratchTables...)
	t.Cleanup(func() { all(`DROP TABLE child, scratch, kept`) })
}

// eachScratch is EachDB with the scratch tables.
func eachScratch(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		scratch(t, d)
		test(t, d)
	})
}

// insert is a closure that writes one row.
func insert(id string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec(insertScratch, id, 0)
		return err
	}
}

// ids returns the ids of all rows, read on another connection.
func ids(t testing.TB, s *store.Store) []string {
	t.Helper()
	all, err := s.Texts(context.Background(), allScratch)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantIDs(t testing.TB, s *store.Store, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := ids(t, s); !slices.Equal(got, want) {
		t.Errorf("rows are %q, want %q", got, want)
	}
}

// batch runs the closures in one batch of the SQLite writer, in their order, and
// returns what each was told. The store's batches are slow (SlowBatches).
func batch(t *testing.T, s *store.Store, closures ...func() error) []error {
	t.Helper()
	release := hold(t, s)
	told := make([]error, len(closures))
	var done sync.WaitGroup
	for i, closure := range closures {
		done.Go(func() { told[i] = closure() })
		until(t, func() bool { return s.Stats().Waiting == i+1 })
	}
	release()
	done.Wait()
	return told
}

// hold gives the connection of the SQLite writer to a closure that keeps it until
// release is called.
func hold(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	taken, over, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		var once sync.Once // the batch may be lost, and this run again
		ended <- s.Tx(context.Background(), func(*store.Tx) error {
			once.Do(func() { close(taken) })
			<-over
			return nil
		})
	}()
	<-taken
	return func() {
		close(over)
		if err := <-ended; err != nil {
			t.Errorf("the closure in front: %v", err)
		}
	}
}

// until waits for something that another goroutine is about to do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !done() {
		if ctx.Err() != nil {
			t.Fatal("it never happened")
		}
		runtime.Gosched()
	}
}

func name(i int) string { return fmt.Sprintf("row%04d", i) }
