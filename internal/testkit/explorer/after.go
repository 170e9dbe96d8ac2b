package explorer

import "fmt"

// afterwards goes on for a while after a remedy has been judged, in one of several ways
// that depend on the seed: what had been sent before, or what the owner does next.
func (w *world) afterwards(u used) {
	if w.over() || u.Kind == EndSessions || !w.row.exists || w.row.deletion {
		return
	}
	switch w.plan.Turn % 4 {
	case 0:
		w.olderLinks(u)
	case 1:
		w.deletesAndKeeps()
	}
}

// olderLinks presses what was sent to the owner before a remedy: links to contacts that are
// as old as the one that made it, or younger, are dead; one to an older contact works.
func (w *world) olderLinks(u used) {
	b := w.browser(w.owner, "older", true)
	var live []*link
	for _, l := range w.owner.links {
		p, found := w.proofAt(l.to, l.at)
		if _, is := remedyPaths[l.path]; !is || l.used || !w.unexpired(l) || l.serial > u.serial || !found {
			continue
		}
		if _, may := w.claimant(l); may && l.path != keepPath {
			live = append(live, l)
		}
		if !w.alive(l, p) && b.follow(l).ok() {
			w.violate("rule", "a link works that a remedy should have ended", l.path+" to "+l.to+" after "+u.String())
			return
		}
	}
	if len(live) > 0 && !b.follow(live[0]).ok() {
		w.violate("rule", "a remedy ends a link to an older contact", live[0].path+" to "+live[0].to+" after "+u.String())
	}
}

// deletesAndKeeps deletes the account after a remedy. Each contact is told as befits its
// age, and a code to it offers to keep the account if it is senior.
func (w *world) deletesAndKeeps() {
	b := w.browser(w.owner, "delete", false)
	if !w.ownerIn(b) {
		w.violate("2", "the owner cannot sign in", "to delete the account")
		return
	}
	before := moment{row: w.row, serial: w.serial}
	if a := b.signed("DELETE", "/v1/me", nil); !a.ok() {
		w.violate("2", "the owner cannot delete the account", fmt.Sprintf("status %d: %s", a.status, a.raw))
		return
	}
	w.observe(false)
	w.told("delete-account", before)
	for _, c := range verified(w, w.owner) {
		t, _ := b.beginSignIn(c.arg)
		if t == nil || t.code == "" {
			w.violate("2", "no code reaches a verified contact", c.arg)
			return
		}
		a := b.redeemCode(t)
		if offered := a.text("attempt") != ""; a.text("code") != "account_deleting" || offered != w.keeper(c.arg) {
			w.violate("rule", "who may keep an account", fmt.Sprintf("%s: status %d, offered %t", c.arg, a.status, offered))
		}
	}
	if password := w.owner.password(); password != "" && b.signInPassword(w.values["o1"], password) {
		w.violate("rule", "a password signs in to an account that is being deleted", "")
	}
}
