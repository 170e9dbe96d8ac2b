package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	// AppliedAt is zero while the migration is pending.
	AppliedAt time.Time
}

// Migrate brings the schema up to date and checks the database, as Open does, and
// returns what it has applied.
func Migrate(ctx context.Context, c Config) (applied []Migration, err error) {
	c, err = c.checked()
	if err != nil {
		return nil, err
	}
	db, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return c.prepare(ctx, db)
}

// Status lists the migrations that this limen knows, oldest first, and changes
// nothing: a missing file is not created. It needs the database's address alone.
func Status(ctx context.Context, c Config) (all []Migration, err error) {
	if err := c.addressed(); err != nil {
		return nil, err
	}
	if c.SQLite != "" {
		if _, err := os.Stat(c.SQLite); errors.Is(err, fs.ErrNotExist) {
			return pending(c.engine())
		}
	}
	db, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	begun, err := c.hasTable(ctx, db, goose.DefaultTablename)
	if err != nil {
		return nil, err
	}
	if !begun { // goose would create its table
		return pending(c.engine())
	}
	p, err := provider(c.engine(), db)
	if err != nil {
		return nil, err
	}
	steps, err := p.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		all = append(all, Migration{Version: s.Source.Version, Name: s.Source.Path, AppliedAt: s.AppliedAt})
	}
	return all, nil
}

// pending lists every migration as not applied.
func pending(e Engine) (all []Migration, err error) {
	files, err := migrations(e)
	if err != nil {
		return nil, err
	}
	names, err := files.Glob("*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, err
		}
		all = append(all, Migration{Version: version, Name: name})
	}
	return all, nil
}

// newest is the version of the last migration that this limen knows.
func newest(e Engine) (int64, error) {
	all, err := pending(e)
	if err != nil {
		return 0, err
	}
	return all[len(all)-1].Version, nil
}

// upTries bounds how often a migration of a SQLite file that failed is tried again.
const upTries = 3

// migrate applies what is pending.
//
// Two processes may start at once. On PostgreSQL an advisory lock of the session lets
// one migrate while the others wait. On SQLite each migration is one transaction under
// the write lock: whoever comes second fails cleanly (the table is there already),
// looks again and finds nothing left to do.
func migrate(ctx context.Context, e Engine, db *sql.DB, now time.Time, log *slog.Logger) (applied []Migration, err error) {
	for try := 1; ; try++ {
		p, err := provider(e, db)
		if err != nil {
			return nil, err
		}
		steps, err := p.Up(ctx)
		for _, s := range steps {
			log.Info("schema migrated", "migration", s.Source.Path)
			applied = append(applied, Migration{Version: s.Source.Version, Name: s.Source.Path, AppliedAt: now})
		}
		if err == nil {
			return applied, nil
		}
		if e != SQLite || try == upTries {
			return nil, err
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

func provider(e Engine, db *sql.DB) (*goose.Provider, error) {
	files, err := migrations(e)
	if err != nil {
		return nil, err
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{
		goose.WithSlog(slog.New(slog.DiscardHandler)),
		goose.WithDisableGlobalRegistry(true),
	}
	if e == Postgres {
		// Look once a second, for five minutes: longer than any migration should take.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, err
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(dialect, db, files, options...)
}
