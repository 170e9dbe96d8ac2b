package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/twilio"
)

// TestStrangersCannotUseUpANumber: strangers use up what one number may get in an hour and
// in a day. On a known device its owner has three SMS an hour and six a day more, and ten an
// hour over all devices.
func TestStrangersCannotUseUpANumber(t *testing.T) {
	eachTexting(t, wide(app.Settings{"sms-breaker": "1000000"}), func(t *testing.T, s *app.Server, _ *twilio.Server) {
		const number = "+41791110009"
		ask := func(header ...string) int {
			return s.Client(t, "token").Do("POST", "/v1/sign-in/phone", app.M{"phone": number}, header...).Status
		}
		n := 0
		strangers := func() (sent int) {
			for range 20 {
				n++
				if ask("X-Forwarded-For", network(n%90)) == http.StatusAccepted {
					sent++
				}
			}
			return sent
		}
		var devices []string
		owner := s.Client(t, "")
		attempt := owner.Do("POST", "/v1/sign-in/phone", app.M{"phone": number, "create": true}).Want(http.StatusAccepted).Text("attempt")
		owner.Grant(owner.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, number)}))
		devices = append(devices, owner.Device)
		for range 3 {
			s.Clock.Advance(26 * time.Hour)
			other := s.Client(t, "")
			attempt := other.Do("POST", "/v1/sign-in/phone", app.M{"phone": number}).Want(http.StatusAccepted).Text("attempt")
			other.Grant(other.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, number)}))
			devices = append(devices, other.Device)
		}
		s.Clock.Advance(26 * time.Hour)
		if strangers() == 0 {
			t.Fatal("strangers get nothing at all")
		}
		if strangers() != 0 {
			t.Fatal("the number's budget is not used up")
		}
		count := func(device string, tries int) (sent int) {
			for range tries {
				if ask("X-Forwarded-For", network(95), "Limen-Device", device) == http.StatusAccepted {
					sent++
				}
			}
			return sent
		}
		for i, want := range []int{3, 3, 3, 1} { // ten over all devices
			if sent := count(devices[i], 5); sent != want {
				t.Errorf("device %d: %d SMS in an hour, want %d", i, sent, want)
			}
		}
		if ask("X-Forwarded-For", network(96)) != http.StatusTooManyRequests {
			t.Error("an unknown device gets one too")
		}
		total := 3
		for range 6 {
			s.Clock.Advance(time.Hour)
			strangers()
			total += count(devices[0], 5)
		}
		if total != 6 {
			t.Errorf("a known device got %d SMS in a day, want 6", total)
		}
		s.Clock.Advance(18 * time.Hour)
		strangers()
		if sent := count(devices[0], 5); sent != 3 {
			t.Errorf("the next day: %d SMS, want 3", sent)
		}
	})
}

// TestStrangersCannotBlockAStepUp: the codes of a step-up do not count with those that
// strangers ask for or guess at.
func TestStrangersCannotBlockAStepUp(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(2 * time.Hour)
		ann.SignIn("ann@example.com")
		g := &siege{s: s, c: s.Client(t, "token"), email: "ann@example.com"}
		g.minute()
		for _, attempt := range g.attempts { // ten wrong codes close the address for strangers
			for range 5 {
				g.c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "x"})
			}
		}
		attempt := begin(ann, "email_code")
		s.CodeFor(t, "ann@example.com")
		s.Clock.Advance(31 * time.Second)
		ann.Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil).Want(http.StatusAccepted)
		body := app.M{"attempt": attempt, "type": "email_code", "code": s.CodeFor(t, "ann@example.com")}
		ann.Do("POST", "/v1/me/reauthenticate", body).Want(http.StatusOK)
	})
}
