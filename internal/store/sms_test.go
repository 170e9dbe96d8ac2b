package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

func TestSMSCounts(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		ctx, hour := t.Context(), sms.Hour(d.Clock.Now())
		if sent, verified, err := d.Store.SMSRatio(ctx, "+4179", hour); err != nil || sent != 0 || verified != 0 {
			t.Fatalf("nothing is %d, %d, %v", sent, verified, err)
		}
		const each = 20
		var wg sync.WaitGroup
		for range each {
			wg.Go(func() { count(t, d, true, "+4179", hour) })
			wg.Go(func() { count(t, d, false, "+4179", hour) })
			wg.Go(func() { count(t, d, true, "+4176", hour) })
		}
		wg.Wait()
		count(t, d, true, "+4179", hour.Add(-time.Hour))
		count(t, d, true, "+4179", hour.Add(-2*time.Hour))
		if sent, verified, err := d.Store.SMSRatio(ctx, "+4179", hour.Add(-time.Hour)); err != nil || sent != each+1 || verified != each {
			t.Errorf("counted %d, %d, %v", sent, verified, err)
		}

		// Pruning takes the oldest first, as many as it may, and leaves the rest.
		for want := int64(2); want > 0; want-- {
			var n int64
			tx(t, d, func(tx *store.Tx) (err error) {
				n, err = tx.PruneSMSCounts(ctx, hour, 1)
				return err
			})
			if n != 1 {
				t.Fatalf("pruned %d", n)
			}
			if sent, _, _ := d.Store.SMSRatio(ctx, "+4179", hour.Add(-24*time.Hour)); sent != each+want-1 {
				t.Errorf("%d left, want %d", sent, each+want-1)
			}
		}
		tx(t, d, func(tx *store.Tx) error {
			if n, err := tx.PruneSMSCounts(ctx, hour, 100); err != nil || n != 0 {
				t.Errorf("pruned %d of this hour, %v", n, err)
			}
			return nil
		})
	})
}

func tx(t *testing.T, d *db.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := d.Store.Tx(t.Context(), fn); err != nil {
		t.Error(err)
	}
}

func count(t *testing.T, d *db.DB, sent bool, prefix string, hour time.Time) {
	t.Helper()
	tx(t, d, func(tx *store.Tx) error {
		if sent {
			return tx.CountSent(t.Context(), prefix, hour)
		}
		return tx.CountVerified(t.Context(), prefix, hour)
	})
}
