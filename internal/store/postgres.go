package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/limenauth/limen/internal/fault"
)

// postgresDB is a PostgreSQL database behind a pool of connections, on each of which
// pgx keeps the statements prepared.
type postgresDB struct {
	db  *sql.DB
	now func() time.Time
}

func openPostgres(url string, conns int) (*sql.DB, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	c.RuntimeParams["application_name"] = "limen"
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	// Connections end now and then, so that they follow a failover and give memory back.
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	return db, nil
}

// startPostgres warns of a server that acknowledges what is not yet on its disk: a
// rotation that is lost revives a spent refresh token. It does not overrule the server,
// whose owner may have chosen a stricter setting than on.
func startPostgres(ctx context.Context, c Config, db *sql.DB) (*postgresDB, error) {
	var sync string
	if err := db.QueryRowContext(ctx, `SHOW synchronous_commit`).Scan(&sync); err != nil {
		return nil, err
	}
	if sync == "off" {
		c.Log.Warn("PostgreSQL has synchronous_commit = off: a crash of the server loses writes that limen has acknowledged")
	}
	return &postgresDB{db: db, now: c.Now}, nil
}

func (p *postgresDB) name() Engine                   { return Postgres }
func (p *postgresDB) reads() runner                  { return direct{p.db} }
func (p *postgresDB) stats() Stats                   { return Stats{} }
func (p *postgresDB) ping(ctx context.Context) error { return unavailable(p.db.PingContext(ctx)) }
func (p *postgresDB) close() error                   { return p.db.Close() }

// transact runs at READ COMMITTED, whatever the server's default is: the house's rules
// (one conditional statement, or FOR UPDATE first) are written for it.
func (p *postgresDB) transact(ctx context.Context, fn func(*Tx) error) error {
	t, err := p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return unavailable(err)
	}
	defer t.Rollback() // after an error or a panic; after a commit it does nothing
	if err := fn(newTx(ctx, direct{t}, p.now())); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return unsure(t.Commit())
}

func (p *postgresDB) single(ctx context.Context, fn func(context.Context, runner) error) error {
	return unsure(fn(ctx, direct{p.db}))
}

// retryable tells a serialization failure and a deadlock: both have undone everything.
func (p *postgresDB) retryable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// unsure tells an error of a commit whose end nobody saw. What the server refuses or
// never received did not happen; a FATAL refusal is the end of the connection, not of
// the transaction.
func unsure(err error) error {
	if err == nil || pgconn.SafeToRetry(err) || errors.Is(err, pgx.ErrTxCommitRollback) {
		return err
	}
	if e, told := errors.AsType[*pgconn.PgError](err); told && e.SeverityUnlocalized != "FATAL" {
		return err
	}
	if _, told := errors.AsType[*fault.Fault](err); told {
		return err
	}
	return unknown(err)
}

// unavailable tells a database that cannot be reached from one that refuses.
func unavailable(err error) error {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fault.ErrUnavailable.After(time.Second).Because(err)
	}
	return err
}

// isUnique tells the violation of a UNIQUE or PRIMARY KEY constraint. On PostgreSQL it
// has ended the transaction: the closure returns an error then.
func isUnique(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	return isUniqueSQLite(err)
}

func hasTablePostgres(ctx context.Context, db *sql.DB, name string) (found bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("reading the schema: %w", err)
	}
	return found, nil
}
