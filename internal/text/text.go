package text

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"

	"github.com/limenauth/limen/internal/fault"
)

// Messages is the catalogue in one language. The zero Messages answers every key with
// the key itself.
type Messages struct{ l *locale }

// For returns the messages in lang, which should come from Match; a language that is not
// spoken here gets English.
func (c *Catalogue) For(lang string) Messages {
	if l, ok := c.locales[lang]; ok {
		return Messages{l}
	}
	return Messages{c.locales[fallback]}
}

// Languages returns the menu of languages, English first.
func (c *Catalogue) Languages() []Language { return slices.Clone(c.languages) }

// Lang returns the BCP 47 tag, for the lang attribute.
func (m Messages) Lang() string {
	if m.l == nil {
		return fallback
	}
	return m.l.lang
}

// Dir returns "ltr" or "rtl", for the dir attribute.
func (m Messages) Dir() string {
	if m.l == nil {
		return "ltr"
	}
	return m.l.dir
}

// Keys returns every key, sorted.
func (m Messages) Keys() []string {
	if m.l == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(m.l.messages))
}

// Args returns the names of the arguments that key needs. ok is false when there is no
// such key.
func (m Messages) Args(key string) (names []string, ok bool) {
	if m.l == nil {
		return nil, false
	}
	msg, ok := m.l.messages[key]
	return slices.Clone(msg.args), ok
}

// Text returns the message with its arguments filled in: name, value, name, value. Where
// Lookup would fail it returns the key, which is ugly and harmless.
func (m Messages) Text(key string, args ...any) string {
	s, err := m.Lookup(key, args...)
	if err != nil {
		return key
	}
	return s
}

// Lookup is Text for callers that can fail: an unknown key, a missing argument and one
// that the message does not name are errors.
func (m Messages) Lookup(key string, args ...any) (string, error) {
	pieces, values, err := m.Pieces(key, args...)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range pieces {
		if p.Arg == "" {
			b.WriteString(p.Text)
		} else {
			fmt.Fprint(&b, values[p.Arg])
		}
	}
	return b.String(), nil
}

// Pieces returns the message cut at its placeholders, and the arguments by name, for a
// caller that dresses values in markup. It fails like Lookup.
func (m Messages) Pieces(key string, args ...any) ([]Piece, map[string]any, error) {
	if m.l == nil {
		return nil, nil, fmt.Errorf("text: %s: no language", key)
	}
	msg, ok := m.l.messages[key]
	if !ok {
		return nil, nil, fmt.Errorf("text: %s: no such key", key)
	}
	values := make(map[string]any, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		name, _ := args[i].(string)
		values[name] = args[i+1]
	}
	if given := slices.Sorted(maps.Keys(values)); len(args)%2 != 0 || !slices.Equal(given, msg.args) {
		return nil, nil, fmt.Errorf("text: %s: takes %v, not %v", key, msg.args, given)
	}
	form := plural.Other
	if msg.plural {
		n, err := number(values[count])
		if err != nil {
			return nil, nil, fmt.Errorf("text: %s: %w", key, err)
		}
		form = formOf(m.l.tag, n)
	}
	pieces, ok := msg.forms[form]
	if !ok {
		pieces = msg.forms[plural.Other]
	}
	return pieces, values, nil
}

func number(v any) (int, error) {
	switch n := v.(type) {
	case int:
		return max(n, -n), nil
	case int64:
		return int(max(n, -n)), nil
	}
	return 0, fmt.Errorf("{n} is %T, not an integer", v)
}

// has reports whether key exists with exactly these arguments.
func (m Messages) has(key string, names ...string) bool {
	args, ok := m.Args(key)
	return ok && slices.Equal(args, names)
}

// Fault returns the sentence that tells a person why they were refused and what to do
// next. A code without words of its own reads like an internal error: it reveals nothing.
func (m Messages) Fault(f *fault.Fault) string {
	key := "fault." + f.Code
	switch {
	case f.TriesLeft != nil && m.has(key+".tries", count):
		return m.Text(key+".tries", count, *f.TriesLeft)
	case f.RetryAfter > time.Minute && m.has(key+".minutes", count):
		return m.Text(key+".minutes", count, int(math.Ceil(f.RetryAfter.Minutes())))
	case f.RetryAfter > 0 && m.has(key+".seconds", count):
		return m.Text(key+".seconds", count, int(math.Ceil(f.RetryAfter.Seconds())))
	case m.has(key):
		return m.Text(key)
	}
	return m.Text("fault." + fault.ErrInternal.Code)
}

// Field returns the sentence that stands beside a field of a form. Words for that very
// field ("field.password.too_short") go before words for the code alone. args are
// offered, not demanded: the words are chosen that can be filled from them.
func (m Messages) Field(field, code string, args ...any) string {
	for _, key := range []string{"field." + field + "." + code, "field." + code} {
		names, ok := m.Args(key)
		if !ok {
			continue
		}
		if s, err := m.Lookup(key, pick(names, args)...); err == nil {
			return s
		}
	}
	return m.Text("field.invalid")
}

// pick keeps the arguments with the given names.
func pick(names []string, args []any) []any {
	var out []any
	for i := 0; i+1 < len(args); i += 2 {
		if name, ok := args[i].(string); ok && slices.Contains(names, name) {
			out = append(out, name, args[i+1])
		}
	}
	return out
}

// Event returns a line of the security activity list for an audit event type.
func (m Messages) Event(kind string) string {
	if key := "event." + kind; m.has(key) {
		return m.Text(key)
	}
	return m.Text("event.other")
}
