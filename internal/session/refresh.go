package session

import (
	"crypto/subtle"
	"slices"
	"time"
)

// Presented is what a refresh request shows, after its MAC was checked.
type Presented struct {
	Generation int64
	// DeviceHashes are the keyed hashes of the presented device secret under each key of
	// the ring, the current one first; nil when none was presented.
	DeviceHashes [][]byte
}

// Action is what a refresh does.
type Action int

// The actions. The zero Action is Gone: a forgotten one gives nothing.
const (
	Gone       Action = iota // ended or expired before: change nothing, session_ended
	Rotate                   // store Next, answer generation Next.Generation
	Repeat                   // change nothing, answer generation Next.Generation
	Recover                  // store Next, answer generation Next.Generation, leave an event
	Superseded               // change nothing, refresh_superseded
	End                      // store Next, leave an event, tell the person, refresh_reused
)

// String names the action for logs and tests.
func (a Action) String() string {
	switch a {
	case Gone:
		return "gone"
	case Rotate:
		return "rotate"
	case Repeat:
		return "repeat"
	case Recover:
		return "recover"
	case Superseded:
		return "superseded"
	case End:
		return "end"
	}
	return "unknown"
}

// Verdict is the outcome of the refresh rule.
type Verdict struct {
	Do Action
	// Next is the row after the verdict; it differs from the row for Rotate, Recover and
	// End only.
	Next Session
	// Reason says why for Gone, Recover and End: one of the Ended or Late constants.
	Reason string
}

// Why a session ended, or why a refresh found it gone. They are stored, shown in events
// and documented; do not rename them.
const (
	EndedByReuse       = "reuse"          // a refresh token older than the rule allows
	EndedByFuture      = "future"         // a generation that was never issued
	EndedByNoDevice    = "device_missing" // bound, and no device secret came
	EndedByWrongDevice = "device_wrong"   // bound, and another device's secret came
	EndedByLateTwice   = "late_twice"     // late for two consecutive generations
	EndedByLateOften   = "late_often"     // late more often than allowed

	EndedByIdle     = "idle"             // not refreshed for too long
	EndedByAge      = "expired"          // as old as a session may be
	EndedByEpoch    = "epoch"            // every session of the account was ended
	EndedBySignOut  = "sign_out"         // by the person, here
	EndedByPerson   = "revoked"          // by the person, from another session
	EndedByOperator = "operator"         // by an operator
	EndedByCap      = "cap"              // too many sessions
	EndedByPassword = "password_changed" // the password was changed or recovered
	EndedByRemedy   = "remedy"           // the person undid or reported a change
	EndedByBan      = "banned"           // the account was banned
	EndedByDeletion = "deleted"          // the account was deleted

	LateAnswerWasLost = "answer_lost" // a late recovery
)

// The allowance of late recoveries.
const (
	MaxRecoveries    = 3
	RecoveriesPeriod = 30 * 24 * time.Hour
)

func (s Session) gone(now time.Time, accountEpoch int64) string {
	switch {
	case !s.EndedAt.IsZero():
		if s.EndReason == "" {
			return EndedBySignOut
		}
		return s.EndReason
	case s.Epoch != accountEpoch:
		return EndedByEpoch
	case !now.Before(s.ExpiresAt):
		return EndedByAge
	case !now.Before(s.IdleExpiresAt):
		return EndedByIdle
	}
	return ""
}

// Refresh is the refresh rule. It decides what presenting p to row does at now, under
// policy, given the account's present epoch. It changes nothing itself: the store writes
// Next only if the row still is what it was, and asks again otherwise. A write that did
// not look could undo a revocation, or fork the session (CVE-2020-15222 and its kin).
//
// Let n be the row's generation and g the one presented.
//
//   - A session that has ended, expired or fallen behind its account's epoch is Gone.
//   - A change of the password cuts off every generation before the one it made, whatever
//     device secret comes along: within the window such a token is Superseded, later it is
//     Gone. It never ends the session: the session belongs to the person who changed the
//     password, and an old token must not sign that person out.
//   - The generation just before the one that the newest proof made, without the right
//     device secret, is Superseded within the window of that proof, and reuse later. A
//     copy of the token does not share in the proof. With the secret it is the same
//     browser, and the rules below hold as always.
//   - A bound session demands its device secret whatever else g is: none or a wrong one
//     ends the session. So a token that leaked alone is refused at once, and found out.
//   - g = n rotates to n+1. A session that is not bound yet becomes bound if the right
//     secret came along; a wrong secret counts as none.
//   - g = n-1, policy resilient, within Window of RotatedAt: the same successor n again,
//     and nothing moves. Racing tabs converge, a retried request is idempotent.
//   - g = n-1, policy resilient, later, bound: late recovery, the same successor n again,
//     because the answer was lost (a laptop's lid, a crash). Never for two consecutive
//     generations, which is how a copy and its original take turns; at most MaxRecoveries
//     times in RecoveriesPeriod, counted from the first of them.
//   - g = n-1, policy strict, within StrictWindow of RotatedAt: Superseded.
//   - Everything else is reuse and ends the session. A generation that was never issued
//     has a valid MAC only after an older backup was restored: it ends the session too,
//     since what happened in between is not known.
//
// The window is Window under Resilient and StrictWindow under Strict. Any policy but
// Resilient is read as Strict. RotatedAt also moves with a late recovery,
// so that the tabs of a browser that wakes up share one recovery and its answer may be
// asked for again.
func Refresh(row Session, p Presented, policy Policy, l Lifetimes, epoch int64, now time.Time) Verdict {
	if why := row.gone(now, epoch); why != "" {
		return Verdict{Do: Gone, Next: row, Reason: why}
	}
	window := l.window(policy)
	if 0 < p.Generation && p.Generation < row.CutGeneration {
		if now.Before(row.CutAt.Add(window)) {
			return Verdict{Do: Superseded, Next: row}
		}
		return Verdict{Do: Gone, Next: row, Reason: EndedByPassword}
	}
	match := row.deviceIs(p.DeviceHashes)
	if !match && 0 < p.Generation && p.Generation == row.ProofGeneration-1 && now.Before(row.AuthenticatedAt.Add(window)) {
		return Verdict{Do: Superseded, Next: row}
	}
	if row.Bound && !match {
		if len(p.DeviceHashes) == 0 {
			return row.end(EndedByNoDevice, now)
		}
		return row.end(EndedByWrongDevice, now)
	}
	switch {
	case p.Generation < 1:
		return row.end(EndedByReuse, now)
	case p.Generation > row.Generation:
		return row.end(EndedByFuture, now)
	case p.Generation == row.Generation:
		next := row.Rotated(l, now)
		next.Bound = row.Bound || match
		return Verdict{Do: Rotate, Next: next}
	case p.Generation < row.Generation-1:
		return row.end(EndedByReuse, now)
	case policy == Resilient:
		return row.presentedAgain(p.Generation, l, now)
	case now.Before(row.RotatedAt.Add(window)):
		return Verdict{Do: Superseded, Next: row}
	}
	return row.end(EndedByReuse, now)
}

