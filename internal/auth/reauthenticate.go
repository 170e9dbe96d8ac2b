package auth

import (
	"context"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// Challenge is an open question to a signed-in person: prove again who you are.
type Challenge struct {
	Owed    Verification
	Factors []string
}

// BeginReauthentication opens an attempt for the actor's own session. A code is sent at
// once when method asks for it, or when the account has nothing else to offer; otherwise
// ResendCode sends one. It refuses with session_ended, rate_limited or unavailable.
func (a *Auth) BeginReauthentication(ctx context.Context, actor Actor, method signin.Method, b session.Browser) (Challenge, error) {
	offers := signin.Offers(actor.Account)
	if method != "" && !offersOnly(actor.Account, method) {
		return Challenge{}, fault.Invalidate("type", "not_offered")
	}
	byCode := method == signin.EmailCode || method == signin.PhoneCode || !offersOnly(actor.Account, signin.Password)
	channel := account.ByEmail
	if method == signin.PhoneCode || method == "" && !offersOnly(actor.Account, signin.EmailCode) && actor.Account.Phone != "" {
		channel = account.ByPhone
	}
	address, err := a.ownAddress(ctx, actor, channel, byCode, b)
	if err != nil {
		return Challenge{}, err
	}
	out := Challenge{Factors: offers}
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, live, err := a.lockActor(ctx, tx, actor)
		if err != nil {
			return err
		}
		if refusal = stale(live, true); refusal != nil {
			return nil
		}
		try, value, cookie := a.newAttempt(tx.Now, signin.Reauthenticate, b.As(carrier(actor.Session.Delivery)))
		belongTo(&try, who, actor.Session.ID)
		try.Channel, try.Address = channel, address
		if who.Locale != "" {
			try.Locale = who.Locale
		}
		var code secret.Text
		if byCode {
			code = a.newCode(&try, tx.Now)
		}
		if byCode {
			if err := a.countAgain(ctx, tx, try); err != nil {
				return err
			}
		}
		if err := tx.InsertAttempt(ctx, try); err != nil {
			return err
		}
		out.Owed = *a.owe(try, value, cookie, tx.Now)
		if !byCode {
			return nil
		}
		e := a.eventBy(audit.CodeSent, actor, b)
		e.Attempt = string(try.ID)
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		return a.Post.Enqueue(ctx, tx, letterFor(try, code, "", who.ID, ""))
	})
	return out, orRefusal(err, refusal)
}

// carrier is how an attempt of a signed-in person travels. A client that holds its access token
// itself shows it with every step, and beside it no cookie is read: its attempt is bound
// to the session alone.
func carrier(d session.Delivery) session.Delivery {
	if d == session.Cookie {
		return session.Cookie
	}
	return session.Token
}

// ownAddress is where the actor's codes go; none if the account has no proven address.
// Sending takes the cost of a letter or message.
func (a *Auth) ownAddress(ctx context.Context, actor Actor, channel account.Channel, sending bool, b session.Browser) (account.Address, error) {
	if channel == account.ByPhone {
		address := account.Address{Text: actor.Account.Phone, Key: actor.Account.Phone}
		phone, err := account.ParsePhone(address.Key, "")
		if err != nil || !sending {
			return address, err
		}
		return address, a.mayText(ctx, phone, a.deviceOf(actor), b)
	}
	if !offersOnly(actor.Account, signin.EmailCode) {
		return account.Address{}, nil
	}
	address, err := account.ParseAddress(actor.Account.Email)
	if err != nil || !sending {
		return address, err
	}
	if !a.Post.Ready() {
		return address, errNoRelay
	}
	return address, a.mayEmailSelf(ctx, actor)
}

// Proof is what a person answers a challenge with.
type Proof struct {
	Attempt  secret.Text
	Type     signin.Method
	Code     string
	Password string
}

