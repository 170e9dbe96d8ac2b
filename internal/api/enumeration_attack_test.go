package api_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// random is what differs from answer to answer: request ids, attempts, cookies, times.
var random = regexp.MustCompile(`req_[0-9a-z]{26}|att_[0-9a-z]{26}_[\w-]{22}|[\w-]{43}`)

// whole is everything an answer says, without what is random.
func whole(a *app.Answer, email string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		if name != "Date" {
			lines = append(lines, name+": "+strings.Join(a.Header[name], " | "))
		}
	}
	text := strings.Join(lines, "\n") + "\n" + string(a.Body)
	text = random.ReplaceAllString(text, "*")
	for _, form := range []string{email, url.QueryEscape(email)} {
		text = strings.ReplaceAll(text, form, "them")
	}
	return text
}

// TestStrangersLearnNothing asks everything that a stranger can ask about an address that
// has an account and about one that has none. Status, headers and body are the same byte
// for byte but for what is random, and so are the rows that each question leaves, so that
// neither eyes nor a clock can tell them apart.
func TestStrangersLearnNothing(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		const known, unknown = "known@example.com", "never@example.com" // of one length, with other letters
		signedIn(t, s, known, "")
		// Both were asked for once before: the first wrong codes of an address open its budget.
		attempt := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": unknown}).Want(http.StatusOK).Text("attempt")
		s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "x"}).Want(http.StatusUnauthorized, "code_incorrect")
		s.Clock.Advance(2 * time.Hour)
		for _, delivery := range []string{"token", "cookie"} {
			attempts, clients := map[string]string{}, map[string]*app.Client{}
			for _, email := range []string{known, unknown} {
				clients[email] = s.Client(t, delivery)
			}
			for _, question := range questions(attempts) {
				var said [2]string
				var left [2]map[string]int
				for i, email := range []string{known, unknown} {
					before := s.Count(t)
					answer := question.ask(clients[email], email)
					left[i] = s.Count(t)
					for table := range left[i] {
						left[i][table] -= before[table]
					}
					said[i] = mask(whole(answer, email))
				}
				if said[0] != said[1] {
					t.Errorf("%s, %s, tells them apart:\n%s\n--- and ---\n%s", delivery, question.name, said[0], said[1])
				}
				if !maps.Equal(left[0], left[1]) {
					t.Errorf("%s, %s, leaves other rows: %v and %v", delivery, question.name, left[0], left[1])
				}
			}
			s.Clock.Advance(2 * time.Hour)
		}
	})
}

type question struct {
	name string
	ask  func(c *app.Client, email string) *app.Answer
}

// questions are what a stranger can ask about an address, in this order. The attempts of a
// sign-up are kept by address.
func questions(attempts map[string]string) []question {
	signUp := func(c *app.Client, email string) *app.Answer {
		got := c.Do("POST", "/v1/sign-up", app.M{"email": email, "password": app.Password, "first_name": "Mallory"})
		attempts[email] = got.Text("attempt")
		return got
	}
	code := func(c *app.Client, email string) *app.Answer {
		return c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempts[email], "code": "000000"})
	}
	status := func(c *app.Client, email string) *app.Answer {
		return c.Do("GET", "/v1/sign-in/attempts/"+attempts[email], nil)
	}
	resend := func(c *app.Client, email string) *app.Answer {
		return c.Do("POST", "/v1/sign-in/attempts/"+attempts[email]+"/resend", nil)
	}
	later := func(by time.Duration, ask func(*app.Client, string) *app.Answer) func(*app.Client, string) *app.Answer {
		first := true
		return func(c *app.Client, email string) *app.Answer {
			if first { // both addresses are asked at the same time
				c.Server.Clock.Advance(by)
			}
			first = false
			return ask(c, email)
		}
	}
	return []question{
		{"a wrong password", func(c *app.Client, email string) *app.Answer {
			return c.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": "a wrong password"})
		}},
		{"no password", func(c *app.Client, email string) *app.Answer {
			return c.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": ""})
		}},
		{"a bad sign-up", func(c *app.Client, email string) *app.Answer {
			return c.Do("POST", "/v1/sign-up", app.M{"email": email, "username": "admin", "password": "short"})
		}},
		{"a sign-up", signUp}, {"the status", status}, {"a wrong code", code}, {"a resend too early", resend},
		{"a resend", later(31*time.Second, resend)}, {"another wrong code", code},
		{"the third", code}, {"the fourth", code}, {"the fifth", code}, {"the sixth of one code", code}, {"the status after that", status},
		{"a code too late", later(11*time.Minute, code)}, {"the status at the end", status}, {"a resend at the end", resend},
		{"the page, a wrong password", func(c *app.Client, email string) *app.Answer {
			return c.Do("POST", "/sign-in", url.Values{"identifier": {email}, "password": {"a wrong password"}})
		}},
		{"the page, a sign-up", func(c *app.Client, email string) *app.Answer {
			return c.Do("POST", "/sign-up", url.Values{"email": {email}, "password": {app.Password}})
		}},
	}
}

