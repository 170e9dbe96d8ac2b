package auth

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
)

// The refusals of the guard in front of messages to phones.
var (
	ErrCountry     = sms.ErrCountry
	ErrTextsPaused = sms.ErrPaused
)

var errNoTexts = fault.ErrUnavailable.Saying("No messages to phones can be sent here. Use another way to sign in.")

// SignInPhone is what a person sends to get a message with a code.
type SignInPhone struct {
	Phone   string
	Country string // of a number in its national form
	Create  bool
	Link    bool // the message carries a link as well
	Locale  string
	Onward  oauth.Destination
}

// BeginPhone begins a sign-in by a message to a phone. Whether the number has an account
// shows in no answer; to an unknown one nothing is sent, because it would cost money. It
// refuses with invalid_request, country_not_allowed, sms_paused, rate_limited or
// unavailable.
func (a *Auth) BeginPhone(ctx context.Context, in SignInPhone, b session.Browser) (Verification, error) {
	phone, err := account.ParsePhone(in.Phone, in.Country)
	if err != nil {
		return Verification{}, err
	}
	if in.Locale, err = language(in.Locale); err != nil {
		return Verification{}, err
	}
	if err := a.mayTextOwner(ctx, phone, b); err != nil {
		return Verification{}, err
	}
	sealed, err := json.Marshal(signin.Candidate{Locale: in.Locale})
	if err != nil {
		return Verification{}, err
	}
	var owed *Verification
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, found, err := a.holderOf(ctx, tx, phone)
		if err != nil {
			return err
		}
		if _, err := tx.LockBudget(ctx, a.addressHash(phone.Key)); err != nil {
			return err
		}
		purpose := signin.SignIn
		if !found && in.Create && !a.Rules.Closed && !a.Rules.Domains.Restricted() {
			purpose = signin.SignUp
		}
		try, value, cookie := a.newAttempt(tx.Now, purpose, b)
		try.Channel, try.Address = account.ByPhone, account.Address{Text: phone.Text, Key: phone.Key}
		try.Locale, try.Onward, try.Decoy = a.locale(in.Locale), in.Onward.Encode(), !found && purpose == signin.SignIn
		try.Candidate = a.Keys.Candidates.Seal(string(try.ID), sealed)
		if found {
			try.Account, try.CredentialVersion, try.Locale = who.ID, who.CredentialVersion, a.locale(cmp.Or(who.Locale, in.Locale))
		}
		if in.Link {
			a.waiting(&try, b)
		}
		if err := a.countText(ctx, tx, phone, !try.Decoy); err != nil {
			return err
		}
		elsewhere := who.Email
		if !who.EmailVerified {
			elsewhere = "" // it may be anybody's
		}
		owed, err = a.send(ctx, tx, try, elsewhere, value, cookie, b, audit.SignInRequested)
		return err
	})
	if err != nil {
		return Verification{}, err
	}
	return *owed, nil
}

// holderOf finds who verified a number.
func (a *Auth) holderOf(ctx context.Context, tx *store.Tx, phone account.Phone) (who account.Account, found bool, err error) {
	owner, found, err := tx.PhoneOwner(ctx, phone.Key)
	if err != nil {
		return who, false, err
	}
	who, _, err = tx.AccountByID(ctx, owner) // nobody's costs the same
	return who, found, err
}

// mayText judges the country of a number and takes the cost of one message to it, which is
// never given back. A known device of its owner has messages of its own, once those of the
// number are used up. In development, where messages go to the inbox, they count like emails.
func (a *Auth) mayText(ctx context.Context, phone account.Phone, d device, b session.Browser) error {
	if a.Texts == nil {
		if err := a.carried(phone); err != nil {
			return err
		}
		_, err := a.mayEmail(ctx, d, signin.SignIn, phone.Key)
		return err
	}
	of, everybody, err := a.textNeeds(phone, b)
	if err != nil {
		return err
	}
	_, err = a.Limits.Take(ctx, a.Now(), append(of, everybody...)...)
	if limited(err) && d.known() {
		_, err = a.Limits.Take(ctx, a.Now(), append(d.needs(rateDevicesTexts, rateDeviceTexts, rateDeviceTextsDay), everybody...)...)
	}
	return err
}

