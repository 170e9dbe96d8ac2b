package mail

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What an SMTP does where a field is zero. Whoever waits for a letter to be taken should
// wait for 30 s: longer than connecting and delivering together, so that the relay is
// found to be the slow one, and the next try goes elsewhere.
const (
	defaultConnections = 4
	defaultReuse       = 100
	defaultConnect     = 5 * time.Second
	defaultPatience    = 20 * time.Second
	defaultIdle        = 30 * time.Second
)

// resetWithin is how long a kept connection may take to show that it still works.
const resetWithin = time.Second

// SMTP sends over one relay. Connections are kept for the next letter and closed when
// there is none for a while. Build it with a literal; it is safe for concurrent use. Close
// ends it.
type SMTP struct {
	Relay Relay
	// Hello is the name that limen calls itself; "" is localhost, which some relays refuse.
	Hello string
	// Roots are the authorities whose certificates are believed; nil means the system's.
	Roots *x509.CertPool

	Connections int           // at once, at most; 0 means 4
	Reuse       int           // letters over one connection, at most; 0 means 100
	Connect     time.Duration // for connecting, TLS and sign-in together; 0 means 5 s
	Patience    time.Duration // for one letter on an open connection; 0 means 20 s
	Idle        time.Duration // until an unused connection is closed; 0 means 30 s

	once   sync.Once
	slots  chan struct{}
	mu     sync.Mutex // guards what follows; held for moments
	idle   []*link    // the most recently used last
	timer  *time.Timer
	closed bool
}

// or is value, or usual when value is zero.
func or[T int | time.Duration](value, usual T) T {
	if value == 0 {
		return usual
	}
	return value
}

func (s *SMTP) open() {
	s.once.Do(func() { s.slots = make(chan struct{}, or(s.Connections, defaultConnections)) })
}

var errClosed = errors.New("mail: the sender has been closed")

// Send hands one letter to the relay. It waits for a free connection until ctx ends.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	_, err := s.Deliver(ctx, m)
	return err
}

// Deliver is Send, and says what the relay answered when it took the letter.
func (s *SMTP) Deliver(ctx context.Context, m Message) (answer string, err error) {
	if m.Channel != "" && m.Channel != "email" {
		return "", fmt.Errorf("mail: a message for the channel %q is no letter", m.Channel)
	}
	e, err := compose(m)
	if err != nil {
		return "", err
	}
	s.open()
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-s.slots }()
	l, err := s.obtain(ctx)
	if err != nil {
		return "", err
	}
	answer, err = l.deliver(ctx, e)
	s.release(l)
	return answer, err
}

// Probe connects and signs in as for a letter, and sends none.
func (s *SMTP) Probe(ctx context.Context) error {
	l, err := s.dial(ctx)
	if err != nil {
		return err
	}
	l.quit()
	return nil
}

// obtain takes a kept connection that still works, or makes one.
func (s *SMTP) obtain(ctx context.Context) (*link, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, errClosed
		}
		var l *link
		if n := len(s.idle); n > 0 {
			l, s.idle = s.idle[n-1], s.idle[:n-1]
		}
		s.mu.Unlock()
		if l == nil {
			return s.dial(ctx)
		}
		if err := l.reset(ctx); err == nil {
			return l, nil
		}
		l.drop()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// release keeps a connection for the next letter, if it is good for one.
func (s *SMTP) release(l *link) {
	if l.broken {
		l.drop()
		return
	}
	s.mu.Lock()
	keep := !s.closed && l.letters < or(s.Reuse, defaultReuse)
	if keep {
		s.idle = append(s.idle, l)
		if s.timer == nil {
			s.timer = time.AfterFunc(or(s.Idle, defaultIdle), s.sweep)
		} else {
			s.timer.Reset(or(s.Idle, defaultIdle))
		}
	}
	s.mu.Unlock()
	if !keep {
		l.quit()
	}
}

// sweep closes what is kept: nothing was sent for a while.
func (s *SMTP) sweep() {
	s.mu.Lock()
	unused := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, l := range unused {
		l.quit()
	}
}

// Close lets the kept connections go. Letters that are on their way are finished; later
// ones fail.
func (s *SMTP) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.sweep()
	return nil
}
