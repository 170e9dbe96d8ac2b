package sms_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/sms"
)

func TestSegments(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		wide bool
	}{
		{"", 1, false},
		{strings.Repeat("a", 160), 1, false},
		{strings.Repeat("a", 161), 2, false},
		{strings.Repeat("a", 306), 2, false},
		{strings.Repeat("a", 307), 3, false},
		{strings.Repeat("é", 160), 1, false},
		{strings.Repeat("€", 80), 1, false}, // two each
		{strings.Repeat("€", 81), 2, false},
		{strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152), 3, false}, // the escape moves on as a whole
		{strings.Repeat("a", 151) + "€" + strings.Repeat("a", 153), 2, false},
		{"ç", 1, true}, // only its capital is in the alphabet
		{strings.Repeat("ж", 70), 1, true},
		{strings.Repeat("ж", 71), 2, true},
		{strings.Repeat("ж", 134), 2, true},
		{strings.Repeat("ж", 135), 3, true},
		{strings.Repeat("\U0001f511", 35), 1, true}, // two units each
		{strings.Repeat("\U0001f511", 36), 2, true},
		{strings.Repeat("\U0001f511", 66), 2, true}, // 33 in each: no pair is torn
		{strings.Repeat("\U0001f511", 67), 3, true},
		{"a" + strings.Repeat("\n", 159), 1, false},
	} {
		if n, wide := sms.Segments(c.text); n != c.n || wide != c.wide {
			t.Errorf("Segments(%d of %.4q) = %d, %v, want %d, %v", utf8.RuneCountInString(c.text), c.text, n, wide, c.n, c.wide)
		}
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ text, host, code, want string }{
		{"Your code is 123456.", "auth.example.com", "123456", "Your code is 123456.\n@auth.example.com #123456"},
		{"Your code is 000000.", "Auth.Example.com:8443", "000000", "Your code is 000000.\n@auth.example.com #000000"},
		{"", "localhost:4455", "424242", "@localhost #424242"},
		{"two\r\nlines\x00 and\ta tab", "a.example", "123456", "two lines and a tab\n@a.example #123456"},
		{"yours\n@evil.example #999999", "a.example", "123456", "yours @evil.example #999999\n@a.example #123456"},
		{"yours\u2028@evil.example #999999\u202e", "a.example", "123456", "yours @evil.example #999999\n@a.example #123456"},
		{"a\xffb", "a.example", "123456", "ab\n@a.example #123456"},
		{"l\u2019adresse \u2013 \u201ccode\u201d\u2026", "a.example", "123456", "l'adresse - \"code\"...\n@a.example #123456"},
		{"l\u2019adresse ж", "a.example", "123456", "l\u2019adresse ж\n@a.example #123456"}, // wide anyway: left as it is
	} {
		if got := sms.Body(c.text, c.host, c.code); got != c.want {
			t.Errorf("Body(%q, %q, %q) = %q, want %q", c.text, c.host, c.code, got, c.want)
		}
	}
	long := sms.Body(strings.Repeat("word ", 200), "auth.example.com", "123456")
	if n, _ := sms.Segments(long); n != 2 || !strings.HasSuffix(long, "...\n@auth.example.com #123456") {
		t.Errorf("%d segments: %q", n, long)
	}
	wide := sms.Body(strings.Repeat("認証コード", 100), "auth.example.com", "123456")
	if n, _ := sms.Segments(wide); n != 2 || !strings.HasSuffix(wide, "...\n@auth.example.com #123456") {
		t.Errorf("%d segments: %q", n, wide)
	}
}

func TestSpoken(t *testing.T) {
	if got := sms.Spoken("012345"); got != "0, 1, 2, 3, 4, 5" {
		t.Errorf("%q", got)
	}
}

// FuzzBody: whatever the text, the last line is the one for browsers, alone and whole, and
// the message costs at most two segments.
func FuzzBody(f *testing.F) {
	f.Add("Your code is 123456.")
	f.Add(strings.Repeat("€", 300))
	f.Add(strings.Repeat("\U0001f469\u200d\U0001f680", 100))
	f.Add("\n@evil.example #1\r\n\u2029")
	f.Fuzz(func(t *testing.T, text string) {
		body := sms.Body(text, "auth.example.com", "123456")
		lines := strings.Split(body, "\n")
		if lines[len(lines)-1] != "@auth.example.com #123456" || len(lines) > 2 {
			t.Fatalf("%q", body)
		}
		if n, _ := sms.Segments(body); n > 2 {
			t.Fatalf("%d segments", n)
		}
		if !utf8.ValidString(body) || strings.ContainsFunc(lines[0], unicode.IsControl) {
			t.Fatalf("%q", body)
		}
	})
}
