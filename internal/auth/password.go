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
	ok = ok && !cost.Spent()
	rehashed := ""
	if ok && !who.Barred() && !a.Hashing.Current(who.PasswordHash) {
		if rehashed, err = a.hash(ctx, password); err != nil {
			return Outcome{}, err
		}
	}
	var evidence []audit.Event
	if !ok {
		evidence = a.sprayed(ctx, name.Key, password, b)
	}
	granted, err := a.grantPassword(ctx, who, ok, rehashed, evidence, b)
	if err == nil {
		cost.GiveBack(ctx, a.Now())
	}
	return Outcome{Granted: granted}, err
}

// grantPassword decides with the account's row in hand: the password was judged against
// the credential version that who carries, and only that one counts. A refusal records the
// evidence as well.
func (a *Auth) grantPassword(ctx context.Context, who account.Account, ok bool, rehashed string, evidence []audit.Event, b session.Browser) (session.Granted, error) {
	var granted session.Granted
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, signin.ErrInvalidCredentials
		now, found, err := tx.LockAccount(ctx, who.ID)
		if err != nil {
			return err
		}
		if !found || !ok || now.CredentialVersion != who.CredentialVersion {
			if err := recordAll(ctx, tx, evidence); err != nil {
				return err
			}
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
	if err := tx.EndRun(ctx, a.accountHash(who.ID)); err != nil {
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
// again; an access token whose fresh proof was a code or link from a message may set a new
// one without the old. The grant is the same session with a new generation and a new
// device secret: what was copied of it before is worth nothing. It refuses with
// reauthentication_required, invalid_credentials, invalid_request, session_ended or
// rate_limited.
func (a *Auth) ChangePassword(ctx context.Context, actor Actor, in PasswordChange, b session.Browser) (session.Granted, error) {
	who := actor.Account
	if err := a.demandFresh(actor); err != nil {
		return session.Granted{}, err
	}
	if err := a.Rules.Passwords.Judge("new_password", in.New, who.Email, who.Username, who.FirstName, who.LastName); err != nil {
		return session.Granted{}, err
	}
	if AsksCurrent(actor) {
		if err := a.proveCurrent(ctx, actor, in.Current, b); err != nil {
			return session.Granted{}, err
		}
	}
	hashed, err := a.hash(ctx, in.New)
	if err != nil {
		return session.Granted{}, err
	}
	device := session.NewDeviceSecret(a.Keys.Devices)
	var granted session.Granted
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted = session.Granted{}
		fresh, row, live, err := a.lockActorSession(ctx, tx, actor)
		if err != nil {
			return err
		}
		if refusal = stale(live, fresh.CredentialVersion == who.CredentialVersion); refusal != nil {
			return nil
		}
		terms := signin.Terms{
			Lifetimes: a.Rules.Lifetimes, DeviceHash: a.Keys.DeviceHashes.Sum([]byte(device)), NewDevice: device, Now: tx.Now,
		}
		if granted, refusal = signin.PasswordChanged(fresh, row, actor.Session, terms); refusal != nil {
			return nil
		}
		if err := tx.SetPasswordSince(who.ID, hashed, granted.Session().CutAt); err != nil {
			return err
		}
		if err := tx.UpdateSession(ctx, granted.Session()); err != nil {
			return err
		}
		if err := a.endProofs(tx, who.ID); err != nil {
			return err
		}
		if err := tx.Record(ctx, a.eventBy(audit.PasswordChanged, actor, b)); err != nil {
			return err
		}
		if err := a.notify(ctx, tx, fresh, notification{template: letters.PasswordChanged}, b); err != nil {
			return err
		}
		if !in.KeepOthers {
			if err := a.endOthers(ctx, tx, actor, session.EndedByPassword, b); err != nil {
				return err
			}
		}
		return tx.ForgetDevice(who.ID, row.DeviceHash) // copies of the old secret are a stranger's
	})
	return granted, orRefusal(err, refusal)
}

// AsksCurrent reports whether the actor changes their password with the present one. The
// fresh proof of a code or link that was sent to the person stands for it: it lets those
// back in who have forgotten it. It is the proof of the presented access token that
// counts, so a copy from before the person's step-up sets no password with it.
func AsksCurrent(actor Actor) bool {
	by := []signin.Method{signin.EmailCode, signin.EmailLink, signin.PhoneCode, signin.PhoneLink}
	return actor.Account.PasswordHash != "" && !slices.Contains(by, signin.Method(actor.Session.AuthenticatedBy))
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
	cost, err := a.ownGuess(ctx, actor, rateGuessDevice)
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
// session has ended meanwhile. It fails with unauthenticated when the password has changed
// since the request came in: the access token that let it in is refused from then on.
func (a *Auth) lockActor(ctx context.Context, tx *store.Tx, actor Actor) (who account.Account, live bool, err error) {
	who, _, live, err = a.lockActorSession(ctx, tx, actor)
	if err == nil && live && !who.PasswordChangedAt.Equal(actor.Account.PasswordChangedAt) {
		err = session.ErrUnauthenticated
	}
	return who, live, err
}

// lockActorSession is lockActor with the session's row, and leaves a changed password to
// the caller.
func (a *Auth) lockActorSession(ctx context.Context, tx *store.Tx, actor Actor) (who account.Account, row session.Session, live bool, err error) {
	who, found, err := tx.LockAccount(ctx, actor.Account.ID)
	if err != nil || !found {
		return who, row, false, err
	}
	row, found, err = tx.LockSession(ctx, actor.Session.ID)
	if err != nil || !found {
		return who, row, false, err
	}
	return who, row, row.Live(tx.Now, who.Epoch) && !who.Barred(), nil
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
