package factor

import "unicode"

// isSpacing reports whether c is something people and mail programs put between digits.
func isSpacing(c rune) bool {
	return unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) || unicode.Is(unicode.Cf, c)
}

// decimal returns the value of a decimal digit of any script, or -1. Unicode keeps the
// digits 0 to 9 of a script together and in order, in class Nd.
func decimal(c rune) int {
	if c >= '0' && c <= '9' {
		return int(c - '0')
	}
	if !unicode.Is(unicode.Nd, c) {
		return -1
	}
	for _, r := range unicode.Nd.R16 {
		if rune(r.Lo) <= c && c <= rune(r.Hi) {
			return int(c-rune(r.Lo)) % 10
		}
	}
	for _, r := range unicode.Nd.R32 {
		if rune(r.Lo) <= c && c <= rune(r.Hi) {
			return int(c-rune(r.Lo)) % 10
		}
	}
	return -1
}
