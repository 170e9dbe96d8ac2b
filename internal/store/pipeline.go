package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pooled runs each statement on a connection of its own.
type pooled struct{ *pgxpool.Pool }

// deadTries bounds how many connections may turn out dead, one after the other, before
// a statement gives up.
const deadTries = 3

func (p pooled) query(ctx context.Context, q string, args []any) (answer, error) {
	for try := 1; ; try++ {
		rows, err := p.Query(ctx, q, args...)
		if err == nil {
			return pgAnswer{Rows: rows}, nil
		}
		if try == deadTries || !unsent(err) {
			return nil, unavailable(err)
		}
	}
}

func (p pooled) exec(ctx context.Context, q string, args []any) (int64, error) {
	tag, err := p.Exec(ctx, q, args...)
	return tag.RowsAffected(), unavailable(err)
}

// pgAnswer are the rows of one statement, the last of a batch if it travelled in one.
type pgAnswer struct {
	pgx.Rows
	batch pgx.BatchResults
}

// Close gives the connection back and tells what went wrong after the last row.
func (a pgAnswer) Close() error {
	a.Rows.Close()
	err := a.Rows.Err()
	if a.batch != nil {
		if late := a.batch.Close(); err == nil {
			err = late
		}
	}
	return err
}

// transaction runs on one connection at READ COMMITTED, whatever the server's default is:
// the house's rules (one conditional statement, or FOR UPDATE first) are written for it.
//
// A round trip to the server costs more than most statements, so nothing takes one that
// needs no answer. BEGIN travels with the first statement, a posted statement with the
// next one that has an answer, and what is left with COMMIT. The server runs them in
// their order and stops at the first that fails.
type transaction struct {
	conn *pgxpool.Conn
	line *pgx.Batch // what travels with the next statement
}

const (
	beginPostgres = "begin isolation level read committed"
	// rollbackTime bounds the wait for a server that does not answer any more.
	rollbackTime = 5 * time.Second
)

func begin(conn *pgxpool.Conn) *transaction {
	t := &transaction{conn: conn, line: &pgx.Batch{}}
	t.line.Queue(beginPostgres)
	return t
}

// post puts a statement into the line. It does not look at its arguments before that
// leaves, so they are not changed any more.
func (t *transaction) post(q string, args []any) { t.line.Queue(q, args...) }

// send sends the line with one more statement and reads all answers but the last.
func (t *transaction) send(ctx context.Context, q string, args []any) (pgx.BatchResults, error) {
	batch := t.line
	t.line = &pgx.Batch{}
	before := batch.Len()
	batch.Queue(q, args...)
	results := t.conn.SendBatch(ctx, batch)
	for range before {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // it says the same
			return nil, err
		}
	}
	return results, nil
}

func (t *transaction) query(ctx context.Context, q string, args []any) (answer, error) {
	if t.line.Len() == 0 {
		rows, err := t.conn.Query(ctx, q, args...)
		if err != nil {
			return nil, err
		}
		return pgAnswer{Rows: rows}, nil
	}
	results, err := t.send(ctx, q, args)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return pgAnswer{Rows: rows, batch: results}, nil
}

func (t *transaction) exec(ctx context.Context, q string, args []any) (int64, error) {
	tag, err := t.tag(ctx, q, args)
	return tag.RowsAffected(), err
}

func (t *transaction) tag(ctx context.Context, q string, args []any) (tag pgconn.CommandTag, err error) {
	if t.line.Len() == 0 {
		return t.conn.Exec(ctx, q, args...)
	}
	results, err := t.send(ctx, q, args)
	if err != nil {
		return tag, err
	}
	tag, err = results.Exec()
	if late := results.Close(); err == nil {
		err = late
	}
	return tag, err
}

// commit makes the transaction durable. Of an error it is not said here whether that
// happened; see unsure.
func (t *transaction) commit(ctx context.Context) error {
	tag, err := t.tag(ctx, "commit", nil)
	if err == nil && tag.String() == "ROLLBACK" {
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// end gives the connection back, after a rollback if the transaction is still open. A
// connection in doubt is thrown away.
func (t *transaction) end() {
	defer t.conn.Release()
	if c := t.conn.Conn(); !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), rollbackTime)
		defer cancel()
		_, _ = t.conn.Exec(ctx, "rollback")
	}
}
