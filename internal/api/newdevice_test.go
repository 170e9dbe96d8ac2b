package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestNewDeviceByNetwork: a program that keeps no device secret is known by its browser, its
// system and its network together. The same program in another network is news; within one
// network, or with the secret, it is none.
func TestNewDeviceByNetwork(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		const email = "ann@example.com"
		home := s.Client(t, "")
		home.Header.Set("X-Forwarded-For", "203.0.113.9")
		home.SignUp(email)
		told := func() int {
			s.Letter(t, email)
			n := 0
			for _, m := range s.Inbox.Messages(email, "") {
				if strings.HasPrefix(m.Subject, "New sign-in") {
					n++
				}
			}
			return n
		}
		for _, c := range []struct {
			from, agent string
			news        int
		}{
			{"203.0.113.9", "", 0}, {"203.0.113.77", "", 0}, // the same /24
			{"198.51.100.9", "", 1}, {"198.51.100.200", "", 1}, // news once
			{"2001:db8:1:2::1", "", 2}, {"2001:db8:1:2:ffff::1", "", 2}, // the same /64
			{"2001:db8:1:3::1", "", 3},
			{"203.0.113.9", "curl/8.5.0", 4}, {"203.0.113.9", "curl/8.5.0", 4},
			{"203.0.113.9", "", 4},
		} {
			s.Clock.Advance(time.Hour)
			program := s.Client(t, "")
			program.Header.Set("X-Forwarded-For", c.from)
			if c.agent != "" {
				program.Header.Set("User-Agent", c.agent)
			}
			program.SignIn(email)
			if got := told(); got != c.news {
				t.Errorf("after a sign-in from %s by %q the person was told %d times, want %d", c.from, c.agent, got, c.news)
			}
		}
		s.Clock.Advance(time.Hour)
		home.Header.Set("X-Forwarded-For", "192.0.2.1")
		home.Header.Set("Limen-Device", home.Device)
		home.SignIn(email)
		if got := told(); got != 4 {
			t.Errorf("a device that brings its secret is news elsewhere: %d", got)
		}
	})
}
