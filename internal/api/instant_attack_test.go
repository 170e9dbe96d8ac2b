package api_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/db"
)

// running is a clock of which every reading is later than the one before.
type running struct {
	*app.Clock
	ticks atomic.Int64
}

func (c *running) Now() time.Time {
	return c.Clock.Now().Add(time.Duration(c.ticks.Add(1)) * time.Millisecond)
}

// TestInstantsOutOfOrder: transactions that wait for one lock commit in another order than
// that of their instants. Of 25 wrong codes for one address at once, over five attempts,
// ten are judged.
func TestInstantsOutOfOrder(t *testing.T) {
	s := app.Open(t, manyNetworks, db.Postgres(t).Config().Postgres, &running{Clock: app.NewClock()})
	for _, email := range []string{"nobody@example.com", "known@example.com"} {
		if email == "known@example.com" {
			signedIn(t, s, email, "")
			s.Clock.Advance(2 * time.Hour)
		}
		for round := range 4 {
			s.Clock.Advance(2 * time.Hour)
			a := &asker{s: s, c: s.Client(t, ""), email: email}
			for n := range 5 {
				a.signUp(network(n))
			}
			wrong := a.wrong(t)
			var n atomic.Int64
			var judged atomic.Int64
			race(25, func() bool {
				if a.try(int(n.Add(1)), wrong).Code() == "code_incorrect" {
					judged.Add(1)
				}
				return true
			})
			if judged.Load() != 10 {
				t.Errorf("%s, round %d: %d of 25 wrong codes were judged, want 10", email, round, judged.Load())
			}
		}
	}
}
