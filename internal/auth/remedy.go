package auth

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// Remedied is how a remedy goes on.
type Remedied struct {
	// Recovery was sent to the contact that made the remedy, for a new password; nil where
	// no message can be sent.
	Recovery *Verification
	// Review lists what else could be somebody else's; nil if there is nothing.
	Review *ReviewAttempt
}

// NotMe answers "this wasn't me" in a message. A senior contact makes a remedy against
// what the message was about; a junior one ends the sessions that began after its proof.
// Either way a recovery begins in this browser, for the contact that was informed. Nobody
// is signed in. It refuses with link_expired or link_used.
func (a *Auth) NotMe(ctx context.Context, token secret.Text, b session.Browser) (Remedied, error) {
	return a.remedy(ctx, token, b, audit.AccountNotMe, signin.NotMe, signin.UndoChange, signin.UndoDeletion)
}

// UndoChange reverses the change of a contact that a message announced: what was removed
// comes back with its old proof time, and what was primary is primary again. It is a
// remedy against the change. It refuses with link_expired or link_used.
func (a *Auth) UndoChange(ctx context.Context, token secret.Text, b session.Browser) (Remedied, error) {
	return a.remedy(ctx, token, b, audit.ChangeUndone, signin.UndoChange)
}

func (a *Auth) remedy(ctx context.Context, token secret.Text, b session.Browser, kind audit.Type, purposes ...signin.Purpose) (out Remedied, err error) {
	b.Attempt = a.attemptCookie(b) // recovery and review share it
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		out = Remedied{}
		who, r, why, err := a.openReport(ctx, tx, token, purposes, b)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		c, found, err := a.reportedBy(ctx, tx, who, r, kind == audit.ChangeUndone)
		if err != nil {
			return err
		}
		if !found {
			refusal = signin.ErrLinkExpired
			return nil
		}
		if err := tx.Record(ctx, event(kind, who.ID, b)); err != nil {
			return err
		}
		if c.senior {
			out.Review, err = a.makeRemedy(ctx, tx, who, c, r, b)
		} else {
			err = tx.EndSessionsSince(ctx, who.ID, c.by.VerifiedAt, session.EndedByRemedy, a.tokensUntil(tx))
		}
		if err != nil {
			return err
		}
		out.Recovery, err = a.recoverBy(ctx, tx, who.ID, c.by, b)
		return err
	})
	return out, orRefusal(err, refusal)
}

// openReport spends the link of a notification and locks its account. The refusal is a
// value: its evidence is to be committed.
func (a *Auth) openReport(ctx context.Context, tx *store.Tx, token secret.Text, purposes []signin.Purpose, b session.Browser) (who account.Account, r report, refusal, err error) {
	refusal = signin.ErrLinkExpired
	link, found, err := a.linkOf(ctx, tx.LinkByID, token, purposes...)
	if err != nil || !found {
		return who, r, refusal, err
	}
	if who, found, err = tx.LockAccount(ctx, link.Account); err != nil || !found {
		return who, r, refusal, err
	}
	used, err := tx.UseLink(ctx, link.ID)
	if err != nil {
		return who, r, nil, err
	}
	if used {
		data, err := a.Keys.LinkData.Open(string(link.ID), link.Sealed)
		if err != nil {
			return who, r, nil, err
		}
		return who, r, nil, json.Unmarshal(data, &r)
	}
	if link, _, err = tx.LinkByID(ctx, link.ID); err != nil {
		return who, r, nil, err
	}
	if refusal = link.Refusal(tx.Now); refusal == nil {
		refusal = signin.ErrLinkExpired
	}
	e := refused(audit.LinkRefused, who.ID, b, "link_used")
	e.Data["purpose"] = string(link.Purpose)
	return who, r, refusal, tx.Record(ctx, e)
}

// claim is a remedy that somebody asks for: by which contact of which account.
type claim struct {
	standing account.Standing
	by       account.Contact
	senior   bool
	undone   account.Change
}

// reportedBy finds the contact that a report was sent to. A senior one that its person has
// removed lately comes back with its old proof time: the message about the removal, which
// lies in the same mailbox, could bring it back as well. So does the contact whose removal
// is undone, unless another account has verified its address since. Found is false if the
// contact that the report was sent to is not the account's any more, or not to be had.
func (a *Auth) reportedBy(ctx context.Context, tx *store.Tx, who account.Account, r report, undo bool) (c claim, found bool, err error) {
	if c.standing, err = tx.Standing(ctx, who.ID); err != nil {
		return c, false, err
	}
	var back []account.Contact
	c.by, found = findContact(c.standing.Contacts, r.Contact)
	for _, removal := range c.standing.Removals {
		switch {
		case removal.ID == r.Contact:
			c.by, found = removal.Contact, true
			back = append(back, removal.Contact)
		case undo && removal.ID == r.Change.Removed:
			back = append(back, removal.Contact)
		}
	}
	if !found || !c.by.Verified() {
		return c, false, nil
	}
	if undo {
		c.undone = r.Change
	}
	if c.senior = r.Senior && c.standing.Senior(c.by, tx.Now); !c.senior {
		_, kept := findContact(c.standing.Contacts, r.Contact)
		return c, kept, nil
	}
	for _, contact := range back {
		if err := a.lockAddress(ctx, tx, contact); err != nil {
			return c, false, err
		}
		ok, err := tx.RestoreContact(ctx, who.ID, contact, c.standing.Contacts)
		if err != nil || !ok && contact.ID == r.Contact {
			return c, false, err
		}
	}
	c.standing, err = tx.Standing(ctx, who.ID)
	return c, true, err
}

