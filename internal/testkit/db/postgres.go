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

// templateLock is the advisory lock under which test processes make databases.
const templateLock = 0x6c696d656e // "limen"

// Fresh creates a migrated PostgreSQL database for the test and returns its address.
// It is dropped with the test, whoever is still connected.
func Fresh(t testing.TB) string {
	t.Helper()
	return create(t, func(ctx context.Context, server *sql.Conn, address url.URL, name string) error {
		source, err := template(ctx, t, server, address)
		if err != nil {
			return err
		}
		_, err = server.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+source)
		return err
	})
}

// Empty creates a PostgreSQL database without any table and returns its address.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, func(ctx context.Context, server *sql.Conn, _ url.URL, name string) error {
		_, err := server.ExecContext(ctx, "CREATE DATABASE "+name)
		return err
	})
}

func create(t testing.TB, fill func(ctx context.Context, server *sql.Conn, address url.URL, name string) error) string {
	t.Helper()
	address, err := url.Parse(cmp.Or(os.Getenv("LIMEN_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"))
	if err != nil {
		t.Fatalf("LIMEN_TEST_POSTGRES: %v", err)
	}
	db, err := sql.Open("pgx", address.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	server, err := db.Conn(ctx)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the tests need a PostgreSQL server (LIMEN_TEST_POSTGRES): %v", err)
		}
		t.Skipf("SKIPPED: no PostgreSQL server (LIMEN_TEST_POSTGRES): %v", err)
	}
	name := "limen_test_" + hex.EncodeToString(secret.Bytes(8))
	t.Cleanup(func() {
		_, err := server.ExecContext(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		if err := errors.Join(err, server.Close(), db.Close()); err != nil {
			t.Errorf("dropping the test database: %v", err)
		}
	})
	if err := locked(ctx, server, func() error { return fill(ctx, server, *address, name) }); err != nil {
		t.Fatalf("creating a test database: %v", err)
	}
	address.Path = "/" + name
	return address.String()
}

// locked runs fn while no other test process does.
func locked(ctx context.Context, server *sql.Conn, fn func() error) (err error) {
	if _, err := server.ExecContext(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return err
	}
	defer func() {
		_, unlock := server.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", templateLock)
		err = errors.Join(err, unlock)
	}()
	return fn()
}

// template returns the name of a migrated database to copy from, making it if this
// schema has none yet. It is built under another name, so that a half-made one is
// never copied.
func template(ctx context.Context, t testing.TB, server *sql.Conn, address url.URL) (string, error) {
	schema, err := store.Schema(store.Postgres)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(schema))
	name := "limen_template_" + hex.EncodeToString(sum[:8])
	var found bool
	err = server.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&found)
	if err != nil || found {
		return name, err
	}
	draft := name + "_draft"
	if _, err := server.ExecContext(ctx, "DROP DATABASE IF EXISTS "+draft+" WITH (FORCE)"); err != nil {
		return "", err
	}
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+draft); err != nil {
		return "", err
	}
	address.Path = "/" + draft
	c := store.Config{Postgres: address.String(), Ring: ring(t), Kind: store.Development, Now: NewClock().Now}
	if _, err := store.Migrate(ctx, c); err != nil {
		return "", fmt.Errorf("migrating the template: %w", err)
	}
	_, err = server.ExecContext(ctx, "ALTER DATABASE "+draft+" RENAME TO "+name)
	return name, err
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
