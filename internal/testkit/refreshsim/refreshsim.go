// Package refreshsim proves the refresh rule by playing it out: a person with a browser
// of several tabs and a phone, a network that loses, repeats and reorders, lids that
// close and programs that crash, and sometimes a thief. One seed is one life of a few
// weeks; the same seed always is the same life. Now and then the person proves again who
// they are, or changes the password.
//
// The simulator talks to a session through the port Row, so the same lives are played
// against the rule alone (Memory) and against a real database. It keeps its own ledger
// of what has been handed out and judges every answer by it:
//
//   - One leaf. A grant for generation g is g+1; only the newest generation moves the
//     session on, only the one before it is ever repeated. So the number of distinct
//     successors that can be used never exceeds one.
//   - A bound session grants nothing without its device secret, and ends at the first try.
//   - A step-up makes a new generation. The one before it, without the device secret, is
//     granted nothing and ends nothing within the window.
//   - A changed password makes a new generation and a new device secret. What is older is
//     granted nothing from then on and ends nothing, whatever comes with it.
//   - Nothing is granted once a revocation has happened, however the two raced, nor
//     after reuse, nor past a deadline. Nothing is refused as gone that is not.
//   - Honest people are signed out by nobody but themselves, their operator and time.
//
// The last line is a promise with conditions, and the simulator holds the world to them,
// no more. A message lives for at most MaxDelay and a client gives up after three tries
// within the window. The tabs of a browser share their access token, as they do in
// cookie mode, so its refreshes are at least as far apart as that token's life. And
// answers are lost for longer than the window at most session.MaxRecoveries times in
// session.RecoveriesPeriod, and not for two refreshes in a row: when a life would be
// unluckier than that, the answer turns out to have arrived. A proof is a refresh by
// another way here: nobody proves themselves while an older answer is on its way, nor
// again before the answer to the last time has arrived, and a crash takes back the newest
// cookies at most. World.Unlucky and World.Apart lift what is said of luck and of tabs, to
// measure what they cost.
//
// An answer to a changed password that is lost cuts the person's own browser off: it is
// told session_ended, and they sign in with the new password. Report.CutOff counts that.
package refreshsim

import (
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/session"
)

// Device says which device secret comes with a refresh. From Right on they are those of
// the session, one after the other: each change of the password makes the next.
type Device int8

// The device secrets.
const (
	Wrong Device = iota - 1 // another one that the server made
	None                    // none
	Right                   // the first of the session's device
)

// Proof is a way of proving oneself in a session that is there.
type Proof uint8

// The proofs.
const (
	NoProof        Proof = iota
	StepUp               // the person proves again who they are
	PasswordChange       // the person changes the password
)

// Presented is one refresh request.
type Presented struct {
	Generation int64
	Device     Device
}

// Result is what the server answers.
type Result uint8

// The results.
const (
	Gone       Result = iota // session_ended
	Granted                  // new tokens
	Superseded               // refresh_superseded
	Reused                   // refresh_reused
)

// Answer is the server's answer; Generation is that of the refresh token in a grant, and
// Device the new device secret, None if it brings none.
type Answer struct {
	Result     Result
	Generation int64
	Device     Device
}

// Row is one session on a server that answers many requests at once.
type Row interface {
	// Arrive begins a refresh: the request has been read, nothing is decided. A server
	// that reads the session before it writes may read it here.
	Arrive(at time.Time, p Presented) Flight
	// Prove commits a proof of the session's person and returns its answer.
	Prove(at time.Time, p Proof) Answer
	// Revoke ends the session, at once and for ever.
	Revoke(at time.Time)
}

// Flight is a refresh that has arrived.
type Flight interface {
	// Land commits the refresh and returns its answer. A flight that never lands is a
	// server that crashed before it committed.
	Land(at time.Time) Answer
}

// Birth is how a session begins: at generation 1, whose token the client holds.
type Birth struct {
	At        time.Time
	Policy    session.Policy
	Lifetimes session.Lifetimes
	Bound     bool
}

// Open begins a session on the server.
type Open func(Birth) Row

// Thief says what has been stolen.
type Thief uint8

// The thieves.
const (
	NoThief Thief = iota
	Bare          // has a refresh token, once
	Full          // has a copy of everything the device holds, and goes on refreshing
)

// String names the thief.
func (t Thief) String() string {
	return [...]string{"no thief", "a thief without the device secret", "a thief with everything"}[t]
}

// World is what a life is made of. The zero World has no tabs: see Default.
type World struct {
	Policy    session.Policy
	Lifetimes session.Lifetimes
	Thief     Thief
	Tabs      int
	Requests  int // how many honest requests a life has, at most
	// StepUps and Changes are how often a tab's person proves themselves again and changes
	// the password, in a thousand rests between two refreshes.
	StepUps, Changes int
	// Unlucky loses answers beyond the allowance of late recoveries.
	Unlucky bool
	// Apart gives every tab its own access token, as in memory mode, and lets the tabs
	// refresh without asking each other.
	Apart bool
}

// Lifetimes are limen's defaults.
func Lifetimes() session.Lifetimes {
	const day = 24 * time.Hour
	return session.Lifetimes{Access: 15 * time.Minute, Idle: 30 * day, Absolute: 90 * day, Window: 30 * time.Second, StrictWindow: 10 * time.Second}
}

// Default is the world of the proof: three tabs, a phone, limen's lifetimes.
func Default(policy session.Policy, thief Thief) World {
	return World{Policy: policy, Lifetimes: Lifetimes(), Thief: thief, Tabs: 3, Requests: 60, StepUps: 40, Changes: 10}
}

// MaxDelay is the longest that a message travels.
const MaxDelay = 5 * time.Second

// Report is what happened in one life.
type Report struct {
	Violations []string // broken promises; a life has none

	Requests, Grants, Repeats, Late int
	// SignOuts counts bound sessions of honest devices that ended by reuse while no thief
	// was about. In the default world under the policy resilient there are none. Loose
	// counts the same of sessions that were not bound yet, for which nothing is promised.
	SignOuts, Loose int
	// StepUps and Changes count the proofs that were committed. CutOff counts honest
	// devices that lost the answer to a changed password.
	StepUps, Changes, CutOff int
	// Relents counts how often the world had to be kinder than its dice: see the essay.
	Relents int

	// Thief Bare: what the first try was answered, if it came.
	Tried bool
	// ShutOut says that a changed password made the thief's copy worthless.
	ShutOut bool

	// Thief Full: tokens the thief was granted, conflicts seen by the server until the
	// session ended by reuse, and how long that took.
	Stolen    bool
	Loot      int
	Conflicts int
	Caught    bool
	Took      time.Duration
}

// Run plays the life of a seed.
func Run(seed uint64, w World, open Open) Report {
	s := &sim{w: w, dice: dice(seed), loss: []int{0, 20, 100, 300}[seed%4]}
	s.dice.next()
	s.begin(open)
	for len(s.queue) > 0 && len(s.report.Violations) == 0 {
		e := s.queue.pop()
		s.now = e.at
		s.play(e)
	}
	s.epilogue()
	return s.report
}

func (s *sim) violate(format string, args ...any) {
	s.report.Violations = append(s.report.Violations, fmt.Sprintf("at %v: ", time.Duration(s.now)*time.Microsecond)+fmt.Sprintf(format, args...))
}
