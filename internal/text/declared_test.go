package text_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/audit"
)

// onPages are the fields that a hosted page shows; the others belong to programs.
var onPages = map[string]bool{
	"email": true, "identifier": true, "username": true, "password": true, "new_password": true,
	"current_password": true, "code": true, "first_name": true, "last_name": true, "locale": true, "confirm": true,
}

// A refusal that a rule can raise must have words for people. The list is read from the
// source, so a new code cannot be forgotten here.
func TestEveryFaultHasWords(t *testing.T) {
	m := load(t).For("en")
	fields := regexp.MustCompile(`(?:Invalidate|\.Field)\("([a-z_]+)", *"([a-z_]+)"\)`)
	codes := regexp.MustCompile(`fault\.New\(fault\.\w+, *"([a-z_]+)"`)
	seen := 0
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile("../" + path)
		if err != nil {
			return err
		}
		for _, match := range codes.FindAllStringSubmatch(string(src), -1) {
			seen++
			if _, ok := m.Args("fault." + match[1]); !ok {
				t.Errorf("%s: no words for the fault %s: add fault.%[2]s to locales/*.json", path, match[1])
			}
		}
		for _, match := range fields.FindAllStringSubmatch(string(src), -1) {
			if onPages[match[1]] && !hasAny(m.Keys(), "field."+match[1]+"."+match[2], "field."+match[2]) {
				t.Errorf("%s: no words for %s of the field %s: add field.%[2]s to locales/*.json", path, match[2], match[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no declaration was found: the pattern has gone stale")
	}
}

func hasAny(keys []string, wanted ...string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(keys, w) })
}

// What a person sees in their security activity has words.
func TestEveryVisibleEventHasWords(t *testing.T) {
	m := load(t).For("en")
	for kind, spec := range audit.Types {
		if !spec.Visible {
			continue
		}
		if _, ok := m.Args("event." + string(kind)); !ok {
			t.Errorf("no words for the event %s: add event.%[1]s to locales/*.json", kind)
		}
	}
	for _, key := range m.Keys() {
		kind, ok := strings.CutPrefix(key, "event.")
		if ok && kind != "other" && !audit.Types[audit.Type(kind)].Visible {
			t.Errorf("%s: nobody sees that event", key)
		}
	}
}
