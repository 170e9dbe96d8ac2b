package api_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// siege is what strangers on fifty networks do to one address, without end.
type siege struct {
	s        *app.Server
	c        *app.Client
	email    string
	n        int
	attempts []string
}

// minute lets a minute pass in which everything is asked for twenty times.
func (g *siege) minute() {
	for i := range 20 {
		g.n++
		from := []string{"X-Forwarded-For", network(g.n % 50)}
		var got *app.Answer
		switch i % 5 {
		case 0:
			got = g.c.Do("POST", "/v1/sign-up", app.M{"email": g.email}, from...)
		case 1:
			got = g.c.Do("POST", "/v1/sign-in/email", app.M{"email": g.email}, from...)
		case 2, 3:
			got = g.c.Do("POST", "/v1/recovery", app.M{"email": g.email}, from...)
		default:
			if len(g.attempts) == 0 {
				continue
			}
			g.c.Do("POST", "/v1/sign-in/attempts/"+g.attempts[g.n%len(g.attempts)]+"/resend", nil, from...)
			continue
		}
		if got.Status < 300 {
			g.attempts = append(g.attempts, got.Text("attempt"))
			g.attempts = g.attempts[max(0, len(g.attempts)-30):]
		}
	}
	g.s.Clock.Advance(time.Minute)
}

// newest is the token of the newest recovery email to an address.
func newestRecovery(t *testing.T, s *app.Server, email string) string {
	t.Helper()
	s.Letter(t, email)
	for _, m := range s.Inbox.Messages(email, "") {
		if len(m.Links) == 1 && strings.Contains(m.Links[0], "/recovery/new-password") {
			_, token, _ := strings.Cut(m.Links[0], "token=")
			return token
		}
	}
	t.Fatal("no recovery email")
	return ""
}

// mostInAnHour is how many emails to one address were written within any hour.
func mostInAnHour(t *testing.T, s *app.Server) (most int) {
	t.Helper()
	var at []int64
	for _, row := range s.Look(t, "SELECT created_at FROM outbox WHERE template <> 'nothing' ORDER BY created_at") {
		n, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, n)
	}
	for i := range at {
		end, _ := slices.BinarySearch(at, at[i]+time.Hour.Microseconds())
		most = max(most, end-i)
	}
	return most
}

// longestWait is how long an owner may have to wait for an email to recover with while
// others use up all there are: from the end of one, ten minutes after it was written, to the
// next.
func longestWait(t *testing.T, s *app.Server) (longest time.Duration) {
	t.Helper()
	var last int64
	all := s.Look(t, "SELECT created_at FROM outbox WHERE template = 'recover' ORDER BY created_at")
	if len(all) < 10 {
		t.Errorf("%d emails to recover with", len(all))
	}
	for _, row := range all {
		at, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if last != 0 {
			longest = max(longest, time.Duration(at-last)*time.Microsecond-10*time.Minute)
		}
		last = at
	}
	return longest
}

// TestStrangersCannotShutTheOwnerOut: fifty networks ask for everything without end. The
// owner in an unknown browser has a new password within ten minutes, in a known one at once,
// and the mailbox gets at most thirty emails in any hour.
func TestStrangersCannotShutTheOwnerOut(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		const email = "owner@example.com"
		signedIn(t, s, email, "")
		s.Clock.Advance(2 * time.Hour)
		written := len(s.Look(t, "SELECT id FROM outbox"))
		g := &siege{s: s, c: s.Client(t, "token"), email: email}
		for range 125 {
			g.minute()
		}
		if wait := longestWait(t, s); wait > 2*time.Minute {
			t.Errorf("for %v there is no email to recover with, and none can be had", wait)
		}
		if n := mostInAnHour(t, s); n > 30 || n < 20 {
			t.Errorf("the mailbox got %d emails in an hour", n)
		}
		if n := len(s.Look(t, "SELECT id FROM outbox")) - written; n < 50 {
			t.Errorf("%d emails in two hours: the strangers did not try", n)
		}
		// In an unknown browser: some email to recover with is there or comes within ten
		// minutes, and its link works for ten minutes in any browser.
		unknown := s.Client(t, "cookie")
		unknown.Do("POST", "/v1/recovery", app.M{"email": email}, "Origin", s.URL).Want(http.StatusAccepted)
		token := newestRecovery(t, s, email)
		for range 3 {
			g.minute()
		}
		confirm := app.M{"token": token, "password": newPassword}
		got := s.Client(t, "").Do("POST", "/v1/recovery/confirm", confirm)
		if got.Status != http.StatusOK { // it was older than seven minutes; then another one has come
			confirm["token"] = newestRecovery(t, s, email)
			s.Client(t, "").Do("POST", "/v1/recovery/confirm", confirm).Want(http.StatusOK)
		}
		owner := s.Client(t, "")
		owner.Grant(owner.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": newPassword}))
		for range 20 {
			g.minute()
		}
		// In a known one an email comes at once, for anything.
		for _, path := range []string{"/v1/recovery", "/v1/sign-in/email", "/v1/sign-up"} {
			before := len(s.Look(t, "SELECT id FROM outbox"))
			known := s.Client(t, "")
			got := known.Do("POST", path, app.M{"email": email}, "Limen-Device", owner.Device, "X-Forwarded-For", network(77))
			if got.Status > 202 || len(s.Look(t, "SELECT id FROM outbox")) != before+1 {
				t.Errorf("on a known device %s is answered %d, and %d emails are sent", path, got.Status, len(s.Look(t, "SELECT id FROM outbox"))-before)
			}
		}
		token = newestRecovery(t, s, email)
		for range 9 { // for its whole life
			g.minute()
		}
		s.Client(t, "").Do("POST", "/v1/recovery/confirm", app.M{"token": token, "password": app.Password}).Want(http.StatusOK)
	})
}

