// Package limentest reads the inbox of a limen in development, for tests of your own: it
// waits for the code or the link that a person would wait for, and moves the clock.
//
//	inbox, err := limentest.Open(ctx, "http://localhost:4455")
//	// ... the test signs up as ada@example.test ...
//	code, err := inbox.WaitForCode(ctx, "ada@example.test")
//
// A letter counts if it came after Open, or after the last Mark, and it is given out once.
// So a second call waits for a second letter and never returns a code that is old.
//
// Addresses under .test and the numbers +1 XXX 555-0100 to 555-0199 always get the code
// 424242; tests that do not look at letters need no inbox for them. The routes this package
// speaks to exist in development only.
package limentest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultURL is where limen dev answers.
const DefaultURL = "http://localhost:4455"

// Patience is how long the waiting methods wait when their context has no deadline.
const Patience = 15 * time.Second

const (
	pause     = 50 * time.Millisecond
	maxAnswer = 64 << 20
)

// Inbox is the inbox of one limen. The zero value reads DefaultURL; what is in the inbox at
// its first use does not count. It is safe for concurrent use, and must not be copied after
// its first use.
type Inbox struct {
	// URL is the public URL of limen, "" for DefaultURL.
	URL string
	// Client sends the requests; nil for one that gives up after ten seconds.
	Client *http.Client

	mu     sync.Mutex // guards what follows; held for no request
	marked bool
	old    map[string]bool // ids of letters that came before the mark
	codes  map[string]bool // ids of letters whose code was given out
	links  map[string]bool // the same for links
}

// Message is a letter, or a message to a phone.
type Message struct {
	ID      string    `json:"id"`
	Channel string    `json:"channel"` // "email" or "sms"
	To      string    `json:"to"`
	From    string    `json:"from"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	Links   []string  `json:"links"`
	Code    string    `json:"code"` // "" for a letter without one
	SentAt  time.Time `json:"sent_at"`
}

// Open returns the inbox of the limen at that URL, "" for DefaultURL. What is in it already
// does not count.
func Open(ctx context.Context, url string) (*Inbox, error) {
	b := &Inbox{URL: url}
	return b, b.Mark(ctx)
}

// Mark has every letter that is in the inbox now count as old. Call it right before the
// deed whose letter you want, if earlier letters to the same address may be waiting.
func (b *Inbox) Mark(ctx context.Context) error {
	all, err := b.Messages(ctx, "")
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark(all)
	return nil
}

func (b *Inbox) mark(all []Message) {
	b.marked, b.old, b.codes, b.links = true, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, m := range all {
		b.old[m.ID] = true
	}
}

// WaitForCode returns the code of the newest letter to an address, or message to a number,
// that has come since the mark and was not given out before. It waits until there is one,
// until ctx ends, or for Patience if ctx has no deadline.
func (b *Inbox) WaitForCode(ctx context.Context, to string) (string, error) {
	m, err := b.wait(ctx, to, "code", func() map[string]bool { return b.codes }, func(m Message) bool { return m.Code != "" })
	return m.Code, err
}

// WaitForLink is WaitForCode for the link of a letter. A letter that carries both gives out
// each of them once.
func (b *Inbox) WaitForLink(ctx context.Context, to string) (string, error) {
	m, err := b.wait(ctx, to, "link", func() map[string]bool { return b.links }, func(m Message) bool { return len(m.Links) > 0 })
	if err != nil {
		return "", err
	}
	return m.Links[0], nil
}

// wait looks for a letter until there is one. given are the ids that were given out; it is
// called under the lock, because Mark replaces them.
func (b *Inbox) wait(ctx context.Context, to, what string, given func() map[string]bool, has func(Message) bool) (Message, error) {
	if err := b.begin(ctx); err != nil {
		return Message{}, err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Patience)
		defer cancel()
	}
	for {
		all, err := b.Messages(ctx, to)
		if ctx.Err() != nil {
			return Message{}, fmt.Errorf("limentest: no letter with a %s came to %s since the mark: %w", what, to, ctx.Err())
		}
		if err != nil {
			return Message{}, err
		}
		if m, ok := b.take(all, given, has); ok {
			return m, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// begin marks an inbox that was not opened.
func (b *Inbox) begin(ctx context.Context) error {
	b.mu.Lock()
	marked := b.marked
	b.mu.Unlock()
	if marked {
		return nil
	}
	return b.Mark(ctx)
}

// take gives out the newest letter that counts. Those before it are superseded.
func (b *Inbox) take(all []Message, given func() map[string]bool, has func(Message) bool) (Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fresh := slices.DeleteFunc(all, func(m Message) bool { return b.old[m.ID] || !has(m) })
	if len(fresh) == 0 || given()[fresh[0].ID] {
		return Message{}, false
	}
	for _, m := range fresh {
		given()[m.ID] = true
	}
	return fresh[0], true
}

// Messages returns what is in the inbox for an address or a number, newest first, whether
// it counts or not; "" stands for everybody.
func (b *Inbox) Messages(ctx context.Context, to string) ([]Message, error) {
	path := "/dev/messages"
	if to != "" {
		path += "?to=" + url.QueryEscape(to)
	}
	var out []Message
	return out, b.call(ctx, http.MethodGet, path, nil, &out)
}

// Clear empties the inbox.
func (b *Inbox) Clear(ctx context.Context) error {
	return b.call(ctx, http.MethodDelete, "/dev/messages", nil, nil)
}

// AdvanceClock moves the clock of limen forward by d, in whole seconds: codes, links and
// sessions grow older, for everybody who uses this limen.
func (b *Inbox) AdvanceClock(ctx context.Context, d time.Duration) error {
	by := map[string]string{"advance": fmt.Sprintf("%ds", int64(d/time.Second))}
	return b.call(ctx, http.MethodPost, "/dev/clock", by, nil)
}

// ResetClock sets the clock of limen back to the machine's.
func (b *Inbox) ResetClock(ctx context.Context) error {
	return b.call(ctx, http.MethodDelete, "/dev/clock", nil, nil)
}

var usual = &http.Client{Timeout: 10 * time.Second}

func (b *Inbox) call(ctx context.Context, method, path string, in, out any) error {
	base, client := strings.TrimSuffix(b.URL, "/"), b.Client
	if base == "" {
		base = DefaultURL
	}
	if client == nil {
		client = usual
	}
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return fmt.Errorf("limentest: %w", err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("limentest: is limen dev running? %w", err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("limentest: %w", err)
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("limentest: %s has no inbox; only limen dev has one", base)
	case answer.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("limentest: %s %s answered %d: %s", method, path, answer.StatusCode, bytes.TrimSpace(raw[:min(len(raw), 500)]))
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("limentest: %s %s: %w", method, path, err)
	}
	return nil
}
