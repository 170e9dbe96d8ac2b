package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
)

// The rows of meta that the store itself reads.
const (
	metaKind      = "kind"
	metaKeyCheck  = "key_check"
	metaMinReader = "min_reader"
)

const (
	sqlMetaAll    = `SELECT name, value FROM meta`
	sqlMetaUpdate = `UPDATE meta SET value = $1 WHERE name = $2`
)

// prepare makes an opened database ready for this process: it refuses one that is not
// its own before it touches anything, migrates the schema, and has a new database born.
func (c Config) prepare(ctx context.Context, db *sql.DB) ([]Migration, error) {
	born, err := c.hasTable(ctx, db, "meta")
	if err != nil {
		return nil, err
	}
	if born {
		if err := c.recognise(ctx, db); err != nil {
			return nil, err
		}
	}
	applied, err := migrate(ctx, c.engine(), db, c.Now(), c.Log)
	if err != nil {
		return nil, fmt.Errorf("migrating the schema: %w", err)
	}
	// Of two processes at one birth the first decides and the second is checked.
	for name, value := range map[string]string{metaKind: string(c.Kind), metaKeyCheck: c.Ring.Check()} {
		if _, err := db.ExecContext(ctx, sqlMetaInsert, name, value); err != nil {
			return nil, fmt.Errorf("writing what the database is: %w", err)
		}
	}
	if err := c.recognise(ctx, db); err != nil {
		return nil, err
	}
	// The root key was changed and the old one is still in the ring: from now on the
	// new one is asked for, so that the old one can leave.
	_, err = db.ExecContext(ctx, sqlMetaUpdate, c.Ring.Check(), metaKeyCheck)
	return applied, err
}

// recognise refuses a database of another kind, of another root key, or of a schema
// that this limen cannot read any more. What a database does not say is not refused.
func (c Config) recognise(ctx context.Context, db *sql.DB) error {
	meta, err := readMeta(ctx, db)
	if err != nil {
		return err
	}
	if min, ok := meta[metaMinReader]; ok {
		known, err := newest(c.engine())
		if err != nil {
			return err
		}
		if v, err := strconv.ParseInt(min, 10, 64); err != nil || v > known {
			return fmt.Errorf("%w: its schema needs one that knows migration %s, this one knows %d; install the newer release",
				ErrNewerSchema, min, known)
		}
	}
	if kind, ok := meta[metaKind]; ok && kind != string(c.Kind) {
		return fmt.Errorf("%w: this is a %s database, and `limen %s` opens only %s ones; use `limen %s`, or name another database",
			ErrKind, kind, command(c.Kind), c.Kind, command(Kind(kind)))
	}
	if check, ok := meta[metaKeyCheck]; ok && !c.Ring.Knows(check) {
		return fmt.Errorf("%w: it was written under another one; give back the root key that it was first started with (LIMEN_ROOT_KEY, root-key-file, or root.key in the data directory)",
			ErrRootKey)
	}
	return nil
}

func command(k Kind) string {
	if k == Development {
		return "dev"
	}
	return "serve"
}

func readMeta(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, sqlMetaAll)
	if err != nil {
		return nil, fmt.Errorf("reading what the database is: %w", err)
	}
	meta := map[string]string{}
	_, err = collect(rows, func(scan func(...any) error) (struct{}, error) {
		var name, value string
		err := scan(&name, &value)
		meta[name] = value
		return struct{}{}, err
	})
	return meta, err
}
