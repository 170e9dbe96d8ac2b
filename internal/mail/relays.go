package mail

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// How long a relay rests after it failed: first, and at most.
const (
	firstRest = time.Second
	longRest  = 2 * time.Minute
)

// tolerance is how many letters in a row a relay may put off before it rests. One alone
// says nothing of the relay: some recipients' servers put off every stranger, and nobody
// shall stop everybody's letters by signing up with such an address.
const tolerance = 3

// Relays sends over the first of several relays that is well. One that cannot be reached,
// refuses limen or is out of order rests, longer each time, and the next one is asked;
// after its rest it gets one letter to prove itself. A refusal of the recipient or of the
// content is final and is not carried elsewhere. Build it with a literal; it is safe for
// concurrent use.
type Relays struct {
	Senders []*SMTP          // in the order of preference
	ReplyTo string           // for letters that name none
	Now     func() time.Time // for rests alone
	Log     *slog.Logger

	mu     sync.Mutex // guards health; held for moments
	health map[*SMTP]*health
}

type health struct {
	failures int // in a row
	putOff   int // letters in a row
	until    time.Time
	proving  bool
}

// Send hands one letter to the first relay that takes it. When all rest, it tries nothing
// and returns ErrResting.
func (r *Relays) Send(ctx context.Context, m Message) error {
	_, _, err := r.Deliver(ctx, m)
	return err
}

// Deliver is Send, and says which relay took the letter and what it answered.
func (r *Relays) Deliver(ctx context.Context, m Message) (relay, answer string, err error) {
	if m.ReplyTo == "" {
		m.ReplyTo = r.ReplyTo
	}
	var refused, delayed error
	resting := len(r.Senders) == 0
	for _, s := range r.Senders {
		if !r.take(s) {
			resting = true
			continue
		}
		answer, failure := s.Deliver(ctx, m)
		r.learn(ctx, s, failure)
		if failure == nil {
			return s.Relay.String(), answer, nil
		}
		f, ok := errors.AsType[*Failure](failure)
		switch {
		case ctx.Err() != nil, !ok, f.permanent && !f.elsewhere:
			return "", "", failure
		case f.permanent:
			refused = failure
		default:
			delayed = failure
		}
	}
	switch {
	case delayed != nil:
		return "", "", delayed
	case resting: // the one that rests may be able to carry what the others cannot
		return "", "", ErrResting
	}
	return "", "", refused
}

// take reports whether s may be asked now.
func (r *Relays) take(s *SMTP) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.of(s)
	if h.failures == 0 {
		return true
	}
	// A clock that was set back must not make a rest endless.
	if wait := h.until.Sub(r.Now()); h.proving || wait > 0 && wait <= longRest {
		return false
	}
	h.proving = true
	return true
}

func (r *Relays) of(s *SMTP) *health {
	if r.health == nil {
		r.health = map[*SMTP]*health{}
	}
	if r.health[s] == nil {
		r.health[s] = &health{}
	}
	return r.health[s]
}

// learn keeps what a delivery said about the relay.
func (r *Relays) learn(ctx context.Context, s *SMTP, failure error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.of(s)
	h.proving = false
	f, ok := errors.AsType[*Failure](failure)
	switch {
	case ok && f.Stage == StageCompose: // it was not asked
		return
	case failure == nil, ok && f.permanent: // it works and has judged a letter
		if h.failures > 0 {
			r.Log.Info("mail: the relay works again", "relay", s.Relay.String())
		}
		*h = health{}
		return
	case !ok: // the caller left
		return
	case !f.blame:
		if h.putOff++; h.putOff < tolerance {
			return
		}
	}
	h.putOff = 0
	if h.failures > 0 && h.until.After(r.Now()) {
		return // letters that were on their way together fail together
	}
	h.failures++
	rest := min(firstRest<<min(h.failures-1, 10), longRest)
	h.until = r.Now().Add(rest)
	r.Log.WarnContext(ctx, "mail: the relay rests after a failure", "relay", s.Relay.String(), "failure", f.Error(), "rest", rest)
}

// Close lets every connection go.
func (r *Relays) Close() error {
	var all []error
	for _, s := range r.Senders {
		all = append(all, s.Close())
	}
	return errors.Join(all...)
}
