// Package ratelimit counts events per key and refuses those that come too often.
//
// The rule is GCRA, the generic cell rate algorithm: a leaky bucket that is one number
// per key, the time at which the key's debt is paid off. An event adds Per/Events to the
// debt, time drains it, and an event that would push the debt above Burst of them is
// refused. So over any span of time a key gets at most Burst events plus one per
// Per/Events; there is no window whose edges could be played.
//
// A rate can count a window instead, where a promise says "at most n in an hour" to the
// letter and n may come at once: the instants of the last n events are remembered, at eight
// bytes each.
//
// Cost is taken before the work and given back when the work proves harmless (api.md
// section 0): a hundred guesses at once meet the counter a hundred times, before any of
// them is judged. A take of several keys charges all of them or none. What is given back
// is what cannot have drained since the take, so taking and giving back in any order
// never lets more through than the rule allows; it may let a little less.
//
// There are two counters with the same behaviour, held to it by the same property tests:
// Memory for one process, Redis for many, where one take is one script and one round
// trip. The time is always an argument, never the clock of Redis: machines may disagree
// about it by what NTP leaves. When a clock was set back by more than a minute, a debt that
// it left behind becomes Burst at the next take, so no key stays closed until that time
// comes again.
//
// Redis is spoken to over one connection that all requests share, in the little of its
// protocol that two scripts need (line.go, resp.go): a client that knows every command of
// Redis is a third of the whole binary. A node of a cluster that sends us elsewhere is
// obeyed once. A command whose fate is unknown is not repeated.
//
// When Redis fails, a Limiter counts in local memory until it is back. That is closed,
// not open: each process holds the rule by itself, so n processes together let at most n
// times as much through while Redis is away.
//
// A full Memory first forgets the keys that owe nothing, which changes nothing. If none is
// left, keys that it does not know share one debt per rate and shard: a stranger may be
// refused because of other strangers, and known keys keep their own. So an attacker with
// a million addresses can neither exhaust memory nor make limen forget what it owes.
//
// Limits. Counters may be lost (a restart, an eviction in Redis): never the only guard of
// a secret. Rates are held to the microsecond. The keys of one take must live on one node
// of a Redis cluster, so all counters carry one hash tag. Keys are stored as truncated
// SHA-256: of bounded size, and a copy of Redis shows no address; who can guess a key can
// still look it up, so callers hash what is secret with a key of their own.
//
// Threats. Address rotation: IPv6 is counted by /64, since a network has 2^64 addresses to
// rotate through, and, five times as wide, by /48, since a customer may be given 65,536 of
// these; IPv4 is counted by /24 (ByNetwork). Aliasing: the caller passes the normalised
// identifier. Lockout of others: count by address prefix and account together, and only
// loosely by account alone.
package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"slices"
	"time"
)

// Rate is how often something may happen. The zero value allows nothing.
type Rate struct {
	// Name tells rates apart: two rates with one name share their counters.
	Name string
	// Events may happen in every Per, evenly spread,
	Events int
	Per    time.Duration
	// and Burst of them at once. Less than one counts as one.
	Burst int
	// Window lets all Events come at once, and counts those of the last Per instead of
	// draining evenly: never more than Events in any span of Per. Burst is not used.
	Window bool
}

// Need is one rate that a deed must meet, and for whom.
type Need struct {
	Rate Rate
	Key  string
	// Cost is how many events it counts for; 0 counts as one.
	Cost int
	// Optional needs that do not fit refuse nothing. They are not charged, and Spent tells.
	Optional bool
}

// Decision is what became of a take.
type Decision struct {
	Allowed bool
	// RetryAfter is when the same take would be allowed, if nothing else happens.
	RetryAfter time.Duration
	// Remaining is how many more events the scarcest need would allow now. 0 if refused.
	Remaining int
	// Refused names the rate that stands longest in the way.
	Refused string
	// Spent says that the take is allowed and an optional need did not fit.
	Spent bool

	at      int64 // when it was charged
	charges []charge
}

