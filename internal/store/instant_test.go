package store_test

import (
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// TestOlderInstantsLowerNothing: a rotation and a sign-in whose instant is older than the
// one before leave the stored times as they are. A clock that was set back is followed.
func TestOlderInstantsLowerNothing(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		now := d.Clock.Now().Truncate(time.Microsecond)
		const id = "usr_01"
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.InsertAccount(t.Context(), account.Account{ID: id, Roles: []string{account.RoleUser}, Epoch: 1, CreatedAt: now, UpdatedAt: now}, ""); err != nil {
				return err
			}
			if err := tx.MarkSignedIn(t.Context(), id); err != nil {
				return err
			}
			return tx.InsertSession(t.Context(), session.Session{
				ID: "ses_01", Account: id, Client: "default", Generation: 1, RotatedAt: now,
				DeviceHash: make([]byte, 32), Delivery: session.Token, Epoch: 1, Methods: []string{"pwd"}, AAL: 1,
				IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour),
				CreatedAt: now, LastSeenAt: now, AuthenticatedAt: now, AuthenticatedBy: "pwd",
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for generation, step := range []struct{ at, want time.Duration }{
			{0, 0}, {-time.Microsecond, 0}, {-session.OutOfOrder, 0}, {time.Second, time.Second}, {-2 * session.OutOfOrder, -2 * session.OutOfOrder},
		} {
			at := now.Add(step.at)
			rotated, err := d.Store.RotateSession(t.Context(), store.Rotation{
				Session: "ses_01", Generation: int64(generation + 1), Deliveries: [2]session.Delivery{session.Token, session.Memory},
				Now: at, IdleUntil: now.Add(time.Hour),
			}, func(store.Rotated) {})
			if err != nil || !rotated {
				t.Fatalf("generation %d: %v, %v", generation+1, rotated, err)
			}
			s, _, err := d.Store.SessionByID(t.Context(), "ses_01")
			if want := now.Add(step.want); err != nil || !s.RotatedAt.Equal(want) || !s.LastSeenAt.Equal(want) {
				t.Errorf("rotated at %v: %v and %v, want %v; %v", step.at, s.RotatedAt, s.LastSeenAt, want, err)
			}
		}
		d.Clock.Set(now.Add(-time.Second))
		if err := d.Store.Tx(t.Context(), func(tx *store.Tx) error { return tx.MarkSignedIn(t.Context(), id) }); err != nil {
			t.Fatal(err)
		}
		if who, _, err := d.Store.AccountByID(t.Context(), id); err != nil || !who.LastSignInAt.Equal(now) {
			t.Errorf("signed in at %v, want %v; %v", who.LastSignInAt, now, err)
		}
	})
}

// TestSMSNoticesAcrossMidnight: an instant of the day before, which came out of order, does
// not begin a new count; a clock that was a month ahead leaves none full.
func TestSMSNoticesAcrossMidnight(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		const id = "usr_01"
		midnight := time.Date(2026, time.March, 15, 0, 0, 0, 0, time.UTC)
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.InsertAccount(t.Context(), account.Account{ID: id, Roles: []string{account.RoleUser}, Epoch: 1, CreatedAt: midnight, UpdatedAt: midnight}, "")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		count := func(at time.Time) (counted bool) {
			d.Clock.Set(at)
			err := d.Store.Tx(t.Context(), func(tx *store.Tx) (err error) {
				counted, err = tx.CountSMSNotice(t.Context(), id, 3)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return counted
		}
		for i, step := range []struct {
			at      time.Time
			counted bool
		}{
			{midnight.Add(time.Second), true}, {midnight.Add(-time.Second), true}, {midnight.Add(time.Second), true},
			{midnight.Add(-time.Second), false}, {midnight.Add(time.Second), false},
			{midnight.AddDate(0, 1, 0), true}, {midnight.AddDate(0, 1, 0), true}, {midnight.AddDate(0, 1, 0), true}, {midnight.AddDate(0, 1, 0), false},
			{midnight.Add(2 * time.Hour), true},
		} {
			if got := count(step.at); got != step.counted {
				t.Errorf("step %d: counted %v, want %v", i, got, step.counted)
			}
		}
	})
}
