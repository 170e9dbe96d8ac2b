package letters

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of what others have chosen stands in a letter, in characters.
const (
	maxApp   = 64
	maxFact  = 160
	maxGiven = 100
)

// maxMarks is how many marks may stand on one letter: towers of them cover other lines.
const maxMarks = 3

// foreign makes one short line of a text that somebody else has chosen. What nobody sees
// is dropped, and what turns the direction of writing: it would make one text look like
// another. Joiners stay where scripts need them.
func foreign(s string, most int) string {
	var b strings.Builder
	count, marks, last := 0, 0, ' '
	for _, c := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case unicode.IsSpace(c), unicode.IsControl(c), unicode.Is(unicode.Zs, c), c == '\u2028', c == '\u2029':
			if last == ' ' {
				continue
			}
			c = ' '
		case c == '\u200c' || c == '\u200d':
			if last < '\u0300' || last == c {
				continue // between Latin letters it only deceives
			}
		case unseen(c):
			continue
		}
		if unicode.Is(unicode.M, c) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		if count++; count > most {
			return strings.TrimSpace(b.String()) + "…"
		}
		b.WriteRune(c)
		last = c
	}
	return strings.TrimSpace(b.String())
}

// unseen are characters that take no ink: of format, fillers, tags and selectors.
func unseen(c rune) bool {
	switch c {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u180b', '\u180c', '\u180d', '\u180e', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Co, c) || unicode.Is(unicode.Bidi_Control, c) || c >= 0xe0000 && c <= 0xe0fff ||
		c == utf8.RuneError
}

// linkable is where mail programs see an address in plain text: before the name of a
// domain's end, and before slashes.
var linkable = regexp.MustCompile(`[.。．｡]\pL|[:：]\s*[/\\]|[/\\]{2}|@`)

// unlinked keeps mail programs from making a link of a text that somebody else has
// chosen: "evil.example" comes out as "evil. example". Numbers of versions and networks
// stay as they are.
func unlinked(s string) string {
	for range 2 { // what comes to stand behind a blank may have hidden another one
		s = linkable.ReplaceAllStringFunc(s, func(found string) string {
			_, n := utf8.DecodeRuneInString(found)
			return found[:n] + " " + strings.TrimLeft(found[n:], " \t")
		})
	}
	return s
}

// plainName is a name that its owner chose, as a letter shows it.
func plainName(s string) string { return foreign(unlinked(foreign(s, maxGiven)), maxGiven) }
