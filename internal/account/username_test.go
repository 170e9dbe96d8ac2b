package account_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/account"
)

func TestParseUsername(t *testing.T) {
	for _, c := range []struct{ in, text, key string }{
		{"mara", "mara", "mara"},
		{" Mara_Lund-7.x ", "Mara_Lund-7.x", "mara_lund-7.x"},
		{"007", "007", "007"},
		{"ab7", "ab7", "ab7"},
		{"Jörg", "Jörg", "jörg"},
		{"Jo\u0308rg", "Jörg", "jörg"},
		{"ｍａｒａ", "mara", "mara"},
		{"ⓜⓐⓡⓐ", "mara", "mara"},
		{"\u212aelvin", "Kelvin", "kelvin"},
		{"Straße", "Straße", "strasse"},
		{"ΟΔΥΣΣΕΥΣ", "ΟΔΥΣΣΕΥΣ", "οδυσσευσ"},
		{"Οδυσσεύς", "Οδυσσεύς", "οδυσσεύσ"},
		{"Мария", "Мария", "мария"},
		{"مريم", "مريم", "مريم"},
		{"プラハ2さん", "プラハ2さん", "プラハ2さん"},
		{"山田タロウ", "山田タロウ", "山田タロウ"},
		{"김철수", "김철수", "김철수"},
		{"हिन्दी", "हिन्दी", "हिन्दी"},
		{"m\u0131ke", "m\u0131ke", "m\u0131ke"},
		{strings.Repeat("a", 32), strings.Repeat("a", 32), strings.Repeat("a", 32)},
	} {
		u, err := account.ParseUsername(c.in)
		if err != nil {
			t.Errorf("ParseUsername(%q): %q", c.in, code(err, "username"))
		} else if u.Text != c.text || u.Key != c.key {
			t.Errorf("ParseUsername(%q) = %q, %q, want %q, %q", c.in, u.Text, u.Key, c.text, c.key)
		}
	}
}

func TestParseUsernameRefuses(t *testing.T) {
	for _, c := range []struct{ in, code string }{
		{"", "required"},
		{"  ", "required"},
		{"ab", "too_short"},
		{"日本", "too_short"},
		{strings.Repeat("a", 33), "too_long"},
		{strings.Repeat("ß", 17), "too_long"}, // its key has 34
		{strings.Repeat("a", 4000), "too_long"},
		{"mara@example.com", "invalid"},
		{"mara\uff20lund", "invalid"}, // folds to an @
		{"mara lund", "invalid"},
		{"mara\tlund", "invalid"},
		{"mara\n", "invalid"},
		{"mara\x00", "invalid"},
		{"ma\xffra", "invalid"},
		{".mara", "invalid"},
		{"_mara", "invalid"},
		{"-mara", "invalid"},
		{"mara!", "invalid"},
		{"mara/..", "invalid"},
		{"<b>mara", "invalid"},
		{"mara\u200b", "invalid"},
		{"mara\u202e", "invalid"},
		{"mara\u3164", "invalid"},
		{"\u3164\u3164\u3164", "invalid"},
		{"mara😀", "invalid"},
		{"\u0301mara", "invalid"},
		{"mar.\u0301a", "invalid"},
		{"ma\u0301\u0302\u0303\u0304\u0305ra", "invalid"}, // climbing marks
		{"p\u0430ul", "invalid"},                          // Latin and Cyrillic
		{"b\u03bfb", "invalid"},                           // Latin and Greek
		{"mara山田", "invalid"},                             // Latin and Han
		{"김さん", "invalid"},                                // Hangul and Hiragana
		{"مريم1\u0661", "invalid"},                        // two sets of digits
		{"abc\u0661\u06f1", "invalid"},                    //
		{"admin", "reserved"},
		{"ADMIN", "reserved"},
		{"Ａｄｍｉｎ", "reserved"},
		{"ad.min", "reserved"},
		{"a-d_m.i-n", "reserved"},
		{"root", "reserved"},
		{"support", "reserved"},
		{"null", "reserved"},
		{"m.e", "reserved"},
	} {
		u, err := account.ParseUsername(c.in)
		if got := code(err, "username"); got != c.code {
			t.Errorf("ParseUsername(%q) = %+v, %q, want %q", c.in, u, got, c.code)
		}
	}
}

