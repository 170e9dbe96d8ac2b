package limenauth

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	feedPath       = "/v1/revocations"
	feedPoll       = 500 * time.Millisecond
	feedRetryMax   = 5 * time.Second
	feedStaleAfter = 30 * time.Second
	feedQuiet      = 15 * time.Second // a stream that says nothing for so long is opened anew; the server speaks every ten seconds
	feedFirstWord  = time.Second      // a stream that does not begin by then is held back by something in between
	feedPages      = 5000             // in one reading; more than fit the bound below
	feedPageLimit  = 32 << 20
	feedLineLimit  = 1 << 20
	feedForget     = 10 * time.Second
	feedNoUntil    = 24 * time.Hour   // for an entry that does not say how long it counts
	feedNoStream   = 10 * time.Minute // before a stream is asked for again where there was none
)

// OnStale says what happens to requests when the revocation feed has had no contact
// with the server for 30 seconds.
type OnStale int

const (
	// Deny answers 503 until contact is back. It is the zero value: what cannot be
	// known to be alive is not let in.
	Deny OnStale = iota
	// Allow lets tokens count until they expire, as without a feed.
	Allow
)

// FeedStatus is the state of the revocation feed.
type FeedStatus struct {
	LastContact time.Time // zero = never
	Stale       bool      // no contact for 30 seconds, or more entries than fit
	Streaming   bool      // the server pushes; otherwise it is asked every 500 ms
	Entries     int       // sessions, persons and signing keys whose tokens are refused
	Err         error     // the newest failure; nil = the last contact was good
}

var (
	errFeedStale     = errors.New("the revocation feed is stale")
	errFeedFull      = errors.New("the revocation feed has more entries than fit")
	errSessionEnded  = errors.New("the session has ended")
	errKeyRevoked    = errors.New("the key that signed the token was revoked")
	errTokenRecalled = errors.New("the token was issued before something about the person changed")
	errStreamQuiet   = errors.New("the event stream went quiet")
)

// A feed follows GET /v1/revocations.
//
// It always reads pages until nothing is new before it opens a stream, and again
// after a stream has broken, so what happened in between is never missed. Entries
// arrive at least once and in any order; putting one on its shelf twice is the same
// as once, so nothing has to be remembered about those that were read.
type feed struct {
	wire    *wire
	key     string
	clock   func() time.Time
	onStale OnStale
	report  func(FeedStatus)

	sessions, users, keys *shelf
	contact               atomic.Int64 // Unix nanoseconds of the last word from the server
	full                  atomic.Bool

	cancel context.CancelFunc
	done   chan struct{}
	first  chan struct{} // closed once the feed was read to its end

	// Used by the feed's goroutine alone.
	began      time.Time
	cursor     string
	nextForget time.Time
	nextStream time.Time       // no stream is asked for before
	told       bool            // that the feed is stale
	pass       map[string]bool // the ids met in this reading; nil while a stream is followed

	mu        sync.Mutex // guards what status tells
	streaming bool
	err       error
}

func newFeed(w *wire, key string, clock func() time.Time, onStale OnStale, report func(FeedStatus)) *feed {
	return &feed{
		wire: w, key: key, clock: clock, onStale: onStale, report: report,
		sessions: newShelf(), users: newShelf(), keys: newShelf(),
		done: make(chan struct{}), first: make(chan struct{}),
	}
}

func (f *feed) start() {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.began = f.clock()
	go func() {
		defer close(f.done)
		f.run(ctx)
	}()
}

func (f *feed) stop() {
	f.cancel()
	<-f.done
}

// refuses is asked at every request: three look-ups in memory, no lock, no network.
func (f *feed) refuses(e *entry, now time.Time) *Problem {
	if f == nil {
		return nil
	}
	if f.onStale != Allow && f.stale(now) {
		return unavailable(errFeedStale)
	}
	if _, revoked := f.keys.find(e.key.kid); revoked {
		return unauthenticated(errKeyRevoked)
	}
	if _, ended := f.sessions.find(e.person.SessionID); ended {
		return sessionEnded(errSessionEnded)
	}
	if m, ok := f.users.find(e.person.ID); ok && !e.person.IssuedAt.After(m.at) {
		return unauthenticated(errTokenRecalled)
	}
	return nil
}