func (s Session) presentedAgain(generation int64, l Lifetimes, now time.Time) Verdict {
	if now.Before(s.RotatedAt.Add(l.Window)) {
		return Verdict{Do: Repeat, Next: s}
	}
	if !s.Bound {
		return s.end(EndedByReuse, now)
	}
	if s.RecoveredGeneration > 0 && s.RecoveredGeneration == generation-1 {
		return s.end(EndedByLateTwice, now)
	}
	next := s.seen(l, now)
	if s.Recoveries == 0 || !now.Before(s.RecoveriesSince.Add(RecoveriesPeriod)) {
		next.Recoveries, next.RecoveriesSince = 0, now // a new count begins
	}
	if next.Recoveries >= MaxRecoveries {
		return s.end(EndedByLateOften, now)
	}
	next.Recoveries++
	next.RecoveredGeneration = generation
	next.RotatedAt = latest(s.RotatedAt, now)
	return Verdict{Do: Recover, Next: next, Reason: LateAnswerWasLost}
}

func (l Lifetimes) window(policy Policy) time.Duration {
	if policy == Resilient {
		return l.Window
	}
	return l.StrictWindow
}

// Rotated is the row one generation on: what a rotation stores, and what a fresh proof
// in the same session starts from. Absolute expiry does not move.
func (s Session) Rotated(l Lifetimes, now time.Time) Session {
	next := s.seen(l, now)
	next.Generation++
	next.RotatedAt = latest(s.RotatedAt, now)
	return next
}

// Proven is the row after its person has proven who they are by the methods in by, of
// which there is one at least: a new generation, made by that proof (ASVS 7.2.4). Its
// instant is not before the row's own: a rotation that committed while the transaction
// waited may be later than the transaction.
func (s Session) Proven(l Lifetimes, by []string, now time.Time) Session {
	now = latest(s.RotatedAt, now)
	next := s.Rotated(l, now)
	next.ProofGeneration, next.AuthenticatedAt, next.AuthenticatedBy = next.Generation, now, by[len(by)-1]
	next.Methods = slices.Clone(s.Methods)
	for _, method := range by {
		if !slices.Contains(next.Methods, method) {
			next.Methods = append(next.Methods, method)
		}
	}
	return next
}

// CutOff is the row after its person has changed the password here: a new generation and
// a new device, and every older token is worth nothing. CutAt is the instant since when
// the password holds: not before any token that this session was given.
func (s Session) CutOff(l Lifetimes, deviceHash []byte, now time.Time) Session {
	now = latest(s.RotatedAt, now)
	next := s.Rotated(l, now)
	next.CutGeneration, next.CutAt, next.DeviceHash = next.Generation, now, deviceHash
	return next
}

// OutOfOrder bounds how much older than a stored time an instant can be because two
// transactions waited for each other, or two machines disagree. What is older yet shows a
// clock that was set back.
const OutOfOrder = time.Minute

// latest keeps an instant that came out of order from lowering a stored time.
func latest(stored, now time.Time) time.Time {
	if behind := stored.Sub(now); behind > 0 && behind <= OutOfOrder {
		return stored
	}
	return now
}

func (s Session) seen(l Lifetimes, now time.Time) Session {
	s.LastSeenAt = latest(s.LastSeenAt, now)
	s.IdleExpiresAt = now.Add(l.Idle)
	if s.ExpiresAt.Before(s.IdleExpiresAt) {
		s.IdleExpiresAt = s.ExpiresAt
	}
	return s
}

func (s Session) end(reason string, now time.Time) Verdict {
	s.EndedAt, s.EndReason = now, reason
	return Verdict{Do: End, Next: s, Reason: reason}
}

// deviceIs compares in constant time; a row without a hash fits no secret.
func (s Session) deviceIs(hashes [][]byte) bool {
	fits := 0
	for _, h := range hashes {
		fits |= subtle.ConstantTimeCompare(h, s.DeviceHash)
	}
	return fits == 1 && len(s.DeviceHash) > 0
}
