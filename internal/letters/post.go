package letters

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
)

// The times of a claimed letter. Whoever claims it begins to send it within beginWithin
// or gives it back; the sender has patience; and what came of it is noted in what is left
// of the lease. So no lease runs out while its letter is being sent, however slow the
// relay is, and nothing has to be renewed. A test adds them up.
const (
	lease       = time.Minute
	beginWithin = 20 * time.Second
	patience    = 30 * time.Second
)

const (
	// batch is the most letters that one claim takes, and that a lane holds.
	batch    = 500
	maxTries = 12
	// idle is the longest pause between two looks at the outbox: what another process
	// wrote, and what a process held that died, is found by then at the latest.
	idle = time.Second
	// usualSenders and usualGrace stand in for what was not set.
	usualSenders = 16
	usualGrace   = 15 * time.Second
)

// Post is the office that sends. Build it with a literal and call Open before use.
type Post struct {
	Store  *store.Store
	Sender mail.Sender // nil: there is no relay, and nothing can be sent
	// Phones carries text messages and calls; nil: there is nobody who does.
	Phones sms.Sender
	// Voice has codes read out over a call where they cannot be sent as a text.
	Voice  bool
	Sealer *secret.Sealer
	Render *Renderer
	From   string
	Now    func() time.Time
	Log    *slog.Logger
	// Counts is told what came of each letter; nil counts nothing.
	Counts *metrics.Metrics
	// Senders is how many letters of the interactive lane are handed over at once, and
	// half as many of the campaign lane; 0 means 16.
	Senders int
	// Rate bounds the letters by e-mail in a second, all lanes together, where there is a
	// campaign to be slowed down: the interactive lane is counted and never waits. 0 is no
	// bound. It counts for this process alone.
	Rate float64
	// Grace is how long Run goes on after its context has ended; 0 means 15 s.
	Grace time.Duration

	lanes []*lane
	pace  *pace
	fill  chan struct{} // wakes who writes campaigns
}

// Open readies the office.
func (p *Post) Open() *Post {
	if p.Senders <= 0 {
		p.Senders = usualSenders
	}
	if p.Grace <= 0 {
		p.Grace = usualGrace
	}
	p.pace = newPace(p.Rate, p.Now)
	p.fill = make(chan struct{}, 1)
	p.lanes = []*lane{
		LaneInteractive: newLane(p, LaneInteractive, p.Senders),
		LaneCampaign:    newLane(p, LaneCampaign, max(1, p.Senders/2)),
	}
	return p
}

// Ready reports whether letters can leave at all.
func (p *Post) Ready() bool { return p.Sender != nil }

// Wake makes the workers of this process look at the outbox now. Other processes look
// once in a second.
func (p *Post) Wake() { nudge(p.lanes[LaneInteractive].wake) }

// nudge tells somebody who may have been told already.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run sends until the context ends and, for no longer than Grace, what has committed by
// then. Letters of campaigns that are not being sent at that moment go back to the outbox.
func (p *Post) Run(ctx context.Context) {
	if !p.Ready() && !p.CanText() {
		<-ctx.Done()
		return
	}
	working, stop := outlive(ctx, p.Grace)
	defer stop()
	var workers sync.WaitGroup
	for _, l := range p.lanes {
		workers.Go(func() { l.run(ctx, working) })
	}
	workers.Go(func() { p.writeCampaigns(ctx) })
	workers.Wait()
}

// outlive returns a context that ends a while after ctx has.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { unhook(); cancel() }
}

// SendDue claims one batch of the interactive lane, sends it letter by letter in the order
// in which they became due, and notes the outcomes. It returns how many letters it
// claimed. Commands and tests call it; a server has Run.
func (p *Post) SendDue(ctx context.Context) (int, error) {
	l := p.lanes[LaneInteractive]
	claimed, err := l.take(ctx, batch)
	if err != nil || len(claimed) == 0 {
		return 0, err
	}
	defer l.drop(claimed)
	for _, h := range claimed {
		h.outcome = p.send(ctx, h)
	}
	return len(claimed), l.note(ctx, claimed)
}

var (
	errExpired   = errors.New("expired before it could be sent")
	errUnsealed  = errors.New("its secret parts do not open with the present root key")
	errCancelled = errors.New("its campaign was cancelled")
	// errLate: the letter was claimed and not begun in time. errHeld: its campaign pauses.
	errLate = errors.New("not begun in time")
	errHeld = errors.New("its campaign is paused")
	// errNothing: the letter is not to leave, and is sent by that.
	errNothing = errors.New("nothing")
)

// send hands a letter over. Of what it says, nothing is kept.
func (p *Post) send(ctx context.Context, h *held) error {
	if h.late.Load() || ctx.Err() != nil {
		return errLate
	}
	now := p.Now()
	if !now.Before(h.NotAfter) {
		return errExpired
	}
	letter, err := p.write(h)
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.pace.wait(ctx, h); err != nil {
		return err
	}
	letter.ID, letter.Channel, letter.From, letter.SentAt = h.ID, h.Channel, p.From, now
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if h.Channel == wire[account.ByPhone] {
		return p.text(ctx, h, letter)
	}
	if named, ok := p.Sender.(deliverer); ok {
		h.provider, _, err = named.Deliver(ctx, letter)
		return err
	}
	return p.Sender.Send(ctx, letter)
}

// deliverer is a sender that tells which of its providers took a letter.
type deliverer interface {
	Deliver(ctx context.Context, m mail.Message) (provider, answer string, err error)
}

// write opens the secret parts of a row and makes the letter of them.
func (p *Post) write(h *held) (mail.Message, error) {
	plain, err := p.Sealer.Open(h.ID, h.Sealed)
	if err != nil {
		return mail.Message{}, errUnsealed
	}
	if h.Campaign != "" {
		return p.writeNotice(h, plain)
	}
	var secrets parts
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return mail.Message{}, errUnsealed
	}
	h.to, h.fallback = secrets.To, secrets.Fallback
	if Template(h.Template) == Nothing {
		return mail.Message{}, errNothing
	}
	letter, err := p.Render.render(h.Channel, Template(h.Template), h.Locale, secrets)
	letter.To = secrets.To
	return letter, err
}
