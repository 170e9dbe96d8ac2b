package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// orphan is a session of nobody: no database takes it. Nobody asks for its answer, so on
// PostgreSQL the refusal comes with a later statement.
func orphan(tx *store.Tx) error {
	return tx.InsertSession(context.Background(), session.Session{ID: "ses_orphan", Account: "usr_nobody", DeviceHash: []byte{1}, Methods: []string{}})
}

func record(tx *store.Tx) error {
	return tx.Record(context.Background(), audit.Event{
		Type: audit.SigningKeyRotated, Outcome: audit.Success, Actor: "test", Data: map[string]string{"key": "none"},
	})
}

// What a statement refuses is told by Tx at the latest, and nothing of the closure stands,
// wherever in it the statement was.
func TestPostedStatementIsNeverForgotten(t *testing.T) {
	for where, closure := range map[string]func(*store.Tx) error{
		"alone": orphan,
		"before another one": func(tx *store.Tx) error {
			return errors.Join(orphan(tx), record(tx))
		},
		"behind another one": func(tx *store.Tx) error {
			return errors.Join(record(tx), orphan(tx))
		},
		"before a read": func(tx *store.Tx) error {
			err := errors.Join(record(tx), orphan(tx))
			_, _, read := tx.SessionByID(context.Background(), "ses_orphan")
			return errors.Join(err, read)
		},
		"before a read whose error is overlooked": func(tx *store.Tx) error {
			_, _ = record(tx), orphan(tx)
			_, _, _ = tx.SessionByID(context.Background(), "ses_orphan")
			return record(tx)
		},
		"behind a read": func(tx *store.Tx) error {
			if _, found, err := tx.SessionByID(context.Background(), "ses_orphan"); found || err != nil {
				return fmt.Errorf("found %v, %w", found, err)
			}
			return errors.Join(record(tx), orphan(tx))
		},
		"before a count": func(tx *store.Tx) error {
			err := errors.Join(record(tx), orphan(tx))
			_, count := tx.Exec(`UPDATE scratch SET n = 1`)
			return errors.Join(err, count)
		},
	} {
		t.Run(where, func(t *testing.T) {
			eachScratch(t, func(t *testing.T, d *db.DB) {
				if where == "before a read whose error is overlooked" && d.Engine == store.SQLite {
					return // it undoes a failing statement by itself and goes on
				}
				err := d.Store.Tx(t.Context(), closure)
				if err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
					t.Errorf("told %v, want a refusal", err)
				}
				for _, table := range []string{"event", "session"} {
					if ids, err := d.Store.Texts(t.Context(), `SELECT id FROM `+table); err != nil || len(ids) > 0 {
						t.Errorf("%s has %q, %v", table, ids, err)
					}
				}
				if err := d.Store.Tx(t.Context(), record); err != nil { // the connection is as good as before
					t.Error(err)
				}
			})
		})
	}
}

// Statements reach the server in their order, whether somebody waits for them or not.
func TestStatementsKeepTheirOrder(t *testing.T) {
	eachScratch(t, func(t *testing.T, d *db.DB) {
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			for i := range 3 {
				if err := record(tx); err != nil {
					return err
				}
				ids, err := tx.Texts(t.Context(), `SELECT id FROM event`)
				if err != nil || len(ids) != i+1 {
					return fmt.Errorf("%d events after %d, %w", len(ids), i+1, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
