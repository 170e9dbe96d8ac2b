package auth

import (
	"context"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// keepLife is how long the browser that has proven a contact may keep the account.
const keepLife = 10 * time.Minute

// DeleteAccount deletes the actor's account. Every session ends at once. Where a message
// can reach the person, the account is kept for the grace that the settings allow, and
// every senior contact gets a link that cancels the deletion; else all is gone at once. It
// demands a fresh proof and refuses with reauthentication_required or session_ended.
func (a *Auth) DeleteAccount(ctx context.Context, actor Actor, b session.Browser) error {
	return a.freshly(ctx, actor, func(tx *store.Tx, who account.Account) (refusal, err error) {
		s, err := tx.Standing(ctx, who.ID)
		if err != nil {
			return nil, err
		}
		if a.Rules.DeletionGrace <= 0 || !a.reachable(s) {
			return nil, a.forget(ctx, tx, who.ID, a.eventBy(audit.AccountDeleted, actor, b))
		}
		return nil, a.closeAccount(ctx, tx, who, s, actor, b)
	})
}

// reachable reports whether a message can be sent to a verified contact, or to one that was
// removed lately: removing the last one must not make a deletion final at once.
func (a *Auth) reachable(s account.Standing) bool {
	contacts := s.Informed(true)
	for _, r := range s.Removals {
		contacts = append(contacts, r.Contact)
	}
	for _, c := range contacts {
		if c.Channel == account.ByEmail && a.Post.Ready() || c.Channel == account.ByPhone && a.canText(c) {
			return true
		}
	}
	return false
}

// DeletionGrace reports whether the actor's deletion could be canceled for a while.
func (a *Auth) DeletionGrace(who account.Account) bool {
	byPhone := account.Contact{Channel: account.ByPhone, Address: account.Address{Key: who.Phone}}
	return a.Rules.DeletionGrace > 0 && (who.EmailVerified && a.Post.Ready() || who.Phone != "" && a.canText(byPhone))
}

// closeAccount ends everything of a person but the account itself, and tells every
// contact until when it can be kept: also the senior ones that the person removed lately,
// because whoever deletes the account may have removed them first.
func (a *Auth) closeAccount(ctx context.Context, tx *store.Tx, who account.Account, s account.Standing, actor Actor, b session.Browser) error {
	until := tx.Now.Add(a.Rules.DeletionGrace)
	if err := tx.SetDeletion(who.ID, until, s.SeniorProof(tx.Now)); err != nil {
		return err
	}
	if err := a.endProofs(tx, who.ID); err != nil {
		return err
	}
	if err := tx.EndAllSessions(ctx, who.ID, session.EndedByDeletion, a.tokensUntil(tx)); err != nil {
		return err
	}
	if err := tx.Record(ctx, a.eventBy(audit.AccountDeletionRequested, actor, b)); err != nil {
		return err
	}
	n := notification{template: letters.Deletion, undo: signin.UndoDeletion, until: until, numbersToo: true}
	for _, r := range s.Removals {
		n.also = append(n.also, r.Contact)
	}
	return a.notify(ctx, tx, who, n, b)
}

// UndoDeletion cancels the deletion of an account with the link of the message about it.
// It does nothing else, and signs nobody in. It refuses with link_expired or link_used.
func (a *Auth) UndoDeletion(ctx context.Context, token secret.Text, b session.Browser) error {
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, _, why, err := a.openReport(ctx, tx, token, []signin.Purpose{signin.UndoDeletion}, b)
		if refusal = why; err != nil || refusal != nil || !who.Deleting() {
			return err
		}
		if err := a.cancelDeletion(ctx, tx, who.ID, b); err != nil {
			return err
		}
		return a.notify(ctx, tx, who, notification{template: letters.Kept, seniorOnly: true, numbersToo: true}, b)
	})
	return orRefusal(err, refusal)
}

func (a *Auth) cancelDeletion(ctx context.Context, tx *store.Tx, id account.ID, b session.Browser) error {
	if err := tx.CancelDeletion(id); err != nil {
		return err
	}
	return tx.Record(ctx, event(audit.AccountDeletionUndone, id, b))
}

