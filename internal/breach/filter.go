// Package breach knows passwords that are too common to be secret.
//
// The list is short for now; the compact filter of the common lists replaces it.
package breach

import (
	"bufio"
	"os"
	"strings"
)

// Filter is a set of passwords, compared without case.
type Filter struct{ set map[string]bool }

// Builtin returns the built-in list.
func Builtin() *Filter {
	f := &Filter{set: map[string]bool{}}
	for _, p := range []string{"password", "password1", "password123", "12345678", "123456789", "1234567890", "qwertyuiop", "iloveyou", "sunshine", "princess", "football", "baseball", "superman", "trustno1"} {
		f.set[p] = true
	}
	return f
}

// LoadFile reads a file with one password in a line.
func LoadFile(path string) (*Filter, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f := &Filter{set: map[string]bool{}}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		f.set[strings.ToLower(lines.Text())] = true
	}
	return f, lines.Err()
}

// Contains reports whether the password is listed.
func (f *Filter) Contains(password string) bool { return f.set[strings.ToLower(password)] }

// Any joins filters.
func Any(filters ...*Filter) func(string) bool {
	return func(password string) bool {
		for _, f := range filters {
			if f.Contains(password) {
				return true
			}
		}
		return false
	}
}