// Reauthenticate proves the actor afresh and grants the same session with a new
// generation. A proof for another person's or session's attempt is attempt_expired. It
// refuses with invalid_credentials, code_incorrect, too_many_attempts or session_ended.
func (a *Auth) Reauthenticate(ctx context.Context, actor Actor, p Proof, b session.Browser) (session.Granted, error) {
	cost, err := a.ownGuess(ctx, actor, rateReprove)
	if err != nil {
		return session.Granted{}, err
	}
	judged := false
	switch p.Type {
	case signin.Password:
		if judged, err = a.fits(ctx, actor.Account.PasswordHash, p.Password); err != nil {
			cost.GiveBack(ctx, a.Now())
			return session.Granted{}, err
		}
	case signin.EmailCode, signin.PhoneCode:
	default:
		return session.Granted{}, fault.Invalidate("type", "not_offered")
	}
	var granted session.Granted
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, signin.ErrAttemptExpired
		try, found, err := a.lockAttempt(ctx, tx, p.Attempt, b)
		if err != nil || !found || !belongs(try.Attempt, actor) {
			return err
		}
		if refusal, err = a.judgeProof(ctx, tx, try, actor, p, judged, b); err != nil || refusal != nil {
			return err
		}
		state := signin.State{
			Purpose: signin.Reauthenticate, Account: try.who, Proofs: []signin.Method{p.Type}, Browser: b, Current: try.session,
		}
		if granted, refusal = signin.Next(state, signin.Terms{Lifetimes: a.Rules.Lifetimes, Now: tx.Now}); refusal != nil {
			return nil
		}
		if err := tx.UpdateSession(ctx, granted.Session()); err != nil {
			return err
		}
		e := a.eventBy(audit.ReauthenticationSucceeded, actor, b)
		e.Attempt, e.Data = string(try.ID), map[string]string{"method": string(p.Type)}
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		_, err = tx.EndAttempt(ctx, try.ID, signin.OutcomeComplete)
		return err
	})
	if err = orRefusal(err, refusal); err == nil {
		cost.GiveBack(ctx, a.Now())
	}
	return granted, err
}

func belongs(try signin.Attempt, actor Actor) bool {
	return try.Purpose == signin.Reauthenticate && try.Account == actor.Account.ID && try.Session == actor.Session.ID
}

// judgeProof judges the proof inside the transaction: a password against the version it
// was judged with, a code against the attempt.
func (a *Auth) judgeProof(ctx context.Context, tx *store.Tx, try opened, actor Actor, p Proof, judged bool, b session.Browser) (refusal, err error) {
	if p.Type == signin.EmailCode || p.Type == signin.PhoneCode {
		if p.Type != by(try.Channel) {
			return fault.Invalidate("type", "not_offered"), nil
		}
		return a.judgeCode(ctx, tx, try, p.Code, b)
	}
	if try.Tries >= factor.CodeTries {
		return signin.ErrTooManyAttempts.After(try.ExpiresAt.Sub(tx.Now)), nil
	}
	if judged && try.who.CredentialVersion == actor.Account.CredentialVersion {
		return nil, a.proven(ctx, tx, try.who)
	}
	if err := tx.CountTry(ctx, try.ID, try.Tries+1); err != nil {
		return nil, err
	}
	e := refused(audit.ReauthenticationFailed, try.who.ID, b, "invalid_credentials")
	e.Session, e.Attempt = actor.Session.ID, string(try.ID)
	return signin.ErrInvalidCredentials, tx.Record(ctx, e)
}

// demandFresh refuses an actor whose last proof is too old for changing the account. The
// proof is that of the presented access token: see issuer.Authenticated.
func (a *Auth) demandFresh(actor Actor) error {
	if actor.Session.Fresh(a.Rules.FreshFor, a.Now()) {
		return nil
	}
	return signin.ErrReauthenticate.Offering(signin.Offers(actor.Account)...)
}

// freshly does a deed of a person who has proven lately who they are, with their row
// locked and their session live. The deed returns its refusal as a value.
func (a *Auth) freshly(ctx context.Context, actor Actor, deed func(*store.Tx, account.Account) (refusal, err error)) error {
	if err := a.demandFresh(actor); err != nil {
		return err
	}
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, live, err := a.lockActor(ctx, tx, actor)
		if err != nil {
			return err
		}
		if refusal = stale(live, true); refusal != nil {
			return nil
		}
		refusal, err = deed(tx, who)
		return err
	})
	return orRefusal(err, refusal)
}
