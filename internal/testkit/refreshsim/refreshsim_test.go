package refreshsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/refreshsim"
)

// broken is a server that gets one thing wrong.
type broken struct {
	birth refreshsim.Birth
	row   session.Session
	epoch int64
	blind bool // writes without looking whether the row has changed
	made  refreshsim.Device
	// proof changes the row that a proof is about to write.
	proof func(before, after session.Session) session.Session
	rule  func(row session.Session, p session.Presented, l session.Lifetimes, epoch int64, at time.Time, right session.Verdict) session.Verdict
}

type brokenFlight struct {
	b     *broken
	row   session.Session
	epoch int64
	p     session.Presented
}

func (b *broken) Arrive(_ time.Time, p refreshsim.Presented) refreshsim.Flight {
	return &brokenFlight{b: b, row: b.row, epoch: b.epoch, p: session.Presented{Generation: p.Generation, DeviceHashes: refreshsim.Hashes(p.Device)}}
}

func (b *broken) Prove(at time.Time, p refreshsim.Proof) refreshsim.Answer {
	if !b.row.Live(at, b.epoch) {
		return refreshsim.Answer{Result: refreshsim.Gone}
	}
	before, device := b.row, refreshsim.None
	if p == refreshsim.PasswordChange {
		b.made++
		device = b.made
		b.row = before.CutOff(b.birth.Lifetimes, refreshsim.Hashes(device)[0], at)
	} else {
		b.row = before.Proven(b.birth.Lifetimes, []string{"password"}, at)
	}
	if b.proof != nil {
		b.row = b.proof(before, b.row)
	}
	return refreshsim.Answer{Result: refreshsim.Granted, Generation: b.row.Generation, Device: device}
}

func (b *broken) Revoke(at time.Time) {
	b.row.EndedAt = at
}

func (f *brokenFlight) Land(at time.Time) refreshsim.Answer {
	b := f.b
	if !b.blind {
		f.row, f.epoch = b.row, b.epoch
	}
	v := session.Refresh(f.row, f.p, b.birth.Policy, b.birth.Lifetimes, f.epoch, at)
	if b.rule != nil {
		v = b.rule(f.row, f.p, b.birth.Lifetimes, f.epoch, at, v)
	}
	if v.Do == session.Rotate || v.Do == session.Recover || v.Do == session.End {
		b.row = v.Next
	}
	return refreshsim.AnswerOf(v)
}

