// Package audit lists what limen writes down: every type of event, what it must carry
// and who may see it. It is pure: no I/O, no clock.
//
// Every deed leaves an event in its own transaction, so there is no deed without a
// record and no record without its deed (ASVS 16.3.1). One exception: a plain rotation
// of a refresh token writes nothing, because the session's row is its record.
//
// An event never carries a secret. That is held by form, not by care: each type lists
// the only data keys it may have, and a value is short, one line and printable (ASVS
// 16.2.5, 16.4.1). Addresses are masked before they come here.
//
// Events of an account are visible to its person where Spec.Visible says so. What
// strangers tried at a sign-in form is visible too: that is how somebody learns that an
// older token was used.
package audit

import (
	"time"

	"github.com/limenauth/limen/internal/account"
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

// Event is one line of the record. Empty fields do not apply or are not known.
type Event struct {
	ID      string // evt_ and a sortable id
	At      time.Time
	Type    Type
	Outcome Outcome

	Account account.ID // whom it concerns
	Actor   string     // who did it: an account, "operator", "system", a server key; "" for a stranger
	Session session.ID
	Attempt string // the public part of the attempt's id

	IP        string
	UserAgent string
	Data      map[string]string
}
