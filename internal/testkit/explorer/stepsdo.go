package explorer

import (
	"slices"
	"strconv"
)

// browserFor is a new browser or program of a person who is about to sign in. Which of
// the two depends on the seed and on what it is for, not on the steps before.
func (w *world) browserFor(p *person, label string) *browser {
	d := dice(w.plan.Seed)
	for _, c := range label {
		d += dice(c)
		d.next()
	}
	return w.browser(p, label, d.chance(50))
}

func (p *person) password() string {
	if len(p.passwords) == 0 {
		return ""
	}
	return p.passwords[len(p.passwords)-1]
}

func (w *world) doSignInPassword(p *person, c choice) bool {
	b := w.browserFor(p, "pw")
	for _, password := range slices.Backward(p.passwords) {
		if b.signInPassword(w.values[c.arg], password) {
			return true
		}
	}
	return false
}

func (w *world) doSignInBegin(p *person, c choice) bool {
	_, a := w.browserFor(p, c.arg).beginSignIn(c.arg)
	return a.ok()
}

// opened runs a step of an attempt in a browser of its own that holds it.
func (w *world) opened(p *person, c choice, do func(b *browser, t *attempt) answer) bool {
	t := p.attempt(c.arg)
	if t == nil {
		return false
	}
	b := w.browser(p, t.contact+"s", t.cookie)
	a := do(b, t)
	if b.offered(a, t.contact) != nil { // the account is being deleted, and may be kept
		return true
	}
	return b.entered(a, "message") || a.ok()
}

// doKeep keeps an account that is being deleted. Only who has proven a contact that was
// senior when the deletion was asked for may do so.
func (w *world) doKeep(p *person, c choice) bool {
	t := p.attempt(c.arg)
	if t == nil {
		return false
	}
	asked := w.deletion
	b := w.browser(p, t.contact+"s", t.cookie)
	if !b.entered(b.keepAccount(t), "message") {
		return false
	}
	if proof, found := w.proofAt(t.contact, asked); asked.IsZero() || !found || !w.senior(proof, asked) {
		w.violate("rule", "a junior contact keeps the account", t.contact)
	}
	return true
}

// doReview removes or puts back, on the page after a remedy, what it lists of a contact.
func (w *world) doReview(p *person, c choice) bool {
	t := p.attempt(c.arg)
	if t == nil {
		return false
	}
	b := w.browser(p, "review", true)
	for _, row := range b.reviewed(t) {
		if row.label == c.via {
			return b.decide(t, row.id, row.removed).ok()
		}
	}
	return false
}

func (w *world) doSignInCode(p *person, c choice) bool { return w.opened(p, c, (*browser).redeemCode) }

func (w *world) doSignInLink(p *person, c choice) bool { return w.opened(p, c, (*browser).redeemLink) }

func (w *world) doSignInApprove(p *person, c choice) bool { return w.opened(p, c, (*browser).approve) }

func (w *world) doResend(p *person, c choice) bool {
	return w.opened(p, c, (*browser).resend)
}

func (w *world) doRecoveryBegin(p *person, c choice) bool {
	_, a := w.browserFor(p, c.arg).beginRecovery(c.arg)
	return a.ok()
}

// newPassword is one that nobody has chosen yet.
func (w *world) newPassword(p *person) string {
	return "another threshold of " + p.name + " " + strconv.Itoa(len(p.passwords))
}

func (w *world) doRecoveryCode(p *person, c choice) bool {
	t, serial := p.attempt(c.arg), w.serial
	done := w.opened(p, c, func(b *browser, t *attempt) answer { return b.recover(t, w.newPassword(p), false) })
	if done {
		w.recovered(t.contact, serial)
	}
	return done
}

// doRecoveryLink recovers on the pages.
func (w *world) doRecoveryLink(p *person, c choice) bool {
	t, serial := p.attempt(c.arg), w.serial
	if t == nil {
		return false
	}
	_, done := w.browser(p, "recovery", true).recoverOnPage(t, w.newPassword(p), true)
	if done {
		w.recovered(t.contact, serial)
	}
	return done
}

// recovered notes a recovery by a contact, which is a remedy if the contact is senior.
// Serial is that of the newest link before.
func (w *world) recovered(label string, serial int) {
	if p, found := w.proven(label); found && w.senior(p, w.now()) {
		w.remedies = append(w.remedies, remedied{at: w.now(), proof: p.verified, serial: serial})
	}
}

// within runs a step in a browser that a choice names.
func within(p *person, c choice, do func(b *browser) bool) bool {
	b := p.in(c.via)
	return b != nil && do(b)
}

func (w *world) doRefresh(p *person, c choice) bool { return within(p, c, (*browser).renew) }

func (w *world) doReauthenticatePassword(p *person, c choice) bool {
	return within(p, c, func(b *browser) bool { return b.reauthenticate("password") })
}

func (w *world) doReauthenticateCode(p *person, c choice) bool {
	kind := ""
	for _, row := range w.row.contacts {
		if row.primary && own(p, w.labels[row.value]) && kind != "email_code" {
			kind = codeTo(row)
		}
	}
	return within(p, c, func(b *browser) bool { return b.reauthenticate(kind) })
}

