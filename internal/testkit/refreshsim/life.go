package refreshsim

import "time"

// Times are microseconds since the birth of the sessions, as the database keeps them.
const (
	millisecond = int64(1000)
	second      = 1000 * millisecond
	minute      = 60 * second
	hour        = 60 * minute
	day         = 24 * hour

	patience = 8 * second // then a client gives a request up
	tries    = 3
	flushed  = 30 * second // a browser that crashes may forget cookies that are younger
	longest  = 85 * day    // how long a life is

	longestWork = 2 * second // of the server, between arrival and commit
	// calm is after how long nothing that was under way can still arrive or be answered.
	calm = 2*int64(MaxDelay/time.Microsecond) + longestWork
)

var birthday = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func clock(at int64) time.Time { return birthday.Add(time.Duration(at) * time.Microsecond) }

func micros(d time.Duration) int64 { return d.Microseconds() }

// sim is one life being played.
type sim struct {
	w      World
	dice   dice
	loss   int // per mille of messages lost
	queue  queue
	now    int64
	seq    uint32
	report Report

	homes   []*client // the honest clients
	theftAt int       // after how many honest requests the thief copies
	thief   *client
	stolen  int64 // when
}

// client is a place that holds a refresh token: a browser's cookie jar, an app's store,
// a thief's copy.
type client struct {
	led    *ledger
	thief  bool
	lurks  bool // a thief who refreshes when they please
	device Device

	gen, before int64  // the token held, and the one before it
	was         Device // the device secret beside the one before
	answeredAt  int64
	awakeAt     int64
	life        int   // a new one begins with every crash and sleep; the old one's answers are lost
	relented    int64 // the generation that turned out to have arrived: see relents
	over        bool
	tabs        []tab
}

type tab struct {
	busy        bool
	accessUntil int64
}

type request struct {
	c         *client
	tab       int
	life, try int
	p         Presented
	flight    Flight
	answer    Answer
	done      bool // answered or given up
	proof     Proof
}

type kind uint8

const (
	act kind = iota
	arrive
	land
	deliver
	giveUp
	stop // sleep or crash
	revoke
	theft
	prove
)

type event struct {
	at   int64
	seq  uint32
	kind kind
	c    *client
	tab  int
	life int
	r    *request
}

func (s *sim) begin(open Open) {
	browser := &client{device: Right, gen: 1, tabs: make([]tab, s.w.Tabs), led: newLedger(s.w, open, true)}
	phone := &client{device: Right, gen: 1, tabs: make([]tab, 1), led: newLedger(s.w, open, false)}
	s.homes = []*client{browser, phone}
	for _, c := range s.homes {
		s.share(c, -1, micros(s.w.Lifetimes.Access))
		s.rouse(c)
	}
	s.theftAt = -1
	if s.w.Thief != NoThief {
		s.theftAt = 2 + s.dice.below(s.w.Requests/2)
	}
}

func (s *sim) at(at int64, e event) {
	s.seq++
	e.at, e.seq = at, s.seq
	s.queue.push(e)
}

// rouse makes every tab act when the client is awake.
func (s *sim) rouse(c *client) {
	for i := range c.tabs {
		c.tabs[i].busy = false
		s.at(max(s.now, c.awakeAt)+s.dice.between(0, 3*second), event{kind: act, c: c, tab: i, life: c.life})
	}
}

// share gives a fresh access token to the tab, and in cookie mode to all of them.
func (s *sim) share(c *client, tab int, until int64) {
	for i := range c.tabs {
		if i == tab || tab < 0 || !s.w.Apart {
			c.tabs[i].accessUntil = until
		}
	}
}

func (s *sim) play(e event) {
	switch e.kind {
	case act:
		s.act(e)
	case prove:
		s.prove(e)
	case arrive:
		s.arrive(e.r)
	case land:
		s.land(e.r)
	case deliver:
		s.deliver(e.r)
	case giveUp:
		s.giveUp(e.r)
	case stop:
		s.stop(e)
	case revoke:
		for _, c := range s.homes {
			c.led.row.Revoke(clock(s.now))
			c.led.revoked = true
		}
	case theft:
		s.tryToken(e.c)
	}
}

func (s *sim) act(e event) {
	c := e.c
	if c.over || e.life != c.life || c.tabs[e.tab].busy {
		return
	}
	if until := c.tabs[e.tab].accessUntil; s.now < until {
		pause := s.dice.between(0, 20*second)
		if c.lurks {
			pause = s.dice.stretch(second, 12*hour)
		}
		s.at(until+pause, e)
		s.mayProve(e, until)
		return
	}
	if s.report.Requests >= s.w.Requests || s.report.Loot >= s.w.Requests || s.now > longest {
		return
	}
	c.tabs[e.tab].busy = true
	s.send(c, e.tab, 0)
}

