package factor

import (
	"slices"
	"time"
)

const (
	calibrateMaxMemoryKiB = 64 << 10
	calibrateRounds       = 4
	calibrateSamples      = 3
)

// Calibrate returns argon2id settings whose hash costs about target on one idle core of
// this machine, never below DefaultHashing. It raises memory first, to 64 MiB, since
// memory is what a graphics card lacks, and then the passes. It hashes a dozen times and
// reads now around each, so call it from a command, not from a server under load.
func Calibrate(target time.Duration, now func() time.Time) Hashing {
	h := DefaultHashing()
	floor := float64(h.MemoryKiB) * float64(h.Time)
	work := floor
	for range calibrateRounds {
		cost := measure(h, now)
		if cost <= 0 {
			return DefaultHashing() // a clock that stands still measures nothing
		}
		if near(cost, target) || (work <= floor && cost >= target) {
			break
		}
		work = max(floor, work*float64(target)/float64(cost))
		h = withWork(work)
	}
	return h
}

// withWork spreads work, in KiB times passes, over memory and time.
func withWork(work float64) Hashing {
	h := DefaultHashing()
	h.MemoryKiB = uint32(min(work/2, calibrateMaxMemoryKiB))
	h.MemoryKiB = max(h.MemoryKiB/1024*1024, MinMemoryTwoPassesKiB)
	h.Time = uint32(min(max(work/float64(h.MemoryKiB)+0.5, 2), maxArgonTime))
	return h
}

func near(cost, target time.Duration) bool {
	return cost > target*9/10 && cost < target*11/10
}

// measure returns the middle one of a few hashes: the first pays for memory that is not
// mapped yet, and another process may slow one down.
func measure(h Hashing, now func() time.Time) time.Duration {
	samples := make([]time.Duration, calibrateSamples)
	salt := make([]byte, saltBytes)
	for i := range samples {
		start := now()
		h.argon().tag([]byte("calibration"), salt, tagBytes)
		samples[i] = now().Sub(start)
	}
	slices.Sort(samples)
	return samples[calibrateSamples/2]
}
