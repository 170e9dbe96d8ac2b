package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/fault"
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

// TestSMSBreakerRaced: the count comes first, so that the check after it sees every
// message of the hour, however many are sent at once.
func TestSMSBreakerRaced(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		g := &sms.Guard{BreakerMin: 5}
		var mu sync.Mutex
		sent, paused := 0, 0
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := send(t.Context(), d, g, "+99299")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					sent++
				case fault.Of(err).Code == "sms_paused":
					paused++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if sent != 5 || paused != 15 {
			t.Errorf("%d sent, %d paused", sent, paused)
		}
	})
}

// send is how a deed counts one message: first the count, then the verdict about those
// before it. A refusal leaves no trace.
func send(ctx context.Context, d *db.DB, g *sms.Guard, prefix string) error {
	return d.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.CountSent(ctx, prefix, sms.Hour(tx.Now)); err != nil {
			return err
		}
		sent, verified, err := tx.SMSRatio(ctx, prefix, sms.Since(tx.Now))
		if err != nil {
			return err
		}
		return g.Judge(sent-1, verified, tx.Now)
	})
}

// TestSMSBreakerProperty plays random histories against a plain list of what happened: a
// range is closed exactly while the last six hours hold enough messages of which too few
// were verified; another range is never touched; the answer says when to come back, and
// not later than the next hour.
func TestSMSBreakerProperty(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			round++
			prefixes := []string{"+1" + string(rune('A'+round%26)) + time.Duration(round).String(), "+2" + time.Duration(round).String()}
			least := rapid.IntRange(1, 12).Draw(rt, "least")
			g := &sms.Guard{BreakerMin: least}
			type event struct {
				at   time.Time
				sent bool
			}
			happened := map[string][]event{}
			for range rapid.IntRange(1, 40).Draw(rt, "steps") {
				prefix := rapid.SampledFrom(prefixes).Draw(rt, "prefix")
				now := d.Clock.Now()
				switch rapid.SampledFrom([]string{"send", "send", "send", "verify", "wait"}).Draw(rt, "step") {
				case "wait":
					d.Clock.Advance(time.Duration(rapid.IntRange(1, 150).Draw(rt, "minutes")) * time.Minute)
				case "verify":
					count(t, d, false, prefix, sms.Hour(now))
					happened[prefix] = append(happened[prefix], event{now, false})
				case "send":
					sent, verified := 0, 0
					first := now.UTC().Truncate(time.Hour).Add(-5 * time.Hour)
					for _, e := range happened[prefix] {
						switch {
						case e.at.Before(first):
						case e.sent:
							sent++
						default:
							verified++
						}
					}
					closed := sent >= least && verified*10 < sent
					err := send(t.Context(), d, g, prefix)
					if (err != nil) != closed {
						rt.Fatalf("%d sent, %d verified, least %d: %v", sent, verified, least, err)
					}
					if err == nil {
						happened[prefix] = append(happened[prefix], event{now, true})
					} else if f := fault.Of(err); f.Code != "sms_paused" || f.Kind != fault.Unavailable || f.RetryAfter <= 0 || f.RetryAfter > time.Hour+time.Second {
						rt.Fatalf("refused with %v, to come back after %v", f, f.RetryAfter)
					}
				}
			}
		})
	})
}
