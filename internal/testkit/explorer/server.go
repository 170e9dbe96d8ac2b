package explorer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/ratelimit"
	testapp "github.com/limenauth/limen/internal/testkit/app"
)

// The engines.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Server is a limen that runs share one after the other: each makes an account of its
// own, so nothing of one run is left for the next but a later time on the clock.
type Server struct {
	app   *app.App
	clock *testapp.Clock
	db    *sql.DB // to look at rows behind the server's back
	drop  func() error
	run   int // numbers the runs, for their addresses
}

const publicURL = "http://localhost:4455"

// Open makes a server on a new database: a file below o.Dir for SQLite, a database of its
// own on the server o.Postgres for PostgreSQL.
func Open(ctx context.Context, o Options) (_ *Server, err error) {
	s := &Server{clock: testapp.NewClock(), drop: func() error { return nil }}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	dir, err := os.MkdirTemp(o.Dir, "limen-explorer-")
	if err != nil {
		return nil, err
	}
	s.drop = func() error { return os.RemoveAll(dir) }
	where, driver := filepath.Join(dir, "limen.db"), "sqlite"
	look := "file:" + where + "?_query_only=1&_busy_timeout=5000"
	if o.Engine == Postgres {
		if where, err = s.createDatabase(ctx, o.Postgres); err != nil {
			return nil, err
		}
		driver, look = "pgx", where
	}
	cfg, err := app.ConfigOf(map[string]string{
		"url": publicURL, "data": dir, "db": where, "root-key": testapp.RootKey, "log-level": "error",
	}, app.Development)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if s.app, err = app.Build(ctx, cfg, app.Development, s.clock, log); err != nil {
		return nil, err
	}
	s.app.Limits.Counter = unlimited{}
	s.app.Auth.Hashing = factor.TestHashing()
	if s.db, err = sql.Open(driver, look); err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(1)
	return s, nil
}

// createDatabase makes a database that is dropped with the server. It need not survive a
// crash, so a commit does not wait for the disk.
func (s *Server) createDatabase(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	admin, err := sql.Open("pgx", address)
	if err != nil {
		return "", err
	}
	suffix := make([]byte, 6)
	_, _ = rand.Read(suffix) // it never fails
	name := "limen_explorer_" + hex.EncodeToString(suffix)
	remove := s.drop
	s.drop = func() error {
		_, err := admin.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
		return errors.Join(err, admin.Close(), remove())
	}
	for _, text := range []string{"CREATE DATABASE " + name, "ALTER DATABASE " + name + " SET synchronous_commit = off"} {
		if _, err := admin.ExecContext(ctx, text); err != nil {
			return "", fmt.Errorf("explorer: a PostgreSQL server is needed (LIMEN_TEST_POSTGRES): %w", err)
		}
	}
	u.Path = "/" + name
	return u.String(), nil
}

// Close stops the server and removes its database.
func (s *Server) Close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	if s.app != nil {
		err = errors.Join(err, s.app.Close())
	}
	return errors.Join(err, s.drop())
}

// advance moves the clock and does what a running server would have done meanwhile.
func (s *Server) advance(ctx context.Context, d time.Duration) error {
	s.clock.Advance(d)
	if d < time.Hour {
		return nil
	}
	return errors.Join(s.app.Sweep(ctx), s.app.Issuer.TendKeys(ctx))
}

// unlimited is a counter that refuses nothing.
type unlimited struct{}

func (unlimited) Take(context.Context, time.Time, ...ratelimit.Need) (ratelimit.Decision, error) {
	return ratelimit.Decision{Allowed: true}, nil
}

func (unlimited) GiveBack(context.Context, time.Time, ratelimit.Decision) error { return nil }

// contactRow is a contact as it stands in the database.
type contactRow struct {
	id, value string
	phone     bool
	primary   bool
	verified  time.Time // zero while it is not
}

// accountRow is what a run reads of its account. It exists until a deletion is final.
type accountRow struct {
	exists   bool
	deletion bool
	fields   string // what nobody but the owner may change, besides contacts
	contacts []contactRow
}

// look reads the account.
func (s *Server) look(ctx context.Context, id string) (a accountRow, err error) {
	var username, hash sql.NullString
	var deletion, banned sql.NullInt64
	var version, epoch int64
	err = s.db.QueryRowContext(ctx, `SELECT username, password_hash, credential_version, epoch, delete_at, banned_at
		FROM account WHERE id = $1`, id).Scan(&username, &hash, &version, &epoch, &deletion, &banned)
	if errors.Is(err, sql.ErrNoRows) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	a.exists, a.deletion = true, deletion.Valid
	a.fields = fmt.Sprintf("username=%s password=%s version=%d deletion=%d banned=%d", username.String, hash.String, version, deletion.Int64, banned.Int64)
	rows, err := s.db.QueryContext(ctx, `SELECT id, address, 0, is_primary, verified_at FROM email WHERE account_id = $1
		UNION ALL SELECT id, number, 1, is_primary, verified_at FROM phone WHERE account_id = $1 ORDER BY 1`, id)
	if err != nil {
		return a, err
	}
	defer rows.Close()
	for rows.Next() {
		var c contactRow
		var verified sql.NullInt64
		if err := rows.Scan(&c.id, &c.value, &c.phone, &c.primary, &verified); err != nil {
			return a, err
		}
		if verified.Valid {
			c.verified = time.UnixMicro(verified.Int64).UTC()
		}
		a.contacts = append(a.contacts, c)
	}
	return a, rows.Err()
}

// sessions lists the sessions of an account that can still be used.
func (s *Server) sessions(ctx context.Context, account string) (ids []string, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT session.id FROM session JOIN account ON account.id = session.account_id
		WHERE account.id = $1 AND session.ended_at IS NULL AND session.epoch = account.epoch AND session.expires_at > $2
		AND session.idle_expires_at > $2 ORDER BY session.id`, account, s.clock.Now().UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// queued reports whether messages wait to be sent.
func (s *Server) queued(ctx context.Context) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM outbox WHERE state = 'queued'`).Scan(&n)
	return n > 0, err
}
