package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/twilio"
)

// wide are budgets that a test of the breaker does not meet.
func wide(more app.Settings) app.Settings {
	s := app.Settings{
		"trusted-proxies": "127.0.0.1", "sms-per-network": "1000000", "sms-per-network-daily": "1000000", "sms-daily": "100000000",
		"sms-per-prefix": "10000000", "sms-per-prefix-daily": "10000000",
	}
	for name, value := range more {
		s[name] = value
	}
	return s
}

// eachTexting runs a test on both engines with an SMS provider.
func eachTexting(t *testing.T, settings app.Settings, test func(t *testing.T, s *app.Server, provider *twilio.Server)) {
	t.Helper()
	provider, all := app.Texts(t, "CH", settings)
	app.Each(t, all, func(t *testing.T, s *app.Server) { test(t, s, provider) })
}

// textDue sends the messages that wait.
func textDue(t *testing.T, s *app.Server) {
	t.Helper()
	for {
		n, err := s.Post.SendDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// TestTextsLeaveOverTheProvider: the code that the provider is given signs in, the number is
// judged by its country, and nothing is sent to a number that nobody here has.
func TestTextsLeaveOverTheProvider(t *testing.T) {
	eachTexting(t, wide(nil), func(t *testing.T, s *app.Server, provider *twilio.Server) {
		const number = "+41791110001"
		before := len(provider.Messages(""))
		c := s.Client(t, "")
		asked := c.Do("POST", "/v1/sign-in/phone", app.M{"phone": number, "create": true}).Want(http.StatusAccepted)
		code := s.CodeFor(t, number)
		took := provider.Messages(number)
		if n := len(took); n == 0 || !strings.Contains(took[n-1].Body, code) {
			t.Fatalf("the provider was given %v", took)
		}
		typed := strings.Map(func(r rune) rune { return r - '0' + '٠' }, code) // by an Arabic keyboard
		c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": asked.Text("attempt"), "code": typed[:6] + " " + typed[6:]}))

		s.Client(t, "").Do("POST", "/v1/sign-in/phone", app.M{"phone": "+41791110002"}).Want(http.StatusAccepted)
		s.Client(t, "").Do("POST", "/v1/sign-in/phone", app.M{"phone": "+4915112345678", "create": true}).Want(http.StatusForbidden, "country_not_allowed")
		textDue(t, s)
		if n := len(provider.Messages("")) - before; n != 1 {
			t.Errorf("the provider was given %d messages", n)
		}
	})
}

// TestSMSBreakerRaced: however many ask at once, the provider gets no more messages to a
// range than the breaker lets through, and its verdict is taken back by codes that return.
func TestSMSBreakerRaced(t *testing.T) {
	eachTexting(t, wide(app.Settings{"sms-breaker": "5"}), func(t *testing.T, s *app.Server, provider *twilio.Server) {
		before := len(provider.Messages(""))
		var next, sent, paused atomic.Int64
		ask := func() (*app.Answer, string) {
			n := int(next.Add(1))
			number := "+4179222" + fmt.Sprintf("%04d", n)
			return s.Client(t, "").Do("POST", "/v1/sign-in/phone", app.M{"phone": number, "create": true}, "X-Forwarded-For", network(n)), number
		}
		atOnce(repeat(20, func() {
			switch got, _ := ask(); {
			case got.Status == http.StatusAccepted:
				sent.Add(1)
			case got.Code() == "sms_paused" && got.Status == http.StatusServiceUnavailable:
				if after, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || after < 1 || after > 3601 {
					t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
				}
				paused.Add(1)
			default:
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})...)
		textDue(t, s)
		if sent.Load() != 5 || paused.Load() != 15 || len(provider.Messages(""))-before != 5 {
			t.Errorf("%d sent, %d paused, the provider got %d", sent.Load(), paused.Load(), len(provider.Messages(""))-before)
		}
		// Another range goes on, and so does a way that needs no message.
		other := s.Client(t, "")
		other.Do("POST", "/v1/sign-in/phone", app.M{"phone": "+41762220001", "create": true}).Want(http.StatusAccepted)
		// A range opens again when the window has moved on.
		s.Clock.Advance(6*time.Hour - time.Minute)
		s.Clock.Advance(time.Hour)
		got, number := ask()
		got.Want(http.StatusAccepted)
		code := s.CodeFor(t, number)
		for range 4 {
			got, _ := ask()
			got.Want(http.StatusAccepted)
		}
		got2, _ := ask()
		got2.Want(http.StatusServiceUnavailable, "sms_paused")
		// One in five codes came back: that is a range of people.
		s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": got.Text("attempt"), "code": code}, "X-Forwarded-For", network(99)).Want(http.StatusOK)
		got3, _ := ask()
		got3.Want(http.StatusAccepted)
	})
}

// TestSMSBreakerProperty plays random histories against a plain list of what happened: a
// range is closed exactly while the last six hours hold enough messages of which too few
// codes came back; another range is never touched; the answer says when to come back, not
// later than the next hour.
func TestSMSBreakerProperty(t *testing.T) {
	const least = 4
	eachTexting(t, wide(app.Settings{"sms-breaker": strconv.Itoa(least), "sms-per-number": "1000", "sms-per-number-daily": "1000"}), func(t *testing.T, s *app.Server, _ *twilio.Server) {
		type event struct {
			at   time.Time
			sent bool
		}
		type waiting struct {
			at              time.Time
			attempt, number string
		}
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			s.Clock.Advance(7 * time.Hour) // nothing of the run before counts
			happened, open := map[string][]event{}, map[string][]waiting{}
			for range rapid.IntRange(1, 20).Draw(rt, "steps") {
				prefix := rapid.SampledFrom([]string{"+4179", "+4176"}).Draw(rt, "prefix")
				now := s.Clock.Now()
				switch rapid.SampledFrom([]string{"send", "send", "send", "send", "verify", "wait"}).Draw(rt, "step") {
				case "wait":
					s.Clock.Advance(time.Duration(rapid.SampledFrom([]int{1, 5, 30, 70, 150}).Draw(rt, "minutes")) * time.Minute)
				case "verify":
					all := open[prefix]
					if len(all) == 0 || now.Sub(all[len(all)-1].at) > 9*time.Minute { // its code has expired
						continue
					}
					last := all[len(all)-1]
					open[prefix] = all[:len(all)-1]
					got := s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": last.attempt, "code": s.CodeFor(t, last.number)}, "X-Forwarded-For", network(n%100))
					if got.Status == http.StatusOK {
						happened[prefix] = append(happened[prefix], event{now, false})
					}
				case "send":
					sent, verified := 0, 0
					first := now.UTC().Truncate(time.Hour).Add(-5 * time.Hour)
					for _, e := range happened[prefix] {
						switch {
						case e.at.Before(first):
						case e.sent:
							sent++
						default:
							verified++
						}
					}
					closed := sent >= least && verified*10 < sent
					n++
					number := prefix + fmt.Sprintf("%07d", 3000000+n)
					v, err := s.Auth.BeginPhone(t.Context(), auth.SignInPhone{Phone: number, Create: true}, session.Browser{IP: network(n % 100), Delivery: session.Token})
					if (err != nil) != closed {
						rt.Fatalf("%d sent, %d verified, least %d: %v", sent, verified, least, err)
					}
					if err == nil {
						happened[prefix] = append(happened[prefix], event{now, true})
						open[prefix] = append(open[prefix], waiting{now, v.Attempt.Reveal(), number})
					} else if f := fault.Of(err); f.Code != "sms_paused" || f.Kind != fault.Unavailable || f.RetryAfter <= 0 || f.RetryAfter > time.Hour+time.Second {
						rt.Fatalf("refused with %v, to come back after %v", f, f.RetryAfter)
					}
				}
			}
		})
	})
}
