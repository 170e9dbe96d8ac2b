package sms_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/sms"
)

var swiss = sms.Target{Number: "+41791234567", Prefix: "+4179", Country: "CH"}

func TestGuardCountries(t *testing.T) {
	var reasons []string
	told := func(reason string) { reasons = append(reasons, reason) }
	for _, c := range []struct {
		countries []string
		country   string
		allowed   bool
	}{
		{nil, "CH", false}, // empty denies
		{[]string{}, "CH", false},
		{[]string{"CH"}, "CH", true},
		{[]string{"DE", "CH"}, "CH", true},
		{[]string{"DE"}, "CH", false},
		{[]string{"CH"}, "", false},
		{[]string{""}, "", false},
		{[]string{"CH"}, "ch", false},
		{[]string{"US"}, "001", false},
	} {
		g := &sms.Guard{Countries: c.countries, OnRefused: told}
		err := g.Allow(sms.Target{Country: c.country})
		if (err == nil) != c.allowed || err != nil && !errors.Is(err, sms.ErrCountry) {
			t.Errorf("%q with %q: %v", c.country, c.countries, err)
		}
	}
	if len(reasons) != 7 || reasons[0] != "country_not_allowed" {
		t.Errorf("told %q", reasons)
	}
}

func TestGuardJudge(t *testing.T) {
	now := time.Date(2026, 3, 14, 15, 9, 26, 500_000_000, time.UTC)
	for _, c := range []struct {
		least          int
		sent, verified int64
		closed         bool
	}{
		{30, 0, 0, false},
		{30, 29, 0, false},
		{30, 30, 0, true},
		{30, 30, 2, true},
		{30, 30, 3, false}, // one in ten
		{30, 100, 9, true},
		{30, 100, 10, false},
		{30, 1_000_000, 99_999, true},
		{30, 10, 1000, false},
		{0, 0, 0, false}, // the zero value judges from the first message on
		{0, 1, 0, true},
	} {
		g := &sms.Guard{BreakerMin: c.least}
		err := g.Judge(c.sent, c.verified, now)
		if (err != nil) != c.closed {
			t.Errorf("%+v: %v", c, err)
		}
		if f := fault.Of(err); err != nil && (f.Code != "sms_paused" || f.RetryAfter != 50*time.Minute+34*time.Second) {
			t.Errorf("%+v: %v after %v", c, f, f.RetryAfter)
		}
	}
	if sms.Hour(now) != time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC) || sms.Since(now) != time.Date(2026, 3, 14, 10, 0, 0, 0, time.UTC) {
		t.Errorf("the window is %v to %v", sms.Since(now), sms.Hour(now))
	}
}

// needs are all budgets that one message uses up.
func needs(g sms.Guard, t sms.Target, from netip.Addr) []ratelimit.Need {
	return append(g.OfNumber(t), g.OfOthers(t, from)...)
}

// TestGuardCountsNetworks: a developer's own machine is no network, and a /48 has a budget.
func TestGuardCountsNetworks(t *testing.T) {
	for from, want := range map[string]map[bool]int{
		"127.0.0.1": {false: 5, true: 3}, "::1": {false: 7, true: 3}, "192.0.2.7": {false: 5, true: 5}, "2001:db8::1": {false: 7, true: 7},
	} {
		for development, n := range want {
			g := sms.Guard{Development: development, PerNetwork: 20, PerNetworkDaily: 50, PerPrefix: 20, PerPrefixDaily: 20, Daily: 20}
			if got := len(g.OfOthers(swiss, netip.MustParseAddr(from))); got != n {
				t.Errorf("%s, development %v: %d budgets, want %d", from, development, got, n)
			}
		}
	}
}

// TestGuardNeeds spends each budget alone and finds that it, and only what it belongs to,
// is used up.
func TestGuardNeeds(t *testing.T) {
	wide := sms.Guard{
		PerNumber: 100, PerNumberDaily: 100, PerNetwork: 100, PerNetworkDaily: 100, PerPrefix: 100, PerPrefixDaily: 100, Daily: 100,
		Hide: func(number string) string { return "hidden " + number[len(number)-2:] },
	}
	network := netip.MustParseAddr("192.0.2.7")
	for name, narrow := range map[string]func(*sms.Guard){
		"sms-number-hour":  func(g *sms.Guard) { g.PerNumber = 3 },
		"sms-number-day":   func(g *sms.Guard) { g.PerNumberDaily = 3 },
		"sms-network-hour": func(g *sms.Guard) { g.PerNetwork = 3 },
		"sms-network-day":  func(g *sms.Guard) { g.PerNetworkDaily = 3 },
		"sms-prefix-hour":  func(g *sms.Guard) { g.PerPrefix = 3 },
		"sms-prefix-day":   func(g *sms.Guard) { g.PerPrefixDaily = 3 },
		"sms-day":          func(g *sms.Guard) { g.Daily = 3 },
	} {
		g := wide
		narrow(&g)
		var refused string
		l := &ratelimit.Limiter{Counter: ratelimit.NewMemory(1000), OnRefused: func(rate string) { refused = rate }}
		now := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
		sent := 0
		for sent < 10 {
			if _, err := l.Take(t.Context(), now, needs(g, swiss, network)...); err != nil {
				break
			}
			sent++
		}
		if sent != 2 || refused != name { // half of three, rounded up, at once
			t.Errorf("%s: %d were sent at once, refused by %q", name, sent, refused)
		}
		for what, other := range map[string]struct {
			to      sms.Target
			network netip.Addr
			free    bool
		}{
			"number":  {sms.Target{Number: "+41791234599", Prefix: "+4179", Country: "CH"}, network, name == "sms-number-hour" || name == "sms-number-day"},
			"network": {swiss, netip.MustParseAddr("198.51.100.7"), name == "sms-network-hour" || name == "sms-network-day"},
			"prefix":  {sms.Target{Number: swiss.Number, Prefix: "+4176", Country: "CH"}, network, name == "sms-prefix-hour" || name == "sms-prefix-day"},
		} {
			if _, err := l.Take(t.Context(), now, needs(g, other.to, other.network)...); (err == nil) != other.free {
				t.Errorf("%s, another %s: %v", name, what, err)
			}
		}
	}
	for _, n := range needs(wide, swiss, network) {
		if n.Key == swiss.Number {
			t.Errorf("%s is counted by the number itself", n.Rate.Name)
		}
	}
	l := &ratelimit.Limiter{Counter: ratelimit.NewMemory(1000)}
	g := sms.Guard{Hide: wide.Hide}
	if _, err := l.Take(t.Context(), time.Now(), needs(g, swiss, network)...); err == nil {
		t.Error("the zero value has a budget")
	}
}

// TestBudgetProperty: however the tries are spread, no span lets more through than its
// budget, and somebody patient gets all of it.
func TestBudgetProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		rate := sms.Budget("b", n, time.Hour)
		m := ratelimit.NewMemory(1000)
		now := time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC)
		var through []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			d, err := m.Take(t.Context(), now, ratelimit.Need{Rate: rate, Key: "k"})
			if err != nil {
				t.Fatal(err)
			}
			if d.Allowed {
				through = append(through, now)
			}
			within := 0
			for _, at := range through {
				if now.Sub(at) < time.Hour {
					within++
				}
			}
			if within > n {
				t.Fatalf("%d within an hour, budget %d", within, n)
			}
		}
	})
}
