package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// manyNetworks lets a test say where its requests come from.
var manyNetworks = app.Settings{"trusted-proxies": "127.0.0.1"}

// asker signs up with one address again and again and tries codes.
type asker struct {
	s        *app.Server
	c        *app.Client
	email    string
	attempts []string
}

func (a *asker) signUp(from string) *app.Answer {
	got := a.c.Do("POST", "/v1/sign-up", app.M{"email": a.email}, "X-Forwarded-For", from)
	if got.Status == http.StatusOK {
		a.attempts = append(a.attempts, got.Text("attempt"))
	}
	return got
}

func (a *asker) try(n int, code string) *app.Answer {
	return a.c.Do("POST", "/v1/sign-in/code", app.M{"attempt": a.attempts[n%len(a.attempts)], "code": code}, "X-Forwarded-For", network(n%40))
}

// wrongCode is a code that was not sent, whatever was.
func (a *asker) wrong(t *testing.T) string {
	for {
		if _, err := a.s.Post.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		taken := map[string]bool{}
		for _, m := range a.s.Inbox.Messages(a.email, "") {
			taken[m.Code] = true
		}
		for n := range 1000 {
			if code := fmt.Sprintf("%06d", n); !taken[code] {
				return code
			}
		}
	}
}

// said is what an answer tells, without what is random.
func said(a *app.Answer) string {
	retry := a.Header.Get("Retry-After")
	return strconv.Itoa(a.Status) + " " + scrub(a.JSON()) + " " + retry
}

// TestCodesAreCountedAcrossAttempts plays random sequences of sign-ups, wrong codes, resends
// and waiting against a free address and a taken one, in step. Whatever the sequence, a
// code is tried at most five times, an address at most ten times an hour, and the two
// addresses are answered alike.
func TestCodesAreCountedAcrossAttempts(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		for seed := range uint64(5) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { playCodes(t, s, seed) })
		}
	})
}

func playCodes(t *testing.T, s *app.Server, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 1))
	taken := &asker{s: s, c: s.Client(t, ""), email: fmt.Sprintf("taken-%d@example.com", seed)}
	free := &asker{s: s, c: s.Client(t, ""), email: fmt.Sprintf("free-%d@example.com", seed)}
	signedIn(t, s, taken.email, "")
	s.Clock.Advance(2 * time.Hour) // the taken address has used none of its letters
	tries := map[string]int{}      // wrong codes of an attempt since its code was sent
	var wrong []time.Time          // of the free address
	step := func(what string, do func(*asker) *app.Answer) *app.Answer {
		t.Helper()
		a, b := do(free), do(taken)
		if said(a) != said(b) {
			t.Fatalf("%s tells the addresses apart:\n%s\n%s", what, said(a), said(b))
		}
		return a
	}
	step("sign-up", func(a *asker) *app.Answer { return a.signUp(network(0)) })
	for range 60 {
		n, from := dice.IntN(100), network(dice.IntN(3))
		switch which := dice.IntN(10); {
		case which == 0:
			step("sign-up", func(a *asker) *app.Answer { return a.signUp(from) })
		case which == 1:
			answer := step("resend", func(a *asker) *app.Answer {
				return a.c.Do("POST", "/v1/sign-in/attempts/"+a.attempts[n%len(a.attempts)]+"/resend", nil, "X-Forwarded-For", from)
			})
			if answer.Status == http.StatusAccepted {
				tries[free.attempts[n%len(free.attempts)]] = 0
			}
		case which == 2:
			s.Clock.Advance(time.Duration(dice.IntN(15)) * time.Minute)
		case which == 3:
			s.Clock.Advance(31 * time.Second)
		default:
			answer := step("a wrong code", func(a *asker) *app.Answer { return a.try(n, a.wrong(t)) })
			if answer.Code() != "code_incorrect" {
				continue
			}
			attempt := free.attempts[n%len(free.attempts)]
			if tries[attempt]++; tries[attempt] > 5 {
				t.Fatalf("a code was tried %d times", tries[attempt])
			}
			wrong = append(wrong, s.Clock.Now())
			// Two hours may touch (see factor.Budget): ten in an hour, nineteen at worst in
			// any sixty minutes.
			if len(wrong) > 19 && wrong[len(wrong)-1].Sub(wrong[len(wrong)-20]) < time.Hour {
				t.Fatal("twenty wrong codes within an hour")
			}
		}
	}
}

// TestTenWrongCodesAnHour: across attempts and in parallel, for a free and a taken address
// alike; the right code is of no use then, and is again an hour later.
func TestTenWrongCodesAnHour(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "taken@example.com", "")
		for _, email := range []string{"free@example.com", "taken@example.com"} {
			a := &asker{s: s, c: s.Client(t, ""), email: email}
			for n := range 4 {
				a.signUp(network(n)).Want(http.StatusOK)
			}
			wrong := a.wrong(t)
			next := make(chan int, 40)
			for n := range 40 {
				next <- n
			}
			judged := race(20, func() bool { return a.try(<-next, wrong).Code() == "code_incorrect" })
			if judged != 10 {
				t.Errorf("%s: %d wrong codes were judged in an hour, want 10", email, judged)
			}
			closed := a.try(0, wrong).Want(http.StatusTooManyRequests, "too_many_attempts")
			if seconds, err := strconv.Atoi(closed.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 3600 {
				t.Errorf("Retry-After: %q", closed.Header.Get("Retry-After"))
			}
		}
		free := &asker{s: s, c: s.Client(t, ""), email: "free@example.com"}
		attempt := free.signUp(network(9)).Text("attempt")
		right := app.M{"attempt": attempt, "code": s.CodeFor(t, "free@example.com")}
		free.c.Do("POST", "/v1/sign-in/code", right).Want(http.StatusTooManyRequests, "too_many_attempts")
		s.Clock.Advance(time.Hour)
		attempt = free.signUp(network(9)).Text("attempt")
		right = app.M{"attempt": attempt, "code": s.CodeFor(t, "free@example.com")}
		free.c.Do("POST", "/v1/sign-in/code", right).Want(http.StatusOK)
	})
}

