package factor

import (
	"strings"
	"time"
)

// What a code by e-mail is (api.md section 2).
const (
	CodeDigits  = 6
	MatchDigits = 2 // on a waiting screen
	CodeTries   = 5
	CodeLife    = 10 * time.Minute // the longest; ASVS 6.5.5
)

// Challenge is one code that was sent, or, for a decoy, seems to have been.
type Challenge struct {
	// CodeHash is the keyed hash of the code; empty once the code is spent, superseded
	// or dead.
	CodeHash          []byte
	SentAt, ExpiresAt time.Time
	// Tries counts the wrong ones.
	Tries int
	// Decoy marks a challenge that nothing fits.
	Decoy bool
}

// Judgement is what becomes of one try. A wrong code is a value, not an error: Next must
// be stored either way, in the transaction that read the challenge.
type Judgement struct {
	OK        bool
	TriesLeft int
	Next      Challenge
}

// Live reports whether the code could still be right. A decoy is live like any other, so
// that nothing which asks can tell them apart; Judge alone knows.
func (c Challenge) Live(now time.Time) bool {
	return len(c.CodeHash) > 0 && c.Tries < CodeTries && now.Before(c.ExpiresAt)
}

// Judge spends one try. fits says that the code presented has the challenge's hash; it
// counts only if the challenge is live and no decoy. A right code is spent. Every other
// try is a wrong one, and the answer does not say why: wrong, expired, superseded and
// decoy alike cost a try and leave one less. After CodeTries wrong ones the challenge is
// dead for ever.
func (c Challenge) Judge(fits bool, now time.Time) Judgement {
	next := c
	if fits && !c.Decoy && c.Live(now) {
		next.CodeHash = nil
		return Judgement{OK: true, TriesLeft: CodeTries - c.Tries, Next: next}
	}
	next.Tries = min(c.Tries+1, CodeTries)
	if next.Tries == CodeTries {
		next.CodeHash = nil
	}
	return Judgement{TriesLeft: CodeTries - next.Tries, Next: next}
}

// ReadDigits returns n digits as a person typed or pasted them: white space and dashes are
// left out, and the decimal digits of any script are read as 0 to 9, because an Arabic
// keyboard writes ٤٢ for 42. ok is false unless exactly n remain.
func ReadDigits(typed string, n int) (digits string, ok bool) {
	if len(typed) > 64 {
		return "", false
	}
	var b strings.Builder
	for _, c := range typed {
		switch {
		case isSpacing(c):
			continue
		case decimal(c) < 0:
			return "", false
		}
		b.WriteByte(byte('0' + decimal(c)))
	}
	return b.String(), b.Len() == n
}
