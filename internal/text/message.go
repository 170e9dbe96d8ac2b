package text

import (
	"fmt"
	"strings"

	"golang.org/x/text/feature/plural"
)

// count is the name of the argument that chooses the plural form.
const count = "n"

// Piece is a part of a message: literal text, or the value of an argument. Exactly one
// of Arg and Text is meaningful: Arg is the argument's name, or "" for literal text.
type Piece struct {
	Text string
	Arg  string
}

// message is one entry of a catalogue. Most have only the form "other".
type message struct {
	plural bool
	forms  map[plural.Form][]Piece
	args   []string // sorted, {n} included where the message is plural
}

var forms = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two,
	"few": plural.Few, "many": plural.Many, "other": plural.Other,
}

// parse cuts a message into pieces. A placeholder is {name}, name in lower-case ASCII
// letters and underscores; braces have no other use.
func parse(s string) ([]Piece, error) {
	if strings.TrimSpace(s) == "" {
		return nil, fmt.Errorf("an empty message")
	}
	var out []Piece
	for s != "" {
		open := strings.IndexAny(s, "{}")
		if open < 0 {
			return append(out, Piece{Text: s}), nil
		}
		if s[open] == '}' {
			return nil, fmt.Errorf("a closing brace without an opening one")
		}
		if open > 0 {
			out = append(out, Piece{Text: s[:open]})
		}
		s = s[open+1:]
		end := strings.IndexByte(s, '}')
		if end < 1 || strings.Trim(s[:end], "abcdefghijklmnopqrstuvwxyz_") != "" {
			return nil, fmt.Errorf("a placeholder is {name} in lower-case letters")
		}
		out = append(out, Piece{Arg: s[:end]})
		s = s[end+1:]
	}
	return out, nil
}