// TestAHundredWrongCodesInARow closes codes for an address, whatever time passes, until its
// owner proves themselves in another way.
func TestAHundredWrongCodesInARow(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "owner@example.com", "")
		owner, free := &asker{s: s, c: s.Client(t, ""), email: "owner@example.com"}, &asker{s: s, c: s.Client(t, ""), email: "nobody@example.com"}
		for _, a := range []*asker{owner, free} {
			judged := 0
			for range 11 {
				s.Clock.Advance(time.Hour)
				a.attempts = nil
				for n := range 3 {
					a.signUp(network(n)).Want(http.StatusOK)
				}
				wrong := a.wrong(t)
				for n := range 12 {
					if a.try(n, wrong).Code() == "code_incorrect" {
						judged++
					}
				}
			}
			if judged != 100 {
				t.Errorf("%s: %d wrong codes in a row, want 100", a.email, judged)
			}
		}
		s.Clock.Advance(2 * time.Hour)
		attempt := free.signUp(network(1)).Text("attempt")
		free.c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, free.email)}).
			Want(http.StatusTooManyRequests, "too_many_attempts")
		// The owner signs in with the password, and codes work again.
		c := s.Client(t, "")
		c.SignIn("owner@example.com")
		body := app.M{"attempt": begin(c, "email_code"), "type": "email_code", "code": s.CodeFor(t, "owner@example.com")}
		c.Do("POST", "/v1/me/reauthenticate", body).Want(http.StatusOK)
	})
}

// live counts the attempts for an address that could still be completed.
func live(t *testing.T, s *app.Server, email string) (ids []string) {
	t.Helper()
	for _, row := range s.Look(t, "SELECT id FROM attempt WHERE ended_at IS NULL AND address_key = '"+email+"' ORDER BY id") {
		ids = append(ids, row[0])
	}
	return ids
}

// TestFiveLiveAttempts: no more for one address, in parallel too, and no device secret of
// the asker's own making or from another account keeps a place.
func TestFiveLiveAttempts(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		mallory := signedIn(t, s, "mallory@example.com", "")
		for name, device := range map[string]string{"none": "", "another account's": mallory.Device, "made up": "made-up-by-mallory"} {
			email := "five-" + strconv.Itoa(len(name)) + "@example.com"
			next := make(chan int, 20)
			for n := range 20 {
				next <- n
			}
			race(20, func() bool {
				header := []string{"X-Forwarded-For", network(<-next)}
				if device != "" {
					header = append(header, "Limen-Device", device)
				}
				return s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": email}, header...).Status == http.StatusOK
			})
			if n := len(live(t, s, email)); n != 5 {
				t.Errorf("%s: %d live attempts, want 5", name, n)
			}
		}
		// The oldest keep their place: who came first is not thrown out by who comes after.
		first := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "first@example.com"}).Want(http.StatusOK).Text("attempt")
		code := s.CodeFor(t, "first@example.com")
		for n := range 12 {
			s.Clock.Advance(time.Second)
			s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "first@example.com"}, "X-Forwarded-For", network(n))
		}
		s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": first, "code": code}).Want(http.StatusOK)
		// A device that the owner signed in with keeps its place.
		owner := signedIn(t, s, "known@example.com", "")
		var mine string
		for n := range 8 {
			s.Clock.Advance(time.Second)
			header := []string{"X-Forwarded-For", network(n)}
			if n == 4 {
				header = append(header, "Limen-Device", owner.Device)
			}
			got := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "known@example.com"}, header...)
			if n == 4 {
				mine = got.Want(http.StatusOK).Text("attempt")
			}
		}
		if n := len(live(t, s, "known@example.com")); n != 5 {
			t.Errorf("%d live attempts beside the one of a known device, want 5", n)
		}
		if status := s.Client(t, "").Do("GET", "/v1/sign-in/attempts/"+mine, nil).Text("status"); status != "pending" {
			t.Errorf("the attempt from a known device is %s", status)
		}
	})
}

// TestResendRace: twenty requests for another letter send one, and cost one.
func TestResendRace(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		a := &asker{s: s, c: s.Client(t, ""), email: "resend@example.com"}
		attempt := a.signUp(network(0)).Text("attempt")
		s.CodeFor(t, a.email)
		for round := range 5 {
			s.Clock.Advance(150 * time.Second) // five emails in ten minutes
			sent := race(5, func() bool {
				return a.c.Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil, "X-Forwarded-For", network(0)).Status == http.StatusAccepted
			})
			if sent != 1 {
				t.Fatalf("round %d: %d letters at once", round, sent)
			}
			s.CodeFor(t, a.email)
		}
		if n := len(s.Inbox.Messages(a.email, "")); n != 6 {
			t.Errorf("%d letters, want 6", n)
		}
		s.Clock.Advance(31 * time.Second)
		a.c.Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil).Want(http.StatusTooManyRequests, "too_many_attempts")
	})
}
