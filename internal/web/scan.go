package web

import (
	"bytes"
	"reflect"
	"slices"
	"strconv"

	"github.com/limenauth/limen/internal/fault"
)

const (
	maxDepth    = 32 // containers within containers
	maxProblems = 16 // more than that helps nobody
	maxShown    = 64 // bytes of a member name that are said back
	fewNames    = 24 // up to here a linear search finds a duplicate faster than a map
)

// The stable codes of what can be wrong with a member.
const (
	codeDuplicate = "duplicate"
	codeNUL       = "nul"
	codeUTF8      = "utf8"
	codeType      = "type"
	codeNumber    = "number" // larger than other readers of JSON can hold
	codeTooDeep   = "too_deep"
	codeRequired  = "required"
)

// scanner reads one JSON text (RFC 8259) and binds it as it goes. Malformed text stops
// it; everything else that is wrong is noted by field and the reading goes on, so that
// one answer names all of it.
type scanner struct {
	data     []byte
	pos      int
	halted   *fault.Fault // set once: nothing is read any more
	problems map[string]string
	names    [][]byte // the members of all open objects, the innermost last
	path     []byte   // dotted name of where we are
}

// decode reads data, one JSON object, into v by shape.
func decode(data []byte, sh *shape, v reflect.Value) error {
	s := scanner{data: data}
	s.space()
	if s.peek() != '{' {
		return fault.ErrMalformedJSON
	}
	s.value(sh, v, 0)
	s.space()
	switch {
	case s.halted != nil:
		return s.halted
	case s.pos != len(s.data):
		return fault.ErrMalformedJSON
	case len(s.problems) > 0:
		f := *fault.ErrInvalidRequest
		f.Fields = s.problems
		return &f
	}
	return nil
}

func (s *scanner) halt(f *fault.Fault) {
	if s.halted == nil {
		s.halted = f
	}
}

func (s *scanner) malformed() { s.halt(fault.ErrMalformedJSON) }

// note says what is wrong here; the first thing said about a member stands.
func (s *scanner) note(code string) {
	if code == "" {
		return
	}
	if s.problems == nil {
		s.problems = map[string]string{}
	}
	name := string(bytes.ToValidUTF8(s.path, []byte("\uFFFD")))
	if _, said := s.problems[name]; said || len(s.problems) >= maxProblems {
		return
	}
	s.problems[name] = code
}

func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0 // a NUL in the text is no token either
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// value reads one value into v. A nil shape is read for its form only. It reports
// whether there was a value; null is none.
func (s *scanner) value(sh *shape, v reflect.Value, depth int) (present bool) {
	if s.halted != nil {
		return false
	}
	if depth >= maxDepth && (s.peek() == '{' || s.peek() == '[') {
		f := *fault.ErrInvalidRequest
		s.note(codeTooDeep)
		f.Fields = s.problems
		s.halt(&f)
		return false
	}
	if s.peek() == 'n' {
		s.literal("null")
		return false
	}
	if sh != nil && sh.pointer {
		fresh := reflect.New(v.Type().Elem())
		s.settled(sh, fresh.Elem(), depth)
		v.Set(fresh)
		return true
	}
	s.settled(sh, v, depth)
	return true
}

// settled reads a value that is not null into v, which is not a pointer.
func (s *scanner) settled(sh *shape, v reflect.Value, depth int) {
	if sh != nil && sh.kind == kindRaw {
		s.raw(sh, v, depth)
		return
	}
	switch c := s.peek(); {
	case c == '{':
		s.object(s.expect(sh, kindObject), v, depth)
	case c == '[':
		s.list(s.expect(sh, kindList), v, depth)
	case c == '"':
		t := s.text()
		s.note(t.problem)
		if s.expect(sh, kindText) != nil && s.halted == nil {
			v.SetString(t.decoded())
		}
	case c == 't':
		s.literal("true")
		if s.expect(sh, kindFlag) != nil {
			v.SetBool(true)
		}
	case c == 'f':
		s.literal("false")
		s.expect(sh, kindFlag)
	case c == '-' || '0' <= c && c <= '9':
		s.number(s.expect(sh, kindNumber), v)
	default:
		s.malformed()
	}
}

// expect returns sh when it is of that kind. If another kind was asked for it notes
// that, and the value is read for its form only.
func (s *scanner) expect(sh *shape, k kind) *shape {
	if sh == nil || sh.kind == k {
		return sh
	}
	s.note(codeType)
	return nil
}

// raw keeps a value as it was written, after the same checks as everything else.
func (s *scanner) raw(sh *shape, v reflect.Value, depth int) {
	start := s.pos
	if sh.objectOnly && s.peek() != '{' {
		s.note(codeType)
	}
	if s.settled(nil, reflect.Value{}, depth); s.halted != nil {
		return
	}
	v.SetBytes(bytes.Clone(s.data[start:s.pos]))
}

