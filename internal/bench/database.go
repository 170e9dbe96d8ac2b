package bench

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/secret"
)

const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// database is one that belongs to the run and goes with it.
type database struct {
	engine  string
	address string // a path or a URL
	dir     string // of SQLite and of the root key
	drop    func() error
}

func newDatabase(ctx context.Context, o Options, engine string) (*database, error) {
	dir, err := os.MkdirTemp(o.Dir, "limen-bench-")
	if err != nil {
		return nil, err
	}
	d := &database{engine: engine, dir: dir, address: filepath.Join(dir, "limen.db"), drop: func() error { return nil }}
	if engine == sqlite {
		return d, nil
	}
	if engine != postgres {
		return nil, fmt.Errorf("bench: %q is no engine", engine)
	}
	admin, err := sql.Open("pgx", o.Postgres)
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(o.Postgres)
	if err != nil {
		return nil, err
	}
	name := "limen_bench_" + hex.EncodeToString(secret.Bytes(6))
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("bench: a PostgreSQL server is needed (LIMEN_TEST_POSTGRES): %w", err)
	}
	address.Path = "/" + name
	d.address = address.String()
	d.drop = func() error {
		_, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		return errors.Join(err, admin.Close())
	}
	return d, nil
}

func (d *database) close() error { return errors.Join(d.drop(), os.RemoveAll(d.dir)) }

// open opens the database beside limen, which is how it is seeded.
func (d *database) open(pragmas string) (*sql.DB, error) {
	if d.engine == sqlite {
		return sql.Open("sqlite", "file:"+d.address+"?_busy_timeout=5000&_journal_mode=WAL"+pragmas)
	}
	return sql.Open("pgx", d.address)
}

// What every seeded person has.
const (
	password     = "a threshold of stone"
	sessionsEach = 3
)

// ident is the id of the n-th thing: the number stands where real ids hold the time, so
// that the rows lie in the order of their making.
func ident(prefix string, n int) string { return fmt.Sprintf("%s_01%010d00000000000000", prefix, n) }

// identSQL is ident where n is an expression.
func identSQL(prefix, n string) string {
	return fmt.Sprintf("'%s_01' || substr(CAST(10000000000 + %s AS TEXT), 2) || '00000000000000'", prefix, n)
}

func identifier(n int) string { return fmt.Sprintf("person%d@bench.example", n) }

// seed writes people, their addresses and their sessions, in bulk.
func (d *database) seed(ctx context.Context, people int, now time.Time) (err error) {
	hash, err := factor.DefaultHashing().Hash(password)
	if err != nil {
		return err
	}
	db, err := d.open("&_synchronous=OFF")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, text := range seedTexts(d.engine, people, hash, now) {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("seeding: %w", err)
		}
	}
	settle := []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	if d.engine == postgres {
		settle = []string{"VACUUM ANALYZE", "CHECKPOINT"}
	}
	for _, text := range settle {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("settling: %w", err)
		}
	}
	return nil
}

func seedTexts(engine string, people int, hash string, now time.Time) []string {
	numbers := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < %d)", n)
	}
	at, day := now.UnixMicro(), 24*time.Hour
	idle, end := now.Add(30*day).UnixMicro(), now.Add(90*day).UnixMicro()
	device := "x'" + strings.Repeat("ab", 32) + "'"
	if engine == postgres {
		device = "decode('" + strings.Repeat("ab", 32) + "', 'hex')"
	}
	return []string{
		fmt.Sprintf(`INSERT INTO account (id, username, username_key, first_name, last_name, roles, public_metadata, unsafe_metadata,
			private_metadata, password_hash, password_changed_at, credential_version, epoch, created_at, updated_at)
			%s SELECT %s, 'person' || n, 'person' || n, 'Person', 'Number ' || n, '["user"]', '{}', '{}', '{}', '%s', %d, 1, 1, %d, %d
			FROM number`, numbers(people), identSQL("usr", "n"), hash, at, at, at),
		fmt.Sprintf(`INSERT INTO email (id, account_id, address, address_key, is_primary, verified_at, created_at)
			%s SELECT %s, %s, 'person' || n || '@bench.example', 'person' || n || '@bench.example', TRUE, %d, %d FROM number`,
			numbers(people), identSQL("eml", "n"), identSQL("usr", "n"), at, at),
		fmt.Sprintf(`INSERT INTO session (id, account_id, client, generation, rotated_at, proof_generation, cut_generation, device_hash, bound, delivery, epoch,
			idle_expires_at, expires_at, recovered_generation, recoveries, created_at, last_seen_at, authenticated_at,
			authenticated_by, methods, aal, ip, location, device_name, device_os, device_browser, device_kind)
			%s SELECT %s, %s, 'default', 1, %d, 1, 0, %s, FALSE, 'token', 1, %d, %d, 0, 0, %d, %d, %d, 'password', '["password"]', 1,
			'192.0.2.77', '', 'Firefox on Linux', 'Linux', 'Firefox 140.0', 'desktop' FROM number`,
			numbers(people*sessionsEach), identSQL("ses", "n"), identSQL("usr", fmt.Sprintf("n %% %d", people)), at, device, idle, end, at, at, at),
	}
}
