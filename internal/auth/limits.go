package auth

import (
	"context"
	"encoding/base64"
	"net/netip"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
)

// The rates of tries, by what they protect. A target is guarded twice: tightly against
// one network, loosely against all, so that a stranger's tries cannot lock its owner out
// at once, and many networks cannot try for ever. Whom strangers from many networks do
// keep out can still come in from a device that they used before: it has a budget of its
// own, which nobody else can spend.
var (
	rateGuessHere   = ratelimit.Rate{Name: "guess-here", Events: 10, Per: 15 * time.Minute, Burst: 10}
	rateGuessAll    = ratelimit.Rate{Name: "guess-all", Events: 100, Per: time.Hour, Burst: 100}
	rateGuessDevice = ratelimit.Rate{Name: "guess-device", Events: 10, Per: 15 * time.Minute, Burst: 10}

	rateLettersHere = ratelimit.Rate{Name: "letters-here", Events: 10, Per: time.Hour, Burst: 10}
	rateLettersAll  = ratelimit.Rate{Name: "letters-all", Events: 20, Per: time.Hour, Burst: 20}
	// Letters that a signed-in person asks for do not compete with those of strangers.
	rateLettersOwn = ratelimit.Rate{Name: "letters-own", Events: 10, Per: time.Hour, Burst: 10}

	rateReprove = ratelimit.Rate{Name: "reauthenticate", Events: 10, Per: 15 * time.Minute, Burst: 10}
)

// guess takes the cost of one password try against a person or, if nobody has it, against
// the key of an identifier. All identifiers of a person share one budget.
func (a *Auth) guess(ctx context.Context, now time.Time, who account.ID, identifier string, b session.Browser) (*ratelimit.Taken, error) {
	known, err := a.knows(ctx, a.Store.DeviceUsed, who, b)
	if err != nil {
		return nil, err
	}
	target := string(who)
	if target == "" {
		target = identifier
	}
	key := a.addressHash(target)
	if known {
		device := base64.RawURLEncoding.EncodeToString(a.Keys.DeviceHashes.Sum([]byte(b.Device)))
		return a.Limits.Take(ctx, now, ratelimit.Need{Key: key + "|" + device, Rate: rateGuessDevice})
	}
	return a.Limits.Take(ctx, now,
		ratelimit.Need{Key: key + "|" + network(b.IP), Rate: rateGuessHere},
		ratelimit.Need{Key: key, Rate: rateGuessAll})
}

// knows reports whether the person has signed in before with the device secret that the
// browser presents. A secret alone says nothing: anybody can be given one. used is
// DeviceUsed of the store or of a transaction.
func (a *Auth) knows(ctx context.Context, used func(context.Context, account.ID, []byte) (bool, error), who account.ID, b session.Browser) (bool, error) {
	if b.Device == "" {
		return false, nil
	}
	for _, hash := range a.Keys.DeviceHashes.Sums([]byte(b.Device)) {
		if yes, err := used(ctx, who, hash); err != nil || yes {
			return yes, err
		}
	}
	return false, nil
}

// letter takes the cost of one letter to an address that somebody typed.
func (a *Auth) letter(ctx context.Context, addressKey string, b session.Browser) (*ratelimit.Taken, error) {
	key := a.addressHash(addressKey)
	return a.Limits.Take(ctx, a.Now(),
		ratelimit.Need{Key: key + "|" + network(b.IP), Rate: rateLettersHere},
		ratelimit.Need{Key: key, Rate: rateLettersAll})
}

// ownLetter takes the cost of one letter that a signed-in person asks for.
func (a *Auth) ownLetter(ctx context.Context, who account.ID) (*ratelimit.Taken, error) {
	return a.Limits.Take(ctx, a.Now(), ratelimit.Need{Key: a.addressHash(string(who)), Rate: rateLettersOwn})
}

// letterOf takes the cost of another letter for an attempt.
func (a *Auth) letterOf(ctx context.Context, try signin.Attempt, b session.Browser) (*ratelimit.Taken, error) {
	if try.Purpose == signin.Reauthenticate {
		return a.ownLetter(ctx, try.Account)
	}
	return a.letter(ctx, try.Address.Key, b)
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
