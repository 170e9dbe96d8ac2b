package limenauth

import (
	"hash/maphash"
	"maps"
	"sync/atomic"
	"time"
)

const (
	revokedShards = 128
	revokedMax    = 100_000 // sessions, persons and keys together; about 150 bytes each
)

// A mark says until when a refusal counts and, for a person, which tokens it covers:
// those issued at or before at.
type mark struct {
	at    time.Time
	until time.Time
}

// A shelf maps ids to marks. One goroutine writes; any number read without a lock,
// because a shard's map is never changed but replaced.
type shelf struct {
	seed   maphash.Seed
	count  atomic.Int64
	shards [revokedShards]atomic.Pointer[map[string]mark]
}

func newShelf() *shelf { return &shelf{seed: maphash.MakeSeed()} }

func (s *shelf) shard(id string) int {
	return int(maphash.String(s.seed, id) % revokedShards)
}

func (s *shelf) find(id string) (mark, bool) {
	if s.count.Load() == 0 {
		return mark{}, false
	}
	m := s.shards[s.shard(id)].Load()
	if m == nil {
		return mark{}, false
	}
	found, ok := (*m)[id]
	return found, ok
}

// grown is the number of ids the shelf would hold with marks on it.
func (s *shelf) grown(marks map[string]mark) int {
	n := int(s.count.Load())
	for id := range marks {
		if _, known := s.find(id); !known {
			n++
		}
	}
	return n
}

// put merges marks in. Of two marks for one id the later times count, so the order and
// the number of deliveries do not matter.
func (s *shelf) put(marks map[string]mark) {
	var byShard [revokedShards]map[string]mark
	for id, m := range marks {
		old, known := s.find(id)
		if known && !m.at.After(old.at) && !m.until.After(old.until) {
			continue
		}
		if known {
			m = mark{at: later(m.at, old.at), until: later(m.until, old.until)}
		}
		i := s.shard(id)
		if byShard[i] == nil {
			byShard[i] = map[string]mark{}
		}
		byShard[i][id] = m
	}
	for i, added := range byShard {
		if added != nil {
			s.replace(i, func(m map[string]mark) { maps.Copy(m, added) })
		}
	}
}

// forget drops the marks whose tokens have all expired.
func (s *shelf) forget(now time.Time) {
	dead := func(_ string, m mark) bool { return !now.Before(m.until) }
	for i := range s.shards {
		m := s.shards[i].Load()
		if m == nil {
			continue
		}
		for id, found := range *m {
			if dead(id, found) {
				s.replace(i, func(m map[string]mark) { maps.DeleteFunc(m, dead) })
				break
			}
		}
	}
}

func (s *shelf) replace(i int, change func(map[string]mark)) {
	next := map[string]mark{}
	if old := s.shards[i].Load(); old != nil {
		next = maps.Clone(*old)
	}
	before := len(next)
	change(next)
	// Count before publishing: a reader that sees 0 must not miss what is there.
	s.count.Add(int64(len(next) - before))
	s.shards[i].Store(&next)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
