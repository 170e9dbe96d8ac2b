package explorer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The times of the rule (standards D12).
const (
	undoLife  = 72 * time.Hour
	graceLife = 7 * 24 * time.Hour
	freshLife = 10 * time.Minute
)

// world is one run: an account, its owner and perhaps a thief.
type world struct {
	ctx  context.Context
	s    *Server
	plan *Plan
	dice dice

	owner, thief *person
	labels       map[string]string // by address or number
	values       map[string]string // by label
	account      string
	theft        time.Time // zero in a run without a thief
	steps        []Step    // that were taken
	last         string    // the operation of the newest
	careless     bool      // steps that look impossible may be drawn as well

	row    accountRow // as it was last seen
	proofs []proof
	// created are the ids of the contacts that the account was created with.
	created []string
	// remedies are those that have been used, the thief's too.
	remedies []remedied
	serial   int       // of the newest link
	deletion time.Time // when it was asked for last

	violation *Violation
	err       error
}

// proof is a contact that was verified for a while.
type proof struct {
	label, id    string
	verified     time.Time
	since, until time.Time // until is zero while it lasts
	byRemedy     bool      // it ended by a remedy, not by a person
}

// remedied is a remedy that was used: when, the proof time of the contact that made it, and
// the newest link that had been sent before.
type remedied struct {
	at, proof time.Time
	serial    int
}

// Violation is what a run found.
type Violation struct {
	// Oracle is 1 (the thief still gets in or changes something), 2 (the owner does not, or
	// lost something), 3 (a remedy took more than it may), "rule" (a step that the rule
	// forbids, or a message that it demands), or "server".
	Oracle string
	// Means names what the thief used or the owner lacks, Detail says more.
	Means, Detail string
}

func (v Violation) String() string {
	return fmt.Sprintf("oracle %s: %s (%s)", v.Oracle, v.Means, v.Detail)
}

// violate notes the first violation; what follows from it is no other one.
func (w *world) violate(oracle, means, detail string) {
	if w.violation == nil {
		if len(detail) > 300 {
			detail = detail[:300]
		}
		w.violation = &Violation{Oracle: oracle, Means: means, Detail: detail}
	}
}

// fail ends the run with a mistake of the explorer or its surroundings.
func (w *world) fail(err error) { w.err = errors.Join(w.err, err) }

func (w *world) over() bool { return w.violation != nil || w.err != nil }

func newWorld(ctx context.Context, s *Server, plan *Plan) *world {
	s.run++
	w := &world{ctx: ctx, s: s, plan: plan, dice: dice(plan.Seed), labels: map[string]string{}, values: map[string]string{}}
	w.owner = &person{
		name: "owner", ip: "203.0.113.7", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		passwords: []string{"a threshold of stone"},
	}
	w.thief = &person{
		name: "thief", ip: "198.51.100.9",
		agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
	}
	for n, label := range []string{"o1", "o2", "o3", "op", "x1", "x2", "xp"} {
		value := fmt.Sprintf("%s.r%d@example.org", label, s.run)
		if isPhone(label) {
			value = fmt.Sprintf("+49151%08d", 10_000_000+s.run*10+n)
		}
		w.labels[value], w.values[label] = label, value
	}
	return w
}

func isPhone(label string) bool { return strings.HasSuffix(label, "p") }

func (w *world) holder(label string) *person {
	if strings.HasPrefix(label, "x") {
		return w.thief
	}
	return w.owner
}

func (w *world) now() time.Time { return w.s.clock.Now() }

// observe reads the account again and notes which contacts became verified and which ended.
func (w *world) observe(remedy bool) {
	if w.account == "" || w.err != nil {
		return
	}
	row, err := w.s.look(w.ctx, w.account)
	if err != nil {
		w.fail(err)
		return
	}
	w.row = row
	for i := range w.proofs {
		p := &w.proofs[i]
		c, found := w.contact(p.label)
		if p.until.IsZero() && (!found || !c.verified.Equal(p.verified)) {
			p.until, p.byRemedy = w.now(), remedy
		}
	}
	if row.deletion != (!w.deletion.IsZero()) {
		w.deletion = time.Time{}
		if row.deletion {
			w.deletion = w.now()
		}
	}
	for _, c := range row.contacts {
		label := w.labels[c.value]
		if _, known := w.proven(label); known || c.verified.IsZero() {
			continue
		}
		w.proofs = append(w.proofs, proof{label: label, id: c.id, verified: c.verified, since: w.now()})
	}
}

// contact is the row of a contact.
func (w *world) contact(label string) (contactRow, bool) {
	i := slices.IndexFunc(w.row.contacts, func(c contactRow) bool { return c.value == w.values[label] })
	if i < 0 {
		return contactRow{}, false
	}
	return w.row.contacts[i], true
}

// proven is the proof of a contact that is verified now.
func (w *world) proven(label string) (proof, bool) {
	i := slices.IndexFunc(w.proofs, func(p proof) bool { return p.label == label && p.until.IsZero() })
	if i < 0 {
		return proof{}, false
	}
	return w.proofs[i], true
}

// proofAt is the proof of a contact that was verified at an instant, or that ended at it.
func (w *world) proofAt(label string, at time.Time) (proof, bool) {
	for _, p := range slices.Backward(w.proofs) {
		if p.label == label && !p.since.After(at) && (p.until.IsZero() || !p.until.Before(at)) {
			return p, true
		}
	}
	return proof{}, false
}

// senior is the rule of D12, written from its text and from nothing else: verified 72 h
// before, or no older contact is verified or was removed by its person in the last 72 h;
// for 72 h after a remedy only contacts at least as old as the one that made it.
func (w *world) senior(p proof, at time.Time) bool {
	for _, r := range w.remedies {
		if !r.at.After(at) && at.Sub(r.at) < undoLife && p.verified.After(r.proof) {
			return false
		}
	}
	if !p.verified.After(at.Add(-undoLife)) {
		return true
	}
	for _, q := range w.proofs {
		if !q.verified.Before(p.verified) || q.since.After(at) {
			continue
		}
		verified := q.until.IsZero() || q.until.After(at)
		removed := !verified && !q.byRemedy && at.Sub(q.until) < undoLife
		if verified || removed {
			return false
		}
	}
	return true
}

// seniorNow reports whether a contact is verified and senior.
func (w *world) seniorNow(label string) bool {
	p, found := w.proven(label)
	return found && w.senior(p, w.now())
}

// claimant is the proof of the contact that a link was sent to, where it can make a remedy
// with it: it was senior then and is now, it is verified or its person has removed it in
// the last 72 h, and no remedy by a contact that is not younger has ended the link.
func (w *world) claimant(l *link) (proof, bool) {
	p, found := w.proofAt(l.to, l.at)
	if !found || !w.alive(l, p) {
		return p, false
	}
	if again, is := w.proven(l.to); is && again.verified.Equal(p.verified) {
		p = again
	}
	if !p.until.IsZero() && (p.byRemedy || w.now().Sub(p.until) >= undoLife) {
		return p, false
	}
	return p, w.senior(p, l.at) && w.senior(p, w.now())
}

// alive reports whether a link to a contact of that proof has survived the remedies since:
// those by younger contacts.
func (w *world) alive(l *link, p proof) bool {
	for _, r := range w.remedies {
		if l.serial <= r.serial && !p.verified.Before(r.proof) {
			return false
		}
	}
	return true
}
