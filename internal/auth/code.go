package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// RedeemCode spends the code of a letter and grants a session: the first one of a new
// account, or one more of an existing one. It refuses with attempt_expired, code_incorrect (wrong, expired,
// superseded and decoy codes alike) or too_many_attempts. A refused try is counted and
// recorded all the same, across any number of parallel requests.
func (a *Auth) RedeemCode(ctx context.Context, value secret.Text, code string, b session.Browser) (Outcome, error) {
	granted, err := a.redeemCode(ctx, value, code, b, a.completeSignUp)
	if errors.Is(err, errAddressLost) {
		granted, err = a.redeemCode(ctx, value, code, b, refuseSignUp)
	}
	return Outcome{Granted: granted}, err
}

// completion makes the account of a proven sign-up and grants its first session.
type completion func(context.Context, *store.Tx, signin.Attempt, signin.Method, session.Browser) (session.Granted, error)

// refuseSignUp leaves evidence of a proof that came too late for its address.
func refuseSignUp(context.Context, *store.Tx, signin.Attempt, signin.Method, session.Browser) (session.Granted, error) {
	return session.Granted{}, signin.ErrCodeIncorrect.Left(0)
}

func (a *Auth) redeemCode(ctx context.Context, value secret.Text, code string, b session.Browser, signUp completion) (session.Granted, error) {
	var granted session.Granted
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, signin.ErrAttemptExpired
		try, found, err := a.lockAttempt(ctx, tx, value, b)
		if err != nil || !found || !slices.Contains(signing, try.Purpose) {
			return err
		}
		if refusal = a.mayComplete(try.Attempt, b); refusal != nil {
			return nil
		}
		if refusal, err = a.judgeCode(ctx, tx, try, code, b); err != nil || refusal != nil {
			return err
		}
		if refusal, err = a.overtaken(ctx, tx, try); err != nil || refusal != nil {
			refusal = signin.ErrAttemptExpired // told to whoever knows the code, and nobody else
			return orRefusal(err, a.void(ctx, tx, try, b))
		}
		granted, refusal, err = a.complete(ctx, tx, try, by(try.Channel), b, signUp)
		return err
	})
	return granted, orRefusal(err, refusal)
}

// void ends a sign-in whose ground has moved, such as an address that the person has given
// up since, and leaves evidence.
func (a *Auth) void(ctx context.Context, tx *store.Tx, try opened, b session.Browser) error {
	e := refused(audit.SignInFailed, try.who.ID, b, "overtaken")
	e.Attempt = string(try.ID)
	if err := tx.Record(ctx, e); err != nil {
		return err
	}
	_, err := tx.EndAttempt(ctx, try.ID, signin.OutcomeVoid)
	return err
}

// signing are the purposes that end in a session of their own.
var signing = []signin.Purpose{signin.SignUp, signin.SignIn}

// by is the proof that the code of an attempt gives.
func by(c account.Channel) signin.Method {
	if c == account.ByPhone {
		return signin.PhoneCode
	}
	return signin.EmailCode
}

// mayComplete refuses a sign-up that was begun before new accounts were closed, or closed to
// what it would prove, and a client that names another delivery than the one it began with.
// Nothing is spent by that.
func (a *Auth) mayComplete(try signin.Attempt, b session.Browser) error {
	if try.Purpose == signin.SignUp {
		byPhone := try.Channel == account.ByPhone
		if a.Rules.Closed || byPhone && a.Rules.Domains.Restricted() || !byPhone && !a.Rules.Domains.Admits(try.Address) {
			return signin.ErrSignUpClosed
		}
	}
	if b.Asked != "" && b.Asked != try.Delivery {
		return fault.Invalidate("Limen-Delivery", "different")
	}
	return nil
}
