package app

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Setting is one field of Config as its tags describe it.
type Setting struct {
	Name        string // as in the file; --Name on the command line
	Env         string // LIMEN_...
	Group       string
	Help        string
	Default     string
	Unset       string // what an empty value means
	Placeholder string
	Choices     []string
	Secret      bool
	Flag        bool // false: there is no such flag
	List        bool

	field int
	kind  reflect.Type
}

// Settings lists every field of Config in the order of the struct.
func Settings() []Setting {
	t := reflect.TypeFor[Config]()
	var out []Setting
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("name")
		if name == "" {
			continue
		}
		_, isSecret := f.Tag.Lookup("secret")
		s := Setting{
			Name: name, Env: EnvName(name),
			Group: f.Tag.Get("group"), Help: f.Tag.Get("help"),
			Default: f.Tag.Get("default"), Unset: f.Tag.Get("unset"),
			Placeholder: f.Tag.Get("placeholder"),
			Secret:      isSecret, Flag: f.Tag.Get("kong") != "-",
			List:  f.Type.Kind() == reflect.Slice,
			field: i, kind: f.Type,
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			s.Choices = strings.Split(enum, ",")
		}
		out = append(out, s)
	}
	return out
}

// EnvName is the environment variable of the setting called name.
func EnvName(name string) string {
	return "LIMEN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// ParseDuration reads what time.ParseDuration reads, and d for a day of 24 hours:
// "30d", "1d12h". A number without a unit is an error, because some mean seconds by it
// and others milliseconds.
func ParseDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, errors.New("a duration is missing; write it like 90s, 15m, 24h or 30d")
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, fmt.Errorf("%q has no unit; write %ss, %sm, %sh or %sd", s, s, s, s, s)
	}
	var days time.Duration
	rest := s
	if n, after, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration; write it like 90s, 15m, 24h or 30d", s)
		}
		days, rest = time.Duration(v)*24*time.Hour, after
	}
	if rest == "" {
		return days, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || (days > 0 && d < 0) {
		return 0, fmt.Errorf("%q is not a duration; write it like 90s, 15m, 24h or 30d", s)
	}
	return days + d, nil
}

// FormatDuration writes d the way ParseDuration reads it, in days where they come out even.
func FormatDuration(d time.Duration) string {
	if day := 24 * time.Hour; d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// durations teaches the flag parser our durations.
func durations() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(
		func(ctx *kong.DecodeContext, target reflect.Value) error {
			var text string
			if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
				return err
			}
			d, err := ParseDuration(text)
			if err != nil {
				return err
			}
			target.SetInt(int64(d))
			return nil
		}))
}

// check tells whether raw could be the value of s, before the parser sees it: so that
// every bad value is reported, not the first alone.
func (s Setting) check(raw string) error {
	switch {
	case len(s.Choices) > 0:
		for _, c := range s.Choices {
			if raw == c {
				return nil
			}
		}
		return fmt.Errorf("%q is not one of %s%s", raw, strings.Join(s.Choices, ", "), suggestion(raw, s.Choices))
	case s.kind == reflect.TypeFor[time.Duration]():
		_, err := ParseDuration(raw)
		return err
	case s.kind.Kind() == reflect.Int:
		if _, err := strconv.ParseInt(raw, 10, 32); err != nil {
			return fmt.Errorf("%q is not a whole number", raw)
		}
	}
	return nil
}

// suggestion is "; did you mean X?" or nothing.
func suggestion(word string, known []string) string {
	if best := closest(word, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// closest finds the known word that word most likely stands for, or "".
func closest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := distance(dashed(word), dashed(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

func dashed(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }

// distance counts the insertions, deletions, changes and swaps of neighbours that turn
// a into b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := rows[i-1][j-1]
			if x[i-1] != y[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
