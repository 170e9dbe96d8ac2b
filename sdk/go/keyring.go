package limenauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	keysPath     = "/.well-known/jwks.json"
	keysLimit    = 256 << 10
	keysFresh    = 10 * time.Minute // when the answer does not say
	keysFreshMin = 10 * time.Second
	keysFreshMax = 24 * time.Hour
	keysStaleMax = 24 * time.Hour   // the server publishes the next key at least this long ahead
	keysRetry    = 10 * time.Second // between fetches, whatever tokens ask for
	keysRetryKID = time.Minute      // before the same unknown kid may cause another
	keysTimeout  = 5 * time.Second
	maxAbsent    = 1024 // unknown kids that are remembered
)

var errUnknownKey = errors.New("no key has this kid")

// A keySet is one answer of the server. It never changes once it is published.
type keySet struct {
	byKID      map[string]*key
	fetched    time.Time
	freshUntil time.Time
	usedUntil  time.Time // stale-on-error ends here
}

// A keyring holds the newest key set and fetches the next one.
//
// Readers never lock: they load a pointer. A request waits for the network only when
// its key is unknown, and then all such requests wait for one fetch.
type keyring struct {
	fetch func(context.Context) (body string, maxAge time.Duration, err error)
	clock func() time.Time
	tell  func(err error) // once when fetching begins to fail, once with nil when it works again

	current atomic.Pointer[keySet]

	mu      sync.Mutex // guards the rest; held for no longer than it takes to look
	flight  *keyFlight
	nextTry time.Time
	lastErr error
	absent  map[string]time.Time // kids that a fetch did not bring, and when
}

type keyFlight struct {
	done chan struct{} // closed when the fetch is over
}

// usable reports whether verified tokens may still be accepted from memory. It asks
// for a fresh set in the background when the current one has aged.
func (r *keyring) usable(now time.Time) bool {
	set := r.current.Load()
	if set == nil || !now.Before(set.usedUntil) {
		return false
	}
	if !now.Before(set.freshUntil) {
		r.refresh(now)
	}
	return true
}

// find returns the key named kid. It waits for the server only when the key set in
// hand does not know the name: at most once per keysRetry for all callers together, and
// at most once per keysRetryKID for the same name.
func (r *keyring) find(ctx context.Context, kid string, now time.Time) (*key, *Problem) {
	if k := r.look(kid, now); k != nil {
		return k, nil
	}
	if r.usable(now) && r.isAbsent(kid, now) {
		return nil, unauthenticated(errUnknownKey)
	}
	flight := r.refresh(now)
	if flight != nil {
		select {
		case <-flight.done:
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		}
		if k := r.look(kid, now); k != nil {
			return k, nil
		}
	}
	// A failed fetch proves nothing about the token: say "not now" rather than "no".
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lastErr != nil {
		return nil, unavailable(r.lastErr)
	}
	if flight != nil {
		r.noteAbsent(kid, now)
	}
	return nil, unauthenticated(errUnknownKey)
}

// isAbsent reports whether a fetch of the last minute did not bring kid.
func (r *keyring) isAbsent(kid string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.absent[kid]
	return ok && !now.Before(at) && now.Before(at.Add(keysRetryKID))
}

// noteAbsent is called with the lock held. When the memory is full of names of the last
// minute, a name more is not remembered: keysRetry still holds.
func (r *keyring) noteAbsent(kid string, now time.Time) {
	if len(r.absent) >= maxAbsent {
		maps.DeleteFunc(r.absent, func(_ string, at time.Time) bool { return !now.Before(at.Add(keysRetryKID)) })
	}
	if len(r.absent) >= maxAbsent {
		return
	}
	if r.absent == nil {
		r.absent = map[string]time.Time{}
	}
	r.absent[strings.Clone(kid)] = now
}

func (r *keyring) look(kid string, now time.Time) *key {
	if !r.usable(now) {
		return nil
	}
	return r.current.Load().byKID[kid]
}

// wait returns when there are keys; the last failure explains why there are none.
func (r *keyring) wait(ctx context.Context) error {
	for r.current.Load() == nil {
		again := time.NewTimer(time.Second)
		landed := again.C
		var over <-chan struct{}
		if flight := r.refresh(r.clock()); flight != nil {
			over, landed = flight.done, nil
		}
		select {
		case <-over:
		case <-landed:
		case <-ctx.Done():
			r.mu.Lock()
			defer r.mu.Unlock()
			return errors.Join(ctx.Err(), r.lastErr)
		}
		again.Stop()
	}
	return nil
}

// refresh joins the fetch that is under way or begins one; nil means that the last
// one is too recent.
func (r *keyring) refresh(now time.Time) *keyFlight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight
	}
	if now.Before(r.nextTry) {
		return nil
	}
	r.nextTry = now.Add(keysRetry)
	r.flight = &keyFlight{done: make(chan struct{})}
	go r.fly(r.flight)
	return r.flight
}

// fly fetches once. It has its own deadline: the request that asked may leave.
func (r *keyring) fly(flight *keyFlight) {
	ctx, cancel := context.WithTimeout(context.Background(), keysTimeout)
	defer cancel()
	body, maxAge, err := r.fetch(ctx)
	var keys map[string]*key
	if err == nil {
		keys, err = parseKeys(body)
	}
	if err == nil {
		r.publish(keys, maxAge)
	}
	r.mu.Lock()
	changed := (r.lastErr == nil) != (err == nil)
	r.lastErr = err
	r.flight = nil
	r.mu.Unlock()
	if changed {
		r.tell(err)
	}
	close(flight.done)
}

// publish replaces the key set. A key that stays keeps its identity, so that tokens
// verified with it stay in memory; a key that leaves takes them with it.
func (r *keyring) publish(keys map[string]*key, maxAge time.Duration) {
	now := r.clock()
	old := r.current.Load()
	if old != nil {
		for kid, k := range old.byKID {
			if next := keys[kid]; next != nil && next.same(k) {
				keys[kid] = k
			}
		}
	}
	r.current.Store(&keySet{
		byKID:      keys,
		fetched:    now,
		freshUntil: now.Add(maxAge),
		usedUntil:  now.Add(maxAge + keysStaleMax),
	})
	if old == nil {
		return
	}
	for kid, k := range old.byKID {
		if keys[kid] != k {
			k.retired.Store(true)
		}
	}
}

func (w *wire) fetchKeys(ctx context.Context) (string, time.Duration, error) {
	header := http.Header{"Accept": {"application/jwk-set+json, application/json"}}
	got, err := w.call(ctx, http.MethodGet, keysPath, header, nil, keysLimit)
	if err != nil {
		return "", 0, err
	}
	if got.status != http.StatusOK {
		return "", 0, fmt.Errorf("%s answered %d", keysPath, got.status)
	}
	return string(got.body), freshFor(got.header.Get("Cache-Control")), nil
}

// freshFor reads max-age, within bounds: a server cannot make us ask at every request
// or never again.
func freshFor(cacheControl string) time.Duration {
	for directive := range strings.SplitSeq(cacheControl, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return keysFreshMin
		case "max-age":
			seconds, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 32)
			if err != nil {
				return keysFresh
			}
			return min(max(time.Duration(seconds)*time.Second, keysFreshMin), keysFreshMax)
		}
	}
	return keysFresh
}
