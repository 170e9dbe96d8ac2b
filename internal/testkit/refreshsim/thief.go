package refreshsim

// steal copies what an honest client holds at this moment.
func (s *sim) steal() {
	victim := s.homes[s.dice.below(len(s.homes))]
	if !victim.led.bound || victim.over { // before it is bound a token is all there is to steal
		victim = s.homes[0]
	}
	if victim.over {
		return
	}
	s.stolen, s.report.Stolen = s.now, true
	s.thief = &client{
		led: victim.led, thief: true, lurks: s.dice.chance(500), device: Right, gen: victim.gen, tabs: make([]tab, 1),
	}
	at := s.now + s.dice.stretch(second, 3*day)
	if s.w.Thief == Full {
		s.at(at, event{kind: act, c: s.thief})
		return
	}
	s.thief.device = []Device{None, Wrong}[s.dice.below(2)]
	s.at(at, event{kind: theft, c: s.thief})
}

// tryToken is the one try of a thief without the device secret: it is refused at once,
// and nobody is granted anything afterwards.
func (s *sim) tryToken(c *client) {
	led := c.led
	lives := led.lives(s.now)
	r := &request{c: c, p: Presented{Generation: c.gen, Device: c.device}}
	r.flight = led.row.Arrive(clock(s.now), r.p)
	r.answer = r.flight.Land(clock(s.now))
	s.report.Tried = true
	if lives && r.answer.Result != Reused {
		s.violate("a thief without the device secret was answered %d", r.answer.Result)
	}
	s.judge(r)
}
