package factor

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/limenauth/limen/internal/fault"
)

// Lengths of passwords in code points (standards.md D3).
const (
	MinPasswordLength = 8
	// NISTPasswordLength is the preset where the password is the only factor.
	NISTPasswordLength = 15
	MaxPasswordLength  = 256

	// No setting may refuse 64 code points (ASVS 6.2.9).
	leastMaxLength = 64
)

// The codes that Judge puts on a field.
const (
	CodeTooShort           = "too_short"
	CodeTooLong            = "too_long"
	CodeBreached           = "breached"
	CodeContainsIdentifier = "contains_identifier"
)

// A name of this many letters and digits is refused wherever it stands in a password; a
// shorter one, down to the second number, only when too little is left beside it. "anna"
// stands in "savannah", and that is no harm.
const (
	longName  = 5
	shortName = 3
)

// Rules are what a new password must meet. The zero value is the default: 8 to 256 code
// points, with no list of common passwords. A length outside what D3 allows is moved to
// the nearest one inside.
type Rules struct {
	MinLength, MaxLength int
	// Breached reports whether a password, given in NFC, is on a list of common or
	// leaked ones. nil means that there is no list.
	Breached func(password string) bool
}

// Judge refuses a new password that breaks a rule: an invalid_request whose field carries
// too_short, too_long, breached or contains_identifier, the first that applies. about is
// what the person is called: address, username, names, the name of the site.
//
// A password is counted in code points of its normal form and judged as a whole: neither
// its composition nor its age matters.
func (r Rules) Judge(field, password string, about ...string) error {
	least := min(max(r.MinLength, MinPasswordLength), leastMaxLength)
	most := MaxPasswordLength
	if r.MaxLength > 0 {
		most = min(max(r.MaxLength, leastMaxLength), MaxPasswordLength)
	}
	text := norm.NFC.String(password)
	switch length := utf8.RuneCountInString(text); {
	case length < least:
		return fault.Invalidate(field, CodeTooShort)
	case length > most: // so at most 1,024 bytes: UTF-8 takes four for a code point
		return fault.Invalidate(field, CodeTooLong)
	}
	if r.Breached != nil && r.Breached(text) {
		return fault.Invalidate(field, CodeBreached)
	}
	for _, name := range names(about) {
		if carries(text, name, least) {
			return fault.Invalidate(field, CodeContainsIdentifier)
		}
	}
	return nil
}

// names are the squeezed forms by which a password might name the person. Of an address
// the part before the @ counts by itself, without and with its +tag; the domain does not,
// since it belongs to many.
func names(about []string) []string {
	var out []string
	add := func(s string) {
		if name := squeeze(s); utf8.RuneCountInString(name) >= shortName {
			out = append(out, name)
		}
	}
	for _, s := range about {
		add(s)
		if local, _, isAddress := strings.Cut(s, "@"); isAddress {
			add(local)
			if base, _, tagged := strings.Cut(local, "+"); tagged {
				add(base)
			}
		}
	}
	return out
}

// carries reports whether the password holds name so that the name weighs in it.
func carries(password, name string, least int) bool {
	times := strings.Count(squeeze(password), name)
	if times == 0 {
		return false
	}
	length := utf8.RuneCountInString(name)
	return length >= longName || utf8.RuneCountInString(password)-times*length < least
}

// squeeze keeps letters and digits, without case and compatibility differences, so that
// "Ada.Lovelace" is found in "adalovelace1815". Nothing is stored in this form.
func squeeze(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) {
			return c
		}
		return -1
	}, norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))))
}