func TestUsernameIsStable(t *testing.T) {
	piece := rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z0-9._-]{1,6}`),
		rapid.StringOf(rapid.RuneFrom(nil, unicode.L, unicode.M, unicode.Nd)),
		rapid.SampledFrom([]string{"ß", "ŉ", "İ", "ͅ", "ΐ", "ﬁ", "٣", "ー", "々", "admin"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		holdsUsername(t, strings.Join(rapid.SliceOfN(piece, 1, 4).Draw(t, "pieces"), ""))
	})
}

// The key of every spelling in another case is the same.
func TestUsernameIgnoresCase(t *testing.T) {
	for _, table := range []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Cherokee} {
		letters := rapid.RuneFrom(nil, table).Filter(func(r rune) bool { return unicode.IsLetter(r) && unicode.SimpleFold(r) != r })
		rapid.Check(t, func(t *rapid.T) {
			name := rapid.SliceOfN(letters, 3, 8).Draw(t, "name")
			other := make([]rune, len(name))
			for i, r := range name {
				for range rapid.IntRange(0, 3).Draw(t, "steps") {
					r = unicode.SimpleFold(r)
				}
				if r == '\u0345' {
					r = 'ι' // iota's third form is a mark
				}
				other[i] = r
			}
			a, err1 := account.ParseUsername(string(name))
			b, err2 := account.ParseUsername(string(other))
			if err1 != nil && err2 != nil {
				t.Skip("refused") // reserved, or a letter that folds to another script
			}
			if err1 != nil || err2 != nil || a.Key != b.Key {
				t.Fatalf("%q: %q %v, %q: %q %v", string(name), a.Key, err1, string(other), b.Key, err2)
			}
		})
	}
}

func TestUsernameLookAlikesStayApart(t *testing.T) {
	for _, pair := range [][2]string{
		{"mike", "m\u0131ke"}, {"MIKE", "m\u0130ke"}, {"jose", "josé"}, {"paul", "pau1"}, {"ooo", "000"},
		{"\u0441\u0441\u0441", "ccc"}, // a whole word in another script: see the limits in the essay
		{"a.b-c", "abc"},
	} {
		a, err1 := account.ParseUsername(pair[0])
		b, err2 := account.ParseUsername(pair[1])
		if err1 != nil || err2 != nil || a.Key == b.Key {
			t.Errorf("%q: %q %v, %q: %q %v", pair[0], a.Key, err1, pair[1], b.Key, err2)
		}
	}
}

func holdsUsername(t failer, s string) {
	u, err := account.ParseUsername(s)
	if err != nil {
		if code(err, "username") == "" || u != (account.Username{}) {
			t.Fatalf("ParseUsername(%q) refuses with %+v, %v", s, u, err)
		}
		return
	}
	for _, again := range []string{u.Text, u.Key} {
		v, err := account.ParseUsername(again)
		if err != nil || v.Key != u.Key {
			t.Fatalf("ParseUsername(%q) = %+v, and %q parses to %+v, %v", s, u, again, v, err)
		}
		if n := utf8.RuneCountInString(again); n < 3 || n > 32 || strings.ContainsAny(again, "@ \x00/\\<>") {
			t.Fatalf("ParseUsername(%q) lets through %q", s, again)
		}
	}
	if got := account.ParseIdentifier(s); got.Kind != account.KindUsername || got.Key != u.Key {
		t.Fatalf("ParseIdentifier(%q) = %+v", s, got)
	}
}

func FuzzParseUsername(f *testing.F) {
	for _, s := range []string{"mara", "Straße", "プラハ2", "m\u0131ke", "a٣b", "ŉabc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holdsUsername(t, s) })
}

// The digit rule reads Unicode's table as runs of whole sets of ten.
func TestDigitSetsAreRunsOfTen(t *testing.T) {
	for _, r := range unicode.Nd.R16 {
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("%U..%U", r.Lo, r.Hi)
		}
	}
	for _, r := range unicode.Nd.R32 {
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("%U..%U", r.Lo, r.Hi)
		}
	}
}

func TestParseIdentifier(t *testing.T) {
	for _, c := range []struct {
		in   string
		want account.Identifier
	}{
		{"Mara@Example.com", account.Identifier{Kind: account.KindEmail, Key: "mara@example.com", Text: "Mara@Example.com"}},
		{" mara@example.com ", account.Identifier{Kind: account.KindEmail, Key: "mara@example.com", Text: "mara@example.com"}},
		{"Mara", account.Identifier{Kind: account.KindUsername, Key: "mara", Text: "Mara"}},
		{"admin", account.Identifier{Kind: account.KindUsername, Key: "admin", Text: "admin"}},
		{"", account.Identifier{}},
		{"a@b", account.Identifier{}},
		{"a@b@c.com", account.Identifier{}},
		{"x", account.Identifier{}},
		{"mara\x00", account.Identifier{}},
		{strings.Repeat("a", 100_000), account.Identifier{}},
		{strings.Repeat("a@", 50_000), account.Identifier{}},
	} {
		if got := account.ParseIdentifier(c.in); got != c.want {
			t.Errorf("ParseIdentifier(%.40q) = %+v, want %+v", c.in, got, c.want)
		}
	}
}

func TestMaskUsername(t *testing.T) {
	for name, want := range map[string]string{"": "•••", "a": "•••", "anna": "a•••", "é": "•••", "e\u0301va": "e\u0301•••", "דנה": "\u2068ד\u2069•••"} {
		if got := account.MaskUsername(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}