// Counter remembers debts. Memory and Redis are the two.
type Counter interface {
	// Take charges all needs, but for optional ones that do not fit, or none. A refusal is a Decision; an error means that the
	// counter did not work, and that it may or may not have been charged.
	Take(ctx context.Context, now time.Time, needs ...Need) (Decision, error)
	// GiveBack returns what d charged, as far as it has not drained since. A decision
	// that was refused gives nothing back. The caller gives back once.
	GiveBack(ctx context.Context, now time.Time, d Decision) error
}

// ErrRate means that a rate allows nothing: a mistake in the program, and refused.
var ErrRate = errors.New("ratelimit: a rate without events, time or room for its cost")

// maxDebt bounds a rate's burst in time, so that all sums stay exact in Redis, whose
// scripts count in float64: 2^53 µs are 285 years.
const maxDebt = 10 * 365 * 24 * time.Hour

// maxWindow bounds the events of a window: each is remembered.
const maxWindow = 100

// key is what a counter knows of a Need: a hash of bounded size.
type key [16]byte

// charge is one key's part of a take, in microseconds.
type charge struct {
	name     string
	key      key
	shard    uint8 // of a Memory
	window   bool
	optional bool
	interval int64 // what one event costs; of a window its length
	limit    int64 // the highest debt; of a window how many events it holds
	cost     int64 // in debt; of a window in events
}

func (n Need) charge() (charge, error) {
	r := n.Rate
	events, burst := int64(max(n.Cost, 1)), int64(max(r.Burst, 1))
	if r.Window {
		burst = int64(r.Events)
	}
	if r.Events < 1 || r.Per <= 0 || events > burst {
		return charge{}, ErrRate
	}
	c := charge{name: r.Name, key: hashKey(r.Name, n.Key), optional: n.Optional, window: r.Window}
	if r.Window {
		c.interval, c.limit, c.cost = r.Per.Microseconds(), burst, events
		if r.Per > maxDebt || r.Per < time.Microsecond || r.Events > maxWindow {
			return charge{}, ErrRate
		}
		return c, nil
	}
	// Rounded up: a rate is never exceeded, not even by a microsecond.
	c.interval = (r.Per.Nanoseconds() + int64(r.Events)*1000 - 1) / (int64(r.Events) * 1000)
	if c.interval > maxDebt.Microseconds()/burst {
		return charge{}, ErrRate
	}
	c.limit, c.cost = c.interval*burst, c.interval*events
	return c, nil
}