func findContact(all []account.Contact, id string) (account.Contact, bool) {
	i := slices.IndexFunc(all, func(c account.Contact) bool { return c.ID == id })
	if i < 0 {
		return account.Contact{}, false
	}
	return all[i], true
}

// lockAddress takes the lock of everything that is begun for an address or number.
func (a *Auth) lockAddress(ctx context.Context, tx *store.Tx, c account.Contact) error {
	_, err := tx.LockBudget(ctx, a.addressHash(c.Address.Key))
	return err
}

// makeRemedy carries out a remedy by a senior contact.
func (a *Auth) makeRemedy(ctx context.Context, tx *store.Tx, who account.Account, c claim, r report, b session.Browser) (*ReviewAttempt, error) {
	plan := c.standing.Purge(c.by, r.At, c.undone)
	if err := a.purge(ctx, tx, who, c.by, plan, "", b); err != nil {
		return nil, err
	}
	if err := a.keepSince(ctx, tx, who, r.At, b); err != nil {
		return nil, err
	}
	if err := a.notify(ctx, tx, who, notification{template: letters.Secured, except: c.by.ID}, b); err != nil {
		return nil, err
	}
	return a.beginReview(ctx, tx, who.ID, c.by, plan, b)
}

// purge carries out what a remedy decided, for undo, "this wasn't me" and recovery alike.
// With a new password the remedy is a recovery: suspects become unverified. Without one
// the password goes, and so do the suspects.
func (a *Auth) purge(ctx context.Context, tx *store.Tx, who account.Account, by account.Contact, plan account.Purge, hashed string, b session.Browser) error {
	if err := a.endProofs(tx, who.ID); err != nil {
		return err
	}
	if err := tx.EndLinksSentTo(who.ID, by.VerifiedAt); err != nil {
		return err
	}
	password, demote, reason := tx.RemovePassword, tx.DropContact, session.EndedByRemedy
	if hashed != "" {
		password = func(id account.ID) error { return tx.SetPassword(ctx, id, hashed) }
		demote, reason = tx.UnverifyContact, session.EndedByPassword
	}
	if err := password(who.ID); err != nil {
		return err
	}
	for _, c := range plan.Suspects {
		if err := demote(who.ID, c); err != nil {
			return err
		}
	}
	for _, c := range plan.Forgotten {
		if err := tx.ForgetRemoval(who.ID, c.ID); err != nil {
			return err
		}
	}
	for _, c := range plan.Primary {
		if err := tx.SetPrimaryContact(who.ID, c); err != nil {
			return err
		}
	}
	if err := a.endAll(ctx, tx, who.ID, reason, b); err != nil {
		return err
	}
	if err := tx.ForgetDevices(who.ID); err != nil {
		return err
	}
	return tx.SetRemedy(who.ID, by.VerifiedAt)
}

// keepSince cancels a deletion that was asked for at an instant or later.
func (a *Auth) keepSince(ctx context.Context, tx *store.Tx, who account.Account, incident time.Time, b session.Browser) error {
	if !who.Deleting() {
		return nil
	}
	requested, _, err := tx.Deletion(ctx, who.ID)
	if err != nil || requested.Before(incident) {
		return err
	}
	return a.cancelDeletion(ctx, tx, who.ID, b)
}

// recoverBy begins a recovery for a verified contact of an account, in this browser. It
// returns nil where no message can reach the contact.
func (a *Auth) recoverBy(ctx context.Context, tx *store.Tx, id account.ID, c account.Contact, b session.Browser) (*Verification, error) {
	if c.Channel == account.ByEmail && !a.Post.Ready() || c.Channel == account.ByPhone && !a.canText(c) {
		return nil, nil
	}
	who, _, err := tx.AccountByID(ctx, id) // as the remedy has left it
	if err != nil || who.Banned() {
		return nil, err
	}
	if err := a.lockAddress(ctx, tx, c); err != nil {
		return nil, err
	}
	try, value, cookie := a.newAttempt(tx.Now, signin.Recover, b)
	try.Account, try.CredentialVersion, try.Channel, try.Address = id, who.CredentialVersion, c.Channel, c.Address
	try.Locale = a.locale(who.Locale)
	return a.send(ctx, tx, try, c.Address.Text, value, cookie, b, audit.RecoveryRequested)
}
