package mail

import (
	"errors"
	"net/mail"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

var errAddress = errors.New("it is not an address")

// mailbox is an address that is safe in an envelope and in a header.
type mailbox struct {
	local, domain string // the domain is ASCII
}

func (b mailbox) String() string { return b.local + "@" + b.domain }

// international reports whether the address needs SMTPUTF8.
func (b mailbox) international() bool {
	return strings.ContainsFunc(b.local, func(c rune) bool { return c >= utf8.RuneSelf })
}

// parseMailbox reads a bare address. It is stricter than RFC 5321: no quoted local parts,
// no comments, no address literals, because each of these is a way to smuggle.
func parseMailbox(s string) (mailbox, error) {
	local, domain, ok := cutLast(s, '@')
	if !ok || len(local) > 64 || len(domain) > 255 || !utf8.ValidString(s) || !dotAtom(local) {
		return mailbox{}, errAddress
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || !isHost(ascii) {
		return mailbox{}, errAddress
	}
	return mailbox{local: local, domain: ascii}, nil
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// dotAtom is RFC 5322 section 3.2.3 with the letters of RFC 6532. "=?" begins an encoded
// word, which a program on the way may decode into another address.
func dotAtom(s string) bool {
	if strings.Contains(s, "=?") {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for _, c := range part {
			switch {
			case c < utf8.RuneSelf && (c <= ' ' || c == 0x7f || strings.ContainsRune(`()<>[]:;@\,"`, c)):
				return false
			case c >= utf8.RuneSelf && !unicode.IsLetter(c) && !unicode.IsMark(c) && !unicode.IsNumber(c):
				return false
			}
		}
	}
	return true
}

// isHost accepts host names of letters, digits and hyphens.
func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// CheckAddress says whether s can be the sender or the reply address of letters: an
// address, or "Name <address>".
func CheckAddress(s string) error {
	_, _, err := parseNamed(s)
	return err
}

// parseNamed reads "Name <address>" or an address alone.
func parseNamed(s string) (name string, box mailbox, err error) {
	if strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) {
		return "", mailbox{}, errAddress
	}
	if i := strings.LastIndexByte(s, '<'); i > 0 && strings.HasSuffix(s, ">") {
		name = strings.TrimSpace(s[:i])
		if len(name) > 1 && name[0] == '"' && name[len(name)-1] == '"' {
			name = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(name[1 : len(name)-1])
		}
		s = s[i+1 : len(s)-1]
	}
	box, err = parseMailbox(s)
	return clean(name, 64), box, err
}

func (b mailbox) named(name string) *mail.Address {
	return &mail.Address{Name: name, Address: b.String()}
}

// clean makes one line of s, at most limit characters: control characters become spaces,
// and what turns the direction of writing is dropped, because it makes one text look like
// another.
func clean(s string, limit int) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0xfeff:
			return -1
		case unicode.IsControl(c), c == 0x2028, c == 0x2029:
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\ufffd"))
	// What looks like an encoded word would be decoded by the reader's program, into
	// anything at all (RFC 2047).
	s = strings.TrimSpace(strings.ReplaceAll(s, "=?", "= ?"))
	if utf8.RuneCountInString(s) > limit {
		s = strings.TrimSpace(string([]rune(s)[:limit]))
	}
	return s
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
