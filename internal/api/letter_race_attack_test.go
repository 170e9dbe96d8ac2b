package api_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/app"
)

// atOnce runs deeds at the same time, each in as many goroutines as it is named.
func atOnce(deeds ...func()) {
	var start, done sync.WaitGroup
	start.Add(1)
	for _, deed := range deeds {
		done.Go(func() { start.Wait(); deed() })
	}
	start.Done()
	done.Wait()
}

// waitingRoom is a sign-in by letter that everybody wants to end in another way.
type waitingRoom struct {
	s                           *app.Server
	email, attempt, code, match string
	token                       string
	c                           *app.Client
	mu                          sync.Mutex
	grants                      []string // the access tokens
}

func newWaitingRoom(t *testing.T, s *app.Server, email string) *waitingRoom {
	t.Helper()
	w := &waitingRoom{s: s, email: email, c: s.Client(t, "token")}
	began := asked(w.c, email, nil)
	w.attempt, w.match = began.Text("attempt"), began.Text("match")
	w.code, w.token = s.CodeFor(t, email), s.TokenFor(t, email)
	return w
}

// keep notes a grant.
func (w *waitingRoom) keep(got *app.Answer) {
	if got.Status != http.StatusOK || got.Text("status") != "complete" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.grants = append(w.grants, got.Text("access_token"))
}

func (w *waitingRoom) link() {
	w.keep(w.c.Do("POST", "/v1/sign-in/link", app.M{"token": w.token, "attempt": w.attempt}))
}

func (w *waitingRoom) byCode() {
	w.keep(w.c.Do("POST", "/v1/sign-in/code", app.M{"attempt": w.attempt, "code": w.code}))
}

func (w *waitingRoom) approve() {
	w.c.Do("POST", "/v1/sign-in/link/approve", app.M{"token": w.token, "match": w.match, "decision": "approve"})
}

func (w *waitingRoom) deny() {
	w.c.Do("POST", "/v1/sign-in/link/approve", app.M{"token": w.token, "decision": "deny"})
}

func (w *waitingRoom) complete() {
	w.keep(w.c.Do("POST", "/v1/sign-in/attempts/"+w.attempt+"/complete", nil))
}

// repeat is a deed so many times.
func repeat(n int, deeds ...func()) (all []func()) {
	for range n {
		all = append(all, deeds...)
	}
	return all
}

// TestOneOutcomeOfASignIn: link, code, approval, denial and completion race; there is one
// grant at most, and none after a denial.
func TestOneOutcomeOfASignIn(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		for range 8 {
			s.Clock.Advance(time.Hour)
			w := newWaitingRoom(t, s, "ann@example.com")
			atOnce(repeat(4, w.link, w.approve, w.deny, w.byCode, w.complete)...)
			w.complete()
			status := s.Look(t, "SELECT outcome FROM attempt WHERE id = '"+w.attempt[:30]+"'")[0][0]
			if len(w.grants) > 1 || (len(w.grants) == 1) != (status == "complete") {
				t.Errorf("%d grants of an attempt that is %q", len(w.grants), status)
			}
			if n := len(s.Look(t, "SELECT id FROM event WHERE type = 'sign_in.succeeded' AND attempt_id = '"+w.attempt[:30]+"'")); n != len(w.grants) {
				t.Errorf("%d grants and %d events", len(w.grants), n)
			}
		}
	})
}

