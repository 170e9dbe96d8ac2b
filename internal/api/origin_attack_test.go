package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// row is a line of the route table.
type row struct{ method, path, guard string }

// rows reads the route table of a server: a rule that holds for all rows is tried on all
// of them, so that none can be forgotten. Wildcards are filled in.
func rows(t *testing.T, s *app.Server) []row {
	t.Helper()
	var out []row
	for _, line := range strings.Split(strings.TrimSpace(s.Handler.Routes()), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			t.Fatalf("row %q", line)
		}
		path := strings.NewReplacer("{id}", "ses_00000000000000000000000000", "{$}", "", "{file}", "app.css",
			"{attempt}", "att_00000000000000000000000000_AAAAAAAAAAAAAAAAAAAAAA").Replace(fields[1])
		if strings.Contains(path, "{") {
			t.Fatalf("row %q has a wildcard that this test does not know", line)
		}
		out = append(out, row{fields[0], path, strings.Join(fields[2:4], " ")})
	}
	if len(out) < 30 {
		t.Fatalf("only %d rows", len(out))
	}
	return out
}

func (r row) unsafe() bool { return r.method != "GET" }

func (r row) page() bool {
	return !strings.HasPrefix(r.path, "/v1/") && !strings.HasPrefix(r.path, "/dev/")
}

