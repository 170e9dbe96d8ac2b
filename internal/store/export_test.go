package store

import (
	"context"
	"io/fs"
	"time"
)

// What the tests of the engine reach for: it has no verbs of its own.

// ErrLost is what a closure is told that ended its own transaction.
var ErrLost = errLost

// MaxBatch, MaxWaiting and MaxTries are the bounds of the writer and of retries.
const (
	MaxBatch   = maxBatch
	MaxWaiting = maxWaiting
	MaxTries   = maxTries
)

// Exec runs any statement in the transaction.
func (tx *Tx) Exec(q string, args ...any) (int64, error) { return tx.exec(q, args...) }

// QueryRow reads one row, in a transaction or outside.
func (r reader) QueryRow(ctx context.Context, q string, args ...any) row {
	return r.queryRow(ctx, q, args...)
}

// Texts reads the first column of all rows.
func (r reader) Texts(ctx context.Context, q string, args ...any) ([]string, error) {
	rows, err := r.query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (s string, err error) { return s, scan(&s) })
}

// Single runs one statement the way a refresh does.
func (s *Store) Single(ctx context.Context, q string, args []any, scan func(func(...any) error) error) (bool, error) {
	return s.single(ctx, q, args, scan, func() {})
}

// SingleMeanwhile is Single with what its caller does before the commit.
func (s *Store) SingleMeanwhile(ctx context.Context, q string, args []any, meanwhile func()) (bool, error) {
	return s.single(ctx, q, args, func(scan func(...any) error) error {
		var id string
		return scan(&id)
	}, meanwhile)
}

// SlowBatches lets a batch run for an hour, so that a test decides what shares it.
// Call it before the first write.
func (s *Store) SlowBatches() { s.db.(*sqliteDB).writer.span = time.Hour }

// LeaveOpen leaves the writer of a SQLite database inside a transaction, as if a
// ROLLBACK had failed. Call it before the first write.
func (s *Store) LeaveOpen() error { return s.db.(*sqliteDB).writer.exec("BEGIN") }

// Closing reports whether Close is waiting for writes, or is done.
func (s *Store) Closing() bool {
	if s.gate.TryRLock() {
		defer s.gate.RUnlock()
		return s.closed
	}
	return true
}

// Scan targets and arguments.
var (
	When  = when
	Stamp = stamp
)

// Null is null for strings.
func Null(s string) any { return null(s) }

// Optional is optional for strings.
func Optional(s *string) any { return optional(s) }

// SQLiteText is what SQLite is given for a statement.
func SQLiteText(q string) string { return sqliteText(q) }

// SQLiteDDL is what SQLite is given for a shared migration.
func SQLiteDDL(text string) string { return sqliteDDL(text) }

// MigrationsFor is what goose is given of files.
func MigrationsFor(e Engine, files fs.FS) (map[string]string, error) { return migrationsFor(e, files) }
