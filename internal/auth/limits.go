package auth

import (
	"context"
	"encoding/base64"
	"net/netip"
	"time"

	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/session"
)

// The rates of tries, by what they protect. An account is guarded twice: tightly against
// one network, loosely against all, so that a stranger's guesses cannot lock its owner
// out at once, and many networks cannot guess for ever.
var (
	rateGuessHere = ratelimit.Rate{Name: "guess-here", Events: 10, Per: 15 * time.Minute, Burst: 10}
	rateGuessAll  = ratelimit.Rate{Name: "guess-all", Events: 100, Per: time.Hour, Burst: 100}
	rateLetters   = ratelimit.Rate{Name: "letters", Events: 10, Per: time.Hour, Burst: 10}
	rateReprove   = ratelimit.Rate{Name: "reauthenticate", Events: 10, Per: 15 * time.Minute, Burst: 10}
)

// guess takes the cost of one password try against a target: an account's id, or the key
// of an identifier that names nobody.
func (a *Auth) guess(ctx context.Context, now time.Time, target string, b session.Browser) (*ratelimit.Taken, error) {
	key := a.addressHash(target)
	return a.Limits.Take(ctx, now,
		ratelimit.Need{Key: key + "|" + network(b.IP), Rate: rateGuessHere},
		ratelimit.Need{Key: key, Rate: rateGuessAll})
}

// letter takes the cost of one letter to an address. It is never given back.
func (a *Auth) letter(ctx context.Context, now time.Time, addressKey string) error {
	_, err := a.Limits.Take(ctx, now, ratelimit.Need{Key: a.addressHash(addressKey), Rate: rateLetters})
	return err
}

// addressHash stands for an address or an account in counters: a copy of them names
// nobody.
func (a *Auth) addressHash(key string) string {
	return base64.RawURLEncoding.EncodeToString(a.Keys.Addresses.Sum([]byte(key))[:16])
}

func network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	return ratelimit.Prefix(addr)
}
