package auth

import (
	"context"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// MaxPhones is how many numbers a person may have, proven or not.
const MaxPhones = 5

// Phone is a number of a person.
type Phone = store.Phone

// Phones lists the actor's numbers, the oldest first.
func (a *Auth) Phones(ctx context.Context, actor Actor) ([]Phone, error) {
	return a.Store.PhonesOf(ctx, actor.Account.ID)
}

// AddPhone notes a number that the actor wants to use, and sends the code that proves it.
// Until then it claims nothing. It demands a fresh proof and refuses with
// reauthentication_required, invalid_request, country_not_allowed, sms_paused,
// rate_limited or unavailable.
func (a *Auth) AddPhone(ctx context.Context, actor Actor, number, country string, b session.Browser) (Phone, Verification, error) {
	if err := a.demandFresh(actor); err != nil {
		return Phone{}, Verification{}, err
	}
	phone, err := account.ParsePhone(number, country)
	if err != nil {
		return Phone{}, Verification{}, err
	}
	return a.textProof(ctx, actor, phone, func(tx *store.Tx) (Phone, error, error) {
		all, err := tx.PhonesOf(ctx, actor.Account.ID)
		if err != nil {
			return Phone{}, nil, err
		}
		for _, p := range all {
			switch {
			case p.Number != phone.Key:
			case !p.VerifiedAt.IsZero():
				return p, fault.Invalidate("phone", "already_yours"), nil
			default:
				return p, nil, nil
			}
		}
		if len(all) >= MaxPhones {
			return Phone{}, fault.Invalidate("phone", "too_many"), nil
		}
		row := Phone{ID: account.PhoneID(secret.ID("phn", tx.Now)), Account: actor.Account.ID, Number: phone.Key, CreatedAt: tx.Now}
		if _, err := tx.InsertPhone(ctx, row); err != nil {
			return row, nil, err
		}
		return row, nil, tx.Record(ctx, a.eventBy(audit.PhoneAdded, actor, b))
	}, b)
}

// SendPhoneProof sends another code for a number that the actor has not verified yet; see
// SendEmailProof. It refuses with reauthentication_required, not_found,
// country_not_allowed, sms_paused, rate_limited or unavailable.
func (a *Auth) SendPhoneProof(ctx context.Context, actor Actor, id account.PhoneID, b session.Browser) (Verification, error) {
	if err := a.demandFresh(actor); err != nil {
		return Verification{}, err
	}
	row, found, err := a.Store.PhoneByID(ctx, id)
	if err != nil {
		return Verification{}, err
	}
	if !found || row.Account != actor.Account.ID || !row.VerifiedAt.IsZero() {
		return Verification{}, fault.ErrNotFound
	}
	phone, err := account.ParsePhone(row.Number, "")
	if err != nil {
		return Verification{}, err
	}
	_, owed, err := a.textProof(ctx, actor, phone, func(*store.Tx) (Phone, error, error) { return row, nil, nil }, b)
	return owed, err
}

// textProof sends the code for a number that prepare notes or finds. Prepare returns its
// refusal as a value. Somebody else's number looks the same, and nothing is sent there.
func (a *Auth) textProof(ctx context.Context, actor Actor, phone account.Phone, prepare func(*store.Tx) (row Phone, refusal, err error), b session.Browser) (row Phone, owed Verification, err error) {
	if err := a.mayTextProof(ctx, actor, phone, b); err != nil {
		return row, owed, err
	}
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, live, err := a.lockActor(ctx, tx, actor)
		if err != nil {
			return err
		}
		if refusal = stale(live, true); refusal != nil {
			return nil
		}
		if _, err := tx.LockBudget(ctx, a.addressHash(phone.Key)); err != nil {
			return err
		}
		if row, refusal, err = prepare(tx); err != nil || refusal != nil {
			return err
		}
		_, taken, err := tx.PhoneOwner(ctx, phone.Key)
		if err != nil {
			return err
		}
		try, value, cookie := a.newAttempt(tx.Now, signin.VerifyPhone, b.As(carrier(actor.Session.Delivery)))
		belongTo(&try, who, actor.Session.ID)
		try.Channel, try.Address = account.ByPhone, account.Address{Text: phone.Text, Key: phone.Key}
		try.Subject, try.Decoy, try.Locale = string(row.ID), taken, a.locale(who.Locale)
		if err := a.countText(ctx, tx, phone, !taken); err != nil {
			return err
		}
		v, err := a.send(ctx, tx, try, "", value, cookie, b, audit.CodeSent)
		if err == nil {
			owed = *v
		}
		return err
	})
	return row, owed, orRefusal(err, refusal)
}

// VerifyPhone proves a number of the actor with the code of its newest message. The first
// one that is proven becomes the primary one. It refuses with attempt_expired,
// code_incorrect, too_many_attempts or session_ended.
func (a *Auth) VerifyPhone(ctx context.Context, actor Actor, id account.PhoneID, code string, b session.Browser) error {
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		try, why, err := a.judgeSubject(ctx, tx, actor, signin.VerifyPhone, string(id), code, b)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		if _, err := tx.EndAttempt(ctx, try.ID, signin.OutcomeComplete); err != nil {
			return err
		}
		mine, err := tx.ProvePhone(ctx, try.Account, id)
		if err != nil {
			return err
		}
		if !mine {
			refusal = signin.ErrAttemptExpired
			return tx.Record(ctx, wrongCode(audit.CodeWrong, try.Attempt, b))
		}
		if try.who.Phone == "" {
			if err := tx.SetPrimaryPhone(try.who.ID, id); err != nil {
				return err
			}
		}
		e := a.eventBy(audit.PhoneVerified, actor, b)
		e.Attempt = string(try.ID)
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		return a.notify(ctx, tx, try.who, notification{
			template: letters.PhoneAdded, except: string(id), about: account.Contact{ID: string(id), Channel: account.ByPhone, Address: try.Address},
		}, b)
	})
	return orRefusal(err, refusal)
}

// SetPrimaryPhone makes a verified number the primary one; see SetPrimaryEmail.
func (a *Auth) SetPrimaryPhone(ctx context.Context, actor Actor, id account.PhoneID, b session.Browser) error {
	return a.setPrimary(ctx, actor, account.ByPhone, string(id), false, b)
}

// RemovePhone removes a number of the actor; see RemoveEmail.
func (a *Auth) RemovePhone(ctx context.Context, actor Actor, id account.PhoneID, b session.Browser) error {
	return a.removeContact(ctx, actor, account.ByPhone, string(id), b)
}
