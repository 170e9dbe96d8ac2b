package explorer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// judge uses the remedy and asks the oracles.
func (w *world) judge(r *Result) {
	u, ok := w.use(*w.plan.Remedy)
	if r.Judged = ok; !ok || w.over() {
		return
	}
	if w.theft.IsZero() {
		w.nothingLost(u)
		return
	}
	switch u.Kind {
	case Keep: // it only cancels
		w.kept(u)
		return
	case EndSessions: // it takes away what the sessions had begun, and nothing else
		if u.Nth == proveInTaken {
			w.staysStale()
			return
		}
		w.thiefTries("access token", "refresh token", "hand-over", "pending contact: status", "pending contact: code", "pending contact: link", "pending contact: resend")
		return
	}
	if w.plan.OwnerFirst || len(w.strangers(u)) > 0 {
		w.ownerReturns(u)
		w.clean(u)
		w.thiefTries()
		return
	}
	w.thiefTries()
	w.advance(61 * time.Minute) // what he has guessed closes codes for an hour
	w.ownerReturns(u)
}

// kept judges "keep my account", which cancels a deletion and does nothing else.
func (w *world) kept(used) {
	if w.row.deletion {
		w.violate("2", "the account is still being deleted", "after "+Keep)
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

// strangers are the thief's contacts that a remedy leaves by the rule: those that were
// verified before the cut. The owner is shown them and removes them.
func (w *world) strangers(u used) (out []contactRow) {
	for _, c := range w.row.contacts {
		if !own(w.owner, w.labels[c.value]) && !c.verified.IsZero() && !c.verified.After(u.cut()) {
			out = append(out, c)
		}
	}
	return out
}

// clean removes what the owner finds in the list and does not know.
func (w *world) clean(u used) {
	if w.over() {
		return
	}
	home := w.owner.in("back")
	for _, c := range w.strangers(u) {
		if a := home.remove(w.labels[c.value], c.id); !a.ok() {
			w.violate("2", "a stranger's contact cannot be removed", fmt.Sprintf("status %d: %s", a.status, a.raw))
		}
	}
	w.observe(false)
}

// ownerReturns is oracle 2: the owner signs in, after a recovery where the password is
// gone, and what was 72 h old at the theft is there with its proof times.
func (w *world) ownerReturns(u used) {
	if w.over() {
		return
	}
	if w.row.deletion {
		w.violate("2", "the account is still being deleted", "after "+u.Kind)
		return
	}
	home := w.browser(w.owner, "back", true)
	to := w.values[u.To]
	if password := w.owner.password(); password == "" || !home.signInPassword(to, password) {
		if !w.passwordAgain(home, u) {
			return
		}
		if !home.signInPassword(to, w.owner.password()) {
			w.violate("2", "the owner cannot sign in", "after "+u.Kind+" and a new password")
			return
		}
	}
	w.observe(false)
	w.contactsStand(u, w.theft)
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
	if a := b.recover(t, w.newPassword(w.owner), false); !a.ok() {
		w.violate("2", "the owner cannot recover", fmt.Sprintf("status %d: %s", a.status, a.raw))
		return false
	}
	w.observe(true)
	return true
}

// contactsStand checks that what the owner had verified 72 h before an instant, and what
// the remedy brought back, is verified with its old proof time. A contact that the thief
// has removed comes back by its own link only.
func (w *world) contactsStand(u used, at time.Time) {
	for _, p := range w.proofs {
		there := slices.ContainsFunc(u.before, func(c contactRow) bool { return c.id == p.id && c.verified.Equal(p.verified) })
		old := own(w.owner, p.label) && !p.verified.After(at.Add(-undoLife)) && there
		if !old && (p.label != u.To || !p.verified.Equal(u.proof.verified)) {
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
	if w.over() || u.Kind == Keep {
		return
	}
	back := w.browser(w.owner, "back", false)
	if !w.ownerIn(back) {
		if !w.passwordAgain(back, u) || !w.ownerIn(back) {
			w.violate("3", "the owner cannot sign in", "after "+u.String())
			return
		}
	}
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
}

// try is one thing that the thief tries; it reports whether he got something by it.
type try struct {
	means string
	do    func() (detail string, gained bool)
}

// thiefTries is oracle 1: nothing that the thief holds gives a session or changes or ends
// anything of the owner's.
//
// Only names what is tried, where a remedy promises less.
func (w *world) thiefTries(only ...string) {
	if w.over() {
		return
	}
	if w.plan.Turn%2 == 1 {
		w.advance(40 * time.Second) // another message may be asked for
	}
	before, err := w.standing()
	if err != nil {
		w.fail(err)
		return
	}
	tries := w.tries()
	if len(only) > 0 {
		tries = slices.DeleteFunc(tries, func(t try) bool { return !slices.Contains(only, t.means) })
	}
	if len(tries) == 0 {
		return
	}
	turn := w.plan.Turn % len(tries)
	tries = slices.Concat(tries[turn:], tries[:turn])
	slices.SortStableFunc(tries, func(a, b try) int { return w.plan.rank(a.means) - w.plan.rank(b.means) })
	for _, t := range tries {
		detail, gained := t.do()
		if gained {
			w.violate("1", t.means, detail)
		}
		if w.over() {
			return
		}
		after, err := w.standing()
		if err != nil {
			w.fail(err)
			return
		}
		if after != before {
			w.violate("1", t.means, "it changed something: before "+before+"; after "+after)
			return
		}
	}
}

func (p *Plan) rank(means string) int {
	if means == p.First {
		return 0
	}
	return 1
}

// staysStale judges a step-up of the owner in the session that the thief shares: what he
// has of it is not fresh by that. A refresh token of a copied browser is the browser's own,
// with its device secret; who holds only the token gets nothing for it.
func (w *world) staysStale() {
	thief, session := w.thief, claim(w.taken().access, "sid")
	for _, token := range thief.access {
		if claim(token, "sid") != session || session == "" {
			continue
		}
		b := &browser{w: w, p: &person{name: thief.name, ip: thief.ip, agent: thief.agent}, access: token, cookies: map[string]string{}}
		if a := b.do("POST", "/v1/me/emails", body{"email": "fresh." + w.values["x1"]}); a.ok() {
			w.violate("1", "a step-up has made a stolen access token fresh", fmt.Sprintf("status %d", a.status))
			return
		}
	}
	if w.plan.Variant != HeldSession {
		return
	}
	for _, token := range thief.refresh {
		b := &browser{w: w, p: &person{name: thief.name, ip: thief.ip, agent: thief.agent}, refresh: token.value, cookies: map[string]string{}}
		if token.device == "" && b.renew() && claim(b.access, "sid") == session {
			w.violate("1", "a step-up has made a stolen refresh token fresh", "")
			return
		}
	}
}

// claim reads a text of an access token, "" when there is none.
func claim(token, name string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	claims := map[string]any{}
	if json.Unmarshal(raw, &claims) != nil {
		return ""
	}
	text, _ := claims[name].(string)
	return text
}

// standing is all that nobody but the owner may change: the account's password, name and
// deletion, its verified contacts and its sessions.
func (w *world) standing() (string, error) {
	w.observe(true)
	sessions, err := w.s.sessions(w.ctx, w.account)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(w.row.fields)
	for _, c := range w.row.contacts {
		if !c.verified.IsZero() {
			fmt.Fprintf(&b, " %s@%d primary=%v", w.labels[c.value], c.verified.Unix(), c.primary)
		}
	}
	fmt.Fprintf(&b, " sessions=%v", sessions)
	return b.String(), nil
}

// tries are everything that the thief can try.
func (w *world) tries() (out []try) {
	thief := w.thief
	program := &browser{w: w, p: &person{name: "thief", ip: thief.ip, agent: thief.agent}, cookies: map[string]string{}}
	for _, token := range thief.access {
		out = append(out, try{"access token", func() (string, bool) {
			b := *program
			b.access = token
			return "GET /v1/me", b.do("GET", "/v1/me", nil).ok()
		}})
	}
	for _, token := range thief.refresh {
		out = append(out, try{"refresh token", func() (string, bool) {
			b := *program
			b.device, b.refresh = token.device, token.value
			if token.cookie {
				b.cookie, b.cookies = true, map[string]string{"limen_refresh": token.value, "limen_device": token.device}
			}
			return "cookie=" + strconv.FormatBool(token.cookie), b.renew()
		}})
	}
	for _, h := range thief.handovers {
		out = append(out, try{"hand-over", func() (string, bool) {
			b := *program
			return "", b.exchange(h).grants()
		}})
	}
	for _, t := range thief.attempts {
		out = append(out, w.triesOf(t)...)
	}
	for _, l := range thief.links {
		if _, undoes := remedyPaths[l.path]; undoes {
			out = append(out, try{"link " + l.path, func() (string, bool) {
				b := *program
				b.cookie, b.cookies = true, map[string]string{}
				return "to " + l.to, b.follow(l).ok()
			}})
		}
	}
	names := slices.Concat([]string{w.values["o1"], w.values["op"], w.values["x1"], w.values["x2"], w.values["xp"]}, thief.usernames, w.owner.usernames)
	for _, password := range thief.passwords {
		for _, name := range names {
			out = append(out, try{"password", func() (string, bool) {
				b := *program
				return name, b.signInPassword(name, password)
			}})
		}
	}
	for _, label := range []string{"x1", "x2", "xp"} {
		out = append(out, w.triesBy(label)...)
	}
	return out
}

// triesOf are what an attempt that the thief holds may still be good for.
func (w *world) triesOf(t *attempt) (out []try) {
	b := func() *browser {
		return &browser{w: w, p: w.thief, label: "try", cookie: t.cookie, cookies: map[string]string{"limen_attempt": t.cookies["limen_attempt"]}}
	}
	what := t.purpose + " for " + t.contact
	switch t.purpose {
	case "sign-in":
		out = append(out, try{"attempt of a sign-in", func() (string, bool) {
			return what, t.code != "" && b().redeemCode(t).grants() || t.token != "" && b().redeemLink(t).grants() ||
				b().anonymous("POST", "/v1/sign-in/attempts/"+t.value+"/complete", body{}).grants()
		}})
	case "recovery":
		out = append(out, try{"attempt of a recovery", func() (string, bool) {
			return what, t.code != "" && b().recover(t, "a password of the thief 1", false).ok() ||
				t.token != "" && b().recover(t, "a password of the thief 2", true).ok()
		}})
	case "verify":
		out = append(out, try{"pending contact: status", func() (string, bool) {
			a := b().anonymous("GET", "/v1/sign-in/attempts/"+t.value, nil)
			return what, a.text("status") == "pending"
		}}, try{"pending contact: code", func() (string, bool) {
			return what, t.code != "" && !isPhone(t.contact) && b().confirm(t, byAttempt).ok()
		}}, try{"pending contact: link", func() (string, bool) {
			return what, t.token != "" && b().confirm(t, byLink).ok()
		}})
	}
	if t.purpose == "verify" {
		return append(out, try{"pending contact: resend", func() (string, bool) { return what, b().resend(t).ok() }})
	}
	return append(out, try{"resend", func() (string, bool) {
		code := t.code
		if !b().resend(t).ok() || t.code == code {
			return what, false
		}
		return what, b().redeemCode(t).grants() || b().recover(t, "a password of the thief 3", false).ok()
	}})
}

// triesBy are the ways in by a contact of the thief.
func (w *world) triesBy(label string) []try {
	b := func() *browser { return &browser{w: w, p: w.thief, label: "try", cookies: map[string]string{}} }
	out := []try{{"contact: sign-in", func() (string, bool) {
		t, _ := b().beginSignIn(label)
		return label, t != nil && t.code != "" && (b().redeemCode(t).grants() || t.token != "" && b().redeemLink(t).grants())
	}}}
	if isPhone(label) {
		return out
	}
	return append(out, try{"contact: recovery", func() (string, bool) {
		t, _ := b().beginRecovery(label)
		return label, t != nil && t.code != "" && b().recover(t, "a password of the thief 4", false).ok()
	}})
}
