package refreshsim

// steal copies what an honest client holds at this moment.
func (s *sim) steal() {
	victim := s.homes[s.dice.below(len(s.homes))]
	if !victim.led.bound || victim.over { // before it is bound a token is all there is to steal
		victim = s.homes[0]
	}
	if victim.over || s.thief != nil {
		return
	}
	s.stealFrom(victim, victim.gen, s.dice.stretch(second, 3*day))
}

// stealFrom copies a generation and what else a client holds now; the thief tries it after
// a while.
func (s *sim) stealFrom(victim *client, gen, after int64) {
	s.stolen, s.report.Stolen = s.now, true
	s.thief = &client{
		led: victim.led, thief: true, lurks: s.dice.chance(500), device: victim.device, gen: gen, tabs: make([]tab, 1),
	}
	at := s.now + after
	if s.w.Thief == Full {
		s.at(at, event{kind: act, c: s.thief})
		return
	}
	// None, one of another session, or one of this session that a changed password replaced.
	s.thief.device = []Device{None, Wrong, max(None, victim.device-1)}[s.dice.below(3)]
	s.at(at, event{kind: theft, c: s.thief})
}

// tryToken is the try of a thief without the device secret: it is refused at once, and
// nobody is granted anything afterwards. After a proof of the person it ends nothing
// either, within the window, and after a changed password never.
func (s *sim) tryToken(c *client) {
	led := c.led
	lives := led.lives(s.now)
	r := &request{c: c, p: Presented{Generation: c.gen, Device: c.device}}
	r.flight = led.row.Arrive(clock(s.now), r.p)
	r.answer = r.flight.Land(clock(s.now))
	s.report.Tried = true
	want := Reused
	switch {
	case led.superseded(r.p, s.now):
		want = Superseded
		s.at(s.now+s.dice.between(second, 2*led.window()), event{kind: theft, c: c})
	case led.isCut(c.gen):
		want = Gone
	}
	if lives && r.answer.Result != want {
		s.violate("a thief without the device secret was answered %d, not %d", r.answer.Result, want)
	}
	s.judge(r)
}
