package web

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// token is a JSON string as it was written, without its quotes.
type token struct {
	bytes   []byte
	escaped bool
	problem string // codeNUL, codeUTF8 or ""
}

// decoded returns the text. It is called for well-formed tokens only.
func (t token) decoded() string {
	if !t.escaped {
		return string(t.bytes)
	}
	var out string
	quoted := make([]byte, 0, len(t.bytes)+2)
	quoted = append(append(append(quoted, '"'), t.bytes...), '"')
	if json.Unmarshal(quoted, &out) != nil {
		return "" // a raw NUL: the token carries a problem and its value goes nowhere
	}
	return out
}

// text reads a string (RFC 8259 section 7), from quote to quote. What is well-formed but
// must go no further (a NUL, bytes that are no UTF-8, half a surrogate pair) is told in
// the token; what is no JSON halts the scanner.
func (s *scanner) text() token {
	s.pos++ // "
	t, start := token{}, s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			t.bytes = s.data[start:s.pos]
			s.pos++
			if t.problem == "" && !utf8.Valid(t.bytes) {
				t.problem = codeUTF8
			}
			return t
		case c == '\\':
			t.escaped = true
			if problem := s.escape(); t.problem == "" {
				t.problem = problem
			}
			if s.halted != nil {
				return t
			}
		case c == 0:
			t.problem = codeNUL
			s.pos++
		case c < ' ':
			s.malformed()
			return t
		default:
			s.pos++
		}
	}
	s.malformed()
	return t
}

// escape reads one escape sequence and tells what is wrong with what it stands for.
func (s *scanner) escape() (problem string) {
	s.pos++ // backslash
	c := s.peek()
	if c != 'u' {
		if c == 0 || !strings.ContainsRune(`"\/bfnrt`, rune(c)) {
			s.malformed()
		}
		s.pos++
		return ""
	}
	s.pos++
	first := s.hex4()
	switch {
	case first == 0:
		return codeNUL
	case !utf16.IsSurrogate(first):
		return ""
	}
	if !bytes.HasPrefix(s.data[s.pos:], []byte(`\u`)) {
		return codeUTF8
	}
	s.pos += 2
	if utf16.DecodeRune(first, s.hex4()) == utf8.RuneError {
		return codeUTF8
	}
	return ""
}

func (s *scanner) hex4() (r rune) {
	for range 4 {
		c := s.peek()
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			s.malformed()
			return 1 // no surrogate, no NUL
		}
		r = r<<4 | rune(c)
		s.pos++
	}
	return r
}
