package ratelimit_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/ratelimit"
)

func TestSpread(t *testing.T) {
	s := ratelimit.NewSpread(100, time.Hour)
	see := func(at time.Duration, thing, other string) bool { return s.See(noon.Add(at), thing, other, 3) }
	for i, step := range []struct {
		at           time.Duration
		thing, other string
		told         bool
	}{
		{0, "a", "1", false}, {0, "a", "2", false}, {0, "a", "2", false}, {0, "b", "3", false},
		{time.Minute, "a", "3", true},
		{time.Minute, "a", "3", false}, {time.Minute, "a", "4", false}, {30 * time.Minute, "a", "5", true}, // it counts anew
		{31 * time.Minute, "a", "1", false}, {31 * time.Minute, "a", "2", false},
		{92 * time.Minute, "a", "3", false}, {92 * time.Minute, "a", "4", false}, // forgotten meanwhile
		{-3 * time.Hour, "a", "5", false}, {-3 * time.Hour, "a", "6", false}, {-3 * time.Hour, "a", "7", true}, // a clock that was set back
	} {
		if told := see(step.at, step.thing, step.other); told != step.told {
			t.Errorf("step %d: %v, want %v", i, told, step.told)
		}
	}
}

// A flood of things that are seen once does not grow the memory and, unless it fills the
// memory before a thing is seen twice, does not hide what is seen often.
func TestSpreadIsBounded(t *testing.T) {
	s := ratelimit.NewSpread(1000, time.Hour)
	told := false
	for i := range 20 {
		told = s.See(noon, "sprayed", fmt.Sprint(i), 20) || told
		for j := range 500 {
			s.See(noon, fmt.Sprint("once ", i, j), "x", 20)
		}
	}
	if !told {
		t.Error("a flood hides what is seen often")
	}
	if n := s.Entries(); n > 1000 {
		t.Errorf("%d entries", n)
	}
	s.See(noon.Add(2*time.Hour), "later", "x", 20)
	for range 2000 {
		s.See(noon.Add(2*time.Hour), "later", "x", 20)
	}
	if n := s.Entries(); n > 1000 {
		t.Errorf("%d entries", n)
	}
}

// However many see it at once, it is told of once.
func TestSpreadAtOnce(t *testing.T) {
	s := ratelimit.NewSpread(10, time.Hour)
	var told atomic.Int64
	var all sync.WaitGroup
	for i := range 99 {
		all.Go(func() {
			if s.See(noon, "a", fmt.Sprint(i), 50) {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
}
