package letters_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/testkit/pseudo"
)

// TestEveryLetterIsTranslatable: no sentence of a letter bypasses the catalogue.
func TestEveryLetterIsTranslatable(t *testing.T) {
	c := pseudo.Catalogue(t, "../text/locales/en.json")
	r, err := letters.NewRenderer(c, "Halcyon", "https://auth.example.com", "auth.example.com", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	data := strings.Fields(`Halcyon auth.example.com Firefox Linux UTC @example.com a example.com`)
	for _, template := range letters.Templates {
		m, err := r.Preview(template, pseudo.Lang)
		if err != nil {
			t.Fatal(err)
		}
		for part, body := range map[string]string{"HTML": m.HTML, "text": m.Text, "subject": m.Subject} {
			if !strings.Contains(body, "⟦") {
				t.Errorf("%s: its %s is in English", template, part)
			}
			for _, w := range pseudo.Plain(t, body) {
				if !slices.Contains(data, w) {
					t.Errorf("%s, %s: %q does not come from the catalogue", template, part, w)
				}
			}
		}
	}
}
