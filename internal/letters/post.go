package letters

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

const (
	batch    = 500
	lease    = time.Minute
	maxTries = 12
	// idle is the longest pause between two looks at the outbox: rows that another
	// process wrote are found by then at the latest.
	idle = 5 * time.Second
)

// Post is the office that sends. Build it with a literal and call Open before use.
type Post struct {
	Store  *store.Store
	Sender mail.Sender // nil: there is no relay, and nothing can be sent
	Sealer *secret.Sealer
	Render *Renderer
	From   string
	Now    func() time.Time
	Log    *slog.Logger

	wake chan struct{}
}

// Open readies the office.
func (p *Post) Open() *Post {
	p.wake = make(chan struct{}, 1)
	return p
}

// Ready reports whether letters can leave at all.
func (p *Post) Ready() bool { return p.Sender != nil }

// Waiting counts the letters that have not left yet; above a million it stops counting.
func (p *Post) Waiting(ctx context.Context) (int, error) {
	return p.Store.Waiting(ctx, LaneInteractive, 1_000_000)
}

// Wake makes the worker look at the outbox now.
func (p *Post) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it has been told already
	}
}

// Run sends until the context ends, then makes one last round so that what has
// committed before leaves as well.
func (p *Post) Run(ctx context.Context) {
	if !p.Ready() {
		<-ctx.Done()
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), idle)
			defer cancel()
			p.round(last)
			return
		case <-p.wake:
		case <-timer.C:
		}
		timer.Reset(p.round(ctx))
	}
}

// round sends everything that is due and returns when to look again.
func (p *Post) round(ctx context.Context) time.Duration {
	for {
		n, err := p.SendDue(ctx)
		if err != nil {
			p.Log.Error("outbox: the round failed and will be repeated", "error", err)
			return idle
		}
		if n < batch {
			break
		}
	}
	due, err := p.Store.NextDue(ctx, LaneInteractive)
	if err != nil || due.IsZero() {
		return idle
	}
	return min(idle, max(due.Sub(p.Now()), 10*time.Millisecond))
}

// SendDue claims one batch, sends it and notes the outcomes. It returns how many
// letters it claimed.
func (p *Post) SendDue(ctx context.Context) (int, error) {
	var claimed []store.Message
	err := p.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		claimed, err = tx.ClaimMessages(ctx, LaneInteractive, batch, lease)
		return err
	})
	if err != nil || len(claimed) == 0 {
		return 0, err
	}
	outcomes := make([]error, len(claimed))
	for i, m := range claimed {
		outcomes[i] = p.send(ctx, m)
	}
	return len(claimed), p.Store.Tx(ctx, func(tx *store.Tx) error {
		for i, m := range claimed {
			if err := p.note(ctx, tx, m, outcomes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

var (
	errExpired  = errors.New("expired before it could be sent")
	errUnsealed = errors.New("its secret parts do not open with the present root key")
)

func (p *Post) send(ctx context.Context, m store.Message) error {
	now := p.Now()
	if !now.Before(m.NotAfter) {
		return errExpired
	}
	plain, err := p.Sealer.Open(m.ID, m.Sealed)
	if err != nil {
		return errUnsealed
	}
	var secrets parts
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return errUnsealed
	}
	if Template(m.Template) == Nothing {
		return nil
	}
	letter, err := p.Render.render(m.Channel, Template(m.Template), m.Locale, secrets)
	if err != nil {
		return err
	}
	letter.ID, letter.Channel, letter.To, letter.From, letter.SentAt = m.ID, m.Channel, secrets.To, p.From, now
	return p.Sender.Send(ctx, letter)
}

func (p *Post) note(ctx context.Context, tx *store.Tx, m store.Message, outcome error) error {
	switch {
	case outcome == nil:
		return tx.FinishMessage(ctx, m.ID, store.Sent, "")
	case errors.Is(outcome, errExpired), errors.Is(outcome, errUnsealed), m.Tries >= maxTries:
		p.Log.Warn("outbox: a letter was given up", "message", m.ID, "template", m.Template, "reason", outcome)
		return tx.FinishMessage(ctx, m.ID, store.Dead, outcome.Error())
	}
	pause := min(time.Second<<min(m.Tries, 10), 10*time.Minute)
	return tx.RetryMessage(ctx, m.ID, tx.Now.Add(pause), outcome.Error())
}
