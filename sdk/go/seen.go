package limenauth

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync/atomic"
	"time"
)

const (
	seenDefault = 1 << 16
	seenMax     = 1 << 22
	seenWays    = 4
)

// An entry is a token whose signature and claims were found good once. What time and
// events can change is not in it: expiry, retired keys and ended sessions are asked
// again at every use.
type entry struct {
	token string
	hash  uint64
	key   *key

	issued, notBefore, expires int64 // Unix seconds; notBefore is 0 when the token has none
	person                     Person
}

// A seen remembers verified tokens: a fixed number of slots in sets of four, each an
// atomic pointer. Readers take no lock and write nothing shared, so cores do not
// disturb each other.
//
// A hit demands the whole token, byte for byte: the hash only chooses where to look,
// so no collision can answer one person's request with another person's name.
type seen struct {
	seed  maphash.Seed
	mask  uint64
	slots []atomic.Pointer[entry]
}

// newSeen makes room for at least n tokens; 0 remembers nothing.
func newSeen(n int) *seen {
	s := &seen{seed: maphash.MakeSeed()}
	if n <= 0 {
		return s
	}
	sets := uint64(1) << bits.Len(uint(n-1)/seenWays)
	s.mask = sets - 1
	s.slots = make([]atomic.Pointer[entry], sets*seenWays)
	return s
}

func (s *seen) hash(token string) uint64 { return maphash.String(s.seed, token) }

func (s *seen) set(hash uint64) []atomic.Pointer[entry] {
	if len(s.slots) == 0 {
		return nil
	}
	from := (hash & s.mask) * seenWays
	return s.slots[from : from+seenWays]
}

func (s *seen) find(token string, hash uint64) *entry {
	set := s.set(hash)
	for i := range set {
		e := set[i].Load()
		if e != nil && e.hash == hash && e.token == token {
			return e
		}
	}
	return nil
}

// keep stores e in place of the least useful entry of its set: an empty slot, an
// older copy of itself, a dead one, or else the one that expires first.
func (s *seen) keep(e *entry, now time.Time) {
	set := s.set(e.hash)
	if set == nil {
		return
	}
	victim, worth := 0, int64(1<<62)
	for i := range set {
		old := set[i].Load()
		w := int64(-1)
		switch {
		case old == nil, old.token == e.token:
			w = -2
		case old.expires > now.Unix() && !old.key.retired.Load():
			w = old.expires
		}
		if w < worth {
			victim, worth = i, w
		}
	}
	// The token may be a part of a longer header; only its own bytes are kept.
	e.token = strings.Clone(e.token)
	set[victim].Store(e)
}
