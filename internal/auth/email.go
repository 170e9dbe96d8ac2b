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

// MaxEmails is how many addresses a person may have, proven or not.
const MaxEmails = 10

// ErrNotVerified is told when an address or number must be proven first.
var ErrNotVerified = fault.New(fault.Conflict, "not_verified", "Confirm it first.")

// Email is an address of a person.
type Email = store.Email

// Emails lists the actor's addresses, the oldest first.
func (a *Auth) Emails(ctx context.Context, actor Actor) ([]store.Email, error) {
	return a.Store.EmailsOf(ctx, actor.Account.ID)
}

// AddEmail notes an address that the actor wants to use, and sends the letter that proves
// it. Until then it claims nothing: somebody else's address looks the same, and only its
// owner is told. It demands a fresh proof and refuses with reauthentication_required,
// invalid_request, email_taken (mode off), rate_limited or unavailable.
func (a *Auth) AddEmail(ctx context.Context, actor Actor, email string, b session.Browser) (store.Email, Verification, error) {
	if err := a.demandFresh(actor); err != nil {
		return store.Email{}, Verification{}, err
	}
	address, err := account.ParseAddress(email)
	if err != nil {
		return store.Email{}, Verification{}, err
	}
	if !a.Rules.Domains.Admits(address) {
		return store.Email{}, Verification{}, fault.Invalidate("email", "domain_not_allowed")
	}
	return a.sendProof(ctx, actor, address, func(tx *store.Tx) (store.Email, error, error) {
		all, err := tx.EmailsOf(ctx, actor.Account.ID)
		if err != nil {
			return store.Email{}, nil, err
		}
		for _, e := range all {
			switch {
			case e.Address.Key != address.Key:
			case !e.VerifiedAt.IsZero():
				return e, fault.Invalidate("email", "already_yours"), nil
			default:
				return e, nil, nil
			}
		}
		if len(all) >= MaxEmails {
			return store.Email{}, fault.Invalidate("email", "too_many"), nil
		}
		row := store.Email{ID: account.EmailID(secret.ID("eml", tx.Now)), Account: actor.Account.ID, Address: address, CreatedAt: tx.Now}
		if _, err := tx.InsertEmail(ctx, row); err != nil {
			return row, nil, err
		}
		return row, nil, tx.Record(ctx, a.eventBy(audit.EmailAdded, actor, b))
	}, b)
}

// SendEmailProof sends another email for an address that the actor has not verified yet.
// It demands a fresh proof, as adding does: an address that somebody left there must not
// be verified later from a stolen session. It refuses with reauthentication_required,
// not_found, rate_limited or unavailable.
func (a *Auth) SendEmailProof(ctx context.Context, actor Actor, id account.EmailID, b session.Browser) (Verification, error) {
	if err := a.demandFresh(actor); err != nil {
		return Verification{}, err
	}
	row, found, err := a.Store.EmailByID(ctx, id)
	if err != nil {
		return Verification{}, err
	}
	if !found || row.Account != actor.Account.ID || !row.VerifiedAt.IsZero() {
		return Verification{}, fault.ErrNotFound
	}
	_, owed, err := a.sendProof(ctx, actor, row.Address, func(*store.Tx) (store.Email, error, error) { return row, nil, nil }, b)
	return owed, err
}

// sendProof sends the letter for an address that prepare notes or finds. Prepare returns
// its refusal as a value.
func (a *Auth) sendProof(ctx context.Context, actor Actor, address account.Address, prepare func(*store.Tx) (row store.Email, refusal, err error), b session.Browser) (row store.Email, owed Verification, err error) {
	if !a.Post.Ready() {
		return row, owed, errNoRelay
	}
	if err := a.mayEmailProof(ctx, actor, address.Key); err != nil {
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
		if _, err := tx.LockBudget(ctx, a.addressHash(address.Key)); err != nil {
			return err
		}
		if row, refusal, err = prepare(tx); err != nil || refusal != nil {
			return err
		}
		_, stored, taken, err := tx.EmailOwner(ctx, address.Key)
		if err != nil {
			return err
		}
		if taken && !a.Rules.Strict {
			refusal = ErrEmailTaken
			return nil
		}
		try, value, cookie := a.newAttempt(tx.Now, signin.VerifyEmail, b.As(carrier(actor.Session.Delivery)))
		belongTo(&try, who, actor.Session.ID)
		try.Subject, try.Address, try.Decoy, try.Locale = string(row.ID), address, taken, a.locale(who.Locale)
		v, err := a.send(ctx, tx, try, stored, value, cookie, b, audit.CodeSent)
		if err == nil {
			owed = *v
		}
		return err
	})
	return row, owed, orRefusal(err, refusal)
}

// EmailProof is how an address is proven: with the token of its email's link, or with the
// attempt and the email's code.
type EmailProof struct {
	Token   secret.Text
	Attempt secret.Text
	Code    string
}

// ConfirmEmail proves an address that a person wants to add: by the link for an actor who
// is signed in to the account that asked, the zero Actor being nobody; by attempt and code
// for the client that holds the attempt, while the session that asked lives. Elsewhere it
// refuses with unauthenticated and consumes nothing: whoever reads a mailbox must not add
// it to somebody else's account unawares. It also refuses with link_expired, link_used,
// code_incorrect, attempt_expired, too_many_attempts or session_ended.
func (a *Auth) ConfirmEmail(ctx context.Context, actor Actor, p EmailProof, b session.Browser) (address string, err error) {
	if p.Token != "" {
		return a.confirmByLink(ctx, actor, p.Token, b)
	}
	return a.confirmEmail(ctx, b, func(tx *store.Tx) (try opened, refusal, err error) {
		try, found, err := a.lockAttempt(ctx, tx, p.Attempt, b)
		switch {
		case err != nil:
			return try, nil, err
		case !found && try.Purpose == signin.VerifyEmail && try.Live(tx.Now): // its session is what has ended
			return try, session.ErrUnauthenticated, nil
		case !found || try.Purpose != signin.VerifyEmail:
			return try, signin.ErrAttemptExpired, nil
		}
		refusal, err = a.judgeCode(ctx, tx, try, p.Code, b)
		return try, refusal, err
	})
}