// mayTextOwner is mayText with the look-up of whose number and device it is.
func (a *Auth) mayTextOwner(ctx context.Context, phone account.Phone, b session.Browser) error {
	d, err := a.deviceOfPhone(ctx, phone.Key, b)
	if err != nil {
		return err
	}
	return a.mayText(ctx, phone, d, b)
}

// mayTextProof takes the cost of one message to a number that an actor wants to add: it may
// be anybody's, so it counts with those that strangers ask for.
func (a *Auth) mayTextProof(ctx context.Context, actor Actor, phone account.Phone, b session.Browser) error {
	d := a.deviceOf(actor)
	if a.Texts == nil {
		if err := a.carried(phone); err != nil {
			return err
		}
		return a.mayEmailProof(ctx, actor, phone.Key)
	}
	of, everybody, err := a.textNeeds(phone, b)
	if err != nil {
		return err
	}
	_, err = a.Limits.Take(ctx, a.Now(), append(append(of, everybody...), d.needs(rateDevicesTexts)...)...)
	return err
}

// carried refuses a number that no message can be sent to.
func (a *Auth) carried(phone account.Phone) error {
	switch {
	case !a.Post.CanText():
		return errNoTexts
	case account.FictionalPhone(phone) && !a.Rules.TestCodes:
		return fault.Invalidate("phone", "invalid")
	}
	return nil
}

// textNeeds judges the country of a number, and tells what a message to it costs: of the
// number's own budget, and of those that others share.
func (a *Auth) textNeeds(phone account.Phone, b session.Browser) (of, everybody []ratelimit.Need, err error) {
	if err := a.carried(phone); err != nil {
		return nil, nil, err
	}
	target := sms.Target{Number: phone.Key, Prefix: phone.Prefix, Country: phone.Country}
	if err := a.Texts.Allow(target); err != nil {
		return nil, nil, err
	}
	return a.Texts.OfNumber(target), a.Texts.OfOthers(target, place(b)), nil
}

// countText counts a message to a range of numbers. It fails when nobody types the codes
// that go there, which takes the count back with all else. What is not sent is not
// counted, and costs the same statements.
func (a *Auth) countText(ctx context.Context, tx *store.Tx, phone account.Phone, sent bool) error {
	if a.Texts == nil {
		return nil
	}
	prefix, itself := phone.Prefix, int64(1)
	if !sent {
		prefix, itself = "-", 0
	}
	if err := tx.CountSent(ctx, prefix, sms.Hour(tx.Now)); err != nil {
		return err
	}
	n, verified, err := tx.SMSRatio(ctx, phone.Prefix, sms.Since(tx.Now))
	if err != nil {
		return err
	}
	return a.Texts.Judge(n-itself, verified, tx.Now)
}

// countVerified counts a code of a message that came back.
func (a *Auth) countVerified(ctx context.Context, tx *store.Tx, try signin.Attempt) error {
	if a.Texts == nil || try.Channel != account.ByPhone {
		return nil
	}
	phone, err := account.ParsePhone(try.Address.Key, "")
	if err != nil {
		return err
	}
	return tx.CountVerified(ctx, phone.Prefix, sms.Hour(tx.Now))
}

// textAgain takes the cost of another message for an attempt and counts it.
func (a *Auth) textAgain(ctx context.Context, try signin.Attempt, b session.Browser) error {
	phone, err := account.ParsePhone(try.Address.Key, "")
	if err != nil {
		return err
	}
	return a.mayText(ctx, phone, a.deviceAgain(try, b), b)
}

// countAgain counts another message of an attempt by phone.
func (a *Auth) countAgain(ctx context.Context, tx *store.Tx, try signin.Attempt) error {
	if try.Channel != account.ByPhone {
		return nil
	}
	phone, err := account.ParsePhone(try.Address.Key, "")
	if err != nil {
		return err
	}
	return a.countText(ctx, tx, phone, !try.Decoy)
}
