package oauth_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/oauth"
)

func list(t testing.TB, entries ...string) oauth.AllowList {
	t.Helper()
	l, err := oauth.ParseAllowList("https://limen.example", entries)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// check judges a target, with a challenge that is in form. It takes an empty target for
// one that is not allowed.
func check(l oauth.AllowList, target string) error {
	d, err := l.Destination(target, "", oauth.Challenge("x"))
	if err == nil && d.RedirectTo() == "" {
		return oauth.ErrRedirectNotAllowed
	}
	return err
}

func TestRedirects(t *testing.T) {
	l := list(t, "https://app.example.com", "https://two.example.com:8443", "http://localhost:3000", "http://127.0.0.1:*",
		"http://[::1]:*", "com.example.app:/signed-in", "myapp://callback", "https://xn--bcher-kva.example")
	for target, want := range map[string]bool{
		"https://app.example.com":                              true,
		"https://app.example.com/":                             true,
		"https://app.example.com/cb?x=1&y=%20":                 true,
		"https://app.example.com?x=1":                          true,
		"https://app.example.com:443/cb":                       true,
		"https://app.example.com/a@b":                          true, // after the slash it is a path
		"https://app.example.com/?next=https://x.y":            true,
		"https://app.example.com//evil.example":                true, // a path of the application
		"https://two.example.com:8443/cb":                      true,
		"http://localhost:3000/cb":                             true,
		"http://127.0.0.1:1/cb":                                true,
		"http://127.0.0.1:65535/cb":                            true,
		"http://127.0.0.1/cb":                                  true,
		"http://[::1]:9/cb":                                    true,
		"com.example.app:/signed-in":                           true,
		"myapp://callback":                                     true,
		"https://xn--bcher-kva.example/cb":                     true,
		"https://two.example.com/cb":                           false, // another port
		"https://app.example.com:8443/cb":                      false,
		"http://app.example.com/cb":                            false, // another scheme
		"http://app.example.com:443/cb":                        false,
		"http://localhost/cb":                                  false,
		"http://localhost:3001/cb":                             false,
		"https://localhost:3000/cb":                            false,
		"http://127.0.0.2:1/cb":                                false,
		"com.example.app:/signed-in/":                          false, // custom schemes: the whole string
		"com.example.app:/signed-in?x=1":                       false,
		"com.example.app:/other":                               false,
		"COM.example.app:/signed-in":                           false,
		"myapp://callback/":                                    false,
		"https://example.com":                                  false, // a parent
		"https://sub.app.example.com":                          false, // a child
		"https://app.example.com.evil.example":                 false, // CVE-2021-21291, a suffix
		"https://app.example.comevil.example":                  false,
		"https://evilapp.example.com":                          false, // a prefix
		"https://evil.example/app.example.com":                 false,
		"https://app.example.com.":                             false, // the same host to DNS, another to browsers
		"https://app.example.com@evil.example":                 false, // CVE-2026-28512
		"https://app.example.com:443@evil.example":             false,
		"https://user@app.example.com":                         false,
		"https://user:pw@app.example.com":                      false,
		"https://@app.example.com":                             false,
		"https://a@b@app.example.com":                          false, // CVE-2026-7504
		"https://app.example.com@app.example.com":              false,
		`https://app.example.com\@evil.example`:                false,
		`https://evil.example\@app.example.com`:                false,
		`https:\\app.example.com`:                              false,
		`https://app.example.com\evil`:                         false,
		`\\app.example.com`:                                    false,
		"https://app.example.com/100%":                         false,
		"https://app.example.com/%zz":                          false,
		"https://app.example.com%2eevil.example":               false,
		"https://app.example.com%00.evil.example":              false,
		"https://app%2eexample.com":                            false,
		"https://app.example.com%40evil.example":               false,
		"https://evil.example%2f.app.example.com":              false,
		"https://app.example.com/\n":                           false, // CVE-2020-11053
		"https://app.example.com\t/":                           false,
		"https://app.example.com/\r\nLocation: x":              false,
		"\thttps://app.example.com":                            false,
		" https://app.example.com":                             false,
		"https://app.example.com ":                             false,
		"https://app.example.com/\x00":                         false,
		"https://app.example.com/\x7f":                         false,
		"ht\ntps://app.example.com":                            false,
		"https://app.example.com#@evil.example":                false,
		"https://app.example.com/cb#x":                         false, // RFC 6749 section 3.1.2
		"https://evil.example#https://app.example.com":         false,
		"https://evil.example?https://app.example.com":         false,
		"https://evil.example;app.example.com":                 false,
		"https://app.example.com;evil.example":                 false,
		"https://app.example.com,evil.example":                 false,
		"https://app.example.com:443:8443":                     false,
		"https://app.example.com:":                             false,
		"https://app.example.com:0443":                         false,
		"https://app.example.com:+443":                         false,
		"https://app.example.com:443x":                         false,
		"https://app.example.com:65979":                        false, // 443 in 16 bits
		"https://app.example.com:*":                            false,
		"http://127.0.0.1:*":                                   false,
		"http://127.0.0.1:0":                                   false,
		"http://127.0.0.1:65536":                               false,
		"https:app.example.com":                                false,
		"https:/app.example.com":                               false,
		"https:///app.example.com":                             false,
		"https://":                                             false,
		"https:":                                               false,
		"//app.example.com":                                    false,
		"///app.example.com":                                   false,
		"/cb":                                                  false,
		"app.example.com":                                      false,
		"":                                                     false,
		"*":                                                    false,
		"https://*.example.com":                                false,
		"https://*":                                            false,
		"HTTPS://app.example.com":                              false,
		"https://APP.example.com":                              false,
		"https://app。example。com":                              false,
		"https://\u0430pp.example.com":                         false, // Cyrillic a
		"https://app.example.com\u2044evil.example":            false, // a slash to the eye
		"https://bücher.example/cb":                            false,
		"http://0x7f.1:1/cb":                                   false,
		"http://2130706433:1/cb":                               false,
		"http://0177.0.0.1:1/cb":                               false,
		"http://127.1:1/cb":                                    false,
		"http://127.0.0.1.:1/cb":                               false,
		"http://127.0.0.1.evil.example:1/cb":                   false,
		"http://[::1%25eth0]:9/cb":                             false,
		"http://[0:0:0:0:0:0:0:1]:9/cb":                        false,
		"http://[::1]evil.example:9/cb":                        false,
		"http://[::1:9/cb":                                     false,
		"http://::1:9/cb":                                      false,
		"http://[127.0.0.1]:9/cb":                              false,
		"http://localhost.evil.example:3000/cb":                false,
		"http://localhost@evil.example:3000/cb":                false,
		"javascript:alert(1)":                                  false,
		"javascript://app.example.com/%0aalert(1)":             false,
		"data:text/html,x":                                     false,
		"blob:https://app.example.com/x":                       false,
		"file:///etc/passwd":                                   false,
		"wss://app.example.com":                                false,
		"https://app.example.com/" + strings.Repeat("a", 2048): false,
	} {
		err := check(l, target)
		if (err == nil) != want {
			t.Errorf("%.80q: %v, want allowed %v", target, err, want)
		}
		if err == nil {
			continue
		}
		f := fault.Of(err)
		if !errors.Is(err, oauth.ErrRedirectNotAllowed) || f.Kind != fault.Invalid || f.Code != "redirect_not_allowed" || f.Fields["redirect_to"] == "" {
			t.Errorf("%.80q: %+v", target, f)
		}
	}
}

func TestEmptyListAllowsNothing(t *testing.T) {
	for _, l := range []oauth.AllowList{{}, list(t)} {
		for _, target := range []string{"", "/", "https://app.example.com", "http://localhost:1", "app:/x"} {
			if check(l, target) == nil {
				t.Errorf("%q is allowed", target)
			}
		}
	}
}

func TestParseAllowListRefuses(t *testing.T) {
	for _, entry := range []string{
		"", " ", "*", "/", "app.example.com", "https://", "https://*", "https://*.example.com", "https://app.example.com/",
		"https://app.example.com/cb", "https://app.example.com?x", "https://App.example.com", "HTTPS://app.example.com",
		"https://app.example.com:*", "http://app.example.com", "http://app.example.com:*", "http://10.0.0.1:3000",
		"https://user@app.example.com", "https://app.example.com:0",
		"https://app.example.com:0443", "https://[0:0:0:0:0:0:0:1]", "https://[::1%25eth0]", "https://127.1", "https://0x7f.1", "https://2130706433", "javascript:alert(1)", "data:x", "file:///x",
		"https://bücher.example", "https://app.example.com\n", "http://[::1", "http://localhost:*/cb", "http://localhost.evil.example:1", ":x", "app:",
	} {
		if l, err := oauth.ParseAllowList("", []string{"https://ok.example", entry}); err == nil {
			t.Errorf("%q is an entry: %+v", entry, l)
		} else if detail := fault.Of(err).Detail; entry != "" && !strings.Contains(detail, "redirect") {
			t.Errorf("%q: %q", entry, detail)
		}
	}
}

func TestDestination(t *testing.T) {
	l := list(t, "https://app.example.com", "https://app.example.com:8443", "http://localhost:*", "com.example.app:/signed-in")
	challenge := oauth.Challenge("x")
	for _, c := range []struct {
		target, challenge string
		elsewhere         bool
		origin, with      string
	}{
		{"", "", false, "", ""},
		{"https://limen.example", "", false, "", "https://limen.example?code=c&state=s+1"},
		{"https://limen.example/account?x=1", "", false, "", "https://limen.example/account?code=c&state=s+1&x=1"},
		{"https://limen.example:443/", "", false, "", "https://limen.example:443/?code=c&state=s+1"},
		{"https://app.example.com/cb?x=1", challenge, true, "https://app.example.com", "https://app.example.com/cb?code=c&state=s+1&x=1"},
		{"https://app.example.com:443/cb", challenge, true, "https://app.example.com", "https://app.example.com:443/cb?code=c&state=s+1"},
		{"https://app.example.com:8443", challenge, true, "https://app.example.com:8443", "https://app.example.com:8443?code=c&state=s+1"},
		{"http://localhost:3000/cb", challenge, true, "http://localhost:3000", "http://localhost:3000/cb?code=c&state=s+1"},
		{"com.example.app:/signed-in", challenge, true, "com.example.app:", "com.example.app:/signed-in?code=c&state=s+1"},
	} {
		d, err := l.Destination(c.target, "s 1", c.challenge)
		if err != nil || d.RedirectTo() != c.target || d.Elsewhere() != c.elsewhere || d.Origin() != c.origin {
			t.Errorf("%q: %+v, %v", c.target, d, err)
		}
		if again := l.Recall(d.Encode()); again != d {
			t.Errorf("%q comes back as %+v", c.target, again)
		}
		if with, err := d.With("c"); c.target != "" && (err != nil || with != c.with) {
			t.Errorf("%q with a code is %q, %v", c.target, with, err)
		}
		if none := list(t).Recall(d.Encode()); c.elsewhere && none != (oauth.Destination{}) {
			t.Errorf("%q is no longer allowed and leads to %+v", c.target, none)
		}
	}
	for target, challenge := range map[string]string{
		"https://app.example.com/": "", "http://limen.example/": challenge, "https://limen.example:8443/": challenge, "https://limen.example.evil/": challenge,
		"https://x@limen.example/": challenge, "https://limen.example/#x": challenge, "https://limen.example/a b": challenge,
	} {
		if d, err := l.Destination(target, "", challenge); err == nil || d != (oauth.Destination{}) {
			t.Errorf("%q is allowed: %+v", target, d)
		}
	}
	if d := l.Recall("%zz"); d != (oauth.Destination{}) {
		t.Errorf("%+v", d)
	}
	for _, own := range []string{"", "https://", "https://b\u00fccher.example", "nonsense"} { // fits nothing
		l, err := oauth.ParseAllowList(own, nil)
		if err != nil || check(l, own+"/x") == nil || check(l, "https:///") == nil || check(l, ":/") == nil {
			t.Errorf("%q: %v", own, err)
		}
	}
}

// What is allowed begins with an allowed origin, letter by letter, and net/url reads the
// same host: no parser may see another one.
func FuzzRedirect(f *testing.F) {
	l := list(f, "https://app.example.com", "http://localhost:*", "com.example.app:/cb")
	for _, s := range []string{
		"https://app.example.com/cb?x=1", "https://app.example.com:443", "https://app.example.com@evil.example", `https://app.example.com\x`,
		"http://localhost:3000/x", "http://localhost:3000@evil.example", "com.example.app:/cb", "https://app.example.com?@evil.example",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if check(l, s) != nil || s == "com.example.app:/cb" {
			return
		}
		rest, secure := strings.CutPrefix(s, "https://app.example.com")
		port := ""
		if secure {
			rest = strings.TrimPrefix(rest, ":443")
		} else {
			var ok bool
			if rest, ok = strings.CutPrefix(s, "http://localhost"); !ok {
				t.Fatalf("%q is allowed", s)
			}
			if after, ok := strings.CutPrefix(rest, ":"); ok {
				rest = strings.TrimLeft(after, "0123456789")
				port = after[:len(after)-len(rest)]
			}
		}
		if rest != "" && rest[0] != '/' && rest[0] != '?' {
			t.Fatalf("%q is allowed", s)
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Fatalf("%q is allowed and no URL: %v", s, err)
		}
		if u.User != nil || u.Fragment != "" || secure && u.Hostname() != "app.example.com" || !secure && (u.Hostname() != "localhost" || u.Port() != port) {
			t.Fatalf("%q is allowed and leads to %+v", s, u)
		}
		d, err := l.Destination(s, "", oauth.Challenge("x"))
		if got := d.Origin(); err != nil || !strings.HasPrefix(s, got) || got == "" {
			t.Fatalf("the origin of %q is %q, %v", s, got, err)
		}
	})
}
