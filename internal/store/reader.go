package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// runner runs statements: on a pool of connections or on the one of a transaction.
type runner interface {
	query(ctx context.Context, q string, args []any) (answer, error)
	exec(ctx context.Context, q string, args []any) (int64, error)
}

// answer is what comes back: the rows of database/sql on SQLite, of pgx on PostgreSQL.
// Whoever asked closes it.
type answer interface {
	Next() bool
	Scan(targets ...any) error
	Err() error
	Close() error
}

// reader is embedded in Store and in Tx: the methods that read hang on it, so that
// each is written once and serves both.
type reader struct {
	run runner
	// ctx is the transaction's own context and outranks the caller's; nil in a Store.
	ctx context.Context
}

func (r reader) query(ctx context.Context, q string, args ...any) (answer, error) {
	if r.ctx != nil {
		ctx = r.ctx
	}
	return r.run.query(ctx, q, args)
}

func (r reader) queryRow(ctx context.Context, q string, args ...any) row {
	rows, err := r.query(ctx, q, args...)
	return row{rows: rows, err: err}
}

// row is the first row of an answer. It is read by exactly one Scan.
type row struct {
	rows answer
	err  error
}

// Scan reads the row and closes the answer. It fails with sql.ErrNoRows when there is
// no row.
func (r row) Scan(targets ...any) error {
	found, err := scanOne(r.rows, r.err, func(scan func(...any) error) error { return scan(targets...) })
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// scanOne hands the first row to scan and closes the answer, so that an error which
// the database tells after the row is not missed.
func scanOne(rows answer, err error, scan func(func(...any) error) error) (found bool, _ error) {
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, rows.Err()
	}
	if err := scan(rows.Scan); err != nil {
		return false, err
	}
	return true, rows.Close()
}

// maxPrepared bounds the statements a connection keeps prepared. All texts are
// constants, some hundreds; the bound only guards against a text built at run time.
const maxPrepared = 1000

// source is a *sql.DB or *sql.Conn.
type source interface {
	PrepareContext(ctx context.Context, q string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error)
}

// prepared translates each statement for SQLite and prepares it once per connection:
// parsing costs more than running.
//
// A caller who has left is not served any more, but a statement that has begun is not
// interrupted: it takes microseconds, and to watch for the end of a context takes two
// goroutines and longer than the statement itself.
type prepared struct {
	on source

	// mu guards stmts and is held for a look-up only.
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newPrepared(on source) *prepared { return &prepared{on: on, stmts: map[string]*sql.Stmt{}} }

// stmt returns q prepared, or nil when the cache is full.
func (p *prepared) stmt(ctx context.Context, q string) (*sql.Stmt, error) {
	p.mu.RLock()
	st, full := p.stmts[q], len(p.stmts) >= maxPrepared
	p.mu.RUnlock()
	if st != nil || full {
		return st, nil
	}
	st, err := p.on.PrepareContext(ctx, sqliteText(q))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.stmts[q]; first != nil { // somebody was faster; nobody else has seen ours
		return first, st.Close()
	}
	p.stmts[q] = st
	return st, nil
}

// close closes every statement. The statements of a *sql.Conn are closed by nobody else,
// and with one of them open SQLite would not take its connection for closed: it would
// leave the log (-wal) beside the file.
func (p *prepared) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, st := range p.stmts {
		errs = append(errs, st.Close())
	}
	clear(p.stmts)
	return errors.Join(errs...)
}

func (p *prepared) query(ctx context.Context, q string, args []any) (answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	st, err := p.stmt(ctx, q)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return p.on.QueryContext(ctx, sqliteText(q), args...)
	}
	return st.QueryContext(ctx, args...)
}

func (p *prepared) exec(ctx context.Context, q string, args []any) (int64, error) {
	st, err := p.stmt(ctx, q)
	if err != nil {
		return 0, err
	}
	var res sql.Result
	if st == nil {
		res, err = p.on.ExecContext(ctx, sqliteText(q), args...)
	} else {
		res, err = st.ExecContext(ctx, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
