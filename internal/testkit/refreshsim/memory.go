package refreshsim

import (
	"time"

	"github.com/limenauth/limen/internal/session"
)

// Memory keeps a session in memory and decides by session.Refresh, as a database does
// that writes under a condition: a refresh reads the row when it arrives, and decides
// again if the row is another one when it lands.
func Memory(b Birth) Row {
	return &memory{
		policy: b.Policy, lifetimes: b.Lifetimes, device: Right,
		row: session.Session{
			Generation: 1, RotatedAt: b.At, ProofGeneration: 1, AuthenticatedAt: b.At, CreatedAt: b.At, LastSeenAt: b.At,
			DeviceHash: Hashes(Right)[0], Bound: b.Bound,
			IdleExpiresAt: b.At.Add(b.Lifetimes.Idle), ExpiresAt: b.At.Add(b.Lifetimes.Absolute),
		},
	}
}

type memory struct {
	policy    session.Policy
	lifetimes session.Lifetimes
	row       session.Session
	device    Device
	version   int
	epoch     int64
}

type flight struct {
	m       *memory
	row     session.Session
	version int
	epoch   int64
	p       session.Presented
}

func (m *memory) Arrive(_ time.Time, p Presented) Flight {
	return &flight{m: m, row: m.row, version: m.version, epoch: m.epoch, p: session.Presented{Generation: p.Generation, DeviceHashes: Hashes(p.Device)}}
}

// Hashes are the hashes of the device secrets that Memory knows.
func Hashes(d Device) [][]byte {
	switch d {
	case None:
		return nil
	case Wrong:
		return [][]byte{[]byte("wrong")}
	}
	return [][]byte{{'r', 'i', 'g', 'h', 't', byte(d)}}
}

func (f *flight) Land(at time.Time) Answer {
	m := f.m
	if f.version != m.version {
		f.row, f.epoch = m.row, m.epoch
	}
	v := session.Refresh(f.row, f.p, m.policy, m.lifetimes, f.epoch, at)
	switch v.Do {
	case session.Rotate, session.Recover, session.End:
		m.row = v.Next
		m.version++
	}
	return AnswerOf(v)
}

// Prove implements Row.
func (m *memory) Prove(at time.Time, p Proof) Answer {
	if !m.row.Live(at, m.epoch) {
		return Answer{Result: Gone}
	}
	m.version++
	made := None
	if p == PasswordChange {
		m.device++
		made = m.device
		m.row = m.row.CutOff(m.lifetimes, Hashes(made)[0], at)
	} else {
		m.row = m.row.Proven(m.lifetimes, []string{"password"}, at)
	}
	return Answer{Result: Granted, Generation: m.row.Generation, Device: made}
}

func (m *memory) Revoke(time.Time) {
	m.epoch++
	m.version++
}

// AnswerOf is what a server answers to a verdict.
func AnswerOf(v session.Verdict) Answer {
	switch v.Do {
	case session.Rotate, session.Repeat, session.Recover:
		return Answer{Result: Granted, Generation: v.Next.Generation}
	case session.Superseded:
		return Answer{Result: Superseded}
	case session.End:
		return Answer{Result: Reused}
	}
	return Answer{Result: Gone}
}
