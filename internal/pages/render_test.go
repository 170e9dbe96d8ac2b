package pages_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/pages"
	"github.com/limenauth/limen/internal/text"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// hashes are left out of golden pages: a changed colour is not a changed page.
var hashes = regexp.MustCompile(`(/static/[a-z]+)\.[0-9a-f]{12}\.`)

func render(t testing.TB, r *pages.Renderer, v pages.View) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Render(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGoldenPages(t *testing.T) {
	r, c := renderer(t), catalogue(t)
	for _, lang := range []string{"en", "fr", "ar"} {
		for _, f := range fixtures(c, lang) {
			name := filepath.Join("testdata", f.name+"."+lang+".golden.html")
			got := hashes.ReplaceAllString(render(t, r, f.view), "$1.HASH.")
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatalf("%v (run with -update)", err)
			}
			if got != string(want) {
				t.Errorf("%s differs; look at it, then run with -update:\n%s", name, firstDifference(got, string(want)))
			}
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			line := func(s []string) string {
				if i < len(s) {
					return s[i]
				}
				return "(no such line)"
			}
			return "got:  " + line(g) + "\nwant: " + line(w)
		}
	}
	return ""
}

// What html/template cannot promise: the policy forbids inline style and script, the
// language and direction are declared, every page says where it is.
func TestEveryPageKeepsThePolicy(t *testing.T) {
	r, c := renderer(t), catalogue(t)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:\s[^>]*)?>[^<]|="javascript:`)
	foreign := regexp.MustCompile(`(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css|woff2?|png|svg)`)
	for _, l := range c.Languages() {
		for _, f := range fixtures(c, l.Tag) {
			page := render(t, r, f.view)
			visible := regexp.MustCompile(`&lt;[^&]*&gt;`).ReplaceAllString(page, "")
			if found := inline.FindString(visible); found != "" {
				t.Errorf("%s %s: inline %q", f.name, l.Tag, found)
			}
			if found := foreign.FindString(page); found != "" {
				t.Errorf("%s: loads from elsewhere: %q", f.name, found)
			}
			if !strings.Contains(page, `<html lang="`+l.Tag+`" dir="`+l.Dir+`"`) {
				t.Errorf("%s %s: language or direction missing", f.name, l.Tag)
			}
			if strings.Count(page, "<h1") != 1 {
				t.Errorf("%s: %d headings of the first rank", f.name, strings.Count(page, "<h1"))
			}
			if strings.Contains(page, "<no value>") || strings.Contains(page, "ZgotmplZ") {
				t.Errorf("%s %s: a hole in the page", f.name, l.Tag)
			}
		}
	}
}

// A password that was typed must not come back in any page.
func TestPasswordsAreNotEchoed(t *testing.T) {
	r, c := renderer(t), catalogue(t)
	filled := regexp.MustCompile(`type="password"[^>]*\svalue=`)
	for _, f := range fixtures(c, "en") {
		if filled.MatchString(render(t, r, f.view)) {
			t.Errorf("%s: a password field carries a value", f.name)
		}
	}
}

