package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/testkit/browser"
)

const good = `<!doctype html><html lang="en"><title>Good</title><main><h1>Good</h1>
<form method="post"><label for="a">A</label> <input id="a" name="a"><button id="go">Go</button></form>
<p id="js" hidden>scripts run</p><script>document.getElementById("js").hidden = false</script></main>`

func serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/bad":
			fmt.Fprint(w, `<!doctype html><html><title>Bad</title><p style="color:#bbb">grey</p><input>`)
		case "/gone":
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, "gone")
		default:
			if r.Method == http.MethodPost {
				http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
				fmt.Fprintf(w, `<!doctype html><p id="got">%s</p>`, r.FormValue("a"))
				return
			}
			fmt.Fprint(w, good)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTab(t *testing.T) {
	url := serve(t)
	b := browser.New(t)
	tab := b.Tab(t)
	if got := tab.Open(url); got != 200 {
		t.Fatal(got)
	}
	tab.Axe("a good page")
	tab.Fill("#a", "first")
	tab.Fill("#a", "second")
	if got := tab.Value("#a"); got != "second" {
		t.Error(got)
	}
	picture := filepath.Join(t.TempDir(), "deep", "page.png")
	tab.Screenshot(picture)
	if data, err := os.ReadFile(picture); err != nil || !strings.HasPrefix(string(data), "\x89PNG") {
		t.Error("no picture", err)
	}
	if got := tab.Go("#go"); got != 200 || tab.Text("#got") != "second" {
		t.Error(got, tab.Text("#got"))
	}
	if len(tab.Cookies()) != 1 {
		t.Error("the cookie is not in the jar")
	}

	// The same jar beside, another jar in another tab.
	beside, other := tab.Beside(), b.Tab(t)
	beside.Open(url)
	other.Open(url)
	if len(beside.Cookies()) != 1 || len(other.Cookies()) != 0 {
		t.Errorf("beside has %v, other has %v", beside.Cookies(), other.Cookies())
	}
	if got := other.Open(url + "/gone"); got != http.StatusGone {
		t.Error(got)
	}
}

func TestEmulation(t *testing.T) {
	tab := browser.New(t).Tab(t)
	url := serve(t)
	tab.Size(390, 844)
	tab.Dark(true)
	tab.Open(url)
	if got := browser.Eval[int](tab, "innerWidth"); got > 400 && got != 980 { // no viewport meta here
		t.Error("width", got)
	}
	if !browser.Eval[bool](tab, `matchMedia("(prefers-color-scheme: dark)").matches`) {
		t.Error("not dark")
	}
	if tab.Count("#js[hidden]") != 0 {
		t.Error("the script did not run")
	}
	tab.Scripts(false)
	tab.Open(url)
	if tab.Count("#js[hidden]") != 1 {
		t.Error("the script ran")
	}
}

// What axe finds must fail the test; a checker that never complains checks nothing.
func TestAxeBites(t *testing.T) {
	tab := browser.New(t)
	fake := &recorder{TB: t}
	page := tab.Tab(fake)
	page.Open(serve(t) + "/bad")
	page.Axe("a bad page")
	for _, want := range []string{"color-contrast", "html-has-lang", "label", "landmark-one-main", "page-has-heading-one"} {
		if !strings.Contains(fake.said, "\n"+want+" ") {
			t.Errorf("axe does not complain about %s: %s", want, fake.said)
		}
	}
}

// recorder keeps failures instead of failing.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.said += fmt.Sprintf(format, args...)
}
