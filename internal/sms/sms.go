// Package sms carries short messages and calls to phones, over the HTTP interfaces of
// those who can: Twilio, Amazon SNS, Vonage, MessageBird, or a program of the operator's
// own (a signed webhook).
//
// A Sender hands over one finished message, once. It does not queue, render or try again:
// that is the outbox's part. Several providers stand in a row (Providers): the first that
// is well takes the message, and one that fails rests for a while. What a phone number
// itself is refused for is final (ErrRefused); everything else may be tried again.
//
// Invariants. An error names the provider and its code, never the number, the text or a
// secret: providers repeat numbers in their messages, so their sentences are not kept.
// Requests go over https (loopback may be clear), follow no redirect, end by a deadline,
// and read a bounded answer. A nil error means that the provider has taken the message,
// not that a phone rang.
//
// Limits. No provider here offers an idempotency key for messages, so a request whose
// answer was lost may be sent twice, by the next provider or by the next try; the id of
// the message goes along where there is a field for it. Vonage and SNS do not call.
//
// Threats. Toll fraud: whoever earns from calls to a number range makes others send
// there. The Guard answers with an allow-list of countries that is empty at first, with
// budgets, and with a breaker for ranges whose codes nobody types (guard.go). Injection:
// numbers are E.164 before they come here and are checked again, texts are encoded for
// whatever carries them. A provider that lies or stalls costs one deadline, then it rests.
package sms

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// Message is one finished message.
type Message struct {
	// ID stays the same over all tries.
	ID string
	// To is the number in E.164 form.
	To   string
	Text string
	// Voice has the text read out over a call instead.
	Voice bool
	// Locale is the language of the text, for calls: a tag like pt-BR.
	Locale string
}

// Sender hands one message over. It is safe for concurrent use and returns when the
// context ends. A nil error means that the message has been taken. An error that is
// ErrRefused is final; any other may be tried again later.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

var (
	// ErrRefused means that the number cannot be reached by anybody: it is invalid, cannot
	// receive messages, or its owner has opted out.
	ErrRefused = errors.New("sms: the number was refused")
	// ErrNotHere means that this provider does not carry this message, and another might:
	// a country that is not switched on, a call by a provider that does not call.
	ErrNotHere = errors.New("sms: this provider does not carry the message")
)

// Failure is why a provider did not take a message.
type Failure struct {
	// Provider is its name, like "twilio".
	Provider string
	// Code is what it answered: its own code, or "http_503". Never the number.
	Code string
	// RetryAfter is when it asked to be called again, 0 for not said.
	RetryAfter time.Duration

	kind  error // ErrRefused, ErrNotHere or nil: the provider is not well
	cause error
}

// Error is for logs and for the record of the outbox.
func (f *Failure) Error() string {
	s := f.Provider + ": "
	switch {
	case f.kind == ErrRefused:
		s += "the number was refused"
	case f.kind == ErrNotHere:
		s += "does not carry the message"
	case f.cause != nil:
		s += f.cause.Error()
	default:
		s += "failed"
	}
	if f.Code != "" {
		s += " (" + f.Code + ")"
	}
	return s
}

// Is reports what kind of failure it is.
func (f *Failure) Is(target error) bool { return f.kind != nil && target == f.kind }

// Unwrap returns what went wrong on the way.
func (f *Failure) Unwrap() error { return f.cause }

// e164 is what providers are given and what no error may carry.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{4,14}$`)

// plainCode is what may be kept of a provider's answer. Numbers of phones are longer than
// the codes that consist of digits alone.
var plainCode = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9._-]{0,59}|[0-9]{1,6})$`)

func codeOf(s string) string {
	if !plainCode.MatchString(s) {
		return ""
	}
	return s
}
