package issuer_test

import (
	"errors"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// TestEndAllSessionsRaisesTheEpoch: a session that was under way when every session ended,
// and that no statement could end because its row was not there yet, lives for nothing.
func TestEndAllSessionsRaisesTheEpoch(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		h, r := newHouse(t, d, nil)
		row, _, err := d.Store.SessionByID(t.Context(), r.id)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			before, _, err := tx.LockAccount(t.Context(), r.who)
			if err != nil {
				return err
			}
			if err := tx.EndAllSessions(t.Context(), r.who, session.EndedBySignOut, tx.Now.Add(time.Hour)); err != nil {
				return err
			}
			after, _, err := tx.LockAccount(t.Context(), r.who)
			if err == nil && after.Epoch <= before.Epoch {
				t.Errorf("the epoch was %d and is %d", before.Epoch, after.Epoch)
			}
			late := row // what a sign-in had prepared before
			late.ID = "ses_" + row.ID[4:len(row.ID)-1] + "0"
			row = late
			return errors.Join(err, tx.InsertSession(t.Context(), late))
		})
		if err != nil {
			t.Fatal(err)
		}
		token := session.SealRefreshToken(h.i.Keys.Refresh, row.ID, row.Generation)
		if _, err := h.i.Refresh(t.Context(), issuer.Refreshing{Token: token, Device: h.right}); !errors.Is(err, session.ErrEnded) {
			t.Errorf("its refresh is answered %v", err)
		}
		live, err := d.Store.LiveSessions(t.Context(), r.who, d.Clock.Now())
		if err != nil || len(live) != 0 {
			t.Errorf("%d sessions live, %v", len(live), err)
		}
	})
}
