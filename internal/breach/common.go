package breach

import (
	"crypto/sha1"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// minStem is the shortest text, in characters, whose dressed-up forms are refused.
	minStem = 4
	// shortUnit is the longest text that is refused for being repeated, whatever it is.
	shortUnit = 3
)

// common reports whether text, in lower case, is what the built-in list stands for: an
// entry, a run, or a repetition. Runs and repetitions are left out of the list by those
// who made it, because their own estimator finds them by rule, as this does.
func (f *Filter) common(text string) bool {
	return f.has(sha1.Sum([]byte(text))) || isRun(text) || f.repeats(text)
}

// dressed reports whether text is such a word with a common ending.
func (f *Filter) dressed(text string) bool {
	for _, ending := range endings(text) {
		stem := text[:len(text)-len(ending)]
		if utf8.RuneCountInString(stem) >= minStem && f.common(stem) {
			return true
		}
	}
	return false
}

// endings returns those endings of a text that add nothing to it.
func endings(text string) []string {
	var out []string
	for _, e := range [...]string{"1", "2", "12", "123", "1234", "12345", "123456", "!", "1!", "12!", "123!", "1234!", "@1", "@123", "#1"} {
		if strings.HasSuffix(text, e) {
			out = append(out, e)
		}
	}
	rest := strings.TrimSuffix(text, "!")
	if n := len(rest) - 4; n >= 0 && isYear(rest[n:]) {
		out = append(out, text[n:])
	}
	return out
}

// isYear reports whether s is a year that people write for a birth or for today: 1950 to
// 2039.
func isYear(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 4 && "1950" <= s && s <= "2039"
}

// isRun reports whether text runs along the alphabet, the digits or the keys of a
// keyboard, in either direction.
func isRun(text string) bool {
	return utf8.RuneCountInString(text) >= minStem && strings.Contains(walks(), text)
}

// walks returns all ways to run, there and back, each twice over so that it may begin
// anywhere, and apart from the next.
var walks = sync.OnceValue(func() string {
	const apart = "\xff" // no byte of UTF-8, so no text runs across it
	var all strings.Builder
	for _, walk := range [...]string{
		"abcdefghijklmnopqrstuvwxyz",
		"1234567890",
		"qwertyuiopasdfghjklzxcvbnm", "qwertyuiop[]asdfghjkl;'zxcvbnm,./", // rows
		"qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn",
		"qazwsxedcrfvtgbyhnujmikolp", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", // columns
		"1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "a1b2c3d4e5f6g7h8i9j0", "1a2b3c4d5e6f7g8h9i0j",
		"!@#$%^&*()_+", "!\"£$%^&*()_+", "!\"§$%&/()=?",
		"йцукенгшщзхъфывапролджэячсмитьбю", "абвгдежзийклмнопрстуфхцчшщъыьэюя",
		"ضصثقفغعهخحجدشسيبلاتنمكطئءؤرلاىةوزظ", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
	} {
		keys := []rune(walk)
		all.WriteString(walk + walk + apart)
		slices.Reverse(keys)
		all.WriteString(string(keys) + string(keys) + apart)
	}
	return all.String()
})

// repeats reports whether text is one shorter text again and again, the last time perhaps
// not to its end: one of up to three characters, or one that is common itself.
func (f *Filter) repeats(text string) bool {
	for size := 1; size <= len(text)/2; size++ {
		if text[size:] != text[:len(text)-size] {
			continue
		}
		unit := text[:size]
		if utf8.RuneCountInString(unit) <= shortUnit {
			return true
		}
		return f.has(sha1.Sum([]byte(unit))) || isRun(unit)
	}
	return false
}
