package factor

import "time"

// How many wrong codes an address may have across all its attempts (api.md section 2;
// NIST SP 800-63B-4 section 3.2.2 allows at most 100 in a row).
const (
	WrongPerHour = 10
	WrongInRow   = 100
)

// Budget counts the wrong codes of one address, known or not, over all its attempts. The
// zero value is a full budget.
//
// The hour is counted from its first wrong code. Two hours may touch, so at worst 19
// wrong codes fall into sixty minutes; the run of 100 holds regardless.
type Budget struct {
	HourStartedAt time.Time
	InHour, InRow int
}

// Open reports whether a code may be judged at all. Where it is not, codes are closed for
// the address, while other proofs still work.
func (b Budget) Open(now time.Time) bool {
	return b.InRow < WrongInRow && (b.InHour < WrongPerHour || b.over(now))
}

// ClosedFor returns how long the address must wait for codes: 0 if it need not, and an
// hour if waiting will not help and another proof must, as after 100 wrong ones in a row.
func (b Budget) ClosedFor(now time.Time) time.Duration {
	switch {
	case b.Open(now):
		return 0
	case b.InRow >= WrongInRow:
		return time.Hour
	}
	return b.HourStartedAt.Add(time.Hour).Sub(now)
}

// Wrong returns the budget after one more wrong code. A closed budget stays as it is:
// codes that were never judged must not use it up further.
func (b Budget) Wrong(now time.Time) Budget {
	if !b.Open(now) {
		return b
	}
	if b.InHour == 0 || b.over(now) {
		b.HourStartedAt, b.InHour = now, 0
	}
	b.InHour++
	b.InRow++
	return b
}

// Right returns the budget after any successful proof of the address's owner. The run
// ends; the hour goes on, so a thief who guesses while the owner signs in gains nothing.
func (b Budget) Right() Budget {
	b.InRow = 0
	return b
}

// over also holds when now lies before the hour began: a clock that was set back must not
// close an address for longer than an hour.
func (b Budget) over(now time.Time) bool {
	return now.Before(b.HourStartedAt) || !now.Before(b.HourStartedAt.Add(time.Hour))
}
