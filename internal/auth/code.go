package auth

import (
	"context"
	"errors"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// RedeemCode spends the code of a sign-up's letter and grants the first session of the
// new account. It refuses with attempt_expired, code_incorrect (wrong, expired,
// superseded and decoy codes alike) or too_many_attempts. A refused try is counted and
// recorded all the same, across any number of parallel requests.
func (a *Auth) RedeemCode(ctx context.Context, value secret.Text, code string, b session.Browser) (Outcome, error) {
	granted, err := a.redeemCode(ctx, value, code, b, a.completeSignUp)
	if errors.Is(err, errAddressLost) {
		granted, err = a.redeemCode(ctx, value, code, b, refuseSignUp)
	}
	return Outcome{Granted: granted}, err
}

type completion func(context.Context, *store.Tx, signin.Attempt, session.Browser) (session.Granted, error)

// refuseSignUp leaves evidence of a proof that came too late for its address.
func refuseSignUp(context.Context, *store.Tx, signin.Attempt, session.Browser) (session.Granted, error) {
	return session.Granted{}, signin.ErrCodeIncorrect.Left(0)
}

func (a *Auth) redeemCode(ctx context.Context, value secret.Text, code string, b session.Browser, complete completion) (session.Granted, error) {
	var granted session.Granted
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, signin.ErrAttemptExpired
		try, found, err := a.lockAttempt(ctx, tx, value, b)
		if err != nil || !found || try.Purpose != signin.SignUp {
			return err
		}
		if refusal = a.mayComplete(try.Attempt, b); refusal != nil {
			return nil
		}
		if refusal, err = a.judgeCode(ctx, tx, try, code, b); err != nil || refusal != nil {
			return err
		}
		granted, err = complete(ctx, tx, try.Attempt, b.As(try.Delivery))
		outcome := signin.OutcomeComplete
		if errors.Is(err, signin.ErrCodeIncorrect) {
			refusal, outcome, err = err, signin.OutcomeRefused, tx.Record(ctx, wrongCode(audit.CodeWrong, try.Attempt, b))
		}
		if err != nil {
			return err
		}
		_, err = tx.EndAttempt(ctx, try.ID, outcome)
		return err
	})
	return granted, orRefusal(err, refusal)
}

// mayComplete refuses a sign-up that was begun before new accounts were closed, and a
// client that names another delivery than the one it began with. Nothing is spent by that.
func (a *Auth) mayComplete(try signin.Attempt, b session.Browser) error {
	if a.Rules.Closed {
		return signin.ErrSignUpClosed
	}
	if b.Asked != "" && b.Asked != try.Delivery {
		return fault.Invalidate("Limen-Delivery", "different")
	}
	return nil
}
