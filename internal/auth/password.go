package auth

import (
	"context"
	"slices"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// SignInPassword signs in with an e-mail address or username and a password. It refuses
// with invalid_credentials, the same in words, statements and hashing for an unknown
// person, a wrong password, no password, a ban and an address that was never proven; or
// with rate_limited or unavailable.
func (a *Auth) SignInPassword(ctx context.Context, identifier, password string, b session.Browser) (Outcome, error) {
	name := account.ParseIdentifier(identifier)
	who, _, err := a.Store.AccountByIdentifier(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	cost, err := a.guess(ctx, a.Now(), who.ID, name.Key, b)
	if err != nil {
		return Outcome{}, err
	}
	ok, err := a.fits(ctx, who.PasswordHash, password)
	if err != nil {
		cost.GiveBack(ctx, a.Now()) // nothing was judged
		return Outcome{}, err
	}
	rehashed := ""
	if ok && !who.Barred() && !a.Hashing.Current(who.PasswordHash) {
		if rehashed, err = a.hash(ctx, password); err != nil {
			return Outcome{}, err
		}
	}
	granted, err := a.grantPassword(ctx, who, ok, rehashed, b)
	if err == nil {
		cost.GiveBack(ctx, a.Now())
	}
	return Outcome{Granted: granted}, err
}

// grantPassword decides with the account's row in hand: the password was judged against
// the credential version that who carries, and only that one counts.
func (a *Auth) grantPassword(ctx context.Context, who account.Account, ok bool, rehashed string, b session.Browser) (session.Granted, error) {
	var granted session.Granted
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, signin.ErrInvalidCredentials
		now, found, err := tx.LockAccount(ctx, who.ID)
		if err != nil {
			return err
		}
		if !found || !ok || now.CredentialVersion != who.CredentialVersion {
			return tx.Record(ctx, refused(audit.SignInFailed, now.ID, b, "invalid_credentials"))
		}
		state := signin.State{Purpose: signin.SignIn, Account: now, Proofs: []signin.Method{signin.Password}, Browser: b}
		if granted, refusal = signin.Next(state, a.terms(b, tx.Now)); refusal != nil {
			return tx.Record(ctx, refused(audit.SignInFailed, now.ID, b, fault.Of(refusal).Code))
		}
		if err := a.proven(ctx, tx, now); err != nil {
			return err
		}
		if rehashed != "" {
			if err := tx.Rehash(ctx, who.ID, rehashed, who.CredentialVersion); err != nil {
				return err
			}
			if err := tx.Record(ctx, event(audit.PasswordUpgraded, who.ID, b)); err != nil {
				return err
			}
		}
		return a.begin(ctx, tx, granted, b, "")
	})
	return granted, orRefusal(err, refusal)
}

// proven ends the runs of wrong codes against a person and their address: its owner is here.
func (a *Auth) proven(ctx context.Context, tx *store.Tx, who account.Account) error {
	if err := tx.EndRun(ctx, a.addressHash(string(who.ID))); err != nil {
		return err
	}
	if who.Email == "" || !who.EmailVerified {
		return nil
	}
	address, err := account.ParseAddress(who.Email)
	if err != nil {
		return err
	}
	return tx.EndRun(ctx, a.addressHash(address.Key))
}

// PasswordChange is what a person sends to change their password.
type PasswordChange struct {
	Current    string
	New        string
	KeepOthers bool // leave the other sessions alone
}

// ChangePassword replaces the actor's password and, unless told otherwise, ends their
// other sessions. It demands a fresh proof and, where there is a password, that password
// again; an account whose fresh proof was an e-mailed code may set a new one without the
// old. It refuses with reauthentication_required, invalid_credentials, invalid_request,
// session_ended or rate_limited.
func (a *Auth) ChangePassword(ctx context.Context, actor Actor, in PasswordChange, b session.Browser) error {
	who := actor.Account
	if err := a.demandFresh(actor); err != nil {
		return err
	}
	if err := a.Rules.Passwords.Judge("new_password", in.New, who.Email, who.Username, who.FirstName, who.LastName); err != nil {
		return err
	}
	if who.PasswordHash != "" && !provenByMessage(actor.Session) {
		if err := a.proveCurrent(ctx, actor, in.Current, b); err != nil {
			return err
		}
	}
	hashed, err := a.hash(ctx, in.New)
	if err != nil {
		return err
	}
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		fresh, live, err := a.lockActor(ctx, tx, actor)
		if err != nil {
			return err
		}
		if refusal = stale(live, fresh.CredentialVersion == who.CredentialVersion); refusal != nil {
			return nil
		}
		if err := tx.SetPassword(ctx, who.ID, hashed); err != nil {
			return err
		}
		if err := a.endProofs(tx, who.ID); err != nil {
			return err
		}
		if err := tx.Record(ctx, a.eventBy(audit.PasswordChanged, actor, b)); err != nil {
			return err
		}
		if err := a.notice(ctx, tx, fresh, letters.PasswordChanged, session.Session{}, b); err != nil {
			return err
		}
		if in.KeepOthers {
			return nil
		}
		return a.endOthers(ctx, tx, actor, session.EndedByPassword, b)
	})
	return orRefusal(err, refusal)
}

// provenByMessage reports whether the last proof of a session was a code or link that was
// sent to the person: it stands for the old password of whoever has forgotten it.
func provenByMessage(s session.Session) bool {
	by := []signin.Method{signin.EmailCode, signin.EmailLink, signin.PhoneCode, signin.PhoneLink}
	return slices.Contains(by, signin.Method(s.AuthenticatedBy))
}

// stale is the refusal of a deed whose ground has moved while it was judged.
func stale(live, unchanged bool) error {
	switch {
	case !live:
		return session.ErrEnded
	case !unchanged:
		return signin.ErrInvalidCredentials
	}
	return nil
}

// proveCurrent judges the actor's present password. A wrong one is counted and recorded.
func (a *Auth) proveCurrent(ctx context.Context, actor Actor, password string, b session.Browser) error {
	if password == "" {
		return fault.Invalidate("current_password", "required")
	}
	cost, err := a.guess(ctx, a.Now(), actor.Account.ID, "", b)
	if err != nil {
		return err
	}
	ok, err := a.fits(ctx, actor.Account.PasswordHash, password)
	if err != nil {
		cost.GiveBack(ctx, a.Now())
		return err
	}
	if ok {
		cost.GiveBack(ctx, a.Now())
		return nil
	}
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		e := refused(audit.ReauthenticationFailed, actor.Account.ID, b, "invalid_credentials")
		e.Session = actor.Session.ID
		return tx.Record(ctx, e)
	})
	return orRefusal(err, signin.ErrInvalidCredentials)
}

// lockActor reads the actor again under the account's lock. Live is false when the
// session has ended meanwhile.
func (a *Auth) lockActor(ctx context.Context, tx *store.Tx, actor Actor) (who account.Account, live bool, err error) {
	who, found, err := tx.LockAccount(ctx, actor.Account.ID)
	if err != nil || !found {
		return who, false, err
	}
	s, found, err := tx.LockSession(ctx, actor.Session.ID)
	if err != nil || !found {
		return who, false, err
	}
	return who, s.Live(tx.Now, who.Epoch) && !who.Barred(), nil
}

func (a *Auth) eventBy(t audit.Type, actor Actor, b session.Browser) audit.Event {
	e := event(t, actor.Account.ID, b)
	e.Session = actor.Session.ID
	return e
}

// offersOnly reports whether method is one that the account offers.
func offersOnly(who account.Account, method signin.Method) bool {
	return slices.Contains(signin.Offers(who), string(method))
}
