package explorer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var zero time.Time

// choice is one way to take a step: what it is about and in which browser.
type choice struct{ arg, via string }

// operation is a kind of step. Choices lists the ways that look possible to the person;
// do reports whether the server let it happen.
type operation struct {
	name    string
	who     string // owner, thief, or "" for both
	weight  int
	choices func(w *world, p *person) []choice
	do      func(w *world, p *person, c choice) bool
}

// operations are every call of api.md sections 1 to 4 that changes something.
var operations = []operation{
	{"sign-in-password", "thief", 2, passwords, (*world).doSignInPassword},
	{"sign-in-begin", "thief", 3, verified, (*world).doSignInBegin},
	{"sign-in-code", "thief", 4, attempts("sign-in"), (*world).doSignInCode},
	{"sign-in-link", "thief", 3, attempts("sign-in"), (*world).doSignInLink},
	{"sign-in-approve", "thief", 2, attempts("sign-in"), (*world).doSignInApprove},
	{"resend", "thief", 2, attempts("sign-in", "recovery", "verify"), (*world).doResend},
	{"recovery-begin", "thief", 3, verifiedEmails, (*world).doRecoveryBegin},
	{"recovery-code", "thief", 3, attempts("recovery"), (*world).doRecoveryCode},
	{"recovery-link", "thief", 2, attempts("recovery"), (*world).doRecoveryLink},
	{"refresh", "thief", 1, signedIn, (*world).doRefresh},
	{"reauthenticate-password", "thief", 2, knowing, (*world).doReauthenticatePassword},
	{"reauthenticate-code", "thief", 2, receiving, (*world).doReauthenticateCode},
	{"handover-continue", "thief", 2, jars, (*world).doHandoverContinue},
	{"handover-sign-in", "thief", 2, passwords, (*world).doHandoverSignIn},
	{"exchange", "thief", 2, handovers, (*world).doExchange},
	{"add", "", 8, addable, (*world).doAdd},
	{"confirm-by-id", "thief", 4, pending(byID), (*world).doConfirmByID},
	{"confirm-by-attempt", "thief", 4, pending(byAttempt), (*world).doConfirmByAttempt},
	{"confirm-by-link", "thief", 3, pending(byLink), (*world).doConfirmByLink},
	{"send", "thief", 2, unproven, (*world).doSend},
	{"primary", "", 5, primaries, (*world).doPrimary},
	{"remove", "", 4, removable, (*world).doRemove},
	{"password", "", 3, fresh, (*world).doPassword},
	{"username", "", 1, signedIn, (*world).doUsername},
	{"sign-out-others", "thief", 1, signedIn, (*world).doSignOutOthers},
	{"sign-out-everywhere", "thief", 1, signedIn, (*world).doSignOutEverywhere},
	{"sign-out", "thief", 1, signedIn, (*world).doSignOut},
	{"session-delete", "thief", 1, signedIn, (*world).doSessionDelete},
	{"sessions-delete", "thief", 1, signedIn, (*world).doSessionsDelete},
	{"delete-account", "thief", 3, fresh, (*world).doDelete},
	{"keep", "thief", 4, keeping, (*world).doKeep},
	{"follow-undo", "thief", 5, linksTo(undoPath), (*world).doFollow},
	{"follow-not-me", "thief", 3, linksTo(notMePath), (*world).doFollow},
	{"follow-keep", "thief", 4, linksTo(keepPath), (*world).doFollow},
	{"review", "thief", 6, reviewing, (*world).doReview},
}

