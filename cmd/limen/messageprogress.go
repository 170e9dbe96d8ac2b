package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress shows how far something is, on standard error: on a terminal one line that
// changes in place, elsewhere a line now and then, so that a log stays short.
type progress struct {
	out      io.Writer
	terminal bool
	last     string
	told     time.Time
}

const tellEvery = 10 * time.Second

func (x *call) progress() *progress {
	f, ok := x.err.(*os.File)
	return &progress{out: x.err, terminal: ok && isTerminal(f)}
}

func (p *progress) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		p.last = line
		return
	}
	if now := time.Now(); line != p.last && now.Sub(p.told) >= tellEvery {
		fmt.Fprintln(p.out, line)
		p.last, p.told = line, now
	}
}

const barWidth = 40

// bar shows a part of a whole. The part may outgrow a whole that was counted earlier.
func (p *progress) bar(part, whole int) {
	share := 1.0
	if whole > 0 {
		share = min(1, max(0, float64(part)/float64(whole)))
	}
	if !p.terminal {
		p.say("%d of %d letters left the outbox", part, whole)
		return
	}
	full := int(share * barWidth)
	p.say("[%s%s] %3.0f %%  %d of %d", strings.Repeat("#", full), strings.Repeat("-", barWidth-full), 100*share, part, whole)
}

// done leaves what was shown.
func (p *progress) done() {
	if p.terminal && p.last != "" {
		fmt.Fprintln(p.out)
	}
	p.last = ""
}
