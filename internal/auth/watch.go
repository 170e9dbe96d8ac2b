package auth

import (
	"context"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
)

const (
	// watchEvery is how often a waiting screen's attempt is looked at.
	watchEvery = 500 * time.Millisecond
	// beatAfter is how many looks without news pass between two signs of life: they find
	// out who has left.
	beatAfter = 30
	// maxWatching bounds the waiting screens of one process; the others poll.
	maxWatching = 2000
	// maxPerAttempt keeps one attempt from taking all of these places.
	maxPerAttempt = 5
)

// Watching counts the waiting screens. The zero value is ready to use.
type Watching struct {
	mu        sync.Mutex // guards what follows
	all       int
	byAttempt map[signin.AttemptID]int
}

// Count returns how many screens wait in this process.
func (w *Watching) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}

// enter takes a place for a screen; ok is false when there is none.
func (w *Watching) enter(id signin.AttemptID) (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all >= maxWatching || w.byAttempt[id] >= maxPerAttempt {
		return nil, false
	}
	if w.byAttempt == nil {
		w.byAttempt = map[signin.AttemptID]int{}
	}
	w.all++
	w.byAttempt[id]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all--
		if w.byAttempt[id]--; w.byAttempt[id] == 0 {
			delete(w.byAttempt, id)
		}
	}, true
}

// statusOf is how an attempt stands whose holder is known. One whose session has ended has
// expired.
func (a *Auth) statusOf(ctx context.Context, id signin.AttemptID) (string, error) {
	try, found, err := a.Store.AttemptByID(ctx, id)
	if err != nil {
		return "", err
	}
	orphaned, err := a.orphaned(ctx, try)
	if err != nil || !found || orphaned {
		return "expired", err
	}
	now := a.Now()
	return try.Status(now), a.expire(ctx, try, now)
}

// WatchAttempt tells the waiting screen how its attempt stands, at once and with every
// change, until the attempt is over or an error of tell or beat ends it. Who holds the
// attempt at the beginning is told of its end, though a sign-in changes the cookie that
// showed it. It refuses with attempt_expired, or with unavailable when too many wait.
func (a *Auth) WatchAttempt(ctx context.Context, value secret.Text, b session.Browser, tell func(status string) error, beat func() error) error {
	try, err := a.held(ctx, value, b)
	if err != nil {
		return err
	}
	leave, ok := a.Watching.enter(try.ID)
	if !ok {
		return fault.ErrUnavailable.After(5 * time.Second).Saying("Too many screens wait at once. Poll instead.")
	}
	defer leave()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	before := ""
	for quiet := 0; ; quiet++ {
		status, err := a.statusOf(ctx, try.ID)
		if err != nil {
			return err
		}
		switch {
		case status != before:
			before, quiet = status, 0
			err = tell(status)
		case quiet%beatAfter == beatAfter-1:
			err = beat()
		}
		if err != nil || status != "pending" && status != "approved" {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
