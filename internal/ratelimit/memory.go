package ratelimit

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

const shards = 64

// Memory counts in this process. It is safe for concurrent use, and holds at most maxKeys
// keys and one more per rate and shard; see the package comment for what happens then.
type Memory struct {
	perShard int
	shards   [shards]shard
}

type shard struct {
	mu  sync.Mutex // guards what follows; held for the arithmetic of one take
	due map[key]state
	// sweepAt is when the next key may owe nothing: before it a sweep finds nothing.
	sweepAt int64
	// longest is the highest debt that any key may have.
	longest int64
}

// NewMemory returns a counter of about maxKeys keys, 64 at least. A key takes about 80
// bytes.
func NewMemory(maxKeys int) *Memory {
	m := &Memory{perShard: max(maxKeys/shards, 1)}
	for i := range m.shards {
		m.shards[i].due = map[key]state{}
	}
	return m
}

// Take implements Counter. It never fails, except with ErrRate.
func (m *Memory) Take(_ context.Context, now time.Time, needs ...Need) (Decision, error) {
	cs, err := charges(needs)
	if err != nil {
		return Decision{}, err
	}
	at := now.UnixMicro()
	for i := range cs {
		cs[i].shard = cs[i].key[0] % shards
	}
	defer m.lock(cs)()
	v, all := newVerdict(len(cs)), make([]judged, len(cs))
	for i := range cs {
		c := &cs[i]
		s := &m.shards[c.shard]
		stored, known := s.due[c.key]
		if !known && !s.hasRoom(m.perShard, at) {
			c.key = hashKey(c.name, "\x00strangers")
			stored = s.due[c.key]
		}
		// The same key may come twice in one take.
		for j := range i {
			if cs[j].key == c.key && cs[j].shard == c.shard && all[j].wait == 0 {
				stored = all[j].after
			}
		}
		all[i] = c.judge(stored, at)
		v.add(*c, all[i])
		s.longest = max(s.longest, c.ahead())
	}
	for i, c := range cs {
		switch {
		case v.wait == 0 && all[i].wait == 0:
			m.shards[c.shard].set(c.key, all[i].after, at)
		case all[i].setBack != nil:
			m.shards[c.shard].set(c.key, all[i].setBack, at)
		}
	}
	return v.decision(at), nil
}

// GiveBack implements Counter. It never fails.
func (m *Memory) GiveBack(_ context.Context, now time.Time, d Decision) error {
	defer m.lock(d.charges)()
	at := now.UnixMicro()
	for _, c := range d.charges {
		s := &m.shards[c.shard]
		if stored, known := s.due[c.key]; known {
			s.set(c.key, c.giveBack(stored, d.at, at), at)
		}
	}
	return nil
}

// Keys returns how many keys are held, for metrics.
func (m *Memory) Keys() int {
	n := 0
	for i := range m.shards {
		m.shards[i].mu.Lock()
		n += len(m.shards[i].due)
		m.shards[i].mu.Unlock()
	}
	return n
}

// lock locks the shards of all charges, always in the same order so that no two takes
// wait for each other, and returns what unlocks them.
func (m *Memory) lock(cs []charge) (unlock func()) {
	var held []uint8
	for _, c := range cs {
		held = append(held, c.shard)
	}
	slices.Sort(held)
	held = slices.Compact(held)
	for _, i := range held {
		m.shards[i].mu.Lock()
	}
	return func() {
		for _, i := range held {
			m.shards[i].mu.Unlock()
		}
	}
}

// set stores when a key's debt ends. A key that owes nothing need not be remembered.
func (s *shard) set(k key, to state, now int64) {
	if to[0] <= now {
		delete(s.due, k)
		return
	}
	s.due[k] = to
	s.sweepAt = min(s.sweepAt, to[0])
}

// hasRoom reports whether one more key fits, after forgetting those that owe nothing.
func (s *shard) hasRoom(most int, now int64) bool {
	if len(s.due) < most {
		return true
	}
	if now < s.sweepAt && s.sweepAt <= now+s.longest+outOfOrder {
		return false
	}
	s.sweepAt = math.MaxInt64
	for k, owes := range s.due {
		if owes[0] <= now {
			delete(s.due, k)
			continue
		}
		if owes[0] > now+s.longest+outOfOrder { // a clock was set back
			owes[0] = now + s.longest
			for i, at := range owes[1:] {
				owes[1+i] = min(at, now)
			}
		}
		s.sweepAt = min(s.sweepAt, owes[0])
	}
	return len(s.due) < most
}
