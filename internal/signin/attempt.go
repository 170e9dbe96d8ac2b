package signin

import (
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// AttemptPrefix begins every attempt id.
const AttemptPrefix = "att"

// AttemptID is the public part of an attempt: it may stand in logs and events.
type AttemptID string

// Limits of attempts (api.md section 2).
const (
	// LivePerAddress is how many unproven attempts one address may have.
	LivePerAddress = 5
	// SendsPerAttempt bounds the letters of one attempt, the first included.
	SendsPerAttempt = 6

	attemptSecretBytes = 16
	attemptSecretChars = 22
)

// The refusals of attempts. An attempt that never was, that is over, that belongs to
// another browser and that is somebody else's are one and the same to the caller.
var (
	ErrAttemptExpired  = fault.New(fault.Unauthenticated, "attempt_expired", "This sign-in has expired. Start again.")
	ErrCodeIncorrect   = fault.New(fault.Unauthenticated, "code_incorrect", "That code isn't right.")
	ErrTooManyAttempts = fault.New(fault.Limited, "too_many_attempts", "Too many wrong codes. Ask for a new one, or sign in another way.")
	ErrTooSoon         = fault.New(fault.Limited, "rate_limited", "A code was sent a moment ago. Wait before you ask for another.")
	ErrSignUpClosed    = fault.New(fault.Denied, "sign_up_closed", "New accounts are not open here. Ask the people who run this site.")
)

// The ways an attempt ends.
const (
	OutcomeComplete  = "complete"
	OutcomeDisplaced = "displaced"
	OutcomeRefused   = "refused"
	OutcomeDenied    = "denied"
	// OutcomeVoid is told of attempts that were overtaken: a changed password, a removed address.
	OutcomeVoid = "void"
	// OutcomeExpired is of attempts that were found expired. Their end is stored, so a clock
	// that is set back revives none.
	OutcomeExpired = "expired"
)

// Attempt is one try, as it is remembered.
type Attempt struct {
	ID         AttemptID
	SecretHash []byte
	Purpose    Purpose
	Account    account.ID
	// Session is the session that began the attempt, where a signed-in person did, and
	// Epoch the account's at that time. Without both alive it leads nowhere: see Orphaned.
	Session session.ID
	Epoch   int64
	// Decoy attempts look and behave like others and lead nowhere.
	Decoy       bool
	KnownDevice bool
	Address     account.Address
	// Candidate is the sealed Candidate of a sign-up; it becomes an account when the
	// address is proven, and is nothing before.
	Candidate   []byte
	BrowserHash []byte
	Delivery    session.Delivery
	Locale      string
	CodeHash    []byte
	SentAt      time.Time
	CodeExpires time.Time
	Tries       int
	Sends       int
	CreatedAt   time.Time
	ExpiresAt   time.Time
	EndedAt     time.Time
	Outcome     string

	// Channel is how the code travels.
	Channel account.Channel
	// Subject is the id of the address or number that is to be verified.
	Subject string
	// CredentialVersion is that of the account when the attempt began.
	CredentialVersion int64
	// Match is the two digits on the waiting screen; Place and Device say where it is.
	Match, Place, Device string
	ApprovedAt           time.Time
	// Onward is the application that waits, as oauth.Destination.Encode writes it.
	Onward string
	// Proofs are the methods that have succeeded in this attempt.
	Proofs []Method
}

// Kind sorts the attempts for one address: an attempt displaces none of another kind.
// Otherwise strangers who ask for anything else, or for more recoveries than there are
// emails, could end the recovery whose email the owner is about to open.
type Kind string

// The kinds.
const (
	Ordinary Kind = "ordinary"
	Recovery Kind = "recovery"
	Unsent   Kind = "unsent" // a recovery whose email was one too many
)

// KindOf is the kind of an attempt that has, or has not, had an email.
func KindOf(p Purpose, sent bool) Kind {
	switch {
	case p != Recover:
		return Ordinary
	case sent:
		return Recovery
	}
	return Unsent
}

// Candidate is the account that a sign-up asks for.
type Candidate struct {
	PasswordHash   string `json:"password_hash,omitempty"`
	Username       string `json:"username,omitempty"`
	FirstName      string `json:"first_name,omitempty"`
	LastName       string `json:"last_name,omitempty"`
	Phone          string `json:"phone,omitempty"`
	Locale         string `json:"locale,omitempty"`
	UnsafeMetadata []byte `json:"unsafe_metadata,omitempty"`
}

// NewAttemptValue returns what the client presents: "att_<id>_<128 random bits>", and
// the id inside it.
func NewAttemptValue(now time.Time) (AttemptID, secret.Text) {
	id := secret.ID(AttemptPrefix, now)
	return AttemptID(id), secret.Text(id + "_" + secret.Token(attemptSecretBytes).Reveal())
}

// ParseAttemptValue splits what a client presented. ok is false for every other form.
func ParseAttemptValue(value string) (id AttemptID, ok bool) {
	whole, ok := parseValue(value, AttemptPrefix)
	return AttemptID(whole), ok
}

// Live reports whether the attempt can still be completed.
func (a Attempt) Live(now time.Time) bool {
	return a.EndedAt.IsZero() && now.Before(a.ExpiresAt)
}

// Known reports whether the attempt was begun on a known device of its account, as one
// that belongs to a session was.
func (a Attempt) Known() bool { return a.KnownDevice || a.Session != "" }

// Expired reports whether the attempt's time is over and nothing else has ended it.
func (a Attempt) Expired(now time.Time) bool {
	return a.EndedAt.IsZero() && !now.Before(a.ExpiresAt)
}

// Orphaned reports whether the attempt belongs to a session that has ended, in whatever
// way: what a signed-in person began ends with the session that began it. s is that
// session, or the zero Session where there is none any more; epoch is the account's.
func (a Attempt) Orphaned(s session.Session, epoch int64, now time.Time) bool {
	return a.Session != "" && (s.ID != a.Session || s.Account != a.Account || a.Epoch != epoch || !s.Live(now, epoch))
}

// Challenge is the code of the attempt as factor judges it.
func (a Attempt) Challenge() factor.Challenge {
	return factor.Challenge{
		CodeHash: a.CodeHash, SentAt: a.SentAt, ExpiresAt: a.CodeExpires,
		Tries: a.Tries, Decoy: a.Decoy,
	}
}

// ResendIn is how long the person waits before another code may be sent, given the pause
// between two.
func (a Attempt) ResendIn(now time.Time, pause time.Duration) time.Duration {
	return max(0, a.SentAt.Add(pause).Sub(now))
}

// Status is what the waiting screen is told: pending, approved, denied, expired or
// complete.
func (a Attempt) Status(now time.Time) string {
	switch {
	case a.Outcome == OutcomeComplete:
		return "complete"
	case a.Outcome == OutcomeDenied:
		return "denied"
	case !a.Live(now):
		return "expired"
	case !a.ApprovedAt.IsZero():
		return "approved"
	}
	return "pending"
}
