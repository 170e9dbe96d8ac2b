package app

import (
	"time"

	"github.com/limenauth/limen/internal/secret"
)

// NewUser is an account as an operator makes it.
type NewUser struct {
	Email     string
	Username  string
	Password  secret.Text // "" for none
	FirstName string
	LastName  string
	Roles     []string // beside the role every account has
	Verified  bool     // the operator vouches for the address
	Invite    bool     // write to the address that there is an account
}

// KeyState is where a signing key stands in its life.
type KeyState string

// The states of a signing key, in the order they are passed. A key can be revoked in any.
const (
	KeyNext     KeyState = "next"     // published, does not sign yet
	KeySigning  KeyState = "signing"  // signs
	KeyPrevious KeyState = "previous" // published for the tokens it signed
	KeyRevoked  KeyState = "revoked"  // not published; its tokens are refused
)

// KeyInfo is what may be told about a signing key. A zero time has not come.
type KeyInfo struct {
	ID        string // the kid
	Alg       string
	State     KeyState
	CreatedAt time.Time
	ActiveAt  time.Time // when it begins or began to sign
	RetiredAt time.Time // when it stops or stopped signing
	RevokedAt time.Time
}

// ServerKeyInfo is what may be told about a server key after it was made.
type ServerKeyInfo struct {
	ID        string
	Name      string
	Scopes    []string
	CreatedAt time.Time
	RevokedAt time.Time // zero while it works
}

// Schema is what a database is and how far its migrations have come.
type Schema struct {
	Engine  string // sqlite or postgres
	Kind    string // development or production; "" before the first migration
	Current int64
	Newest  int64 // what this binary brings
	Steps   []Migration
}

// Migration is one step of the schema; a zero AppliedAt means that it is pending.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt time.Time
}

// Outcome is the result of one check.
type Outcome string

// The outcomes.
const (
	Healthy Outcome = "ok"
	Warning Outcome = "warn"
	Failed  Outcome = "fail"
)

// Check is one line of limen doctor.
type Check struct {
	Name    string
	Outcome Outcome
	Detail  string // what was found
	Fix     string // what to do; "" when all is well
}
