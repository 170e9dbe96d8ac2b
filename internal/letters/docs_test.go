package letters_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/letters"
)

// TestTemplatesAreDocumented: docs/letters.md names every letter and every field, and the
// layout that it shows is one that limen would start with.
func TestTemplatesAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/letters.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, found := strings.Cut(string(raw), "## Templates of your own")
	if !found {
		t.Fatal("the section is gone")
	}
	for _, template := range letters.Templates {
		if !strings.Contains(page, "`"+string(template)+"`") {
			t.Errorf("the letter %s is not named", template)
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[letters.Page]()) {
		if !strings.Contains(page, "`."+f.Name+"`") {
			t.Errorf("the field %s is not named", f.Name)
		}
	}
	if reflect.TypeFor[letters.Page]().NumMethod() > 0 || reflect.TypeFor[*letters.Page]().NumMethod() > 0 {
		t.Error("templates could call methods of Page")
	}
	layout := regexp.MustCompile("(?s)```html\n(.*?)```").FindStringSubmatch(page)
	if layout == nil {
		t.Fatal("the layout is gone")
	}
	if err := rendererOf(t, "Halcyon").Override(dir(map[string]string{"letter.html": layout[1]})); err != nil {
		t.Error(err)
	}
}
