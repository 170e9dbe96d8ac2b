package factor_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/fault"
)

func codeOf(t interface{ Fatalf(string, ...any) }, err error) string {
	if err == nil {
		return ""
	}
	if !errors.Is(err, fault.ErrInvalidRequest) {
		t.Fatalf("not an invalid_request: %v", err)
	}
	fields := fault.Of(err).Fields
	if len(fields) != 1 {
		t.Fatalf("fields: %v", fields)
	}
	return fields["new_password"]
}

func TestJudge(t *testing.T) {
	leaked := func(p string) bool { return p == "password1" || p == "Zoë2024!" }
	nist := factor.Rules{MinLength: factor.NISTPasswordLength}
	about := []string{"ada.lovelace+math@example.com", "countess", "Ada", "Lovelace", "", "Jo"}
	for _, c := range []struct {
		name, password string
		rules          factor.Rules
		want           string
	}{
		{"seven", "abcdefg", factor.Rules{}, factor.CodeTooShort},
		{"eight", "abcdefgh", factor.Rules{}, ""},
		{"the setting cannot go below eight", "abcdefg", factor.Rules{MinLength: 1}, factor.CodeTooShort},
		{"fourteen for nist", "abcdefghijklmn", nist, factor.CodeTooShort},
		{"fifteen for nist", "abcdefghijklmno", nist, ""},
		{"a code point is one", strings.Repeat("🔑", 8), factor.Rules{}, ""},
		{"so is a letter that was typed as two", norm.NFD.String(strings.Repeat("é", 7)), factor.Rules{}, factor.CodeTooShort},
		{"spaces count and stay", "        ", factor.Rules{}, ""},
		{"no composition is asked", "aaaaaaaa bbbbbbb", factor.Rules{}, ""},
		{"64", strings.Repeat("x", 64), factor.Rules{MaxLength: 10}, ""},
		{"65 where 64 are allowed", strings.Repeat("x", 65), factor.Rules{MaxLength: 10}, factor.CodeTooLong},
		{"256", strings.Repeat("x", 256), factor.Rules{}, ""},
		{"257", strings.Repeat("x", 257), factor.Rules{MaxLength: 1000}, factor.CodeTooLong},
		{"1024 bytes", strings.Repeat("🔑", 256), factor.Rules{}, ""},
		{"257 once in NFC", strings.Repeat("🔑", 255) + "क़", factor.Rules{}, factor.CodeTooLong},
		{"leaked", "password1", factor.Rules{Breached: leaked}, factor.CodeBreached},
		{"leaked, in another form", norm.NFD.String("Zoë2024!"), factor.Rules{Breached: leaked}, factor.CodeBreached},
		{"no list", "password1", factor.Rules{}, ""},
		{"the address", "ada.lovelace+math@example.com", factor.Rules{}, factor.CodeContainsIdentifier},
		{"the local part", "ADALovelace-1815", factor.Rules{}, factor.CodeContainsIdentifier},
		{"the username inside", "my countess rides", factor.Rules{}, factor.CodeContainsIdentifier},
		{"the family name", "xx_lovelace_xx", factor.Rules{}, factor.CodeContainsIdentifier},
		{"a short name that carries it", "Ada12345", factor.Rules{}, factor.CodeContainsIdentifier},
		{"a short name again and again", "adaadaadaada12", factor.Rules{}, factor.CodeContainsIdentifier},
		{"a short name by the way", "armada-of-boats", factor.Rules{}, ""},
		{"two letters are no name", "joyful-jo", factor.Rules{}, ""},
		{"the domain belongs to many", "example.com-fan", factor.Rules{}, ""},
		{"a compatibility form", "ｃｏｕｎｔｅｓｓ-1815", factor.Rules{}, factor.CodeContainsIdentifier},
	} {
		if got := codeOf(t, c.rules.Judge("new_password", c.password, about...)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What is accepted keeps the lengths of D3, whatever the settings, and is never changed
// by what the person is called if it has nothing of it.
func TestJudgeKeepsTheLengths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := factor.Rules{MinLength: rapid.IntRange(-5, 400).Draw(t, "min"), MaxLength: rapid.IntRange(-5, 400).Draw(t, "max")}
		password := rapid.StringN(0, 300, -1).Draw(t, "password")
		length := utf8.RuneCountInString(norm.NFC.String(password))
		code := codeOf(t, r.Judge("new_password", password))
		if code == "" && (length < 8 || length > 256 || len(norm.NFC.String(password)) > 1024) {
			t.Fatalf("%d code points are accepted", length)
		}
		if code == factor.CodeTooLong && length <= 64 && len(password) <= 64*4 {
			t.Fatalf("%d code points are too long", length)
		}
		if code == factor.CodeTooShort && length >= 64 {
			t.Fatalf("%d code points are too short", length)
		}
		if norm.NFD.String(password) != password && code != codeOf(t, r.Judge("new_password", norm.NFD.String(password))) {
			t.Fatal("another spelling of the same text is judged otherwise")
		}
	})
}

// Whoever has a name of five letters or more cannot hide it with case or punctuation.
func TestJudgeFindsNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-zñéµ]{5,12}`).Draw(t, "name")
		hidden := strings.Join(strings.Split(name, ""), rapid.SampledFrom([]string{"", ".", "-", " "}).Draw(t, "between"))
		if rapid.Bool().Draw(t, "loud") {
			hidden = strings.ToUpper(hidden)
		}
		password := rapid.StringMatching(`[0-9!]{4,8}`).Draw(t, "before") + hidden + rapid.StringMatching(`[0-9!]{4,8}`).Draw(t, "after")
		if code := codeOf(t, factor.Rules{}.Judge("new_password", password, name+"@example.com")); code != factor.CodeContainsIdentifier {
			t.Fatalf("%q for %q: %q", password, name, code)
		}
	})
}

func FuzzJudge(f *testing.F) {
	f.Add("correct horse", "ada@example.com")
	f.Add("ada\x00\xff", "@+@")
	f.Fuzz(func(t *testing.T, password, about string) {
		err := factor.Rules{}.Judge("new_password", password, about)
		if code := codeOf(t, err); err == nil && utf8.RuneCountInString(norm.NFC.String(password)) < 8 {
			t.Fatalf("accepted: %q", code)
		}
	})
}
