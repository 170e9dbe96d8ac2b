package auth

import (
	"context"
	"net/url"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// Operator is who acts in the deeds of this file, for the record.
const Operator = "operator"

// invitationLife is how long a relay may take to send an invitation; the account itself
// does not end.
const invitationLife = 7 * 24 * time.Hour

// MaxRoles is how many roles a person may have: they travel in every access token.
const MaxRoles = 32

// NewAccount is a person whom an operator adds.
type NewAccount struct {
	Email    string
	Verified bool // the operator vouches for the address
	Invite   bool // write to the address that there is an account
	Username string
	Password string
	Profile  account.Profile
	Roles    []string
}

// CreateAccount adds a person out of band. It refuses with invalid_request,
// email_taken or username_taken.
func (a *Auth) CreateAccount(ctx context.Context, in NewAccount) (account.Account, error) {
	if len(in.Roles) > MaxRoles {
		return account.Account{}, fault.Invalidate("roles", "too_many")
	}
	w, err := a.checkSignUp(SignUp{Email: in.Email, Username: in.Username, Password: in.Password, Profile: in.Profile}, false)
	if err != nil {
		return account.Account{}, err
	}
	if in.Password != "" {
		if w.candidate.PasswordHash, err = a.hash(ctx, in.Password); err != nil {
			return account.Account{}, err
		}
	}
	var who account.Account
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		who = newAccount(w.candidate, tx.Now)
		who.LastSignInAt = time.Time{}
		if len(in.Roles) > 0 {
			who.Roles = in.Roles
		}
		inserted, err := tx.InsertAccount(ctx, who, w.username.Key)
		if err != nil {
			return err
		}
		if !inserted {
			return store.ErrUsernameTaken
		}
		if w.address.Key != "" {
			email := store.Email{
				ID: account.EmailID(secret.ID("eml", tx.Now)), Account: who.ID, Address: w.address, Primary: true, CreatedAt: tx.Now,
			}
			if in.Verified {
				email.VerifiedAt = tx.Now
			}
			who.Email, who.EmailVerified = w.address.Text, in.Verified
			mine, err := tx.InsertEmail(ctx, email)
			if err != nil {
				return err
			}
			if !mine {
				return ErrEmailTaken
			}
		}
		if err := tx.Record(ctx, operatorEvent(audit.AccountCreated, who.ID)); err != nil || !in.Invite {
			return err
		}
		return a.Post.Enqueue(ctx, tx, letters.Letter{
			Template: letters.Invitation, Account: who.ID, Locale: a.locale(who.Locale), To: w.address.Text,
			Path: "/sign-in?login_hint=" + url.QueryEscape(w.address.Text), NotAfter: tx.Now.Add(invitationLife),
		})
	})
	return who, err
}

func operatorEvent(t audit.Type, who account.ID) audit.Event {
	return audit.Event{Type: t, Outcome: audit.Success, Account: who, Actor: Operator}
}

// ErrNoAccount is told to operators who name nobody.
var ErrNoAccount = fault.ErrNotFound.Saying("There is no such person. Name them by id, e-mail address or username.")

// FindAccount finds a person by id, e-mail address or username.
func (a *Auth) FindAccount(ctx context.Context, ref string) (account.Account, error) {
	find := func() (account.Account, bool, error) {
		if secret.HasForm(ref, "usr") {
			return a.Store.AccountByID(ctx, account.ID(ref))
		}
		return a.Store.AccountByIdentifier(ctx, account.ParseIdentifier(ref))
	}
	who, found, err := find()
	if err == nil && !found {
		err = ErrNoAccount
	}
	return who, err
}

// Accounts lists people by id, after the given one.
func (a *Auth) Accounts(ctx context.Context, after account.ID, limit int) ([]account.Account, error) {
	return a.Store.Accounts(ctx, after, limit)
}

// SessionsOf lists a person's newest sessions, ended ones included.
func (a *Auth) SessionsOf(ctx context.Context, id account.ID, limit int) ([]session.Session, error) {
	return a.Store.SessionsOf(ctx, id, limit)
}

// Ban closes an account and ends its sessions at once. Banning twice is no error.
func (a *Auth) Ban(ctx context.Context, id account.ID) error {
	return a.operate(ctx, id, func(tx *store.Tx, who account.Account) error {
		if who.Banned() {
			return nil
		}
		if err := tx.SetBan(ctx, id, tx.Now); err != nil {
			return err
		}
		if err := tx.Record(ctx, operatorEvent(audit.AccountBanned, id)); err != nil {
			return err
		}
		return a.endAll(ctx, tx, id, session.EndedByBan, operatorBrowser)
	})
}

// operatorBrowser stands where there is no browser.
var operatorBrowser = session.Browser{}

// Unban opens an account again; its old sessions stay ended.
func (a *Auth) Unban(ctx context.Context, id account.ID) error {
	return a.operate(ctx, id, func(tx *store.Tx, who account.Account) error {
		if !who.Banned() {
			return nil
		}
		if err := tx.SetBan(ctx, id, time.Time{}); err != nil {
			return err
		}
		return tx.Record(ctx, operatorEvent(audit.AccountUnbanned, id))
	})
}

// SetPassword gives a person a new password and ends their sessions. It refuses with
// invalid_request when the password breaks the rules.
func (a *Auth) SetPassword(ctx context.Context, id account.ID, password string) error {
	who, found, err := a.Store.AccountByID(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return ErrNoAccount
	}
	if err := a.Rules.Passwords.Judge("password", password, who.Email, who.Username, who.FirstName, who.LastName); err != nil {
		return err
	}
	hashed, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.operate(ctx, id, func(tx *store.Tx, _ account.Account) error {
		if err := tx.SetPassword(ctx, id, hashed); err != nil {
			return err
		}
		if err := a.endProofs(tx, id); err != nil {
			return err
		}
		if err := tx.Record(ctx, operatorEvent(audit.PasswordSet, id)); err != nil {
			return err
		}
		return a.endAll(ctx, tx, id, session.EndedByPassword, operatorBrowser)
	})
}

// Forget deletes a person.
func (a *Auth) Forget(ctx context.Context, id account.ID) error {
	return a.operate(ctx, id, func(tx *store.Tx, _ account.Account) error {
		return a.forget(ctx, tx, id, operatorEvent(audit.AccountDeleted, id))
	})
}

// RevokeSession ends anybody's session; not_found if it is not live.
func (a *Auth) RevokeSession(ctx context.Context, id session.ID) error {
	s, found, err := a.Store.SessionByID(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return fault.ErrNotFound.Saying("There is no such session.")
	}
	return a.operate(ctx, s.Account, func(tx *store.Tx, who account.Account) error {
		row, found, err := tx.LockSession(ctx, id)
		if err != nil {
			return err
		}
		if !found || !row.Live(tx.Now, who.Epoch) {
			return fault.ErrNotFound.Saying("That session has ended already.")
		}
		return a.end(ctx, tx, who.ID, id, session.EndedByOperator, operatorBrowser)
	})
}

// operate runs a deed on a person whose row is locked.
func (a *Auth) operate(ctx context.Context, id account.ID, deed func(*store.Tx, account.Account) error) error {
	return a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, found, err := tx.LockAccount(ctx, id)
		if err != nil {
			return err
		}
		if !found {
			return ErrNoAccount
		}
		return deed(tx, who)
	})
}

// Offers lists the proofs with which the actor can prove themselves again.
func Offers(actor Actor) []string { return signin.Offers(actor.Account) }
