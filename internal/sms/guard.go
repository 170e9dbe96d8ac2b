package sms

import (
	"net/netip"
	"slices"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/ratelimit"
)

var (
	// ErrCountry refuses a number of a country that is not on the list.
	ErrCountry = fault.New(fault.Denied, "country_not_allowed", "We don't send messages to numbers of that country.")
	// ErrPaused refuses a range of numbers whose codes nobody types. It carries when the
	// count moves on.
	ErrPaused = fault.New(fault.Unavailable, "sms_paused", "Messages to such numbers are paused. Use another way to sign in, or try again later.")
)

// Target is who a message is for, as the guard sees it: the number in E.164 form, its
// range and its country.
type Target struct{ Number, Prefix, Country string }

// Guard is what stands between a form that anybody may fill in and a bill. The zero value
// sends nothing anywhere: no country is allowed, and no budget is left.
//
// The fraud: somebody rents numbers, or a share in what calls to them earn, and has codes
// sent there. A country list keeps out most of the world; budgets bound what one number,
// one network, one range and all together may cost; and since nobody types those codes,
// the share of codes that come back tells a range of a fraudster from one of people.
type Guard struct {
	// Countries are the ISO codes that may be sent to; empty allows none.
	Countries []string
	// The budgets. None lets more than this many messages through in any hour or day,
	// however they are spread.
	PerNumber, PerNumberDaily   int
	PerNetwork, PerNetworkDaily int
	PerPrefix, PerPrefixDaily   int
	Daily                       int
	// Development counts no network on loopback.
	Development bool
	// BreakerMin is how many messages to a range are too few to judge it by.
	BreakerMin int
	// Hide turns a number into the key that counters know it by. It is keyed: a copy of
	// the counters names nobody.
	Hide func(number string) string
	// OnRefused, if set, is told why a message was refused: a fault's code. Budgets are
	// counted where they are taken.
	OnRefused func(reason string)
}

// Allow judges the country. It refuses with ErrCountry.
func (g *Guard) Allow(t Target) error {
	if t.Country == "" || !slices.Contains(g.Countries, t.Country) {
		return g.refuse(ErrCountry)
	}
	return nil
}

// OfNumber are the budgets of the number itself that one message uses up. They are taken
// before it is written, together with those of OfOthers.
func (g *Guard) OfNumber(t Target) []ratelimit.Need {
	number := g.Hide(t.Number)
	return []ratelimit.Need{
		{Rate: Budget("sms-number-hour", g.PerNumber, time.Hour), Key: number},
		{Rate: Budget("sms-number-day", g.PerNumberDaily, day), Key: number},
	}
}

// OfOthers are the budgets that one message shares: of the network that asks, of the range
// of the number, and of all.
func (g *Guard) OfOthers(t Target, from netip.Addr) []ratelimit.Need {
	needs := []ratelimit.Need{
		{Rate: Budget("sms-prefix-hour", g.PerPrefix, time.Hour), Key: t.Prefix},
		{Rate: Budget("sms-prefix-day", g.PerPrefixDaily, day), Key: t.Prefix},
		{Rate: Budget("sms-day", g.Daily, day), Key: "all"},
	}
	if g.Development && from.IsLoopback() {
		return needs
	}
	needs = append(needs, ratelimit.ByNetwork(Budget("sms-network-hour", g.PerNetwork, time.Hour), "", from)...)
	return append(needs, ratelimit.ByNetwork(Budget("sms-network-day", g.PerNetworkDaily, day), "", from)...)
}

const day = 24 * time.Hour

// Budget is the rate that never lets more than n through in any span of per: half of them
// may come at once, the other half drains in over the span. A budget of one is one, and
// the next a span later. Zero or less lets nothing through.
func Budget(name string, n int, per time.Duration) ratelimit.Rate {
	burst := (n + 1) / 2
	r := ratelimit.Rate{Name: name, Events: n - burst, Per: per, Burst: burst}
	if n == 1 {
		r.Events = 1
	}
	return r
}

// Window is how far back the breaker looks, the current hour included.
const Window = 6 * time.Hour

// leastVerified is one in how many codes must come back.
const leastVerified = 10

// Hour is the hour that a message or a verification is counted in.
func Hour(now time.Time) time.Time { return now.UTC().Truncate(time.Hour) }

// Since is the first hour that the breaker looks at.
func Since(now time.Time) time.Time { return Hour(now).Add(time.Hour - Window) }

// Judge closes a range: once BreakerMin messages went there within the Window and fewer
// than one in ten was verified. It refuses with ErrPaused, which says when the window
// moves on. Codes that are still being typed open the range again, so an honest rush that
// was too fast for its own verifications is held up for moments.
func (g *Guard) Judge(sent, verified int64, now time.Time) error {
	if sent < int64(max(g.BreakerMin, 1)) || verified*leastVerified >= sent {
		return nil
	}
	return g.refuse(ErrPaused.After(Hour(now).Add(time.Hour).Sub(now).Truncate(time.Second) + time.Second))
}

func (g *Guard) refuse(f *fault.Fault) error {
	if g.OnRefused != nil {
		g.OnRefused(f.Code)
	}
	return f
}
