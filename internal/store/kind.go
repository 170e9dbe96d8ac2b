package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// KindOf tells what a database was born as, "" before its birth. It changes nothing and
// needs the database's address alone.
func KindOf(ctx context.Context, c Config) (kind Kind, err error) {
	if err := c.addressed(); err != nil {
		return "", err
	}
	if c.SQLite != "" {
		if _, err := os.Stat(c.SQLite); errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
	}
	db, err := c.open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	born, err := c.hasTable(ctx, db, "meta")
	if err != nil || !born {
		return "", err
	}
	meta, err := readMeta(ctx, db)
	return Kind(meta[metaKind]), err
}