func charges(needs []Need) ([]charge, error) {
	out := make([]charge, len(needs))
	for i, n := range needs {
		c, err := n.charge()
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

func hashKey(name, id string) (k key) {
	text := make([]byte, 0, 128)
	text = binary.BigEndian.AppendUint32(text, uint32(len(name))) // no two pairs run together
	text = append(append(text, name...), id...)
	sum := sha256.Sum256(text)
	copy(k[:], sum[:])
	return k
}

func (k key) String() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

// outOfOrder is by how much the instants of requests and of machines may disagree, in
// microseconds. A debt that lies further ahead than it can be shows that a clock was set
// back.
const outOfOrder = int64(time.Minute / time.Microsecond)

// state is what is stored of a key: when it owes nothing any more and, of a window, the
// instants of its events in order.
type state []int64

// ahead is how far ahead of now a debt of the charge can end.
func (c charge) ahead() int64 {
	if c.window {
		return c.interval
	}
	return c.limit
}

// judged is what a charge makes of a stored state.
type judged struct {
	wait      int64 // 0 if the charge fits
	remaining int   // how many single events fit after it
	after     state // what to store if it is charged
	// setBack is what to store even if it is not, after a clock was set back: otherwise the
	// key would stay closed until the clock is there again. An instant that merely came out
	// of order moves nothing.
	setBack state
}

func (c charge) judge(stored state, now int64) (j judged) {
	if len(stored) > 0 && stored[0] > now+c.ahead()+outOfOrder {
		j.setBack = state{now + c.ahead()}
		for _, at := range stored[1:] {
			j.setBack = append(j.setBack, min(at, now))
		}
		stored = j.setBack
	}
	if c.window {
		return c.judgeWindow(j, stored, now)
	}
	due := now
	if len(stored) > 0 {
		due = max(stored[0], now)
	}
	j.wait = max(0, due+c.cost-now-c.limit)
	j.remaining = int((c.limit - (due + c.cost - now)) / c.interval)
	j.after = state{due + c.cost}
	return j
}

// judgeWindow counts the events of the last interval. An instant that came out of order
// counts what is later as well.
func (c charge) judgeWindow(j judged, stored state, now int64) judged {
	var events state
	if len(stored) > 0 {
		events = stored[1:]
	}
	first, _ := slices.BinarySearch(events, now-c.interval+1)
	events = events[first:]
	if over := int64(len(events)) + c.cost - c.limit; over > 0 {
		j.wait = events[over-1] + c.interval - now
	}
	j.remaining = int(c.limit - int64(len(events)) - c.cost)
	place, _ := slices.BinarySearch(events, now+1)
	j.after = append(append(state{0}, events[:place]...), slices.Repeat(state{now}, int(c.cost))...)
	j.after = append(j.after, events[place:]...)
	j.after[0] = j.after[len(j.after)-1] + c.interval
	return j
}

// giveBack is the state without a charge that was taken at an instant, as far as it cannot
// have drained since: an older debt drains first, so at most the time since is gone.
func (c charge) giveBack(stored state, at, now int64) state {
	if !c.window {
		return state{stored[0] - min(max(c.cost-(now-at), 0), c.cost)}
	}
	left, back := state{0}, c.cost
	for _, event := range stored[1:] {
		if event == at && back > 0 {
			back--
			continue
		}
		left = append(left, event)
	}
	if len(left) > 1 {
		left[0] = left[len(left)-1] + c.interval
	}
	return left
}

// verdict collects the answers of several charges.
type verdict struct {
	wait      int64
	refused   string
	remaining int
	charged   []charge // all that fit
	spent     bool     // an optional one did not
}

func newVerdict(charges int) verdict {
	return verdict{remaining: math.MaxInt, charged: make([]charge, 0, charges)}
}

func (v *verdict) add(c charge, j judged) {
	switch {
	case j.wait > 0 && c.optional:
		v.spent = true
	case j.wait > v.wait:
		v.wait, v.refused = j.wait, c.name
	case j.wait == 0:
		v.remaining = min(v.remaining, j.remaining)
		v.charged = append(v.charged, c)
	}
}

func (v verdict) decision(now int64) Decision {
	if v.wait > 0 {
		return Decision{RetryAfter: time.Duration(v.wait) * time.Microsecond, Refused: v.refused}
	}
	return Decision{Allowed: true, Remaining: v.remaining, Spent: v.spent, at: now, charges: v.charged}
}

// wide is how many times the rate of a /64 a whole /48 has.
const wide = 5

// ByNetwork is what one event costs the networks of an address: one rate for its Prefix and,
// for IPv6, a wider one for the /48 around it.
func ByNetwork(rate Rate, key string, ip netip.Addr) []Need {
	needs := []Need{{Rate: rate, Key: key + Prefix(ip)}}
	if ip = ip.Unmap(); ip.Is6() {
		rate.Name += "-wide"
		rate.Events *= wide
		rate.Burst *= wide
		needs = append(needs, Need{Rate: rate, Key: key + netip.PrefixFrom(ip, 48).Masked().String()})
	}
	return needs
}

// Prefix is the network that an address is counted with: /24 for IPv4, also when it is
// written inside IPv6, and /64 for IPv6. Addresses that are none share one.
func Prefix(ip netip.Addr) string {
	if !ip.IsValid() {
		return "no address"
	}
	ip = ip.Unmap()
	bits := 64
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked().String() // without a zone
}