// TestUnsentRecoveries: where the emails of recovery are used up, the answers are the same
// and the newest email stays good: nothing that is asked for replaces its code or its link,
// and no attempt without an email takes its place.
func TestUnsentRecoveries(t *testing.T) {
	eachWatched(t, manyNetworks, func(t *testing.T, s watched) {
		signedIn(t, s.Server, "known@example.com", "")
		s.Clock.Advance(2 * time.Hour)
		c := s.Client(t, "token")
		var first []string
		for _, email := range []string{"known@example.com", "never@example.com"} {
			var attempts, said []string
			for n := range 12 {
				s.Clock.Advance(time.Second)
				got := c.Do("POST", "/v1/recovery", app.M{"email": email}, "X-Forwarded-For", network(n)).Want(http.StatusAccepted)
				attempts, said = append(attempts, got.Text("attempt")), append(said, mask(whole(got, email)))
			}
			for _, attempt := range attempts {
				said = append(said, mask(whole(c.Do("GET", "/v1/sign-in/attempts/"+attempt, nil), email)))
			}
			code := app.M{"attempt": attempts[4], "code": "000000", "password": newPassword}
			said = append(said, mask(whole(c.Do("POST", "/v1/recovery/confirm", code), email)))
			code["attempt"] = attempts[11] // whatever is typed for an attempt without an email is wrong
			said = append(said, mask(whole(c.Do("POST", "/v1/recovery/confirm", code), email)))
			s.Clock.Advance(31 * time.Second)
			for _, n := range []int{4, 11} { // another email is one too many as well
				got := c.Do("POST", "/v1/sign-in/attempts/"+attempts[n]+"/resend", nil).Want(http.StatusAccepted)
				said = append(said, mask(whole(got, email)))
				c.Do("POST", "/v1/sign-in/attempts/"+attempts[n]+"/resend", nil).Want(http.StatusTooManyRequests, "rate_limited")
			}
			if n := len(live(t, s.Server, email)); n != 10 {
				t.Errorf("%d attempts to recover %s live, want five with an email and five without", n, email)
			}
			if first == nil {
				first = said
			}
			for i := range said {
				if said[i] != first[i] {
					t.Errorf("answer %d about %s:\n%s\n--- and ---\n%s", i, email, first[i], said[i])
				}
			}
			s.Clock.Advance(9 * time.Minute)
			if email == "known@example.com" {
				body := app.M{"token": newestRecovery(t, s.Server, email), "password": newPassword}
				s.Client(t, "").Do("POST", "/v1/recovery/confirm", body).Want(http.StatusOK)
			}
		}
		// An attempt without an email gets one when its time has come.
		s.Clock.Advance(2 * time.Hour)
		var attempt string
		for n := range 6 {
			attempt = c.Do("POST", "/v1/recovery", app.M{"email": "known@example.com"}, "X-Forwarded-For", network(n)).Want(http.StatusAccepted).Text("attempt")
			s.Clock.Advance(125 * time.Second)
		}
		c.Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil).Want(http.StatusAccepted)
		body := app.M{"attempt": attempt, "code": s.CodeFor(t, "known@example.com"), "password": app.Password}
		c.Do("POST", "/v1/recovery/confirm", body).Want(http.StatusOK)
	})
}

