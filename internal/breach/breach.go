// Package breach knows common and leaked passwords, without asking anybody.
//
// A compact filter of the about 49,000 most common passwords is built into the binary
// (ASVS 6.2.4 asks for the top 3,000 that match the length rule; 17,950 of these have 8
// characters or more). Operators may add longer lists by file: one password or one SHA-1
// hash per line, also in the form in which Have I Been Pwned publishes them (LoadFile).
// No password and no part of its hash ever leaves the process.
//
// # What is compared
//
// The whole password (NIST SP 800-63B-4 section 3.1.1.2: "not substrings or words that
// might be contained therein"), without regard to case: "PaSsWoRd" is no better than
// "password". Against the built-in list also the commonest ways to dress up such a word:
// one of a dozen endings ("1", "123", "!", "123!", ...) or a year ("2024", "2024!"). That
// is the same as a longer list which spells these out, and they are the first guesses of
// every tool, since composition rules taught people to write them. Nothing else is
// undone: no swapped letters, no repetition, no stripping in general, for each further
// step refuses passwords that nobody would guess. A file is compared without endings; it
// is long and holds its variants itself.
//
// The caller passes text in NFC and judges the length before: shorter passwords than the
// rule allows are not worth looking up.
//
// # The filter
//
// A Bloom filter: 32 bits and 22 probes per entry. It never misses an entry. It names a
// password that is on no list with a chance of 2 in 10 million per comparison, of which
// one password takes four at most: under one in a million in all. The person is then
// asked for another password, which is no harm. The probes come from SHA-1, because the
// published lists are SHA-1; nothing here depends on it being hard to invert or collide.
//
// Limits. A list is a floor, not a measure of strength. Lists are read once, at start; at
// most MaxEntries of a file are held, the most frequent ones if the file counts them.
//
// Threats. A hostile file: lines, counts and headers are bounded, and memory is fixed
// before it is filled. The filter reveals the list it was made of to anybody who has the
// binary; the list is public (SOURCES.md).
package breach

import (
	"crypto/sha1" // the form of the published lists; see the package comment
	_ "embed"
	"strings"
)

//go:generate go run ./gen -in $LIMEN_PASSWORD_LIST -out common.filter

//go:embed common.filter
var common []byte

// minStem is the shortest word whose dressed-up forms are refused.
const minStem = 4

// Filter is a set of passwords. It is never changed once made, and safe for concurrent
// use. A nil Filter holds nothing.
type Filter struct {
	bits    []byte
	size    uint64 // in bits
	entries uint64
	dropped uint64
	kinds   kinds
}

// kinds says what a filter was made of.
type kinds uint8

const (
	folded  kinds = 1 << iota // text, in lower case
	hashed                    // hashes, of text in whatever case
	dressed                   // text whose common endings count too
)

// Builtin returns the filter of common passwords that is part of the binary.
func Builtin() *Filter {
	f, err := read(common)
	if err != nil {
		panic("breach: the built-in filter: " + err.Error()) // it is part of this program
	}
	return f
}

// Contains reports whether password, given in NFC, is on the list. It is wrong about one
// password in a million that is not.
func (f *Filter) Contains(password string) bool {
	if f == nil || f.size == 0 {
		return false
	}
	lower := strings.ToLower(password)
	if f.has(sha1.Sum([]byte(lower))) {
		return true
	}
	if f.kinds&hashed != 0 && password != lower && f.has(sha1.Sum([]byte(password))) {
		return true
	}
	if f.kinds&dressed == 0 {
		return false
	}
	for _, ending := range endings(lower) {
		if stem := lower[:len(lower)-len(ending)]; len(stem) >= minStem && f.has(sha1.Sum([]byte(stem))) {
			return true
		}
	}
	return false
}

// Any returns a test for passwords that are on one of the lists. Lists may be nil.
func Any(filters ...*Filter) func(password string) bool {
	return func(password string) bool {
		for _, f := range filters {
			if f.Contains(password) {
				return true
			}
		}
		return false
	}
}

// endings returns those endings of a password that say nothing about it.
func endings(lower string) []string {
	var out []string
	for _, e := range [...]string{"1", "2", "12", "123", "1234", "!", "1!", "12!", "123!", "@1", "@123", "#1"} {
		if strings.HasSuffix(lower, e) {
			out = append(out, e)
		}
	}
	for _, mark := range [...]string{"", "!"} {
		rest, marked := strings.CutSuffix(lower, mark)
		if n := len(rest) - 4; marked && n >= 0 && isYear(rest[n:]) {
			out = append(out, lower[n:])
		}
	}
	return out
}

// isYear reports whether s is a year that a living person may have written for a birth or
// for today: 1950 to 2039.
func isYear(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 4 && "1950" <= s && s <= "2039"
}
