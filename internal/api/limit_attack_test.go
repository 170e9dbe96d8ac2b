package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// guess tries a password from a network and tells the code of the refusal, or "".
func guess(s *app.Server, t *testing.T, identifier, password, from string, header ...string) string {
	t.Helper()
	got := s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": identifier, "password": password},
		append(header, "X-Forwarded-For", from)...)
	return got.Code()
}

// TestParallelGuesses: however many guesses come at once, no more are judged than the limit
// allows, whether the person exists or not.
func TestParallelGuesses(t *testing.T) {
	s := app.SQLite(t, manyNetworks) // the limits are counted in memory
	signedIn(t, s, "many@example.com", "")
	for _, identifier := range []string{"many@example.com", "nobody@example.com"} {
		judged := race(40, func() bool { return guess(s, t, identifier, "a wrong password", network(1)) == "invalid_credentials" })
		if judged != 10 {
			t.Errorf("%s: %d guesses were judged, want 10", identifier, judged)
		}
		// Another network, another budget: the owner is not locked out.
		if got := guess(s, t, identifier, "a wrong password", network(2)); got != "invalid_credentials" {
			t.Errorf("%s: another network is answered %s", identifier, got)
		}
	}
	if got := guess(s, t, "many@example.com", app.Password, network(1)); got != "rate_limited" {
		t.Errorf("the right password after too many wrong ones is answered %q", got)
	}
	if got := guess(s, t, "many@example.com", app.Password, network(2)); got != "" {
		t.Errorf("the owner from another network is answered %s", got)
	}
	s.Clock.Advance(16 * time.Minute)
	if got := guess(s, t, "many@example.com", app.Password, network(1)); got != "" {
		t.Errorf("later the owner is answered %s", got)
	}
}

// TestAliasesShareOneBudget: the address, its other spellings and the username of one
// person are one target (CVE-2025-24806), on the pages and over the API. Which names belong
// together shows in no answer: once ten tries were judged, the right password is answered
// as a wrong one, also under a name that was not tried before.
func TestAliasesShareOneBudget(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "alias@example.com", "")
		c.Do("PATCH", "/v1/me", app.M{"username": "Alias.One"}).Want(http.StatusOK)
		for _, name := range []string{
			"alias@example.com", "ALIAS@EXAMPLE.COM", " alias@example.com ", "ａlias@example.com", "alias@EXAMPLE.com", "alias@ｅxample.com",
			"alias.one", "ALIAS.ONE", "ａlias.one", " Alias.One",
		} {
			if got := guess(s, t, name, "a wrong password", network(1)); got != "invalid_credentials" {
				t.Errorf("%s is answered %s", name, got)
			}
		}
		hashed := s.Auth.Queue.Stats().Done
		for _, name := range []string{"alias@example.com", "alias.one"} {
			if got := guess(s, t, name, app.Password, network(1)); got != "invalid_credentials" {
				t.Errorf("after ten tries the right password of %s is answered %q", name, got)
			}
		}
		if n := s.Auth.Queue.Stats().Done - hashed; n != 2 {
			t.Errorf("two tries that are not judged cost %d hashes", n)
		}
		form := url.Values{"identifier": {"alias.one"}, "password": {app.Password}}
		s.Client(t, "").Do("POST", "/sign-in", form, "X-Forwarded-For", network(1)).Want(http.StatusUnauthorized)
		if got := guess(s, t, "alias.one", app.Password, network(2)); got != "" {
			t.Errorf("the owner from another network is answered %s", got)
		}
	})
}

// TestGuessesOfTheSignedIn: ten tries at the current password in a while, thirty in an hour
// over all devices, and strangers use up none of them.
func TestGuessesOfTheSignedIn(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		for n := range 110 {
			guess(s, t, "ann@example.com", "a wrong password", network(n%20))
		}
		s.Clock.Advance(time.Second)
		total := 0
		for range 4 {
			s.Clock.Advance(time.Second)
			device := s.Client(t, "")
			attempt := asked(device, "ann@example.com", nil).Text("attempt")
			device.Grant(device.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, "ann@example.com")}))
			judged := 0
			for range 12 {
				begun := begin(device, "password")
				got := device.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": begun, "type": "password", "password": "a wrong password"})
				if got.Code() == "invalid_credentials" {
					judged++
				}
			}
			if judged > 10 {
				t.Errorf("%d guesses were judged on one device, want 10", judged)
			}
			total += judged
			s.Clock.Advance(9 * time.Minute)
		}
		if total != 30 {
			t.Errorf("%d guesses were judged in an hour over four devices, want 30", total)
		}
	})
}

// TestManyNetworksCannotLockTheOwnerOut: strangers from many networks together get a
// hundred guesses; then the owner still comes in from a device they used before, and a
// stranger does not with a device of their own.
func TestManyNetworksCannotLockTheOwnerOut(t *testing.T) {
	s := app.SQLite(t, manyNetworks)
	owner := signedIn(t, s, "locked@example.com", "")
	mallory := signedIn(t, s, "mallory@example.com", "")
	judged := 0
	for n := range 110 {
		if guess(s, t, "locked@example.com", "a wrong password", network(n%20)) == "invalid_credentials" {
			judged++
		}
	}
	if judged != 100 {
		t.Errorf("%d guesses were judged from many networks, want 100", judged)
	}
	if got := guess(s, t, "locked@example.com", app.Password, network(30)); got != "rate_limited" {
		t.Errorf("an unknown place is answered %q", got)
	}
	for name, device := range map[string]string{"mallory's device": mallory.Device, "one of mallory's making": "lds_" + strings.Repeat("A", 64)} {
		if got := guess(s, t, "locked@example.com", app.Password, network(30), "Limen-Device", device); got != "rate_limited" {
			t.Errorf("%s is answered %q", name, got)
		}
	}
	if got := guess(s, t, "locked@example.com", app.Password, network(30), "Limen-Device", owner.Device); got != "" {
		t.Errorf("the owner's device is answered %s", got)
	}
	// A stolen device has a budget too.
	judged = 0
	for n := range 12 {
		if guess(s, t, "locked@example.com", "a wrong password", network(n), "Limen-Device", owner.Device) == "invalid_credentials" {
			judged++
		}
	}
	if judged != 10 {
		t.Errorf("%d guesses were judged from the owner's device, want 10", judged)
	}
}

