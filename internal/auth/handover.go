package auth

import (
	"context"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// ErrLastCredential protects the only way in.
var ErrLastCredential = fault.New(fault.Conflict, "last_credential", "This is your only way to sign in. Add another one first.")

const handoverPrefix = "hnd"

// Destination judges where a request wants its sign-in to lead: see
// oauth.AllowList.Destination.
func (a *Auth) Destination(redirectTo, state, challenge string) (oauth.Destination, error) {
	return a.Rules.Redirects.Destination(redirectTo, state, challenge)
}

// IssueHandover makes the one-time code with which the application at the destination
// fetches its own session for the actor. It refuses with redirect_not_allowed where the
// destination is limen itself.
func (a *Auth) IssueHandover(ctx context.Context, actor Actor, to oauth.Destination, b session.Browser) (secret.Text, error) {
	if !to.Elsewhere() {
		return "", oauth.ErrRedirectNotAllowed
	}
	var code secret.Text
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		who, live, err := a.lockActor(ctx, tx, actor)
		if err != nil {
			return err
		}
		if refusal = stale(live, true); refusal != nil {
			return nil
		}
		id := secret.ID(handoverPrefix, tx.Now)
		code = secret.Text(id + "_" + secret.Token(32).Reveal())
		err = tx.InsertHandover(ctx, store.Handover{
			ID: id, SecretHash: a.Keys.Handovers.Sum([]byte(code)), Account: who.ID, Session: actor.Session.ID,
			RedirectTo: to.RedirectTo(), Challenge: to.Challenge(), Methods: actor.Session.Methods, AAL: actor.Session.AAL,
			AuthenticatedAt: actor.Session.AuthenticatedAt, Epoch: who.Epoch, CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(a.Rules.HandoverLife),
		})
		if err != nil {
			return err
		}
		return tx.Record(ctx, a.eventBy(audit.HandoverIssued, actor, b))
	})
	return code, orRefusal(err, refusal)
}

// ErrHandover is told for every handover code that does not work.
var ErrHandover = fault.New(fault.Unauthenticated, "invalid_code", "This sign-in code has expired or was used already. Start again.")

// RedeemHandover spends a handover code and grants the application a session of its
// own. A code works once, for the redirect and the verifier it was made for, and not
// after its person was signed out everywhere, banned or deleted, or after the password was
// changed. A code that was
// presented with a wrong verifier is spent all the same. It refuses with invalid_code.
func (a *Auth) RedeemHandover(ctx context.Context, code, verifier, redirectTo string, b session.Browser) (session.Granted, error) {
	const n = len(handoverPrefix) + 27
	if len(code) != n+44 || !secret.HasForm(code[:n], handoverPrefix) {
		return session.Granted{}, ErrHandover
	}
	id := code[:n]
	var granted session.Granted
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, ErrHandover
		h, found, err := tx.HandoverByID(ctx, id)
		if err != nil || !found || !a.Keys.Handovers.Fits(h.SecretHash, []byte(code)) {
			return err
		}
		who, found, err := tx.LockAccount(ctx, h.Account)
		if err != nil || !found {
			return err
		}
		spent, err := tx.ConsumeHandover(ctx, h.ID)
		if err != nil {
			return err
		}
		began, _, err := tx.SessionByID(ctx, h.Session)
		if err != nil {
			return err
		}
		sound := spent && h.RedirectTo == redirectTo && oauth.Verify(h.Challenge, verifier) && began.Live(tx.Now, who.Epoch) &&
			!h.CreatedAt.Before(who.PasswordChangedAt)
		if !sound {
			return tx.Record(ctx, refused(audit.HandoverRefused, who.ID, b, "invalid_code"))
		}
		state := signin.State{Purpose: signin.SignIn, Account: who, Proofs: methods(h.Methods), Browser: b, ProvenAt: h.AuthenticatedAt}
		if granted, refusal = signin.Next(state, a.terms(b, tx.Now)); refusal != nil {
			return tx.Record(ctx, refused(audit.HandoverRefused, who.ID, b, fault.Of(refusal).Code))
		}
		e := event(audit.HandoverRedeemed, who.ID, b)
		e.Session = granted.Session().ID
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		return a.begin(ctx, tx, granted, b, "")
	})
	return granted, orRefusal(err, refusal)
}

func methods(names []string) []signin.Method {
	out := make([]signin.Method, len(names))
	for i, n := range names {
		out[i] = signin.Method(n)
	}
	return out
}
