// Package mail carries finished letters to people.
//
// A Sender takes one finished message and answers whether it left. It does not retry,
// queue or render: that is the outbox's and the letters' part. The only sender of this
// release is Inbox, which keeps the newest letters in memory for the developer; nothing
// leaves the machine.
//
// Threats. Addresses and subjects come from people: a Message carries them as values,
// never as header text, and a Sender must encode them.
package mail

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Message is a finished letter.
type Message struct {
	// ID stays the same over all tries, so that a relay can drop a second copy.
	ID      string
	Channel string
	To      string
	From    string
	Subject string
	Text    string
	HTML    string
	Links   []string
	Code    string
	SentAt  time.Time
}

// Sender hands one message over. It must be safe for concurrent use and must return
// when the context ends. A nil error means that the message has been taken.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// InboxSize is how many messages an Inbox keeps; older ones are forgotten.
const InboxSize = 1000

// Inbox keeps messages for the developer. The zero value is ready to use.
type Inbox struct {
	mu       sync.Mutex // guards messages; held for copies only
	messages []Message  // oldest first
}

// Send keeps the message. A message that is sent again replaces its first copy.
func (b *Inbox) Send(_ context.Context, m Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = slices.DeleteFunc(b.messages, func(old Message) bool { return old.ID == m.ID })
	if len(b.messages) >= InboxSize {
		b.messages = slices.Delete(b.messages, 0, len(b.messages)-InboxSize+1)
	}
	b.messages = append(b.messages, m)
	return nil
}

// Messages returns what was sent to an address over a channel, newest first. An empty
// address or channel stands for all.
func (b *Inbox) Messages(to, channel string) []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []Message{}
	for _, m := range slices.Backward(b.messages) {
		if (to == "" || strings.EqualFold(m.To, to)) && (channel == "" || m.Channel == channel) {
			out = append(out, m)
		}
	}
	return out
}

// Forget empties the inbox.
func (b *Inbox) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = nil
}
