package account_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/account"
)

func TestParsePhone(t *testing.T) {
	for _, c := range []struct{ in, in2, key, country, prefix string }{
		{"+41791234567", "", "+41791234567", "CH", "+4179"},
		{"079 123 45 67", "CH", "+41791234567", "CH", "+4179"},
		{"079 123 45 67", "ch", "+41791234567", "CH", "+4179"},
		{"0041 79 123 45 67", "CH", "+41791234567", "CH", "+4179"},
		{"+41 79 123 45 67", "DE", "+41791234567", "CH", "+4179"},
		{"  +41 (79) 123-45.67 ", "", "+41791234567", "CH", "+4179"},
		{"+41 (0)79 123 45 67", "", "+41791234567", "CH", "+4179"},
		{"\uff0b\uff14\uff11\uff17\uff19\uff11\uff12\uff13\uff14\uff15\uff16\uff17", "", "+41791234567", "CH", "+4179"},
		{"\u202a+41\u00a079\u2011123\u201145\u201167\u202c", "", "+41791234567", "CH", "+4179"},
		{"\u0660\u0665\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "SA", "+966501234567", "SA", "+96650"},
		{"+44 7400 123456", "", "+447400123456", "GB", "+4474"},
		{"+44 7781 123456", "", "+447781123456", "GG", "+4477"},
		{"+39 312 345 6789", "", "+393123456789", "IT", "+3931"},
		{"+7 912 345 67 89", "", "+79123456789", "RU", "+791"},
		{"+7 701 234 56 78", "", "+77012345678", "KZ", "+770"},
		{"(202) 555-0123", "US", "+12025550123", "US", "+1202"},
		{"+1 202 456 1111", "", "+12024561111", "US", "+1202"},
		{"+1 876 210 1234", "", "+18762101234", "JM", "+1876"},
		{"+352 628 123 456", "", "+352628123456", "LU", "+35262"},
		{"+881 6 123 45678", "", "+881612345678", "001", "+88161"}, // no country can be allowed for it
	} {
		p, err := account.ParsePhone(c.in, c.in2)
		if err != nil {
			t.Errorf("ParsePhone(%q, %q): %s%s", c.in, c.in2, code(err, "phone"), code(err, "country"))
			continue
		}
		if p.Key != c.key || p.Text != c.key || p.Country != c.country || p.Prefix != c.prefix {
			t.Errorf("ParsePhone(%q, %q) = %+v", c.in, c.in2, p)
		}
	}
}

func TestParsePhoneRefuses(t *testing.T) {
	for _, c := range []struct{ in, country, code string }{
		{"", "CH", "required"},
		{"   ", "", "required"},
		{strings.Repeat("1", 65), "CH", "too_long"},
		{strings.Repeat("+41791234567", 100_000), "", "too_long"},
		{"+41 79 123 45 67" + strings.Repeat(" ", 1<<20) + "1", "", "too_long"},
		{"079 123 45 67", "", "invalid"}, // national, and nobody says of where
		{"0041 79 123 45 67", "", "invalid"},
		{"++41791234567", "", "invalid"},
		{"41+791234567", "", "invalid"},
		{"+41", "", "invalid"},
		{"+", "", "invalid"},
		{"-", "CH", "invalid"},
		{"+0 123 456 789", "", "invalid"},
		{"+999 123 456 789", "", "invalid"},
		{"+41 79 123 45", "", "invalid"},
		{"+41 79 123 45 67 89 01 23", "", "invalid"},
		{"+4179123456\x00", "", "invalid"},
		{"+417912345\x0067", "", "invalid"},
		{"+41791234567\r\nBcc: x", "", "invalid"},
		{"+41791234567\n", "", "invalid"},
		{"+41791234567\t", "", "invalid"},
		{"+41 79 123 45 67 ext. 5", "", "invalid"},
		{"+41 79 123 45 67 x5", "", "invalid"},
		{"+41791234567;ext=5", "", "invalid"},
		{"+41791234567#5", "", "invalid"},
		{"+41791234567,5", "", "invalid"},
		{"tel:+41791234567", "", "invalid"},
		{"+1 800 FLOWERS", "", "invalid"},
		{"+41791234567\xff", "", "invalid"},
		{"+41 7\u2460 123 45 67", "", "invalid"},      // a circled one is no digit
		{"+41\u200b791234567", "", "invalid"},         // zero width space
		{"mara@example.com", "CH", "invalid"},         //
		{"911", "US", "invalid"},                      // emergencies and short codes
		{"112", "CH", "invalid"},                      //
		{"+1 999 999 9999", "", "invalid"},            // of no country
		{"+44 9999 999999", "", "invalid"},            //
		{"+41 44 668 18 00", "", "not_mobile"},        // fixed line
		{"+49 30 123456", "", "not_mobile"},           //
		{"+41 900 123 456", "", "not_mobile"},         // premium
		{"+1 900 234 5678", "", "not_mobile"},         //
		{"+41 848 123 456", "", "not_mobile"},         // shared cost
		{"+41 800 123 456", "", "not_mobile"},         // toll free
		{"+1 800 234 5678", "", "not_mobile"},         //
		{"+1 900 555 0123", "", "not_mobile"},         // not even as fiction
		{"+41 860 79 123 45 67", "", "not_mobile"},    // voicemail
		{"+44 70 1234 5678", "", "not_mobile"},        // personal, at premium rates
		{"+44 56 1234 5678", "", "not_mobile"},        // internet telephony
		{"+800 1234 5678", "", "not_mobile"},          // international toll free
		{"+979 123 456 789", "", "not_mobile"},        // international premium
		{"+44 7640 123456", "", "not_mobile"},         // pager
		{"+41 79 123 45 67 / 68", "", "invalid"},      // two of them
		{"\u0660\u0665\u0660\u0661", "SA", "invalid"}, // too short in any script
	} {
		p, err := account.ParsePhone(c.in, c.country)
		if got := code(err, "phone"); got != c.code {
			t.Errorf("ParsePhone(%.40q, %q) = %+v, %q, want %q", c.in, c.country, p, got, c.code)
		}
	}
	for _, country := range []string{"XX", "CHE", "C", "41", "001", "C\x00", "ZZ", "\u0421H", strings.Repeat("C", 1<<20)} {
		if _, err := account.ParsePhone("+41791234567", country); code(err, "country") != "invalid" {
			t.Errorf("country %.10q: %v", country, err)
		}
	}
}

// TestFictionalPhones: every area code has a hundred numbers for development. The codes
// that no line has (toll free, premium and their like) have none.
func TestFictionalPhones(t *testing.T) {
	parsed := 0
	for area := 200; area < 1000; area++ {
		for _, last := range []int{0, 42, 99} {
			in := fmt.Sprintf("+1 %d 555-01%02d", area, last)
			p, err := account.ParsePhone(in, "")
			switch {
			case err == nil && !account.FictionalPhone(p):
				t.Errorf("%s is not fictional", in)
			case err == nil:
				parsed++
			case code(err, "phone") != "not_mobile":
				t.Errorf("%s: %v", in, err)
			}
		}
	}
	if parsed < 3*700 {
		t.Errorf("only %d parsed", parsed)
	}
	for _, in := range []string{"+1 202 555 0123", "(415) 555-0199", "+1 999 555 0100"} {
		if p, err := account.ParsePhone(in, "US"); err != nil || !account.FictionalPhone(p) || p.Country != "US" {
			t.Errorf("%s: %+v %v", in, p, err)
		}
	}
	for _, in := range []string{"+1 202 555 0223", "+1 202 555 1123", "+1 202 456 0123", "+41 79 555 01 00", "+41791234567"} {
		if p, err := account.ParsePhone(in, ""); err != nil || account.FictionalPhone(p) {
			t.Errorf("%s: %+v %v", in, p, err)
		}
	}
	if account.FictionalPhone(account.Phone{}) {
		t.Error("no number is fictional")
	}
}

func TestMaskPhone(t *testing.T) {
	for in, want := range map[string]string{
		"+41791234512": "••••12",
		"+12025550199": "••••99",
		"+4112":        "••••",
		"12":           "••••",
		"":             "••••",
		"+4179123ab":   "••••",
		"+41791234é":   "••••",
	} {
		if got := account.MaskPhone(in); got != want {
			t.Errorf("MaskPhone(%q) = %q", in, got)
		}
	}
}

func TestCallingCountry(t *testing.T) {
	for code, want := range map[string]bool{"CH": true, "US": true, "ch": false, "": false, "001": false, "XX": false} {
		if account.CallingCountry(code) != want {
			t.Errorf("CallingCountry(%q) is not %v", code, want)
		}
	}
}

// FuzzParsePhone: what is accepted is E.164, means itself, has a country and a prefix, and
// two spellings that are equal have one key.
func FuzzParsePhone(f *testing.F) {
	for _, s := range []string{"+41791234567", "079 123 45 67", "+1 202 555 0123", "(202) 555-0123", "\uff0b41", "+41 (0)79 123 45 67", "+881612345678", "\u0660\u0665\u0660"} {
		f.Add(s, "CH")
		f.Add(s, "US")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, s, country string) {
		p, err := account.ParsePhone(s, country)
		if err != nil {
			if code(err, "phone") == "" && code(err, "country") == "" {
				t.Fatalf("%q: %v", s, err)
			}
			if p != (account.Phone{}) {
				t.Fatalf("%q refused, and %+v", s, p)
			}
			return
		}
		digits := strings.TrimPrefix(p.Key, "+")
		if p.Text != p.Key || p.Key == digits || len(digits) < 5 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
			t.Fatalf("%q gave %+v", s, p)
		}
		if !strings.HasPrefix(p.Key, p.Prefix) || len(p.Prefix) < 4 || p.Country == "" {
			t.Fatalf("%q gave %+v", s, p)
		}
		if again, err := account.ParsePhone(p.Key, ""); err != nil || again != p {
			t.Fatalf("%q gave %+v, which gave %+v, %v", s, p, again, err)
		}
		if m := account.MaskPhone(p.Text); utf8.RuneCountInString(m) != 6 || !strings.HasSuffix(p.Text, m[len(m)-2:]) {
			t.Fatalf("%q is masked %q", p.Text, m)
		}
	})
}
