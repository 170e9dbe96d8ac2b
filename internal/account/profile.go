package account

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/limenauth/limen/internal/fault"
)

// The limits of a profile.
const (
	MaxName     = 100     // code points
	MaxLocale   = 35      // bytes, RFC 5646 section 4.4.1
	MaxPicture  = 2048    // bytes
	MaxMetadata = 8 << 10 // bytes
	maxDepth    = 32      // objects and arrays within each other
)

// Profile is a change to what a person says of themself: nil leaves a field as it is,
// the empty string (for UnsafeMetadata: null) clears it.
type Profile struct {
	FirstName, LastName *string
	Username            *string
	Locale              *string
	Picture             *string
	UnsafeMetadata      json.RawMessage
}

// Check returns the profile as it is to be stored: names in NFC without outer spaces,
// the username as ParseUsername writes it, the locale in canonical BCP 47, metadata
// compact. It refuses with one invalid_request that names every bad field: "too_long",
// "invalid", for metadata also "duplicate_member", and what ParseUsername says. It does
// not know whether the username is taken.
func (p Profile) Check() (Profile, error) {
	var bad *fault.Fault
	check := func(field string, value *string, rule func(string) (string, string)) *string {
		if value == nil {
			return nil
		}
		clean := strings.TrimSpace(*value)
		if clean == "" {
			return &clean
		}
		clean, code := rule(clean)
		bad = blame(bad, field, code)
		return &clean
	}
	out := Profile{
		FirstName: check("first_name", p.FirstName, checkName),
		LastName:  check("last_name", p.LastName, checkName),
		Username:  check("username", p.Username, checkUsername),
		Locale:    check("locale", p.Locale, checkLocale),
		Picture:   check("picture", p.Picture, checkPicture),
	}
	if p.UnsafeMetadata != nil {
		object, code := checkMetadata(p.UnsafeMetadata)
		bad = blame(bad, "unsafe_metadata", code)
		out.UnsafeMetadata = object
	}
	if bad != nil {
		return Profile{}, bad
	}
	return out, nil
}

func blame(f *fault.Fault, field, code string) *fault.Fault {
	switch {
	case code == "":
		return f
	case f == nil:
		return fault.Invalidate(field, code)
	}
	return f.Field(field, code)
}

// checkName lets people be called anything that can be written on one line. The
// joiners stay, for scripts that need them; what turns the direction of the text around
// the name goes, since names are shown in letters and lists.
func checkName(s string) (string, string) {
	if len(s) > 8*MaxName*utf8.UTFMax {
		return "", "too_long"
	}
	if !utf8.ValidString(s) {
		return "", "invalid"
	}
	s = norm.NFC.String(s)
	for _, r := range s {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return "", "invalid"
		}
	}
	if utf8.RuneCountInString(s) > MaxName {
		return "", "too_long"
	}
	return s, ""
}

func checkUsername(s string) (string, string) {
	u, err := ParseUsername(s)
	if err != nil {
		return "", fault.Of(err).Fields["username"]
	}
	return u.Text, ""
}

func checkLocale(s string) (string, string) {
	if len(s) > MaxLocale {
		return "", "too_long"
	}
	tag, err := language.Parse(s)
	if err != nil || tag.IsRoot() {
		return "", "invalid"
	}
	return tag.String(), ""
}

// checkPicture accepts https, and http to this very machine for development. The text
// is ASCII without quotes, brackets and backslashes, so it cannot leave the attribute it
// is written into and every parser reads the same host.
func checkPicture(s string) (string, string) {
	if len(s) > MaxPicture {
		return "", "too_long"
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("\"<>\\^`{|}'", s[i]) >= 0 {
			return "", "invalid"
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return "", "invalid"
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", "invalid"
	}
	return s, ""
}

func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// checkMetadata demands one JSON object in which every program reads the same members:
// encoding/json and others pick different ones of two equal names. NUL is refused
// because PostgreSQL cannot hold it, and depth because programs recurse.
func checkMetadata(raw json.RawMessage) (json.RawMessage, string) {
	switch {
	case len(raw) > MaxMetadata:
		return nil, "too_long"
	case !utf8.Valid(raw) || !json.Valid(raw):
		return nil, "invalid"
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, "invalid"
	}
	if compact.String() == "null" {
		return json.RawMessage("{}"), ""
	}
	if compact.Bytes()[0] != '{' {
		return nil, "invalid"
	}
	if code := scanMembers(compact.Bytes()); code != "" {
		return nil, code
	}
	return compact.Bytes(), ""
}

// scanMembers walks well-formed JSON.
func scanMembers(raw []byte) string {
	type level struct {
		members map[string]bool // nil in an array
		name    bool            // the next string is a member's name
	}
	var stack []level
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // a number is text here: no range is ours to judge
	for {
		token, err := dec.Token()
		if err != nil {
			return "" // the end: the caller has checked that it is well-formed
		}
		text, isString := token.(string)
		if isString && strings.ContainsRune(text, 0) {
			return "invalid"
		}
		top := len(stack) - 1
		if isString && top >= 0 && stack[top].name {
			if stack[top].members[text] {
				return "duplicate_member"
			}
			stack[top].members[text] = true
			stack[top].name = false
			continue
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{members: map[string]bool{}, name: true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
			fallthrough
		default:
			if top = len(stack) - 1; top >= 0 && stack[top].members != nil {
				stack[top].name = true // a value has ended: a name follows
			}
		}
		if len(stack) > maxDepth {
			return "invalid"
		}
	}
}
