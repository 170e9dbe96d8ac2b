package explorer

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// ownEmails are the owner's addresses.
var ownEmails = []string{"o1", "o2", "o3"}

// reached lists the remedies that have reached a senior contact of the owner: links that
// were sent to it while it was senior and that still work, recovery by one that is senior
// now, and a code to one that was senior when the deletion was asked for.
func (w *world) reached() (out []Remedy) {
	counts := map[string]int{}
	for _, l := range w.owner.links {
		kind, is := remedyPaths[l.path]
		if !is {
			continue
		}
		nth := counts[kind+l.to]
		counts[kind+l.to]++
		if _, may := w.claimant(l); !l.used && w.unexpired(l) && (may || kind == Keep && w.mayKeep(l)) {
			out = append(out, Remedy{Kind: kind, To: l.to, Nth: nth})
		}
	}
	for _, label := range ownEmails {
		if w.seniorNow(label) {
			out = append(out, Remedy{Kind: Recovery, To: label})
		}
	}
	if w.row.deletion {
		for _, label := range append(ownEmails, "op") {
			if w.keeper(label) {
				out = append(out, Remedy{Kind: Keep, To: label, Nth: byCode})
			}
		}
	}
	if w.theft.IsZero() || w.row.deletion && !slices.ContainsFunc(append(ownEmails, "op"), w.keeper) {
		return out
	}
	for n := range endings {
		if n < changeInTaken || w.taken() != nil && !w.row.deletion {
			out = append(out, Remedy{Kind: EndSessions, Nth: n})
		}
	}
	return out
}

// mayKeep reports whether the link of a deletion cancels it: it was sent to a senior
// contact, which may have been removed since, and no remedy has ended it.
func (w *world) mayKeep(l *link) bool {
	p, found := w.proofAt(l.to, l.at)
	return found && w.senior(p, l.at) && w.alive(l, p)
}

// keeper reports whether a code to a contact lets an account be kept that is being deleted:
// it was senior when the deletion was asked for, and is verified.
func (w *world) keeper(label string) bool {
	p, found := w.proven(label)
	return found && !w.deletion.IsZero() && !p.since.After(w.deletion) && w.senior(p, w.deletion)
}

