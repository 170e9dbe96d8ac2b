package letters

import (
	"context"
	"encoding/binary"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
)

// fate is where a letter goes after it was held.
type fate string

const (
	sent     fate = "sent"
	retried  fate = "retried"
	dead     fate = "dead"
	released fate = "released"
)

// verdict is what is to be noted of a letter.
type verdict struct {
	fate   fate
	due    time.Time // of retried and released
	reason string    // of retried and dead
}

// permanent is the error of a sender that no other try will mend: an address that does
// not exist, a number that is not allowed.
type permanent interface {
	error
	Permanent() bool
}

// final tells a refusal that stays from a failure that may pass.
func final(err error) bool {
	p, ok := errors.AsType[permanent](err)
	return ok && p.Permanent() || errors.Is(err, mail.ErrRefused) || errors.Is(err, sms.ErrRefused)
}

const (
	// heldPause is how soon a letter of a paused campaign is looked at again.
	heldPause = 30 * time.Second
	// restPause is how soon a letter is looked at again that no relay was asked to take.
	restPause = 5 * time.Second
	// shortest keeps a retry from following its failure at once. Until the last of all
	// tries pass about nine hours, so that a notice survives a bad night of the relay.
	shortest = 250 * time.Millisecond
	longest  = 4 * time.Hour
)

// judge decides what becomes of a letter after what came of it.
func judge(h *held, now time.Time) verdict {
	err := h.outcome
	switch {
	case err == nil:
		return verdict{fate: sent}
	case errors.Is(err, errLate):
		return verdict{fate: released, due: h.DueAt}
	case errors.Is(err, errHeld):
		return verdict{fate: released, due: now.Add(heldPause)}
	case errors.Is(err, mail.ErrResting) && now.Add(restPause).Before(h.NotAfter):
		return verdict{fate: released, due: now.Add(restPause)} // nobody was asked
	}
	reason := presentable(err, h)
	ours := errors.Is(err, errExpired) || errors.Is(err, errUnsealed) || errors.Is(err, errCancelled)
	if ours || final(err) || h.Tries >= maxTries {
		return verdict{fate: dead, reason: reason}
	}
	due := now.Add(backoff(h.Tries))
	if !due.Before(h.NotAfter) { // one more try while it is worth something
		due = now.Add(h.NotAfter.Sub(now) / 2)
	}
	if due.Sub(now) < shortest {
		return verdict{fate: dead, reason: errExpired.Error() + "; the last try: " + reason}
	}
	return verdict{fate: retried, due: due, reason: reason}
}

func (v verdict) write(ctx context.Context, tx *store.Tx, h *held) error {
	switch v.fate {
	case sent:
		return tx.MarkSent(ctx, h.Message, h.provider)
	case dead:
		return tx.BuryMessage(ctx, h.Message, v.reason)
	case released:
		return tx.ReleaseMessage(ctx, h.Message, v.due)
	}
	return tx.RetryMessage(ctx, h.Message, v.due, v.reason)
}

// backoff is the pause after the n-th try: anything between the shortest pause and a span
// that grows with each try (full jitter), so that letters that failed together do not come
// back together. The span doubles at first, for whoever waits for a code, and then
// quadruples.
func backoff(tries int) time.Duration {
	doublings := max(tries, 1)
	if tries > 2 {
		doublings = min(2*tries-2, 20)
	}
	span := min(time.Second<<doublings, longest)
	share := float64(binary.BigEndian.Uint64(secret.Bytes(8))>>11) / (1 << 53)
	return shortest + time.Duration(share*float64(span))
}

const maxReason = 300

var addressIn = regexp.MustCompile(`[^\s<>"'(),:;]+@[^\s<>"'(),:;]+`)

// presentable is an error as it may stand in a row, in a log and on a terminal: servers
// like to repeat the address, and a row keeps its reason longer than its secrets.
func presentable(err error, h *held) string {
	text := strings.ToValidUTF8(err.Error(), "?")
	if h.to != "" {
		masked := account.Mask(h.to)
		if h.Channel != "email" {
			masked = account.MaskPhone(h.to)
		}
		text = strings.ReplaceAll(text, h.to, masked)
	}
	text = addressIn.ReplaceAllStringFunc(text, func(found string) string {
		if strings.Contains(found, "•") {
			return found
		}
		return account.Mask(found)
	})
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	for cut := maxReason; len(text) > maxReason; cut-- {
		if utf8.RuneStart(text[cut]) {
			text = text[:cut] + "…"
			break
		}
	}
	return text
}