// Every way to get it wrong is found, and the right way is not.
func TestTheSimulatorFinds(t *testing.T) {
	type verdict = session.Verdict
	grant := func(s session.Session, l session.Lifetimes, at time.Time) verdict {
		return verdict{Do: session.Rotate, Next: s.Rotated(l, at)}
	}
	for _, c := range []struct {
		name  string
		thief refreshsim.Thief
		broken
		want string // in a violation; "sign-out" for honest people who are signed out
	}{
		{name: "nothing"},
		{name: "a refresh in flight that undoes a revocation", broken: broken{blind: true}, want: "revoked"},
		{name: "a fork at every race", want: "answered with", broken: broken{rule: func(s session.Session, p session.Presented, l session.Lifetimes, _ int64, at time.Time, v verdict) verdict {
			if v.Do == session.Repeat {
				return grant(s, l, at)
			}
			return v
		}}},
		{name: "a token of long ago that rotates", want: "two leaves", broken: broken{rule: func(s session.Session, p session.Presented, l session.Lifetimes, _ int64, at time.Time, v verdict) verdict {
			if v.Do == session.End && p.Generation < s.Generation-1 {
				next := s.Rotated(l, at)
				next.Generation = p.Generation + 1
				return verdict{Do: session.Rotate, Next: next}
			}
			return v
		}}, thief: refreshsim.Full},
		{name: "no need of the device secret", thief: refreshsim.Bare, want: "device secret", broken: broken{rule: func(s session.Session, p session.Presented, l session.Lifetimes, e int64, at time.Time, v verdict) verdict {
			p.DeviceHashes = [][]byte{s.DeviceHash}
			return session.Refresh(s, p, session.Resilient, l, e, at)
		}}},
		{name: "the device secret is forgotten inside the window", thief: refreshsim.Bare, want: "device secret", broken: broken{rule: func(s session.Session, p session.Presented, l session.Lifetimes, e int64, at time.Time, v verdict) verdict {
			if v.Do == session.End && p.Generation == s.Generation-1 && at.Before(s.RotatedAt.Add(l.Window)) {
				return verdict{Do: session.Repeat, Next: s}
			}
			return v
		}}},
		{name: "a thief who is told to come back", thief: refreshsim.Bare, want: "device secret", broken: broken{rule: func(s session.Session, _ session.Presented, _ session.Lifetimes, _ int64, _ time.Time, v verdict) verdict {
			if v.Do == session.End {
				return verdict{Do: session.Gone, Next: s}
			}
			return v
		}}},
		{name: "reuse that ends nothing", thief: refreshsim.Full, want: "a session that is over", broken: broken{rule: func(s session.Session, _ session.Presented, _ session.Lifetimes, _ int64, _ time.Time, v verdict) verdict {
			if v.Do == session.End {
				v.Next = s
			}
			return v
		}}},
		{name: "no repeat", want: "sign-out", broken: broken{rule: func(s session.Session, _ session.Presented, _ session.Lifetimes, _ int64, at time.Time, v verdict) verdict {
			if v.Do == session.Repeat {
				s.EndedAt = at
				return verdict{Do: session.End, Next: s}
			}
			return v
		}}},
		{name: "no late recovery", want: "sign-out", broken: broken{rule: func(s session.Session, _ session.Presented, _ session.Lifetimes, _ int64, at time.Time, v verdict) verdict {
			if v.Do == session.Recover {
				s.EndedAt = at
				return verdict{Do: session.End, Next: s}
			}
			return v
		}}},
		{name: "a late recovery that no second tab may share", want: "sign-out", broken: broken{rule: func(s session.Session, _ session.Presented, _ session.Lifetimes, _ int64, _ time.Time, v verdict) verdict {
			if v.Do == session.Recover {
				v.Next.RotatedAt = s.RotatedAt
			}
			return v
		}}},
		{name: "a session that lives for ever", want: "was granted", broken: broken{rule: func(s session.Session, p session.Presented, l session.Lifetimes, e int64, at time.Time, v verdict) verdict {
			s.EndedAt = time.Time{}
			return session.Refresh(s, p, session.Resilient, l, e, at)
		}}, thief: refreshsim.Full},
		{name: "a step-up without a generation of its own", want: "a proof at generation", broken: broken{proof: func(before, after session.Session) session.Session {
			after.Generation, after.RotatedAt = before.Generation, before.RotatedAt
			return after
		}}},
		{name: "a step-up that does not say which generation it made", thief: refreshsim.Bare, want: "from just before a proof", broken: broken{proof: func(before, after session.Session) session.Session {
			after.ProofGeneration = before.ProofGeneration
			return after
		}}},
		{name: "a step-up that cuts the browser itself off", want: "is superseded", broken: broken{rule: func(s session.Session, p session.Presented, l session.Lifetimes, _ int64, at time.Time, v verdict) verdict {
			if p.Generation > 0 && p.Generation == s.ProofGeneration-1 && at.Before(s.AuthenticatedAt.Add(l.Window)) {
				return verdict{Do: session.Superseded, Next: s}
			}
			return v
		}}},
		{name: "a step-up that supersedes without end", thief: refreshsim.Bare, want: "is superseded", broken: broken{rule: func(s session.Session, p session.Presented, _ session.Lifetimes, _ int64, _ time.Time, v verdict) verdict {
			if v.Do == session.End && p.Generation == s.ProofGeneration-1 {
				return verdict{Do: session.Superseded, Next: s}
			}
			return v
		}}},
		{name: "a changed password that cuts nothing off", want: "is answered", broken: broken{proof: func(before, after session.Session) session.Session {
			after.CutGeneration = before.CutGeneration
			return after
		}}},
		{name: "a changed password that keeps the device secret", want: "sign-out", broken: broken{proof: func(before, after session.Session) session.Session {
			after.DeviceHash = before.DeviceHash
			return after
		}}},
		{name: "an old token that ends the session of a changed password", want: "ended the session", broken: broken{rule: func(s session.Session, p session.Presented, _ session.Lifetimes, _ int64, at time.Time, v verdict) verdict {
			if v.Do == session.Gone && v.Reason == session.EndedByPassword {
				s.EndedAt = at
				return verdict{Do: session.End, Next: s}
			}
			return v
		}}, thief: refreshsim.Full},
		{name: "a cut that the next rotation forgets", thief: refreshsim.Full, want: "ended the session", broken: broken{rule: func(s session.Session, p session.Presented, l session.Lifetimes, e int64, at time.Time, v verdict) verdict {
			if s.Generation > s.CutGeneration {
				s.CutGeneration = 0
			}
			return session.Refresh(s, p, session.Resilient, l, e, at)
		}}},
		{name: "a late recovery past a changed password", want: "before the password was changed, was granted", broken: broken{rule: func(s session.Session, p session.Presented, _ session.Lifetimes, _ int64, _ time.Time, v verdict) verdict {
			if v.Reason == session.EndedByPassword && v.Do == session.Gone && p.Generation == s.Generation-1 {
				return verdict{Do: session.Recover, Next: s}
			}
			return v
		}}},
		{name: "a cut without a window", want: "from just before a proof", broken: broken{rule: func(s session.Session, p session.Presented, _ session.Lifetimes, _ int64, _ time.Time, v verdict) verdict {
			if v.Do == session.Superseded && p.Generation < s.CutGeneration {
				return verdict{Do: session.Gone, Next: s, Reason: session.EndedByPassword}
			}
			return v
		}}},
		{name: "a session that is gone too early", want: "is gone", broken: broken{rule: func(s session.Session, _ session.Presented, _ session.Lifetimes, _ int64, _ time.Time, v verdict) verdict {
			if s.Generation > 5 {
				return verdict{Do: session.Gone, Next: s}
			}
			return v
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, seed := "", uint64(0)
			for ; seed < 2000 && found == ""; seed++ {
				r := refreshsim.Run(seed, refreshsim.Default(session.Resilient, c.thief), func(birth refreshsim.Birth) refreshsim.Row {
					b := c.broken
					b.birth = birth
					b.made = refreshsim.Right
					b.row = session.Session{
						Generation: 1, RotatedAt: birth.At, ProofGeneration: 1, AuthenticatedAt: birth.At, DeviceHash: refreshsim.Hashes(refreshsim.Right)[0], Bound: birth.Bound,
						IdleExpiresAt: birth.At.Add(birth.Lifetimes.Idle), ExpiresAt: birth.At.Add(birth.Lifetimes.Absolute),
					}
					return &b
				})
				found = strings.Join(r.Violations, "; ")
				if found == "" && r.SignOuts > 0 {
					found = "sign-out"
				}
			}
			if c.want == "" && found != "" || c.want != "" && !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
			if found != "" {
				t.Logf("seed %d: %s", seed-1, found)
			}
		})
	}
}
