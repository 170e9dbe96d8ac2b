package explorer

import (
	"fmt"
	"slices"
	"time"
)

// judge uses the remedy and asks the oracles.
func (w *world) judge(r *Result) {
	u, ok := w.use(*w.plan.Remedy)
	if r.Judged = ok; !ok || w.over() {
		return
	}
	switch {
	case u.Kind == Keep: // it only cancels
		w.kept(u)
	case w.theft.IsZero():
		w.nothingLost(u)
		w.afterwards(u)
	case u.Kind == EndSessions: // it takes away what the sessions had begun, and nothing else
		if u.Nth == proveInTaken {
			w.staysStale()
			return
		}
		w.thiefTries("access token", "refresh token", "hand-over", "pending contact: status", "pending contact: code", "pending contact: link", "pending contact: resend")
	case w.plan.OwnerFirst:
		w.ownerReturns(u)
		w.thiefTries()
		w.afterwards(u)
	default:
		w.thiefTries()
		w.advance(61 * time.Minute) // what he has guessed closes codes for an hour
		w.ownerReturns(u)
		w.afterwards(u)
	}
}

// kept judges "keep my account", which cancels a deletion and does nothing else.
func (w *world) kept(u used) {
	if w.row.deletion {
		w.violate("2", "the account is still being deleted", "after "+Keep)
	}
	for _, c := range u.before {
		if now, found := w.contact(w.labels[c.value]); !found || now != c {
			w.violate("3", "keeping the account changes a contact", w.labels[c.value])
		}
	}
}

// cut is the instant after which a remedy removes what was verified.
func (u used) cut() time.Time {
	cut := u.incident.Add(-undoLife)
	if cut.Before(u.proof.verified) {
		cut = u.proof.verified
	}
	return cut
}

// judgePurge compares what a remedy has left with the rule: what was verified after the
// cut is no way in, unless the account was created with it; everything else is as it was;
// and what an undo is for is back.
func (w *world) judgePurge(u used) {
	if w.over() {
		return
	}
	for _, c := range u.before {
		label := w.labels[c.value]
		if c.verified.IsZero() || u.link != nil && u.link.gone == label {
			continue
		}
		now, found := w.contact(label)
		verified := found && !now.verified.IsZero()
		stands := verified && !now.verified.After(c.verified) // what was removed may have taken its place
		switch goes := c.verified.After(u.cut()) && c.id != u.proof.id && !slices.Contains(w.created, c.id); {
		case goes && verified && now.id == c.id:
			w.violate("1", "a contact stays that the remedy should take", label+" after "+u.String())
		case goes && !found && u.Kind == Recovery:
			w.violate("3", "a recovery removes a contact instead of unverifying it", label)
		case !goes && !stands:
			w.violate("3", "a remedy takes a contact that it should leave", label+" after "+u.String())
		}
	}
	if by, found := w.contact(u.To); !found || !by.verified.Equal(u.proof.verified) {
		w.violate("2", "the contact that makes a remedy is lost", u.String())
	}
	w.judgeUndo(u)
}

// judgeUndo judges what an undo is for: a removed contact of the owner is back, and the one
// that was primary is primary again.
func (w *world) judgeUndo(u used) {
	if u.Kind != Undo || w.over() {
		return
	}
	if label := u.link.gone; label != "" && own(w.owner, label) {
		i := slices.IndexFunc(w.proofs, func(p proof) bool { return p.label == label && p.until.Equal(u.link.at) })
		if c, there := w.contact(label); i >= 0 && (!there || !c.verified.Equal(w.proofs[i].verified)) {
			w.violate("2", "an undo does not bring back what was removed", label+" after "+u.String())
		}
	}
	was, found := w.contact(u.link.was)
	if found && !was.verified.IsZero() && own(w.owner, u.link.was) && !was.primary {
		w.violate("2", "an undo does not make primary again what was", u.link.was+" after "+u.String())
	}
}

