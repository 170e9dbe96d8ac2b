package app

import (
	"sync/atomic"
	"time"
)

// Clock is the one clock of a running limen. Only development and tests move it.
type Clock interface {
	// Now returns the time in UTC.
	Now() time.Time
	// Offset is how far the clock stands from the machine's.
	Offset() time.Duration
	// Advance moves the clock.
	Advance(time.Duration)
	// Set moves the clock to an instant; the zero time sets it back to the machine's.
	Set(time.Time)
}

// MachineClock is the machine's clock, moved by an offset. The zero value is the
// machine's own time.
type MachineClock struct{ offset atomic.Int64 }

// Now returns the time in UTC.
func (c *MachineClock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())).UTC() }

// Offset is how far the clock stands from the machine's.
func (c *MachineClock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Advance moves the clock.
func (c *MachineClock) Advance(d time.Duration) { c.offset.Add(int64(d)) }

// Set moves the clock to an instant, or back to the machine's.
func (c *MachineClock) Set(t time.Time) {
	if t.IsZero() {
		c.offset.Store(0)
		return
	}
	c.offset.Store(int64(time.Until(t)))
}
