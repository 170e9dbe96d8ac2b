package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
)

// The rates of tries and messages. Two rules shape them.
//
// What strangers use up must not shut out the owner. A device that the owner has signed in
// with (see device) has budgets of its own, which nobody else can spend. From an unknown
// browser the owner can always recover: recovery has emails of its own, and where these are
// used up too, the newest of them still works.
//
// No limit may tell that two identifiers belong to one account. What is refused is counted
// by the identifier, alike for known and unknown ones. What is counted by the account as
// well refuses nothing: where it is used up, the answer is that of a wrong password or code.
var (
	rateGuessHere    = ratelimit.Rate{Name: "guess-here", Events: 10, Per: 15 * time.Minute, Burst: 10}
	rateGuessAll     = ratelimit.Rate{Name: "guess-all", Events: 100, Per: time.Hour, Burst: 100}
	rateGuessDevice  = ratelimit.Rate{Name: "guess-device", Events: 10, Per: 15 * time.Minute, Burst: 10}
	rateGuessDevices = window("guess-devices", 30, time.Hour)
	rateReprove      = ratelimit.Rate{Name: "reauthenticate", Events: 10, Per: 15 * time.Minute, Burst: 10}

	// Emails to one address that strangers ask for: 30 an hour with those of recovery.
	rateEmails     = window("emails", 5, 10*time.Minute)
	rateEmailsHour = window("emails-hour", 20, time.Hour)
	// Of recovery five come at once and then one in twelve minutes: never more than five in
	// ten minutes or ten in an hour. It is no window, because strangers would use that up
	// at once and leave no email for most of an hour. Like this the owner waits for two
	// minutes at most: the newest email, whoever asked for it, is good for ten.
	rateRecovery = ratelimit.Rate{Name: "recovery", Events: 5, Per: time.Hour, Burst: 5}
	// Those that one known device asks for, and all known devices of an account together.
	rateDeviceEmails     = window("device-emails", 5, 10*time.Minute)
	rateDeviceEmailsHour = window("device-emails-hour", 10, time.Hour)
	rateDevicesEmails    = window("devices-emails", 20, time.Hour)

	// Messages to a number beyond its own budget (sms.Guard).
	rateDeviceTexts    = window("device-sms-hour", 3, time.Hour)
	rateDeviceTextsDay = window("device-sms-day", 6, 24*time.Hour)
	rateDevicesTexts   = window("devices-sms", 10, time.Hour)
)

func window(name string, n int, per time.Duration) ratelimit.Rate {
	return ratelimit.Rate{Name: name, Events: n, Per: per, Window: true}
}

// device is a known device, as limits count it: one with which the account was signed in,
// unless that session was ended because somebody else may have had it (store.DeviceUsed).
// The zero value is everybody else.
type device struct {
	account string // whose it is: a hash
	key     string // which one: a hash
}

func (d device) known() bool { return d.account != "" }

// needs are what one event costs a known device, by its own rates and by those that all
// known devices of the account share.
func (d device) needs(shared ratelimit.Rate, own ...ratelimit.Rate) []ratelimit.Need {
	needs := []ratelimit.Need{{Rate: shared, Key: d.account}}
	for _, rate := range own {
		needs = append(needs, ratelimit.Need{Rate: rate, Key: d.account + "|" + d.key})
	}
	return needs
}

// deviceAt is the browser, if it is a known device of an account. Who is nobody costs the
// same statements.
func (a *Auth) deviceAt(ctx context.Context, who account.ID, b session.Browser) (device, error) {
	known, err := a.knows(ctx, a.Store.DeviceUsed, who, b)
	if err != nil || !known {
		return device{}, err
	}
	return a.deviceFor(who, a.Keys.DeviceHashes.Sum([]byte(b.Device))), nil
}

// deviceOf is the device of an actor's session: it lives, so it is known.
func (a *Auth) deviceOf(actor Actor) device {
	return a.deviceFor(actor.Account.ID, actor.Session.DeviceHash)
}

// deviceAgain is the browser that goes on with an attempt, which it holds: known if the
// attempt was begun on a known device.
func (a *Auth) deviceAgain(try signin.Attempt, b session.Browser) device {
	if !try.Known() {
		return device{}
	}
	who := try.Account
	if who == "" { // a sign-up with an address that is taken
		who = account.ID(try.Address.Key)
	}
	return a.deviceFor(who, a.Keys.DeviceHashes.Sum([]byte(b.Device)))
}

