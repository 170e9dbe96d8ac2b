package text_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/text"
)

func load(t *testing.T) *text.Catalogue {
	t.Helper()
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryLanguageSaysTheSameThings(t *testing.T) {
	c := load(t) // the loader compares keys, plural forms and placeholders
	if got := len(c.Languages()); got != 12 {
		t.Fatalf("%d languages, want 12", got)
	}
	en := c.For("en").Keys()
	for _, l := range c.Languages() {
		if got := c.For(l.Tag).Keys(); strings.Join(got, "\n") != strings.Join(en, "\n") {
			t.Errorf("%s has other keys than English", l.Tag)
		}
	}
	if c.For("ar").Dir() != "rtl" || c.For("fr").Dir() != "ltr" || c.For("ar").Lang() != "ar" {
		t.Error("directions or tags are wrong")
	}
}

// French sets a narrow no-break space before ; ! ? and a no-break space before a colon;
// straight quotes and three dots are typewriter habits in every language.
func TestTypography(t *testing.T) {
	c := load(t)
	for _, l := range c.Languages() {
		m := c.For(l.Tag)
		for _, key := range m.Keys() {
			names, _ := m.Args(key)
			var args []any
			for _, n := range names {
				args = append(args, n, 3)
			}
			s := m.Text(key, args...)
			if strings.ContainsAny(s, `'"`) || strings.Contains(s, "...") {
				t.Errorf("%s %s: straight quotes or three dots: %s", l.Tag, key, s)
			}
			if strings.TrimSpace(s) != s || strings.Contains(s, "  ") {
				t.Errorf("%s %s: stray space: %q", l.Tag, key, s)
			}
			if l.Tag != "fr" {
				continue
			}
			for _, mark := range []string{"?", "!", ";"} {
				if strings.Contains(strings.ReplaceAll(s, "\u202f"+mark, ""), mark) {
					t.Errorf("fr %s: no narrow no-break space before %s: %s", key, mark, s)
				}
			}
			if strings.Contains(strings.ReplaceAll(s, "\u00a0:", ""), ":") {
				t.Errorf("fr %s: no no-break space before a colon: %s", key, s)
			}
		}
	}
}

func TestLoaderRefuses(t *testing.T) {
	const en = `{"language.name":"English","a":"A {x}","b":{"one":"{n} b","other":"{n} bs"}}`
	for name, c := range map[string]struct{ file, body, want string }{
		"missing key":         {"fr.json", `{"language.name":"F","a":"A {x}"}`, "b: is missing"},
		"unknown key":         {"fr.json", `{"language.name":"F","a":"A {x}","b":{"one":"b","other":"b"},"c":"C"}`, "c: is unknown"},
		"other placeholder":   {"fr.json", `{"language.name":"F","a":"A {y}","b":{"one":"b","other":"b"}}`, "placeholders [y]"},
		"lost placeholder":    {"fr.json", `{"language.name":"F","a":"A","b":{"one":"b","other":"b"}}`, "placeholders []"},
		"not plural":          {"fr.json", `{"language.name":"F","a":"A {x}","b":"{n} b"}`, "plural in one language"},
		"missing form":        {"ar.json", `{"language.name":"F","a":"A {x}","b":{"one":"b","other":"b"}}`, "plural forms"},
		"form too many":       {"fr.json", `{"language.name":"F","a":"A {x}","b":{"one":"b","few":"b","other":"b"}}`, "plural forms"},
		"unknown form":        {"fr.json", `{"language.name":"F","a":"A {x}","b":{"one":"b","others":"b"}}`, "not a plural form"},
		"forms disagree":      {"fr.json", `{"language.name":"F","a":"A {x}","b":{"one":"{x}","other":"{n}"}}`, "different placeholders"},
		"duplicate key":       {"fr.json", `{"language.name":"F","a":"A {x}","a":"B {x}","b":{"one":"b","other":"b"}}`, "appears twice"},
		"stray closing brace": {"fr.json", `{"language.name":"F","a":"A x}","b":{"one":"b","other":"b"}}`, "closing brace"},
		"unclosed brace":      {"fr.json", `{"language.name":"F","a":"A {x","b":{"one":"b","other":"b"}}`, "placeholder is"},
		"capital placeholder": {"fr.json", `{"language.name":"F","a":"A {X}","b":{"one":"b","other":"b"}}`, "placeholder is"},
		"empty message":       {"fr.json", `{"language.name":"F","a":"","b":{"one":"b","other":"b"}}`, "empty"},
		"a number":            {"fr.json", `{"language.name":"F","a":1,"b":{"one":"b","other":"b"}}`, "neither text"},
		"something follows":   {"fr.json", `{"language.name":"F","a":"A {x}","b":{"one":"b","other":"b"}} {}`, "follows"},
		"not a language":      {"x y.json", `{}`, "not a language"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := text.Read(fstest.MapFS{"en.json": {Data: []byte(en)}, c.file: {Data: []byte(c.body)}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := text.Read(fstest.MapFS{"fr.json": {Data: []byte(`{}`)}}); err == nil {
		t.Error("a catalogue without English was read")
	}
}

func TestText(t *testing.T) {
	m := load(t).For("en")
	if got := m.Text("sign_in.title", "app", "Halcyon"); got != "Sign in to Halcyon" {
		t.Error(got)
	}
	for name, args := range map[string][]any{
		"missing": nil, "unknown": {"app", "x", "host", "y"}, "odd": {"app"}, "other": {"host", "x"},
	} {
		if _, err := m.Lookup("sign_in.title", args...); err == nil {
			t.Errorf("%s argument: no error", name)
		}
	}
	if _, err := m.Lookup("no.such.key"); err == nil {
		t.Error("an unknown key is no error")
	}
	if got := m.Text("no.such.key"); got != "no.such.key" {
		t.Error(got)
	}
	// A value is never read as a message.
	if got := m.Text("sign_in.title", "app", "{app}"); got != "Sign in to {app}" {
		t.Error(got)
	}
	if got := (text.Messages{}).Text("x"); got != "x" {
		t.Error(got)
	}
	if _, err := m.Lookup("time.minutes", "n", "three"); err == nil {
		t.Error("a count that is no number was accepted")
	}
}

func TestPlurals(t *testing.T) {
	c := load(t)
	for _, x := range []struct {
		lang string
		n    int
		want string
	}{
		{"en", 1, "1 minute ago"}, {"en", 0, "0 minutes ago"}, {"en", 2, "2 minutes ago"},
		{"fr", 0, "il y a 0 minute"}, {"fr", 1, "il y a 1 minute"}, {"fr", 2, "il y a 2 minutes"},
		{"ar", 1, "قبل دقيقة واحدة"}, {"ar", 2, "قبل دقيقتين"}, {"ar", 3, "قبل 3 دقائق"},
		{"ar", 10, "قبل 10 دقائق"}, {"ar", 11, "قبل 11 دقيقة"}, {"ar", 100, "قبل 100 دقيقة"}, {"ar", 103, "قبل 103 دقائق"},
	} {
		if got := c.For(x.lang).Text("time.minutes", "n", x.n); got != x.want {
			t.Errorf("%s %d: %q, want %q", x.lang, x.n, got, x.want)
		}
	}
}

func TestMatch(t *testing.T) {
	c := load(t)
	for name, x := range map[string]struct{ ui, cookie, accept, want string }{
		"nothing":                 {"", "", "", "en"},
		"header":                  {"", "", "fr-CA,fr;q=0.9,en;q=0.5", "fr"},
		"header order":            {"", "", "sw,ar;q=0.8,fr;q=0.7", "ar"},
		"regional":                {"", "", "ar-EG", "ar"},
		"refused":                 {"", "", "fr;q=0, en", "en"},
		"anything":                {"", "", "*", "en"},
		"unknown":                 {"", "", "sw", "en"},
		"cookie before header":    {"", "ar", "fr", "ar"},
		"ui_locales before all":   {"fr ar", "ar", "en", "fr"},
		"ui_locales not spoken":   {"hu", "", "fr", "fr"},
		"garbage everywhere":      {"\x00;;;", "<script>", "q=;;,,--", "en"},
		"garbage then sense":      {"%%% fr", "", "", "fr"},
		"a long header is cut":    {"", "", strings.Repeat("sw;q=0.1,", 50) + "sw," + strings.Repeat("fr,", 500), "fr"},
		"Chinese of the mainland": {"", "", "zh-CN", "zh-Hans"},
		"Portuguese anywhere":     {"", "", "pt-PT,en;q=0.5", "pt-BR"},
		"German of Austria":       {"", "", "de-AT", "de"},
		"underscore as browsers":  {"", "fr_FR", "", "fr"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.Match(x.ui, x.cookie, x.accept); got != x.want {
				t.Errorf("got %s, want %s", got, x.want)
			}
		})
	}
	if !c.Speaks("fr") || c.Speaks("fr-CA") || c.Speaks("") {
		t.Error("Speaks is not exact")
	}
}

func FuzzMatch(f *testing.F) {
	c, err := text.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("fr", "ar", "en-GB;q=0.3,*;q=0.1")
	f.Add(strings.Repeat("a-", 400), "", strings.Repeat("-", 2000))
	f.Fuzz(func(t *testing.T, ui, cookie, accept string) {
		if got := c.Match(ui, cookie, accept); !c.Speaks(got) {
			t.Fatalf("chose %q", got)
		}
	})
}

func TestFaults(t *testing.T) {
	m := load(t).For("en")
	limited := fault.ErrRateLimited
	for want, f := range map[string]*fault.Fault{
		"Too many tries. Wait a moment, then try again.": limited,
		"Too many tries. Wait 45 seconds.":               limited.After(45 * time.Second),
		"Too many tries. Wait 1 second.":                 limited.After(10 * time.Millisecond),
		"Too many tries. Wait 60 seconds.":               limited.After(time.Minute),
		"Too many tries. Wait 2 minutes.":                limited.After(61 * time.Second),
		"That code isn’t right. 1 try left.":             fault.New(fault.Unauthenticated, "code_incorrect", "").Left(1),
		m.Text("fault.internal_error"):                   fault.New(fault.Denied, "nobody_wrote_words_for_this", ""),
	} {
		if got := m.Fault(f); got != want {
			t.Errorf("%s: got %q, want %q", f.Code, got, want)
		}
	}
}

func TestFields(t *testing.T) {
	m := load(t).For("en")
	for _, x := range []struct{ field, code, want string }{
		{"password", "too_short", "Use at least 8 characters."},
		{"email", "invalid", m.Text("field.email.invalid")},
		{"first_name", "too_long", m.Text("field.too_long")},
		{"first_name", "unheard_of", m.Text("field.invalid")},
	} {
		if got := m.Field(x.field, x.code, "n", 8, "max", 256); got != x.want {
			t.Errorf("%s %s: got %q, want %q", x.field, x.code, got, x.want)
		}
	}
	// Without the number the general words do.
	if got := m.Field("password", "too_short"); got != m.Text("field.too_short") {
		t.Error(got)
	}
	if m.Event("unheard.of") != m.Text("event.other") {
		t.Error("an unknown event has no words")
	}
}
