package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/app"
	testapp "github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/db"
	"github.com/limenauth/limen/internal/testkit/smtp"
)

const cookieHost = "auth.example.com"

// jar keeps the cookies of one browser for cookieHost, by the rules that browsers hold
// hosts to (RFC 6265bis section 5.7): who may set which name, and who sees it.
type jar map[string]string

// set takes a Set-Cookie line of a host over https, or drops it as a browser does.
func (j jar) set(host, line string) (kept bool) {
	c, err := http.ParseSetCookie(line)
	if err != nil {
		return false
	}
	domain := strings.TrimPrefix(strings.ToLower(c.Domain), ".")
	name := strings.ToLower(c.Name)
	switch {
	case domain != "" && host != domain && !strings.HasSuffix(host, "."+domain):
		return false // a domain that is not the host's own
	case strings.HasPrefix(name, "__secure-") && !c.Secure:
		return false
	case strings.HasPrefix(name, "__host-") && (!c.Secure || domain != "" || c.Path != "/"):
		return false
	case host != cookieHost && (domain == "" || !strings.HasSuffix(cookieHost, "."+domain)):
		return false // kept, and never sent to us
	}
	if c.MaxAge < 0 {
		delete(j, c.Name)
		return true
	}
	j[c.Name] = c.Value
	return true
}

func (j jar) header() string {
	var out []string
	for name, value := range j {
		out = append(out, name+"="+value)
	}
	return strings.Join(out, "; ")
}

// visitor is a browser at cookieHost.
type visitor struct {
	t       *testing.T
	handler http.Handler
	cookies jar
}

func (v visitor) post(path string, body map[string]string) (status int, answer map[string]any) {
	v.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		v.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(v.t.Context(), "POST", "https://"+cookieHost+path, strings.NewReader(string(raw)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Limen-Delivery", "cookie")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if line := v.cookies.header(); line != "" {
		r.Header.Set("Cookie", line)
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	for _, line := range w.Header()["Set-Cookie"] {
		if !v.cookies.set(cookieHost, line) {
			v.t.Errorf("a browser drops %q", line)
		}
	}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			v.t.Fatal(err)
		}
	}
	return w.Code, answer
}

// inbox sends what is due and returns the newest code and link token to an address.
func inbox(t *testing.T, a *app.App, server *smtp.Server, to string) (code, token string) {
	t.Helper()
	for {
		n, err := a.Post.SendDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	for _, m := range server.Letters() {
		if m.To != to {
			continue
		}
		if found := regexp.MustCompile(`token=(\S+)`).FindStringSubmatch(m.Text); found != nil {
			token = found[1]
		}
		if found := regexp.MustCompile(`(?m)^(\d{6})\r?$`).FindStringSubmatch(m.Text); found != nil {
			code = found[1]
		}
	}
	return code, token
}

// TestSiblingHostsPlantNoAttempt: a sibling host gives its visitor the attempt cookie of the
// attacker's own browser, genuine as it is, under every name it can. What the attacker
// began for the visitor's address is not completed by the visitor, nor is what the visitor
// begins bound to the attacker: the account has the password of its owner.
func TestSiblingHostsPlantNoAttempt(t *testing.T) {
	const sibling, owned, evil = "evil.example.com", "a threshold of granite", "a threshold of marble"
	places := map[string]map[string]string{
		"one host": nil, "a cookie domain": {"cookie-domain": "example.com"}, "other names": {"cookie-domain": "example.com", "cookie-attempt": "try"},
	}
	for name, place := range places {
		for _, engine := range []string{"sqlite", "postgres"} {
			t.Run(name+"/"+engine, func(t *testing.T) {
				server := smtp.Start(t, smtp.Options{Security: "plain"})
				settings := map[string]string{"smtp": server.URL(), "hash-memory": "19456", "hash-time": "2"}
				if engine == "postgres" {
					settings["db"], settings["root-key"] = db.Empty(t), testapp.RootKey
				}
				wire := "__Host-limen_attempt"
				for key, value := range place {
					settings[key] = value
					if key == "cookie-attempt" {
						wire = "__Host-" + value
					}
				}
				a, _ := mailing(t, app.Production, settings)
				attacker := visitor{t, a.Handler, jar{}}
				victim := visitor{t, a.Handler, jar{}}
				const email = "owner@people.org"
				signUp := func(v visitor, password string) string {
					t.Helper()
					status, answer := v.post("/v1/sign-up", map[string]string{"email": email, "password": password})
					if status != http.StatusOK || v.cookies[wire] == "" {
						t.Fatalf("%d %v %v", status, answer, v.cookies)
					}
					attempt, _ := answer["attempt"].(string)
					return attempt
				}
				signUp(attacker, evil)
				_, evilLink := inbox(t, a, server, email)
				genuine := attacker.cookies[wire]

				bare := strings.TrimPrefix(wire, "__Host-")
				for _, planted := range []string{bare, "__Secure-" + bare, "__Host-" + bare, "__host-" + bare, "__HOST-" + bare} {
					for _, attributes := range []string{"", "; Domain=example.com", "; Domain=" + sibling, "; Domain=" + cookieHost} {
						line := planted + "=" + genuine + "; Path=/; Secure" + attributes
						kept := victim.cookies.set(sibling, line)
						if kept && planted == wire {
							t.Fatalf("a browser keeps %q", line)
						}
					}
				}
				if len(victim.cookies) != 2 {
					t.Fatalf("the sibling planted %v", victim.cookies)
				}
				link := func(token string) (int, map[string]any) {
					return victim.post("/v1/sign-in/link", map[string]string{"token": token})
				}
				if status, answer := link(evilLink); status != http.StatusConflict || answer["code"] != "link_elsewhere" {
					t.Errorf("the attacker's sign-up is completed by the victim: %d %v", status, answer)
				}
				attempt := signUp(victim, owned)
				code, _ := inbox(t, a, server, email)
				if victim.cookies[wire] == genuine {
					t.Fatal("the victim's sign-up is bound to the attacker's browser")
				}
				if status, answer := attacker.post("/v1/sign-in/code", map[string]string{"attempt": attempt, "code": code}); status != http.StatusUnauthorized {
					t.Errorf("the attacker's browser completes it: %d %v", status, answer)
				}
				signUp(attacker, evil)
				if _, evilLink = inbox(t, a, server, email); evilLink == "" {
					t.Fatal("no link")
				}
				if status, answer := link(evilLink); status != http.StatusConflict || answer["code"] != "link_elsewhere" {
					t.Errorf("later, the attacker's sign-up is completed by the victim: %d %v", status, answer)
				}
				before := victim.cookies[wire]
				if status, answer := victim.post("/v1/sign-in/code", map[string]string{"attempt": attempt, "code": code}); status != http.StatusOK || answer["status"] != "complete" {
					t.Fatalf("%d %v", status, answer)
				}
				if victim.cookies[wire] == before {
					t.Error("the sign-in leaves the attempt cookie as it was")
				}
				for password, want := range map[string]int{owned: http.StatusOK, evil: http.StatusUnauthorized} {
					if status, _ := (visitor{t, a.Handler, jar{}}).post("/v1/sign-in/password", map[string]string{"identifier": email, "password": password}); status != want {
						t.Errorf("%q is answered %d", password, status)
					}
				}
			})
		}
	}
}
