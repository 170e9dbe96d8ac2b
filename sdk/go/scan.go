package limenauth

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A token is read by two programs: the one that issued it and this one. Where two
// readers disagree about the same bytes an attacker lives (RFC 8725, section 3.12;
// ASVS 1.5.3). encoding/json takes the last of two equal members, matches names
// without regard to case and repairs bad UTF-8, so tokens and keys are read by this
// small scanner instead: RFC 8259 to the letter; a duplicate member and half of a
// surrogate pair are errors.

const (
	maxDepth   = 16
	maxMembers = 64
)

var (
	errSyntax    = errors.New("not well-formed JSON")
	errDuplicate = errors.New("a JSON member appears twice")
	errTooDeep   = errors.New("JSON nested too deep")
	errTooMany   = errors.New("too many JSON members")
	errSurrogate = errors.New("a JSON string holds half of a surrogate pair")
)

// A kind is the JSON type of a value.
type kind byte

const (
	isNull kind = iota
	isBool
	isNumber
	isString
	isArray
	isObject
)

// A value is a piece of a scanned document: its type and its own bytes.
type value struct {
	kind kind
	text string
}

type member struct {
	name  string
	value value
}

// scanObject reads text as exactly one JSON object and appends its members to into.
func scanObject(text string, into []member) ([]member, error) {
	s := scanner{text: text, members: into}
	if err := s.only(isObject); err != nil {
		return nil, err
	}
	return s.members, nil
}

// scanArray reads text as exactly one JSON array of at most limit elements.
func scanArray(text string, limit int) ([]value, error) {
	s := scanner{text: text, limit: limit}
	if err := s.only(isArray); err != nil {
		return nil, err
	}
	return s.elements, nil
}

// str is the decoded string. It refuses control characters: nothing that names a
// person or a role holds one, and a log line or a header must not be split by it.
func (v value) str() (string, bool) {
	if v.kind != isString {
		return "", false
	}
	decoded, err := unquote(v.text)
	if err != nil || strings.ContainsFunc(decoded, isControl) {
		return "", false
	}
	return decoded, true
}

func (v value) boolean() (truth, ok bool) {
	return v.text == "true", v.kind == isBool
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// unquote decodes a string that the scanner has found to be well formed.
func unquote(quoted string) (string, error) {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var decoded string
	if err := json.Unmarshal([]byte(quoted), &decoded); err != nil {
		return "", errSyntax
	}
	return decoded, nil
}

// A scanner walks over one document. The outermost container's parts are collected;
// inner ones are only checked, and their bytes kept for a scanner of their own.
type scanner struct {
	text     string
	at       int
	limit    int // of elements, when an array is collected
	members  []member
	elements []value
}

// only reads one value of the wanted kind with nothing but space around it.
func (s *scanner) only(want kind) error {
	if !utf8.ValidString(s.text) {
		return errSyntax
	}
	s.space()
	v, err := s.value(0)
	if err != nil {
		return err
	}
	s.space()
	if s.at != len(s.text) || v.kind != want {
		return errSyntax
	}
	return nil
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// take steps over c if it is next.
func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) value(depth int) (value, error) {
	if s.at >= len(s.text) {
		return value{}, errSyntax
	}
	from := s.at
	var k kind
	var err error
	switch c := s.text[from]; {
	case c == '"':
		k, err = isString, s.quoted()
	case c == '{':
		k, err = isObject, s.object(depth)
	case c == '[':
		k, err = isArray, s.array(depth)
	case c == '-' || isDigit(c):
		k, err = isNumber, s.number()
	case c == 't':
		k, err = isBool, s.word("true")
	case c == 'f':
		k, err = isBool, s.word("false")
	case c == 'n':
		k, err = isNull, s.word("null")
	default:
		err = errSyntax
	}
	if err != nil {
		return value{}, err
	}
	return value{kind: k, text: s.text[from:s.at]}, nil
}

func (s *scanner) word(w string) error {
	if !strings.HasPrefix(s.text[s.at:], w) {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

func (s *scanner) object(depth int) error {
	if depth >= maxDepth {
		return errTooDeep
	}
	s.at++ // {
	s.space()
	if s.take('}') {
		return nil
	}
	var room [24]string
	names := room[:0]
	for {
		from := s.at
		if s.at >= len(s.text) || s.text[s.at] != '"' {
			return errSyntax
		}
		if err := s.quoted(); err != nil {
			return err
		}
		// Names are compared as decoded: "\u0061" is "a".
		name, err := unquote(s.text[from:s.at])
		if err != nil {
			return err
		}
		if slices.Contains(names, name) {
			return errDuplicate
		}
		if len(names) == maxMembers {
			return errTooMany
		}
		names = append(names, name)
		s.space()
		if !s.take(':') {
			return errSyntax
		}
		s.space()
		v, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if depth == 0 {
			s.members = append(s.members, member{name, v})
		}
		s.space()
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
		s.space()
	}
}

func (s *scanner) array(depth int) error {
	if depth >= maxDepth {
		return errTooDeep
	}
	s.at++ // [
	s.space()
	if s.take(']') {
		return nil
	}
	for {
		v, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if depth == 0 {
			if len(s.elements) == s.limit {
				return errTooMany
			}
			s.elements = append(s.elements, v)
		}
		s.space()
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
		s.space()
	}
}

func (s *scanner) quoted() error {
	s.at++ // "
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c < 0x20:
			return errSyntax
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		default:
			s.at++
		}
	}
	return errSyntax
}

func (s *scanner) escape() error {
	s.at++ // \
	if s.at >= len(s.text) {
		return errSyntax
	}
	c := s.text[s.at]
	s.at++
	if c != 'u' {
		if strings.IndexByte(`"\/bfnrt`, c) < 0 {
			return errSyntax
		}
		return nil
	}
	unit, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(unit) {
		return err
	}
	// Half a pair is no character (RFC 8259, section 8.2): one reader puts U+FFFD in its
	// place, another keeps it, a third drops it. Readers that differ about a name are a
	// way to be somebody else.
	if !s.take('\\') || !s.take('u') {
		return errSurrogate
	}
	low, err := s.hex4()
	if err == nil && utf16.DecodeRune(unit, low) == unicode.ReplacementChar {
		err = errSurrogate
	}
	return err
}

// hex4 reads the four digits of a \u escape.
func (s *scanner) hex4() (unit rune, err error) {
	if len(s.text)-s.at < 4 {
		return 0, errSyntax
	}
	n, err := strconv.ParseUint(s.text[s.at:s.at+4], 16, 16)
	if err != nil {
		return 0, errSyntax
	}
	s.at += 4
	return rune(n), nil
}

func (s *scanner) number() error {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return errSyntax
	}
	if s.take('.') && !s.digits() {
		return errSyntax
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

// digits steps over one or more digits. A leading zero is the caller's affair.
func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
	}
	return s.at > from
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