// ownerReturns is oracle 2: the owner signs in, after a recovery where the password is
// gone, and what was 72 h old at the theft is there with its proof times.
func (w *world) ownerReturns(u used) {
	if w.over() {
		return
	}
	if cancels := u.Kind != Recovery && !w.deletion.Before(u.incident); w.row.deletion && cancels {
		w.violate("2", "the account is still being deleted", "after "+u.Kind)
		return
	}
	home := w.browser(w.owner, "back", true)
	if w.row.deletion && !w.keeps(home) {
		w.violate("2", "the owner cannot keep the account", "after "+u.String())
		return
	}
	to := w.values[u.To]
	if !w.signsIn(home, to) && (!w.passwordAgain(home, u) || !w.signsIn(home, to)) {
		w.violate("2", "the owner cannot sign in", "after "+u.Kind+" and a new password")
		return
	}
	w.observe(false)
	w.contactsStand(u)
}

// keeps keeps an account that is being deleted, by a code or by a link.
func (w *world) keeps(b *browser) bool {
	for _, label := range append(ownEmails, "op") {
		if w.keepByCode(b, label) {
			return true
		}
	}
	for _, l := range w.owner.links {
		if l.path == keepPath && !l.used && b.follow(l).ok() {
			return true
		}
	}
	return false
}

func (w *world) signsIn(b *browser, identifier string) bool {
	password := w.owner.password()
	return password != "" && b.signInPassword(identifier, password)
}

// passwordAgain chooses a new password by the contact of the remedy.
func (w *world) passwordAgain(b *browser, u used) bool {
	if isPhone(u.To) {
		t, _ := b.beginSignIn(u.To)
		if t == nil || t.code == "" || !b.entered(b.redeemCode(t), "message") || !b.changePassword("", w.newPassword(w.owner)).ok() {
			w.violate("2", "the owner cannot sign in", "with a code to "+u.To)
			return false
		}
		return true
	}
	t, a := b.beginRecovery(u.To)
	if t == nil || t.code == "" {
		w.violate("2", "the owner cannot recover", fmt.Sprintf("no message: status %d", a.status))
		return false
	}
	w.newPasswordBy(b, &u, t)
	return !w.over()
}

// contactsStand checks that what the owner had verified 72 h before the theft is verified
// with its old proof time, also where the thief has removed it, unless that is 72 h ago.
func (w *world) contactsStand(u used) {
	since := w.theft
	if u.incident.Before(since) {
		since = u.incident // of a message about what the owner did
	}
	for _, p := range w.proofs {
		there := !p.since.After(w.theft) && (p.until.IsZero() || !p.until.Before(w.theft))
		late := !p.until.IsZero() && w.now().Sub(p.until) >= undoLife
		if !own(w.owner, p.label) || p.verified.After(since.Add(-undoLife)) || !there || late {
			continue
		}
		switch c, found := w.contact(p.label); {
		case !found || c.verified.IsZero():
			w.violate("2", "a senior contact is lost", p.label+" after "+u.String())
		case !c.verified.Equal(p.verified):
			w.violate("2", "a proof time has changed", fmt.Sprintf("%s after %s: %s, not %s", p.label, u.String(), c.verified, p.verified))
		}
	}
}

// nothingLost is oracle 3: nobody has stolen anything, so the remedy removes nothing that
// was proven 72 h before the incident, and one code brings back the rest.
func (w *world) nothingLost(u used) {
	for _, c := range u.before {
		label := w.labels[c.value]
		now, found := w.contact(label)
		if c.verified.IsZero() || c.verified.After(u.incident.Add(-undoLife)) {
			continue
		}
		if !found || now.verified.IsZero() {
			w.violate("3", "a contact that was proven for 72 h is lost", label+" after "+u.String())
		}
	}
	back := w.browser(w.owner, "back", false)
	if w.over() || !w.ownerIn(back) && (!w.passwordAgain(back, u) || !w.ownerIn(back)) {
		w.violate("3", "the owner cannot sign in", "after "+u.String())
		return
	}
	w.observe(true)
	for _, c := range u.before {
		label := w.labels[c.value]
		if now, found := w.contact(label); c.verified.IsZero() || found && !now.verified.IsZero() {
			continue
		}
		t, a := back.add(label)
		if t == nil || t.code == "" || !back.confirm(t, byID).ok() {
			w.violate("3", "one code does not bring a contact back", fmt.Sprintf("%s after %s: status %d: %s", label, u.String(), a.status, a.raw))
		}
	}
	w.observe(false)
}
