package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDB is a SQLite file: a pool that may only read and one writer.
type sqliteDB struct {
	readers *sql.DB
	run     *prepared
	writing *sql.DB
	writer  *writer
}

// openSQLite opens the one connection that may write. It creates the file, if it is
// missing, before SQLite does, so that nobody else can ever read it: SQLite gives the
// files beside it (-wal, -shm) the same mode.
func openSQLite(path string) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	dsn, err := sqliteDSN(path, url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// sqliteDSN writes the path as a URI, so that no character of it is taken for a
// parameter.
func sqliteDSN(path string, extra url.Values) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	q := url.Values{
		// Wait for another process's write (a command beside the server, a backup).
		"_busy_timeout": {"5000"},
		"_journal_mode": {"WAL"},
		// NORMAL loses acknowledged commits when the power fails: a lost rotation
		// would revive a spent refresh token (standards D10).
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		// A misspelt column in double quotes is an error, not a text.
		"_dqs": {"0"},
		// Sorting spills into memory, not into files that outlive the process.
		// A checkpoint writes each page once, however often it has changed since the last:
		// 16 MiB between two, not 4, so that refreshes of a million sessions share more.
		"_pragma": {"temp_store(memory)", "trusted_schema(off)", "wal_autocheckpoint(4000)"},
	}
	for k, v := range extra {
		q[k] = v
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: q.Encode()}
	return u.String(), nil
}

func startSQLite(ctx context.Context, c Config, writing *sql.DB) (*sqliteDB, error) {
	dsn, err := sqliteDSN(c.SQLite, url.Values{"_query_only": {"1"}})
	if err != nil {
		return nil, err
	}
	readers, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	// Idle connections are kept: their prepared statements are what makes them fast.
	readers.SetMaxOpenConns(c.ReadConns)
	readers.SetMaxIdleConns(c.ReadConns)
	conn, err := writing.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, readers.Close())
	}
	return &sqliteDB{
		readers: readers,
		run:     newPrepared(readers),
		writing: writing,
		writer:  startWriter(conn, c.Now, c.Log),
	}, nil
}

func (d *sqliteDB) name() Engine  { return SQLite }
func (d *sqliteDB) reads() runner { return d.run }
func (d *sqliteDB) stats() Stats  { return d.writer.stats() }

func (d *sqliteDB) transact(ctx context.Context, fn func(*Tx) error) error {
	return d.writer.do(ctx, &job{fn: fn})
}

func (d *sqliteDB) single(ctx context.Context, fn func(context.Context, runner) error, meanwhile func()) error {
	return d.writer.do(ctx, &job{single: true, meanwhile: meanwhile, fn: func(tx *Tx) error { return fn(tx.ctx, tx.run) }})
}

func (d *sqliteDB) ping(ctx context.Context) error { return d.readers.PingContext(ctx) }

func (d *sqliteDB) close() error {
	return errors.Join(d.writer.close(), d.writing.Close(), d.readers.Close())
}

func (d *sqliteDB) retryable(err error) bool { return isBusy(err) }

func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// isUncertain tells an error of COMMIT that leaves open what a crash would bring back:
// the disk failed, perhaps after the last page was written.
func isUncertain(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_IOERR
}

// isUniqueSQLite tells the violation of a UNIQUE or PRIMARY KEY constraint.
func isUniqueSQLite(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// SQLite locks the database, not rows: a transaction that may write has it alone.
var rowLock = regexp.MustCompile(`\s+FOR UPDATE( SKIP LOCKED)?\b`)

// sqliteText drops from a statement what only PostgreSQL needs.
func sqliteText(q string) string { return rowLock.ReplaceAllString(q, "") }

func hasTableSQLite(ctx context.Context, db *sql.DB, name string) (bool, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1`, name).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("reading the schema: %w", err)
	}
	return n == 1, nil
}