func (s *sim) send(c *client, tab, try int) {
	r := &request{c: c, tab: tab, life: c.life, try: try, p: Presented{Generation: c.gen, Device: c.device}}
	s.at(s.now+patience, event{kind: giveUp, r: r})
	if !s.dice.chance(s.loss) {
		s.at(s.now+s.delay(), event{kind: arrive, r: r})
	}
	if s.dice.chance(20) { // the network, or a proxy in between, says it twice
		again := *r
		again.done = true // its answer finds nobody
		s.at(s.now+s.delay(), event{kind: arrive, r: &again})
	}
	if c.thief {
		return
	}
	s.report.Requests++
	if s.report.Requests == s.theftAt {
		s.steal()
	}
	switch {
	case s.dice.chance(80): // the lid closes while the request is under way
		s.at(s.now+s.dice.between(0, 400*millisecond), event{kind: stop, c: c, life: c.life})
	case s.dice.chance(80): // or some time later
		s.at(s.now+s.dice.between(0, 20*minute), event{kind: stop, c: c, life: c.life})
	}
}

// delay is how long a message travels: mostly short, at times as long as can be.
func (s *sim) delay() int64 {
	if s.dice.chance(50) {
		return s.dice.between(0, micros(MaxDelay))
	}
	return s.dice.between(5*millisecond, 200*millisecond)
}

func (s *sim) arrive(r *request) {
	if s.dice.chance(5) {
		return // the server crashes before it commits
	}
	if r.proof == NoProof {
		r.flight = r.c.led.row.Arrive(clock(s.now), r.p)
	}
	work := s.dice.between(millisecond, 40*millisecond)
	if s.dice.chance(20) {
		work = s.dice.between(0, longestWork)
	}
	s.at(s.now+work, event{kind: land, r: r})
	if s.dice.chance(3) { // somebody signs out everywhere just now
		s.at(s.now+s.dice.between(0, work+millisecond), event{kind: revoke})
	}
}

func (s *sim) land(r *request) {
	if r.proof != NoProof {
		if !s.commit(r) {
			return
		}
	} else {
		if s.relents(r) {
			return
		}
		r.answer = r.flight.Land(clock(s.now))
		s.judge(r)
	}
	if s.dice.chance(s.loss) || s.dice.chance(5) { // lost, or the server crashed after it committed
		return
	}
	s.at(s.now+s.delay(), event{kind: deliver, r: r})
}

// relents keeps the world to its conditions: an answer that would be missed once too
// often turns out to have arrived. Then no tab has sent the token before it.
func (s *sim) relents(r *request) bool {
	c, led := r.c, r.c.led
	if s.w.Unlucky || c.thief || led.ofThief {
		return false
	}
	if led.late(r.p.Generation, s.now) && !led.mayBeLate(r.p.Generation, s.now) {
		s.heard(c)
	}
	return r.p.Generation < c.relented
}

// heard is the kindness of the world: the newest answer turns out to have arrived.
func (s *sim) heard(c *client) {
	s.report.Relents++
	c.relented = c.led.newest
	c.gen, c.device = max(c.gen, c.led.newest), c.led.device
}

func (s *sim) deliver(r *request) {
	c := r.c
	if r.done || r.life != c.life || c.over {
		return
	}
	r.done = true
	if r.proof == NoProof {
		c.tabs[r.tab].busy = false
	}
	next := s.now
	switch r.answer.Result {
	case Granted:
		// Whatever comes last stays in the jar, even if it is the older one.
		if r.answer.Generation != c.gen {
			c.before, c.was = c.gen, c.device
		}
		if r.answer.Device != None {
			c.device = r.answer.Device
		} else if !c.thief && r.p.Device > None {
			c.device = r.p.Device // each grant sets the cookie that came with its request
		}
		c.gen, c.answeredAt = r.answer.Generation, s.now
		s.share(c, r.tab, s.now+micros(s.w.Lifetimes.Access))
	case Superseded:
		next += s.dice.between(500*millisecond, 2*second) // the other tab's answer is on its way
	default:
		c.over = true
		return
	}
	if r.proof == NoProof {
		s.at(next, event{kind: act, c: c, tab: r.tab, life: c.life})
	}
}

func (s *sim) giveUp(r *request) {
	c := r.c
	if r.done || r.life != c.life || c.over {
		return
	}
	r.done = true // a later answer finds the connection closed
	if s.now >= c.tabs[r.tab].accessUntil && r.try+1 < tries {
		s.send(c, r.tab, r.try+1)
		return
	}
	c.tabs[r.tab].busy = false
	s.at(s.now+s.dice.stretch(10*second, 2*hour), event{kind: act, c: c, tab: r.tab, life: c.life})
}

// forget gives a browser that crashed the cookies that it had before. It forgets no
// refresh whose successor a proof has replaced already: that is two answers at once.
func (s *sim) forget(c *client) {
	if c.before < c.led.newest-1 && !c.thief && !c.led.ofThief && !s.w.Unlucky {
		s.report.Relents++
		return
	}
	c.gen, c.device, c.before = c.before, c.was, 0
	s.share(c, -1, 0)
}

// stop puts the client to sleep, or crashes it.
func (s *sim) stop(e event) {
	c := e.c
	if c.over || e.life != c.life {
		return
	}
	c.life++
	if s.dice.chance(300) {
		if c.before > 0 && s.now-c.answeredAt < flushed {
			s.forget(c)
		}
		c.awakeAt = s.now + s.dice.between(second, minute)
	} else {
		c.awakeAt = s.now + s.dice.stretch(10*second, 6*day)
	}
	s.rouse(c)
}
