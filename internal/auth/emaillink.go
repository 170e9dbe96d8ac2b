package auth

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// SignInEmail is what a person sends to get a letter with a link and a code.
type SignInEmail struct {
	Email  string
	Create bool // make an account if there is none
	Locale string
	// Onward is where the link leads in the end.
	Onward oauth.Destination
}

// BeginEmail begins a sign-in by letter. Whether the address has an account shows in no
// answer: an unknown one gets a word that somebody tried, and an attempt that leads
// nowhere. It refuses with invalid_request, rate_limited or unavailable.
func (a *Auth) BeginEmail(ctx context.Context, in SignInEmail, b session.Browser) (Verification, error) {
	address, err := account.ParseAddress(in.Email)
	if err != nil {
		return Verification{}, err
	}
	if in.Locale, err = language(in.Locale); err != nil {
		return Verification{}, err
	}
	if !a.Post.Ready() {
		return Verification{}, errNoRelay
	}
	if err := a.mayEmailOwner(ctx, signin.SignIn, address.Key, b); err != nil {
		return Verification{}, err
	}
	sealed, err := json.Marshal(signin.Candidate{Locale: in.Locale})
	if err != nil {
		return Verification{}, err
	}
	var owed *Verification
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, stored, found, err := a.ownerOf(ctx, tx, address)
		if err != nil {
			return err
		}
		if _, err := tx.LockBudget(ctx, a.addressHash(address.Key)); err != nil {
			return err
		}
		purpose := signin.SignIn
		if !found && in.Create && !a.Rules.Closed && a.Rules.Domains.Admits(address) {
			purpose = signin.SignUp
		}
		try, value, cookie := a.newAttempt(tx.Now, purpose, b)
		try.Address, try.Locale, try.Onward = address, a.locale(in.Locale), in.Onward.Encode()
		try.Decoy = !found && purpose == signin.SignIn
		try.Candidate = a.Keys.Candidates.Seal(string(try.ID), sealed)
		if found {
			try.Account, try.CredentialVersion = who.ID, who.CredentialVersion
			try.Locale = a.locale(cmp.Or(who.Locale, in.Locale))
		}
		a.waiting(&try, b)
		owed, err = a.send(ctx, tx, try, stored, value, cookie, b, audit.SignInRequested)
		return err
	})
	if err != nil {
		return Verification{}, err
	}
	return *owed, nil
}

// language checks the language that somebody unknown would like to be written to in.
func language(locale string) (string, error) {
	if locale == "" {
		return "", nil
	}
	p, err := account.Profile{Locale: &locale}.Check()
	return value(p.Locale), err
}

// ownerOf finds who verified an address, and how they wrote it.
func (a *Auth) ownerOf(ctx context.Context, tx *store.Tx, address account.Address) (who account.Account, stored string, found bool, err error) {
	owner, stored, found, err := tx.EmailOwner(ctx, address.Key)
	if err != nil {
		return who, "", false, err
	}
	who, _, err = tx.AccountByID(ctx, owner) // nobody's costs the same
	return who, stored, found, err
}

// waiting fills in what the screens of a sign-in by link show: the digits of the one that
// waits, and where it is.
func (a *Auth) waiting(try *signin.Attempt, b session.Browser) {
	try.Match = secret.Digits(factor.MatchDigits).Reveal()
	try.Place, try.Device = b.Location, session.DeviceOf(b.UserAgent).Label()
	if try.Place == "" {
		try.Place = b.IP
	}
}

// send writes a new attempt with its code, its link, its event and its letter. The caller
// holds the address's lock; stored is how its owner wrote it. A decoy takes every step.
// What a signed-in person begins displaces nothing and nothing displaces it: the limits of
// the account and of the address bound it.
func (a *Auth) send(ctx context.Context, tx *store.Tx, try signin.Attempt, stored string, value, cookie secret.Text, b session.Browser, kind audit.Type) (*Verification, error) {
	var err error
	if try.KnownDevice, err = a.knows(ctx, tx.DeviceUsed, try.Account, b); err != nil {
		return nil, err
	}
	code := a.newCode(&try, tx.Now)
	if try.Session == "" {
		if err := a.displace(ctx, tx, try, b); err != nil {
			return nil, err
		}
	}
	if err := tx.InsertAttempt(ctx, try); err != nil {
		return nil, err
	}
	token, err := a.newLink(tx, try)
	if err != nil {
		return nil, err
	}
	e := event(kind, try.Account, b)
	e.Actor, e.Attempt, e.Data = "", string(try.ID), map[string]string{"purpose": string(try.Purpose)}
	if try.Decoy && audit.Types[kind].Outcome == "" {
		e.Outcome = audit.Refused
	}
	if err := tx.Record(ctx, e); err != nil {
		return nil, err
	}
	return a.owe(try, value, cookie, tx.Now), a.Post.Enqueue(ctx, tx, letterFor(try, code, token, try.Account, stored))
}
