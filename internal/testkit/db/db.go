// Package db gives tests real databases, one of each engine, alone for each test.
//
// EachDB runs a test twice: on a SQLite file in a temporary directory and on a
// PostgreSQL database that nobody else uses meanwhile. The databases of PostgreSQL are
// copies of a template, which is migrated once per schema and stays on the server. A
// database that was only written through its store is emptied and waits there for the
// next test; one that was touched otherwise (DB.SQL), or whose test failed, is dropped.
// So is nothing else: a process that is killed leaves a limen_test_ database behind.
//
// The server is LIMEN_TEST_POSTGRES, a URL whose user may create databases; without
// it, the one on 127.0.0.1 with user postgres and no password. Without a server the
// PostgreSQL half is skipped and says so; under CI=true it fails.
//
// The package is for tests: it reads the environment, and no other code imports it.
package db

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// DB is a database that belongs to one test.
type DB struct {
	Store  *store.Store
	Engine store.Engine
	// Clock is what the store reads the time from.
	Clock *Clock
	// Ring holds the root key that every test database is born with.
	Ring *secret.Ring

	config store.Config
	server *server // nil with SQLite
}

// EachDB runs test once on each engine, as the subtests "sqlite" and "postgres".
func EachDB(t *testing.T, test func(t *testing.T, d *DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite returns a database in a file of the test's own.
func SQLite(t testing.TB) *DB {
	t.Helper()
	return open(t, store.Config{SQLite: filepath.Join(t.TempDir(), "limen.db")}, nil)
}

// Postgres returns a database of the test's own on the server, or skips the test when
// there is no server.
func Postgres(t testing.TB) *DB {
	t.Helper()
	s := claim(t)
	return open(t, store.Config{Postgres: s.url(s.name)}, s)
}

func open(t testing.TB, c store.Config, s *server) *DB {
	t.Helper()
	d := &DB{Clock: NewClock(), Ring: ring(t), server: s}
	c.Ring, c.Kind, c.Now, c.Log = d.Ring, store.Development, d.Clock.Now, logger(t)
	d.config = c
	d.Store = d.Open(t)
	d.Engine = d.Store.Engine()
	return d
}

// Config is what the store was opened with. A second store on the same database stands
// for a second process.
func (d *DB) Config() store.Config { return d.config }

// Open opens the database once more; the store is closed with the test.
func (d *DB) Open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), d.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// SQL opens the database without the store: for a test that looks at rows, or breaks
// them, behind the store's back.
func (d *DB) SQL(t testing.TB) *sql.DB {
	t.Helper()
	driver, address := "sqlite", d.config.SQLite
	if d.server != nil {
		driver, address = "pgx", d.config.Postgres
		d.server.spoilt = true
	}
	raw, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := raw.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	return raw
}

// ring is the same for all tests.
func ring(t testing.TB) *secret.Ring {
	t.Helper()
	r, err := secret.ParseRing(strings.Repeat("A", 42) + "E=")
	if err != nil {
		t.Fatal(err)
	}
	return r
}
