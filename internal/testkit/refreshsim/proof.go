package refreshsim

// mayProve lets the person at a tab prove themselves again, or change the password, at
// some time before the access token runs out.
func (s *sim) mayProve(e event, until int64) {
	c, proof := e.c, NoProof
	switch {
	case c.thief: // has no password
	case s.dice.chance(s.w.Changes):
		proof = PasswordChange
	case s.dice.chance(s.w.StepUps):
		proof = StepUp
	}
	if proof == NoProof {
		return
	}
	e.kind = prove
	e.r = &request{c: c, tab: e.tab, life: c.life, proof: proof}
	s.at(s.now+s.dice.between(0, until-s.now), e)
}

// prove sends a proof. It may be lost and its answer too; it does not arrive twice, for an
// attempt is spent once.
func (s *sim) prove(e event) {
	c, r := e.c, e.r
	if c.over || e.life != c.life || s.now >= c.tabs[e.tab].accessUntil || s.now < c.answeredAt+calm {
		return
	}
	r.p = Presented{Generation: c.gen, Device: c.device}
	if c.led.bound {
		s.lookOver(c, c.gen)
	}
	if !s.dice.chance(s.loss) {
		s.at(s.now+s.delay(), event{kind: arrive, r: r})
	}
	if s.dice.chance(80) { // the lid closes while it is under way
		s.at(s.now+s.dice.between(0, 400*millisecond), event{kind: stop, c: c, life: c.life})
	}
}

// commit carries a proof out and judges its answer. It reports whether there is one.
func (s *sim) commit(r *request) bool {
	c, led := r.c, r.c.led
	if r.p.Generation < led.cut {
		return false // its access token is refused: 401, and a refresh will tell
	}
	if c.gen < led.newest && !led.ofThief && !s.w.Unlucky {
		s.heard(c)
	}
	r.answer = led.row.Prove(clock(s.now), r.proof)
	if r.answer.Result != Granted {
		if led.lives(s.now) {
			s.violate("a proof in a session that lives is answered %d", r.answer.Result)
		}
		return true
	}
	if !led.lives(s.now) {
		s.violate("a proof brought a session back")
	}
	if r.answer.Generation != led.newest+1 {
		s.violate("a proof at generation %d was answered with %d", led.newest, r.answer.Generation)
	}
	before := led.newest
	led.newest, led.ofThief, led.movedAt = r.answer.Generation, false, s.now
	led.idleUntil = min(s.now+micros(led.w.Lifetimes.Idle), led.oldUntil)
	if r.proof == StepUp {
		s.report.StepUps++
		led.proof, led.provenAt = led.newest, s.now
	} else {
		s.report.Changes++
		if r.answer.Device != led.device+1 {
			s.violate("a changed password made the device secret %d after %d", r.answer.Device, led.device)
		}
		led.cut, led.cutAt, led.device = led.newest, s.now, r.answer.Device
	}
	if !led.bound && s.w.Thief == Bare {
		s.lookOver(c, before) // even this token, from a session that demands no secret, is worth nothing now
	}
	return true
}

// lookOver lets a thief copy a generation just now, and try it soon.
func (s *sim) lookOver(c *client, gen int64) {
	if s.w.Thief == NoThief || s.thief != nil || !s.dice.chance(200) {
		return
	}
	s.stealFrom(c, gen, s.dice.between(0, 2*c.led.window()))
}