// TestNoSessionAfterARevocation: a change that takes the ground from a sign-in wins against
// it wherever it comes between; what was granted before it does not outlive it.
func TestNoSessionAfterARevocation(t *testing.T) {
	changes := map[string]func(t *testing.T, s *app.Server, id account.ID, owner *app.Client) func(){
		"ban": func(t *testing.T, s *app.Server, id account.ID, _ *app.Client) func() {
			return func() {
				if err := s.Auth.Ban(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		},
		"an operator's password": func(t *testing.T, s *app.Server, id account.ID, _ *app.Client) func() {
			return func() {
				if err := s.Auth.SetPassword(t.Context(), id, newPassword); err != nil {
					t.Error(err)
				}
			}
		},
		"deletion": func(t *testing.T, s *app.Server, _ account.ID, owner *app.Client) func() {
			return func() { owner.Do("DELETE", "/v1/me", nil, "X-Forwarded-For", "203.0.113.5").Want(http.StatusNoContent) }
		},
		"recovery": func(t *testing.T, s *app.Server, _ account.ID, owner *app.Client) func() {
			c := s.Client(t, "token")
			email := owner.Do("GET", "/v1/me", nil).Text("email")
			recovering(c, email)
			body := app.M{"token": s.TokenFor(t, email), "password": newPassword}
			return func() {
				c.Do("POST", "/v1/recovery/confirm", body, "X-Forwarded-For", "203.0.113.5").Want(http.StatusOK)
			}
		},
	}
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		n := 0
		for name, change := range changes {
			t.Run(name, func(t *testing.T) {
				for range 4 {
					n++
					email := network(n) + "@example.com"
					signedIn(t, s, email, "")
					s.Clock.Advance(time.Hour)
					owner := s.Client(t, "")
					owner.SignIn(email)
					a, b := newWaitingRoom(t, s, email), newWaitingRoom(t, s, email)
					b.approve()
					deeds := repeat(4, a.link, a.byCode, b.complete, b.byCode)
					atOnce(append(deeds, change(t, s, userID(owner), owner))...)
					for _, access := range append(a.grants, b.grants...) {
						got := s.Client(t, "").Do("GET", "/v1/me", nil, "Authorization", "Bearer "+access)
						if got.Status != http.StatusUnauthorized {
							t.Errorf("a session outlived it: %s", got.Body)
						}
					}
					a.complete()
					b.byCode()
					b.link()
					if live, err := s.Store.LiveSessions(t.Context(), userID(owner), s.Clock.Now()); err != nil || len(live) > 0 {
						t.Errorf("%d sessions live %v", len(live), err)
					}
				}
			})
		}
	})
}

// TestRemovalAgainstSignIn: an address that is being removed signs in before that, or not.
func TestRemovalAgainstSignIn(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		for n := range 6 {
			email, old := network(n)+"@example.com", network(n)+"-old@example.com"
			s.Clock.Advance(time.Minute)
			owner := signedIn(t, s, email, "")
			s.Clock.Advance(time.Second)
			s.Clock.Advance(time.Minute)
			id := proven(t, s, owner, old)
			w := newWaitingRoom(t, s, old)
			s.Clock.Advance(time.Minute) // the tries of this network
			remove := func() {
				owner.Do("DELETE", "/v1/me/emails/"+id, nil, "X-Forwarded-For", "203.0.113.5").Want(http.StatusNoContent)
			}
			atOnce(append(repeat(5, w.link, w.byCode, w.approve, w.complete), remove)...)
			before := len(w.grants)
			w.link()
			w.byCode()
			w.complete()
			if before > 1 || len(w.grants) != before {
				t.Errorf("%d grants, and %d after the removal", before, len(w.grants)-before)
			}
		}
	})
}

// wantShared prepares four ways in which two people prove one address: each adds it to an
// account, one signs in by email and one signs up with a password.
func wantShared(t *testing.T, s *app.Server, name, shared string) []func() {
	t.Helper()
	var ways []func()
	for i, person := range []string{"a", "b"} {
		s.Clock.Advance(time.Minute)
		c := signedIn(t, s, name+"-"+person+"@example.com", "")
		id, _ := added(c, shared)
		verify := app.M{"code": s.CodeFor(t, shared)}
		fresh := s.Client(t, "token")
		var attempt string
		if i == 0 {
			attempt = asked(fresh, shared, app.M{"create": true}).Text("attempt")
		} else {
			attempt = fresh.Do("POST", "/v1/sign-up", app.M{"email": shared, "password": app.Password}).Want(http.StatusOK).Text("attempt")
		}
		enter := app.M{"attempt": attempt, "code": s.CodeFor(t, shared)}
		ways = append(ways,
			func() { c.Do("POST", "/v1/me/emails/"+id+"/verify", verify) },
			func() { fresh.Do("POST", "/v1/sign-in/code", enter) })
	}
	s.Clock.Advance(time.Minute) // the tries of this network
	return ways
}