func (a *Auth) deviceFor(who account.ID, hash []byte) device {
	return device{account: a.accountHash(who), key: base64.RawURLEncoding.EncodeToString(hash)}
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

// deviceOfEmail is the browser, if it is a known device of the owner of an address.
func (a *Auth) deviceOfEmail(ctx context.Context, addressKey string, b session.Browser) (device, error) {
	if b.Device == "" {
		return device{}, nil
	}
	owner, _, _, err := a.Store.EmailOwner(ctx, addressKey)
	if err != nil {
		return device{}, err
	}
	return a.deviceAt(ctx, owner, b)
}

// deviceOfPhone is the browser, if it is a known device of the owner of a number.
func (a *Auth) deviceOfPhone(ctx context.Context, number string, b session.Browser) (device, error) {
	if b.Device == "" {
		return device{}, nil
	}
	owner, _, err := a.Store.PhoneOwner(ctx, number)
	if err != nil {
		return device{}, err
	}
	return a.deviceAt(ctx, owner, b)
}

// guess takes the cost of one password try for an identifier and for the account that it
// names, in one call. If only the account's budget is used up, the cost is Spent: the try
// must be answered as a wrong password, at the same price, and whatever the password is.
func (a *Auth) guess(ctx context.Context, now time.Time, who account.ID, identifier string, b session.Browser) (*ratelimit.Taken, error) {
	d, err := a.deviceAt(ctx, who, b)
	if err != nil {
		return nil, err
	}
	named, owner := a.addressHash(identifier), a.accountHash(who)
	if who == "" { // an account of the same kind, and the same cost
		owner = a.addressHash("nobody|" + identifier)
	}
	var needs []ratelimit.Need
	if d.known() {
		needs = append(needs, ratelimit.Need{Rate: rateGuessDevice, Key: named + "|" + d.key})
		needs = append(needs, optional(d.needs(rateGuessDevices, rateGuessDevice))...)
	} else {
		needs = append(guessNeeds(named, b), optional(guessNeeds(owner, b))...)
	}
	return a.Limits.Take(ctx, now, needs...)
}

// guessNeeds guard a target twice: tightly against one network, loosely against all, so that
// a stranger's tries cannot lock its owner out at once, and many networks cannot try for
// ever.
func guessNeeds(target string, b session.Browser) []ratelimit.Need {
	needs := ratelimit.ByNetwork(rateGuessHere, target+"|", place(b))
	return append(needs, ratelimit.Need{Rate: rateGuessAll, Key: target})
}

func optional(needs []ratelimit.Need) []ratelimit.Need {
	for i := range needs {
		needs[i].Optional = true
	}
	return needs
}

// ownGuess takes the cost of one try of a signed-in person at their own password or code,
// which strangers cannot use up.
func (a *Auth) ownGuess(ctx context.Context, actor Actor, rate ratelimit.Rate) (*ratelimit.Taken, error) {
	return a.Limits.Take(ctx, a.Now(), a.deviceOf(actor).needs(rateGuessDevices, rate)...)
}

// emailNeeds are what one email to an address costs that a stranger asks for.
func (a *Auth) emailNeeds(purpose signin.Purpose, addressKey string) []ratelimit.Need {
	key := a.addressHash(addressKey)
	if purpose == signin.Recover {
		return []ratelimit.Need{{Rate: rateRecovery, Key: key}}
	}
	return []ratelimit.Need{{Rate: rateEmails, Key: key}, {Rate: rateEmailsHour, Key: key}}
}

// deviceEmailNeeds are what one email costs that a known device asks for.
func deviceEmailNeeds(d device) []ratelimit.Need {
	return d.needs(rateDevicesEmails, rateDeviceEmails, rateDeviceEmailsHour)
}

// mayEmail takes the cost of one email to an address that somebody typed.
func (a *Auth) mayEmail(ctx context.Context, d device, purpose signin.Purpose, addressKey string) (*ratelimit.Taken, error) {
	needs := a.emailNeeds(purpose, addressKey)
	if d.known() {
		needs = deviceEmailNeeds(d)
	}
	return a.Limits.Take(ctx, a.Now(), needs...)
}

// mayEmailOwner is mayEmail with the look-up of whose address and device it is.
func (a *Auth) mayEmailOwner(ctx context.Context, purpose signin.Purpose, addressKey string, b session.Browser) error {
	d, err := a.deviceOfEmail(ctx, addressKey, b)
	if err != nil {
		return err
	}
	_, err = a.mayEmail(ctx, d, purpose, addressKey) // never given back
	return err
}

// mayEmailSelf takes the cost of one email to an actor's own address.
func (a *Auth) mayEmailSelf(ctx context.Context, actor Actor) error {
	_, err := a.Limits.Take(ctx, a.Now(), deviceEmailNeeds(a.deviceOf(actor))...)
	return err
}

// mayEmailProof takes the cost of one email to an address that an actor wants to add: it
// may be anybody's, so it counts with those that strangers ask for.
func (a *Auth) mayEmailProof(ctx context.Context, actor Actor, addressKey string) error {
	needs := append(deviceEmailNeeds(a.deviceOf(actor)), a.emailNeeds(signin.VerifyEmail, addressKey)...)
	_, err := a.Limits.Take(ctx, a.Now(), needs...)
	return err
}

// mayEmailAgain takes the cost of another email for an attempt, from its holder.
func (a *Auth) mayEmailAgain(ctx context.Context, try signin.Attempt, b session.Browser) (*ratelimit.Taken, error) {
	d := a.deviceAgain(try, b)
	if d.known() && try.Purpose == signin.VerifyEmail {
		return a.Limits.Take(ctx, a.Now(), append(deviceEmailNeeds(d), a.emailNeeds(try.Purpose, try.Address.Key)...)...)
	}
	return a.mayEmail(ctx, d, try.Purpose, try.Address.Key)
}

// limited reports whether an error is the refusal of a limit.
func limited(err error) bool { return errors.Is(err, fault.ErrRateLimited) }

// addressHash stands for an address or another identifier in counters: a copy of them names
// nobody.
func (a *Auth) addressHash(key string) string {
	return base64.RawURLEncoding.EncodeToString(a.Keys.Addresses.Sum([]byte(key))[:16])
}

// accountHash stands for an account in counters. No username can be spelt like it.
func (a *Auth) accountHash(who account.ID) string { return a.addressHash("account|" + string(who)) }

// place is where a browser is, as limits count it.
func place(b session.Browser) netip.Addr {
	addr, _ := netip.ParseAddr(b.IP) // those without one share one
	return addr
}

func network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	return ratelimit.Prefix(addr)
}
