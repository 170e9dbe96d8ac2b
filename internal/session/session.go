// Package session knows what it means to be signed in: sessions and the devices they
// live on, how long they last, and when a refresh rotates, repeats, recovers or ends
// one. It is pure: no I/O, no clock.
//
// One row is the whole session. It holds a generation that rises by one with every
// rotation, so there is no list of tokens: a refresh token names the session and a
// generation, and is valid by its MAC. Exactly one generation, the row's own, can be
// rotated: there is one live leaf, whatever races (RFC 9700 section 4.14; see Refresh).
//
// Deadlines. A session ends when it is idle for too long, at an absolute age, when it
// is ended, and when its account's epoch has moved on. A deadline that is reached has
// passed: at IdleExpiresAt the session is no longer live (ASVS 7.3.1, 7.3.2).
//
// The device secret is a second half of the refresh token that does not travel with
// every request and never rotates. A session that is bound to it demands it on every
// refresh, so a refresh token that leaked alone is worth nothing and gives itself away.
//
// Limits. Whoever holds the newest token and the device secret is, to this package, the
// person. Both parties refreshing from the same state is what reveals the copy; a
// person who never returns reveals nothing, and the absolute age is what ends that.
//
// Threats considered: theft of a token with and without the device secret, replay,
// concurrent redemption (a fork of the family), and a refresh in flight that would undo
// a revocation. See the simulator in internal/testkit/refreshsim.
package session

import (
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
)

// ID names a session: ses_ and a sortable id.
type ID string

// Delivery is how the tokens of a session travel. It is chosen at sign-in and never
// changes.
type Delivery string

// The three deliveries.
const (
	Token  Delivery = "token"  // both tokens in JSON: mobile, CLI, servers
	Memory Delivery = "memory" // access token in JSON, refresh token in a cookie: single-page apps
	Cookie Delivery = "cookie" // both tokens in cookies: server-rendered apps
)

// ParseDelivery reads the header Limen-Delivery. An absent header means Token; anything
// unknown is invalid_request.
func ParseDelivery(s string) (Delivery, error) {
	switch d := Delivery(s); d {
	case "":
		return Token, nil
	case Token, Memory, Cookie:
		return d, nil
	}
	return "", fault.Invalidate("Limen-Delivery", "invalid")
}

// Policy is how strictly the refresh rule reads a token that was already rotated.
type Policy string

// The two policies.
const (
	Resilient Policy = "resilient" // a lost answer or a second tab signs nobody out
	Strict    Policy = "strict"    // single use to the letter
)

// Lifetimes are the durations that the rules measure with.
type Lifetimes struct {
	Access       time.Duration // an access token
	Idle         time.Duration // a session that is not refreshed
	Absolute     time.Duration // a session, whatever happens
	Window       time.Duration // resilient: how long the token before the newest repeats its answer
	StrictWindow time.Duration // strict: how long it is told "superseded" instead of reuse
}

// Session is one row: a person, signed in on one device.
type Session struct {
	ID      ID
	Account account.ID
	Client  string // the application, "default" for the first

	// Generation is FirstGeneration at birth and rises with every rotation. RotatedAt is when the
	// answer that carries it was last made anew: at birth, rotation or late recovery.
	Generation int64
	RotatedAt  time.Time
	// ProofGeneration is the generation that the newest proof made, 1 at birth.
	// AuthenticatedAt is when that was.
	ProofGeneration int64
	// CutGeneration is the generation that the newest change of the password made in this
	// session, and CutAt when that was; 0 if there was none. Every older token is cut off.
	CutGeneration int64
	CutAt         time.Time

	// DeviceHash is the keyed hash of the device secret. Bound means that every refresh
	// demands the secret.
	DeviceHash []byte
	Bound      bool

	Delivery Delivery
	// Epoch is the account's epoch at birth; the session dies when the account's rises.
	Epoch int64

	IdleExpiresAt time.Time
	ExpiresAt     time.Time
	EndedAt       time.Time // zero while it has not been ended
	EndReason     string    // one of the Ended constants

	// Late recoveries: the generation that was recovered last (0 for none), how many
	// since when. See Refresh.
	RecoveredGeneration int64
	Recoveries          int64
	RecoveriesSince     time.Time

	CreatedAt       time.Time
	LastSeenAt      time.Time
	AuthenticatedAt time.Time
	AuthenticatedBy string // the method of the last proof

	IP       string
	Location string
	Device   Device
	Methods  []string
	AAL      int
}

// FirstGeneration is that of the tokens which a sign-in issues: only a new session has it.
const FirstGeneration = 1

// Device is what a user agent says it is. It is shown to the person, never trusted.
type Device struct {
	Name    string // "Firefox on Linux"; "" when nothing is known
	OS      string
	Browser string
	Kind    string // one of the Kind constants
}

// The kinds of device.
const (
	KindDesktop = "desktop"
	KindMobile  = "mobile"
	KindTablet  = "tablet"
	KindBot     = "bot"
	KindCLI     = "cli"
	KindOther   = "other"
)

// Live reports whether the session lives at now, given its account's present epoch. A
// banned or deleted account has moved its epoch.
func (s Session) Live(now time.Time, accountEpoch int64) bool {
	return s.gone(now, accountEpoch) == ""
}
