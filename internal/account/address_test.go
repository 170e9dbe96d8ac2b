package account_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
)

func code(err error, field string) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Fields[field]
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, text, key string }{
		{"mara@example.com", "mara@example.com", "mara@example.com"},
		{"  mara@example.com ", "mara@example.com", "mara@example.com"},
		{"Mara.Lund+news@Example.COM", "Mara.Lund+news@Example.COM", "mara.lund+news@example.com"},
		{"o'brien/x=y!#$%&*?^_`{|}~@example.com", "o'brien/x=y!#$%&*?^_`{|}~@example.com", "o'brien/x=y!#$%&*?^_`{|}~@example.com"},
		{"m@sub.example.co.uk", "m@sub.example.co.uk", "m@sub.example.co.uk"},
		{"Jörg@Bücher.example", "Jörg@bücher.example", "jörg@xn--bcher-kva.example"},
		{"Jo\u0308rg@bu\u0308cher.example", "Jörg@bücher.example", "jörg@xn--bcher-kva.example"},
		{"m@XN--BCHER-KVA.example", "m@XN--BCHER-KVA.example", "m@xn--bcher-kva.example"},
		{"用户@例え.テスト", "用户@例え.テスト", "用户@xn--r8jz45g.xn--zckzah"},
		{"مها@مثال.إختبار", "مها@مثال.إختبار", "مها@xn--mgbh0fb.xn--kgbechtv"},
		{"m@نامه\u200cای.com", "m@نامه\u200cای.com", "m@xn--mgba3gch31f060k.com"},
		{"m@example。com", "m@example.com", "m@example.com"},
		{"m@ｅｘａｍｐｌｅ.com", "m@example.com", "m@example.com"},
		{"ｍａｒａ@example.com", "ｍａｒａ@example.com", "mara@example.com"},
		{"STRASSE@faß.example", "STRASSE@faß.example", "strasse@xn--fa-hia.example"},
		{"straße@fass.example", "straße@fass.example", "strasse@fass.example"},
		{"\u212aelvin@example.com", "Kelvin@example.com", "kelvin@example.com"}, // NFC writes the Kelvin sign as K
		{"ma\u017fke@example.com", "ma\u017fke@example.com", "maske@example.com"},
		{strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	} {
		a, err := account.ParseAddress(c.in)
		if err != nil {
			t.Errorf("ParseAddress(%q): %v %v", c.in, err, fault.Of(err).Fields)
		} else if a.Text != c.text || a.Key != c.key {
			t.Errorf("ParseAddress(%q) = %q, %q, want %q, %q", c.in, a.Text, a.Key, c.text, c.key)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	label := strings.Repeat("d", 60) + "."
	for _, c := range []struct{ in, code string }{
		{"", "required"},
		{"   ", "required"},
		{strings.Repeat("a", 65) + "@example.com", "too_long"},
		{strings.Repeat("ß", 33) + "@example.com", "too_long"},         // 66 bytes
		{strings.Repeat("\U0001f240", 8) + "@example.com", "too_long"}, // 32 bytes that fold to 72
		{"mmm@" + strings.Repeat(label, 4) + "dddd.com", "too_long"},   // 256 in all
		{"m@" + strings.Repeat(label, 4) + "dddddd.com", "invalid"},    // a domain of 254
		{strings.Repeat("a", 5000) + "@example.com", "too_long"},
		{"mara", "invalid"},
		{"mara@", "invalid"},
		{"@example.com", "invalid"},
		{"a@b@example.com", "invalid"},                                     // CVE-2026-40574
		{"a@example.com,b@example.com", "invalid"},                         // CVE-2022-35924
		{"a,b@example.com", "invalid"},                                     //
		{"a\uff0cb@example.com", "invalid"},                                // folds to a comma
		{"a\uff20b@example.com", "invalid"},                                // folds to an @
		{"a@b\uff20example.com", "invalid"},                                //
		{"a;b@example.com", "invalid"},                                     //
		{"Bob <bob@example.com>", "invalid"},                               //
		{"<bob@example.com>", "invalid"},                                   //
		{`"bob"@example.com`, "invalid"},                                   //
		{`"a@b"@example.com`, "invalid"},                                   //
		{"bob(comment)@example.com", "invalid"},                            //
		{"a b@example.com", "invalid"},                                     //
		{"a\u00a0b@example.com", "invalid"},                                // no-break space
		{"a\u00a8b@example.com", "invalid"},                                // folds to a space and a mark
		{"\u0301a@example.com", "invalid"},                                 // a mark on nothing
		{"a@example.com\n", "invalid"},                                     //
		{"a@example.com\r\nBcc: b@example.com", "invalid"},                 // header injection
		{"a\x00@example.com", "invalid"},                                   //
		{"a\x7f@example.com", "invalid"},                                   //
		{"a\u200b@example.com", "invalid"},                                 // zero width space
		{"a\u00ad@example.com", "invalid"},                                 // soft hyphen
		{"a\u202eb@example.com", "invalid"},                                // right-to-left override
		{"a\u3164@example.com", "invalid"},                                 // Hangul filler
		{"a\ufe0f@example.com", "invalid"},                                 // variation selector
		{"a\u034fb@example.com", "invalid"},                                // combining grapheme joiner
		{"a\ue000@example.com", "invalid"},                                 // private use
		{"a\u0378@example.com", "invalid"},                                 // not assigned
		{"a\xff@example.com", "invalid"},                                   // not UTF-8
		{"=?utf-8?q?bob=40evil.example=3e=00?=foo@example.com", "invalid"}, // an encoded word, RFC 2047
		{"a=?b@example.com", "invalid"},                                    // the beginning of one
		{"=?@example.com", "invalid"},                                      //
		{"a=\uff1fb@example.com", "invalid"},                               // folds to one
		{"\ufe66\uff1futf-8\uff1fq\uff1fx@example.com", "invalid"},         //
		{".a@example.com", "invalid"},                                      //
		{"a.@example.com", "invalid"},                                      //
		{"a..b@example.com", "invalid"},                                    //
		{"a\u2025b@example.com", "invalid"},                                // folds to two dots
		{"a@localhost", "invalid"},                                         //
		{"a@127.0.0.1", "invalid"},                                         //
		{"a@[127.0.0.1]", "invalid"},                                       //
		{"a@[IPv6:::1]", "invalid"},                                        //
		{"a@example.com.", "invalid"},                                      //
		{"a@.example.com", "invalid"},                                      //
		{"a@example..com", "invalid"},                                      //
		{"a@-example.com", "invalid"},                                      //
		{"a@exa_mple.com", "invalid"},                                      //
		{"a@exam ple.com", "invalid"},                                      //
		{"a@example.com/x", "invalid"},                                     //
		{"a@exam\u00adple.com", "invalid"},                                 // vanishes in UTS 46
		{"a@example\u200d.com", "invalid"},                                 // a joiner without context
		{"a@אa.com", "invalid"},                                            // the Bidi rule, RFC 5893
		{"a@xn--a.com", "invalid"},                                         // not punycode of anything
		{"a@xn--bcher-.com", "invalid"},                                    //
		{"a@" + strings.Repeat("d", 64) + ".com", "invalid"},
	} {
		a, err := account.ParseAddress(c.in)
		if got := code(err, "email"); got != c.code {
			t.Errorf("ParseAddress(%q) = %+v, %q, want %q", c.in, a, got, c.code)
		}
	}
}

// What looks alike is not the same: a letter for one never goes to the other.
func TestLookAlikesStayApart(t *testing.T) {
	for _, pair := range [][2]string{
		{"mike@example.com", "m\u0131ke@example.com"}, // dotless i: CVE-2019-19844
		{"MIKE@example.com", "m\u0131ke@example.com"},
		{"mike@example.com", "M\u0130KE@example.com"}, // I with dot above
		{"mike@github.com", "mike@g\u0131thub.com"},   // the same trick in the domain
		{"mike@GITHUB.com", "mike@G\u0130THUB.com"},
		{"paul@example.com", "p\u0430ul@example.com"},   // Cyrillic a
		{"paul@example.com", "paul@ex\u0430mple.com"},   //
		{"bob@example.com", "b\u03bfb@example.com"},     // Greek omicron
		{"lena@example.com", "\u0142ena@example.com"},   // l with stroke
		{"jose@example.com", "josé@example.com"},        //
		{"mark@example.com", "rnark@example.com"},       //
		{"a.b@gmail.com", "ab@gmail.com"},               // a provider's habit
		{"ab+x@gmail.com", "ab@gmail.com"},              //
		{"ab@gmail.com", "ab@googlemail.com"},           //
		{"a@faß.example", "a@fass.example"},             // UTS 46, non-transitional
		{"\u1d0d@example.com", "m@example.com"},         // small capital m
		{"a@example.com", "\u0251@example.com"},         // Latin alpha
		{"0@example.com", "o@example.com"},              //
		{"l@example.com", "1@example.com"},              //
		{"\u0660@example.com", "\u06f0@example.com"},    // two zeros
		{"a@xn--bcher-kva.example", "a@bucher.example"}, //
	} {
		a, err1 := account.ParseAddress(pair[0])
		b, err2 := account.ParseAddress(pair[1])
		if err1 != nil || err2 != nil {
			t.Errorf("%q, %q: %v %v", pair[0], pair[1], err1, err2)
		}
		if a.Key == b.Key {
			t.Errorf("%q and %q share the key %q", pair[0], pair[1], a.Key)
		}
	}
}

// The key of every spelling in another case is the same.
func TestAddressIgnoresCase(t *testing.T) {
	letters := rapid.Rune().Filter(func(r rune) bool { return unicode.IsLetter(r) && unicode.SimpleFold(r) != r })
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.SliceOfN(letters, 1, 8).Draw(t, "local")
		other := make([]rune, len(local))
		for i, r := range local {
			for range rapid.IntRange(0, 3).Draw(t, "steps") {
				r = unicode.SimpleFold(r)
			}
			other[i] = r
		}
		a, err1 := account.ParseAddress(string(local) + "@example.com")
		b, err2 := account.ParseAddress(string(other) + "@EXAMPLE.com")
		if err1 != nil || err2 != nil || a.Key != b.Key {
			t.Fatalf("%q: %q %v, %q: %q %v", string(local), a.Key, err1, string(other), b.Key, err2)
		}
	})
}

