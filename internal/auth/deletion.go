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

// DeleteAccount deletes the actor's account. Every session ends at once. Where a letter
// can reach the person, what is theirs is kept for the grace that the settings allow, and
// the letter's link takes the deletion back; else all is gone at once. It demands a fresh
// proof and refuses with reauthentication_required or session_ended.
func (a *Auth) DeleteAccount(ctx context.Context, actor Actor, b session.Browser) error {
	return a.freshly(ctx, actor, func(tx *store.Tx, who account.Account) (refusal, err error) {
		if a.Rules.DeletionGrace <= 0 || who.Email == "" || !who.EmailVerified || !a.Post.Ready() {
			return nil, a.forget(ctx, tx, who.ID, a.eventBy(audit.AccountDeleted, actor, b))
		}
		return nil, a.closeAccount(ctx, tx, who, actor, b)
	})
}

// closeAccount ends everything of a person but the account itself, and says until when it
// can be kept.
func (a *Auth) closeAccount(ctx context.Context, tx *store.Tx, who account.Account, actor Actor, b session.Browser) error {
	until := tx.Now.Add(a.Rules.DeletionGrace)
	if err := tx.SetDeletion(who.ID, until); err != nil {
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
	token, err := a.newUndoing(tx, undoing{purpose: signin.UndoDeletion, owner: who.ID, until: until})
	if err != nil {
		return err
	}
	facts := a.facts(tx, b)
	facts.Until = until
	return a.Post.Enqueue(ctx, tx, letters.Letter{
		Template: letters.Deletion, Account: who.ID, Locale: a.locale(who.Locale), To: who.Email,
		Path: "/undo/deletion", Token: token, Facts: facts, NotAfter: until,
	})
}

// UndoDeletion keeps an account whose deletion was asked for. It signs nobody in. It
// refuses with link_expired or link_used.
func (a *Auth) UndoDeletion(ctx context.Context, token secret.Text, b session.Browser) error {
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		_, who, _, why, err := a.openUndoing(ctx, tx, token, signin.UndoDeletion, b)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		if err := tx.SetDeletion(who.ID, time.Time{}); err != nil {
			return err
		}
		return tx.Record(ctx, event(audit.AccountDeletionUndone, who.ID, b))
	})
	return orRefusal(err, refusal)
}

// ForgetDue forgets people whose grace is over, at most so many, and returns how many.
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

// forget deletes a person whose row is locked, and tells applications.
func (a *Auth) forget(ctx context.Context, tx *store.Tx, id account.ID, e audit.Event) error {
	if err := tx.DeleteAccount(ctx, id, a.tokensUntil(tx)); err != nil {
		return err
	}
	return tx.Record(ctx, e)
}
