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
//
// Transactions that wait for each other do not commit in the order of their instants, so
// an instant may be older than HourStartedAt. It is judged as HourStartedAt: it opens
// nothing and lowers nothing, else parallel guesses would reset the hour (25 of 25 were
// judged that way).
type Budget struct {
	HourStartedAt time.Time
	InHour, InRow int
}

// setBack is how much older than the hour an instant must be to show that the clock was
// set back. No transaction waits that long.
const setBack = time.Hour

// Settled returns the budget with its hour moved to now if the clock was set back. The
// counts stay, so a closed budget stays closed, for an hour and no longer. A caller that
// finds a budget closed stores it settled: otherwise it never opens.
func (b Budget) Settled(now time.Time) Budget {
	if now.Before(b.HourStartedAt.Add(-setBack)) {
		b.HourStartedAt = now
	}
	return b
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
	return b.Settled(now).HourStartedAt.Add(time.Hour).Sub(now)
}

// Wrong returns the budget after one more wrong code. A closed budget counts nothing:
// codes that were never judged must not use it up further.
func (b Budget) Wrong(now time.Time) Budget {
	b = b.Settled(now)
	if !b.Open(now) {
		return b
	}
	if b.over(now) || b.InHour == 0 && b.HourStartedAt.Before(now) {
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

// over reports whether the hour has ended. It has not for an older instant.
func (b Budget) over(now time.Time) bool {
	return !now.Before(b.HourStartedAt.Add(time.Hour))
}
