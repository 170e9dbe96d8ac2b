package pages_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/testkit/pseudo"
)

// data are the words of the fixtures that no language changes.
var data = strings.Fields(`English limen Halcyon auth.halcyon.example localhost @localhost mara mara@studio.example
	dev.raman@lumen.example x@y.example http://localhost sign-in dev/messages
	Firefox Safari Chrome curl Linux iPhone Windows Lisbon PT Berlin DE Lagos NG db req bq dtmz
	script alert javascript:alert div`)

// TestEverySentenceIsTranslatable renders every page in a language in which no word looks
// like English: what still does is data, or was written into a template.
func TestEverySentenceIsTranslatable(t *testing.T) {
	r, c := renderer(t), pseudo.Catalogue(t, "../text/locales/en.json")
	english := map[string][]string{}
	for _, f := range fixtures(c, "en") {
		english[f.name] = pseudo.Plain(t, render(t, r, f.view))
	}
	for _, f := range fixtures(c, pseudo.Lang) {
		words := pseudo.Plain(t, render(t, r, f.view))
		if len(words) == len(english[f.name]) {
			t.Errorf("%s: the page is in English", f.name)
		}
		for _, w := range words {
			if slices.Contains(english[f.name], w) && !slices.Contains(data, w) && !strings.Contains(w, "@") {
				t.Errorf("%s: %q does not come from the catalogue", f.name, w)
			}
		}
	}
}