// confirmByLink proves an address with the link of its email. A link of another account
// leaves no evidence: its events would show to who asked who has opened it.
func (a *Auth) confirmByLink(ctx context.Context, actor Actor, token secret.Text, b session.Browser) (address string, err error) {
	if actor.Account.ID == "" {
		return "", session.ErrUnauthenticated
	}
	return a.confirmEmail(ctx, b, func(tx *store.Tx) (try opened, refusal, err error) {
		if _, live, err := a.lockActor(ctx, tx, actor); err != nil || !live {
			return try, session.ErrEnded, err
		}
		link, found, err := a.linkOf(ctx, tx.LinkByID, token, signin.VerifyEmail)
		switch {
		case err != nil:
			return try, nil, err
		case !found:
			return try, signin.ErrLinkExpired, nil
		case link.Account != actor.Account.ID:
			return try, session.ErrUnauthenticated, nil
		}
		link, try, refusal, err = a.openLink(ctx, tx, token, b, signin.VerifyEmail)
		if err != nil || refusal != nil {
			return try, refusal, err
		}
		used, err := tx.UseLink(ctx, link.ID)
		if err == nil && !used {
			refusal = signin.ErrLinkUsed
		}
		return try, refusal, err
	})
}

// VerifyEmail proves an address of the actor with the code of its newest letter. It
// refuses with attempt_expired, code_incorrect, too_many_attempts or session_ended.
func (a *Auth) VerifyEmail(ctx context.Context, actor Actor, id account.EmailID, code string, b session.Browser) (address string, err error) {
	return a.confirmEmail(ctx, b, func(tx *store.Tx) (try opened, refusal, err error) {
		return a.judgeSubject(ctx, tx, actor, signin.VerifyEmail, string(id), code, b)
	})
}

// judgeSubject judges a code against the newest attempt to verify something of the
// actor's. Attempts of sessions that have ended since are passed over.
func (a *Auth) judgeSubject(ctx context.Context, tx *store.Tx, actor Actor, purpose signin.Purpose, subject, code string, b session.Browser) (try opened, refusal, err error) {
	if _, live, err := a.lockActor(ctx, tx, actor); err != nil || !live {
		return try, session.ErrEnded, err
	}
	newest, err := tx.AttemptsFor(ctx, actor.Account.ID, purpose, subject)
	if err != nil {
		return try, nil, err
	}
	for _, row := range newest {
		try, live, err := a.lockOpen(ctx, tx, row)
		if err != nil {
			return try, nil, err
		}
		if live {
			refusal, err = a.judgeCode(ctx, tx, try, code, b)
			return try, refusal, err
		}
	}
	return try, signin.ErrAttemptExpired, nil
}

// confirmEmail marks the address of a proven attempt as verified.
func (a *Auth) confirmEmail(ctx context.Context, b session.Browser, prove func(*store.Tx) (opened, error, error)) (address string, err error) {
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		try, why, err := prove(tx)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		if _, err := tx.EndAttempt(ctx, try.ID, signin.OutcomeComplete); err != nil {
			return err
		}
		mine, err := tx.ProveEmail(ctx, try.Account, account.EmailID(try.Subject))
		if err != nil {
			return err
		}
		if !mine { // somebody else proved it first, or its row is gone
			refusal = signin.ErrAttemptExpired
			return tx.Record(ctx, wrongCode(audit.CodeWrong, try.Attempt, b))
		}
		address = try.Address.Text
		e := event(audit.EmailVerified, try.who.ID, b)
		e.Attempt = string(try.ID)
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		if try.who.Email == "" || !try.who.EmailVerified {
			if err := tx.SetPrimaryEmail(try.who.ID, account.EmailID(try.Subject)); err != nil {
				return err
			}
		}
		return a.notify(ctx, tx, try.who, notification{
			template: letters.EmailAdded, except: try.Subject, about: account.Contact{ID: try.Subject, Channel: account.ByEmail, Address: try.Address},
		}, b)
	})
	return address, orRefusal(err, refusal)
}

// SetPrimaryEmail makes a verified address the primary one. Every contact is told, and
// senior ones can undo it for 72 hours, unless withoutUndo is set: that is for people who
// have lost the old mailbox, and demands a second factor. It demands a fresh proof and
// refuses with reauthentication_required, not_found, not_verified or forbidden.
func (a *Auth) SetPrimaryEmail(ctx context.Context, actor Actor, id account.EmailID, withoutUndo bool, b session.Browser) error {
	return a.setPrimary(ctx, actor, account.ByEmail, string(id), withoutUndo, b)
}

// RemoveEmail removes an address of the actor. If it was verified, every contact and the
// address itself are told, and senior ones can undo it for 72 hours. It demands a fresh
// proof and refuses with reauthentication_required, not_found or last_credential.
func (a *Auth) RemoveEmail(ctx context.Context, actor Actor, id account.EmailID, b session.Browser) error {
	return a.removeContact(ctx, actor, account.ByEmail, string(id), b)
}
