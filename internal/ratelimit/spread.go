package ratelimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/secret"
)

// Spread tells when one thing is seen with many different others: a wrong password that is
// tried for many people. It refuses nothing.
//
// It knows what it saw by a keyed hash of 64 bits, whose key is made for this process and
// is nowhere else. Nothing is written to disk, an entry is forgotten a Window after it was
// seen last, and there are never more than a set number of entries. A full Spread forgets,
// of a few entries, the one that was seen with the fewest others: to hide what is seen often,
// a flood of things that are seen once must fill it each time before that is seen twice.
//
// It is safe for concurrent use. Each process counts for itself.
type Spread struct {
	// Window is for how long something is remembered after it was seen last.
	Window time.Duration

	key  []byte
	most int

	mu      sync.Mutex // guards what follows
	entries map[uint64]*spreading
}

// spreading is one thing with those it was seen with since it was told of last.
type spreading struct {
	last   time.Time
	others []uint64
}

// NewSpread returns a Spread of at most that many entries.
func NewSpread(most int, window time.Duration) *Spread {
	return &Spread{Window: window, key: secret.Bytes(32), most: max(most, 1), entries: map[uint64]*spreading{}}
}

// See notes that a thing was seen with another. It reports true with every many-th
// different one, at which it begins to count anew.
func (s *Spread) See(now time.Time, thing, other string, many int) bool {
	id, member := s.hash("thing", thing), s.hash("other", other)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e != nil && s.over(e, now) {
		e = nil
	}
	if e == nil {
		s.makeRoom(now)
		e = &spreading{}
		s.entries[id] = e
	}
	e.last = now
	if slices.Contains(e.others, member) {
		return false
	}
	if e.others = append(e.others, member); len(e.others) < many {
		return false
	}
	e.others = nil
	return true
}

// over also holds after a clock was set back.
func (s *Spread) over(e *spreading, now time.Time) bool {
	return now.Sub(e.last).Abs() > s.Window
}

// looked is among how many entries the one to forget is chosen.
const looked = 16

// makeRoom forgets an entry if there are too many. The order of a map is random.
func (s *Spread) makeRoom(now time.Time) {
	if len(s.entries) < s.most {
		return
	}
	var least uint64
	fewest, seen := int(^uint(0)>>1), 0
	for id, e := range s.entries {
		if s.over(e, now) {
			delete(s.entries, id)
			least, fewest = 0, 0
		} else if len(e.others) < fewest {
			least, fewest = id, len(e.others)
		}
		if seen++; seen == looked {
			break
		}
	}
	if len(s.entries) >= s.most {
		delete(s.entries, least)
	}
}

func (s *Spread) hash(kind, text string) uint64 {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(kind + "\x00" + text))
	return binary.BigEndian.Uint64(mac.Sum(nil))
}