// TestEmailsAreBounded: to one address five in ten minutes and twenty in an hour, whoever
// asks and for what; and ten in an hour besides for recoveries.
func TestEmailsAreBounded(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		n := 0
		ask := func() int {
			n++
			path := []string{"/v1/sign-up", "/v1/sign-in/email"}[n%2]
			return s.Client(t, "").Do("POST", path, app.M{"email": "emails@example.com"}, "X-Forwarded-For", network(n)).Status
		}
		count := func(tries int) (sent int) {
			for range tries {
				if ask() < 300 {
					sent++
				}
			}
			return sent
		}
		for round := range 4 {
			if sent := count(8); sent != 5 {
				t.Errorf("%d emails in ten minutes, want 5", sent)
			}
			if ask() != http.StatusTooManyRequests {
				t.Errorf("round %d: the sixth is not refused", round)
			}
			s.Clock.Advance(10 * time.Minute)
		}
		if sent := count(3); sent != 0 {
			t.Errorf("%d emails after twenty in an hour", sent)
		}
		if rows := s.Look(t, "SELECT count(*) FROM outbox"); rows[0][0] != "20" {
			t.Errorf("%s emails in the outbox, want 20", rows[0][0])
		}
		for range 8 { // always answered, never sent more often
			s.Client(t, "").Do("POST", "/v1/recovery", app.M{"email": "emails@example.com"}).Want(http.StatusAccepted)
		}
		if rows := s.Look(t, "SELECT count(*) FROM outbox"); rows[0][0] != "25" {
			t.Errorf("%s emails in the outbox, want 25", rows[0][0])
		}
		s.Clock.Advance(20 * time.Minute)
		if ask() >= 300 {
			t.Error("an hour after the first, an email is refused")
		}
	})
}

// TestForwardedAddresses: a client does not choose the network that it is counted with.
func TestForwardedAddresses(t *testing.T) {
	s := app.SQLite(t, nil) // no proxy is trusted
	judged := 0
	for n := range 15 {
		header := []string{"Forwarded", "for=" + network(n), "X-Real-IP", network(n), "X-Client-IP", network(n), "True-Client-IP", network(n), "CF-Connecting-IP", network(n)}
		if guess(s, t, "nobody@example.com", "a wrong password", network(n), header...) == "invalid_credentials" {
			judged++
		}
	}
	if judged != 10 {
		t.Errorf("%d guesses were judged under forged addresses, want 10", judged)
	}
	trusting := app.SQLite(t, manyNetworks)
	judged = 0
	for n := range 15 { // the entry that our proxy wrote is the last one
		if guess(trusting, t, "nobody@example.com", "a wrong password", network(n)+", 203.0.113.9") == "invalid_credentials" {
			judged++
		}
	}
	if judged != 10 {
		t.Errorf("%d guesses were judged behind a proxy, want 10", judged)
	}
}

// signUps counts how many of n sign-ups from one place are answered.
func signUps(s *app.Server, t *testing.T, n int, header ...string) (answered int) {
	t.Helper()
	c := s.Client(t, "")
	for i := range n {
		email := "many-" + toText(i) + "-" + strings.Join(header, "") + "@example.com"
		if c.Do("POST", "/v1/sign-up", app.M{"email": strings.ReplaceAll(email, ":", "-")}, header...).Status == http.StatusOK {
			answered++
		}
	}
	return answered
}

// TestNetworkLimits: one network has as many sign-ups at once as is set, a /48 of IPv6 five
// times as many, and a developer's own machine has no such limit.
func TestNetworkLimits(t *testing.T) {
	for _, c := range []struct {
		settings app.Settings
		want     int
	}{{nil, 30}, {app.Settings{"limit-messages": "10"}, 5}, {app.Settings{"limit-messages": "1"}, 1}} {
		settings := app.Settings{"trusted-proxies": "127.0.0.1"}
		for name, value := range c.settings {
			settings[name] = value
		}
		s := app.SQLite(t, settings)
		if got := signUps(s, t, 40, "X-Forwarded-For", network(1)); got != c.want {
			t.Errorf("%v: %d sign-ups of one network were answered, want %d", c.settings, got, c.want)
		}
		if got := signUps(s, t, 40); got != 40 {
			t.Errorf("%v: %d sign-ups of this machine were answered, want all", c.settings, got)
		}
		if c.want > 5 {
			continue
		}
		answered := 0
		for i := range 40 {
			answered += signUps(s, t, 1, "X-Forwarded-For", "2001:db8:7:"+toText(i)+"::1")
		}
		if answered != 5*c.want {
			t.Errorf("%v: %d sign-ups of one /48 were answered, want %d", c.settings, answered, 5*c.want)
		}
	}
}
