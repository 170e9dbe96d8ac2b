package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"

	"github.com/limenauth/limen/internal/fault"
)

// The limits of RFC 5321 section 4.5.3.1 (a path of 256 includes its angle brackets).
const (
	maxAddress   = 254
	maxLocal     = 64
	maxUntouched = 4 * maxAddress // what is looked at before normalisation, which may shrink it
)

// Address is an e-mail address. Text is what is shown and written to, Key what is
// compared; Key is ASCII after the @ and parses to itself.
type Address struct{ Text, Key string }

// ParseAddress reads one bare address. Outer spaces are forgiven, as browsers do; nothing
// else is. The local part of Text is what was written, in NFC; so is an ASCII domain,
// while any other domain is written in its mapped Unicode form, because the raw one
// ("example。com") cannot be delivered to. It refuses with invalid_request, field email:
// "required", "too_long" or "invalid".
func ParseAddress(s string) (Address, error) {
	a, code := parseAddress(s)
	if code != "" {
		return Address{}, fault.Invalidate("email", code)
	}
	return a, nil
}

func parseAddress(s string) (a Address, code string) {
	s = strings.Trim(s, " ")
	switch {
	case s == "":
		return a, "required"
	case len(s) > maxUntouched:
		return a, "too_long"
	case !utf8.ValidString(s) || strings.Count(s, "@") != 1:
		return a, "invalid"
	}
	local, domain, _ := strings.Cut(norm.NFC.String(s), "@")
	if len(local) > maxLocal {
		return a, "too_long"
	}
	localKey := fold(local)
	if !dotAtom(local) || !dotAtom(localKey) {
		return a, "invalid"
	}
	domain, domainKey, ok := parseDomain(domain)
	if !ok {
		return a, "invalid"
	}
	a = Address{Text: local + "@" + domain, Key: localKey + "@" + domainKey}
	if len(localKey) > maxLocal || len(a.Text) > maxAddress || len(a.Key) > maxAddress {
		return Address{}, "too_long"
	}
	return a, ""
}

// dotAtom is RFC 5322 section 3.2.3 with RFC 6531 section 3.3: atoms of visible
// characters joined by single dots, without the quoted form. The folded local part is
// checked too, since folding makes an @ out of U+FF20 and a comma out of U+FF0C. "=?"
// begins an encoded word (RFC 2047): a mail program on the way may decode it into
// another address.
func dotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") || strings.Contains(s, "=?") {
		return false
	}
	if first, _ := utf8.DecodeRuneInString(s); unicode.IsMark(first) {
		return false // it would combine with whatever is shown before it
	}
	for _, r := range s {
		if !seen(r) || strings.ContainsRune(`()<>[]:;@\,"`, r) {
			return false
		}
	}
	return true
}

// domains maps and checks by UTS 46, non-transitional, with the rules of STD 3, of
// hyphens, of joiners (RFC 5892 appendix A), of direction (RFC 5893) and of length. It
// is never changed.
var domains = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.StrictDomainName(true),
	idna.ValidateLabels(true),
	idna.VerifyDNSLength(true),
	idna.BidiRule(),
)

func parseDomain(s string) (text, key string, ok bool) {
	for _, r := range s {
		// The two joiners have a meaning in some scripts; the profile checks their context.
		if !seen(r) && r != '\u200c' && r != '\u200d' {
			return "", "", false
		}
	}
	key, err := domains.ToASCII(s)
	if err != nil {
		return "", "", false
	}
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 || strings.Trim(key[dot+1:], "0123456789") == "" {
		return "", "", false // a bare host or an IP address; a top-level domain has a letter
	}
	// What we keep must mean the same tomorrow: the key maps to itself, and so does Text.
	if again, err := domains.ToASCII(key); err != nil || again != key {
		return "", "", false
	}
	if isASCII(s) {
		return s, key, true
	}
	text, err = domains.ToUnicode(key)
	if err != nil {
		return "", "", false
	}
	if again, err := domains.ToASCII(text); err != nil || again != key {
		return "", "", false
	}
	return text, key, true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

const bullets = "•••"

// Mask shows an address to somebody who may know it: its first letter, three bullets
// whatever the length, and the domain. A local part of one letter shows none. Parts that
// are written from right to left are isolated (U+2068, U+2069), so the bullets stay
// between the letter and the @ (UAX 9 section 6.3). What is no address shows bullets.
func Mask(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return bullets
	}
	local, domain := address[:at], address[at+1:]
	n := firstLetter(local)
	if n == len(local) {
		n = 0
	}
	first := local[:n]
	if rightToLeft(first) || rightToLeft(domain) {
		return isolate(first) + bullets + "@" + isolate(domain)
	}
	return first + bullets + "@" + domain
}

// firstLetter is the length of the first code point and the marks that sit on it.
func firstLetter(s string) int {
	for i, r := range s {
		if i > 0 && !unicode.IsMark(r) {
			return i
		}
	}
	return len(s)
}

func rightToLeft(s string) bool {
	for _, r := range s {
		p, _ := bidi.LookupRune(r)
		switch p.Class() {
		case bidi.R, bidi.AL, bidi.AN:
			return true
		}
	}
	return false
}

func isolate(s string) string {
	if s == "" {
		return ""
	}
	return "\u2068" + s + "\u2069"
}