// The markup that password managers and phones go by (ui guide section 1.3).
func TestFormMarkup(t *testing.T) {
	r, c := renderer(t), catalogue(t)
	byName := map[string]string{}
	for _, f := range fixtures(c, "ar") {
		byName[f.name] = render(t, r, f.view)
	}
	for name, wanted := range map[string][]string{
		"sign-in": {`autocomplete="username webauthn"`, `autocomplete="current-password"`, `inputmode="email"`, `autocapitalize="none"`,
			`<form class="stack" method="post" action="/sign-in"`, `name="state" value="&#34;&gt;&lt;b&gt;"`},
		"sign-in-empty":   {`role="alert" tabindex="-1" autofocus`, `href="#identifier"`, `aria-invalid="true" aria-describedby="identifier-error"`},
		"sign-up":         {`autocomplete="new-password" minlength="8" passwordrules="minlength: 8;"`, `aria-describedby="password-hint"`, `type="email" dir="ltr"`},
		"sign-up-refused": {`aria-describedby="password-error password-hint"`, `href="#username"`, `<ul><li><a href="#email">`},
		"code":            {`inputmode="numeric"`, `autocomplete="one-time-code"`, `enterkeyhint="go"`, `action="/sign-in/code/resend"`, `dir="ltr"`, `name="attempt"`},
		"code-anywhere":   {`href="https://mail.google.com/mail/" target="_blank" rel="noreferrer"`, `data-await="/v1/sign-in/attempts/att_`, `action="/sign-in/complete"`},
		"new-password":    {`autocomplete="new-password" minlength="8" passwordrules="minlength: 8;"`, `name="token"`, `aria-describedby="new_password-hint"`},
		"link":            {`action="/sign-in/link" data-go`, `name="token"`},
		"approval":        {`inputmode="numeric" autocomplete="off"`, `name="decision" value="approve"`, `name="decision" value="deny"`},
		"approval-empty":  {`role="alert"`, `aria-describedby="match-error match-hint"`},
		"code-refused":    {`data-bad`, `aria-describedby="code-error code-hint"`},
		"account":         {`autocomplete="current-password"`, `action="/account/sessions/end"`, `value="ses_2"`, `aria-describedby="new_password-hint"`},
		"confirm":         {`<input class="gone" type="text" name="username" autocomplete="username"`, `name="send" value="code"`},
		"error-internal":  {`req_06bq3k4v9x8dtmz2w1`},
	} {
		for _, want := range wanted {
			if !strings.Contains(byName[name], want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
	if strings.Contains(byName["code"], "maxlength") || strings.Contains(byName["sign-up"], "maxlength") {
		t.Error("maxlength cuts what is pasted")
	}
	if strings.Contains(byName["link-elsewhere"], "data-go") {
		t.Error("a browser that asked for nothing goes on by itself")
	}
	if strings.Contains(byName["inbox"], "<script>alert") || strings.Contains(byName["inbox"], `href="javascript`) {
		t.Error("a letter's text became markup")
	}
	if strings.Contains(byName["sign-in"], `class="dev"`) || !strings.Contains(byName["sign-in-dev"], `class="dev"`) {
		t.Error("the development strip is on the wrong page")
	}
}

// What HTML and CSS of one page may weigh together in gzip, the only coding that the
// standard library writes. A screen of one decision stays under 8.5 KB; the account page,
// which is many forms, stays under 9.5, which is less than 8 in Brotli (7.3 for 9.0).
const (
	budget        = 8<<10 + 512
	accountBudget = 9<<10 + 512
)

func TestBudget(t *testing.T) {
	r, c := renderer(t), catalogue(t)
	css := 0
	for path, a := range r.Static() {
		t.Logf("%-36s %6d bytes, %6d compressed", path, len(a.Body), len(a.Gzip))
		if strings.HasSuffix(path, ".css") {
			css = len(a.Gzip)
		}
		if strings.HasSuffix(path, ".js") && len(a.Body) > 4<<10 {
			t.Errorf("the script has %d bytes", len(a.Body))
		}
	}
	for _, l := range c.Languages() {
		for _, f := range fixtures(c, l.Tag) {
			page := render(t, r, f.view)
			html := squash(t, page)
			t.Logf("%-24s %s %6d bytes, html %5d + css %5d = %5d compressed", f.name, l.Tag, len(page), html, css, html+css)
			limit := budget
			if _, large := f.view.(pages.Account); large {
				limit = accountBudget
			}
			if html+css > limit {
				t.Errorf("%s %s: %d bytes, more than %d", f.name, l.Tag, html+css, limit)
			}
		}
	}
}

func squash(t testing.TB, s string) int {
	t.Helper()
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

// A page that cannot be made must leave the answer untouched.
func TestRenderWritesAllOrNothing(t *testing.T) {
	r := renderer(t)
	var b bytes.Buffer
	if err := r.Render(&b, pages.SignIn{Page: pages.Page{T: text.Messages{}}}); err == nil || b.Len() > 0 {
		t.Errorf("error %v, %d bytes written", err, b.Len())
	}
	if err := r.Render(&b, strange{}); err == nil || b.Len() > 0 {
		t.Error("an unknown screen was rendered")
	}
	want := errors.New("gone")
	if err := r.Render(failing{want}, pages.SignIn{Page: page(catalogue(t), "en", "/")}); !errors.Is(err, want) {
		t.Error(err)
	}
}

type strange struct{}

func (strange) Screen() string { return "strange" }

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
