// Package mail carries finished letters to people.
//
// A Sender takes one finished message and answers whether it left. It does not queue or
// render: that is the outbox's and the letters' part. SMTP speaks to one relay, Relays to
// several in order, Inbox keeps the newest letters in memory for the developer, and Copy
// does both.
//
// An error that wraps ErrRefused is final: this letter will never be taken. Every other
// error is a matter of time, and the caller tries again with the same Message.ID, from
// which the Message-ID of the letter is made. A relay that falls silent after the last
// line of a letter may have kept it: the next try then makes a second copy, with the same
// Message-ID. That is the only window for a duplicate here.
//
// Threats. Addresses, names and subjects come from people: a Message carries them as
// values, never as header text. Compose takes control characters out, encodes the rest
// and refuses an address that is not one, so nothing that a person writes becomes a
// header, a second recipient or a command. A relay is somebody else's machine: every wait
// ends, what it says is bounded, and its words, which tend to quote the address, are in
// no error text. Passwords travel encrypted or to this machine only, and certificates
// are always checked.
//
// RFCs: 5321 (SMTP), 3207 (STARTTLS), 8314 (implicit TLS), 4954 (AUTH), 2034 (enhanced
// codes), 6531 (SMTPUTF8), 5322 and 2047 (headers), 3834 (Auto-Submitted), 8058
// (one-click List-Unsubscribe).
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
	// ReplyTo is where answers go, with or without a name; "" leaves the header away.
	ReplyTo string
	// Unsubscribe is the https address that takes the person off such letters by POST;
	// "" for letters that cannot be declined.
	Unsubscribe string
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

// Remove forgets the messages that match and returns how many they were.
func (b *Inbox) Remove(match func(Message) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.messages)
	b.messages = slices.DeleteFunc(b.messages, match)
	return before - len(b.messages)
}

// Forget empties the inbox.
func (b *Inbox) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = nil
}

// Copy keeps every message for the developer and sends the letters on. Names that can
// never exist (RFC 2606: .test and its kin) stay in the inbox.
type Copy struct {
	Inbox  *Inbox
	Sender Sender
}

// Send keeps the message, then hands it to the sender, whose answer counts.
func (c Copy) Send(ctx context.Context, m Message) error {
	if err := c.Inbox.Send(ctx, m); err != nil {
		return err
	}
	if m.Channel != "" && m.Channel != "email" {
		return nil
	}
	to := strings.ToLower(m.To)
	for _, reserved := range []string{".test", ".example", ".invalid", ".localhost", "@localhost", "@example.com"} {
		if strings.HasSuffix(to, reserved) {
			return nil
		}
	}
	return c.Sender.Send(ctx, m)
}
