package store_test

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// These are the settings that the promises of the essay rest on. No test that does not
// pull the plug would notice that one of them is gone.
func TestSettingsOfSQLite(t *testing.T) {
	d := db.SQLite(t)
	inside := map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "query_only": "0", "temp_store": "2"}
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		for pragma, want := range inside {
			var got string
			if err := tx.QueryRow(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("the writer's %s is %q, want %q; %v", pragma, got, want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "query_only": "1", "busy_timeout": "5000"} {
		var got string
		if err := d.Store.QueryRow(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("a reader's %s is %q, want %q; %v", pragma, got, want, err)
		}
	}
	if err := d.Store.QueryRow(t.Context(), `SELECT "no such column"`).Scan(new(string)); err == nil {
		t.Error("a misspelt column was read as a text")
	}
}

// Whatever the server's defaults are: the house's rules are written for READ COMMITTED.
func TestSettingsOfPostgres(t *testing.T) {
	d := db.Postgres(t)
	var log bytes.Buffer
	c := d.Config()
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Postgres = with(t, c.Postgres, "default_transaction_isolation", "serializable", "synchronous_commit", "off")
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Tx(t.Context(), func(tx *store.Tx) error {
		for setting, want := range map[string]string{"transaction_isolation": "read committed", "application_name": "limen"} {
			var got string
			if err := tx.QueryRow(t.Context(), "SHOW "+setting).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %q, want %q; %v", setting, got, want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "synchronous_commit") {
		t.Error("no warning that acknowledged writes can be lost")
	}
}

// with adds parameters to an address.
func with(t *testing.T, address string, pairs ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}