// drawRemedy draws one of what has reached the owner; each kind is as likely, and the
// newest messages more than the older ones.
func (w *world) drawRemedy() *Remedy {
	all := w.reached()
	var kinds []string
	for _, r := range all {
		if !slices.Contains(kinds, r.Kind) {
			kinds = append(kinds, r.Kind)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	kind := w.plan.Aim[1]
	if !slices.Contains(kinds, kind) {
		kind = pick(&w.dice, kinds)
	}
	all = slices.DeleteFunc(all, func(r Remedy) bool { return r.Kind != kind })
	r := pick(&w.dice, all)
	if last := all[len(all)-1]; kind != EndSessions && w.dice.chance(50) {
		r = last
	}
	r.Onward = (kind == NotMe || kind == Undo) && w.dice.chance(50)
	return &r
}

// ownerLink finds the link of a remedy.
func (w *world) ownerLink(r Remedy) *link {
	n := 0
	for _, l := range w.owner.links {
		if remedyPaths[l.path] == r.Kind && l.to == r.To {
			if n == r.Nth {
				return l
			}
			n++
		}
	}
	return nil
}

// used is a remedy that the owner has used: the contact that made it, with its proof, and
// the incident that it is against.
type used struct {
	Remedy
	proof    proof
	incident time.Time
	before   []contactRow // the contacts before it
	serial   int          // of the newest link before it
	link     *link        // that was pressed
	password bool         // it set a new password
}

// use does what the remedy says. It reports false where the plan's remedy is none here,
// which happens to plans that are played again without some of their steps.
func (w *world) use(r Remedy) (u used, ok bool) {
	if !slices.ContainsFunc(w.reached(), func(o Remedy) bool { return o.Kind == r.Kind && o.To == r.To && o.Nth == r.Nth }) {
		return u, false
	}
	u = used{Remedy: r, before: slices.Clone(w.row.contacts), incident: w.now(), serial: w.serial}
	b := w.browser(w.owner, "remedy", true)
	switch {
	case r.Kind == EndSessions:
		return u, w.endSessions(r)
	case r.Nth == byCode:
		if !w.keepByCode(b, r.To) {
			w.violate("2", "a senior contact cannot keep the account", r.To)
		}
		w.observe(true)
	case r.Kind == Recovery:
		u.proof, _ = w.proven(r.To)
		t, a := b.beginRecovery(r.To)
		if t == nil || t.code == "" {
			w.violate("2", "a recovery by a senior contact is not sent", fmt.Sprintf("status %d: %s", a.status, a.raw))
			return u, true
		}
		w.newPasswordBy(b, &u, t)
	default:
		w.press(b, &u)
	}
	return u, true
}

// press uses the link of a remedy, reviews what it has left and, where the person goes on,
// chooses a new password with the code that came.
func (w *world) press(b *browser, u *used) {
	u.link = w.ownerLink(u.Remedy)
	u.proof, _ = w.claimant(u.link)
	u.incident = u.link.at
	a := b.follow(u.link)
	if !a.ok() {
		w.violate("2", "the link of a senior contact is refused: "+u.link.path, fmt.Sprintf("status %d", a.status))
		return
	}
	if u.Kind == Keep {
		w.observe(true)
		return
	}
	w.remedies = append(w.remedies, remedied{at: w.now(), proof: u.proof.verified, serial: u.serial})
	w.observe(true)
	review, recovery := b.landed(a, u.To)
	w.judgePurge(*u)
	w.review(b, review)
	if recovery == nil || recovery.code == "" {
		w.violate("2", "the page leads on without a code", u.link.path)
	} else if u.Onward {
		w.newPasswordBy(b, u, recovery)
	}
}

// newPasswordBy recovers by the contact of a remedy, on the pages, and reviews what that
// has left.
func (w *world) newPasswordBy(b *browser, u *used, t *attempt) {
	if w.over() {
		return
	}
	by := *u
	by.Kind, by.incident, by.before, by.link = Recovery, w.now(), slices.Clone(w.row.contacts), nil
	byLink := w.plan.Turn%2 == 0 && t.token != ""
	serial := w.serial
	review, ok := b.recoverOnPage(t, w.newPassword(w.owner), byLink)
	if !ok {
		w.violate("2", "a recovery by a senior contact is refused", "by link: "+strconv.FormatBool(byLink))
		return
	}
	u.password = true
	w.recovered(u.To, serial)
	w.observe(true)
	w.judgePurge(by)
	w.review(b, review)
}

// review is what the owner does on the page after a remedy: removes what somebody else has
// added, and puts back what somebody else has removed. Without a thief it is all as the
// owner wanted it.
func (w *world) review(b *browser, t *attempt) {
	for n := 0; t != nil && n < 10 && !w.theft.IsZero() && !w.over(); n++ {
		rows := b.reviewed(t)
		i := slices.IndexFunc(rows, func(r listed) bool { return r.removed == own(w.owner, r.label) })
		if i < 0 {
			break
		}
		if a := b.decide(t, rows[i].id, rows[i].removed); !a.ok() {
			w.violate("2", "the page after a remedy refuses", fmt.Sprintf("%s: status %d", rows[i].label, a.status))
		}
	}
	w.observe(true)
}

// keepByCode keeps an account that is being deleted, by a code to a contact.
func (w *world) keepByCode(b *browser, label string) bool {
	t, _ := b.beginSignIn(label)
	return t != nil && t.code != "" && b.keeps(b.redeemCode(t), label)
}

// taken is the owner's browser whose session the thief has held or copied.
func (w *world) taken() *browser {
	switch w.plan.Variant {
	case HeldSession:
		return w.owner.in("app")
	case CopiedJar:
		return w.owner.in("home")
	}
	return nil
}

// endSessions ends what the thief is signed in with, where the owner can still sign in.
func (w *world) endSessions(r Remedy) bool {
	b := w.browser(w.owner, "ending", w.plan.Turn%2 == 0)
	if r.Nth >= changeInTaken {
		if b = w.taken(); b == nil || !b.signed("GET", "/v1/me", nil).ok() {
			return false // it was ended, or the thief's refresh has made it fail
		}
		w.advance(2 * time.Second) // access tokens know whole seconds
	} else if !w.ownerIn(b) {
		return false
	}
	done := false
	switch r.Nth {
	case 0:
		done = b.signOut("everywhere").ok()
	case 1:
		done = b.signOut("others").ok()
	case 2:
		done = b.signed("DELETE", "/v1/sessions", nil).ok()
	case proveInTaken:
		w.advance(freshLife + time.Minute)
		done = w.proveAgain(b)
	default:
		if done = b.fresh() || w.proveAgain(b); done {
			done = b.changePassword(w.owner.password(), w.newPassword(w.owner)).ok()
		}
	}
	w.observe(false)
	return done
}

// proveAgain is a step-up of the owner with what the owner has.
func (w *world) proveAgain(b *browser) bool {
	if b.p.password() != "" && b.reauthenticate("password") {
		return true
	}
	for _, row := range w.row.contacts {
		if row.primary && own(b.p, w.labels[row.value]) && b.reauthenticate(codeTo(row)) {
			return true
		}
	}
	return false
}

// codeTo is the kind of proof by a code to a contact.
func codeTo(row contactRow) string {
	if row.phone {
		return "phone_code"
	}
	return "email_code"
}
