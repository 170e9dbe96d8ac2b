package auth

import (
	"cmp"
	"context"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// BeginRecovery sends a letter with a link and a code that lead to a new password. Whether
// the address has an account shows in no answer. locale is the language of a letter to
// somebody unknown. Where the address has had its share of such emails none is sent, the
// answer is the same, and the newest one stays good. It refuses with invalid_request or
// unavailable.
func (a *Auth) BeginRecovery(ctx context.Context, email, locale string, b session.Browser) (Verification, error) {
	address, err := account.ParseAddress(email)
	if err != nil {
		return Verification{}, err
	}
	if locale, err = language(locale); err != nil {
		return Verification{}, err
	}
	if !a.Post.Ready() {
		return Verification{}, errNoRelay
	}
	send := a.send
	if err := a.mayEmailOwner(ctx, signin.Recover, address.Key, b); limited(err) {
		send = a.sendNothing
	} else if err != nil {
		return Verification{}, err
	}
	var owed *Verification
	err = a.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		owed, err = a.beginRecovery(ctx, tx, address, locale, b, send)
		return err
	})
	if err != nil {
		return Verification{}, err
	}
	return *owed, nil
}

// sender writes a new attempt, and its email if it sends one.
type sender func(ctx context.Context, tx *store.Tx, try signin.Attempt, stored string, value, cookie secret.Text, b session.Browser, kind audit.Type) (*Verification, error)

func (a *Auth) beginRecovery(ctx context.Context, tx *store.Tx, address account.Address, locale string, b session.Browser, send sender) (*Verification, error) {
	who, stored, found, err := a.ownerOf(ctx, tx, address)
	if err != nil {
		return nil, err
	}
	if _, err := tx.LockBudget(ctx, a.addressHash(address.Key)); err != nil {
		return nil, err
	}
	try, value, cookie := a.newAttempt(tx.Now, signin.Recover, b)
	try.Address, try.Locale = address, a.locale(locale)
	try.Decoy = !found || who.Banned()
	if !try.Decoy {
		try.Account, try.CredentialVersion, try.Locale = who.ID, who.CredentialVersion, a.locale(cmp.Or(who.Locale, locale))
	}
	return send(ctx, tx, try, stored, value, cookie, b, audit.RecoveryRequested)
}

// sendNothing writes an attempt to recover whose email is one too many. Strangers cannot
// make it cost the owner anything: it displaces no attempt whose email was sent, so the
// newest of these stays good, in any browser. No code fits it until one is sent.
func (a *Auth) sendNothing(ctx context.Context, tx *store.Tx, try signin.Attempt, _ string, value, cookie secret.Text, b session.Browser, kind audit.Type) (*Verification, error) {
	var err error
	if try.KnownDevice, err = a.knows(ctx, tx.DeviceUsed, try.Account, b); err != nil {
		return nil, err
	}
	if err := a.displace(ctx, tx, try, b); err != nil {
		return nil, err
	}
	try.SentAt, try.CodeExpires, try.ExpiresAt, try.Sends = tx.Now, tx.Now.Add(a.Rules.CodeLife), tx.Now.Add(a.Rules.CodeLife), 1
	if err := tx.InsertAttempt(ctx, try); err != nil {
		return nil, err
	}
	return a.owe(try, value, cookie, tx.Now), tx.Record(ctx, notSent(kind, try, b))
}

// sendNothingAgain answers like sendAgain where another email is one too many. The one that
// was sent stays good.
func (a *Auth) sendNothingAgain(ctx context.Context, tx *store.Tx, try opened, value secret.Text, b session.Browser) (Verification, error) {
	if err := tx.CountSend(try.ID); err != nil {
		return Verification{}, err
	}
	try.SentAt = tx.Now
	return *a.owe(try.Attempt, value, b.Attempt, tx.Now), tx.Record(ctx, notSent(audit.RecoveryRequested, try.Attempt, b))
}

// notSent is the evidence of an email that was one too many.
func notSent(kind audit.Type, try signin.Attempt, b session.Browser) audit.Event {
	e := refused(kind, try.Account, b, "rate_limited")
	e.Attempt, e.Data["purpose"] = string(try.ID), string(try.Purpose)
	return e
}

// Recovery is how a person chooses a new password: with the token of the letter's link, or
// with the attempt and the letter's code.
type Recovery struct {
	Token    secret.Text
	Attempt  secret.Text
	Code     string
	Password string
}

