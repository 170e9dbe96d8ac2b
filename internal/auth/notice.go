package auth

import (
	"context"
	"encoding/json"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// undoLife is how long a letter that tells of a change can take it back.
const undoLife = 72 * time.Hour

// undoing is a link that stands in a letter of its own: it belongs to no attempt, so a
// changed password does not end it.
type undoing struct {
	purpose signin.Purpose
	owner   account.ID
	session session.ID
	data    []byte
	until   time.Time
}

// newUndoing writes the link and returns its token.
func (a *Auth) newUndoing(tx *store.Tx, u undoing) (secret.Text, error) {
	id, token := signin.NewLinkToken(tx.Now)
	l := signin.Link{
		ID: id, SecretHash: a.Keys.Links.Sum([]byte(token)), Purpose: u.purpose, Account: u.owner, Session: u.session,
		CreatedAt: tx.Now, ExpiresAt: u.until,
	}
	if u.data != nil {
		l.Sealed = a.Keys.LinkData.Seal(string(id), u.data)
	}
	return token, tx.InsertLink(l)
}

// notice tells a person of something that happened to their account, with the link "this
// was not me". The session, if there is one, is what the link ends; else it ends all.
// People without a proven address, and servers without a relay, go without.
func (a *Auth) notice(ctx context.Context, tx *store.Tx, who account.Account, t letters.Template, s session.Session, b session.Browser) error {
	if who.Email == "" || !who.EmailVerified || !a.Post.Ready() {
		return nil
	}
	told, err := account.ParseAddress(who.Email)
	if err != nil {
		return err
	}
	data, err := json.Marshal(restoring{Text: told.Text, Key: told.Key})
	if err != nil {
		return err
	}
	token, err := a.newUndoing(tx, undoing{
		purpose: signin.NotMe, owner: who.ID, session: s.ID, data: data, until: tx.Now.Add(undoLife),
	})
	if err != nil {
		return err
	}
	return a.Post.Enqueue(ctx, tx, letters.Letter{
		Template: t, Account: who.ID, Locale: a.locale(who.Locale), To: who.Email, Path: "/not-me", Token: token,
		Facts: a.facts(tx, b), NotAfter: tx.Now.Add(undoLife),
	})
}

// NotifyReuse tells a person that a spent refresh token of their session was used at b and
// that the session has ended. The link ends every session: whoever copied that token may
// hold others.
func (a *Auth) NotifyReuse(ctx context.Context, tx *store.Tx, who account.Account, _ session.Session, b session.Browser) error {
	return a.notice(ctx, tx, who, letters.RefreshReused, session.Session{}, b)
}

// facts are what a letter tells of the browser that did it.
func (a *Auth) facts(tx *store.Tx, b session.Browser) letters.Facts {
	f := letters.Facts{When: tx.Now, Device: session.DeviceOf(b.UserAgent).Label(), Place: b.Location}
	if f.Place == "" {
		f.Place = b.IP
	}
	return f
}

// recentSessions is how far back a sign-in looks for the device that it comes from.
const recentSessions = 50

// newDevice reports whether a session comes from a device that its person has not used
// lately: neither with this device secret, nor with the same browser and system from the
// same network, which is how programs come that keep no secret. live are the person's
// sessions that are read already.
func (a *Auth) newDevice(ctx context.Context, tx *store.Tx, who account.Account, s session.Session, live []session.Session) (bool, error) {
	if !who.CreatedAt.Before(tx.Now) {
		return false, nil // the account is as new as its device
	}
	seen := func(all []session.Session) bool {
		for _, old := range all {
			if string(old.DeviceHash) == string(s.DeviceHash) || old.Device == s.Device && network(old.IP) == network(s.IP) {
				return true
			}
		}
		return false
	}
	if seen(live) {
		return false, nil
	}
	older, err := tx.SessionsOf(ctx, who.ID, recentSessions)
	return err == nil && !seen(older), err
}

// openUndoing finds the link of a token that belongs to no attempt, locks its person and
// spends it. The refusal is a value: its evidence is to be committed.
func (a *Auth) openUndoing(ctx context.Context, tx *store.Tx, token secret.Text, purpose signin.Purpose, b session.Browser) (link signin.Link, who account.Account, data []byte, refusal, err error) {
	refusal = signin.ErrLinkExpired
	id, ok := signin.ParseLinkToken(token.Reveal())
	if !ok {
		return link, who, nil, refusal, nil
	}
	link, found, err := tx.LinkByID(ctx, id)
	if err != nil || !found || link.Purpose != purpose || !a.Keys.Links.Fits(link.SecretHash, []byte(token)) {
		return link, who, nil, refusal, err
	}
	if who, found, err = tx.LockAccount(ctx, link.Account); err != nil || !found {
		return link, who, nil, refusal, err
	}
	if link.Sealed != nil {
		if data, err = a.Keys.LinkData.Open(string(link.ID), link.Sealed); err != nil {
			return link, who, nil, nil, err
		}
	}
	used, err := tx.UseLink(ctx, link.ID)
	if err != nil {
		return link, who, nil, nil, err
	}
	if used {
		return link, who, data, nil, nil
	}
	if link, _, err = tx.LinkByID(ctx, id); err != nil {
		return link, who, nil, nil, err
	}
	if refusal = link.Refusal(tx.Now); refusal == nil {
		refusal = signin.ErrLinkExpired
	}
	e := refused(audit.LinkRefused, who.ID, b, "link_used")
	e.Data["purpose"] = string(purpose)
	return link, who, nil, refusal, tx.Record(ctx, e)
}

// NotMe ends the session that a letter told of, or every session where it told of a
// change, and begins a recovery in this browser, by a letter to the address that was told.
// If that still is the person's, it becomes the primary one, and what somebody else may
// have added meanwhile is forgotten: else they would come in again by it. Every other link
// and code ends. It signs nobody in. It refuses with link_expired, link_used or unavailable.
func (a *Auth) NotMe(ctx context.Context, token secret.Text, b session.Browser) (Verification, error) {
	if !a.Post.Ready() {
		return Verification{}, errNoRelay
	}
	var owed *Verification
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		link, who, data, why, err := a.openUndoing(ctx, tx, token, signin.NotMe, b)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		told := restoring{Text: who.Email}
		if data != nil {
			if err := json.Unmarshal(data, &told); err != nil {
				return err
			}
		}
		if err := tx.Record(ctx, event(audit.AccountNotMe, who.ID, b)); err != nil {
			return err
		}
		if link.Session != "" {
			err = a.end(ctx, tx, who.ID, link.Session, session.EndedByPerson, b)
		} else {
			err = a.endAll(ctx, tx, who.ID, session.EndedByPerson, b)
		}
		if err != nil {
			return err
		}
		if err := a.endProofs(tx, who.ID); err != nil {
			return err
		}
		if err := a.returnTo(ctx, tx, who, told, link); err != nil {
			return err
		}
		address, err := account.ParseAddress(told.Text)
		if err != nil {
			refusal = signin.ErrLinkExpired // the address is gone since
			return nil
		}
		owed, err = a.beginRecovery(ctx, tx, address, "", b)
		return err
	})
	if err = orRefusal(err, refusal); err != nil {
		return Verification{}, err
	}
	return *owed, nil
}

