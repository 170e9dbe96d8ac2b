package explorer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Variant is what the thief begins with.
type Variant string

// The variants.
const (
	NoThief      Variant = "no thief"
	HeldSession  Variant = "held a session"
	HadPassword  Variant = "had the password"
	CopiedJar    Variant = "copied the cookies"
	PasswordWait Variant = "had the password and waited"
)

// Kind is how the account was made.
type Kind string

// The kinds.
const (
	WithPassword Kind = "email and password"
	WithEmail    Kind = "email"
	WithPhone    Kind = "phone and password"
	WithBoth     Kind = "email, phone and password"
)

// Step is one move. A plan that names its steps is played again as it stands, so a step
// names what it is about by labels that mean the same when other steps are left out.
type Step struct {
	Who string // owner, thief or clock
	Op  string
	Arg string // a contact, a link or an attempt, as the operation needs it
	Via string // the label of the browser
	At  time.Duration
}

func (s Step) String() string {
	text := s.Who + " " + s.Op
	if s.Arg != "" {
		text += " " + s.Arg
	}
	if s.Via != "" {
		text += " in " + s.Via
	}
	if s.At > 0 {
		text += " after " + s.At.String()
	}
	return text
}

// Remedy is what the owner does in the end.
type Remedy struct {
	Kind string // of remedies
	To   string // the contact that makes it
	Nth  int    // of several links of that kind, the oldest first; byCode is none of them
	// Onward: the person goes on to choose a new password where the page leads there.
	Onward bool
}

func (r Remedy) String() string {
	if r.Kind == EndSessions {
		return r.Kind + ": " + endings[r.Nth]
	}
	text := fmt.Sprintf("%s by %s #%d", r.Kind, r.To, r.Nth)
	if r.Nth == byCode {
		text = fmt.Sprintf("%s by a code to %s", r.Kind, r.To)
	}
	if r.Onward {
		text += ", then a new password"
	}
	return text
}

// The kinds of remedies, and the pages behind their links.
const (
	Undo     = "undo of a change"
	NotMe    = "this was not me"
	Keep     = "keep my account"
	Recovery = "recovery"
	// EndSessions is no remedy of a contact: the owner signs in and ends every other
	// session, in one of the ways there are.
	EndSessions = "sessions ended"
)

// endings are the ways to end sessions, by the number of an EndSessions remedy. The last
// two happen in the session that the thief has held or copied, and are there for the rule
// that a proof cuts the past off (design.md section 6): the one ends what he has of it,
// the other must not make it fresh.
var endings = []string{
	"sign out everywhere", "sign out the others", "end the others", "change the password",
	"change the password in the session that was taken", "prove who I am in the session that was taken",
}

const (
	changeInTaken = 4
	proveInTaken  = 5
)

// byCode is the number of a Keep that is made with a code instead of a link.
const byCode = -1

// The pages behind the links in messages.
const (
	undoPath  = "/undo/change"
	notMePath = "/not-me"
	keepPath  = "/undo/deletion"
)

var remedyPaths = map[string]string{undoPath: Undo, notMePath: NotMe, keepPath: Keep}

// Plan is everything that makes a run: the same plan is the same run.
type Plan struct {
	Seed    uint64
	Variant Variant
	Kind    Kind
	Steps   []Step // nil: they are drawn as the run goes
	Remedy  *Remedy
	// Aim is the pair of the thief's last step and the remedy that a drawn run tries to reach.
	Aim [2]string
	// OwnerFirst: the owner signs in before the thief tries what is left.
	OwnerFirst bool
	// Turn is where the thief begins with what he tries.
	Turn int
	// First is what the thief tries before all else, where a finding is made smaller.
	First string
}

// onlySenior are the steps of a thief that only a senior contact can take.
var onlySenior = []string{"follow-undo", "follow-keep", "keep", "review"}

// maxSteps bounds a run.
const maxSteps = 12

// NewPlan draws what a run begins with.
func NewPlan(seed uint64) *Plan {
	d := dice(seed)
	p := &Plan{Seed: seed, Kind: WithPassword, OwnerFirst: d.chance(50), Turn: d.below(1000)}
	switch n := d.below(100); {
	case n < 15:
		p.Kind = WithEmail
	case n < 25:
		p.Kind = WithPhone
	case n < 33:
		p.Kind = WithBoth
	}
	steps := thiefOperations()
	pair := int(seed % uint64(len(steps)*len(remedyKinds))) // each as often
	p.Aim = [2]string{steps[pair/len(remedyKinds)], remedyKinds[pair%len(remedyKinds)]}
	switch n := d.below(100); {
	case n < 15:
		p.Variant = NoThief
	case n < 35 || p.Kind == WithEmail && n < 55:
		p.Variant = HeldSession
	case n < 55 || p.Kind == WithEmail:
		p.Variant = CopiedJar
	case n < 80:
		p.Variant = HadPassword
	default:
		p.Variant = PasswordWait
	}
	if slices.Contains(onlySenior, p.Aim[0]) && p.Variant != NoThief && p.Kind != WithEmail {
		p.Variant = PasswordWait
	}
	return p
}

// String is the plan as a person reads it.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, account by %s, thief: %s\n", p.Seed, p.Kind, p.Variant)
	for n, s := range p.Steps {
		fmt.Fprintf(&b, "  %2d. %s\n", n+1, s)
	}
	if p.Remedy != nil {
		fmt.Fprintf(&b, "   R. owner: %s\n", p.Remedy)
	}
	if p.OwnerFirst {
		b.WriteString("      the owner signs in first, then the thief tries everything\n")
	} else {
		b.WriteString("      the thief tries everything first, then the owner signs in\n")
	}
	return b.String()
}
