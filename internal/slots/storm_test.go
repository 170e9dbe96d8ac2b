package slots_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/limenauth/limen/internal/slots"
)

// BenchmarkStorm is the promise of this package with real hashes over real HTTP: while 64
// clients sign in without pause, 4 clients that check sessions keep a p99 of 10 ms. One
// iteration is one second. "quiet" has no storm, "alone" no checks, "unbounded" no queue.
func BenchmarkStorm(b *testing.B) {
	for _, c := range []struct {
		name            string
		hashing, checks int
		bounded         bool
	}{{"quiet", 0, 4, true}, {"alone", 64, 0, true}, {"storm", 64, 4, true}, {"unbounded", 64, 4, false}} {
		b.Run(c.name, func(b *testing.B) {
			q := slots.New(runtime.GOMAXPROCS(0), 1000, time.Now)
			hash := func() { argon2.IDKey([]byte("password"), []byte("somesalt"), 2, 19<<10, 1, 32) }
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer q.Serving()()
				work := []byte("x")
				for range 500 { // about 50 µs of work
					work = append(work[:0], work...)
					r.Header.Get("Authorization")
				}
				io.WriteString(w, `{"id":"usr_0000"}`)
			}))
			defer s.Close()
			var stop atomic.Bool
			var hashes atomic.Int64
			var all sync.WaitGroup
			for range c.hashing {
				all.Go(func() {
					for !stop.Load() {
						if c.bounded {
							q.Do(b.Context(), hash)
						} else {
							hash()
						}
						hashes.Add(1)
					}
				})
			}
			took := make([][]time.Duration, c.checks)
			for i := range took {
				all.Go(func() {
					client := &http.Client{Transport: &http.Transport{}}
					for !stop.Load() {
						start := time.Now()
						answer, err := client.Get(s.URL)
						if err != nil {
							b.Error(err)
							return
						}
						io.Copy(io.Discard, answer.Body)
						answer.Body.Close()
						took[i] = append(took[i], time.Since(start))
					}
				})
			}
			n := 0
			for b.Loop() {
				time.Sleep(time.Second)
				n++
			}
			stop.Store(true)
			all.Wait()
			checks := slices.Concat(took...)
			slices.Sort(checks)
			b.ReportMetric(float64(hashes.Load())/float64(n), "hashes/s")
			b.ReportMetric(float64(len(checks))/float64(n), "checks/s")
			if len(checks) > 0 {
				b.ReportMetric(float64(checks[len(checks)*99/100].Microseconds())/1000, "p99-ms")
				b.ReportMetric(float64(checks[len(checks)*999/1000].Microseconds())/1000, "p99.9-ms")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
