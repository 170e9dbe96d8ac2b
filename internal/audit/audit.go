// Package audit lists what limen writes down: every type of event, what it must carry
// and who may see it. It is pure: no I/O, no clock.
//
// Every deed leaves an event in its own transaction, so there is no deed without a
// record and no record without its deed (ASVS 16.3.1). One exception: a plain rotation
// of a refresh token writes nothing, because the session's row is its record.
//
// An event never carries a secret. That is held by form and not by care alone: each type
// lists the only data keys it may have; a value is short, one line and printable; what
// looks like one of our tokens, the whole of an attempt or an address that is not masked
// is refused (ASVS 16.2.5, 16.4.1). Check cannot know a password when it sees one: no
// type has a key that a password would belong to.
//
// Events of an account are visible to its person where Spec.Visible says so. What
// strangers tried is visible too: that is how somebody learns that an older token was
// used. Events without an account are for operators alone.
//
// A type's name, once released, keeps its meaning for ever: other people's programs and
// the rows of old databases hold it.
package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// Type names a kind of event: noun, dot, what happened.
type Type string

// Outcome says how the deed ended.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Refused Outcome = "refused"
)

// Actors that are not accounts.
const (
	Operator = "operator" // at the command line or the admin API
	System   = "system"   // limen itself, by a rule or a clock
)

// Event is one line of the record. Empty fields do not apply or are not known.
type Event struct {
	ID      string // evt_ and a sortable id
	At      time.Time
	Type    Type
	Outcome Outcome

	Account account.ID // whom it concerns
	Actor   string     // who did it: an account, Operator, System; "" for a stranger
	Session session.ID
	Attempt string // the public part of the attempt: att_ and a sortable id

	// RequestID is that of the request that did it: the header Request-Id of its answer and
	// request_id in the log. It is empty for what no request did.
	RequestID string
	IP        string
	UserAgent string
	Data      map[string]string
}

// At begins the event of a request: a success, until the operation says otherwise.
func At(t Type, b session.Browser) Event {
	return Event{Type: t, Outcome: Success, RequestID: b.RequestID, IP: b.IP, UserAgent: b.UserAgent}
}

// Spec says what an event of a type is.
type Spec struct {
	Meaning string  // one sentence for docs/events.md
	Outcome Outcome // the only outcome it can have; "" for either
	Account bool    // must carry the account
	Session bool    // must carry the session
	Attempt bool    // must carry the attempt
	Visible bool    // its person sees it in GET /v1/me/events
	Data    []string
}

// Limits of what an event carries, in bytes.
const (
	MaxValue     = 200
	MaxUserAgent = 512
)

// Check reports why e may not be written down. A failure is a mistake in a deed, never
// in a request: callers shorten and clean what strangers send (see Clean).
func (e Event) Check() error {
	spec, ok := Types[e.Type]
	switch {
	case !ok:
		return fmt.Errorf("audit: there is no event %q", e.Type)
	case e.Outcome != Success && e.Outcome != Refused, spec.Outcome != "" && e.Outcome != spec.Outcome:
		return fmt.Errorf("audit: %s may not have the outcome %q", e.Type, e.Outcome)
	case spec.Account && e.Account == "":
		return fmt.Errorf("audit: %s needs an account", e.Type)
	case spec.Session && e.Session == "":
		return fmt.Errorf("audit: %s needs a session", e.Type)
	case spec.Attempt && e.Attempt == "":
		return fmt.Errorf("audit: %s needs an attempt", e.Type)
	case e.Account != "" && !secret.HasForm(string(e.Account), "usr"):
		return fmt.Errorf("audit: %s: that is no account", e.Type)
	case e.Session != "" && !secret.HasForm(string(e.Session), "ses"):
		return fmt.Errorf("audit: %s: that is no session", e.Type)
	case e.Attempt != "" && !secret.HasForm(e.Attempt, "att"):
		return fmt.Errorf("audit: %s: that is not the public part of an attempt", e.Type)
	case e.RequestID != "" && !secret.HasForm(e.RequestID, "req"):
		return fmt.Errorf("audit: %s: that is no request", e.Type)
	}
	for name, f := range map[string]struct {
		value string
		limit int
	}{"actor": {e.Actor, MaxValue}, "ip": {e.IP, MaxValue}, "user agent": {e.UserAgent, MaxUserAgent}} {
		if err := plain(f.value, f.limit, unicode.IsControl); err != nil {
			return fmt.Errorf("audit: %s: %s: %w", e.Type, name, err)
		}
	}
	for key, value := range e.Data {
		if !slices.Contains(spec.Data, key) {
			return fmt.Errorf("audit: %s may not carry %q", e.Type, key)
		}
		if err := plain(value, MaxValue, steers); err != nil {
			return fmt.Errorf("audit: %s: %s: %w", e.Type, key, err)
		}
		if err := noSecret(value); err != nil {
			return fmt.Errorf("audit: %s: %s: %w", e.Type, key, err)
		}
	}
	return nil
}

// plain never repeats the value: its error goes to the log.
func plain(s string, limit int, refuse func(rune) bool) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("longer than %d bytes", limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("not UTF-8")
	case strings.ContainsFunc(s, refuse):
		return fmt.Errorf("holds a control character")
	}
	return nil
}

// steers reports whether r would move a line or turn a text around where it is shown.
func steers(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) &&
		r != '\u2068' && r != '\u2069' // account.Mask isolates with them
}

func noSecret(s string) error {
	if secret.HasForm(s, "lsk") || secret.HasForm(s, "att") {
		return nil // the public part alone
	}
	for _, prefix := range []string{"lrt_", "lds_", "lsk_", "eyJ", "att_"} {
		if strings.Contains(s, prefix) {
			return fmt.Errorf("looks like a secret (%s...)", prefix)
		}
	}
	if strings.Contains(s, "@") && !strings.Contains(s, "•••@") {
		return fmt.Errorf("holds an address that is not masked")
	}
	return nil
}

// Clean makes a stranger's text (a User-Agent header) fit for an event: valid UTF-8 of
// at most limit bytes without control characters.
func Clean(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
		for range utf8.UTFMax - 1 { // do not leave half a character
			if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n != 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if steers(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
}
