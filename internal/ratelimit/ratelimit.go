// Package ratelimit counts events per key and refuses those that come too often.
//
// The rule is GCRA, the generic cell rate algorithm: a leaky bucket that is one number
// per key, the time at which the key's debt is paid off. An event adds Per/Events to the
// debt, time drains it, and an event that would push the debt above Burst of them is
// refused. So over any span of time a key gets at most Burst events plus one per
// Per/Events; there is no window whose edges could be played.
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
}

// Need is one rate that a deed must meet, and for whom.
type Need struct {
	Rate Rate
	Key  string
	// Cost is how many events it counts for; 0 counts as one.
	Cost int
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

	at      int64 // when it was charged
	charges []charge
}

// Counter remembers debts. Memory and Redis are the two.
type Counter interface {
	// Take charges all needs or none. A refusal is a Decision; an error means that the
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

// key is what a counter knows of a Need: a hash of bounded size.
type key [16]byte

// charge is one key's part of a take, in microseconds.
type charge struct {
	name     string
	key      key
	shard    uint8 // of a Memory
	interval int64 // what one event costs
	limit    int64 // the highest debt
	cost     int64
}

func (n Need) charge() (charge, error) {
	r := n.Rate
	events, burst := int64(max(n.Cost, 1)), int64(max(r.Burst, 1))
	if r.Events < 1 || r.Per <= 0 || events > burst {
		return charge{}, ErrRate
	}
	// Rounded up: a rate is never exceeded, not even by a microsecond.
	interval := (r.Per.Nanoseconds() + int64(r.Events)*1000 - 1) / (int64(r.Events) * 1000)
	if interval > maxDebt.Microseconds()/burst {
		return charge{}, ErrRate
	}
	return charge{name: r.Name, key: hashKey(r.Name, n.Key), interval: interval, limit: interval * burst, cost: interval * events}, nil
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

// due returns when a stored debt ends: no earlier than now. After a clock was set back the
// debt is as high as it can be and no higher; the caller stores that even when it refuses,
// because otherwise the key would stay closed until the clock is there again. An instant
// that merely came out of order moves nothing.
func (c charge) due(stored, now int64) (due int64, setBack bool) {
	if stored > now+c.limit+outOfOrder {
		return now + c.limit, true
	}
	return max(stored, now), false
}

// wait returns how long the charge must wait on a debt that ends at due: 0 if it fits.
func (c charge) wait(due, now int64) int64 {
	return max(0, due+c.cost-now-c.limit)
}

// remaining is how many single events fit after the charge.
func (c charge) remaining(due, now int64) int {
	return int((c.limit - (due + c.cost - now)) / c.interval)
}

// undrained is the part of the charge that cannot have drained between the take and now:
// an older debt drains first, so at most the time since the take is gone.
func (c charge) undrained(at, now int64) int64 {
	return min(max(c.cost-(now-at), 0), c.cost)
}

// verdict collects the answers of several charges.
type verdict struct {
	wait      int64
	refused   string
	remaining int
}

func newVerdict() verdict { return verdict{remaining: math.MaxInt} }

func (v *verdict) add(c charge, due, now int64) {
	switch w := c.wait(due, now); {
	case w > v.wait:
		v.wait, v.refused = w, c.name
	case w == 0:
		v.remaining = min(v.remaining, c.remaining(due, now))
	}
}

func (v verdict) decision(now int64, cs []charge) Decision {
	if v.wait > 0 {
		return Decision{RetryAfter: time.Duration(v.wait) * time.Microsecond, Refused: v.refused}
	}
	return Decision{Allowed: true, Remaining: v.remaining, at: now, charges: cs}
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
