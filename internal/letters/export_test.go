package letters

import (
	"errors"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/store"
)

// The times of a claimed letter, and the bounds of campaigns.
const (
	Lease       = lease
	BeginWithin = beginWithin
	Patience    = patience
	MaxTries    = maxTries
	PageSize    = pageSize
	WaitingMost = waitingMost
)

// Backoff is the pause after the n-th try.
func Backoff(tries int) time.Duration { return backoff(tries) }

// Presentable is how an error about a letter to that address is written down.
func Presentable(said, to string) string {
	return presentable(errors.New(said), &held{to: to, Message: store.Message{Channel: "email"}})
}

// LetterID is the id of the letter that a person gets of a campaign.
func LetterID(campaign string, who account.ID) string { return letterID(campaign, who) }

// PlainName is a name that its owner chose, as a letter shows it.
func PlainName(s string) string { return plainName(s) }

// WithFacts renders a letter that tells those facts.
func WithFacts(r *Renderer, t Template, f Facts) (html, plain string, err error) {
	m, err := r.letter(t, "en", parts{To: "ann@example.com", Facts: f})
	return m.HTML, m.Text, err
}
