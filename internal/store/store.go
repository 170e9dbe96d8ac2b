package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
)

// Engine names the database behind a store.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Kind is what a database is from birth; it never changes.
type Kind string

// The kinds. There is no default: a database whose kind nobody named is not opened.
const (
	Development Kind = "development"
	Production  Kind = "production"
)

// Config says which database to open and as what.
type Config struct {
	// SQLite is the path of the database file; it is created when it is missing.
	SQLite string
	// Postgres is a connection URL. Exactly one of SQLite and Postgres is set.
	Postgres string

	// Ring must hold the root key that the database was born with, or a later one.
	Ring *secret.Ring
	// Kind must be the one the database was born with.
	Kind Kind

	// Now is the clock; Tx.Now is read from it.
	Now func() time.Time
	// Log receives what has no caller to tell; nil discards it.
	Log *slog.Logger

	// ReadConns bounds the connections that read a SQLite file; 0 means 8.
	ReadConns int
	// MaxConns bounds the connections to PostgreSQL; 0 means 20.
	MaxConns int
}

// Errors of opening and of using a store.
var (
	// ErrNewerSchema: a newer limen has removed what this one needs.
	ErrNewerSchema = errors.New("the database needs a newer limen")
	// ErrKind: the database is of the other kind.
	ErrKind = errors.New("the database is of another kind")
	// ErrRootKey: the root key is not the one the database was born with.
	ErrRootKey = errors.New("the root key does not fit the database")
	// ErrOutcomeUnknown: the caller left or the connection broke when the work had
	// begun; it stands or falls as a whole, and only the database knows. It comes
	// inside a fault.ErrUnavailable.
	ErrOutcomeUnknown = errors.New("the outcome of the transaction is unknown")
	// ErrClosed: the store was closed. It comes inside a fault.ErrUnavailable.
	ErrClosed = errors.New("the store is closed")
)

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	reader

	db  engine
	now func() time.Time

	// gate is held for reading during every write and for writing by Close, which so
	// waits for them. It guards closed.
	gate   sync.RWMutex
	closed bool
}

// engine is what differs between SQLite and PostgreSQL once a database is open.
type engine interface {
	name() Engine
	// reads runs statements outside of transactions.
	reads() runner
	// transact runs fn in one transaction and returns when it is durable.
	transact(ctx context.Context, fn func(*Tx) error) error
	// single runs fn, which runs exactly one statement, as a durable transaction. Where the
	// caller waits for the commit after that, meanwhile is called in its goroutine.
	single(ctx context.Context, fn func(context.Context, runner) error, meanwhile func()) error
	// retryable tells an error after which the same closure may succeed.
	retryable(err error) bool
	ping(ctx context.Context) error
	stats() Stats
	close() error
}

// Open opens the database, brings its schema up to date and checks that it is the
// right one: ErrKind, ErrRootKey and ErrNewerSchema refuse before anything is changed.
// Any number of processes may open the same database at once.
func Open(ctx context.Context, c Config) (*Store, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	db, err := c.open()
	if err != nil {
		return nil, err
	}
	if _, err := c.prepare(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var e engine
	if c.engine() == SQLite {
		e, err = startSQLite(ctx, c, db)
	} else {
		// The pool is another one: what migrates must not be what serves.
		if err = db.Close(); err == nil {
			e, err = startPostgres(ctx, c)
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{reader: reader{run: e.reads()}, db: e, now: c.Now}, nil
}

func (c Config) engine() Engine {
	if c.SQLite != "" {
		return SQLite
	}
	return Postgres
}

// addressed refuses a configuration that names no database, or two.
func (c Config) addressed() error {
	if (c.SQLite == "") == (c.Postgres == "") {
		return errors.New("store: name a SQLite file or a PostgreSQL address, one of them")
	}
	return nil
}

// checked refuses a configuration that lacks something, and fills the defaults.
func (c Config) checked() (Config, error) {
	if err := c.addressed(); err != nil {
		return c, err
	}
	if c.Kind != Development && c.Kind != Production {
		return c, fmt.Errorf("store: %q is no kind of database", c.Kind)
	}
	if c.Ring == nil || c.Now == nil {
		return c, errors.New("store: a database needs a root key and a clock")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.ReadConns == 0 {
		c.ReadConns = 8
	}
	if c.MaxConns == 0 {
		c.MaxConns = 20
	}
	return c, nil
}

// open opens the database without reading it. On SQLite it is the connection of the
// writer; the file is created.
func (c Config) open() (*sql.DB, error) {
	if c.engine() == SQLite {
		return openSQLite(c.SQLite)
	}
	return openPostgres(c.Postgres)
}

func (c Config) hasTable(ctx context.Context, db *sql.DB, name string) (bool, error) {
	if c.engine() == SQLite {
		return hasTableSQLite(ctx, db, name)
	}
	return hasTablePostgres(ctx, db, name)
}

// Engine returns which database is behind the store.
func (s *Store) Engine() Engine { return s.db.name() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.ping(ctx) }

// Stats counts what the writer of a SQLite database has done. With PostgreSQL, which
// groups commits itself, all numbers are zero.
type Stats struct {
	Waiting  int   // closures in line
	Closures int64 // closures that were given a turn
	Commits  int64 // commits that carried them
	Lost     int64 // batches that were lost and run again one by one
}

// Stats returns the numbers since Open.
func (s *Store) Stats() Stats { return s.db.stats() }

// Close waits for the writes that were begun, refuses new ones with ErrClosed, and
// closes the database. Closing twice is allowed.
func (s *Store) Close() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.db.close()
}

// enter admits one write; leave ends it.
func (s *Store) enter() (leave func(), err error) {
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return nil, fault.ErrUnavailable.Because(ErrClosed)
	}
	return s.gate.RUnlock, nil
}
