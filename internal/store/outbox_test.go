package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

func put(t *testing.T, d *db.DB, n, lane int) {
	t.Helper()
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			err := tx.Enqueue(t.Context(), store.Message{
				ID: fmt.Sprintf("msg_%d_%d", lane, i), Lane: lane, Channel: "email", Template: "code", Sealed: []byte("x"),
				DueAt: tx.Now, NotAfter: tx.Now.Add(time.Hour), CreatedAt: tx.Now,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, s *store.Store, lane, limit int) (claimed []store.Message) {
	t.Helper()
	err := s.Tx(t.Context(), func(tx *store.Tx) (err error) {
		claimed, err = tx.ClaimMessages(t.Context(), lane, limit, time.Minute)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return claimed
}

// TestClaimsNeverOverlap: many workers of several processes, each message to one of them,
// and no claim takes more than it asked for.
func TestClaimsNeverOverlap(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		put(t, d, 400, 0)
		put(t, d, 3, 1)
		stores := []*store.Store{d.Store}
		if d.Engine == store.Postgres {
			stores = append(stores, d.Open(t))
		}
		var mu sync.Mutex
		seen := map[string]int{}
		var workers sync.WaitGroup
		for n := range 12 {
			workers.Go(func() {
				for {
					claimed := claim(t, stores[n%len(stores)], 0, 17)
					if len(claimed) > 17 {
						t.Errorf("a claim took %d", len(claimed))
					}
					mu.Lock()
					for _, m := range claimed {
						seen[m.ID]++
					}
					done := len(seen) == 400
					mu.Unlock()
					if len(claimed) == 0 && done {
						return
					}
				}
			})
		}
		workers.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
		if left := claim(t, d.Store, 1, 10); len(left) != 3 {
			t.Errorf("%d of the other lane are left", len(left))
		}
	})
}

// TestLostLeaseChangesNothing: a worker that comes too late takes nothing from the one
// that holds the message now; that it was sent is true whoever says so.
func TestLostLeaseChangesNothing(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		put(t, d, 1, 0)
		late := claim(t, d.Store, 0, 1)[0]
		d.Clock.Advance(2 * time.Minute)
		holder := claim(t, d.Store, 0, 1)[0]
		tell := func(fn func(tx *store.Tx) error) store.Message {
			t.Helper()
			if err := d.Store.Tx(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
			m, found, err := d.Store.MessageByID(t.Context(), holder.ID)
			if err != nil || !found {
				t.Fatal(found, err)
			}
			return m
		}
		for name, fn := range map[string]func(tx *store.Tx) error{
			"retry":   func(tx *store.Tx) error { return tx.RetryMessage(t.Context(), late, tx.Now, "x") },
			"bury":    func(tx *store.Tx) error { return tx.BuryMessage(t.Context(), late, "x") },
			"release": func(tx *store.Tx) error { return tx.ReleaseMessage(t.Context(), late, tx.Now) },
			"hasten": func(tx *store.Tx) error {
				hastened, err := tx.HastenMessage(t.Context(), late.ID)
				if hastened {
					t.Error("a held message was hastened")
				}
				return err
			},
		} {
			if m := tell(fn); m.State != store.Queued || !m.LockedUntil.Equal(holder.LockedUntil) || m.Tries != 2 {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if m := tell(func(tx *store.Tx) error { return tx.ReleaseMessage(t.Context(), holder, tx.Now) }); m.Tries != 1 || !m.LockedUntil.Equal(time.UnixMicro(0)) {
			t.Errorf("%+v", m)
		}
		again := claim(t, d.Store, 0, 1)[0]
		m := tell(func(tx *store.Tx) error { return tx.MarkSent(t.Context(), late, "relay") })
		if m.State != store.Sent || len(m.Sealed) != 0 || m.Provider != "relay" {
			t.Errorf("%+v", m)
		}
		if m := tell(func(tx *store.Tx) error { return tx.RetryMessage(t.Context(), again, tx.Now, "x") }); m.State != store.Sent {
			t.Errorf("a sent message came back: %+v", m)
		}
	})
}

// TestSameMessageOnce: a message whose id is there is not written again, whatever has
// become of it.
func TestSameMessageOnce(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		put(t, d, 1, 0)
		m := claim(t, d.Store, 0, 1)[0]
		if err := d.Store.Tx(t.Context(), func(tx *store.Tx) error { return tx.MarkSent(t.Context(), m, "") }); err != nil {
			t.Fatal(err)
		}
		put(t, d, 1, 0)
		if again := claim(t, d.Store, 0, 1); len(again) != 0 {
			t.Errorf("%+v", again)
		}
	})
}

// TestDueLooks: what nobody holds is due next; what somebody holds still is the oldest.
func TestDueLooks(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		now := d.Clock.Now().Truncate(time.Microsecond)
		look := func(next, oldest time.Time) {
			t.Helper()
			gotNext, err := d.Store.NextDue(t.Context(), 0, d.Clock.Now())
			if err != nil || !gotNext.Equal(next) {
				t.Errorf("next %s, want %s, %v", gotNext, next, err)
			}
			gotOldest, err := d.Store.OldestDue(t.Context(), 0, d.Clock.Now())
			if err != nil || !gotOldest.Equal(oldest) {
				t.Errorf("oldest %s, want %s, %v", gotOldest, oldest, err)
			}
		}
		look(time.Time{}, time.Time{})
		put(t, d, 1, 0)
		put(t, d, 1, 1)
		look(now, now)
		m := claim(t, d.Store, 0, 1)[0]
		look(time.Time{}, now)
		later := now.Add(time.Hour)
		if err := d.Store.Tx(t.Context(), func(tx *store.Tx) error { return tx.RetryMessage(t.Context(), m, later, "x") }); err != nil {
			t.Fatal(err)
		}
		look(later, time.Time{})
	})
}
