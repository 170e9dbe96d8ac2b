package api_test

import (
	"net/http"
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

// TestExpiredStaysExpired: an attempt that was refused as expired is over, also when the
// clock is set back.
func TestExpiredStaysExpired(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		refused := func(t *testing.T, to string, begin func() (func(string) *app.Answer, func() *app.Answer), refuse func(right string, try func(string) *app.Answer, link func() *app.Answer)) {
			s.Clock.Advance(2 * time.Hour)
			ann.SignIn("ann@example.com")
			try, link := begin()
			right, at := s.CodeFor(t, to), s.Clock.Now()
			attempt := s.Look(t, "SELECT id FROM attempt ORDER BY id DESC LIMIT 1")[0][0]
			s.Clock.Advance(10 * time.Minute)
			refuse(right, try, link)
			if outcome := s.Look(t, "SELECT outcome FROM attempt WHERE id = '"+attempt+"'")[0][0]; outcome != "expired" {
				t.Errorf("the attempt is stored as %q", outcome)
			}
			s.Clock.Set(at.Add(time.Minute))
			try(right).Want(http.StatusUnauthorized, "attempt_expired")
			if link != nil {
				link().Want(http.StatusUnauthorized, "link_expired")
			}
			s.Clock.Set(at)
		}
		for _, g := range guessings(t, s, ann) {
			begin := func() (func(string) *app.Answer, func() *app.Answer) {
				try, link := g.begin(network(1))
				return func(code string) *app.Answer { return try(code, network(1)) }, link
			}
			t.Run(g.name+", by its code", func(t *testing.T) {
				refused(t, g.to, begin, func(right string, try func(string) *app.Answer, _ func() *app.Answer) {
					try(right).Want(http.StatusUnauthorized, "attempt_expired")
				})
			})
			if g.name == "verify phone" {
				continue
			}
			t.Run(g.name+", by its link", func(t *testing.T) {
				refused(t, g.to, begin, func(_ string, _ func(string) *app.Answer, link func() *app.Answer) {
					link().Want(http.StatusUnauthorized, "link_expired")
				})
			})
			t.Run(g.name+", by the page of its link", func(t *testing.T) {
				refused(t, g.to, begin, func(string, func(string) *app.Answer, func() *app.Answer) {
					s.Client(t, "").Do("GET", s.Letter(t, g.to).Links[0], nil)
				})
			})
		}
		c := s.Client(t, "token")
		for path, more := range map[string]app.M{"/v1/sign-in/email": {}, "/v1/recovery": {"password": newPassword}} {
			for method, what := range map[string]string{"GET": "", "POST": "/resend"} {
				t.Run(path+", by "+method+what, func(t *testing.T) {
					var attempt string
					begin := func() (func(string) *app.Answer, func() *app.Answer) {
						attempt = c.Do("POST", path, app.M{"email": "ann@example.com"}).Want(http.StatusAccepted).Text("attempt")
						return func(code string) *app.Answer {
							more["attempt"], more["code"] = attempt, code
							if path == "/v1/recovery" {
								return c.Do("POST", "/v1/recovery/confirm", more)
							}
							return c.Do("POST", "/v1/sign-in/code", more)
						}, nil
					}
					refused(t, "ann@example.com", begin, func(string, func(string) *app.Answer, func() *app.Answer) {
						c.Do(method, "/v1/sign-in/attempts/"+attempt+what, nil)
					})
				})
			}
		}
	})
}
