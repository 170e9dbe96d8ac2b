package refreshsim

import "github.com/limenauth/limen/internal/session"

// ledger is what the simulator knows of a session from its answers alone.
type ledger struct {
	w   World
	row Row

	bound     bool
	device    Device // the secret that counts
	newest    int64  // the newest generation handed out
	ofThief   bool   // who was handed it first
	movedAt   int64  // when, or when it was last recovered late
	idleUntil int64
	oldUntil  int64
	revoked   bool
	ended     bool // by reuse

	proof, provenAt int64 // the generation that the newest step-up made, and when
	cut, cutAt      int64 // the same of the newest change of the password

	lates []late
}

type late struct{ gen, at int64 }

func newLedger(w World, open Open, bound bool) *ledger {
	l := &ledger{w: w, bound: bound, device: Right, newest: 1, idleUntil: micros(w.Lifetimes.Idle), oldUntil: micros(w.Lifetimes.Absolute)}
	l.row = open(Birth{At: clock(0), Policy: w.Policy, Lifetimes: w.Lifetimes, Bound: bound})
	return l
}

func (l *ledger) lives(now int64) bool {
	return !l.revoked && !l.ended && now < l.idleUntil && now < l.oldUntil
}

// late reports whether presenting gen now needs a late recovery.
func (l *ledger) late(gen, now int64) bool {
	return l.w.Policy == session.Resilient && l.lives(now) && gen == l.newest-1 && gen >= l.cut && now >= l.movedAt+micros(l.w.Lifetimes.Window)
}

// mayBeLate is the promise to honest people in its own words: not for two refreshes in a
// row, and not more often than allowed in any period.
func (l *ledger) mayBeLate(gen, now int64) bool {
	recent := 0
	for _, x := range l.lates {
		if now-x.at < micros(session.RecoveriesPeriod) {
			recent++
		}
	}
	inRow := len(l.lates) > 0 && l.lates[len(l.lates)-1].gen == gen-1
	return !inRow && recent < session.MaxRecoveries
}

func (l *ledger) window() int64 {
	if l.w.Policy == session.Resilient {
		return micros(l.w.Lifetimes.Window)
	}
	return micros(l.w.Lifetimes.StrictWindow)
}

// isCut reports whether a changed password made a generation worthless.
func (l *ledger) isCut(gen int64) bool { return gen < l.cut }

// superseded reports whether a proof made presenting p now a matter of waiting: it must
// be told so, and nothing may move.
func (l *ledger) superseded(p Presented, now int64) bool {
	if l.isCut(p.Generation) {
		return now < l.cutAt+l.window()
	}
	return p.Generation == l.proof-1 && p.Device != l.device && now < l.provenAt+l.window()
}

// judge holds an answer against the ledger and writes it down.
func (s *sim) judge(r *request) {
	led, p := r.c.led, r.p
	if s.thief != nil && s.thief.led == led && !led.ended && p.Generation < led.newest && (led.ofThief != r.c.thief || p.Generation < led.newest-1) {
		s.report.Conflicts++
	}
	if led.lives(s.now) && led.superseded(p, s.now) && r.answer.Result != Superseded {
		s.violate("generation %d of %d, from just before a proof, is answered %d", p.Generation, led.newest, r.answer.Result)
	}
	switch r.answer.Result {
	case Granted:
		s.judgeGrant(r)
	case Superseded:
		single := s.w.Policy != session.Resilient && p.Generation == led.newest-1 && s.now < led.movedAt+led.window()
		if !single && !led.superseded(p, s.now) || !led.lives(s.now) {
			s.violate("generation %d of %d is superseded", p.Generation, led.newest)
		}
	case Reused:
		if !led.lives(s.now) {
			s.violate("a session that is over ended again")
		}
		if led.isCut(p.Generation) {
			s.violate("generation %d, from before the password was changed, ended the session", p.Generation)
		}
		led.ended = true
		switch {
		case s.thief == nil || s.thief.led != led:
			if led.bound {
				s.report.SignOuts++
			} else {
				s.report.Loose++
			}
		case s.report.Conflicts > 0:
			s.report.Caught, s.report.Took = true, clock(s.now).Sub(clock(s.stolen))
		}
	case Gone:
		switch {
		case !led.lives(s.now):
		case !led.isCut(p.Generation):
			s.violate("a session that lives is gone")
		case r.c.thief:
			s.report.ShutOut = true
		default:
			s.report.CutOff++
		}
	}
}

func (s *sim) judgeGrant(r *request) {
	led, p := r.c.led, r.p
	switch {
	case led.revoked:
		s.violate("a revoked session was granted generation %d", r.answer.Generation)
	case !led.lives(s.now):
		s.violate("a session that is over was granted generation %d", r.answer.Generation)
	case led.isCut(p.Generation):
		s.violate("generation %d, from before the password was changed, was granted %d", p.Generation, r.answer.Generation)
	case p.Generation == led.proof-1 && p.Device != led.device:
		s.violate("generation %d, from just before a proof, was granted %d without the device secret", p.Generation, r.answer.Generation)
	case led.bound && p.Device != led.device:
		s.violate("a bound session was granted generation %d without its device secret", r.answer.Generation)
	case r.answer.Generation != p.Generation+1:
		s.violate("generation %d was answered with %d", p.Generation, r.answer.Generation)
	case p.Generation != led.newest && p.Generation != led.newest-1:
		s.violate("generation %d was granted while %d is the newest: two leaves", p.Generation, led.newest)
	case p.Generation < led.newest && led.w.Policy != session.Resilient:
		s.violate("generation %d was granted twice under strict", p.Generation)
	}
	s.report.Grants++
	if r.c.thief {
		s.report.Loot++
	}
	switch {
	case p.Generation == led.newest:
		led.newest, led.ofThief = r.answer.Generation, r.c.thief
		led.bound = led.bound || p.Device == led.device
	case !led.late(p.Generation, s.now):
		s.report.Repeats++
		return
	default:
		if !led.bound {
			s.violate("an unbound session recovered generation %d late", p.Generation)
		}
		s.report.Late++
		led.lates = append(led.lates, late{p.Generation, s.now})
	}
	led.movedAt = s.now
	led.idleUntil = min(s.now+micros(led.w.Lifetimes.Idle), led.oldUntil)
}

// epilogue presents a token of long ago to every session that still lives: it ends, and
// its newest token is worth nothing from then on. But a token from before the password
// was changed is worth nothing itself, and the session lives on.
func (s *sim) epilogue() {
	for _, c := range s.homes {
		s.now += hour
		led := c.led
		if len(s.report.Violations) > 0 || led.newest < 3 || !led.lives(s.now) {
			continue
		}
		expected := []Result{Reused, Gone}
		if led.isCut(led.newest - 2) {
			expected = []Result{Gone, Granted}
		}
		for i, p := range []Presented{{led.newest - 2, led.device}, {led.newest, led.device}} {
			answer := led.row.Arrive(clock(s.now), p).Land(clock(s.now))
			if want := expected[i]; answer.Result != want {
				s.violate("at the end, generation %d of %d is answered %d", p.Generation, led.newest, answer.Result)
			}
		}
	}
}
