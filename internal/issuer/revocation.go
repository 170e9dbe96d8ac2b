package issuer

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

const (
	// replay is how far each poll looks back: longer than any transaction, so that a
	// revocation which committed late is not passed over.
	replay = 30 * time.Second
	// watchEvery is how often a stream looks at the table.
	watchEvery = 250 * time.Millisecond
	// beatEvery is how often a stream says that it is still there.
	beatEvery = 10 * time.Second
	// maxStreams bounds the streams of one process.
	maxStreams = 64
)

// Revocation tells applications what to stop accepting before its time.
type Revocation = store.Revocation

// Page is one answer of the revocation feed.
type Page struct {
	Revocations []store.Revocation
	// Next continues after this page. It is never empty.
	Next string
	// More says that the page was full.
	More bool
}

// place is where a reader of the feed stands. An exact place continues a full page; any
// other is a time, from which the reader looks back over the replay.
type place struct {
	at    time.Time
	id    string
	exact bool
}

// String and parsePlace write and read the cursor; it holds nothing secret and nothing
// that reaches a statement other than as a value.
func (p place) String() string {
	text := strconv.FormatInt(p.at.UnixMicro(), 36)
	if p.exact {
		text += "." + p.id
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parsePlace(cursor string) (place, error) {
	bad := fault.Invalidate("after", "invalid")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) > 64 {
		return place{}, bad
	}
	number, id, exact := strings.Cut(string(raw), ".")
	micros, err := strconv.ParseInt(number, 36, 64)
	if err != nil || micros < 0 || exact && !secret.HasForm(id, "rev") {
		return place{}, bad
	}
	return place{at: time.UnixMicro(micros), id: id, exact: exact}, nil
}

// Revocations lists what applications must stop accepting, at least once each: everything
// that is in force for an empty cursor, else what came after it and what came in the
// thirty seconds before. It refuses with invalid_request for a cursor of another making.
func (i *Issuer) Revocations(ctx context.Context, cursor string, limit int) (Page, error) {
	from := place{}
	if cursor != "" {
		var err error
		if from, err = parsePlace(cursor); err != nil {
			return Page{}, err
		}
	}
	now := i.Now()
	after, afterID := from.at, from.id
	if !from.exact && !after.IsZero() {
		after = after.Add(-replay)
	}
	rows, err := i.Store.Revocations(ctx, after, afterID, now, limit)
	if err != nil {
		return Page{}, err
	}
	page := Page{Revocations: rows, More: len(rows) == limit, Next: place{at: now}.String()}
	if page.More {
		last := rows[len(rows)-1]
		page.Next = place{at: last.At, id: last.ID, exact: true}.String()
	}
	return page, nil
}

// feed counts the streams of this process.
type feed struct {
	mu   sync.Mutex // guards live
	live int
}

// Watch hands each revocation to send as it comes, once per stream, until the context
// ends or send fails. Between revocations it calls beat, at once and then every ten seconds,
// so that the reader knows it is in contact. It refuses with unavailable when too
// many streams are open.
func (i *Issuer) Watch(ctx context.Context, cursor string, send func(store.Revocation, string) error, beat func() error) error {
	if !i.feed.enter() {
		return fault.ErrUnavailable.After(5 * time.Second).Saying("Too many streams are open. Poll instead.")
	}
	defer i.feed.leave()
	seen := map[string]time.Time{} // until when an id can come again
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	beatAt := i.Now()
	for {
		page, err := i.Revocations(ctx, cursor, 100)
		if err != nil {
			return fmt.Errorf("revocations: %w", err)
		}
		cursor = page.Next
		for _, r := range page.Revocations {
			if _, known := seen[r.ID]; known {
				continue
			}
			seen[r.ID] = i.Now().Add(2 * replay)
			if err := send(r, cursor); err != nil {
				return err
			}
		}
		if !i.Now().Before(beatAt) {
			if err := beat(); err != nil {
				return err
			}
			beatAt = i.Now().Add(beatEvery)
		}
		if page.More {
			continue
		}
		forget(seen, i.Now())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func forget(seen map[string]time.Time, now time.Time) {
	for id, until := range seen {
		if now.After(until) {
			delete(seen, id)
		}
	}
}

func (f *feed) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live >= maxStreams {
		return false
	}
	f.live++
	return true
}

func (f *feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live--
}
