package limenauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	refreshPath = "/v1/token/refresh"

	renewPatience = 2 * time.Second  // a request with a token that still counts waits no longer
	renewTimeout  = 10 * time.Second // the refresh itself, whoever waits
	renewMemory   = 60 * time.Second // requests still under way with the old cookie get the same answer
	renewRetry    = time.Second      // after a failure that decides nothing, for a request that cannot do without
	renewRetryDue = 10 * time.Second // the same for one that only comes a little early
	renewMax      = 10_000
)

// A session is what the browser's cookie holds: the tokens of the server, never seen
// by a page. The device secret binds them together: it lets the server tell an answer
// that got lost from a refresh token that was stolen.
type session struct {
	access, refresh, device string
	id                      string
	since                   time.Time // of the sign-in that made the cookie
	expires                 time.Time // of the session, as the server said; zero = it did not
}

// writeSession seals the session into a cookie. The token travels as its three
// decoded parts: sealed text is encoded once more, and a token of 3 KB must fit.
func (a *Auth) writeSession(w http.ResponseWriter, r *http.Request, s session, now time.Time) error {
	fields := make([][]byte, 0, 8)
	for part := range strings.SplitSeq(s.access, ".") {
		raw, err := decode64(part)
		if err != nil {
			return err
		}
		fields = append(fields, raw)
	}
	fields = append(fields, []byte(s.refresh), []byte(s.device), []byte(s.id), packTime(s.since), packTime(s.expires))
	life := sessionLife
	if !s.expires.IsZero() {
		life = max(s.expires.Sub(now), time.Second)
	}
	return a.browser.write(w, r, "session", a.browser.sessions.seal(fields...), life)
}

// readSession opens the browser's cookie. None is no error and no session.
func (a *Auth) readSession(r *http.Request) (*session, error) {
	sealed, err := a.browser.read(r, "session")
	if err != nil || sealed == "" {
		return nil, err
	}
	fields, err := a.browser.sessions.open(sealed, 8)
	if err != nil {
		return nil, err
	}
	var parts [3]string
	for i := range parts {
		parts[i] = base64.RawURLEncoding.EncodeToString(fields[i])
	}
	return &session{
		access:  strings.Join(parts[:], "."),
		refresh: string(fields[3]), device: string(fields[4]), id: string(fields[5]),
		since: unpackTime(fields[6]), expires: unpackTime(fields[7]),
	}, nil
}

// due reports whether 80 % of the token's life is gone.
func (e *entry) due(now time.Time) bool {
	return (now.Unix()-e.issued)*5 >= (e.expires-e.issued)*4
}

// renewals makes one refresh out of all requests that carry the same refresh token,
// and remembers its outcome for those that are still on their way.
type renewals struct {
	mu     sync.Mutex // guards the rest; never held during a call
	byHash map[[sha256.Size]byte]*renewal
	swept  time.Time
}

type renewal struct {
	session string
	done    chan struct{}

	// Set before done is closed.
	result  session
	problem *Problem
	ended   time.Time
}

func newRenewals() *renewals {
	return &renewals{byHash: map[[sha256.Size]byte]*renewal{}}
}

// renew exchanges the session's refresh token for its successor. A problem with the
// code session_ended is final; any other leaves the session as it was. early says
// that the access token still counts, so that a recent failure need not be repeated.
func (a *Auth) renew(ctx context.Context, s *session, early bool) (session, *Problem) {
	hash := sha256.Sum256([]byte(s.refresh))
	one, mine := a.renewals.join(hash, s.id, a.clock(), early)
	if mine {
		held := *s
		// The refresh outlives a caller who leaves: its answer must not get lost.
		lasting := context.WithoutCancel(ctx)
		go func() {
			bounded, cancel := context.WithTimeout(lasting, renewTimeout)
			defer cancel()
			result, problem := a.callRefresh(bounded, held)
			a.renewals.settle(hash, one, result, problem, a.clock())
		}()
	}
	select {
	case <-one.done:
	case <-ctx.Done():
		return session{}, unavailable(ctx.Err())
	}
	if one.problem != nil {
		mine := *one.problem // the others hold it too
		return session{}, &mine
	}
	return one.result, nil
}

// join returns the refresh under way or just done, or a new one that is the caller's
// to make.
func (r *renewals) join(hash [sha256.Size]byte, id string, now time.Time, early bool) (one *renewal, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.swept) >= renewMemory {
		r.swept = now
		for h, old := range r.byHash {
			if old.over(now, true) {
				delete(r.byHash, h)
			}
		}
	}
	if old := r.byHash[hash]; old != nil && !old.over(now, early) {
		return old, false
	}
	one = &renewal{session: id, done: make(chan struct{})}
	r.byHash[hash] = one
	return one, true
}

// over reports whether a settled renewal is to be told no longer.
func (one *renewal) over(now time.Time, early bool) bool {
	select {
	case <-one.done:
	default:
		return false
	}
	told := renewMemory
	switch {
	case one.problem == nil || one.problem.Code == CodeSessionEnded:
	case early:
		told = renewRetryDue
	default:
		told = renewRetry
	}
	return now.Sub(one.ended) >= told
}

func (r *renewals) settle(hash [sha256.Size]byte, one *renewal, result session, problem *Problem, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one.result, one.problem, one.ended = result, problem, now
	close(one.done)
	if len(r.byHash) > renewMax {
		delete(r.byHash, hash) // the server's own window answers the latecomers
	}
}

// forget drops what is remembered of a session that has signed out.
func (r *renewals) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for hash, one := range r.byHash {
		if one.session == id {
			delete(r.byHash, hash)
		}
	}
}

func (a *Auth) callRefresh(ctx context.Context, s session) (session, *Problem) {
	header := http.Header{}
	if s.device != "" {
		header.Set("Limen-Device", s.device)
	}
	got, err := a.wire.post(ctx, refreshPath, header, map[string]string{"refresh_token": s.refresh})
	if err != nil {
		return session{}, unavailable(err)
	}
	if got.status != http.StatusOK {
		err := got.refusal(refreshPath)
		// Only these two are final; whatever else is wrong, nobody is signed out for it.
		if code := got.code(); got.status == http.StatusUnauthorized && (code == CodeSessionEnded || code == "refresh_reused") {
			return session{}, sessionEnded(err)
		}
		problem := unavailable(err)
		problem.superseded = got.status == http.StatusConflict && got.code() == "refresh_superseded"
		return session{}, problem
	}
	g, err := readGrant(got.body)
	if err != nil {
		return session{}, unavailable(err)
	}
	s.access, s.refresh = g.AccessToken, g.RefreshToken
	if g.DeviceSecret != "" {
		s.device = g.DeviceSecret
	}
	if !g.Session.ExpiresAt.IsZero() {
		s.expires = g.Session.ExpiresAt
	}
	return s, nil
}
