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
		if _, undoes := remedyPaths[l.path]; !undoes {
			continue
		}
		for _, path := range []string{undoPath, notMePath, keepPath} { // every page may take every token
			as := *l
			as.path = path
			out = append(out, try{"link " + l.path, func() (string, bool) {
				b := *program
				b.cookie, b.cookies = true, map[string]string{}
				return "to " + l.to + " at " + path, b.follow(&as).ok()
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
		return &browser{w: w, p: w.thief, label: "try", cookie: t.cookie, cookies: map[string]string{attemptCookie: t.cookies[attemptCookie]}}
	}
	what := t.purpose + " for " + t.contact
	switch t.purpose {
	case "sign-in":
		out = append(out, try{"attempt of a sign-in", func() (string, bool) {
			return what, t.code != "" && b().redeemCode(t).grants() || t.token != "" && b().redeemLink(t).grants() ||
				b().anonymous("POST", "/v1/sign-in/attempts/"+t.value+"/complete", body{}).grants()
		}})
	case "keep":
		return []try{{"keep", func() (string, bool) { return what, b().keepAccount(t).ok() }}}
	case "review":
		return []try{{"review", func() (string, bool) { return what, w.decides(b(), t) }}}
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

// decides tries to remove and to put back everything on a page that followed a remedy.
func (w *world) decides(b *browser, t *attempt) bool {
	done := len(b.reviewed(t)) > 0
	for _, p := range w.proofs {
		for _, restore := range []bool{false, true} {
			if a := b.decide(t, p.id, restore); a.ok() && strings.HasPrefix(a.header.Get("Location"), "/recovery/review") {
				done = len(b.reviewed(t)) > 0 || done
			}
		}
	}
	return done
}
