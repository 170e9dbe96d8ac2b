package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/limenauth/limen/internal/fault"
)

const (
	maxPhone  = 64 // bytes that are looked at; most of them group the digits
	maxDigits = 15 // ITU-T E.164 section 6
)

// Phone is a number that a short message can reach. Text and Key are its E.164 form,
// Country is the ISO 3166 code of the country that assigns it ("001" for the networks of
// no country), Prefix the range it is counted with.
type Phone struct{ Text, Key, Country, Prefix string }

// ParsePhone reads a number in international form, or in the national form of country, an
// ISO 3166 code. Digits of every script, and the signs that people group them with, are
// understood; letters and extensions are not. A number must be possible, and its country
// must be known. Numbers that cannot be reached on a mobile phone, or that cost whoever
// calls them more, are refused. It refuses with invalid_request, field phone: "required",
// "too_long", "invalid" or "not_mobile"; or field country: "invalid".
func ParsePhone(text, country string) (Phone, error) {
	country, ok := callingCountry(country)
	if !ok {
		return Phone{}, fault.Invalidate("country", "invalid")
	}
	p, code := parsePhone(text, country)
	if code != "" {
		return Phone{}, fault.Invalidate("phone", code)
	}
	return p, nil
}

// callingCountry reads an ISO code that has numbers of its own; an empty one is fine.
func callingCountry(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	if len(s) != 2 || !isASCII(s) {
		return "", false
	}
	s = strings.ToUpper(s)
	return s, phonenumbers.GetSupportedRegions()[s]
}

// CallingCountry reports whether code is an ISO 3166 code, in capitals, of a country that
// has numbers.
func CallingCountry(code string) bool {
	c, ok := callingCountry(code)
	return ok && c != "" && c == code
}

func parsePhone(s, country string) (p Phone, code string) {
	s = strings.Trim(s, " ")
	switch {
	case s == "":
		return p, "required"
	case len(s) > maxPhone:
		return p, "too_long"
	case !utf8.ValidString(s):
		return p, "invalid"
	}
	dialled, ok := dialled(s)
	if !ok {
		return p, "invalid"
	}
	n, err := phonenumbers.Parse(dialled, country)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return p, "invalid"
	}
	p = Phone{Text: phonenumbers.Format(n, phonenumbers.E164)}
	if len(p.Text) > 1+maxDigits {
		return Phone{}, "invalid"
	}
	p.Key = p.Text
	// A number from outside the plan's ranges may belong to any of the countries that
	// share its calling code: whoever must allow it has to know which.
	p.Country = phonenumbers.GetRegionCodeForNumber(n)
	if all := phonenumbers.GetRegionCodesForCountryCode(int(n.GetCountryCode())); p.Country == "" && len(all) == 1 {
		p.Country = all[0]
	}
	kind := phonenumbers.GetNumberType(n)
	switch fictional := fictional(p.Key); {
	case fictional && p.Country == "":
		p.Country = "US"
	case p.Country == "":
		return Phone{}, "invalid"
	case kind == phonenumbers.FIXED_LINE && !fictional:
		return Phone{}, "not_mobile"
	}
	switch kind {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.FIXED_LINE:
	case phonenumbers.UNKNOWN:
		// A range that the plan does not know yet may be a new one. It is not shorter than
		// the others.
		usual := phonenumbers.GetExampleNumberForType(p.Country, phonenumbers.MOBILE)
		if usual == nil || len(p.Key) < len(phonenumbers.Format(usual, phonenumbers.E164)) {
			return Phone{}, "invalid"
		}
	default:
		return Phone{}, "not_mobile"
	}
	p.Prefix = prefix(int(n.GetCountryCode()), p.Key)
	// What we keep must mean the same tomorrow, without a country beside it.
	again, err := phonenumbers.Parse(p.Key, "")
	if err != nil || phonenumbers.Format(again, phonenumbers.E164) != p.Key {
		return Phone{}, "invalid"
	}
	return p, ""
}

// dialled is what one would dial: ASCII digits behind at most one plus. Spaces, hyphens,
// dots, slashes and brackets only group, and so do the invisible marks that address books
// put around numbers.
func dialled(s string) (string, bool) {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			if r >= utf8.RuneSelf {
				r = '0' + digitValue(r)
			}
			b.WriteRune(r)
		case r == '+' || r == '\uff0b':
			if b.Len() > 0 {
				return "", false
			}
			b.WriteByte('+')
		case strings.ContainsRune("-./()", r), unicode.In(r, unicode.Zs, unicode.Pd), r == '\u2212':
		case r == '\u200e' || r == '\u200f' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069':
		default:
			return "", false
		}
	}
	return b.String(), true
}

// prefix is the calling code and the first two digits after it, which in most countries
// is one operator; in North America the area code.
func prefix(callingCode int, key string) string {
	n := 1 + 2
	if callingCode == 1 {
		n++
	}
	for ; callingCode > 0; callingCode /= 10 {
		n++
	}
	return key[:min(n, len(key))]
}

// FictionalPhone reports whether p is one of the numbers that North America keeps for
// films: 555-0100 to 555-0199 behind any area code. They reach nobody, so development
// uses them.
func FictionalPhone(p Phone) bool { return fictional(p.Key) }

func fictional(key string) bool {
	return len(key) == len("+12025550123") && strings.HasPrefix(key, "+1") && key[5:10] == "55501"
}

// MaskPhone shows a number to somebody who may know it: four bullets and its last two
// digits. What is too short to hide the rest shows bullets alone.
func MaskPhone(number string) string {
	const hidden = "••••"
	n := len(number)
	if n < 6 || !isASCII(number) || strings.Trim(number[n-2:], "0123456789") != "" {
		return hidden
	}
	return hidden + number[n-2:]
}
