package letters

import (
	"context"
	"math"
	"sync"
	"time"
)

// pace is a token bucket: what a relay takes in a second. Interactive letters take their
// token at once, even one that is not there yet; letters of campaigns wait until theirs
// has come. So both together keep to the rate, and no person waits for a campaign.
type pace struct {
	rate float64
	now  func() time.Time

	mu     sync.Mutex // guards the rest, for a calculation only
	tokens float64
	filled time.Time
}

func newPace(rate float64, now func() time.Time) *pace { return &pace{rate: rate, now: now} }

// portion is how many letters a lane may hold so that none of them waits for its token
// until it has to be given back.
func (p *pace) portion(lane int) int {
	if p.rate <= 0 || lane == LaneInteractive {
		return batch
	}
	return int(math.Ceil(p.rate * (beginWithin / 2).Seconds()))
}

// wait returns when the letter may leave, or errLate.
func (p *pace) wait(ctx context.Context, h *held) error {
	if p.rate <= 0 || h.Channel != "email" {
		return nil
	}
	pause := p.take()
	if h.Lane == LaneInteractive || pause <= 0 {
		return nil
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	if h.late.Load() || ctx.Err() != nil {
		p.giveBack()
		return errLate
	}
	return nil
}

// take takes a token and says how long it takes until it is there.
func (p *pace) take() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	full := max(1, p.rate) // a second's worth
	if p.filled.IsZero() {
		p.tokens = full
	} else if passed := now.Sub(p.filled); passed > 0 {
		p.tokens = min(full, p.tokens+p.rate*passed.Seconds())
	}
	p.filled = now
	p.tokens--
	return time.Duration(max(0, -p.tokens/p.rate) * float64(time.Second))
}

func (p *pace) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens++
}
