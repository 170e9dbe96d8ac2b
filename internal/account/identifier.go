package account

import "strings"

// IdentifierKind says what a sign-in form was given.
type IdentifierKind uint8

// The kinds. The zero kind looks up nothing.
const (
	KindNone IdentifierKind = iota
	KindEmail
	KindUsername
	KindPhone
)

// Identifier is what somebody typed to say who they are. Key is what is looked up and
// what a limit counts by: one account's spellings share it, so another spelling is not
// another budget (CVE-2025-24806).
type Identifier struct {
	Kind      IdentifierKind
	Key, Text string
}

// ParseIdentifier never fails: what is neither an address, a number nor a username is
// KindNone with an empty Key, looks up nothing and costs the caller the same. An @ decides,
// since no username has one, and so does the plus of a number in international form. Reserved usernames are looked up like others: an operator may
// have created one.
func ParseIdentifier(s string) Identifier {
	if strings.Contains(s, "@") {
		if a, code := parseAddress(s); code == "" {
			return Identifier{Kind: KindEmail, Key: a.Key, Text: a.Text}
		}
		return Identifier{}
	}
	if p, code := parsePhone(s, ""); code == "" {
		return Identifier{Kind: KindPhone, Key: p.Key, Text: p.Text}
	}
	if u, code := parseUsername(s); code == "" {
		return Identifier{Kind: KindUsername, Key: u.Key, Text: u.Text}
	}
	return Identifier{}
}
