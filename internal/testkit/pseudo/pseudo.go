// Package pseudo is a language that nobody speaks: English with an accent on every letter
// and a third more of it. A sentence that stands in a page or a letter without coming from
// the catalogue shows by having no accents, and one that is cut off by its missing end.
package pseudo

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"

	"github.com/limenauth/limen/internal/text"
)

// Lang is the tag of the language.
const Lang = "en-XA"

// Catalogue is English and its accented image. english is the path of en.json.
func Catalogue(t testing.TB, english string) *text.Catalogue {
	t.Helper()
	raw, err := os.ReadFile(english)
	if err != nil {
		t.Fatal(err)
	}
	var messages map[string]any
	if err := json.Unmarshal(raw, &messages); err != nil {
		t.Fatal(err)
	}
	for key, value := range messages {
		switch v := value.(type) {
		case string:
			messages[key] = accented(v)
		case map[string]any:
			for form, s := range v {
				v[form] = accented(s.(string))
			}
		}
	}
	image, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	c, err := text.Read(fstest.MapFS{"en.json": {Data: raw}, Lang + ".json": {Data: image}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var accents = strings.NewReplacer(
	"a", "å", "b", "ƀ", "c", "ç", "d", "ð", "e", "é", "f", "ƒ", "g", "ĝ", "h", "ĥ", "i", "î", "j", "ĵ", "k", "ķ", "l", "ļ", "m", "ɱ",
	"n", "ñ", "o", "ö", "p", "þ", "q", "ǫ", "r", "ŕ", "s", "š", "t", "ţ", "u", "û", "v", "ṽ", "w", "ŵ", "x", "ẋ", "y", "ý", "z", "ž",
	"A", "Å", "B", "Ɓ", "C", "Ç", "D", "Ð", "E", "É", "F", "Ƒ", "G", "Ĝ", "H", "Ĥ", "I", "Î", "J", "Ĵ", "K", "Ķ", "L", "Ļ", "M", "Ṁ",
	"N", "Ñ", "O", "Ö", "P", "Þ", "Q", "Ǫ", "R", "Ŕ", "S", "Š", "T", "Ţ", "U", "Û", "V", "Ṽ", "W", "Ŵ", "X", "Ẋ", "Y", "Ý", "Z", "Ž")

// accented keeps placeholders as they are.
func accented(s string) string {
	var b strings.Builder
	b.WriteString("⟦")
	for rest := s; rest != ""; {
		plain, after, found := strings.Cut(rest, "{")
		b.WriteString(accents.Replace(plain))
		if !found {
			break
		}
		name, tail, _ := strings.Cut(after, "}")
		b.WriteString("{" + name + "}")
		rest = tail
	}
	b.WriteString(strings.Repeat("·", len(s)/3) + "⟧")
	return b.String()
}

// Plain lists the words of a page that a person reads and that have no accent: data, or
// words that bypass the catalogue.
func Plain(t testing.TB, page string) []string {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	var words []string
	silent := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return words
		case html.StartTagToken:
			if name, _ := z.TagName(); hidden(string(name)) {
				silent++
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); hidden(string(name)) {
				silent--
			}
		case html.TextToken:
			if silent == 0 {
				words = append(words, plain(string(z.Text()))...)
			}
		}
	}
}

func hidden(tag string) bool { return tag == "style" || tag == "script" || tag == "title" }

// address is a link as it is written out.
var address = regexp.MustCompile(`https?://\S+`)

func plain(s string) (words []string) {
	s = address.ReplaceAllString(html.UnescapeString(s), "")
	for _, w := range strings.FieldsFunc(s, func(r rune) bool {
		return r != '@' && r != '.' && r != '-' && r != ':' && r != '/' && (r < 'A' || 'Z' < r && r < 'a' || 'z' < r && r < 0x80)
	}) {
		if w = strings.Trim(w, ".:-/"); len(w) >= 2 && !strings.ContainsFunc(w, func(r rune) bool { return r >= 0x80 }) {
			words = append(words, w)
		}
	}
	return words
}
