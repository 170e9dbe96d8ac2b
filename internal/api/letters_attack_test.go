package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// begins are the calls that write a letter to an address that anybody may type.
var begins = []string{"/v1/sign-up", "/v1/sign-in/email", "/v1/recovery"}

// TestHowAnAddressIsWrittenTellsNothing: an address in other letters is shown as it was
// typed, known or not, and the letter goes to what its owner wrote.
func TestHowAnAddressIsWrittenTellsNothing(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "known@example.com", "")
		for _, path := range begins {
			for _, typed := range [][2]string{
				{"KNOWN@Example.COM", "UNKNO@Example.COM"}, {"\uff4bnown@example.com", "\uff4bnkno@example.com"},
			} {
				s.Clock.Advance(2 * time.Hour)
				s.Inbox.Forget()
				var shown [2]string
				for i, email := range typed {
					got := s.Client(t, "").Do("POST", path, app.M{"email": email})
					shown[i] = strings.Replace(got.Text("sent_to"), "U", "K", 1)
					s.Clock.Advance(31 * time.Second)
					s.Client(t, "").Do("POST", "/v1/sign-in/attempts/"+got.Text("attempt")+"/resend", nil).Want(http.StatusAccepted)
				}
				if shown[0] != shown[1] || shown[0] == "" {
					t.Errorf("%s shows %q and %q", path, shown[0], shown[1])
				}
				if len(s.Inbox.Messages("", "")) == 0 {
					s.Letter(t, "known@example.com")
				}
				for _, m := range s.Inbox.Messages("", "") {
					if m.To == typed[0] {
						t.Errorf("%s wrote to what was typed: %s", path, m.To)
					}
				}
			}
		}
	})
}

// TestHostileFields: what makes no address, language or name is refused with its field,
// whatever it is, and nothing is written or remembered.
func TestHostileFields(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "ann@example.com", "")
		s.Letter(t, "ann@example.com")
		s.Inbox.Forget()
		before := s.Count(t)
		n := 0
		ask := func(path string, body any) *app.Answer {
			n++ // from many networks, so that none is asked to wait
			return c.Do("POST", path, body, "X-Forwarded-For", network(n%150))
		}
		bad := func(path string, body any) {
			t.Helper()
			got := ask(path, body)
			if got.Status < 400 || got.Status >= 500 || got.Status == http.StatusTooManyRequests {
				t.Errorf("%s %.80q is answered %d", path, body, got.Status)
			}
		}
		for _, email := range []string{
			"ann@example.com,eve@example.com", "ann@example.com;eve@example.com", "ann@example.com eve@example.com", "ann@example.com@eve.com",
			"ann@example.com\r\nBcc: eve@example.com", "ann\n@example.com", "ann@example.com\x00", "\u202eann@example.com", "ann@exam\u200bple.com",
			"Ann <ann@example.com>", "<ann@example.com>", "\"a b\"@example.com", "ann@[127.0.0.1]", "ann@127.0.0.1", "ann@localhost", "ann",
			"@example.com", "ann@", "ann@example..com", ".ann@example.com", "ann@example.com.", strings.Repeat("a", 65) + "@example.com",
			"ann@" + strings.Repeat("a", 250) + ".com", "ann%40example.com", "mailto:ann@example.com", "ann@-example.com", "аnn@exаmple.com\u0301\n",
		} {
			for _, path := range append(begins, "/v1/me/emails") {
				bad(path, app.M{"email": email})
			}
		}
		for _, locale := range []string{strings.Repeat("e", 60000), "en\r\nX-Evil: 1", "<script>", "../../etc/passwd", "und", "e", "\u202een", "en\x00"} {
			bad("/v1/sign-in/email", app.M{"email": "new@example.com", "create": true, "locale": locale})
			bad("/v1/recovery", app.M{"email": "new@example.com", "locale": locale})
			bad("/v1/sign-in/phone", app.M{"phone": annsPhone, "create": true, "locale": locale})
			bad("/v1/sign-up", app.M{"email": "new@example.com", "locale": locale})
		}
		for _, number := range []string{
			"+12015550123,+12015550124", "+1201555\r\n0123", "+12015550123;ext=5", "tel:+12015550123", "+1201555012", "+120155501234567890",
			"+١٢٠١٥٥٥٠١٢٣x", "911", "+\x00", strings.Repeat("1", 60000),
		} {
			bad("/v1/sign-in/phone", app.M{"phone": number})
			bad("/v1/me/phones", app.M{"phone": number})
		}
		big := strings.Repeat("x", 1<<20)
		for path, field := range map[string]string{
			"/v1/sign-in/code": "code", "/v1/sign-in/link": "token", "/v1/sign-in/link/approve": "match", "/v1/recovery/confirm": "password",
			"/v1/email/confirm": "token", "/v1/sign-in/email": "redirect_to", "/v1/recovery": "email",
		} {
			if got := ask(path, app.M{field: big}); got.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("a megabyte of %s is answered %d", field, got.Status)
			}
			bad(path, app.M{field: big[:60000]})
			bad(path, app.M{field: "a\x00b"})
		}
		for _, id := range []string{"%00", "..%2f", strings.Repeat("a", 5000), "eml_", "%ff", "'%20OR%201=1"} {
			for _, path := range []string{"/v1/me/emails/" + id + "/send", "/v1/me/phones/" + id + "/send", "/v1/sign-in/attempts/" + id + "/resend"} {
				bad(path, nil)
			}
		}
		after := s.Count(t)
		for table := range after {
			if after[table] != before[table] {
				t.Errorf("%s grew from %d to %d", table, before[table], after[table])
			}
		}
	})
}

