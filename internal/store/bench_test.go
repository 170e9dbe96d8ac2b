package store_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

const bumpScratch = `UPDATE scratch SET n = n + 1 WHERE id = $1 RETURNING n`

// benchmark runs fn in 16 goroutines, each on a row of its own, on both engines. Set
// TMPDIR to choose the disk that SQLite writes to.
func benchmark(b *testing.B, fn func(s *store.Store, id string) error) {
	for engine, open := range map[string]func(testing.TB) *db.DB{"sqlite": db.SQLite, "postgres": db.Postgres} {
		b.Run(engine, func(b *testing.B) {
			d := open(b)
			scratch(b, d)
			for i := range 16 {
				if err := d.Store.Tx(context.Background(), insert(name(i))); err != nil {
					b.Fatal(err)
				}
			}
			before := d.Store.Stats()
			var next atomic.Int64
			b.SetParallelism(16 / min(16, runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				id := name(int(next.Add(1)-1) % 16)
				for pb.Next() {
					if err := fn(d.Store, id); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			after := d.Store.Stats()
			if commits := after.Commits - before.Commits; commits > 0 {
				b.ReportMetric(float64(after.Closures-before.Closures)/float64(commits), "closures/commit")
			}
		})
	}
}

// BenchmarkRotation is the bare limit of refresh: one durable UPDATE ... RETURNING.
func BenchmarkRotation(b *testing.B) {
	benchmark(b, func(s *store.Store, id string) error {
		found, err := s.Single(context.Background(), bumpScratch, []any{id}, func(scan func(...any) error) error {
			var n int64
			return scan(&n)
		})
		if err == nil && !found {
			err = fmt.Errorf("no row %s", id)
		}
		return err
	})
}

// BenchmarkTx is the same as a closure, with its savepoint or its BEGIN and COMMIT.
func BenchmarkTx(b *testing.B) {
	benchmark(b, func(s *store.Store, id string) error {
		return s.Tx(context.Background(), func(tx *store.Tx) error {
			var n int64
			return tx.QueryRow(context.Background(), bumpScratch, id).Scan(&n)
		})
	})
}

// BenchmarkRead is a look-up by primary key.
func BenchmarkRead(b *testing.B) {
	benchmark(b, func(s *store.Store, id string) error {
		var n int64
		return s.QueryRow(context.Background(), `SELECT n FROM scratch WHERE id = $1`, id).Scan(&n)
	})
}
