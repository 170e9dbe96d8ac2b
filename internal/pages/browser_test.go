package pages_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/pages"
	"github.com/limenauth/limen/internal/testkit/browser"
)

var (
	screenshots = flag.String("screenshots", "", "write a picture of every page into this folder")
	only        = flag.String("screens", "", "look at the screens whose name begins so")
)

// policy is the content security policy that the pages must live with.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// gallery serves every fixture at /<name>?lang=, and what is posted to it as text.
func gallery(t *testing.T) string {
	t.Helper()
	r, c := renderer(t), catalogue(t)
	static := r.Static()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if a, ok := static[q.URL.Path]; ok {
			w.Header().Set("Content-Type", a.ContentType)
			w.Header().Set("Cache-Control", "max-age=60")
			_, _ = w.Write(a.Body)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		if q.Method == http.MethodPost {
			_ = q.ParseForm()
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, `<!doctype html><title>posted</title><p id="posted">%s %s</p>`, q.URL.Path, q.PostForm.Encode())
			return
		}
		if strings.HasPrefix(q.URL.Path, "/v1/sign-in/attempts/") {
			if strings.Contains(q.Header.Get("Accept"), "event-stream") { // so the screen asks
				http.Error(w, "no streams here", http.StatusServiceUnavailable)
				return
			}
			status := "pending"
			if told, err := q.Cookie("status"); err == nil { // what a test makes of it
				status = told.Value
			}
			fmt.Fprintf(w, `{"status":%q}`, status)
			return
		}
		view, ok := find(fixtures(c, q.URL.Query().Get("lang")), strings.TrimPrefix(q.URL.Path, "/"))
		if !ok {
			http.NotFound(w, q)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// A screen that goes on by itself stays to be looked at.
		_, _ = io.WriteString(w, strings.ReplaceAll(render(t, r, view), " data-go", ""))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func find(all []fixture, name string) (pages.View, bool) {
	for _, f := range all {
		if f.name == name {
			return f.view, true
		}
	}
	return nil, false
}

// TestPagesInABrowser looks at every screen as people do: wide and narrow, light and
// dark, left-to-right and right-to-left. axe-core must find nothing, nothing may stick
// out sideways, and the page may not complain about its own policy. The further states
// of a screen are looked at in two of the eight ways, or in all with -screenshots.
func TestPagesInABrowser(t *testing.T) {
	url := gallery(t)
	tab := browser.New(t).Tab(t)
	seen := map[string]bool{}
	for _, f := range fixtures(catalogue(t), "en") {
		if !strings.HasPrefix(f.name, *only) {
			continue
		}
		all := !seen[f.view.Screen()] || *screenshots != ""
		seen[f.view.Screen()] = true
		for _, lang := range []string{"en", "ar"} {
			tab.Size(1280, 900)
			if status := tab.Open(url + "/" + f.name + "?lang=" + lang); status != http.StatusOK {
				t.Fatalf("%s %s: %d", f.name, lang, status)
			}
			browser.Eval[any](tab, "document.fonts.ready.then(() => null)")
			for _, width := range []int{1280, 390} {
				for _, scheme := range []string{"light", "dark"} {
					if usual := lang == "en" && width == 1280 && scheme == "light" || lang == "ar" && width == 390 && scheme == "dark"; usual || all {
						look(t, tab, f.name, lang, width, scheme)
					}
				}
			}
		}
	}
}

func look(t *testing.T, tab *browser.Tab, screen, lang string, width int, scheme string) {
	t.Helper()
	name := fmt.Sprintf("%s-%s-%d-%s", screen, lang, width, scheme)
	tab.Size(width, 900)
	tab.Media("prefers-color-scheme", scheme, "prefers-reduced-motion", "reduce") // no colour halfway
	if over := browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		t.Errorf("%s: %d pixels stick out", name, over)
	}
	tab.Axe(name)
	if *screenshots != "" {
		tab.Screenshot(filepath.Join(*screenshots, name+".png"))
	}
}

// At 320 pixels, with text at twice its size, everything is still there (WCAG 1.4.4,
// 1.4.10).
func TestNarrowestAndLargest(t *testing.T) {
	url := gallery(t)
	tab := browser.New(t).Tab(t)
	for _, f := range fixtures(catalogue(t), "en") {
		for _, lang := range []string{"en", "de", "ar"} {
			tab.Size(320, 640)
			tab.Open(url + "/" + f.name + "?lang=" + lang)
			if over := browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("%s %s at 320: %d pixels stick out", f.name, lang, over)
			}
			tab.Size(1280, 900)
			browser.Eval[any](tab, `document.documentElement.style.fontSize = "32px", null`)
			if over := browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("%s %s with large text: %d pixels stick out", f.name, lang, over)
			}
		}
	}
}