// offerKeeping lets the browser that has just proven a contact keep an account that is
// being deleted: with an attempt, if the contact was senior when the deletion was asked
// for. The refusal is that of the sign-in.
func (a *Auth) offerKeeping(ctx context.Context, tx *store.Tx, try opened, by signin.Method, b session.Browser) (refusal, err error) {
	refusal = signin.ErrAccountDeleting.WithDeletion(try.who.DeleteAt, "")
	s, err := tx.Standing(ctx, try.who.ID)
	if err != nil {
		return nil, err
	}
	_, seniorProof, err := tx.Deletion(ctx, try.who.ID)
	if err != nil {
		return nil, err
	}
	c, found := s.Find(try.Channel, try.Address.Key)
	if !found || c.VerifiedAt.After(seniorProof) {
		return refusal, nil
	}
	keep, value, _ := a.newAttempt(tx.Now, signin.Keep, b)
	keep.Account, keep.CredentialVersion, keep.Proofs = try.who.ID, try.who.CredentialVersion, []signin.Method{by}
	keep.ExpiresAt = tx.Now.Add(keepLife)
	if err := tx.InsertAttempt(ctx, keep); err != nil {
		return nil, err
	}
	return signin.ErrAccountDeleting.WithDeletion(try.who.DeleteAt, value.Reveal()), nil
}

// KeepAccount cancels the deletion of an account, once, for the browser that has proven a
// contact which was senior when the deletion was asked for, and signs it in. Every senior
// contact is told. It refuses with attempt_expired or account_banned.
func (a *Auth) KeepAccount(ctx context.Context, value secret.Text, b session.Browser) (session.Granted, error) {
	var granted session.Granted
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, signin.ErrAttemptExpired
		try, found, err := a.lockAttempt(ctx, tx, value, b)
		if err != nil || !found || try.Purpose != signin.Keep || !try.who.Deleting() || try.CredentialVersion != try.who.CredentialVersion {
			return err
		}
		if refusal = a.mayComplete(try.Attempt, b); refusal != nil {
			return nil
		}
		if _, err := tx.EndAttempt(ctx, try.ID, signin.OutcomeComplete); err != nil {
			return err
		}
		b, who := b.As(try.Delivery), try.who
		who.DeleteAt = time.Time{}
		state := signin.State{Purpose: signin.SignIn, Account: who, Proofs: try.Proofs, Browser: b}
		if granted, refusal = signin.Next(state, a.terms(b, tx.Now)); refusal != nil {
			return nil
		}
		if err := a.cancelDeletion(ctx, tx, try.who.ID, b); err != nil {
			return err
		}
		if err := a.begin(ctx, tx, granted, b, try.ID); err != nil {
			return err
		}
		return a.notify(ctx, tx, try.who, notification{template: letters.Kept, seniorOnly: true, numbersToo: true}, b)
	})
	return granted, orRefusal(err, refusal)
}

// ForgetDue deletes accounts whose grace is over, at most so many, and returns how many.
func (a *Auth) ForgetDue(ctx context.Context, most int) (int, error) {
	due, err := a.Store.DueDeletions(ctx, a.Now(), most)
	if err != nil {
		return 0, err
	}
	for n, id := range due {
		err := a.Store.Tx(ctx, func(tx *store.Tx) error {
			who, found, err := tx.LockAccount(ctx, id)
			if err != nil || !found || who.DeleteAt.IsZero() || tx.Now.Before(who.DeleteAt) {
				return err // undone in the last moment
			}
			e := audit.Event{Type: audit.AccountDeleted, Outcome: audit.Success, Account: id, Actor: string(id)}
			return a.forget(ctx, tx, id, e)
		})
		if err != nil {
			return n, err
		}
	}
	return len(due), nil
}

// forget deletes an account whose row is locked, and tells applications.
func (a *Auth) forget(ctx context.Context, tx *store.Tx, id account.ID, e audit.Event) error {
	if err := tx.DeleteAccount(ctx, id, a.tokensUntil(tx)); err != nil {
		return err
	}
	return tx.Record(ctx, e)
}
