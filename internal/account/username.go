package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/limenauth/limen/internal/fault"
)

// The length of a username in code points, of its Text and of its Key.
const (
	MinUsername = 3
	MaxUsername = 32
)

// maxMarks is how many marks may sit on one letter: enough for every living script, too
// few to climb over the neighbouring lines.
const maxMarks = 3

// Username is a name that a person chose. Text is what is shown, Key what is compared;
// Key parses to itself.
type Username struct{ Text, Key string }

// ParseUsername reads a username: letters, digits, dot, underscore and hyphen, beginning
// with a letter or digit, of one script and one set of digits. In the spirit of PRECIS
// UsernameCaseMapped (RFC 8265 section 3.3), and narrower; Text keeps its capitals. It
// never contains an @, so a username is never an address. It refuses with
// invalid_request, field username: "required", "too_short", "too_long", "invalid" or
// "reserved".
func ParseUsername(s string) (Username, error) {
	u, code := parseUsername(s)
	if code == "" && u.reserved() {
		code = "reserved"
	}
	if code != "" {
		return Username{}, fault.Invalidate("username", code)
	}
	return u, nil
}

func parseUsername(s string) (u Username, code string) {
	s = strings.Trim(s, " ")
	switch {
	case s == "":
		return u, "required"
	case len(s) > MaxUsername*utf8.UTFMax*4:
		return u, "too_long"
	case !utf8.ValidString(s):
		return u, "invalid"
	}
	// Compatibility forms go from Text too: usernames are shown to others, and a name in
	// circled or mathematical letters imitates a plain one.
	u = Username{Text: norm.NFKC.String(s), Key: fold(s)}
	if !usernameShape(u.Text) || !usernameShape(u.Key) {
		return Username{}, "invalid"
	}
	lengths := []int{utf8.RuneCountInString(u.Text), utf8.RuneCountInString(u.Key)}
	if slices.Min(lengths) < MinUsername {
		return Username{}, "too_short"
	}
	if slices.Max(lengths) > MaxUsername {
		return Username{}, "too_long"
	}
	return u, ""
}

func usernameShape(s string) bool {
	marks, zero := 0, rune(-1)
	for i, r := range s {
		switch {
		case !seen(r):
			return false
		case unicode.IsMark(r):
			marks++
			if i == 0 || marks > maxMarks || strings.ContainsRune("._-", rune(s[i-1])) {
				return false
			}
			continue
		case unicode.IsLetter(r):
		case unicode.IsDigit(r):
			// Digits of two sets look alike and count differently (UTS 39 section 5.3).
			z := r - digitValue(r)
			if zero >= 0 && z != zero {
				return false
			}
			zero = z
		case strings.ContainsRune("._-", r):
			if i == 0 {
				return false
			}
		default:
			return false
		}
		marks = 0
	}
	return oneScript(s)
}

// digitValue is the value of a decimal digit. Unicode encodes every set of them as ten
// neighbours, zero first, so a range of the table is a run of whole sets.
func digitValue(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return 0
}

// together are the scripts that one writing system mixes (UTS 39 section 5.1).
var together = [][]string{
	{"Han", "Hiragana", "Katakana"},
	{"Han", "Hangul"},
	{"Han", "Bopomofo"},
}

func oneScript(s string) bool {
	if isASCII(s) {
		return true
	}
	var scripts []string
	for _, r := range s {
		if name := script(r); name != "" && !slices.Contains(scripts, name) {
			scripts = append(scripts, name)
		}
	}
	if len(scripts) < 2 {
		return true
	}
	return slices.ContainsFunc(together, func(allowed []string) bool {
		return !slices.ContainsFunc(scripts, func(name string) bool { return !slices.Contains(allowed, name) })
	})
}

// script names the script of r, "" for what belongs to all of them.
func script(r rune) string {
	if unicode.In(r, unicode.Common, unicode.Inherited) {
		return ""
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "Unknown"
}

// reservedNames speak for the server, or break programs that print them. They are
// compared without dots, underscores and hyphens.
var reservedNames = map[string]bool{
	"abuse": true, "account": true, "admin": true, "administrator": true, "anonymous": true,
	"api": true, "everyone": true, "help": true, "hostmaster": true, "info": true,
	"limen": true, "mailerdaemon": true, "me": true, "moderator": true, "nobody": true,
	"noreply": true, "null": true, "official": true, "operator": true, "owner": true,
	"postmaster": true, "root": true, "security": true, "self": true, "settings": true,
	"signin": true, "signout": true, "signup": true, "staff": true, "superuser": true,
	"support": true, "sysadmin": true, "system": true, "undefined": true, "unknown": true,
	"webmaster": true,
}

func (u Username) reserved() bool {
	return reservedNames[strings.NewReplacer(".", "", "_", "", "-", "").Replace(u.Key)]
}

// MaskUsername shows a username to somebody who may know it: its first letter and three
// bullets. A name of one letter shows none.
func MaskUsername(name string) string {
	n := firstLetter(name)
	if n == len(name) {
		n = 0
	}
	if first := name[:n]; rightToLeft(first) {
		return isolate(first) + bullets
	}
	return name[:n] + bullets
}
