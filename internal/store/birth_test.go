package store_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3/lock"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

func setMeta(t *testing.T, d *db.DB, name, value string) {
	t.Helper()
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2`, name, value)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// refused opens the database and wants the error, with words that help.
func refused(t *testing.T, c store.Config, want error, words ...string) {
	t.Helper()
	s, err := store.Open(t.Context(), c)
	if err == nil {
		t.Error("opened", errors.Join(s.Close()))
		return
	}
	if !errors.Is(err, want) {
		t.Errorf("refused with %v, want %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not mention %q", err, w)
		}
	}
}

func ringOf(t *testing.T, roots ...secret.Text) *secret.Ring {
	t.Helper()
	var all []string
	for _, r := range roots {
		all = append(all, r.Reveal())
	}
	r, err := secret.ParseRing(strings.Join(all, " "))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOtherKindIsRefused(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		c := d.Config()
		c.Kind = store.Production
		refused(t, c, store.ErrKind, "limen dev", "limen serve")

		if s, err := store.Open(t.Context(), d.Config()); err != nil {
			t.Errorf("the refusals changed something: %v", err)
		} else if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A process that may not have the database does not migrate it either.
func TestRefusalComesBeforeMigration(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		// A record that is gone makes the migration pending, and it would fail.
		if _, err := d.SQL(t).Exec(`DELETE FROM goose_db_version WHERE version_id > 0`); err != nil {
			t.Fatal(err)
		}
		refused(t, withKind(d.Config(), store.Production), store.ErrKind)
	})
}

func withKind(c store.Config, k store.Kind) store.Config { c.Kind = k; return c }

func TestOtherRootKeyIsRefused(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		c := d.Config()
		c.Ring = ringOf(t, secret.NewRoot())
		refused(t, c, store.ErrRootKey, "LIMEN_ROOT_KEY")
	})
}

// A root key is changed by putting a new one in front. Once a process has started with
// both, the old one may leave.
func TestRootKeyMayChange(t *testing.T) {
	old, next := secret.NewRoot(), secret.NewRoot()
	c := store.Config{SQLite: filepath.Join(t.TempDir(), "limen.db"), Kind: store.Production, Now: db.NewClock().Now}
	for _, ring := range []*secret.Ring{ringOf(t, old), ringOf(t, next, old), ringOf(t, next)} {
		c.Ring = ring
		s, err := store.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c.Ring = ringOf(t, old)
	refused(t, c, store.ErrRootKey)
}

func TestNewerSchemaIsRefused(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		setMeta(t, d, "min_reader", "1")
		d.Open(t)
		setMeta(t, d, "min_reader", "9999")
		refused(t, d.Config(), store.ErrNewerSchema, "9999", "newer")
		setMeta(t, d, "min_reader", "nonsense")
		refused(t, d.Config(), store.ErrNewerSchema)
	})
}

// A database that a newer release has expanded is opened: expand first, contract later.
func TestExpandedSchemaIsOpened(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		q := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`
		if _, err := d.SQL(t).Exec(q); err != nil {
			t.Fatal(err)
		}
		d.Open(t)
	})
}

func TestConfigIsChecked(t *testing.T) {
	good := store.Config{SQLite: filepath.Join(t.TempDir(), "limen.db"), Ring: ringOf(t, secret.NewRoot()), Kind: store.Production, Now: db.NewClock().Now}
	for what, spoil := range map[string]func(*store.Config){
		"no database":   func(c *store.Config) { c.SQLite = "" },
		"two databases": func(c *store.Config) { c.Postgres = "postgres://127.0.0.1/limen" },
		"no root key":   func(c *store.Config) { c.Ring = nil },
		"no clock":      func(c *store.Config) { c.Now = nil },
		"no kind":       func(c *store.Config) { c.Kind = "" },
		"a strange one": func(c *store.Config) { c.Kind = "staging" },
	} {
		c := good
		spoil(&c)
		if s, err := store.Open(t.Context(), c); err == nil {
			t.Errorf("%s: opened", what)
			s.Close()
		}
	}
	if _, err := os.Stat(good.SQLite); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused configuration left a file: %v", err)
	}
}

func TestUnreachableServerIsUnavailable(t *testing.T) {
	c := store.Config{
		Postgres: "postgres://limen:hunter2@127.0.0.1:1/limen", Ring: ringOf(t, secret.NewRoot()), Kind: store.Production, Now: db.NewClock().Now,
	}
	if _, err := store.Open(t.Context(), c); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("told %v", err)
	}
	d := db.Postgres(t)
	address, err := url.Parse(d.Config().Postgres)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(address.Path, "/")
	address.Path = "/postgres"
	server, err := sql.Open("pgx", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := server.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
		t.Fatal(err)
	}
	// The first attempts may still meet a connection that has just died.
	nothing := func(*store.Tx) error { return nil }
	until(t, func() bool { return errors.Is(d.Store.Tx(context.Background(), nothing), fault.ErrUnavailable) })
}

// The path is taken as it is, whatever characters it has.
func TestStrangePaths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b", "?c=d&e#f%20;g'")
	c := store.Config{SQLite: filepath.Join(dir, "lîmen%.db"), Ring: ringOf(t, secret.NewRoot()), Kind: store.Production, Now: db.NewClock().Now}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Tx(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.SQLite + "-wal"); err != nil {
		t.Error(err)
	}
}

