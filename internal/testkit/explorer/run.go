package explorer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Result is what became of a run.
type Result struct {
	Plan      *Plan // with the steps and the remedy that were drawn
	Violation *Violation
	// Taken and Refused count the steps by their operation.
	Taken, Refused map[string]int
	// Last is the thief's last step.
	Last string
	// Judged: a remedy was used, so the oracles were asked.
	Judged bool
}

// Run plays a plan on a server. An error is a mistake of the explorer, no finding.
func Run(ctx context.Context, s *Server, plan *Plan) (r Result, err error) {
	played := *plan
	w := newWorld(ctx, s, &played)
	r = Result{Plan: &played, Taken: map[string]int{}, Refused: map[string]int{}}
	w.begin()
	if plan.Steps == nil {
		w.draw(&r)
	} else {
		for _, step := range plan.Steps {
			w.play(step, &r)
		}
	}
	if w.over() {
		return w.end(r)
	}
	if played.Remedy == nil {
		played.Remedy = w.drawRemedy()
	}
	if played.Remedy == nil || !w.row.exists {
		return w.end(r)
	}
	w.judge(&r)
	return w.end(r)
}

func (w *world) end(r Result) (Result, error) {
	r.Violation, r.Plan.Steps = w.violation, w.steps
	if w.err != nil {
		return r, fmt.Errorf("%w\n%s", w.err, r.Plan)
	}
	return r, nil
}

// planted is an attempt cookie that limen never made.
const planted = "Zm9yZXNpZ2h0IGlzIG5vdCBhIHNlY3JldCB0byBwbGFudA"

// begin makes the account and the owner's two browsers: one with cookies, one program.
func (w *world) begin() {
	home := w.browser(w.owner, "home", true)
	home.cookies[attemptCookie] = planted
	a := answer{}
	switch w.plan.Kind {
	case WithPassword:
		a = home.anonymous("POST", "/v1/sign-up", body{"email": w.values["o1"], "password": w.owner.password()})
	case WithBoth:
		a = home.anonymous("POST", "/v1/sign-up", body{"email": w.values["o1"], "phone": w.values["op"], "password": w.owner.password()})
	case WithPhone:
		a = home.anonymous("POST", "/v1/sign-up", body{"phone": w.values["op"], "password": w.owner.password()})
	default:
		w.owner.passwords = nil
		a = home.anonymous("POST", "/v1/sign-in/email", body{"email": w.values["o1"], "create": true})
	}
	if home.cookies[attemptCookie] == planted {
		w.violate("rule", "an attempt cookie that somebody made up is taken", "")
	}
	t := home.begun(a, "sign-in", w.first(), "")
	if t == nil || t.code == "" {
		w.fail(fmt.Errorf("sign-up: status %d: %s", a.status, a.raw))
		return
	}
	a = home.redeemCode(t)
	user, _ := a.body["user"].(map[string]any)
	w.account, _ = user["id"].(string)
	if !home.entered(a, "message") || w.account == "" {
		w.fail(fmt.Errorf("sign-up: status %d: %s", a.status, a.raw))
		return
	}
	w.observe(false)
	for _, c := range w.row.contacts {
		w.created = append(w.created, c.id)
	}
	w.advance(time.Second)
	w.browser(w.owner, "app", false)
}

// first is what the account is made with.
func (w *world) first() string {
	if w.plan.Kind == WithPhone {
		return "op"
	}
	return "o1"
}

// ownerIn signs the owner in afresh in a browser, with what the owner has.
func (w *world) ownerIn(b *browser) bool {
	for _, c := range verified(w, w.owner) {
		if password := w.owner.password(); password != "" && b.signInPassword(w.values[c.arg], password) {
			return true
		}
		if t, _ := b.beginSignIn(c.arg); t != nil && t.code != "" {
			if a := b.redeemCode(t); b.entered(a, "message") || b.keeps(a, c.arg) {
				return true
			}
		}
	}
	return false
}

// clockSteps are how far the clock moves at once.
var clockSteps = []string{"1h", "25h", "71h", "73h"}

// leadUps are the steps before which the thief can hardly take the step that a run aims at.
var leadUps = map[string][]string{
	"confirm-by-id": {"add"}, "confirm-by-attempt": {"add"}, "confirm-by-link": {"add"}, "send": {"add"}, "resend": {"add"},
	"sign-in-begin": {"add", "confirm-by-id"}, "recovery-begin": {"add", "confirm-by-id"},
	"sign-in-code":        {"add", "confirm-by-id", "sign-in-begin"},
	"sign-in-link":        {"add", "confirm-by-attempt", "sign-in-begin"},
	"sign-in-approve":     {"add", "confirm-by-link", "sign-in-begin"},
	"recovery-code":       {"add", "confirm-by-id", "recovery-begin"},
	"recovery-link":       {"add", "confirm-by-attempt", "recovery-begin"},
	"reauthenticate-code": {"add", "confirm-by-id", "primary"},
	"exchange":            {"handover-continue"},
	"follow-undo":         {"add", "confirm-by-id", "80h", "sign-in-password", "primary"},
	"follow-not-me":       {"add", "confirm-by-id", "80h", "sign-in-password", "primary", "password"},
	"follow-keep":         {"add", "confirm-by-id", "80h", "sign-in-password", "primary", "delete-account"},
	"keep":                {"add", "confirm-by-id", "80h", "sign-in-password", "primary", "delete-account", "sign-in-begin", "sign-in-code"},
	"review":              {"add", "confirm-by-id", "80h", "sign-in-password", "remove", "delete-account", "follow-not-me"},
}

