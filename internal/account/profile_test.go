package account_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
)

func TestProfileCheck(t *testing.T) {
	in := account.Profile{
		FirstName:      new(" Ma\u0301ra "),
		LastName:       new("O'Brien-Łukasz \u0646\u0627\u0645\u0647\u200c\u0627\u06cc"),
		Username:       new("ｍａｒａ"),
		Locale:         new("pt-br"),
		Picture:        new("https://example.com/a.png?x=1#y"),
		UnsafeMetadata: json.RawMessage(` { "theme" : "dark", "list": [ {"a":1}, {"a":2} ], "n": 1e999 } `),
	}
	want := account.Profile{
		FirstName:      new("Mára"),
		LastName:       new("O'Brien-Łukasz \u0646\u0627\u0645\u0647\u200c\u0627\u06cc"),
		Username:       new("mara"),
		Locale:         new("pt-BR"),
		Picture:        new("https://example.com/a.png?x=1#y"),
		UnsafeMetadata: json.RawMessage(`{"theme":"dark","list":[{"a":1},{"a":2}],"n":1e999}`),
	}
	got, err := in.Check()
	if err != nil || !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got), err)
	}
	if *in.FirstName != " Ma\u0301ra " {
		t.Error("Check changed what it was given")
	}
	empty := account.Profile{FirstName: new(""), LastName: new("  "), Username: new(""), Locale: new(""), Picture: new(""), UnsafeMetadata: json.RawMessage("null")}
	want = account.Profile{FirstName: new(""), LastName: new(""), Username: new(""), Locale: new(""), Picture: new(""), UnsafeMetadata: json.RawMessage("{}")}
	if got, err := empty.Check(); err != nil || !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got), err)
	}
	if got, err := (account.Profile{}).Check(); err != nil || !cmp.Equal(got, account.Profile{}) {
		t.Error(got, err)
	}
}

func TestProfileCheckNamesEveryBadField(t *testing.T) {
	_, err := account.Profile{
		FirstName: new(strings.Repeat("a", 101)), LastName: new("a\nb"), Username: new("root"), Locale: new("!"),
		Picture: new("ftp://example.com"), UnsafeMetadata: json.RawMessage(`{"a":1,"a":2}`),
	}.Check()
	want := map[string]string{
		"first_name": "too_long", "last_name": "invalid", "username": "reserved", "locale": "invalid",
		"picture": "invalid", "unsafe_metadata": "duplicate_member",
	}
	f := fault.Of(err)
	if f.Code != "invalid_request" || !cmp.Equal(f.Fields, want) {
		t.Error(f.Code, cmp.Diff(want, f.Fields))
	}
}