// Nobody but the owner reads the database: not the file, not its log, not its
// directory, whatever the process's umask is.
func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "limen")
	c := store.Config{SQLite: filepath.Join(dir, "limen.db"), Ring: ringOf(t, secret.NewRoot()), Kind: store.Production, Now: db.NewClock().Now}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for path, want := range map[string]fs.FileMode{
		dir: fs.ModeDir | 0o700, c.SQLite: 0o600, c.SQLite + "-wal": 0o600, c.SQLite + "-shm": 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
}

// Any number of processes may start at once on an empty database: one migrates, and
// all of them work.
func TestConcurrentOpens(t *testing.T) {
	for what, c := range map[string]func(t *testing.T) store.Config{
		"sqlite":   func(t *testing.T) store.Config { return store.Config{SQLite: filepath.Join(t.TempDir(), "limen.db")} },
		"postgres": func(t *testing.T) store.Config { return store.Config{Postgres: db.Empty(t)} },
	} {
		t.Run(what, func(t *testing.T) {
			c := c(t)
			c.Ring, c.Kind, c.Now = ringOf(t, secret.NewRoot()), store.Production, db.NewClock().Now
			var starts sync.WaitGroup
			for range 4 {
				starts.Go(func() {
					s, err := store.Open(t.Context(), c)
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Tx(t.Context(), func(*store.Tx) error { return nil }); err != nil {
						t.Error(err)
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			starts.Wait()
			all, err := store.Status(t.Context(), c)
			if err != nil || len(all) == 0 || all[len(all)-1].AppliedAt.IsZero() {
				t.Errorf("status %v, %v", all, err)
			}
		})
	}
}

// On PostgreSQL only the holder of an advisory lock migrates.
func TestMigrationWaitsForItsLock(t *testing.T) {
	c := store.Config{Postgres: db.Empty(t), Ring: ringOf(t, secret.NewRoot()), Kind: store.Production, Now: db.NewClock().Now}
	raw, err := sql.Open("pgx", c.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	holder, err := raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), `SELECT pg_advisory_lock($1)`, lock.DefaultLockID); err != nil {
		t.Fatal(err)
	}
	told := make(chan error)
	go func() {
		_, err := store.Migrate(t.Context(), c)
		told <- err
	}()
	count := func(q string) (n int) {
		if err := raw.QueryRow(q).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	until(t, func() bool {
		return count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND state = 'idle' AND query LIKE 'SELECT pg_try_advisory_lock%'`) == 1
	})
	if n := count(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version'`); n != 0 {
		t.Errorf("%d tables were made without the lock", n)
	}
	if _, err := holder.ExecContext(t.Context(), `SELECT pg_advisory_unlock($1)`, lock.DefaultLockID); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Error(err)
	}
}

// Of two first starts with different kinds, one decides and the other is refused.
func TestOneBirth(t *testing.T) {
	c := store.Config{SQLite: filepath.Join(t.TempDir(), "limen.db"), Ring: ringOf(t, secret.NewRoot()), Now: db.NewClock().Now}
	errs := make([]error, 2)
	var starts sync.WaitGroup
	for i, kind := range []store.Kind{store.Development, store.Production} {
		starts.Go(func() {
			var s *store.Store
			if s, errs[i] = store.Open(t.Context(), withKind(c, kind)); errs[i] == nil {
				errs[i] = s.Close()
			}
		})
	}
	starts.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), store.ErrKind) {
		t.Errorf("two births: %v", errs)
	}
}

// tables counts the tables of a PostgreSQL database.
func tables(t *testing.T, address string) (n int) {
	t.Helper()
	raw, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := raw.QueryRow(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStatusAndMigrate(t *testing.T) {
	for what, c := range map[string]func(t *testing.T) store.Config{
		"sqlite":   func(t *testing.T) store.Config { return store.Config{SQLite: filepath.Join(t.TempDir(), "limen.db")} },
		"postgres": func(t *testing.T) store.Config { return store.Config{Postgres: db.Empty(t)} },
	} {
		t.Run(what, func(t *testing.T) {
			c := c(t)
			before, err := store.Status(t.Context(), c) // an address is enough
			if err != nil || len(before) == 0 || before[0].Version != 1 || !before[0].AppliedAt.IsZero() {
				t.Fatalf("before: %v, %v", before, err)
			}
			if c.SQLite != "" {
				if _, err := os.Stat(c.SQLite); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("looking made a file: %v", err)
				}
			} else if n := tables(t, c.Postgres); n != 0 {
				t.Errorf("looking made %d tables", n)
			}
			c.Ring, c.Kind, c.Now = ringOf(t, secret.NewRoot()), store.Production, db.NewClock().Now
			for i, want := range []int{len(before), 0} {
				applied, err := store.Migrate(t.Context(), c)
				if err != nil || len(applied) != want {
					t.Errorf("run %d applied %v, %v", i, applied, err)
				}
			}
			after, err := store.Status(t.Context(), c)
			if err != nil || len(after) != len(before) || after[0].AppliedAt.IsZero() || after[0].Name != before[0].Name {
				t.Errorf("after: %v, %v", after, err)
			}
		})
	}
	if _, err := store.Status(t.Context(), store.Config{}); err == nil {
		t.Error("the status of no database")
	}
}
