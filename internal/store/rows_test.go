package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// $N is bound by its number on both engines. A driver that binds by place returns
// wrong rows as soon as $2 stands before $1, or $1 stands twice; this test stays for
// ever, because the next driver may do so.
func TestPlaceholdersAreBoundByNumber(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		var got string
		const q = `SELECT CAST($3 AS TEXT) || CAST($1 AS TEXT) || CAST($2 AS TEXT) || CAST($1 AS TEXT)`
		if err := d.Store.QueryRow(t.Context(), q, "a", "b", "c").Scan(&got); err != nil || got != "caba" {
			t.Errorf("read: %q, %v", got, err)
		}
		found, err := d.Store.Single(t.Context(), `INSERT INTO scratch (n, id) VALUES ($2, $1) RETURNING id`, []any{"row", 7},
			func(scan func(...any) error) error { return scan(&got) })
		if err != nil || !found || got != "row" {
			t.Errorf("insert: %q, %v, %v", got, found, err)
		}
		err = d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			n, err := tx.Exec(`UPDATE scratch SET n = n + $2 WHERE id = $1 AND n = $3`, "row", 1, 7)
			if n != 1 {
				t.Errorf("updated %d rows", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// What goes in comes out, the same on both engines.
func TestValuesSurvive(t *testing.T) {
	zone := time.FixedZone("elsewhere", 3600)
	tests := map[string]struct {
		bytes []byte
		at    time.Time
		yes   bool
		words string
	}{
		"zero":     {},
		"ordinary": {[]byte{0, 1, 0xff}, time.Date(2026, 1, 2, 3, 4, 5, 678901000, zone), true, "słowa 詞 🗝"},
		"empty":    {[]byte{}, time.UnixMicro(1), false, " "},
		"old":      {[]byte("x"), time.UnixMicro(-62135596800000000 + 1), true, "'; --"},
	}
	eachScratch(t, func(t *testing.T, d *db.DB) {
		for id, want := range tests {
			err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(`INSERT INTO kept (id, bytes, at, yes, words) VALUES ($1, $2, $3, $4, $5)`,
					id, want.bytes, store.When(want.at), want.yes, store.Null(want.words))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			got := want
			got.bytes, got.at, got.yes, got.words = []byte("junk"), time.Now(), !want.yes, "junk"
			err = d.Store.QueryRow(t.Context(), `SELECT bytes, at, yes, words FROM kept WHERE id = $1`, id).
				Scan(&got.bytes, store.Stamp(&got.at), &got.yes, store.Optional(&got.words))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.bytes, want.bytes) {
				t.Errorf("%s: bytes %v, want %v", id, got.bytes, want.bytes)
			}
			var missing bool // empty is not NULL, although both may be read as nil
			err = d.Store.QueryRow(t.Context(), `SELECT bytes IS NULL FROM kept WHERE id = $1`, id).Scan(&missing)
			if err != nil || missing != (want.bytes == nil) {
				t.Errorf("%s: bytes are missing: %v, %v", id, missing, err)
			}
			if !got.at.Equal(want.at) || got.at.IsZero() != want.at.IsZero() || got.at.Location() != time.UTC {
				t.Errorf("%s: time %v, want %v", id, got.at, want.at)
			}
			if got.yes != want.yes || got.words != want.words {
				t.Errorf("%s: %v %q, want %v %q", id, got.yes, got.words, want.yes, want.words)
			}
		}
	})
}

// Scan targets refuse what their column cannot hold, instead of guessing.
func TestScanTargetsRefuse(t *testing.T) {
	var at time.Time
	if err := store.Stamp(&at).Scan("2026-01-02"); err == nil {
		t.Error("a text was read as a time")
	}
	var words string
	if err := store.Optional(&words).(sql.Scanner).Scan(int64(1)); err == nil {
		t.Error("a number was read as a text")
	}
}

func TestScanWithoutRow(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		var id string
		if err := d.Store.QueryRow(t.Context(), allScratch).Scan(&id); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("no row: %v", err)
		}
		if err := d.Store.QueryRow(t.Context(), `SELECT nothing FROM scratch`).Scan(&id); err == nil || errors.Is(err, sql.ErrNoRows) {
			t.Errorf("no such column: %v", err)
		}
	})
}

// The read pool of SQLite cannot write, so no read method can change anything outside
// the writer's order.
func TestReadersCannotWrite(t *testing.T) {
	d := db.SQLite(t)
	scratch(t, d)
	var id string
	err := d.Store.QueryRow(t.Context(), insertScratch+` RETURNING id`, "a", 1).Scan(&id)
	if err == nil {
		t.Error("a reader wrote")
	}
	wantIDs(t, d.Store)
}

// A row lock is for PostgreSQL alone.
func TestRowLocksAreDroppedForSQLite(t *testing.T) {
	for q, want := range map[string]string{
		"SELECT a FROM b WHERE c = $1 FOR UPDATE":                                   "SELECT a FROM b WHERE c = $1",
		"UPDATE b SET a = 1 WHERE c IN (SELECT c FROM b\n\tFOR UPDATE SKIP LOCKED)": "UPDATE b SET a = 1 WHERE c IN (SELECT c FROM b)",
		"SELECT a FROM b": "SELECT a FROM b",
		"INSERT INTO b VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $1": "INSERT INTO b VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $1",
	} {
		if got := store.SQLiteText(q); got != want {
			t.Errorf("%q became %q", q, got)
		}
	}
}

// Statements are prepared once per connection and shared by all readers.
func TestPreparedStatementsAreShared(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		if err := d.Store.Tx(t.Context(), insert("a")); err != nil {
			t.Fatal(err)
		}
		var readers sync.WaitGroup
		for range 16 {
			readers.Go(func() {
				for range 50 {
					if got, err := d.Store.Texts(t.Context(), allScratch); err != nil || len(got) != 1 {
						t.Errorf("read %q, %v", got, err)
					}
				}
			})
		}
		readers.Wait()
	})
}
