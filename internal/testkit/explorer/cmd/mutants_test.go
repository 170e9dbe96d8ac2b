package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBrokenRules finds the text that each broken rule replaces, once, so that a change of
// limen takes the table along. The command builds and explores them (-mutants).
func TestBrokenRules(t *testing.T) {
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	items := map[string]bool{}
	for _, b := range brokenRules {
		items[b.item] = true
		if _, err := b.lay(root, t.TempDir()); err != nil {
			t.Errorf("%s: %v", b.rule, err)
		}
	}
	for _, item := range strings.Fields("1 2 3 4 5 6 7 8 9 seniority remedy messages") {
		if !items[item] {
			t.Errorf("no rule of item %s is broken", item)
		}
	}
}
