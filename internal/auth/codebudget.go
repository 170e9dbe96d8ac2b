package auth

import (
	"context"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// budgets are what bounds the wrong codes of an attempt. Attempts that were begun on a
// known device have budgets of their own, so that strangers who guess close nothing for
// them: without that, a hundred wrong codes shut out a person who has only a number.
type budgets struct {
	// own is of the address or number, overall of the account over all that it has. Where
	// only overall is used up every code is wrong, so that no answer ties two addresses to
	// one account.
	own, overall factor.Budget

	ownKey, overallKey string
	// known says that these are those of known devices.
	known bool
}

// lockBudgets reads the budgets of an attempt and holds their rows. The row of the address
// is the address's lock, so it is held in any case.
func (a *Auth) lockBudgets(ctx context.Context, tx *store.Tx, try signin.Attempt) (b budgets, err error) {
	b.ownKey, b.overallKey = a.addressHash(try.Address.Key), a.overallKey(try)
	if b.own, err = tx.LockBudget(ctx, b.ownKey); err != nil {
		return b, err
	}
	if b.known = try.Known() && try.Account != ""; b.known {
		b.ownKey = a.addressHash("known|" + string(try.Account) + "|" + try.Address.Key)
		b.overallKey = a.addressHash("known|" + string(try.Account))
		if b.own, err = tx.LockBudget(ctx, b.ownKey); err != nil {
			return b, err
		}
	}
	b.overall, err = tx.LockBudget(ctx, b.overallKey)
	return b, err
}

// overallKey stands for the account of an attempt in the budgets of strangers. An attempt
// that leads to nobody has a budget of the same kind, which costs the same.
func (a *Auth) overallKey(try signin.Attempt) string {
	if try.Account == "" {
		return a.addressHash("nobody|" + try.Address.Key)
	}
	return a.accountHash(try.Account)
}

// judgeCode spends one try of the attempt on a code and records it. The refusal is a
// value: counters and evidence are to be committed with it.
func (a *Auth) judgeCode(ctx context.Context, tx *store.Tx, try opened, code string, b session.Browser) (refusal, err error) {
	if try.Tries >= factor.CodeTries { // its five wrong codes are on record
		return signin.ErrTooManyAttempts.After(try.ResendIn(tx.Now, a.Rules.ResendAfter)), nil
	}
	if !try.own.Open(tx.Now) {
		if err := setBudgets(ctx, tx, try, try.own.Settled(tx.Now), try.overall.Settled(tx.Now)); err != nil {
			return nil, err
		}
		return signin.ErrTooManyAttempts.After(try.own.ClosedFor(tx.Now)), tx.Record(ctx, wrongCode(audit.CodeBudgetSpent, try.Attempt, b))
	}
	kind, fits := audit.CodeWrong, false
	if !try.overall.Open(tx.Now) {
		kind = audit.CodeBudgetSpent
	} else if try.CodeHash != nil {
		digits, _ := factor.ReadDigits(code, factor.CodeDigits) // what is no code fits nothing, at the same cost
		fits = a.Keys.Codes.Fits(try.CodeHash, []byte(digits), []byte(try.ID), []byte(try.Purpose))
	}
	verdict := try.Challenge().Judge(fits, tx.Now)
	if verdict.OK {
		return nil, a.countRight(ctx, tx, try)
	}
	if err := tx.CountTry(ctx, try.ID, verdict.Next.Tries); err != nil {
		return nil, err
	}
	own, overall := try.own.Wrong(tx.Now), try.overall.Wrong(tx.Now)
	if try.known { // only the hour bounds it: no sign-in by another proof would end its run
		own, overall = own.Right(), overall.Right()
	}
	if err := setBudgets(ctx, tx, try, own, overall); err != nil {
		return nil, err
	}
	return signin.ErrCodeIncorrect.Left(verdict.TriesLeft), tx.Record(ctx, wrongCode(kind, try.Attempt, b))
}

// countRight ends the runs of wrong codes, those of strangers too.
func (a *Auth) countRight(ctx context.Context, tx *store.Tx, try opened) error {
	if err := a.countVerified(ctx, tx, try.Attempt); err != nil {
		return err
	}
	if try.known {
		return a.endRuns(ctx, tx, try.Attempt)
	}
	return setBudgets(ctx, tx, try, try.own.Right(), try.overall.Right())
}

func setBudgets(ctx context.Context, tx *store.Tx, try opened, own, overall factor.Budget) error {
	if err := tx.SetBudget(ctx, try.ownKey, own); err != nil {
		return err
	}
	return tx.SetBudget(ctx, try.overallKey, overall)
}

// endRuns ends the runs of wrong codes: the owner of the address is here.
func (a *Auth) endRuns(ctx context.Context, tx *store.Tx, try signin.Attempt) error {
	if err := tx.EndRun(ctx, a.addressHash(try.Address.Key)); err != nil {
		return err
	}
	return tx.EndRun(ctx, a.overallKey(try))
}