// TestLettersLeadHome: whatever a request says of the host, every letter leads to the
// configured address, and says nothing that the request said.
func TestLettersLeadHome(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		for i, header := range [][]string{
			{"X-Forwarded-Host", "evil.example"}, {"Forwarded", "host=evil.example;proto=http"}, {"X-Original-Host", "evil.example"},
			{"Host", "127.0.0.1"}, {"X-Forwarded-Proto", "javascript"}, {"Referer", "https://evil.example/"}, {"X-Host", "evil.example"},
			{"X-Forwarded-Server", "evil.example"}, {"X-HTTP-Host-Override", "evil.example"}, {"X-Rewrite-Url", "//evil.example"},
			{"User-Agent", "<a href=https://evil.example>\r"}, {"Accept-Language", "evil.example"},
		} {
			email := network(i) + "@example.com"
			c := signedIn(t, s, email, "")
			s.Clock.Advance(time.Hour)
			s.Inbox.Forget()
			if header[0] == "User-Agent" {
				header[1] = strings.TrimSuffix(header[1], "\r")
			}
			header = append(header, "X-Forwarded-For", network(i))
			do := func(method, path string, body any) *app.Answer { return c.Do(method, path, body, header...) }
			do("POST", "/v1/sign-in/email", app.M{"email": email})
			do("POST", "/v1/recovery", app.M{"email": email})
			do("POST", "/v1/sign-up", app.M{"email": email})
			do("POST", "/v1/sign-in/email", app.M{"email": "nobody-" + email})
			c.Grant(do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": app.Password}))
			id := do("POST", "/v1/me/emails", app.M{"email": "two-" + email}).Want(http.StatusCreated).Text("id")
			do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": s.CodeFor(t, "two-"+email)}).Want(http.StatusOK)
			do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
			do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
			s.Letter(t, email)
			letters := s.Inbox.Messages("", "")
			if len(letters) < 8 {
				t.Errorf("%v: only %d letters", header, len(letters))
			}
			for _, m := range letters {
				for _, link := range m.Links {
					if !strings.HasPrefix(link, s.URL+"/") {
						t.Errorf("%v: a letter leads to %s", header, link)
					}
				}
				if strings.Contains(m.Subject+m.Text+m.HTML, "evil") {
					t.Errorf("%v: a letter says what a request said:\n%s", header, m.Text)
				}
			}
		}
	})
}
