package auth

import (
	"context"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// reviewLife is how long the browser that made a remedy may remove what it has left.
const reviewLife = 10 * time.Minute

// ReviewAttempt is what the browser that made a remedy holds to review the account with.
type ReviewAttempt struct {
	Attempt   secret.Text
	Browser   secret.Text // the value of the attempt cookie
	ExpiresIn time.Duration
}

// Review is what a remedy leaves to its person to judge: the contacts that can still be
// used to sign in and are younger than the one that made the remedy, and those that were
// removed lately.
type Review struct {
	Left    []account.Contact
	Removed []account.Contact
}

// beginReview begins a review where there is something to review.
func (a *Auth) beginReview(ctx context.Context, tx *store.Tx, id account.ID, by account.Contact, plan account.Purge, b session.Browser) (*ReviewAttempt, error) {
	if len(plan.Left)+len(plan.Removed) == 0 {
		return nil, nil
	}
	who, _, err := tx.AccountByID(ctx, id) // as the remedy has left it
	if err != nil {
		return nil, err
	}
	try, value, cookie := a.newAttempt(tx.Now, signin.Review, b)
	try.Account, try.CredentialVersion, try.Subject, try.ExpiresAt = id, who.CredentialVersion, by.ID, tx.Now.Add(reviewLife)
	return &ReviewAttempt{Attempt: value, Browser: cookie, ExpiresIn: reviewLife}, tx.InsertAttempt(ctx, try)
}

// Review lists what the remedy of an attempt has left. It refuses with attempt_expired.
func (a *Auth) Review(ctx context.Context, attempt secret.Text, b session.Browser) (Review, error) {
	return a.review(ctx, attempt, b, func(*store.Tx, account.Account, account.Standing, account.Purge) error { return nil })
}

// RemoveReviewed removes a contact that a remedy has left. Nothing of it comes back: no
// link is sent. It refuses with attempt_expired or not_found.
func (a *Auth) RemoveReviewed(ctx context.Context, attempt secret.Text, id string, b session.Browser) (Review, error) {
	return a.review(ctx, attempt, b, func(tx *store.Tx, who account.Account, s account.Standing, plan account.Purge) error {
		c, found := findContact(plan.Left, id)
		if !found {
			return fault.ErrNotFound
		}
		if err := tx.DropContact(who.ID, c); err != nil {
			return err
		}
		if heir, ok := s.Heir(c); ok {
			if err := tx.SetPrimaryContact(who.ID, heir); err != nil {
				return err
			}
		}
		return tx.Record(ctx, event(audit.ContactRemoved, who.ID, b))
	})
}

// RestoreReviewed puts a contact back that was removed lately, with its old proof time. It
// refuses with attempt_expired or not_found, also when another account has it now.
func (a *Auth) RestoreReviewed(ctx context.Context, attempt secret.Text, id string, b session.Browser) (Review, error) {
	return a.review(ctx, attempt, b, func(tx *store.Tx, who account.Account, s account.Standing, plan account.Purge) error {
		c, found := findContact(plan.Removed, id)
		if !found {
			return fault.ErrNotFound
		}
		if err := a.lockAddress(ctx, tx, c); err != nil {
			return err
		}
		back, err := tx.RestoreContact(ctx, who.ID, c, s.Contacts)
		if err != nil {
			return err
		}
		if !back {
			return fault.ErrNotFound
		}
		if _, ok := s.Primary(c.Channel); !ok {
			if err := tx.SetPrimaryContact(who.ID, c); err != nil {
				return err
			}
		}
		return tx.Record(ctx, event(audit.ContactRestored, who.ID, b))
	})
}

// review opens the attempt of a review, does something with what its remedy has left, and
// lists what is left then.
func (a *Auth) review(ctx context.Context, value secret.Text, b session.Browser, do func(*store.Tx, account.Account, account.Standing, account.Purge) error) (out Review, err error) {
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		out, refusal = Review{}, signin.ErrAttemptExpired
		try, found, err := a.lockAttempt(ctx, tx, value, b)
		if err != nil || !found || try.Purpose != signin.Review {
			return err
		}
		standing, plan, found, err := a.reviewed(ctx, tx, try)
		if err != nil || !found {
			return err
		}
		if err := do(tx, try.who, standing, plan); err != nil {
			return err
		}
		if _, plan, _, err = a.reviewed(ctx, tx, try); err != nil {
			return err
		}
		out, refusal = Review{Left: plan.Left, Removed: plan.Removed}, nil
		return nil
	})
	return out, orRefusal(err, refusal)
}

// reviewed is what a remedy now would leave. Found is false if the contact that made the
// remedy is not the account's any more, or an older one has made another since.
func (a *Auth) reviewed(ctx context.Context, tx *store.Tx, try opened) (s account.Standing, plan account.Purge, found bool, err error) {
	if s, err = tx.Standing(ctx, try.who.ID); err != nil {
		return s, plan, false, err
	}
	by, found := findContact(s.Contacts, try.Subject)
	if !found || !s.Remedy.ProvenAt.Equal(by.VerifiedAt) {
		return s, plan, false, nil
	}
	plan = s.Purge(by, s.Remedy.At, account.Change{})
	plan.Left = s.Younger(by) // also what an undo has brought back
	return s, plan, true, nil
}
