// Package fault is the vocabulary of refusals.
//
// A Fault is what a caller is told when a deed is refused: a kind (which decides
// the HTTP status), a stable code in snake_case that programs depend on, and one
// sentence that a person can act on. The cause stays inside: it goes to the log
// and never to the caller.
//
// Faults are declared beside the rule that raises them and documented one by one
// in docs/error-codes.md; a test compares the lists. Any other error is an
// Internal fault: it reveals nothing but the request id (ASVS 16.5.1).
//
// A Fault is a value: the With methods return a copy, so a package-level Fault is
// never changed by a request.
package fault

import (
	"errors"
	"maps"
	"time"
)

// Kind says what went wrong in the widest terms; doors map it to a status.
type Kind uint8

// The kinds, from the caller's mistake to our own. The zero Kind is Internal, so a
// forgotten kind reveals nothing.
const (
	Internal        Kind = iota
	Malformed            // the bytes are not what they claim to be: 400
	Invalid              // a field breaks a rule: 422
	Unauthenticated      // who is asking is not proven: 401
	Denied               // proven, and still not allowed: 403
	NotFound             // 404
	Conflict             // the state does not allow it: 409
	TooLarge             // 413
	WrongType            // 415
	WrongMethod          // 405
	Limited              // too often: 429
	Unavailable          // cannot be done now: 503
)

// Fault is a refusal. Only Kind, Code and Detail are always present.
type Fault struct {
	Kind   Kind
	Code   string
	Detail string

	// Fields maps a field of the request to the stable code of what is wrong with it.
	Fields map[string]string
	// RetryAfter is how long the caller should wait; zero means not said.
	RetryAfter time.Duration
	// TriesLeft is told with code_incorrect; nil means not said.
	TriesLeft *int
	// Factors is told with reauthentication_required: the names of proofs that would do.
	Factors []string
	// DeleteAt and Attempt are returned with account_deleting: when the account will be
	// deleted, and the secret with which this browser can keep it; "" where it cannot.
	DeleteAt time.Time
	Attempt  string

	cause error
}

// New declares a fault.
func New(kind Kind, code, detail string) *Fault {
	return &Fault{Kind: kind, Code: code, Detail: detail}
}

// Error is for logs: it may carry the cause, so it is never sent to a caller.
func (f *Fault) Error() string {
	if f.cause != nil {
		return f.Code + ": " + f.cause.Error()
	}
	return f.Code
}

// Unwrap returns the hidden cause.
func (f *Fault) Unwrap() error { return f.cause }

// Is compares by code, so a copy with a cause or a field still is its declaration.
func (f *Fault) Is(target error) bool {
	other, ok := target.(*Fault)
	return ok && other.Code == f.Code
}

// Because returns a copy that hides cause inside.
func (f *Fault) Because(cause error) *Fault {
	c := *f
	c.cause = cause
	return &c
}

// Saying returns a copy with another public sentence.
func (f *Fault) Saying(detail string) *Fault {
	c := *f
	c.Detail = detail
	return &c
}

// After returns a copy that tells the caller to wait.
func (f *Fault) After(wait time.Duration) *Fault {
	c := *f
	c.RetryAfter = wait
	return &c
}

// Left returns a copy that tells how many tries remain.
func (f *Fault) Left(tries int) *Fault {
	c := *f
	c.TriesLeft = &tries
	return &c
}

// Offering returns a copy that names the proofs that would satisfy the rule.
func (f *Fault) Offering(factors ...string) *Fault {
	c := *f
	c.Factors = factors
	return &c
}

// WithDeletion returns a copy that says when the account will be deleted, and with which
// attempt it can be kept.
func (f *Fault) WithDeletion(at time.Time, attempt string) *Fault {
	c := *f
	c.DeleteAt, c.Attempt = at, attempt
	return &c
}

// Field returns a copy in which field carries code.
func (f *Fault) Field(field, code string) *Fault {
	c := *f
	c.Fields = maps.Clone(f.Fields)
	if c.Fields == nil {
		c.Fields = map[string]string{}
	}
	c.Fields[field] = code
	return &c
}

// Of returns the fault inside err, or an Internal fault that hides err.
func Of(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return ErrInternal.Because(err)
}

// The faults that belong to no single rule.
var (
	ErrInternal       = New(Internal, "internal_error", "Something broke on our side. Your details are safe.")
	ErrInvalidRequest = New(Invalid, "invalid_request", "Some fields need another look.")
	ErrMalformedJSON  = New(Malformed, "malformed_json", "The body is not one well-formed JSON object.")
	ErrMediaType      = New(WrongType, "unsupported_media_type", "Send the body as application/json.")
	ErrTooLarge       = New(TooLarge, "payload_too_large", "The body is larger than 64 KiB.")
	ErrNotFound       = New(NotFound, "not_found", "There is nothing here.")
	ErrMethod         = New(WrongMethod, "method_not_allowed", "This address does not answer that method.")
	ErrRateLimited    = New(Limited, "rate_limited", "Too many requests. Wait a moment and try again.")
	ErrUnavailable    = New(Unavailable, "unavailable", "This cannot be done right now. Try again in a moment.")
	ErrForbidden      = New(Denied, "forbidden", "You may not do this.")
)

// Invalidate starts an invalid_request for one field.
func Invalidate(field, code string) *Fault { return ErrInvalidRequest.Field(field, code) }
