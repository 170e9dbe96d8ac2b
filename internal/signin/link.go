package signin

import (
	"strings"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// LinkPrefix begins every link token.
const LinkPrefix = "lnk"

// LinkID is the public part of a link: it may stand in logs and events.
type LinkID string

// ShowingsPerLink is how many browsers that did not ask for a link may be offered to
// approve what it leads to (api.md section 2).
const ShowingsPerLink = 3

// The refusals of links. A token that never was and one whose time is over are the same
// to the caller; one that was used is told apart, because its owner should know.
var (
	ErrLinkExpired = fault.New(fault.Unauthenticated, "link_expired", "This link has expired. Ask for a new one.")
	ErrLinkUsed    = fault.New(fault.Unauthenticated, "link_used", "This link was already used. If that wasn't you, secure your account.")
)

// Link is a link in a letter, as it is remembered. It is bound to one purpose and to
// what it was sent for.
type Link struct {
	ID         LinkID
	SecretHash []byte
	Purpose    Purpose
	Attempt    AttemptID
	Account    account.ID
	Session    session.ID
	// RecipientProof is the proof time of the contact that the link was sent to, for links
	// that belong to no attempt.
	RecipientProof time.Time
	// Sealed is what the link needs to do its work, such as an address to restore.
	Sealed    []byte
	Showings  int
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
	EndedAt   time.Time
}

// Refusal tells why a link cannot be used any more; nil when it can.
func (l Link) Refusal(now time.Time) error {
	switch {
	case !l.UsedAt.IsZero():
		return ErrLinkUsed
	case !l.EndedAt.IsZero() || !now.Before(l.ExpiresAt):
		return ErrLinkExpired
	}
	return nil
}

// NewLinkToken returns what stands in the letter, "lnk_<id>_<128 random bits>", and the
// id inside it.
func NewLinkToken(now time.Time) (LinkID, secret.Text) {
	id := secret.ID(LinkPrefix, now)
	return LinkID(id), secret.Text(id + "_" + secret.Token(attemptSecretBytes).Reveal())
}

// ParseLinkToken splits what a client presented. ok is false for every other form.
func ParseLinkToken(token string) (id LinkID, ok bool) {
	whole, ok := parseValue(token, LinkPrefix)
	return LinkID(whole), ok
}

// parseValue splits "<prefix>_<id>_<128 random bits>".
func parseValue(value, prefix string) (id string, ok bool) {
	n := len(prefix) + 1 + 26
	if len(value) != n+1+attemptSecretChars || value[n] != '_' || !secret.HasForm(value[:n], prefix) {
		return "", false
	}
	if strings.Trim(value[n+1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return "", false
	}
	return value[:n], true
}
