package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

const bumpScratch = `UPDATE scratch SET n = n + 1 WHERE id = $1 RETURNING n`

// benchmark runs fn in 16 goroutines, each on a row of its own, on both engines. Set
// TMPDIR to choose the disk that SQLite writes to.
func benchmark(b *testing.B, seed func(b *testing.B, d *db.DB), fn func(s *store.Store, row int) error) {
	for engine, open := range map[string]func(testing.TB) *db.DB{"sqlite": db.SQLite, "postgres": db.Postgres} {
		b.Run(engine, func(b *testing.B) {
			d := open(b)
			seed(b, d)
			before := d.Store.Stats()
			var writers sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			for row := range 16 {
				writers.Go(func() {
					for left.Add(-1) >= 0 {
						if err := fn(d.Store, row); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			writers.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			after := d.Store.Stats()
			if commits := after.Commits - before.Commits; commits > 0 {
				b.ReportMetric(float64(after.Closures-before.Closures)/float64(commits), "closures/commit")
			}
		})
	}
}

func scratchRows(b *testing.B, d *db.DB) {
	scratch(b, d)
	for i := range 16 {
		if err := d.Store.Tx(context.Background(), insert(name(i))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSingle is the bare limit of refresh: one durable UPDATE ... RETURNING.
func BenchmarkSingle(b *testing.B) {
	benchmark(b, scratchRows, func(s *store.Store, row int) error {
		found, err := s.Single(context.Background(), bumpScratch, []any{name(row)}, func(scan func(...any) error) error {
			var n int64
			return scan(&n)
		})
		if err == nil && !found {
			err = errors.New("no row")
		}
		return err
	})
}

// BenchmarkTx is the same as a closure, with its savepoint or its BEGIN and COMMIT.
func BenchmarkTx(b *testing.B) {
	benchmark(b, scratchRows, func(s *store.Store, row int) error {
		return s.Tx(context.Background(), func(tx *store.Tx) error {
			var n int64
			return tx.QueryRow(context.Background(), bumpScratch, name(row)).Scan(&n)
		})
	})
}

// BenchmarkRead is a look-up by primary key.
func BenchmarkRead(b *testing.B) {
	benchmark(b, scratchRows, func(s *store.Store, row int) error {
		var n int64
		return s.QueryRow(context.Background(), `SELECT n FROM scratch WHERE id = $1`, name(row)).Scan(&n)
	})
}

// BenchmarkRotateSession is refresh itself, with the claims that come back.
func BenchmarkRotateSession(b *testing.B) {
	ctx := context.Background()
	var now time.Time
	var generation [16]int64
	seed := func(b *testing.B, d *db.DB) {
		now = d.Clock.Now()
		for i := range generation {
			generation[i] = 1
			id := account.ID("usr_" + name(i))
			err := d.Store.Tx(ctx, func(tx *store.Tx) error {
				_, err := tx.InsertAccount(ctx, account.Account{ID: id, Roles: []string{account.RoleUser}, Epoch: 1, CreatedAt: now, UpdatedAt: now}, "")
				if err != nil {
					return err
				}
				address := account.Address{Text: name(i) + "@example.com", Key: name(i) + "@example.com"}
				_, err = tx.InsertEmail(ctx, store.Email{
					ID: account.EmailID("eml_" + name(i)), Account: id, Address: address, Primary: true, VerifiedAt: now, CreatedAt: now,
				})
				if err != nil {
					return err
				}
				return tx.InsertSession(ctx, session.Session{
					ID: session.ID("ses_" + name(i)), Account: id, Client: "default", Generation: 1, RotatedAt: now,
					DeviceHash: make([]byte, 32), Delivery: session.Token, Epoch: 1, Methods: []string{"pwd"}, AAL: 1,
					IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour),
					CreatedAt: now, LastSeenAt: now, AuthenticatedAt: now, AuthenticatedBy: "pwd",
				})
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	benchmark(b, seed, func(s *store.Store, row int) error {
		rotated, err := s.RotateSession(ctx, store.Rotation{
			Session: session.ID("ses_" + name(row)), Generation: generation[row],
			Deliveries: [2]session.Delivery{session.Token, session.Memory}, Now: now, IdleUntil: now.Add(time.Hour),
		}, func(r store.Rotated) { generation[row] = r.Session.Generation })
		if err == nil && !rotated {
			err = errors.New("not rotated")
		}
		return err
	})
}