func (s *scanner) object(sh *shape, v reflect.Value, depth int) {
	s.pos++ // {
	here, seen := len(s.path), nameSet{first: len(s.names)}
	var got uint64
	for first := true; s.halted == nil; first = false {
		s.space()
		if first && s.peek() == '}' {
			break
		}
		name := s.name(&seen)
		if s.halted != nil {
			return
		}
		var m *member
		if sh != nil {
			m = sh.members[string(name)]
		}
		if m == nil {
			s.value(nil, reflect.Value{}, depth+1)
		} else if s.value(m.shape, v.FieldByIndex(m.index), depth+1) {
			got |= m.bit
		}
		s.path = s.path[:here]
		if !s.more('}') {
			break
		}
	}
	if s.halted != nil {
		return
	}
	s.pos++ // }
	s.names = s.names[:seen.first]
	if sh == nil {
		return
	}
	for _, m := range sh.required {
		if got&m.bit == 0 {
			s.enter([]byte(m.name))
			s.note(codeRequired)
			s.path = s.path[:here]
		}
	}
}

// more reads what follows a value in a container: a comma, or the end, which it leaves.
func (s *scanner) more(end byte) bool {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		return true
	case end:
		return false
	}
	s.malformed()
	return false
}

// nameSet knows the members of one object: the first few on the scanner's stack.
type nameSet struct {
	first int
	many  map[string]struct{}
}

// name reads a member's name and colon, and steps into the member.
func (s *scanner) name(seen *nameSet) []byte {
	if s.peek() != '"' {
		s.malformed()
		return nil
	}
	t := s.text()
	s.space()
	if s.peek() != ':' {
		s.malformed()
	}
	if s.halted != nil {
		return nil
	}
	s.pos++
	s.space()
	name := t.bytes
	if t.escaped {
		name = []byte(t.decoded())
	}
	s.enter(name)
	s.note(t.problem)
	if s.repeated(seen, name) {
		s.note(codeDuplicate)
	}
	return name
}

// repeated adds name to the object's names and reports whether it was there. Names are
// compared decoded: "\u0061" is "a".
func (s *scanner) repeated(seen *nameSet, name []byte) bool {
	if seen.many != nil {
		n := len(seen.many)
		seen.many[string(name)] = struct{}{}
		return len(seen.many) == n
	}
	few := s.names[seen.first:]
	if slices.ContainsFunc(few, func(other []byte) bool { return bytes.Equal(other, name) }) {
		return true
	}
	s.names = append(s.names, name)
	if len(few)+1 > fewNames {
		seen.many = make(map[string]struct{}, 2*fewNames)
		for _, other := range s.names[seen.first:] {
			seen.many[string(other)] = struct{}{}
		}
	}
	return false
}

// enter extends the path by a member, so that a problem can be told by its place.
func (s *scanner) enter(name []byte) {
	if len(s.path) > 0 {
		s.path = append(s.path, '.')
	}
	s.path = append(s.path, name[:min(len(name), maxShown)]...)
}

func (s *scanner) list(sh *shape, v reflect.Value, depth int) {
	s.pos++ // [
	here := len(s.path)
	s.space()
	if s.peek() == ']' {
		s.pos++
		if sh != nil {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		return
	}
	for i := 0; s.halted == nil; i++ {
		s.space()
		s.enter(strconv.AppendInt(nil, int64(i), 10))
		if sh == nil {
			s.value(nil, reflect.Value{}, depth+1)
		} else {
			element := reflect.New(v.Type().Elem()).Elem()
			if !s.value(sh.element, element, depth+1) && s.halted == nil {
				s.note(codeType) // null is no element
			}
			v.Set(reflect.Append(v, element))
		}
		s.path = s.path[:here]
		if !s.more(']') {
			break
		}
	}
	if s.halted == nil {
		s.pos++ // ]
	}
}

func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		s.malformed()
		return
	}
	s.pos += len(word)
}

// number reads a number (RFC 8259 section 6).
func (s *scanner) number(sh *shape, v reflect.Value) {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else {
		s.digits()
	}
	whole := true
	if s.peek() == '.' {
		whole = false
		s.pos++
		s.digits()
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		whole = false
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		s.digits()
	}
	if s.halted != nil {
		return
	}
	digits := string(s.data[start:s.pos])
	if sh != nil && v.CanInt() {
		n, err := strconv.ParseInt(digits, 10, v.Type().Bits())
		if !whole || err != nil {
			s.note(codeType)
			return
		}
		v.SetInt(n)
		return
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		s.note(codeNumber)
		return
	}
	if sh != nil {
		v.SetFloat(f)
	}
}

func (s *scanner) digits() {
	start := s.pos
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.pos++
	}
	if s.pos == start {
		s.malformed()
	}
}