func TestProfileFields(t *testing.T) {
	long := "https://example.com/" + strings.Repeat("a", 2048)
	for _, c := range []struct{ field, in, code string }{
		{"first_name", strings.Repeat("é", 100), ""},
		{"first_name", strings.Repeat("e\u0301", 100), ""}, // 100 code points in NFC
		{"first_name", strings.Repeat("é", 101), "too_long"},
		{"first_name", strings.Repeat("x", 100_000), "too_long"},
		{"first_name", "a\x00b", "invalid"},
		{"first_name", "a\u0085b", "invalid"},
		{"first_name", "a\u2028b", "invalid"},
		{"first_name", "a\u202eb", "invalid"},
		{"first_name", "a\u2067b", "invalid"},
		{"first_name", "a\xffb", "invalid"},
		{"first_name", "👩‍👩‍👧", ""},
		{"first_name", "Jean-Luc d'Arc (老)", ""},
		{"locale", "fr", ""},
		{"locale", "ar-EG", ""},
		{"locale", "zh-Hant-TW", ""},
		{"locale", "en-US-u-ca-buddhist", ""},
		{"locale", "und", "invalid"},
		{"locale", "x", "invalid"},
		{"locale", "en_US", ""}, // what many programs write
		{"locale", "en\x00", "invalid"},
		{"locale", "../../etc", "invalid"},
		{"locale", "en-" + strings.Repeat("a", 40), "too_long"},
		{"picture", "https://example.com/a.png", ""},
		{"picture", "https://example.com:8443/%C3%A9", ""},
		{"picture", "http://localhost:4455/a.png", ""},
		{"picture", "http://127.0.0.1/a.png", ""},
		{"picture", "http://[::1]/a.png", ""},
		{"picture", "http://example.com/a.png", "invalid"},
		{"picture", "http://localhost.example.com/a.png", "invalid"},
		{"picture", "http://localhost@example.com/a.png", "invalid"},
		{"picture", "https://user:pw@example.com/a.png", "invalid"},
		{"picture", "https:example.com", "invalid"},
		{"picture", "https:///a.png", "invalid"},
		{"picture", "https://", "invalid"},
		{"picture", "https://:443/", "invalid"},
		{"picture", "//example.com/a.png", "invalid"},
		{"picture", "/a.png", "invalid"},
		{"picture", "javascript:alert(1)", "invalid"},
		{"picture", "data:image/png;base64,AA", "invalid"},
		{"picture", "https://example.com/\"onload=x", "invalid"},
		{"picture", "https://example.com\\@evil.example", "invalid"},
		{"picture", "https://example.com/a b", "invalid"},
		{"picture", "https://example.com/a\nb", "invalid"},
		{"picture", "https://exämple.com/", "invalid"},
		{"picture", long[:2048], ""},
		{"picture", long[:2049], "too_long"},
		{"unsafe_metadata", `{}`, ""},
		{"unsafe_metadata", `{"a":{"a":{"a":[]}},"b":[{"a":1},{"a":"a"}]}`, ""},
		{"unsafe_metadata", ``, "invalid"},
		{"unsafe_metadata", `[]`, "invalid"},
		{"unsafe_metadata", `"a"`, "invalid"},
		{"unsafe_metadata", `1`, "invalid"},
		{"unsafe_metadata", `{"a":1`, "invalid"},
		{"unsafe_metadata", `{"a":1}{}`, "invalid"},
		{"unsafe_metadata", `{a:1}`, "invalid"},
		{"unsafe_metadata", `{"a":1,}`, "invalid"},
		{"unsafe_metadata", `{"a":1,"a":1}`, "duplicate_member"},
		{"unsafe_metadata", `{"a":1,"\u0061":1}`, "duplicate_member"},
		{"unsafe_metadata", `{"x":[{"a":1,"b":2,"a":1}]}`, "duplicate_member"},
		{"unsafe_metadata", `{"x":{"y":1},"x":2}`, "duplicate_member"},
		{"unsafe_metadata", `{"a":"\u0000"}`, "invalid"},
		{"unsafe_metadata", `{"a\u0000":1}`, "invalid"},
		{"unsafe_metadata", "{\"a\":\"\x00\"}", "invalid"},
		{"unsafe_metadata", "{\"a\":\"\xff\"}", "invalid"},
		{"unsafe_metadata", `{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, ""},
		{"unsafe_metadata", `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "invalid"},
		{"unsafe_metadata", `{"a":"` + strings.Repeat("x", 8192-8) + `"}`, ""},
		{"unsafe_metadata", `{"a":"` + strings.Repeat("x", 8192-7) + `"}`, "too_long"},
	} {
		var p account.Profile
		switch c.field {
		case "first_name":
			p.FirstName = &c.in
		case "locale":
			p.Locale = &c.in
		case "picture":
			p.Picture = &c.in
		case "unsafe_metadata":
			p.UnsafeMetadata = json.RawMessage(c.in)
		}
		_, err := p.Check()
		if got := code(err, c.field); got != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s %.60q: %q, want %q", c.field, c.in, got, c.code)
		}
	}
}

// What Check returns, Check returns again.
func TestProfileCheckIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, g *rapid.Generator[string]) *string {
			if rapid.Bool().Draw(t, name+"?") {
				return nil
			}
			return new(g.Draw(t, name))
		}
		p, err := account.Profile{
			FirstName: draw("first", rapid.String()),
			Locale:    draw("locale", rapid.StringMatching(`[a-z]{2,3}(-[A-Za-z]{4})?(-[A-Z]{2})?`)),
		}.Check()
		if err != nil {
			t.Skip("refused")
		}
		again, err := p.Check()
		if err != nil || !cmp.Equal(p, again) {
			t.Fatalf("%v: %s", err, cmp.Diff(p, again))
		}
	})
}

func FuzzProfileMetadata(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"a":{"a":1}}`, `{"a":1,"a":2}`, `{"\ud800":1,"\ud801":2}`, `[[]]`, `{"a":"\u0000"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if raw == nil {
			return
		}
		p, err := account.Profile{UnsafeMetadata: raw}.Check()
		if err != nil {
			return
		}
		var object map[string]any
		if !utf8.Valid(p.UnsafeMetadata) || len(p.UnsafeMetadata) > account.MaxMetadata || !json.Valid(p.UnsafeMetadata) {
			t.Fatalf("%q becomes %q", raw, p.UnsafeMetadata)
		}
		if p.UnsafeMetadata[0] != '{' {
			t.Fatalf("%q is no object", p.UnsafeMetadata)
		}
		if err := json.Unmarshal(p.UnsafeMetadata, &object); err == nil {
			if plain, _ := json.Marshal(object); strings.Contains(string(plain), `\u0000`) {
				t.Fatalf("%q holds NUL", raw)
			}
		}
		again, err := p.Check()
		if err != nil || string(again.UnsafeMetadata) != string(p.UnsafeMetadata) {
			t.Fatalf("%q, then %q, %v", p.UnsafeMetadata, again.UnsafeMetadata, err)
		}
	})
}
