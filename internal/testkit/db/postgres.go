package db

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// makingLock is the advisory lock under which test processes make and choose databases.
const makingLock = 0x6c696d656e // "limen"

// server is a connection to the PostgreSQL server that gives one test its database.
type server struct {
	*sql.Conn
	address url.URL
	name    string // of the test's database
	spoilt  bool   // nobody may use it after this test
}

// reach connects to the server, or ends the test: by skipping it, or under CI=true by
// failing it.
func reach(t testing.TB) *server {
	t.Helper()
	address, err := url.Parse(cmp.Or(os.Getenv("LIMEN_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"))
	if err != nil {
		t.Fatalf("LIMEN_TEST_POSTGRES: %v", err)
	}
	db, err := sql.Open("pgx", address.String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		db.Close()
		if os.Getenv("CI") == "true" {
			t.Fatalf("the tests need a PostgreSQL server (LIMEN_TEST_POSTGRES): %v", err)
		}
		t.Skipf("SKIPPED: no PostgreSQL server (LIMEN_TEST_POSTGRES): %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Errorf("leaving the PostgreSQL server: %v", err)
		}
	})
	return &server{Conn: conn, address: *address}
}

// url is the address of the database with that name.
func (s *server) url(name string) string {
	a := s.address
	a.Path = "/" + name
	return a.String()
}

// run runs statements on the server, one after the other.
func (s *server) run(statements ...string) error {
	for _, q := range statements {
		if _, err := s.ExecContext(context.Background(), q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// locked runs fn while no other test process does.
func (s *server) locked(fn func() error) error {
	if err := s.run(fmt.Sprintf("SELECT pg_advisory_lock(%d)", makingLock)); err != nil {
		return err
	}
	return errors.Join(fn(), s.run(fmt.Sprintf("SELECT pg_advisory_unlock(%d)", makingLock)))
}

// one reads a text, "" when there is none.
func (s *server) one(q string, args ...any) (text string, err error) {
	err = s.QueryRowContext(context.Background(), q, args...).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return text, err
}

// Empty creates a PostgreSQL database without any table, for the test alone, and
// returns its address.
func Empty(t testing.TB) string {
	t.Helper()
	s := reach(t)
	s.name, s.spoilt = newName(), true
	if err := s.run("CREATE DATABASE " + s.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.giveBack(t, "") })
	return s.url(s.name)
}

// Server returns the address of the server, for a test that makes its databases itself, or
// skips the test when there is no server.
func Server(t testing.TB) string {
	t.Helper()
	s := reach(t)
	return s.address.String()
}

// claim gives the test a migrated database without any row. It takes one that an
// earlier test has left, or copies the template.
func claim(t testing.TB) *server {
	t.Helper()
	schema, err := store.Schema(store.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(schema))
	kind := hex.EncodeToString(sum[:8])
	s := reach(t)
	err = s.locked(func() (err error) {
		s.name, err = s.one(`SELECT d.datname FROM pg_database d JOIN pg_shdescription c ON c.objoid = d.oid
			WHERE c.description = $1 LIMIT 1`, spare(kind))
		if err == nil && s.name == "" {
			s.name = newName()
			err = s.copyTemplate(t, kind)
		}
		if err != nil {
			return err
		}
		return s.run("COMMENT ON DATABASE " + s.name + " IS 'limen: in use'")
	})
	if err != nil {
		t.Fatalf("making a test database: %v", err)
	}
	t.Cleanup(func() { s.giveBack(t, kind) })
	return s
}

func newName() string { return "limen_test_" + hex.EncodeToString(secret.Bytes(8)) }

// spare is the comment of a database that waits for its next test.
func spare(kind string) string { return "limen: spare " + kind }

// copyTemplate creates the database from the template, making that first if this
// schema has none. It is built under another name: a half-made one is never copied.
func (s *server) copyTemplate(t testing.TB, kind string) error {
	name, draft := "limen_template_"+kind, "limen_template_draft"
	found, err := s.one(`SELECT datname FROM pg_database WHERE datname = $1`, name)
	if err != nil {
		return err
	}
	if found == "" {
		if err := s.run("DROP DATABASE IF EXISTS "+draft+" WITH (FORCE)", "CREATE DATABASE "+draft); err != nil {
			return err
		}
		c := store.Config{Postgres: s.url(draft), Ring: ring(t), Kind: store.Development, Now: NewClock().Now}
		if _, err := store.Migrate(context.Background(), c); err != nil {
			return fmt.Errorf("migrating the template: %w", err)
		}
		if err := errors.Join(empty(s.url(draft)), s.run("ALTER DATABASE "+draft+" RENAME TO "+name)); err != nil {
			return err
		}
	}
	return s.run("CREATE DATABASE " + s.name + " TEMPLATE " + name)
}

// giveBack empties the database for the next test, or drops it when it is spoilt or
// cannot be emptied. Emptying is a hundred times cheaper than making another one.
func (s *server) giveBack(t testing.TB, kind string) {
	t.Helper()
	err := errors.New("spoilt")
	if !s.spoilt && !t.Failed() {
		err = empty(s.url(s.name))
	}
	if err != nil {
		err = s.run("DROP DATABASE IF EXISTS " + s.name + " WITH (FORCE)")
	} else {
		err = s.run("COMMENT ON DATABASE " + s.name + " IS '" + spare(kind) + "'")
	}
	if err != nil {
		t.Errorf("giving the test database back: %v", err)
	}
}

// empty removes every row but the record of migrations. It deletes, because TRUNCATE
// makes new files, and to make files is what a busy disk is slowest at.
func empty(address string) (err error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.Exec(`DO $$ DECLARE t TEXT; BEGIN
		FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version' LOOP
			EXECUTE format('DELETE FROM %I', t);
		END LOOP; END $$`)
	return err
}

// logger writes the store's warnings to the test's log.
func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type testWriter struct{ t testing.TB }

// Write implements io.Writer.
func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