// draw draws steps until the run is long enough.
func (w *world) draw(r *Result) {
	aim, remedy := w.plan.Aim[0], w.plan.Aim[1]
	far := slices.Contains(onlySenior, aim) // it takes nearly all the steps that a run has
	before := w.dice.below(5)
	switch {
	case w.plan.Variant == NoThief:
		before = 1 + w.dice.below(7)
	case far:
		before = w.dice.below(2)
	}
	if !far && w.dice.chance(25) { // two contacts that are old enough
		w.playOp(w.owner, []string{"add"}, r)
		w.play(Step{Who: "clock", Op: "73h"}, r)
		before = min(before, 2)
	}
	for range before {
		w.drawOne(w.owner, 40, r)
	}
	if remedy == Undo && !far && w.dice.chance(50) { // a change that can be taken back
		w.playOp(w.owner, []string{"primary", "remove"}, r)
	}
	if w.plan.Variant == NoThief {
		return
	}
	w.play(Step{Who: "thief", Op: "theft"}, r)
	if w.plan.Variant == HadPassword || w.plan.Variant == PasswordWait {
		w.playOp(w.thief, []string{"sign-in-password"}, r)
	}
	waited := w.plan.Variant != PasswordWait
	if lead := leadUps[aim]; (far || w.dice.chance(60)) && len(w.steps)+len(lead) < maxSteps {
		for _, name := range lead {
			if name != "80h" {
				w.playOp(w.thief, []string{name}, r)
			} else if !waited {
				w.play(Step{Who: "clock", Op: name}, r)
				waited = true
			}
		}
	}
	for n := w.dice.below(max(1, maxSteps-2-len(w.steps))); n > 0 && !far && !w.over() && w.row.exists; n-- {
		if !waited && w.dice.chance(40) {
			w.play(Step{Who: "clock", Op: "80h"}, r)
			waited = true
			continue
		}
		w.drawOne(w.thief, 12, r)
	}
	if !waited && len(w.steps) < maxSteps-1 {
		w.play(Step{Who: "clock", Op: "80h"}, r)
	}
	if remedy == Undo && !far && len(w.thief.passwords) > 0 && len(w.steps) < maxSteps-2 && len(fresh(w, w.thief)) == 0 {
		w.playOp(w.thief, []string{"sign-in-password"}, r)
	}
	switch {
	case len(w.steps) >= maxSteps-1 || far && (aim != "follow-undo" || remedy != Keep):
	case remedy == Keep:
		w.playOp(w.thief, []string{"delete-account"}, r)
	case remedy == Undo:
		w.playOp(w.thief, []string{"primary", "remove"}, r)
	}
	w.playOp(w.thief, []string{aim}, r)
	if remedy == Recovery && w.row.deletion && len(w.steps) < maxSteps && w.dice.chance(30) {
		w.play(Step{Who: "clock", Op: "73h"}, r) // within the grace
	}
}

// drawOne plays a step that looks possible to a person, or in clock of 100 draws one of the clock.
func (w *world) drawOne(p *person, clock int, r *Result) {
	if w.over() {
		return
	}
	if w.dice.chance(clock) {
		w.play(Step{Who: "clock", Op: pick(&w.dice, clockSteps)}, r)
		return
	}
	w.careless = w.dice.chance(4)
	if step, found := w.drawFor(p); found {
		w.play(step, r)
	}
	w.careless = false
}

// playOp plays one of these operations, rather as it looks possible.
func (w *world) playOp(p *person, names []string, r *Result) {
	if p == w.owner {
		w.freshen()
	}
	op := w.operation(pick(&w.dice, names))
	if w.over() || !w.row.exists || op == nil || len(w.steps) >= maxSteps {
		return
	}
	choices := op.choices(w, p)
	if len(choices) == 0 {
		w.careless = true // it will be refused
		choices = op.choices(w, p)
		w.careless = false
	}
	if len(choices) > 0 {
		c := pick(&w.dice, choices)
		w.play(Step{Who: p.name, Op: op.name, Arg: c.arg, Via: c.via}, r)
	}
}

