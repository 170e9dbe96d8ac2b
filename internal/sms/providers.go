package sms

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// firstRest is how long a provider rests after its first failure; each further one
	// doubles it up to longestRest.
	firstRest   = time.Second
	longestRest = 5 * time.Minute
)

// Provider is a sender by its name.
type Provider struct {
	Name string
	// Calls reports whether it makes calls at all.
	Calls  bool
	Sender Sender
}

// The outcomes that Providers tells of.
const (
	Sent       = "sent"
	Refused    = "refused"     // the number, for good
	NotCarried = "not_carried" // this message, by this provider
	Failed     = "failed"      // the provider is not well and rests
)

// Providers is a row of providers, the preferred one first. A message goes to the first
// that is well. Who fails rests, longer each time, and is tried by one message when its
// rest is over: the others do not wait for it. It is a Sender.
type Providers struct {
	// Told, if set before the first use, hears of every try: for metrics and the log.
	Told func(provider, outcome string, err error)

	now  func() time.Time
	list []*place
}

// place is a provider and its health.
type place struct {
	Provider

	mu       sync.Mutex // guards what follows; held for arithmetic only
	failures int        // in a row
	until    time.Time  // it rests until then; zero while it is well
	era      int        // changes with its health: a burst that fails together fails once
}

// NewProviders makes a row.
func NewProviders(now func() time.Time, list ...Provider) *Providers {
	p := &Providers{now: now}
	for _, one := range list {
		p.list = append(p.list, &place{Provider: one})
	}
	return p
}

// Calls reports whether any of them makes calls.
func (p *Providers) Calls() bool {
	for _, at := range p.list {
		if at.Provider.Calls {
			return true
		}
	}
	return false
}

// Send hands the message to the first provider that is well and takes it. It fails with
// ErrRefused as soon as one refuses the number, with ErrNotHere if all who were asked do
// not carry the message, and otherwise with the failure of the last that was asked. When
// all rest, it asks nobody, and the Failure says in RetryAfter when one may be asked.
func (p *Providers) Send(ctx context.Context, m Message) error {
	var last, elsewhere error
	var wait time.Duration
	for _, at := range p.list {
		if m.Voice && !at.Provider.Calls {
			elsewhere = &Failure{Provider: at.Name, Code: "voice", kind: ErrNotHere}
			continue
		}
		era, rest := at.enter(p.now())
		if rest > 0 {
			if wait == 0 || rest < wait {
				wait = rest
			}
			continue
		}
		err := at.Sender.Send(ctx, m)
		switch {
		case err == nil:
			at.well()
			p.tell(at.Name, Sent, nil)
			return nil
		case ctx.Err() != nil: // we left; that says nothing about the provider
			at.leave(era)
			return ctx.Err()
		case errors.Is(err, ErrRefused):
			at.well()
			p.tell(at.Name, Refused, err)
			return err
		case errors.Is(err, ErrNotHere):
			at.leave(era)
			p.tell(at.Name, NotCarried, err)
			elsewhere = err
		default:
			at.ill(era, p.now(), err)
			p.tell(at.Name, Failed, err)
			last = err
		}
	}
	switch {
	case last != nil:
		return last
	case wait > 0:
		return &Failure{Provider: "sms", Code: "all_rest", RetryAfter: wait}
	case elsewhere != nil:
		return elsewhere
	}
	return &Failure{Provider: "sms", Code: "no_provider", kind: ErrNotHere}
}

func (p *Providers) tell(provider, outcome string, err error) {
	if p.Told != nil {
		p.Told(provider, outcome, err)
	}
}

// enter asks to be the next to try. A rest that is over lets one in; the others see the
// rest go on for as long as that try may take.
func (at *place) enter(now time.Time) (era int, rest time.Duration) {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.until.IsZero() {
		return at.era, 0
	}
	// More than the longest rest would be a clock that was set back.
	if rest := at.until.Sub(now); rest > 0 && rest <= max(longestRest, maxAsked) {
		return at.era, rest
	}
	at.until = now.Add(timeout)
	return at.era, 0
}

func (at *place) well() {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.failures > 0 {
		at.era++
	}
	at.failures, at.until = 0, time.Time{}
}

// leave ends a try that tells nothing about health: whoever comes next may try.
func (at *place) leave(era int) {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.era == era && !at.until.IsZero() {
		at.until = time.Unix(0, 0)
	}
}

func (at *place) ill(era int, now time.Time, err error) {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.era != era {
		return // somebody else of the same burst has said so
	}
	at.era++
	rest := longestRest
	if at.failures < 9 {
		rest = min(firstRest<<at.failures, longestRest)
	}
	at.failures++
	if f, ok := errors.AsType[*Failure](err); ok {
		rest = max(rest, f.RetryAfter)
	}
	at.until = now.Add(rest)
}
