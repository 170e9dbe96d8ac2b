package api_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/testkit/app"
)

// TestMostContacts: a person has so many addresses and numbers, proven or not; one more is
// refused and leaves nothing, and a hundred at once make no more than that.
func TestMostContacts(t *testing.T) {
	for _, c := range []struct {
		path, member, field, table string
		most                       int
		nth                        func(n int) string
	}{
		{"/v1/me/emails", "email", "email", "email", auth.MaxEmails, func(n int) string { return fmt.Sprintf("more-%d@example.com", n) }},
		{"/v1/me/phones", "phone", "phone", "phone", auth.MaxPhones, func(n int) string { return fmt.Sprintf("+41795550%03d", n) }},
	} {
		t.Run(c.table, func(t *testing.T) {
			app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
				owner := signedIn(t, s, "ann@example.com", "")
				had := len(s.Look(t, "SELECT id FROM "+c.table))
				add := func(n int) *app.Answer {
					return owner.Do("POST", c.path, app.M{c.member: c.nth(n)}, "X-Forwarded-For", network(n%50))
				}
				for n := had; n < c.most-2; n++ {
					s.Clock.Advance(time.Hour) // the emails of an hour are fewer
					owner.SignIn("ann@example.com")
					add(n).Want(http.StatusCreated)
				}
				s.Clock.Advance(time.Hour)
				owner.SignIn("ann@example.com")
				var next atomic.Int64
				next.Store(100)
				made := race(8, func() bool { return add(int(next.Add(1))).Status == http.StatusCreated })
				if n := len(s.Look(t, "SELECT id FROM "+c.table)); made != 2 || n != c.most {
					t.Errorf("%d were added at once, and there are %d of %d", made, n, c.most)
				}
				s.Clock.Advance(time.Hour)
				owner.SignIn("ann@example.com")
				before := s.Count(t)
				got := add(900).Want(http.StatusUnprocessableEntity, "invalid_request")
				if errs, _ := got.JSON()["errors"].(map[string]any); errs[c.field] != "too_many" {
					t.Errorf("%s", got.Body)
				}
				after := s.Count(t)
				for _, table := range []string{c.table, "attempt", "link", "outbox", "event"} {
					if n := after[table]; n != before[table] {
						t.Errorf("the refusal left %d rows in %s", n-before[table], table)
					}
				}
			})
		})
	}
}
