package pages

import (
	"fmt"
	"html/template"
	"time"
)

const day = 24 * time.Hour

// months are the catalogue's names for them.
var months = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// Date writes a day, such as "12 March 2026".
func (p Page) Date(t time.Time) string {
	t = t.UTC()
	number := fmt.Sprint(t.Day())
	if t.Day() == 1 {
		number = p.T.Text("time.first") // French: 1er
	}
	return p.T.Text("time.date", "day", number, "year", t.Year(),
		"month", p.T.Text("time.month."+months[t.Month()-1]))
}

// Full writes a moment to the minute, in UTC: the page works without a script, so it
// cannot know the reader's clock.
func (p Page) Full(t time.Time) string {
	return p.T.Text("time.full", "date", p.Date(t), "clock", t.UTC().Format("15:04"))
}

// Ago writes a moment as distance from now where it is near, as a day where it is far,
// inside a <time> that carries the exact moment.
func (p Page) Ago(t time.Time) template.HTML {
	words := p.Date(t)
	switch past := p.Now.Sub(t); {
	case past < time.Minute: // or ahead of us: another machine's clock
		words = p.T.Text("time.now")
	case past < time.Hour:
		words = p.T.Text("time.minutes", "n", int(past/time.Minute))
	case past < day:
		words = p.T.Text("time.hours", "n", int(past/time.Hour))
	case past < 7*day:
		words = p.T.Text("time.days", "n", int(past/day))
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		t.UTC().Format(time.RFC3339), template.HTMLEscapeString(p.Full(t)), template.HTMLEscapeString(words)))
}

// minutes rounds up, so that a page never promises less than it gives and never zero.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

// countdown writes a short wait as 0:30, in an element that the script counts down.
func countdown(d time.Duration) template.HTML {
	s := int((d + time.Second - 1) / time.Second)
	return template.HTML(fmt.Sprintf(`<span data-left="%d">%d:%02d</span>`, s, s/60, s%60))
}