// returnTo makes the address that was told the primary one, if it still is the person's,
// and forgets what was proven since it was told. A letter that tells of a change comes
// after what made the change possible: there, the days before count as well.
func (a *Auth) returnTo(ctx context.Context, tx *store.Tx, who account.Account, told restoring, link signin.Link) error {
	since := link.CreatedAt
	if link.Session == "" {
		since = since.Add(-undoLife)
	}
	all, err := tx.EmailsOf(ctx, who.ID)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Address.Key != told.Key || e.VerifiedAt.IsZero() {
			continue
		}
		if err := a.forgetSince(ctx, tx, who, e.ID, since); err != nil {
			return err
		}
		return tx.SetPrimaryEmail(who.ID, e.ID)
	}
	return nil
}

// forgetSince forgets the addresses and numbers that were proven after a moment, but for
// one address, and for what the person signed up with.
func (a *Auth) forgetSince(ctx context.Context, tx *store.Tx, who account.Account, keep account.EmailID, since time.Time) error {
	owner := who.ID
	if since.Before(who.CreatedAt) {
		since = who.CreatedAt
	}
	emails, err := tx.EmailsOf(ctx, owner)
	if err != nil {
		return err
	}
	for _, e := range emails {
		if e.ID == keep || !e.VerifiedAt.After(since) {
			continue
		}
		if err := tx.DeleteEmail(owner, e.ID); err != nil {
			return err
		}
	}
	phones, err := tx.PhonesOf(ctx, owner)
	if err != nil {
		return err
	}
	for _, p := range phones {
		if !p.VerifiedAt.After(since) {
			continue
		}
		if err := tx.DeletePhone(owner, p.ID); err != nil {
			return err
		}
	}
	return nil
}
