package letters_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/testkit/browser"
	"github.com/limenauth/limen/internal/text"
)

var screenshots = flag.String("screenshots", "", "write a picture of every letter into this folder")

func rendererOf(t testing.TB, app string) *letters.Renderer {
	t.Helper()
	catalogue, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	r, err := letters.NewRenderer(catalogue, app, "https://auth.example.com", "auth.example.com", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func dir(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, source := range files {
		out[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return out
}

const fine = `<html lang="{{.Lang}}" dir="{{.Dir}}"><p>{{.Heading}} {{.Lead}} {{.Code}}</p>{{if .Link}}<a href="{{.Link}}">{{.Action}}</a>{{end}}` +
	`{{range .Facts}}{{.Name}}={{.Value}} {{end}}{{.Valid}}{{.Note}}{{.Foot}}{{.App}}{{.Host}}{{.Template}}{{.Preheader}}{{.LinkHint}}{{.Subject}}`

// TestOverride: the files of an operator replace the layout and single letters, nothing
// else, and what people have chosen is as harmless in them as in ours.
func TestOverride(t *testing.T) {
	r := rendererOf(t, "<i>Hal</i>")
	err := r.Override(dir(map[string]string{
		"letter.html": "<!-- all -->" + fine, "sign_in.html": "<!-- one -->" + fine, "sign_in.txt": "Own: {{.Code}} {{.Link}} {{.App}}\n",
		"README.md": "{{.Broken", "..data": "{{.Broken",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range letters.Templates {
		m, err := r.Preview(template, "ar")
		if err != nil {
			t.Fatal(err)
		}
		// html/template drops comments, so the sources are told apart by what they lack.
		if strings.Contains(m.HTML, `class="card"`) || !strings.Contains(m.HTML, `dir="rtl"`) || strings.Contains(m.HTML, "<i>") {
			t.Errorf("%s: %s", template, m.HTML)
		}
		if own := strings.HasPrefix(m.Text, "Own: 012345 https://auth.example.com/"); own != (template == letters.SignIn) {
			t.Errorf("%s: %q", template, m.Text)
		}
	}
	// A second set takes the place of the first.
	if err := r.Override(dir(map[string]string{"code.txt": "{{.Code}}"})); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Preview(letters.SignIn, "en"); err != nil || !strings.Contains(m.HTML, `class="card"`) || strings.HasPrefix(m.Text, "Own") {
		t.Errorf("%v %s", err, m.HTML)
	}
	if m, err := r.Preview(letters.Code, "en"); err != nil || m.Text != "012345" {
		t.Errorf("%v %q", err, m.Text)
	}
}

// TestOverrideIsChecked: whatever is wrong with a file is told at the start, with its
// name, and not in the middle of the night.
func TestOverrideIsChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		file, source string
		want         []string
	}{
		"a name that is none":     {"sign-in.html", fine, []string{"sign-in.html: no letter has that name", "sign_in"}},
		"no letter":               {"nothing.html", fine, []string{"nothing.html: no letter has that name"}},
		"another kind":            {"sign_in.htm", fine, []string{"sign_in.htm: no letter has that name"}},
		"a text for all":          {"letter.txt", "x", []string{"letter.txt: no letter has that name"}},
		"broken":                  {"sign_in.html", "{{if .Code}}", []string{"sign_in.html", "unexpected EOF"}},
		"broken text":             {"sign_in.txt", "{{.Code", []string{"sign_in.txt", "unclosed action"}},
		"an unknown field":        {"letter.html", fine + "{{.Nme}}", []string{"letter.html", "can't evaluate field Nme"}},
		"an unknown field, text":  {"code.txt", "{{.Code}}{{.Nme}}", []string{"code.txt", "can't evaluate field Nme"}},
		"in a branch of the code": {"deletion.html", fine + "{{if .Code}}{{.Nme}}{{end}}", []string{"deletion.html", "can't evaluate field Nme"}},
		"in a branch without":     {"letter.html", fine + "{{if not .Link}}{{.Nme}}{{end}}", []string{"letter.html", "can't evaluate field Nme"}},
		"in a fact":               {"sign_up.html", fine + "{{range .Facts}}{{.Nme}}{{end}}", []string{"sign_up.html", "can't evaluate field Nme"}},
		"a function":              {"sign_in.html", fine + `{{env "HOME"}}`, []string{"sign_in.html", `function "env" not defined`}},
		"no code":                 {"sign_in.html", "{{.Lead}}{{.Link}}", []string{"sign_in.html: the letter sign_in does not show its code", "{{.Code}}"}},
		"no link":                 {"recover.txt", "{{.Code}}", []string{"recover.txt: the letter recover does not carry its link", "{{.Link}}"}},
		"no link in all":          {"letter.html", "{{.Lead}}{{.Code}}", []string{"letter.html: the letter sign_in does not carry its link"}},
		"empty":                   {"deletion.html", "  \n", []string{"deletion.html: the letter deletion comes out empty"}},
		"an unsafe place":         {"sign_in.html", fine + `<a href="{{.Lead}}:{{.Link}}">x</a><p style="color:{{.Note}}">`, []string{"sign_in.html: in the letter sign_in a value stands where it would not be safe"}},
		"too large":               {"sign_in.html", strings.Repeat("x", 256<<10+1), []string{"sign_in.html: it is larger than 256 KB"}},
		"too large a letter":      {"sign_in.html", fine + `{{printf "%1000000d" 1}}`, []string{"sign_in.html: a letter comes out larger than 512 KB"}},
		"not UTF-8":               {"sign_in.html", fine + "\xff", []string{"sign_in.html: it is not a text in UTF-8"}},
		"NUL":                     {"sign_in.txt", fine + "\x00", []string{"sign_in.txt: it is not a text in UTF-8"}},
		"endless":                 {"sign_in.txt", `{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, []string{"sign_in.txt", "exceeded maximum template depth"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := rendererOf(t, "Halcyon")
			err := r.Override(dir(map[string]string{tt.file: tt.source}))
			if err == nil {
				t.Fatal("nothing was said")
			}
			for _, want := range append(tt.want, "correct the file or take it out of the directory") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if m, err := r.Preview(letters.SignIn, "en"); err != nil || !strings.Contains(m.HTML, `class="card"`) {
				t.Error("the refused files are in use")
			}
		})
	}
	// Every file is told of at once.
	err := rendererOf(t, "Halcyon").Override(dir(map[string]string{"sign_in.html": "{{", "sign_up.html": "{{", "code.txt": fine}))
	if err == nil || strings.Count(err.Error(), "correct the file") != 2 {
		t.Error(err)
	}
	if err := rendererOf(t, "Halcyon").Override(os.DirFS(filepath.Join(t.TempDir(), "nowhere"))); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Error(err)
	}
}

// TestLookAlikes: what others have chosen cannot turn, hide or imitate what stands around
// it, nor become a link, however it is written.
func TestLookAlikes(t *testing.T) {
	for in, want := range map[string]string{
		"Ada":                               "Ada",
		"Zoë de l’Étoile-Ngũgĩ":             "Zoë de l’Étoile-Ngũgĩ",
		"نورا":                              "نورا",
		"می\u200cخواهم":                     "می\u200cخواهم", // Persian needs the joiner
		"क्\u200dष":                         "क्\u200dष",
		"👩\u200d🚀":                          "👩\u200d🚀",
		"Ad\u200da\u200b\u2060\ufeff\u00ad": "Ada",
		"ada\u202egnp.exe\u202c":            "adagnp. exe",
		"\u2066ada\u2069\u200f\u061c":       "ada",
		"a\r\nBcc: x\u2028y\u0085z\x00":     "a Bcc: x y z",
		"a          b\u3164\u2800":          "a b",
		"A" + strings.Repeat("\u0301", 50):  "A\u0301\u0301\u0301",
		"\U000e0041\U000e0042x":             "x",
		"click https://evil.example/a":      "click https: //evil. example/a",
		"www.evil.example":                  "www. evil. example",
		"evil\u200b.example":                "evil. example",
		"evil.\u200bexample":                "evil. example",
		"evil。example":                      "evil。 example",
		"ada@evil.example":                  "ada@ evil. example",
		`\\evil\share`:                      `\ \evil\share`,
		"J.R.R. Tolkien":                    "J. R. R. Tolkien",
		"Firefox 140.0.1":                   "Firefox 140.0.1",
		strings.Repeat("x", 500):            strings.Repeat("x", 100) + "…",
		" \t\n":                             "",
		"a\xffb":                            "ab",
	} {
		if got := letters.PlainName(in); got != want {
			t.Errorf("%+q: got %+q, want %+q", in, got, want)
		}
		if once := letters.PlainName(in); letters.PlainName(once) != once && len(in) < 400 {
			t.Errorf("%+q: a second time it is %+q", in, letters.PlainName(once))
		}
	}
	// The name of the application and the facts go the same way.
	r := rendererOf(t, "Hal\u202e\u200b"+strings.Repeat("y", 200)+"\r\nBcc: x")
	for _, template := range letters.Templates {
		m, err := r.Preview(template, "en")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{m.Subject, m.Text, m.HTML} {
			if strings.ContainsAny(part, "\u202e\u200b") || strings.Contains(part, strings.Repeat("y", 65)) || strings.Contains(part, "Bcc") {
				t.Fatalf("%s: %q", template, part)
			}
		}
	}
	hostile := letters.Facts{When: time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC), Device: "x\nWhen: never\u202e https://evil.example", Place: "evil.example", Address: "a\u200b•••@x.test\r\nCode: 1"}
	html, plain, err := letters.WithFacts(r, letters.NewDevice, hostile)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{html, plain} {
		for _, bad := range []string{"\u202e", "\u200b", "https://evil", "evil.example", "\nWhen: never", "\nCode: 1"} {
			if strings.Contains(part, bad) {
				t.Errorf("%q stands in %s", bad, part)
			}
		}
	}
}

// FuzzForeignText: whatever somebody is called, it is one short line that can be read and
// that nothing makes a link of, and a second pass changes nothing.
func FuzzForeignText(f *testing.F) {
	for _, seed := range []string{"Ada", "https://evil.example", "a\u202eb", "..x", ":/:/", "//\\\\", "می\u200cخواهم", "a@@b.c", "\xff\x00\r\n", ". x.y"} {
		f.Add(seed)
	}
	addresses := regexp.MustCompile(`(?i)\w:/|[.。．｡]\pL|\S//|@[^\s…]`)
	f.Fuzz(func(t *testing.T, s string) {
		got := letters.PlainName(s)
		switch {
		case !utf8.ValidString(got), utf8.RuneCountInString(got) > 101, strings.ContainsFunc(got, unicode.IsControl):
			t.Errorf("%+q: %+q", s, got)
		case strings.ContainsAny(got, "\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff"):
			t.Errorf("%+q: %+q hides something", s, got)
		case addresses.MatchString(got):
			t.Errorf("%+q: %+q becomes a link", s, got)
		case utf8.RuneCountInString(got) < 90 && letters.PlainName(got) != got:
			t.Errorf("%+q: %+q, then %+q", s, got, letters.PlainName(got))
		}
	})
}

// TestLettersInABrowser looks at every kind of letter as mail programs show it: wide and
// narrow, light and dark, in both directions. axe-core finds nothing and nothing sticks
// out.
func TestLettersInABrowser(t *testing.T) {
	r := rendererOf(t, "Halcyon")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		m, err := r.Preview(letters.Template(q.URL.Query().Get("t")), q.URL.Query().Get("l"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write([]byte(m.HTML))
	}))
	defer server.Close()
	tab := browser.New(t).Tab(t)
	for _, template := range []letters.Template{letters.Code, letters.SignIn, letters.NewDevice, letters.NoAccount} {
		for _, lang := range []string{"en", "ar"} {
			tab.Size(900, 700)
			if status := tab.Open(server.URL + "/?t=" + string(template) + "&l=" + lang); status != http.StatusOK {
				t.Fatal(status)
			}
			for _, width := range []int{900, 360} {
				for _, scheme := range []string{"light", "dark"} {
					name := strings.Join([]string{string(template), lang, map[int]string{900: "wide", 360: "narrow"}[width], scheme}, "-")
					tab.Size(width, 700)
					tab.Media("prefers-color-scheme", scheme)
					if over := browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
						t.Errorf("%s: %d pixels stick out", name, over)
					}
					tab.Axe(name)
					if *screenshots != "" {
						tab.Screenshot(filepath.Join(*screenshots, "letter-"+name+".png"))
					}
				}
			}
		}
	}
}
