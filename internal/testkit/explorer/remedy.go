package explorer

import (
	"fmt"
	"slices"
	"time"
)

// reached lists the remedies that have reached a senior contact of the owner: links that
// were sent to it while it was senior and have not expired, and recovery by one that is
// senior now.
func (w *world) reached() (out []Remedy) {
	counts := map[string]int{}
	for _, l := range w.owner.links {
		kind, is := remedyPaths[l.path]
		if !is {
			continue
		}
		nth := counts[kind+l.to]
		counts[kind+l.to]++
		if !l.used && w.unexpired(l) && w.senior(l.to, l.at) {
			out = append(out, Remedy{Kind: kind, To: l.to, Nth: nth})
		}
	}
	for _, label := range []string{"o1", "o2", "o3"} {
		if _, verified := w.proven(label); verified && w.senior(label, w.now()) {
			out = append(out, Remedy{Kind: Recovery, To: label})
		}
	}
	if !w.theft.IsZero() && !w.row.deletion {
		for n := range endings {
			if n >= changeInTaken && w.taken() == nil {
				continue
			}
			out = append(out, Remedy{Kind: EndSessions, Nth: n})
		}
	}
	return out
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
	r.Onward = kind == NotMe && w.dice.chance(30)
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
	password bool         // it set a new password
}

// use does what the remedy says. It reports false where the plan's remedy is none here,
// which happens to plans that are played again without some of their steps.
func (w *world) use(r Remedy) (u used, ok bool) {
	if !slices.ContainsFunc(w.reached(), func(o Remedy) bool { return o.Kind == r.Kind && o.To == r.To && o.Nth == r.Nth }) {
		return u, false
	}
	u = used{Remedy: r, before: slices.Clone(w.row.contacts), incident: w.now()}
	if r.Kind == EndSessions {
		return u, w.endSessions(r)
	}
	b := w.browser(w.owner, "remedy", true)
	if r.Kind == Recovery {
		u.proof, _ = w.proven(r.To)
		t, a := b.beginRecovery(r.To)
		if t == nil || t.code == "" {
			w.violate("2", "a recovery by a senior contact is not sent", fmt.Sprintf("status %d: %s", a.status, a.raw))
			return u, true
		}
		if a := b.recover(t, w.newPassword(w.owner), w.plan.Turn%2 == 0); !a.ok() {
			w.violate("2", "a recovery by a senior contact is refused", fmt.Sprintf("status %d: %s", a.status, a.raw))
			return u, true
		}
		u.password = true
		w.remedied(r.To, u.incident)
		w.observe(true)
		return u, true
	}
	l := w.ownerLink(r)
	// Who removed the contact and added it again since has proven it anew.
	var proven bool
	if u.proof, proven = w.proven(r.To); !proven {
		u.proof, _ = w.proofAt(r.To, l.at)
	}
	u.incident = l.at
	a := b.follow(l)
	if !a.ok() {
		w.violate("2", "the link of a senior contact is refused: "+l.path, fmt.Sprintf("status %d", a.status))
		return u, true
	}
	w.remedied(r.To, l.at)
	w.observe(true)
	if t := b.begun(a, "recovery", r.To, ""); t != nil && r.Onward {
		if t.code == "" {
			w.violate("2", "the page leads on without a code", l.path)
			return u, true
		}
		if a := b.recover(t, w.newPassword(w.owner), false); !a.ok() {
			w.violate("2", "the page leads on in vain", fmt.Sprintf("%s: status %d: %s", l.path, a.status, a.raw))
			return u, true
		}
		u.password = true
		w.observe(true)
	}
	return u, true
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