// addressText draws strings that are often addresses.
func addressText() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z0-9.+_-]{1,8}`),
		rapid.StringN(1, 6, 24),
		rapid.SampledFrom([]string{"ı", "İ", "ß", "ẞ", "K", "ſ", "ﬁ", "ŉ", "ͅ", "é", "e\u0301", "xn--", "xn--bcher-kva", "。", "．", "＠", "مثال", "例え", "\u200d", "ΐ", "ǰ", "ﷺ", "=", "?", "=?", "﹦", "？"}),
	)
	return rapid.Custom(func(t *rapid.T) string {
		local := strings.Join(rapid.SliceOfN(piece, 1, 4).Draw(t, "local"), "")
		domain := strings.Join(rapid.SliceOfN(piece, 1, 3).Draw(t, "domain"), rapid.SampledFrom([]string{".", "", "。"}).Draw(t, "dot"))
		return local + "@" + domain + rapid.SampledFrom([]string{"", ".com", ".Example", ".テスト"}).Draw(t, "end")
	})
}

func TestAddressIsStable(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		if holdsAddress(t, addressText().Draw(t, "address")) {
			accepted++
		}
	})
	if accepted == 0 {
		t.Error("no drawn address was accepted: the property says nothing")
	}
}

type failer interface{ Fatalf(string, ...any) }

// holdsAddress checks what is true of every input, and reports whether it was accepted.
func holdsAddress(t failer, s string) bool {
	a, err := account.ParseAddress(s)
	if err != nil {
		if code(err, "email") == "" || a != (account.Address{}) {
			t.Fatalf("ParseAddress(%q) refuses with %+v, %v", s, a, err)
		}
		return false
	}
	byKey, err := account.ParseAddress(a.Key)
	if err != nil || byKey.Key != a.Key {
		t.Fatalf("the key %q of %q parses to %+v, %v", a.Key, s, byKey, err)
	}
	byText, err := account.ParseAddress(a.Text)
	if err != nil || byText != a {
		t.Fatalf("the text of %q, %+v, parses to %+v, %v", s, a, byText, err)
	}
	for _, form := range []string{a.Text, a.Key} {
		if !utf8.ValidString(form) || strings.Count(form, "@") != 1 || len(form) > 254 || strings.ContainsAny(form, "\x00\r\n\t ,;<>\"\\") || strings.Contains(form, "=?") {
			t.Fatalf("ParseAddress(%q) lets through %q", s, form)
		}
	}
	_, domain, _ := strings.Cut(a.Key, "@")
	if strings.ContainsFunc(domain, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-.", r) }) {
		t.Fatalf("the domain of %q is %q", s, domain)
	}
	if got := account.ParseIdentifier(s); got.Kind != account.KindEmail || got.Key != a.Key {
		t.Fatalf("ParseIdentifier(%q) = %+v", s, got)
	}
	return true
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"mara@example.com", "Jörg@Bücher.example", "a@xn--bcher-kva.de", "a@xn--xn---epa.com", "ı@İ.com", "ﷺ@example.com", "ͅ@b.co", "a@b。co", "=?utf-8?q?a=40b?=@example.com", "a=？b@example.com", "﹦?@b.co"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holdsAddress(t, s) })
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"mara@example.com", "m•••@example.com"},
		{"ma@example.com", "m•••@example.com"},
		{"m@example.com", "•••@example.com"},
		{"e\u0301@example.com", "•••@example.com"}, // one letter and its mark
		{"e\u0301a@example.com", "e\u0301•••@example.com"},
		{"用户@例え.テスト", "用•••@例え.テスト"},
		{"مها@example.com", "\u2068م\u2069•••@\u2068example.com\u2069"},
		{"م@مثال.إختبار", "•••@\u2068مثال.إختبار\u2069"},
		{"mara@مثال.إختبار", "\u2068m\u2069•••@\u2068مثال.إختبار\u2069"},
		{"", "•••"},
		{"mara", "•••"},
		{"@example.com", "•••@example.com"},
	} {
		if got := account.Mask(c.in); got != c.want {
			t.Errorf("Mask(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// A mask never holds more of the local part than its first letter, nor its length.
func TestMaskHides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, err := account.ParseAddress(addressText().Draw(t, "address"))
		if err != nil {
			t.Skip("no address")
		}
		at := strings.LastIndexByte(a.Text, '@')
		local, domain := a.Text[:at], a.Text[at:]
		masked := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(account.Mask(a.Text))
		shown, rest, ok := strings.Cut(masked, "•••")
		if !ok || rest != domain || !strings.HasPrefix(local, shown) {
			t.Fatalf("Mask(%q) = %q", a.Text, masked)
		}
		letters := 0
		for _, r := range shown {
			if !unicode.IsMark(r) {
				letters++
			}
		}
		if letters > 1 || shown == local {
			t.Fatalf("Mask(%q) shows %q", a.Text, shown)
		}
	})
}