// TestEveryRowRefusesOtherOrigins: whoever sends cookies, or would be sent some, comes from
// here or from an allowed origin, on every row that changes something.
func TestEveryRowRefusesOtherOrigins(t *testing.T) {
	s := app.SQLite(t, app.Settings{"allowed-origins": "https://spa.example.com"})
	c := signedIn(t, s, "origin@example.com", "cookie")
	jar := c.Cookies()
	cookies := "limen_access=" + jar["limen_access"] + "; limen_refresh=" + jar["limen_refresh"] + "; limen_device=" + jar["limen_device"]
	before := s.Count(t)
	generation := s.Look(t, "SELECT generation FROM session")[0][0]
	tried := 0
	for _, r := range rows(t, s) {
		if !r.unsafe() {
			continue
		}
		tried++
		var body any = app.M{}
		if r.page() || strings.HasPrefix(r.path, "/dev/inbox") {
			body = url.Values{"scope": {"everywhere"}}
		}
		for name, header := range map[string][]string{
			"another site":              {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			"a sibling":                 {"Sec-Fetch-Site", "same-site", "Origin", "https://evil.localhost"},
			"an old browser":            {"Origin", "https://evil.example"},
			"null":                      {"Origin", "null"},
			"a sandboxed frame":         {"Sec-Fetch-Site", "cross-site", "Origin", "null"},
			"our name in another place": {"Origin", s.URL + ".evil.example"},
		} {
			got := s.Client(t, "").Do(r.method, r.path, body, append(header, "Cookie", cookies)...)
			if got.Status != http.StatusForbidden || len(got.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s %s from %s: %d, cookies %q", r.method, r.path, name, got.Status, got.Header["Set-Cookie"])
			}
			// A header that a form cannot send changes nothing for who would be given cookies.
			for _, delivery := range []string{"cookie", "memory"} {
				more := append(header, "Authorization", "Bearer x", "Limen-Delivery", delivery)
				if got := s.Client(t, "").Do(r.method, r.path, body, more...); got.Status != http.StatusForbidden {
					t.Errorf("%s %s from %s with Authorization, asking for cookies: %d", r.method, r.path, name, got.Status)
				}
			}
		}
		if !r.page() {
			continue
		}
		got := s.Client(t, "").Do(r.method, r.path, body, "Origin", "https://spa.example.com", "Cookie", cookies)
		if got.Status != http.StatusForbidden {
			t.Errorf("%s %s: a page was posted from an allowed origin: %d", r.method, r.path, got.Status)
		}
	}
	if tried < 20 {
		t.Errorf("only %d rows change something", tried)
	}
	after := s.Count(t)
	for table, n := range before {
		if after[table] != n {
			t.Errorf("%s: %d rows before, %d after", table, n, after[table])
		}
	}
	if now := s.Look(t, "SELECT generation FROM session")[0][0]; now != generation {
		t.Error("a request that was refused renewed the session")
	}
	// With the access cookie gone, a refused page must not renew it either.
	only := "limen_refresh=" + jar["limen_refresh"] + "; limen_device=" + jar["limen_device"]
	s.Client(t, "").Do("POST", "/sign-out", url.Values{}, "Cookie", only, "Sec-Fetch-Site", "same-site", "Origin", "https://evil.localhost").
		Want(http.StatusForbidden)
	if now := s.Look(t, "SELECT generation FROM session")[0][0]; now != generation {
		t.Error("a page that another origin posted renewed the session")
	}
	c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
}

// TestEveryGuardHolds: without credentials, with those of another kind, and with those of a
// session that has ended, every guarded row refuses.
func TestEveryGuardHolds(t *testing.T) {
	s := app.SQLite(t, manyNetworks)
	c := signedIn(t, s, "guard@example.com", "")
	_, key, err := s.Issuer.CreateServerKey(t.Context(), "metrics", []string{"metrics"}, "operator")
	if err != nil {
		t.Fatal(err)
	}
	ended := s.Client(t, "")
	ended.SignIn("guard@example.com")
	ended.Do("POST", "/v1/sign-out", nil).Want(http.StatusNoContent)
	for n, r := range rows(t, s) {
		var body any
		if r.unsafe() {
			body = app.M{}
			if r.page() {
				body = url.Values{}
			}
		}
		refused := func(who string, want []int, header ...string) {
			t.Helper()
			header = append(header, "X-Forwarded-For", network(n)) // no row spends another's tries
			got := s.Client(t, "").Do(r.method, r.path, body, header...)
			for _, status := range want {
				if got.Status == status {
					return
				}
			}
			t.Errorf("%s %s: %s is answered %d", r.method, r.path, who, got.Status)
		}
		// A page that is read sends to the sign-in.
		no := []int{http.StatusUnauthorized}
		if r.page() && !r.unsafe() {
			no = []int{http.StatusSeeOther}
		}
		switch {
		case strings.HasPrefix(r.guard, "signed in"):
			refused("nobody", no)
			refused("an ended session", no, "Authorization", "Bearer "+ended.Access)
			refused("an ended session's cookie", no, "Cookie", "limen_access="+ended.Access)
			refused("a server key", no, "Authorization", "Bearer "+key.Reveal())
			refused("a refresh token", no, "Authorization", "Bearer "+c.Refresh)
		case strings.HasPrefix(r.guard, "server key"):
			no = []int{http.StatusUnauthorized, http.StatusForbidden}
			refused("nobody", no)
			refused("a person", no, "Authorization", "Bearer "+c.Access)
			refused("a person's cookie", no, "Cookie", "limen_access="+c.Access)
			refused("a key in a cookie", no, "Cookie", "limen_access="+key.Reveal())
			if r.path != "/metrics" {
				refused("a key without the scope", no, "Authorization", "Bearer "+key.Reveal())
			}
		case strings.HasPrefix(r.guard, "development"):
			refused("another origin", []int{http.StatusForbidden}, "Origin", "http://localhost:3000")
			refused("another site", []int{http.StatusForbidden}, "Sec-Fetch-Site", "cross-site")
			refused("another port's script", []int{http.StatusForbidden}, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors")
			refused("a rebound name", []int{http.StatusForbidden}, "Host", "evil.example")
		}
	}
}

// TestEveryRowSurvivesHostileBodies sends what no client would: the answer is a refusal
// with a code, never a failure of ours, and never an echo of a password.
func TestEveryRowSurvivesHostileBodies(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "hostile@example.com", "")
		const secret = "a password that must not come back"
		s.Log.Secret(secret)
		long := strings.Repeat("x", 1<<20)
		bodies := map[string]string{
			"1 MB":               `{"password":"` + long + `"}`,
			"1 MB of name":       `{"` + long + `":1}`,
			"NUL":                `{"email":"a\u0000@example.com","identifier":"a\u0000","attempt":"\u0000","password":"` + secret + `","refresh_token":"\u0000","new_password":"\u0000","code":"\u0000","scope":"\u0000","type":"\u0000","first_name":"\u0000"}`,
			"raw NUL":            "{\"email\":\"a\x00b\",\"identifier\":\"a\x00b\",\"attempt\":\"\x00\",\"refresh_token\":\"\x00\",\"password\":\"" + secret + "\"}",
			"no UTF-8":           "{\"email\":\"a\xff@example.com\",\"identifier\":\"\xff\",\"attempt\":\"\xff\",\"refresh_token\":\"\xff\",\"password\":\"" + secret + "\"}",
			"half a pair":        `{"email":"\ud800@example.com","identifier":"\ud800","attempt":"\ud800","refresh_token":"\ud800","password":"` + secret + `"}`,
			"duplicates":         `{"email":"a@example.com","email":"b@example.com","identifier":"a","identifier":"b","attempt":"a","attempt":"b","password":"` + secret + `","password":"x","refresh_token":"a","refresh_token":"b","new_password":"a","new_password":"b","code":"1","code":"2","scope":"local","scope":"others","type":"a","type":"b","first_name":"a","first_name":"b"}`,
			"numbers":            `{"email":1,"username":2,"identifier":3,"password":4,"attempt":5,"code":123456,"refresh_token":7,"new_password":8,"scope":9,"type":10,"first_name":11,"code_verifier":1,"redirect_to":1}`,
			"objects":            `{"email":{},"username":{},"identifier":{},"password":{},"attempt":{},"code":{},"refresh_token":{},"new_password":{},"scope":{},"type":{},"first_name":{},"sign_out_others":{},"unsafe_metadata":[]}`,
			"lists":              `{"email":[],"identifier":["a"],"password":["a"],"attempt":[],"code":[],"refresh_token":[],"scope":[],"type":[],"unsafe_metadata":"text"}`,
			"another root":       `["email"]`,
			"a text":             `"email"`,
			"null":               `null`,
			"cut off":            `{"password":"` + secret,
			"two roots":          `{}{}`,
			"deep":               strings.Repeat(`{"unsafe_metadata":`, 200) + `1` + strings.Repeat(`}`, 200),
			"a BOM":              "\ufeff{}",
			"a huge number":      `{"expires_in":1e999999,"code":1e400}`,
			"prototype":          `{"__proto__":{"roles":["admin"]},"constructor":{}}`,
			"mass assignment":    `{"roles":["admin"],"id":"usr_1","email_verified":true,"banned_at":null,"password_hash":"x","epoch":9,"private_metadata":{"a":1}}`,
			"other letter cases": `{"Password":"` + secret + `","PASSWORD":"x","Identifier":"hostile@example.com","EMAIL":"x@example.com","Attempt":"a","Refresh_Token":"x","New_Password":"another threshold"}`,
		}
		broken := map[string]bool{"1 MB": true, "1 MB of name": true, "cut off": true, "two roots": true, "another root": true, "a text": true, "null": true}
		for _, r := range rows(t, s) {
			if !r.unsafe() || r.page() || strings.HasPrefix(r.path, "/dev/") {
				continue
			}
			for name, body := range bodies {
				client := s.Client(t, "")
				if r.guard == "signed in" || strings.HasPrefix(r.guard, "signed in") {
					client.Header.Set("Authorization", "Bearer "+c.Access)
				}
				if !broken[name] && (r.method == "DELETE" || r.path == "/v1/sign-out") {
					continue // the row reads next to nothing, and would do its work
				}
				got := client.Do(r.method, r.path, body)
				if got.Status >= 500 {
					t.Errorf("%s %s, %s: %d %s", r.method, r.path, name, got.Status, got.Body)
				}
				if strings.Contains(string(got.Body), secret) {
					t.Errorf("%s %s, %s: the answer echoes the password", r.method, r.path, name)
				}
				if got.Status == http.StatusTooManyRequests {
					s.Clock.Advance(10 * time.Minute)
					c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}))
				}
			}
		}
		me := c.Do("GET", "/v1/me", nil).Want(http.StatusOK).JSON()
		if roles := me["roles"].([]any); len(roles) != 1 || roles[0] != "user" {
			t.Errorf("roles: %v", roles)
		}
	})
}
