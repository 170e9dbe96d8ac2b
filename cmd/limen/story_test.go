package main_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testLog: a whole story at the most talkative level, and none of its secrets in the log.
func testLog(t *testing.T, b binary) {
	dir := t.TempDir()
	p := b.start(t, dir, "--log-level", "debug", "--redirect-allow", "https://app.example.com")
	const address, wrong, other = "mara.story@example.com", "eleven sleepy herons", "twelve patient cranes"
	secrets := map[string]string{"the address": address, "the password": password, "a wrong password": wrong, "the new password": other}
	keep := func(m M) M {
		for _, name := range []string{"access_token", "refresh_token", "device_secret", "attempt"} {
			if m.text(name) != "" {
				secrets[fmt.Sprintf("%s, the secret %d", name, len(secrets))] = m.text(name)
			}
		}
		return m
	}
	codes := regexp.MustCompile(`"code":"(\d{6})"`)
	letter := func(n int) string { // the code of the n-th letter that has one
		for range 500 {
			_, out := p.do("GET", "/dev/messages?to="+address, nil)
			if all := codes.FindAllStringSubmatch(out.text("raw"), -1); len(all) >= n {
				code := all[len(all)-n][1]
				secrets["the code "+code] = code
				return code
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("there is no letter %d", n)
		return ""
	}

	status, out := b.run(t, dir, "", "apikey", "create", "--data", dir+"/data", "--scope", "introspect", "--scope", "revocations")
	key := out[strings.LastIndex(out, "lsk_"):]
	if key = strings.TrimSpace(key); status != 0 || len(key) < 40 {
		t.Fatalf("%d %s", status, out)
	}
	secrets["the server key"] = key

	attempt := keep(p.want(t, http.StatusOK, "POST", "/v1/sign-up", M{"email": address, "password": password, "first_name": "Mara"}))
	p.want(t, http.StatusUnauthorized, "POST", "/v1/sign-in/code", M{"attempt": attempt.text("attempt"), "code": "000000"})
	grant := keep(p.want(t, http.StatusOK, "POST", "/v1/sign-in/code", M{"attempt": attempt.text("attempt"), "code": letter(1)}))
	keep(p.want(t, http.StatusOK, "POST", "/v1/sign-up", M{"email": address, "password": wrong})) // a decoy
	p.want(t, http.StatusUnauthorized, "POST", "/v1/sign-in/password", M{"identifier": address, "password": wrong})
	grant = keep(p.want(t, http.StatusOK, "POST", "/v1/token/refresh", M{"refresh_token": grant.text("refresh_token")}, "Limen-Device", grant.text("device_secret")))
	bearer := []string{"Authorization", "Bearer " + grant.text("access_token")}
	p.want(t, http.StatusOK, "GET", "/v1/me?token="+url.QueryEscape(grant.text("access_token")), nil, bearer...)
	p.want(t, http.StatusOK, "PATCH", "/v1/me", M{"last_name": "Story"}, bearer...)
	p.want(t, http.StatusOK, "POST", "/v1/token/introspect", M{"token": grant.text("access_token")}, "Authorization", "Bearer "+key)
	p.want(t, http.StatusOK, "POST", "/v1/token/introspect", M{"token": grant.text("refresh_token")}, "Authorization", "Bearer "+key)
	p.want(t, http.StatusOK, "GET", "/v1/revocations", nil, "Authorization", "Bearer "+key)
	p.want(t, http.StatusUnauthorized, "GET", "/v1/revocations", nil, "Authorization", "Bearer "+grant.text("access_token"))
	again := keep(p.want(t, http.StatusOK, "POST", "/v1/me/reauthenticate/begin", M{"type": "email_code"}, bearer...))
	grant = keep(p.want(t, http.StatusOK, "POST", "/v1/me/reauthenticate", M{"attempt": again.text("attempt"), "type": "email_code", "code": letter(2)}, bearer...))
	bearer[1] = "Bearer " + grant.text("access_token")
	grant = keep(p.want(t, http.StatusOK, "POST", "/v1/me/password", M{"current_password": password, "new_password": other}, bearer...))
	bearer[1] = "Bearer " + grant.text("access_token")

	browser := newBrowser(t, p, secrets)
	browser.post(t, "/sign-in", url.Values{"identifier": {address}, "password": {wrong}}, http.StatusUnauthorized)
	to := browser.post(t, "/sign-in?redirect_to=https%3A%2F%2Fapp.example.com%2Fdone&state=where-we-were&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		url.Values{"identifier": {address}, "password": {other}}, http.StatusSeeOther)
	secrets["the hand-over code"] = to.Query().Get("code")
	if to.Host != "app.example.com" || secrets["the hand-over code"] == "" {
		t.Fatalf("the sign-in ends at %s", to)
	}
	keep(p.want(t, http.StatusOK, "POST", "/v1/sign-in/exchange", M{
		"code": to.Query().Get("code"), "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "redirect_to": "https://app.example.com/done",
	}))
	browser.get(t, "/account")
	browser.post(t, "/sign-out", url.Values{}, http.StatusSeeOther)

	// What is broken is refused, and not repeated in the log either.
	p.want(t, http.StatusUnauthorized, "GET", "/v1/me", nil, "Authorization", "Basic "+other)
	p.do("POST", "/v1/sign-in/password", password)
	p.do("GET", "/v1/sign-in/attempts/"+attempt.text("attempt"), nil)
	p.do("GET", "/no/such/"+attempt.text("attempt"), nil)
	p.do(grant.text("refresh_token")[:20], "/v1/me", nil)
	p.want(t, http.StatusNoContent, "DELETE", "/v1/me", nil, bearer...)
	p.want(t, http.StatusUnauthorized, "POST", "/v1/token/refresh", M{"refresh_token": grant.text("refresh_token")})
	if status := p.stop(t); status != 0 {
		t.Errorf("status %d", status)
	}

	log := p.out.String()
	if strings.Count(log, "msg=request ") < 25 {
		t.Fatalf("this is no log of the story:\n%s", log)
	}
	if len(secrets) < 22 {
		t.Errorf("only %d secrets were collected", len(secrets))
	}
	for what, value := range secrets {
		if value == "" {
			t.Errorf("%s was not seen", what)
		} else if strings.Contains(log, value) || strings.Contains(log, url.QueryEscape(value)) {
			t.Errorf("%s stands in the log", what)
		}
	}
}

// browser keeps cookies and follows nothing.
type browser struct {
	*http.Client
	p       *process
	secrets map[string]string
}

func newBrowser(t *testing.T, p *process, secrets map[string]string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{Client: &http.Client{Jar: jar, CheckRedirect: stay}, p: p, secrets: secrets}
}

func (b *browser) remember(res *http.Response) {
	for _, c := range res.Cookies() {
		if c.Value != "" {
			b.secrets[fmt.Sprintf("the cookie %s, the secret %d", c.Name, len(b.secrets))] = c.Value
		}
	}
}

func (b *browser) get(t *testing.T, path string) {
	t.Helper()
	res, err := b.Get(b.p.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b.remember(res); res.StatusCode != http.StatusOK {
		t.Errorf("%s: %d", path, res.StatusCode)
	}
}

func (b *browser) post(t *testing.T, path string, form url.Values, status int) *url.URL {
	t.Helper()
	target, err := url.Parse(b.p.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range target.Query() { // the page repeats them in its form
		form[name] = values
	}
	r, err := http.NewRequest("POST", b.p.URL+target.Path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.p.URL)
	r.Header.Set("Accept", "text/html")
	res, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b.remember(res); res.StatusCode != status {
		t.Fatalf("%s: %d, want %d", path, res.StatusCode, status)
	}
	to, _ := res.Location()
	return to
}
