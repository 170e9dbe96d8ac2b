// Command gen makes the filter of common passwords that is built into limen.
//
// It reads a list, as a JSON array of strings or as one password per line, and writes the
// filter that package breach embeds:
//
//	LIMEN_PASSWORD_LIST=/path/to/passwords.json go generate ./internal/breach
//
// The list itself is not part of the repository; internal/breach/SOURCES.md says which one
// it is and where it comes from. The same list makes the same bytes. It touches no
// network.
package main

import (
	"bytes"
	_ "embed" // the words of our own
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/limenauth/limen/internal/breach"
)

// also are words of our own: what has become common since the list was counted, in the
// languages limen speaks.
//
//go:embed also.txt
var also string

func main() {
	in := flag.String("in", "", "the list: a JSON array of strings, or one password per line")
	out := flag.String("out", "common.filter", "the filter to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		panic("gen: " + err.Error()) // a maintainer reads it, at a terminal
	}
}

func run(in, out string) error {
	if in == "" {
		return errors.New("name the list with -in (or LIMEN_PASSWORD_LIST for go generate); see SOURCES.md")
	}
	list, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	passwords := strings.Split(string(list), "\n")
	if bytes.HasPrefix(bytes.TrimSpace(list), []byte("[")) {
		if err := json.Unmarshal(list, &passwords); err != nil {
			return fmt.Errorf("%s: %w", in, err)
		}
	}
	filter := breach.Compile(append(passwords, strings.Fields(also)...))
	var file bytes.Buffer
	if _, err := filter.WriteTo(&file); err != nil {
		return err
	}
	if err := os.WriteFile(out, file.Bytes(), 0o644); err != nil {
		return err
	}
	s := filter.Stats()
	fmt.Printf("%s: %d passwords of %d lines, %d bytes, false positives %.2g\n", out, s.Entries, len(passwords), file.Len(), s.FalsePositives)
	return nil
}