// TestStrangersCannotCloseCodes: a hundred wrong codes of strangers close codes for them,
// and not for a person who has only a number and a device that is known.
func TestStrangersCannotCloseCodes(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		owner := s.Client(t, "")
		attempt := owner.Do("POST", "/v1/sign-up", app.M{"phone": annsPhone}).Want(http.StatusOK).Text("attempt")
		owner.Grant(owner.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, annsPhone)}))
		stranger := s.Client(t, "token")
		judged := 0
		for range 11 {
			s.Clock.Advance(time.Hour)
			for n := range 3 {
				attempt := stranger.Do("POST", "/v1/sign-in/phone", app.M{"phone": annsPhone}, "X-Forwarded-For", network(n)).Want(http.StatusAccepted).Text("attempt")
				for range 5 {
					got := stranger.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "x"}, "X-Forwarded-For", network(n))
					if got.Code() == "code_incorrect" {
						judged++
					}
				}
			}
		}
		if judged != 100 {
			t.Errorf("%d wrong codes of strangers were judged, want 100", judged)
		}
		s.Clock.Advance(time.Hour)
		begin := func(header ...string) func(code string) *app.Answer {
			c := s.Client(t, "token")
			attempt := c.Do("POST", "/v1/sign-in/phone", app.M{"phone": annsPhone}, header...).Want(http.StatusAccepted).Text("attempt")
			return func(code string) *app.Answer {
				return c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": code}, header...)
			}
		}
		elsewhere := []string{"X-Forwarded-For", network(9)}
		device := []string{"Limen-Device", owner.Device, "X-Forwarded-For", network(8)}
		closed := begin(elsewhere...)
		closed(s.CodeFor(t, annsPhone)).Want(http.StatusTooManyRequests, "too_many_attempts")
		// Ten wrong ones an hour on known devices, however long it goes on.
		for range 11 {
			judged = 0
			for range 3 {
				s.Clock.Advance(10 * time.Minute)
				try := begin(device...)
				for range 5 {
					if try("x").Code() == "code_incorrect" {
						judged++
					}
				}
			}
			if judged != 10 {
				t.Errorf("%d wrong codes of a known device were judged in an hour, want 10", judged)
			}
			s.Clock.Advance(40 * time.Minute)
		}
		mine := begin(device...)
		mine(s.CodeFor(t, annsPhone)).Want(http.StatusOK)
		// The owner was here: the run of strangers has ended.
		s.Clock.Advance(time.Hour)
		open := begin(elsewhere...)
		open(s.CodeFor(t, annsPhone)).Want(http.StatusOK)
	})
}

// TestNoAnswerTiesIdentifiers plays the same steps about two addresses of one account, of
// two accounts and of nobody. Status, headers, bodies and statements are the same, while
// what is judged for one account is ten tries in all.
func TestNoAnswerTiesIdentifiers(t *testing.T) {
	eachWatched(t, manyNetworks, func(t *testing.T, s watched) {
		pairs := [][2]string{{"one.a@example.com", "one.b@example.com"}, {"two.a@example.com", "two.b@example.com"}, {"non.a@example.com", "non.b@example.com"}}
		one := signedIn(t, s.Server, pairs[0][0], "")
		proven(t, s.Server, one, pairs[0][1])
		signedIn(t, s.Server, pairs[1][0], "")
		signedIn(t, s.Server, pairs[1][1], "")
		for _, pair := range pairs { // nobody's code budget is new
			for _, email := range pair {
				c := s.Client(t, "")
				attempt := asked(c, email, nil).Text("attempt")
				c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "x"})
			}
		}
		s.Clock.Advance(2 * time.Hour)
		for name, steps := range map[string][]step{"passwords": passwordSteps(), "codes": codeSteps()} {
			t.Run(name, func(t *testing.T) {
				if len(steps) < 20 {
					t.Fatalf("%d steps", len(steps))
				}
				var attempts [3][2]string
				clients := [3]*app.Client{s.Client(t, "token"), s.Client(t, "token"), s.Client(t, "token")}
				for n, step := range steps {
					which := n % 2
					var first cost
					var said string
					for i, pair := range pairs {
						got, c := s.ask(t, func() *app.Answer { return step.ask(clients[i], pair[which], &attempts[i][which]) })
						text := digitsOnScreen.ReplaceAllString(mask(whole(got, pair[which])), "")
						if i == 0 {
							first, said = c, text
							continue
						}
						if text != said {
							t.Errorf("step %d, %s, tells %s from %s:\n%s\n--- and ---\n%s", n, step.name, pairs[0][which], pair[which], said, text)
						}
						if d := first.differs(c); d != "" {
							t.Errorf("step %d, %s, costs more for %s or %s: %s", n, step.name, pairs[0][which], pair[which], d)
						}
					}
				}
			})
			s.Clock.Advance(2 * time.Hour)
		}
	})
}

// passwordSteps are twelve wrong passwords for each of two identifiers, in turns.
func passwordSteps() (steps []step) {
	for range 24 {
		steps = append(steps, step{name: "password", ask: func(c *app.Client, who string, _ *string) *app.Answer {
			return c.Do("POST", "/v1/sign-in/password", app.M{"identifier": who, "password": "a wrong password"}, "X-Forwarded-For", network(3))
		}})
	}
	return steps
}

