package issuer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// TestOncePerStream: each look of a stream reads the last thirty seconds again, and hands
// over what it finds there once.
func TestOncePerStream(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		i := open(t, d, issuer.ES256)
		s := grant(t, d).Session()
		end := func(reason string) {
			err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				if reason == session.EndedBySignOut {
					return tx.EndAllSessions(t.Context(), s.Account, reason, tx.Now.Add(time.Hour))
				}
				_, err := tx.EndSession(t.Context(), s.Account, s.ID, reason, tx.Now.Add(time.Hour))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		end(session.EndedByPerson)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		asked := 0
		i.Now = func() time.Time { // a look takes seconds of this clock
			switch asked++; asked {
			case 12:
				end(session.EndedBySignOut)
			case 40:
				stop()
			}
			return d.Clock.Advance(time.Second)
		}
		seen := map[string]int{}
		err := i.Watch(ctx, "", func(r issuer.Revocation, _ string) error {
			seen[r.ID]++
			return nil
		}, func() error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if len(seen) != 2 {
			t.Errorf("the stream handed over %d revocations", len(seen))
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was handed over %d times", id, times)
			}
		}
	})
}