// mask takes the first letter out of masked addresses.
func mask(text string) string {
	return regexp.MustCompile(`[a-z]•••`).ReplaceAllString(text, "•••")
}

// TestNothingIsLeftOfThePerson deletes an account in the midst of everything and looks for
// its address, name and username in every column of every table.
func TestNothingIsLeftOfThePerson(t *testing.T) {
	t.Run("at once", func(t *testing.T) { nothingIsLeft(t, "0s", 0) })
	t.Run("after the grace", func(t *testing.T) { nothingIsLeft(t, "7d", 7*day) })
}

func nothingIsLeft(t *testing.T, grace string, later time.Duration) {
	app.Each(t, app.Settings{"deletion-grace": grace}, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "Gone.Girl@example.com", "cookie")
		c.Do("PATCH", "/v1/me", app.M{"username": "gone.girl", "first_name": "Gwendolyn", "unsafe_metadata": app.M{"note": "Gwendolyn"}}).Want(http.StatusOK)
		c.Do("POST", "/v1/sign-in/password", app.M{"identifier": "gone.girl", "password": "a wrong password"}).Want(http.StatusUnauthorized)
		begin(c, "email_code")
		attempt := begin(c, "")
		c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "password", "password": "a wrong password"}).Want(http.StatusUnauthorized)
		c.Grant(prove(c, attempt))
		page := s.Client(t, "")
		pageSignIn(page, "gone.girl", nil).Want(http.StatusSeeOther)
		c.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		s.CodeFor(t, "Gone.Girl@example.com") // the letter that was on its way
		s.Clock.Advance(later)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, table := range app.Tables() {
			for _, row := range s.Look(t, "SELECT * FROM "+table) {
				for _, trace := range []string{"gone.girl", "gwendolyn"} {
					if text := strings.ToLower(strings.Join(row, "\x00")); strings.Contains(text, trace) {
						t.Errorf("%s still says %q: %q", table, trace, row)
					}
				}
			}
		}
		for table, want := range map[string]int{"account": 0, "email": 0, "session": 0, "handover": 0} {
			if n := s.Count(t)[table]; n != want {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
		if !strings.Contains(s.Look(t, "SELECT reason FROM revocation WHERE kind = 'user'")[0][0], "deleted") {
			t.Error("applications are not told")
		}
	})
}

// TestHostilePlaces: what a request says of itself reaches log, events and letters only in
// a form that breaks none of them.
func TestHostilePlaces(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "place@example.com", "")
		for _, agent := range []string{
			strings.Repeat("a", 255) + "é", strings.Repeat("é", 400), "bot (+mailto:someone@example.com)", "x lrt_AAAA lds_BBBB",
			"\xff\xfe broken", "<script>alert(1)</script>", "a\tb", "\u202eevil", strings.Repeat("\U0001F600", 300),
		} {
			c := s.Client(t, "")
			c.Header.Set("User-Agent", agent)
			c.SignIn("place@example.com")
			c.Do("GET", "/v1/me/events", nil).Want(http.StatusOK)
			c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device).Want(http.StatusOK)
			c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}).Want(http.StatusUnauthorized, "refresh_reused")
		}
		for _, line := range strings.Split(strings.TrimSpace(s.Log.String()), "\n") {
			if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") {
				t.Fatalf("the log was broken into: %q", line)
			}
		}
		// Messages lead to the configured address, whatever the request says of the host.
		s.Letter(t, "place@example.com")
		s.Inbox.Forget()
		for _, header := range [][]string{
			{"X-Forwarded-Host", "evil.example"}, {"Forwarded", "host=evil.example"}, {"X-Original-Host", "evil.example"},
			{"Host", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}, {"Origin", s.URL}, {"Referer", "https://evil.example/"},
		} {
			s.Clock.Advance(3 * time.Minute) // an address gets five emails in ten
			s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "place@example.com"}, header...).Want(http.StatusOK)
		}
		s.Letter(t, "place@example.com")
		for _, m := range s.Inbox.Messages("place@example.com", "") {
			for _, link := range m.Links {
				if !strings.HasPrefix(link, s.URL+"/") {
					t.Errorf("a letter leads to %s", link)
				}
			}
			if strings.Contains(m.Text+m.HTML, "evil") || strings.Contains(m.Text, "127.0.0.1") {
				t.Errorf("a letter says what a request said:\n%s", m.Text)
			}
		}
	})
}