func (f *feed) stale(now time.Time) bool {
	contact := f.contact.Load()
	return contact == 0 || f.full.Load() || now.Sub(time.Unix(0, contact)) >= feedStaleAfter
}

func (f *feed) status(now time.Time) FeedStatus {
	f.mu.Lock()
	s := FeedStatus{Streaming: f.streaming, Err: f.err}
	f.mu.Unlock()
	if contact := f.contact.Load(); contact != 0 {
		s.LastContact = time.Unix(0, contact)
	}
	s.Stale = f.stale(now)
	s.Entries = int(f.sessions.count.Load() + f.users.count.Load() + f.keys.count.Load())
	return s
}

// run reads pages, then the stream if there is one, and begins again.
func (f *feed) run(ctx context.Context) {
	wait := feedPoll
	for ctx.Err() == nil {
		err := f.catchUp(ctx)
		if err == nil && !f.clock().Before(f.nextStream) {
			err = f.stream(ctx)
		}
		pause := feedPoll
		if err == nil {
			wait = feedPoll
		} else {
			// The pause doubles, but stays so short that contact is back long before
			// the feed would be called stale.
			pause, wait = wait, min(wait*2, feedRetryMax)
			f.note(err)
		}
		f.review()
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// catchUp reads pages until one brings nothing that this reading has not met: every
// page may say again what happened in the last 30 seconds, so what is known already
// does not mean that the end is reached.
func (f *feed) catchUp(ctx context.Context) error {
	f.pass = map[string]bool{}
	defer func() { f.pass = nil }()
	for range feedPages {
		fresh, err := f.readPage(ctx)
		if err != nil {
			return err // the cursor stands where the last whole page ended
		}
		if fresh {
			continue
		}
		f.full.Store(false)
		f.heard()
		select {
		case <-f.first:
		default:
			close(f.first)
		}
		return nil
	}
	return errFeedFull
}

func (f *feed) ask(accept string) (path string, header http.Header) {
	path = feedPath
	if f.cursor != "" {
		path += "?" + url.Values{"after": {f.cursor}}.Encode()
	}
	return path, http.Header{"Authorization": {"Bearer " + f.key}, "Accept": {accept}}
}

func (f *feed) readPage(ctx context.Context) (fresh bool, err error) {
	path, header := f.ask("application/json")
	got, err := f.wire.call(ctx, http.MethodGet, path, header, nil, feedPageLimit)
	if err != nil {
		return false, err
	}
	if got.status != http.StatusOK {
		if got.status == http.StatusUnprocessableEntity || got.status == http.StatusBadRequest {
			f.cursor = "" // it does not know our cursor any more: read everything
		}
		return false, got.refusal(feedPath)
	}
	return f.takeIn(got.body)
}

// stream follows the event stream until it ends. Where there is none (the server
// answers a page, has too many streams, or a proxy keeps them back) polling goes on.
func (f *feed) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(feedFirstWord, func() { cancel(errStreamQuiet) })
	defer watchdog.Stop()
	quiet := func() bool { return errors.Is(context.Cause(ctx), errStreamQuiet) }

	f.nextStream = f.clock().Add(feedNoStream) // unless it begins
	path, header := f.ask("text/event-stream, application/json;q=0.5")
	resp, err := f.wire.open(ctx, http.MethodGet, path, header, nil)
	if quiet() {
		return nil
	}
	if err != nil {
		f.nextStream = time.Time{}
		return err
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		return nil
	}
	err = f.follow(resp.Body, func() {
		watchdog.Reset(feedQuiet)
		f.nextStream = time.Time{}
		f.setStreaming(true)
		f.heard()
	})
	f.setStreaming(false)
	if quiet() {
		return nil // no word for a while: a page will tell whether the server lives
	}
	return err
}

// follow reads events (WHATWG HTML, section 9.2): data lines up to an empty line.
// Comments are the server's sign of life.
func (f *feed) follow(body io.Reader, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, feedLineLimit)
	var data strings.Builder
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		alive()
		if line == "" {
			if data.Len() > 0 {
				if _, err := f.takeIn([]byte(data.String())); err != nil {
					return err
				}
				data.Reset()
			}
			continue
		}
		field, text, _ := strings.Cut(line, ":")
		if field != "data" {
			continue
		}
		if data.Len()+len(text) > feedLineLimit {
			return errTooLarge
		}
		data.WriteString(strings.TrimPrefix(text, " "))
		data.WriteByte('\n')
	}
	return lines.Err()
}

