package auth

import (
	"context"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
)

// Sessions lists the actor's sessions that can still be used, newest first.
func (a *Auth) Sessions(ctx context.Context, actor Actor) ([]session.Session, error) {
	live, err := a.Store.LiveSessions(ctx, actor.Account.ID, a.Now())
	if err != nil {
		return nil, err
	}
	for i, j := 0, len(live)-1; i < j; i, j = i+1, j-1 {
		live[i], live[j] = live[j], live[i]
	}
	return live, nil
}

// EndSession ends one of the actor's sessions. Another person's session, one that has
// ended and one that never was are all not_found. It refuses with session_ended.
func (a *Auth) EndSession(ctx context.Context, actor Actor, id session.ID, b session.Browser) error {
	if !secret.HasForm(string(id), "ses") {
		return fault.ErrNotFound
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
		s, found, err := tx.LockSession(ctx, id)
		if err != nil {
			return err
		}
		if !found || s.Account != who.ID || !s.Live(tx.Now, who.Epoch) {
			refusal = fault.ErrNotFound
			return nil
		}
		return a.end(ctx, tx, who.ID, id, session.EndedByPerson, b)
	})
	return orRefusal(err, refusal)
}

// EndOtherSessions ends every session of the actor but the one that asks. It refuses with
// session_ended: who was ended a moment ago ends nobody.
func (a *Auth) EndOtherSessions(ctx context.Context, actor Actor, b session.Browser) error {
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		_, live, err := a.lockActor(ctx, tx, actor)
		if err != nil {
			return err
		}
		if refusal = stale(live, true); refusal != nil {
			return nil
		}
		return a.endOthers(ctx, tx, actor, session.EndedByPerson, b)
	})
	return orRefusal(err, refusal)
}

// endOthers ends the actor's other sessions. The caller holds the account's lock.
func (a *Auth) endOthers(ctx context.Context, tx *store.Tx, actor Actor, reason string, b session.Browser) error {
	err := tx.EndOtherSessions(ctx, actor.Account.ID, actor.Session.ID, reason, a.tokensUntil(tx))
	if err != nil {
		return err
	}
	e := a.eventBy(audit.SessionEndedAll, actor, b)
	e.Data = map[string]string{"reason": reason, "scope": "others"}
	return tx.Record(ctx, e)
}

// Scope says how far a sign-out reaches.
type Scope string

// The scopes of api.md section 3.
const (
	Local      Scope = "local"
	Others     Scope = "others"
	Everywhere Scope = "everywhere"
)

// SignOut ends the session, the person's other sessions, or all of them at once. It is
// idempotent: a session that has ended already is left as it is.
func (a *Auth) SignOut(ctx context.Context, s session.Session, scope Scope, b session.Browser) error {
	return a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, found, err := tx.LockAccount(ctx, s.Account)
		if err != nil || !found {
			return err
		}
		row, found, err := tx.LockSession(ctx, s.ID)
		if err != nil || !found || !row.Live(tx.Now, who.Epoch) {
			return err
		}
		actor := Actor{Account: who, Session: row}
		switch scope {
		case Everywhere:
			return a.endAll(ctx, tx, who.ID, session.EndedBySignOut, b)
		case Others:
			return a.endOthers(ctx, tx, actor, session.EndedBySignOut, b)
		}
		return a.end(ctx, tx, who.ID, row.ID, session.EndedBySignOut, b)
	})
}

// endAll ends every session of a person. The caller holds the account's lock.
func (a *Auth) endAll(ctx context.Context, tx *store.Tx, owner account.ID, reason string, b session.Browser) error {
	if err := tx.EndAllSessions(ctx, owner, reason, a.tokensUntil(tx)); err != nil {
		return err
	}
	e := event(audit.SessionEndedAll, owner, b)
	e.Data = map[string]string{"reason": reason, "scope": "everywhere"}
	return tx.Record(ctx, e)
}

// Events lists what happened to the actor's account as far as the actor may see it,
// newest first, after the given event. Next continues; it is "" when there is no more.
func (a *Auth) Events(ctx context.Context, actor Actor, after string, limit int) (seen []audit.Event, next string, err error) {
	if after != "" && !secret.HasForm(after, "evt") {
		return nil, "", fault.Invalidate("after", "invalid")
	}
	for {
		batch, err := a.Store.EventsOf(ctx, actor.Account.ID, after, limit)
		if err != nil {
			return nil, "", err
		}
		for _, e := range batch {
			after = e.ID
			if !audit.Types[e.Type].Visible {
				continue
			}
			if seen = append(seen, e); len(seen) == limit {
				return seen, after, nil
			}
		}
		if len(batch) < limit {
			return seen, "", nil
		}
	}
}