func (w *world) operation(name string) *operation {
	i := slices.IndexFunc(operations, func(o operation) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return &operations[i]
}

// in is the newest browser of that label.
func (p *person) in(label string) *browser {
	for _, b := range slices.Backward(p.browsers) {
		if b.label == label {
			return b
		}
	}
	return nil
}

// The choices.

// newest are the browsers that a label finds.
func (w *world) newest(p *person, want func(*browser) bool) (out []choice) {
	for _, b := range p.browsers {
		if p.in(b.label) == b && (w.careless || !b.authenticated.IsZero() && want(b)) {
			out = append(out, choice{"", b.label})
		}
	}
	return out
}

func signedIn(w *world, p *person) []choice {
	return w.newest(p, func(*browser) bool { return true })
}

func jars(w *world, p *person) []choice {
	return w.newest(p, func(b *browser) bool { return b.cookie })
}

// knowing are the browsers of somebody who knows a password, receiving those of somebody
// to whose contact the account's codes go.
func knowing(w *world, p *person) []choice {
	if len(p.passwords) == 0 {
		return nil
	}
	return signedIn(w, p)
}

func receiving(w *world, p *person) []choice {
	for _, c := range w.row.contacts {
		if c.primary && !c.verified.IsZero() && own(p, w.labels[c.value]) {
			return signedIn(w, p)
		}
	}
	return nil
}

func fresh(w *world, p *person) []choice { return w.newest(p, (*browser).fresh) }

func passwords(w *world, p *person) (out []choice) {
	if len(p.passwords) == 0 {
		return nil
	}
	for _, c := range w.row.contacts {
		if !c.verified.IsZero() {
			out = append(out, choice{w.labels[c.value], ""})
		}
	}
	return out
}

func own(p *person, label string) bool { return strings.HasPrefix(label, "o") == (p.name == "owner") }

// verified are the person's own contacts with which messages of the account can be had.
func verified(w *world, p *person) (out []choice) {
	for _, c := range w.row.contacts {
		if label := w.labels[c.value]; own(p, label) && !c.verified.IsZero() {
			out = append(out, choice{label, ""})
		}
	}
	return out
}

func verifiedEmails(w *world, p *person) []choice {
	return slices.DeleteFunc(verified(w, p), func(c choice) bool { return isPhone(c.arg) })
}

// attempts are the newest attempts of these purposes that have a code.
func attempts(purposes ...string) func(*world, *person) []choice {
	return func(w *world, p *person) (out []choice) {
		for n, t := range p.attempts {
			if t.code != "" && slices.Contains(purposes, t.purpose) && (w.careless || n >= len(p.attempts)-4) {
				out = append(out, choice{t.purpose + ":" + t.contact + ":" + strconv.Itoa(p.nth(t)), ""})
			}
		}
		return out
	}
}

// nth counts the attempts of one purpose and contact, from the oldest.
func (p *person) nth(t *attempt) (n int) {
	for _, other := range p.attempts {
		if other == t {
			return n
		}
		if other.purpose == t.purpose && other.contact == t.contact {
			n++
		}
	}
	return n
}

// attempt finds what a choice of attempts names.
func (p *person) attempt(arg string) *attempt {
	for _, t := range p.attempts {
		if arg == t.purpose+":"+t.contact+":"+strconv.Itoa(p.nth(t)) {
			return t
		}
	}
	return nil
}

// pending are attempts that would prove a contact which the person added.
func pending(how string) func(*world, *person) []choice {
	return func(w *world, p *person) (out []choice) {
		for _, c := range attempts("verify")(w, p) {
			t := p.attempt(c.arg)
			if _, done := w.proven(t.contact); done && !w.careless || how == byLink && t.token == "" || how != byID && isPhone(t.contact) {
				continue
			}
			for _, b := range signedIn(w, p) {
				out = append(out, choice{c.arg, b.via})
			}
			if how != byID { // nobody may need to be signed in for it
				out = append(out, choice{c.arg, "elsewhere"})
			}
		}
		return out
	}
}

// keeping are the newest attempts with which an account that is being deleted may be kept.
func keeping(w *world, p *person) (out []choice) {
	for _, t := range p.attempts {
		if t.purpose == "keep" {
			out = append(out, choice{"keep:" + t.contact + ":" + strconv.Itoa(p.nth(t)), ""})
		}
	}
	return out[max(0, len(out)-2):]
}

// reviewing are the reviews that follow the person's remedies, each with every contact
// that the page may list.
func reviewing(w *world, p *person) (out []choice) {
	for _, t := range p.attempts {
		if t.purpose != "review" {
			continue
		}
		for _, label := range []string{"o1", "o2", "x2"} {
			out = append(out, choice{"review:" + t.contact + ":" + strconv.Itoa(p.nth(t)), label})
		}
	}
	return out[max(0, len(out)-3):]
}

func handovers(w *world, p *person) (out []choice) {
	for n, h := range p.handovers {
		if w.now().Sub(h.at) >= time.Minute && !w.careless {
			continue
		}
		out = append(out, choice{strconv.Itoa(n), ""})
	}
	return out
}

// addable are the contacts that the person has and the account has not.
func addable(w *world, p *person) (out []choice) {
	for _, b := range fresh(w, p) {
		for label := range w.values {
			c, found := w.contact(label)
			if (!found || p == w.owner && c.verified.IsZero()) && own(p, label) {
				out = append(out, choice{label, b.via})
			}
		}
	}
	slices.SortFunc(out, func(a, b choice) int { return strings.Compare(a.arg+a.via, b.arg+b.via) })
	return out
}

// rows are the contacts of the account, each with every fresh browser.
func rows(w *world, p *person, want func(contactRow) bool) (out []choice) {
	for _, b := range fresh(w, p) {
		for _, c := range w.row.contacts {
			if want(c) {
				out = append(out, choice{w.labels[c.value], b.via})
			}
		}
	}
	return out
}

func unproven(w *world, p *person) []choice {
	return rows(w, p, func(c contactRow) bool { return c.verified.IsZero() || w.careless })
}

func primaries(w *world, p *person) []choice {
	return rows(w, p, func(c contactRow) bool { return !c.verified.IsZero() && !c.primary || w.careless })
}

func removable(w *world, p *person) []choice {
	return rows(w, p, func(contactRow) bool { return true })
}

// linksTo are the person's unspent links to a page.
func linksTo(path string) func(*world, *person) []choice {
	return func(w *world, p *person) (out []choice) {
		for _, l := range p.links {
			if l.path == path && (!l.used && w.unexpired(l) || w.careless) {
				out = append(out, choice{p.nameOf(l), ""})
			}
		}
		return out
	}
}

func (w *world) unexpired(l *link) bool {
	return w.now().Before(l.at.Add(l.life))
}

// nameOf names a link by its page, its contact and how many came before it.
func (p *person) nameOf(l *link) string {
	n := 0
	for _, other := range p.links {
		if other == l {
			break
		}
		if other.path == l.path && other.to == l.to {
			n++
		}
	}
	return fmt.Sprintf("%s:%s:%d", l.path, l.to, n)
}

func (p *person) link(name string) *link {
	i := slices.IndexFunc(p.links, func(l *link) bool { return p.nameOf(l) == name })
	if i < 0 {
		return nil
	}
	return p.links[i]
}
