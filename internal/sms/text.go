package sms

import (
	"net"
	"sort"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxSegments is how many segments a message may have: each is paid for.
const maxSegments = 2

// gsm is the default alphabet of GSM 03.38 (3GPP TS 23.038 section 6.2.1) with the length
// of each character: those of its extension take an escape and one more.
var gsm = func() map[rune]int {
	widths := map[rune]int{}
	for _, r := range "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡" +
		"ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà" {
		widths[r] = 1
	}
	for _, r := range "\f^{}\\[~]|€" {
		widths[r] = 2
	}
	return widths
}()

// Segments counts what a text is billed as: segments of 160 characters of the GSM
// alphabet (153 where there are several), or of 70 UTF-16 units (67) if a single character
// is outside it. The empty text is one segment.
func Segments(text string) (n int, unicode bool) {
	for _, r := range text {
		if gsm[r] == 0 {
			unicode = true
			break
		}
	}
	one, part, width := 160, 153, gsmWidth
	if unicode {
		one, part, width = 70, 67, ucs2Width
	}
	total := 0
	for _, r := range text {
		total += width(r)
	}
	if total <= one {
		return 1, unicode
	}
	// No character is torn between two segments: an escape stays with what it escapes, a
	// high surrogate with its low one.
	n, used := 1, 0
	for _, r := range text {
		w := width(r)
		if used+w > part {
			n, used = n+1, 0
		}
		used += w
	}
	return n, unicode
}

func gsmWidth(r rune) int { return gsm[r] }

func ucs2Width(r rune) int { return max(1, utf16.RuneLen(r)) }

// plainer writes what typographers write with characters that GSM has.
var plainer = strings.NewReplacer("’", "'", "‘", "'", "“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`,
	"–", "-", "—", "-", "\u2011", "-", "…", "...", "\u00a0", " ", "\u202f", " ")

// Body is a text message with a code: the text in one line, and below it the line by which
// browsers tell whom the code is for, "@host #123456" (the origin-bound format of WebOTP:
// the domain without a port, the last line, nothing behind it). The text loses control
// characters and what changes its direction, and is cut to what fits into two segments
// together with the line; the line is never cut.
func Body(text, host, code string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	line := "@" + strings.ToLower(clean(host)) + " #" + clean(code)
	text = clean(text)
	if _, wide := Segments(text); wide {
		if plain := plainer.Replace(text); !wideText(plain) {
			text = plain
		}
	}
	whole := func(text string) string {
		if text == "" {
			return line
		}
		return text + "\n" + line
	}
	if body := whole(text); fits(body) {
		return body
	}
	runes := []rune(text)
	runes = runes[:min(len(runes), maxSegments*160)]
	cut := func(n int) string { return whole(strings.TrimRight(string(runes[:n]), " ") + "...") }
	n := sort.Search(len(runes), func(n int) bool { return !fits(cut(n)) }) - 1 // a part of what fits, fits
	for ; n > 0; n-- {
		if n < len(runes) && (unicode.IsMark(runes[n]) || runes[n] == '\u200d') || runes[n-1] == '\u200d' {
			continue // it belongs to what stands before it
		}
		return cut(n)
	}
	return line
}

func wideText(s string) bool { _, wide := Segments(s); return wide }

func fits(s string) bool { n, _ := Segments(s); return n <= maxSegments }

// clean leaves one line of valid text: every run of spaces, line breaks and controls is
// one space, and marks that turn the direction around are gone.
func clean(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case r == utf8.RuneError, r == '\u061c' || r == '\u200e' || r == '\u200f',
			'\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069':
		case r == ' ' || unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			space = true
		default:
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Spoken writes a code so that a voice reads its digits one by one, with a pause between.
func Spoken(code string) string {
	return strings.Join(strings.Split(clean(code), ""), ", ")
}
