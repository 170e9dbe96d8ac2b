// Package breach knows common and leaked passwords, without asking anybody.
//
// A compact filter of the about 49,000 most common passwords is built into the binary
// (ASVS 6.2.4 asks for the top 3,000 that match the length rule; about 18,000 of these
// have 8 characters or more). Operators may add longer lists by file: one password or one
// SHA-1 hash per line, also in the form in which Have I Been Pwned publishes them
// (LoadFile). No password and no part of its hash ever leaves the process.
//
// # What is compared
//
// The whole password (NIST SP 800-63B-4 section 3.1.1.2: not "substrings or words that
// might be contained therein"), without regard to case: "PaSsWoRd" is no better than
// "password". The built-in list stands for a little more than its entries:
//
//   - runs along the alphabet, the digits or a keyboard, and repetitions of up to three
//     characters or of something common ("87654321", "abababab", "testtest"). The source
//     leaves these out of the list, because its own estimator finds them by rule;
//   - such a text with one of fifteen endings ("1", "123", "!", "123!", ...) or a year
//     ("2024", "2024!"). That is what composition rules have taught people to write and
//     what every guessing tool tries next.
//
// This is the same as a longer list that spells all of them out. Nothing else is undone,
// no swapped letters and no stripping in general: each further step refuses passwords that
// nobody would guess. A file is compared without these rules; it is long, and holds its
// variants itself.
//
// The caller passes text in NFC and judges the length before: shorter passwords than the
// rule allows are not worth looking up.
//
// # The filter
//
// A Bloom filter: 32 bits and 22 probes per entry. It never misses an entry. It names a
// password that is on no list with a chance of 2 in 10 million per comparison, of which
// one password takes four as a rule: under one in a million in all. The person is then
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
	folded    kinds = 1 << iota // text, in lower case
	hashed                      // hashes, of text in whatever case
	dressable                   // text that is refused in its common dresses, too
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
	if f.kinds&dressable != 0 {
		return f.common(lower) || f.dressed(lower)
	}
	return f.has(sha1.Sum([]byte(lower))) ||
		f.kinds&hashed != 0 && password != lower && f.has(sha1.Sum([]byte(password)))
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
