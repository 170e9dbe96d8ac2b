package api_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/testkit/app"
)

// haul collects what was granted during a race.
type haul struct {
	mu      sync.Mutex
	clients []*app.Client
	tokens  []string
}

func (h *haul) keep(c *app.Client, a *app.Answer) {
	if a.Status != http.StatusOK {
		return
	}
	c.Grant(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	c.Server.Clock.Advance(150 * time.Millisecond) // time goes on while they race
	h.clients = append(h.clients, c)
	h.tokens = append(h.tokens, c.Access)
}

// TestNothingInFlightSurvives ends a person's sessions in the middle of everything that can
// grant one: refreshes, sign-ins, renewed proofs, hand-overs. Whatever was granted, nothing
// of it works afterwards, and no token is younger than what the feed says to refuse.
func TestNothingInFlightSurvives(t *testing.T) {
	ends := map[string]func(*testing.T, *app.Server, *app.Client, account.ID){
		"a ban": func(t *testing.T, s *app.Server, _ *app.Client, id account.ID) {
			if err := s.Auth.Ban(t.Context(), id); err != nil {
				t.Error(err)
			}
		},
		"a deletion": func(t *testing.T, s *app.Server, _ *app.Client, id account.ID) {
			if err := s.Auth.Forget(t.Context(), id); err != nil {
				t.Error(err)
			}
		},
		"a sign-out everywhere": func(t *testing.T, _ *app.Server, c *app.Client, _ account.ID) {
			c.Do("POST", "/v1/sign-out", app.M{"scope": "everywhere"}).Want(http.StatusNoContent)
		},
	}
	app.Each(t, handoverSettings, func(t *testing.T, s *app.Server) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) { raceAgainst(t, s, name, end) })
		}
	})
}

func raceAgainst(t *testing.T, s *app.Server, name string, end func(*testing.T, *app.Server, *app.Client, account.ID)) {
	email := "flight-" + toText(len(name)) + "@example.com"
	owner := signedIn(t, s, email, "")
	id := userID(owner)
	var h haul
	var work []func()
	for range 4 { // racing refreshes of one session, and of others
		c := s.Client(t, "")
		c.SignIn(email)
		for range 3 {
			twin := c.Without()
			work = append(work, func() {
				for range 3 {
					answer := twin.Do("POST", "/v1/token/refresh", app.M{"refresh_token": twin.Refresh})
					h.keep(twin, answer)
				}
			})
		}
	}
	prover := s.Client(t, "")
	prover.SignIn(email)
	for range 2 {
		attempt := begin(prover, "")
		twin := prover.Without()
		twin.Header.Set("Authorization", "Bearer "+prover.Access)
		work = append(work, func() { h.keep(twin, prove(twin, attempt)) })
	}
	browser := s.Client(t, "")
	codes := []string{codeFrom(t, s, pageSignIn(browser, email, destination(callback)))}
	for range 2 {
		codes = append(codes, codeFrom(t, s, browser.Do("POST", "/sign-in/continue", destination(callback))))
	}
	for _, code := range codes {
		work = append(work, func() { c := s.Client(t, ""); h.keep(c, exchange(c, code, verifier, callback)) })
	}
	if name != "a sign-out everywhere" { // after that one may sign in again
		for range 2 {
			work = append(work, func() {
				c := s.Client(t, "")
				h.keep(c, c.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": app.Password}))
			})
		}
	}

	// The end comes in the midst of it, not before.
	var start, done sync.WaitGroup
	var once sync.Once
	begun := make(chan struct{})
	start.Add(1)
	for _, job := range work {
		done.Go(func() {
			start.Wait()
			defer once.Do(func() { close(begun) })
			job()
		})
	}
	done.Go(func() { <-begun; end(t, s, owner, id) })
	start.Done()
	done.Wait()

	if len(h.clients) == 0 {
		t.Error("nothing was granted: this was no race")
	}
	for _, c := range h.clients {
		if got := c.Without().Do("GET", "/v1/me", nil, "Authorization", "Bearer "+c.Access); got.Code() != "session_ended" {
			t.Errorf("a token from the race is answered %d", got.Status)
		}
		if got := c.Without().Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}); got.Status != http.StatusUnauthorized {
			t.Errorf("a refresh token from the race is answered %d", got.Status)
		}
	}
	refusedFrom, ended := feedOf(t, s, id)
	for _, token := range append(h.tokens, owner.Access) {
		claims := forgerOf(t, s, token).claims
		issued := int64(claims["iat"].(float64))
		if time.Unix(issued, 0).After(refusedFrom) && !ended[claims["sid"].(string)] {
			t.Errorf("a token of %v escapes the feed, which refuses up to %v", time.Unix(issued, 0).UTC(), refusedFrom)
		}
	}
}

// feedOf is the instant up to which the feed refuses the tokens of a person, and the
// sessions that it refuses by themselves: racing refreshes end some before the end comes.
func feedOf(t *testing.T, s *app.Server, id account.ID) (at time.Time, sessions map[string]bool) {
	t.Helper()
	page, err := s.Issuer.Revocations(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	sessions = map[string]bool{}
	for _, r := range page.Revocations {
		switch {
		case r.Account != id:
		case r.Kind == "session":
			sessions[string(r.Session)] = true
		case r.At.After(at):
			at = r.At
		}
	}
	return at, sessions
}

// TestEndedSessionEndsNothing: a request of a session that was ended a moment ago can no
// longer end the sessions of its owner.
func TestEndedSessionEndsNothing(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "thief@example.com", "")
		thief := s.Client(t, "")
		thief.SignIn("thief@example.com")
		late := actorOf(t, s, thief)
		owner.Do("DELETE", "/v1/sessions", nil).Want(http.StatusNoContent)
		b := late.browser
		if err := s.Auth.EndOtherSessions(t.Context(), late.Actor, b); err == nil {
			t.Error("an ended session ended the others")
		}
		if err := s.Auth.EndSession(t.Context(), late.Actor, actorOf(t, s, owner).Session.ID, b); err == nil {
			t.Error("an ended session ended another")
		}
		owner.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}
