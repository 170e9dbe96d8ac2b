package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold is NFKC and full case folding, repeated until nothing changes: nothing promises
// that one pass is enough, and a key must fold to itself. Full case
// folding has no language: dotless i stays dotless i (the Turkish rules are status T in
// CaseFolding.txt and not used).
func fold(s string) string {
	for range 8 { // one pass has been enough for every string we have met; eight end the argument
		next := norm.NFKC.String(strings.Map(cherokee, cases.Fold().String(norm.NFKC.String(s))))
		if next == s {
			return s
		}
		s = next
	}
	return s
}

// cherokee folds the small letters of Cherokee, which fold to the older capitals
// (CaseFolding.txt, U+13F8 and U+AB70) and which x/text leaves alone.
func cherokee(r rune) rune {
	switch {
	case 0xab70 <= r && r <= 0xabbf:
		return r - 0xab70 + 0x13a0
	case 0x13f8 <= r && r <= 0x13fd:
		return r - 8
	}
	return r
}

// seen reports whether r is an assigned character that leaves a mark on the page by
// itself or on its neighbour. It refuses spaces, controls, bidirectional and other
// format characters, private use, surrogates and what Unicode has not assigned yet.
func seen(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' < r && r < 0x7f
	}
	return unicode.IsPrint(r) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
