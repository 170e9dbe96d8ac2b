package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// A store that was used and closed leaves one file, so that the file alone can be copied.
func TestCloseLeavesOneFile(t *testing.T) {
	d := db.SQLite(t)
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE meta SET value = $1 WHERE name = $2`, "any", "nothing")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.Texts(t.Context(), `SELECT name FROM meta`); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(d.Config().SQLite))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		if file.Name() != filepath.Base(d.Config().SQLite) {
			t.Errorf("%s is left beside the database", file.Name())
		}
	}
}