// revocation is one entry of the feed.
type revocation struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	SessionID string    `json:"session_id"`
	UserID    string    `json:"user_id"`
	KeyID     string    `json:"kid"`
	At        time.Time `json:"at"`
	Until     time.Time `json:"until"`
}

// takeIn reads a page, or one entry as a stream sends it.
func (f *feed) takeIn(body []byte) (fresh bool, err error) {
	var page struct {
		Data []revocation `json:"data"`
		Next *string      `json:"next"`
		revocation
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return false, fmt.Errorf("%s: %w", feedPath, err)
	}
	if page.Kind != "" {
		page.Data = append(page.Data, page.revocation)
	}
	now := f.clock()
	sessions, users, keys := map[string]mark{}, map[string]mark{}, map[string]mark{}
	for _, r := range page.Data {
		m := mark{at: r.At, until: r.Until.Add(leeway)} // a token counts for a minute longer, so its end does too
		if r.At.IsZero() {
			m.at = now
		}
		if r.Until.IsZero() {
			m.until = now.Add(feedNoUntil)
		}
		if f.pass != nil && !f.pass[r.ID] {
			f.pass[r.ID] = true
			fresh = true
		}
		if !now.Before(m.until) {
			continue
		}
		switch {
		case r.Kind == "session" && r.SessionID != "":
			merge(sessions, r.SessionID, m)
		case r.Kind == "user" && r.UserID != "":
			merge(users, r.UserID, m)
		case r.Kind == "key" && r.KeyID != "":
			merge(keys, r.KeyID, m)
		}
	}
	f.tidy(now)
	// What does not fit is not dropped in silence: the feed counts as stale until some
	// tokens have expired and this page does fit.
	if f.sessions.grown(sessions)+f.users.grown(users)+f.keys.grown(keys) > revokedMax {
		f.full.Store(true)
		return false, errFeedFull
	}
	f.sessions.put(sessions)
	f.users.put(users)
	f.keys.put(keys)
	if page.Next != nil && *page.Next != "" {
		f.cursor = *page.Next
	}
	return fresh, nil
}

// merge lets the later times of two marks in one page count.
func merge(marks map[string]mark, id string, m mark) {
	old := marks[id]
	marks[id] = mark{at: later(m.at, old.at), until: later(m.until, old.until)}
}

func (f *feed) tidy(now time.Time) {
	if now.Before(f.nextForget) {
		return
	}
	f.nextForget = now.Add(feedForget)
	f.sessions.forget(now)
	f.users.forget(now)
	f.keys.forget(now)
}

// heard notes that the server spoke.
func (f *feed) heard() {
	f.contact.Store(f.clock().UnixNano())
	f.note(nil)
	f.review()
}

func (f *feed) note(err error) {
	f.mu.Lock()
	f.err = err
	f.mu.Unlock()
}

func (f *feed) setStreaming(on bool) {
	f.mu.Lock()
	f.streaming = on
	f.mu.Unlock()
}

// review tells once that the feed has gone stale and once that it is not any more. A
// feed that never had contact is given the same half minute before it is said aloud.
func (f *feed) review() {
	now := f.clock()
	stale := f.stale(now)
	if stale == f.told || stale && now.Sub(f.began) < feedStaleAfter && !f.full.Load() {
		return
	}
	f.told = stale
	f.report(f.status(now))
}