// codeSteps are twelve wrong codes for each of two addresses, over three attempts, in turns.
func codeSteps() (steps []step) {
	again := func(s step) { steps = append(steps, s, s) }
	for range 3 {
		again(keep("/v1/sign-in/email", func(who string) app.M { return app.M{"email": who} }))
		for range 4 {
			again(present("/v1/sign-in/code", app.M{"code": "x"}))
		}
		again(status())
		again(resend(0))
	}
	return steps
}

// TestOnlyTenAreJudgedForAnAccount: with the account's budget used up by one address, the
// right code for another one is answered as a wrong one, and counts as a try.
func TestOnlyTenAreJudgedForAnAccount(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		one := signedIn(t, s, "one@example.com", "")
		proven(t, s, one, "two@example.com")
		s.Clock.Advance(2 * time.Hour)
		c := s.Client(t, "token")
		for range 2 {
			attempt := asked(c, "one@example.com", nil).Text("attempt")
			for range 5 {
				c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "x"}).Want(http.StatusUnauthorized, "code_incorrect")
			}
		}
		right := app.M{"attempt": asked(c, "two@example.com", nil).Text("attempt"), "code": s.CodeFor(t, "two@example.com")}
		for left := 4; left >= 0; left-- {
			got := c.Do("POST", "/v1/sign-in/code", right).Want(http.StatusUnauthorized, "code_incorrect")
			if got.JSON()["tries_left"] != float64(left) {
				t.Errorf("%s, want %d tries left", got.Body, left)
			}
		}
		c.Do("POST", "/v1/sign-in/code", right).Want(http.StatusTooManyRequests, "too_many_attempts")
		s.Clock.Advance(time.Hour)
		right = app.M{"attempt": asked(c, "two@example.com", nil).Text("attempt"), "code": s.CodeFor(t, "two@example.com")}
		c.Do("POST", "/v1/sign-in/code", right).Want(http.StatusOK)
	})
}

// TestDevicesAreForgotten: a device is known as long as nothing says that somebody else may
// have it: a recovery forgets all devices, a changed password the others, an administrator
// and a reused token those that they sign out. Signing out does not.
func TestDevicesAreForgotten(t *testing.T) {
	ways := map[string]struct {
		known bool
		do    func(t *testing.T, s *app.Server, c, other *app.Client, email string)
	}{
		"nothing":    {true, func(*testing.T, *app.Server, *app.Client, *app.Client, string) {}},
		"a sign-out": {true, func(_ *testing.T, _ *app.Server, c, _ *app.Client, _ string) { c.Do("POST", "/v1/sign-out", app.M{}) }},
		"a password change elsewhere": {false, func(_ *testing.T, _ *app.Server, _, other *app.Client, _ string) {
			other.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": newPassword}).Want(http.StatusOK)
		}},
		"a recovery, after a sign-out": {false, func(t *testing.T, s *app.Server, c, other *app.Client, email string) {
			c.Do("POST", "/v1/sign-out", app.M{}).Want(http.StatusNoContent)
			attempt := other.Without().Do("POST", "/v1/recovery", app.M{"email": email}).Want(http.StatusAccepted).Text("attempt")
			other.Without().Do("POST", "/v1/recovery/confirm", app.M{"attempt": attempt, "code": s.CodeFor(t, email), "password": newPassword}).Want(http.StatusOK)
		}},
		"a ban that was lifted": {false, func(t *testing.T, s *app.Server, c, _ *app.Client, _ string) {
			id := userID(c)
			if err := s.Auth.Ban(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if err := s.Auth.Unban(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}},
		"a reused token": {false, func(_ *testing.T, _ *app.Server, c, _ *app.Client, _ string) {
			c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device).Want(http.StatusOK)
			c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}).Want(http.StatusUnauthorized, "refresh_reused")
		}},
	}
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		n := 0
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				n++
				email := "device-" + strconv.Itoa(n) + "@example.com"
				c := signedIn(t, s, email, "")
				s.Clock.Advance(2 * time.Hour)
				c.SignIn(email)
				other := s.Client(t, "")
				other.SignIn(email)
				s.Clock.Advance(time.Second)
				way.do(t, s, c, other, email)
				s.Clock.Advance(2 * time.Hour)
				ask := func(header ...string) int {
					return s.Client(t, "").Do("POST", "/v1/sign-in/email", app.M{"email": email}, header...).Status
				}
				for range 5 {
					ask("X-Forwarded-For", network(1))
				}
				want := http.StatusTooManyRequests
				if way.known {
					want = http.StatusAccepted
				}
				if got := ask("X-Forwarded-For", network(2), "Limen-Device", c.Device); got != want {
					t.Errorf("the device is answered %d, want %d", got, want)
				}
			})
		}
	})
}
