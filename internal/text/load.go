package text

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed locales/*.json
var locales embed.FS

// fallback is the language that every other one is measured against, and the one a
// person gets when none of theirs is spoken here.
const fallback = "en"

// Catalogue is every language, checked. It is safe for concurrent use.
type Catalogue struct {
	languages []Language // the fallback first, the others by tag
	locales   map[string]*locale
	matcher   language.Matcher
}

// Language is one entry of a language menu.
type Language struct {
	Tag  string // BCP 47
	Name string // in the language itself
	Dir  string // "ltr" or "rtl"
}

// locale is one language.
type locale struct {
	tag      language.Tag
	lang     string
	dir      string
	messages map[string]message
}

// Load reads the catalogues that are built into the program.
func Load() (*Catalogue, error) {
	sub, err := fs.Sub(locales, "locales")
	if err != nil {
		return nil, err
	}
	return Read(sub)
}

// Read reads one catalogue per *.json file at the root of fsys; the file's name is the
// language's tag. It refuses a set that breaks one of the package's invariants, and
// tells every breach at once.
func Read(fsys fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, err
	}
	c := &Catalogue{locales: map[string]*locale{}}
	var problems []error
	for _, name := range names {
		l, err := readLocale(fsys, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		c.locales[l.lang] = l
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	base, ok := c.locales[fallback]
	if !ok {
		return nil, fmt.Errorf("%s.json is missing", fallback)
	}
	for _, lang := range slices.Sorted(maps.Keys(c.locales)) {
		problems = append(problems, c.locales[lang].compare(base)...)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	c.index()
	return c, nil
}

// index builds the menu and the matcher.
func (c *Catalogue) index() {
	tags := []language.Tag{c.locales[fallback].tag}
	c.languages = []Language{c.locales[fallback].menu()}
	for _, lang := range slices.Sorted(maps.Keys(c.locales)) {
		if lang == fallback {
			continue
		}
		l := c.locales[lang]
		tags = append(tags, l.tag)
		c.languages = append(c.languages, l.menu())
	}
	c.matcher = language.NewMatcher(tags)
}

func (l *locale) menu() Language {
	return Language{Tag: l.lang, Name: Messages{l}.Text("language.name"), Dir: l.dir}
}

func readLocale(fsys fs.FS, name string) (*locale, error) {
	lang := strings.TrimSuffix(path.Base(name), ".json")
	tag, err := language.Parse(lang)
	if err != nil {
		return nil, fmt.Errorf("not a language: %w", err)
	}
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	l := &locale{tag: tag, lang: lang, dir: direction(tag)}
	l.messages, err = decode(raw)
	if err != nil {
		return nil, err
	}
	needed := formsOf(tag)
	for key, m := range l.messages {
		have := slices.Sorted(maps.Keys(m.forms))
		if m.plural && !slices.Equal(have, needed) {
			return nil, fmt.Errorf("%s: has the plural forms %v, the language needs %v", key, words(have), words(needed))
		}
	}
	return l, nil
}

// direction is read off the script, so a language needs no entry anywhere but its file.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg":
		return "rtl"
	}
	return "ltr"
}

// formsOf returns the plural forms that whole numbers take in a language.
func formsOf(tag language.Tag) []plural.Form {
	seen := map[plural.Form]bool{plural.Other: true}
	for n := range 1000 {
		seen[formOf(tag, n)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

func formOf(tag language.Tag, n int) plural.Form {
	return plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)
}

func words(fs []plural.Form) []string {
	var out []string
	for _, f := range fs {
		for word, form := range forms {
			if form == f {
				out = append(out, word)
			}
		}
	}
	return out
}

// compare lists how l differs from base in keys, in what is plural and in placeholders.
func (l *locale) compare(base *locale) []error {
	var problems []error
	complain := func(key, what string, args ...any) {
		problems = append(problems, fmt.Errorf("%s.json: %s: %s", l.lang, key, fmt.Sprintf(what, args...)))
	}
	for _, key := range slices.Sorted(maps.Keys(base.messages)) {
		want := base.messages[key]
		m, ok := l.messages[key]
		switch {
		case !ok:
			complain(key, "is missing")
		case m.plural != want.plural:
			complain(key, "is plural in one language and not in the other")
		case !slices.Equal(m.args, want.args):
			complain(key, "has the placeholders %v, English has %v", m.args, want.args)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.messages)) {
		if _, ok := base.messages[key]; !ok {
			complain(key, "is unknown to English")
		}
	}
	return problems
}

// decode reads the JSON token by token, because encoding/json lets the later of two
// equal keys win in silence.
func decode(raw []byte) (map[string]message, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := expect(dec, json.Delim('{')); err != nil {
		return nil, err
	}
	out := map[string]message{}
	for dec.More() {
		key, err := str(dec)
		if err != nil {
			return nil, err
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("%s: appears twice", key)
		}
		if out[key], err = entry(dec); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := expect(dec, json.Delim('}')); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the object")
	}
	return out, nil
}

func expect(dec *json.Decoder, want json.Delim) error {
	got, err := dec.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v where %v belongs", got, want)
	}
	return nil
}

func str(dec *json.Decoder) (string, error) {
	token, err := dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("%v where text belongs", token)
	}
	return s, nil
}

// entry reads one value: a message, or an object of plural forms.
func entry(dec *json.Decoder) (message, error) {
	token, err := dec.Token()
	if err != nil {
		return message{}, err
	}
	switch v := token.(type) {
	case string:
		pieces, err := parse(v)
		if err != nil {
			return message{}, err
		}
		m := message{forms: map[plural.Form][]Piece{plural.Other: pieces}}
		m.args = argsOf(pieces)
		return m, nil
	case json.Delim:
		if v == '{' {
			return pluralEntry(dec)
		}
	}
	return message{}, fmt.Errorf("%v is neither text nor plural forms", token)
}

func pluralEntry(dec *json.Decoder) (message, error) {
	m := message{plural: true, forms: map[plural.Form][]Piece{}}
	for dec.More() {
		word, err := str(dec)
		if err != nil {
			return message{}, err
		}
		form, known := forms[word]
		if _, twice := m.forms[form]; !known || twice {
			return message{}, fmt.Errorf("%q is not a plural form, or stands twice", word)
		}
		s, err := str(dec)
		if err != nil {
			return message{}, err
		}
		if m.forms[form], err = parse(s); err != nil {
			return message{}, fmt.Errorf("%s: %w", word, err)
		}
		args := argsOf(m.forms[form], count)
		if m.args != nil && !slices.Equal(args, m.args) {
			return message{}, fmt.Errorf("its forms have different placeholders: %v and %v", m.args, args)
		}
		m.args = args
	}
	return m, expect(dec, json.Delim('}'))
}

// argsOf returns the distinct placeholders of a message and the extra ones, sorted.
func argsOf(pieces []Piece, extra ...string) []string {
	out := slices.Clone(extra)
	for _, p := range pieces {
		if p.Arg != "" {
			out = append(out, p.Arg)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