// ConfirmRecovery sets a new password, and ends every session, code and attempt of the
// person. By a senior contact it is a remedy against whatever happened until now; by a
// junior one it ends no link that was sent to an older contact. It signs nobody in: the
// person does that next, with every factor they have. The new password is judged before
// anything is spent. The review is nil if there is nothing to review. It refuses with invalid_request,
// link_expired, link_used, code_incorrect, attempt_expired or too_many_attempts.
func (a *Auth) ConfirmRecovery(ctx context.Context, in Recovery, b session.Browser) (review *ReviewAttempt, err error) {
	address, err := a.recovering(ctx, in, b)
	if err != nil {
		return nil, err
	}
	if err := a.Rules.Passwords.Judge("password", in.Password, address); err != nil {
		return nil, err
	}
	hashed, err := a.hash(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	b.Attempt = a.attemptCookie(b)
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		try, why, err := a.proveRecovery(ctx, tx, in, b)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		if refusal = a.Rules.Passwords.Judge("password", in.Password, try.who.Username, try.who.FirstName, try.who.LastName); refusal != nil {
			return nil
		}
		if in.Token != "" {
			id, _ := signin.ParseLinkToken(in.Token.Reveal())
			used, err := tx.UseLink(ctx, id)
			if err != nil || !used {
				refusal = signin.ErrLinkUsed
				return err
			}
		}
		review, err = a.recover(ctx, tx, try, hashed, b)
		return err
	})
	return review, orRefusal(err, refusal)
}

// recovering finds the address of a recovery that may still be completed, so that nothing
// is hashed for anybody else.
func (a *Auth) recovering(ctx context.Context, in Recovery, b session.Browser) (address string, err error) {
	if in.Token == "" {
		try, err := a.held(ctx, in.Attempt, b)
		if err == nil && (try.Purpose != signin.Recover || !try.Live(a.Now())) {
			err = signin.ErrAttemptExpired
		}
		return try.Address.Text, err
	}
	if _, err := a.LinkSubject(ctx, in.Token, b, signin.Recover); err != nil {
		return "", err
	}
	id, _ := signin.ParseLinkToken(in.Token.Reveal())
	link, _, err := a.Store.LinkByID(ctx, id)
	if err != nil {
		return "", err
	}
	try, _, err := a.Store.AttemptByID(ctx, link.Attempt)
	return try.Address.Text, err
}

// proveRecovery judges the code or the link, without spending either.
func (a *Auth) proveRecovery(ctx context.Context, tx *store.Tx, in Recovery, b session.Browser) (try opened, refusal, err error) {
	if in.Token != "" {
		_, try, refusal, err = a.openLink(ctx, tx, in.Token, b, signin.Recover)
		return try, refusal, err
	}
	try, found, err := a.lockAttempt(ctx, tx, in.Attempt, b)
	if err != nil || !found || try.Purpose != signin.Recover {
		return try, signin.ErrAttemptExpired, err
	}
	if refusal, err = a.judgeCode(ctx, tx, try, in.Code, b); err != nil || refusal != nil {
		return try, refusal, err
	}
	if refusal, err = a.overtaken(ctx, tx, try); refusal != nil {
		refusal = signin.ErrAttemptExpired
	}
	return try, refusal, err
}

// recover sets the password and ends whatever the old one may have let in.
func (a *Auth) recover(ctx context.Context, tx *store.Tx, try opened, hashed string, b session.Browser) (review *ReviewAttempt, err error) {
	who := try.who
	s, err := tx.Standing(ctx, who.ID)
	if err != nil {
		return nil, err
	}
	by, _ := s.Find(try.Channel, try.Address.Key) // overtaken has seen that it is there
	if _, err := tx.EndAttempt(ctx, try.ID, signin.OutcomeComplete); err != nil {
		return nil, err
	}
	plan := account.Purge{}
	senior := s.Senior(by, tx.Now)
	if senior {
		plan = s.Purge(by, tx.Now, account.Change{})
		err = a.purge(ctx, tx, who, by, plan, hashed, b)
	} else {
		err = a.recoverJunior(ctx, tx, who.ID, by, hashed, b)
	}
	if err != nil {
		return nil, err
	}
	if err := a.endRuns(ctx, tx, try.Attempt); err != nil {
		return nil, err
	}
	e := event(audit.PasswordRecovered, who.ID, b)
	e.Attempt = string(try.ID)
	if err := tx.Record(ctx, e); err != nil {
		return nil, err
	}
	if err := a.notify(ctx, tx, who, notification{template: letters.PasswordChanged, numbersToo: true}, b); err != nil || !senior {
		return nil, err
	}
	return a.beginReview(ctx, tx, who.ID, by, plan, b)
}

// recoverJunior sets the password of an account for a contact that older ones may still
// overrule. It spares the review that follows a remedy: that was by an older contact, and
// this one may be what is about to be removed there.
func (a *Auth) recoverJunior(ctx context.Context, tx *store.Tx, id account.ID, by account.Contact, hashed string, b session.Browser) error {
	if err := tx.SetPassword(ctx, id, hashed); err != nil {
		return err
	}
	if err := a.endProofsBut(tx, id, signin.Review); err != nil {
		return err
	}
	if err := tx.EndLinksSentTo(id, by.VerifiedAt); err != nil {
		return err
	}
	return a.endAll(ctx, tx, id, session.EndedByPassword, b)
}

// endProofs ends every link, code and attempt with which somebody could still prove to be
// the person: what proves them has changed.
func (a *Auth) endProofs(tx *store.Tx, owner account.ID) error {
	return a.endProofsBut(tx, owner, "")
}

func (a *Auth) endProofsBut(tx *store.Tx, owner account.ID, but signin.Purpose) error {
	if err := tx.EndAttempts(owner, signin.OutcomeVoid, but); err != nil {
		return err
	}
	return tx.EndLinksOf(owner)
}