// followUps are the steps that what was just done makes likely.
var followUps = map[string][]string{
	"add":               {"confirm-by-id", "confirm-by-attempt", "confirm-by-link", "send", "resend"},
	"send":              {"confirm-by-id", "confirm-by-attempt", "confirm-by-link"},
	"confirm-by-id":     {"sign-in-begin", "recovery-begin", "primary", "remove"},
	"sign-in-begin":     {"sign-in-code", "sign-in-link", "sign-in-approve", "resend"},
	"recovery-begin":    {"recovery-code", "recovery-link", "resend"},
	"clock":             {"sign-in-password", "sign-in-begin", "follow-undo", "follow-not-me", "follow-keep", "reauthenticate-password"},
	"handover-continue": {"exchange"}, "handover-sign-in": {"exchange"},
	"sign-in-code":   {"keep"},
	"follow-not-me":  {"review"},
	"follow-undo":    {"review"},
	"primary":        {"reauthenticate-code", "delete-account", "remove", "follow-undo"},
	"delete-account": {"follow-keep", "follow-undo", "recovery-begin", "sign-in-begin"},
}

func (w *world) weight(op *operation) int {
	last := w.last
	if strings.HasPrefix(last, "confirm-") {
		last = "confirm-by-id"
	}
	if slices.Contains(followUps[last], op.name) {
		return op.weight * 6
	}
	return op.weight
}

// drawFor draws a step that looks possible to a person.
func (w *world) drawFor(p *person) (Step, bool) {
	type option struct {
		op      *operation
		choices []choice
	}
	var options []option
	total := 0
	if p == w.owner { // who wants to change something signs in first
		w.freshen()
	}
	for i := range operations {
		op := &operations[i]
		if op.who != "" && op.who != p.name {
			continue
		}
		if choices := op.choices(w, p); len(choices) > 0 {
			options = append(options, option{op, choices})
			total += w.weight(op)
		}
	}
	if total == 0 {
		return Step{}, false
	}
	n := w.dice.below(total)
	for _, o := range options {
		if n -= w.weight(o.op); n < 0 {
			c := pick(&w.dice, o.choices)
			step := Step{Who: p.name, Op: o.op.name, Arg: c.arg, Via: c.via}
			if w.dice.chance(75) {
				step.At = 40 * time.Second
			}
			return step, true
		}
	}
	return Step{}, false
}

func (w *world) freshen() {
	app := w.owner.in("app")
	if app != nil && !app.fresh() {
		w.ownerIn(app)
		w.observe(false)
	}
}

// play takes one step.
func (w *world) play(step Step, r *Result) {
	if w.over() || !w.row.exists {
		return
	}
	w.steps = append(w.steps, step)
	w.advance(step.At)
	done := false
	before := moment{row: w.row, serial: w.serial}
	switch {
	case step.Who == "clock":
		w.last = "clock"
		d, err := time.ParseDuration(step.Op)
		if err != nil {
			w.fail(err)
			return
		}
		w.advance(d)
		done = true
	case step.Op == "theft":
		done = w.steal()
	default:
		p := w.owner
		if step.Who == w.thief.name {
			p = w.thief
		} else {
			w.freshen()
		}
		op := w.operation(step.Op)
		if op == nil {
			w.fail(fmt.Errorf("no operation %q", step.Op))
			return
		}
		done = op.do(w, p, choice{step.Arg, step.Via})
		if w.last = step.Op; p == w.thief {
			r.Last = step.Op
		}
	}
	name := step.Who + " " + step.Op
	if done {
		r.Taken[name]++
	} else {
		r.Refused[name]++
	}
	w.observe(slices.Contains([]string{"follow-undo", "follow-not-me", "review", "recovery-code", "recovery-link"}, step.Op))
	if done {
		w.told(step.Op, before)
	}
}

func (w *world) advance(d time.Duration) {
	if d > 0 {
		if err := w.s.advance(w.ctx, d); err != nil {
			w.fail(err)
		}
		w.observe(true) // what a sweep takes away, no person has removed
	}
}

// steal gives the thief what the variant says. The owner has just signed in.
func (w *world) steal() bool {
	w.advance(time.Second) // his contacts are younger than all that was there
	w.theft = w.now()
	thief := w.thief
	switch w.plan.Variant {
	case HeldSession:
		app := w.owner.in("app")
		if !w.ownerIn(app) {
			return false
		}
		b := w.browser(thief, "stolen", false)
		b.access, b.refresh, b.authenticated, b.method = app.access, app.refresh, app.authenticated, app.method
		thief.keep(b)
	case CopiedJar:
		home := w.owner.in("home")
		if !w.ownerIn(home) {
			return false
		}
		b := w.browser(thief, "jar", true)
		for name, value := range home.cookies {
			b.cookies[name] = value
		}
		b.access, b.refresh, b.device = home.access, home.refresh, home.device
		b.authenticated, b.method = home.authenticated, home.method
		thief.keep(b)
	default:
		if w.owner.password() == "" {
			return false
		}
		thief.passwords = append(thief.passwords, w.owner.password())
	}
	return true
}