// TestOneAddressTwoPeople: of all who prove one address at once, in every way there is, one
// has it. Each way alone has it, too: a race of ways that do not work would tell nothing.
func TestOneAddressTwoPeople(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		owners := func(shared string) int {
			return len(s.Look(t, "SELECT account_id FROM email WHERE verified_at IS NOT NULL AND address_key = '"+shared+"'"))
		}
		for n := range 4 {
			shared := network(n) + "-alone@example.com"
			wantShared(t, s, network(n)+"-alone", shared)[n]()
			if got := owners(shared); got != 1 {
				t.Errorf("the way %d alone: %d people have the address", n, got)
			}
		}
		for n := range 4 {
			shared := network(n) + "-shared@example.com"
			atOnce(repeat(5, wantShared(t, s, network(n), shared)...)...)
			if got := owners(shared); got != 1 {
				t.Errorf("%d people have the address", got)
			}
			if orphans := s.Look(t, "SELECT a.id FROM account a WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.account_id = a.id)"); len(orphans) != 0 {
				t.Errorf("%d accounts were made without an address", len(orphans))
			}
		}
	})
}

// TestUndoingRaces: what takes something back does so once, and a person who is forgotten
// at that moment is either kept or gone.
func TestUndoingRaces(t *testing.T) {
	app.Each(t, app.Settings{"deletion-grace": "1h"}, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "owner@example.com", "")
		s.Clock.Advance(time.Second)
		id := proven(t, s, owner, "two@example.com")
		notMe := secret.Text(s.TokenFor(t, "owner@example.com"))
		s.Clock.Advance(time.Second)
		owner.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
		undo := secret.Text(s.TokenFor(t, "owner@example.com"))
		first := owner.Do("GET", "/v1/me/emails", nil).JSON()["data"].([]any)[0].(map[string]any)["id"].(string)
		change := func() { owner.Do("DELETE", "/v1/me/emails/"+first, nil) }
		remedied := make(chan bool, 20)
		atOnce(append(repeat(10,
			func() { _, err := s.Auth.UndoChange(t.Context(), undo, elsewhere); remedied <- err == nil },
			func() { _, err := s.Auth.NotMe(t.Context(), notMe, elsewhere); remedied <- err == nil }), change, change)...)
		close(remedied)
		remedies := 0 // one remedy ends the links of all others that are not older
		for ok := range remedied {
			if ok {
				remedies++
			}
		}
		if remedies != 1 {
			t.Errorf("%d remedies", remedies)
		}
		primaries := s.Look(t, "SELECT address FROM email WHERE is_primary AND verified_at IS NOT NULL")
		if len(primaries) != 1 || primaries[0][0] != "owner@example.com" {
			t.Errorf("the account is reached at %v", primaries)
		}
		for n := range 4 {
			email := network(n) + "@example.com"
			c := signedIn(t, s, email, "")
			c.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
			token := secret.Text(s.TokenFor(t, email))
			s.Clock.Advance(time.Hour - time.Microsecond)
			kept := make(chan bool, 10)
			moved := func() { s.Clock.Advance(time.Microsecond) }
			forget := func() {
				if _, err := s.Auth.ForgetDue(t.Context(), 10); err != nil {
					t.Error(err)
				}
			}
			atOnce(append(repeat(5, func() { kept <- s.Auth.UndoDeletion(t.Context(), token, elsewhere) == nil }, forget), moved)...)
			forget()
			close(kept)
			times := 0
			for ok := range kept {
				if ok {
					times++
				}
			}
			_, err := s.Auth.FindAccount(t.Context(), email)
			if times > 1 || (times == 1) != (err == nil) || err != nil && err.Error() != auth.ErrNoAccount.Error() {
				t.Errorf("kept %d times, and then %v", times, err)
			}
		}
	})
}