func (w *world) doHandoverContinue(p *person, c choice) bool {
	return within(p, c, func(b *browser) bool { return b.issueHandover("", "") })
}

func (w *world) doHandoverSignIn(p *person, c choice) bool {
	return w.browser(p, "pages", true).issueHandover(w.values[c.arg], p.password())
}

func (w *world) doExchange(p *person, c choice) bool {
	n, err := strconv.Atoi(c.arg)
	if err != nil || n >= len(p.handovers) {
		return false
	}
	b := w.browserFor(p, "app")
	return b.entered(b.exchange(p.handovers[n]), "password")
}

// doAdd adds a contact. The owner proves it at once; for the thief that is a step of its own.
func (w *world) doAdd(p *person, c choice) bool {
	return within(p, c, func(b *browser) bool {
		t, a := b.add(c.arg)
		if p == w.thief || t == nil {
			return a.ok()
		}
		return b.confirm(t, byID).ok()
	})
}

func (w *world) confirmBy(p *person, c choice, how string) bool {
	t := p.attempt(c.arg)
	if t == nil {
		return false
	}
	b := p.in(c.via)
	if c.via == "elsewhere" {
		b = &browser{w: w, p: p, label: c.via, cookies: map[string]string{}}
	}
	if b == nil || !b.confirm(t, how).ok() {
		return false
	}
	if c.via == "elsewhere" && how == byLink {
		w.violate("rule", "a link adds a contact where nobody is signed in", t.contact)
	}
	return true
}

func (w *world) doConfirmByID(p *person, c choice) bool      { return w.confirmBy(p, c, byID) }
func (w *world) doConfirmByAttempt(p *person, c choice) bool { return w.confirmBy(p, c, byAttempt) }
func (w *world) doConfirmByLink(p *person, c choice) bool    { return w.confirmBy(p, c, byLink) }

// about runs a step about a contact of the account.
func (w *world) about(p *person, c choice, do func(b *browser, id string) answer) bool {
	row, found := w.contact(c.arg)
	return found && within(p, c, func(b *browser) bool { return do(b, row.id).ok() })
}

func (w *world) doSend(p *person, c choice) bool {
	return w.about(p, c, func(b *browser, id string) answer { return b.sendAgain(c.arg, id) })
}

func (w *world) doPrimary(p *person, c choice) bool {
	return w.about(p, c, func(b *browser, id string) answer { return b.makePrimary(c.arg, id) })
}

func (w *world) doRemove(p *person, c choice) bool {
	return w.about(p, c, func(b *browser, id string) answer { return b.remove(c.arg, id) })
}

func (w *world) doPassword(p *person, c choice) bool {
	return within(p, c, func(b *browser) bool { return b.changePassword(p.password(), w.newPassword(p)).ok() })
}

func (w *world) doUsername(p *person, c choice) bool {
	name := p.name + strconv.Itoa(w.s.run) + "." + strconv.Itoa(len(p.usernames))
	return within(p, c, func(b *browser) bool {
		ok := b.signed("PATCH", "/v1/me", body{"username": name}).ok()
		if ok {
			p.usernames = append(p.usernames, name)
		}
		return ok
	})
}

func (w *world) leave(p *person, c choice, scope string) bool {
	return within(p, c, func(b *browser) bool {
		ok := b.signOut(scope).ok()
		if scope != "others" {
			b.authenticated = zero
		}
		return ok
	})
}

func (w *world) doSignOutOthers(p *person, c choice) bool     { return w.leave(p, c, "others") }
func (w *world) doSignOutEverywhere(p *person, c choice) bool { return w.leave(p, c, "everywhere") }
func (w *world) doSignOut(p *person, c choice) bool           { return w.leave(p, c, "local") }

func (w *world) doSessionDelete(p *person, c choice) bool {
	return within(p, c, func(b *browser) bool {
		a := b.signed("GET", "/v1/sessions?limit=100", nil)
		sessions, _ := a.body["data"].([]any)
		if len(sessions) == 0 {
			return false
		}
		oldest, _ := sessions[len(sessions)-1].(map[string]any)
		id, _ := oldest["id"].(string)
		return b.signed("DELETE", "/v1/sessions/"+id, nil).ok()
	})
}

func (w *world) doSessionsDelete(p *person, c choice) bool {
	return within(p, c, func(b *browser) bool { return b.signed("DELETE", "/v1/sessions", nil).ok() })
}

func (w *world) doDelete(p *person, c choice) bool {
	return within(p, c, func(b *browser) bool {
		ok := b.signed("DELETE", "/v1/me", nil).ok()
		if ok {
			b.authenticated = zero
		}
		return ok
	})
}

// doFollow presses the button behind a link, which leads on to a review, or to a recovery,
// or to both. The person keeps what it gets.
func (w *world) doFollow(p *person, c choice) bool {
	l := p.link(c.arg)
	if l == nil {
		return false
	}
	proof, senior := w.claimant(l)
	serial := w.serial
	b := w.browser(p, "link", true)
	a := b.follow(l)
	b.landed(a, l.to)
	if a.ok() && senior && l.path != keepPath {
		w.remedies = append(w.remedies, remedied{at: w.now(), proof: proof.verified, serial: serial})
	}
	return a.ok()
}
