package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/limenauth/limen/internal/fault"
)

// postgresDB is a PostgreSQL database behind a pool of connections, on each of which
// pgx keeps the statements prepared.
type postgresDB struct {
	pool *pgxpool.Pool
	now  func() time.Time
}

// postgresConfig reads an address; pgx leaves the password out of its errors.
func postgresConfig(url string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	c.ConnConfig.RuntimeParams["application_name"] = "limen"
	return c, nil
}

// openPostgres opens the database for migrations and for looking at it.
func openPostgres(url string) (*sql.DB, error) {
	c, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*c.ConnConfig), nil
}

// startPostgres opens the pool. It warns of a server that acknowledges what is not yet
// on its disk: a rotation that is lost revives a spent refresh token. It does not overrule
// the server, whose owner may have chosen a stricter setting than on.
func startPostgres(ctx context.Context, c Config) (*postgresDB, error) {
	p, err := postgresConfig(c.Postgres)
	if err != nil {
		return nil, err
	}
	p.MaxConns = int32(c.MaxConns)
	// Connections end now and then, so that they follow a failover and give memory back.
	p.MaxConnIdleTime = 5 * time.Minute
	p.MaxConnLifetime = time.Hour
	p.MaxConnLifetimeJitter = 5 * time.Minute
	pool, err := pgxpool.NewWithConfig(ctx, p)
	if err != nil {
		return nil, err
	}
	var sync string
	if err := pool.QueryRow(ctx, `SHOW synchronous_commit`).Scan(&sync); err != nil {
		pool.Close()
		return nil, unavailable(err)
	}
	if sync == "off" {
		c.Log.Warn("PostgreSQL has synchronous_commit = off: a crash of the server loses writes that limen has acknowledged")
	}
	return &postgresDB{pool: pool, now: c.Now}, nil
}

func (p *postgresDB) name() Engine                   { return Postgres }
func (p *postgresDB) reads() runner                  { return pooled{p.pool} }
func (p *postgresDB) stats() Stats                   { return Stats{} }
func (p *postgresDB) ping(ctx context.Context) error { return unavailable(p.pool.Ping(ctx)) }

func (p *postgresDB) close() error {
	p.pool.Close()
	return nil
}

func (p *postgresDB) transact(ctx context.Context, fn func(*Tx) error) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return unavailable(err)
	}
	t := begin(conn)
	defer t.end() // after an error or a panic it rolls back
	if err := fn(newTx(ctx, t, p.now())); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return unsure(t.commit(ctx))
}

// single has no meanwhile: the answer of the one round trip is the commit.
func (p *postgresDB) single(ctx context.Context, fn func(context.Context, runner) error, _ func()) error {
	return unsure(fn(ctx, pooled{p.pool}))
}

// retryable tells a serialization failure and a deadlock, which have undone everything,
// and what never reached the server because its connection had died in the pool.
func (p *postgresDB) retryable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40001" || e.Code == "40P01"
	}
	return unsent(err)
}

// unsent tells an error of a connection that had died in the pool before anything went
// over it.
func unsent(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return !connecting && pgconn.SafeToRetry(err)
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
