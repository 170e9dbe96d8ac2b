package pages_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

// linkTo returns the link of the newest letter to an address.
func linkTo(t *testing.T, s *app.Server, email string) string {
	t.Helper()
	return s.URL + "/sign-in/link?token=" + s.TokenFor(t, email)
}

// person makes an account and lets enough time pass for another letter.
func person(t *testing.T, s *app.Server, email string) {
	t.Helper()
	s.Client(t, "").SignUp(email)
	s.Clock.Advance(time.Hour)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// send posts the form of a page that has the action, as a browser without scripts does.
func send(t *testing.T, c *app.Client, page *app.Answer, action string, more ...string) *app.Answer {
	t.Helper()
	_, rest, found := strings.Cut(string(page.Body), `method="post" action="`+action+`"`)
	if !found {
		t.Fatalf("no form leads to %s:\n%s", action, page.Body)
	}
	form, _, _ := strings.Cut(rest, "</form>")
	values := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
		values.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for i := 0; i+1 < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return c.Do("POST", action, values)
}

// follow goes where an answer leads.
func follow(t *testing.T, c *app.Client, a *app.Answer) *app.Answer {
	t.Helper()
	return c.Do("GET", a.Want(http.StatusSeeOther).Header.Get("Location"), nil)
}

// askForLink begins a sign-in by link and returns the waiting screen.
func askForLink(t *testing.T, c *app.Client, email string) *app.Answer {
	t.Helper()
	return follow(t, c, c.Do("POST", "/sign-in/email", url.Values{"identifier": {email}, "password": {""}})).Want(http.StatusOK)
}

// matchOn is the number on a waiting screen.
func matchOn(t *testing.T, page *app.Answer) string {
	t.Helper()
	m := regexp.MustCompile(`<b class="match">(\d\d)</b>`).FindSubmatch(page.Body)
	if m == nil {
		t.Fatalf("no number on the waiting screen:\n%s", page.Body)
	}
	return string(m[1])
}

func says(t *testing.T, page *app.Answer, want string) {
	t.Helper()
	if !strings.Contains(html.UnescapeString(string(page.Body)), want) {
		t.Errorf("the page lacks %q:\n%s", want, page.Body)
	}
}

// TestLinkStory is one click: the link signs in where it was asked for, and the tab that
// waits continues by itself.
func TestLinkStory(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		waiting := chromium.Tab(t)
		waiting.Open(s.URL + "/sign-in")
		waiting.Fill("#identifier", "mia@example.com")
		waiting.Go("button[formaction]")
		waiting.Axe("waiting")
		link := linkTo(t, s, "mia@example.com")
		opened := waiting.Beside()
		opened.Open(link)
		opened.Wait("#profile")
		waiting.Wait("#profile")
		opened.Open(link)
		if !strings.Contains(opened.Text("h1"), "already used") || opened.Count("a[href='/account']") != 1 {
			t.Errorf("the link again: %s", opened.Text("main"))
		}
		opened.Axe("link used")
	})
}

// TestApprovalStory lets a computer in from a telephone: nothing happens on the telephone
// by itself, and it is not signed in.
func TestApprovalStory(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		waiting, phone := chromium.Tab(t), chromium.Tab(t)
		waiting.Open(s.URL + "/sign-in")
		waiting.Fill("#identifier", "mia@example.com")
		waiting.Go("button[formaction]")
		phone.Size(390, 844)
		phone.Open(linkTo(t, s, "mia@example.com"))
		phone.Axe("link elsewhere")
		phone.Go(".card .btn-primary")
		phone.Axe("approval")
		if text := phone.Text(".facts"); !strings.Contains(text, "Chrome, Linux") || !strings.Contains(text, "127.0.0.1") {
			t.Errorf("what waits is called %q", text)
		}
		phone.Fill("#match", waiting.Text(".match"))
		if status := phone.Go("button[value=approve]"); status != http.StatusOK || !strings.Contains(phone.Text("h1"), "is in") {
			t.Errorf("%d: %s", status, phone.Text("main"))
		}
		phone.Axe("approved")
		waiting.Wait("#profile")
		for _, name := range phone.Cookies() {
			if name == "limen_access" || name == "limen_refresh" {
				t.Errorf("the telephone holds %s", name)
			}
		}
	})
}

// TestWrongNumberStory: one wrong number turns the other screen away, and both are told.
func TestWrongNumberStory(t *testing.T) {
	s := app.SQLite(t, nil)
	chromium := browser.New(t)
	person(t, s, "mia@example.com")
	waiting, phone := chromium.Tab(t), chromium.Tab(t)
	waiting.Open(s.URL + "/sign-in")
	waiting.Fill("#identifier", "mia@example.com")
	waiting.Go("button[formaction]")
	phone.Open(linkTo(t, s, "mia@example.com"))
	phone.Go(".card .btn-primary")
	phone.Fill("#match", other(waiting.Text(".match")))
	phone.Go("button[value=approve]")
	if !strings.Contains(phone.Text("h1"), "didn’t match") {
		t.Error(phone.Text("main"))
	}
	phone.Axe("turned away")
	waiting.Wait("[role=alert]")
	if !strings.Contains(waiting.Text("[role=alert]"), "turned away") {
		t.Error(waiting.Text("main"))
	}
	waiting.Axe("was turned away")
}

// other is another number than match.
func other(match string) string {
	if match[0] == '1' {
		return "2" + match[1:]
	}
	return "1" + match[1:]
}

// TestLinksWithoutScripts walks every form as a plain browser does, here and elsewhere.
func TestLinksWithoutScripts(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		t.Run("here", func(t *testing.T) {
			c := s.Client(t, "")
			c.Do("GET", "/sign-in", nil).Want(http.StatusOK)
			page := follow(t, c, c.Do("POST", "/sign-in/email", url.Values{"identifier": {" Mia@example.com "}}))
			says(t, page, "M•••@example.com")
			early := send(t, c, page, "/sign-in/complete").Want(http.StatusConflict)
			says(t, early, "hasn’t been approved yet")
			says(t, send(t, c, page, "/sign-in/code/resend").Want(http.StatusTooManyRequests), "Wait 30 seconds")
			landing := c.Do("GET", linkTo(t, s, "mia@example.com"), nil).Want(http.StatusOK)
			says(t, landing, "Continue as")
			if to := send(t, c, landing, "/sign-in/link").Want(http.StatusSeeOther).Header.Get("Location"); to != "/account" {
				t.Errorf("leads to %s", to)
			}
			c.Do("GET", "/account", nil).Want(http.StatusOK)
			// Whoever comes back to the waiting screen is led on as well.
			if to := send(t, c, page, "/sign-in/complete").Want(http.StatusSeeOther).Header.Get("Location"); to != "/sign-in" {
				t.Errorf("leads to %s", to)
			}
			s.Clock.Advance(time.Hour)
		})
		t.Run("elsewhere", func(t *testing.T) {
			c, phone := s.Client(t, ""), s.Client(t, "")
			waiting := askForLink(t, c, "mia@example.com")
			landing := phone.Do("GET", linkTo(t, s, "mia@example.com"), nil).Want(http.StatusOK)
			question := send(t, phone, landing, "/sign-in/link").Want(http.StatusOK)
			says(t, question, "Firefox, Linux")
			for _, slip := range []string{"", "4", "123", "xx"} { // no guess, so nothing is lost
				question = send(t, phone, question, "/sign-in/link/approve", "decision", "approve", "match", slip).Want(http.StatusUnprocessableEntity)
				says(t, question, "Firefox, Linux")
				says(t, question, "Enter the two digits")
			}
			match := strings.Map(func(r rune) rune { return r - '0' + '٠' }, matchOn(t, waiting)) // an Arabic keyboard
			done := send(t, phone, question, "/sign-in/link/approve", "decision", "approve", "match", match).Want(http.StatusOK)
			says(t, done, "Go back to the other screen")
			send(t, phone, question, "/sign-in/link/approve", "decision", "approve", "match", match).Want(http.StatusUnauthorized)
			phone.Do("GET", "/account", nil).Want(http.StatusSeeOther)
			send(t, c, waiting, "/sign-in/complete").Want(http.StatusSeeOther)
			c.Do("GET", "/account", nil).Want(http.StatusOK)
			s.Clock.Advance(time.Hour)
		})
		t.Run("not me", func(t *testing.T) {
			c, phone := s.Client(t, ""), s.Client(t, "")
			waiting := askForLink(t, c, "mia@example.com")
			landing := phone.Do("GET", linkTo(t, s, "mia@example.com"), nil).Want(http.StatusOK)
			question := send(t, phone, landing, "/sign-in/link").Want(http.StatusOK)
			says(t, send(t, phone, question, "/sign-in/link/approve", "decision", "deny", "match", "").Want(http.StatusOK), "You turned it away")
			says(t, send(t, c, waiting, "/sign-in/complete").Want(http.StatusUnauthorized), "turned away on the other device")
		})
	})
}

// TestLinkLeadsToTheApplication: the letter carries no address of the application, and
// its link leads there all the same.
func TestLinkLeadsToTheApplication(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		c := s.Client(t, "")
		verifier, callback := strings.Repeat("v", 43), "http://localhost:3000/callback?a=1"
		ask := url.Values{"identifier": {"mia@example.com"}, "redirect_to": {callback}, "state": {"s & 1"}, "code_challenge": {oauth.Challenge(verifier)}}
		arrived := func(a *app.Answer) {
			t.Helper()
			to, err := url.Parse(a.Want(http.StatusSeeOther).Header.Get("Location"))
			if err != nil || !strings.HasPrefix(to.String(), callback) {
				t.Fatalf("leads to %v %v", to, err)
			}
			exchange(t, s, to.Query(), verifier, callback)
		}
		follow(t, c, c.Do("POST", "/sign-in/email", ask))
		landing := c.Do("GET", linkTo(t, s, "mia@example.com"), nil).Want(http.StatusOK)
		if policy := landing.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' http://localhost:3000;") {
			t.Errorf("the form may not lead there: %s", policy)
		}
		arrived(send(t, c, landing, "/sign-in/link"))

		s.Clock.Advance(time.Hour)
		c, phone := s.Client(t, ""), s.Client(t, "")
		waiting := follow(t, c, c.Do("POST", "/sign-in/email", ask))
		landing = phone.Do("GET", linkTo(t, s, "mia@example.com"), nil).Want(http.StatusOK)
		question := send(t, phone, landing, "/sign-in/link").Want(http.StatusOK)
		send(t, phone, question, "/sign-in/link/approve", "decision", "approve", "match", matchOn(t, waiting)).Want(http.StatusOK)
		arrived(send(t, c, waiting, "/sign-in/complete"))
	})
}

// TestLinkEnds: each page says what became of the link, with the status that belongs to it.
func TestLinkEnds(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		ended := func(t *testing.T, c *app.Client, link string, status int, want string) {
			t.Helper()
			for _, method := range []string{"GET", "HEAD"} {
				page := c.Do(method, link, nil).Want(status)
				if page.Header.Get("Referrer-Policy") != "no-referrer" || page.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s %v", method, page.Header)
				}
			}
			page := c.Do("GET", link, nil)
			says(t, page, want)
			_, token, _ := strings.Cut(link, "token=")
			c.Do("POST", "/sign-in/link", url.Values{"token": {token}}).Want(max(status, http.StatusUnauthorized))
		}
		c := s.Client(t, "")
		askForLink(t, c, "mia@example.com")
		link := linkTo(t, s, "mia@example.com")
		s.Clock.Advance(11 * time.Minute)
		ended(t, c, link, http.StatusUnauthorized, "This link has expired")
		ended(t, c, s.URL+"/sign-in/link?token=", http.StatusUnauthorized, "This link has expired")
		ended(t, c, s.URL+"/sign-in/link", http.StatusUnauthorized, "This link has expired")
		ended(t, c, s.URL+"/sign-in/link?token="+strings.Repeat("x", 5000), http.StatusUnauthorized, "This link has expired")
		again := send(t, c, c.Do("GET", link, nil), "/sign-in/email", "identifier", "mia@example.com")
		follow(t, c, again).Want(http.StatusOK)
		link = linkTo(t, s, "mia@example.com")
		send(t, c, c.Do("GET", link, nil).Want(http.StatusOK), "/sign-in/link").Want(http.StatusSeeOther)
		ended(t, s.Client(t, ""), link, http.StatusUnauthorized, "This link was already used")
	})
}

// TestSignUpLink: a link makes the account where it was asked for, and elsewhere it offers
// to begin there, without a word of whose address it is.
func TestSignUpLink(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c, thief := s.Client(t, ""), s.Client(t, "")
		waiting := follow(t, c, c.Do("POST", "/sign-up/email", url.Values{"email": {"new@example.com"}, "username": {""}, "password": {""}})).Want(http.StatusOK)
		if !strings.Contains(string(waiting.Body), `href="/sign-up?prompt=login"`) {
			t.Error("a wrong address cannot be changed where it was given")
		}
		link := linkTo(t, s, "new@example.com")
		page := thief.Do("GET", link, nil).Want(http.StatusOK)
		says(t, page, "Start again here")
		if strings.Contains(string(page.Body), "example.com\"") || strings.Contains(string(page.Body), "•") {
			t.Error("the page tells whose link it is")
		}
		_, token, _ := strings.Cut(link, "token=")
		says(t, thief.Do("POST", "/sign-in/link", url.Values{"token": {token}}).Want(http.StatusConflict), "Start again here")
		thief.Do("POST", "/sign-in/link/approve", url.Values{"token": {token}, "match": {matchOn(t, waiting)}, "decision": {"approve"}}).Want(http.StatusUnauthorized)
		says(t, send(t, c, waiting, "/sign-in/complete").Want(http.StatusConflict), "hasn’t been approved yet")
		send(t, c, c.Do("GET", link, nil).Want(http.StatusOK), "/sign-in/link").Want(http.StatusSeeOther)
		says(t, c.Do("GET", "/account", nil).Want(http.StatusOK), "new@example.com")
	})
}

// TestAskingForALink: what is no address is said beside the field, and nobody is told
// whether an address has an account.
func TestAskingForALink(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		for _, typed := range []string{"", "mia", "mia@", "@example.com", "mia@example.com\r\nBcc: x@y.example", strings.Repeat("a", 400) + "@example.com"} {
			page := s.Client(t, "").Do("POST", "/sign-in/email", url.Values{"identifier": {typed}}).Want(http.StatusUnprocessableEntity)
			says(t, page, "Enter your email address here")
			if strings.Count(string(page.Body), `aria-invalid="true"`) != 1 {
				t.Errorf("%q: the field is not marked", typed)
			}
		}
		changing := regexp.MustCompile(`att_[\w-]+|<b class="match">\d\d|[km]•••`)
		seen := map[string]bool{}
		for _, email := range []string{"mia@example.com", "kim@example.com"} {
			page := askForLink(t, s.Client(t, ""), email)
			seen[changing.ReplaceAllString(string(page.Body), "")] = true
		}
		if len(seen) != 1 {
			t.Error("the waiting screen tells an address with an account from one without")
		}
		s.Clock.Advance(time.Hour)
		seen = map[string]bool{}
		for _, email := range []string{"mia@example.com", "kim@example.com"} {
			c := s.Client(t, "")
			waiting := follow(t, c, c.Do("POST", "/sign-up/email", url.Values{"email": {email}})).Want(http.StatusOK)
			early := send(t, c, waiting, "/sign-in/complete").Want(http.StatusConflict)
			seen[changing.ReplaceAllString(string(early.Body), "")] = true
		}
		if len(seen) != 1 {
			t.Error("asking too early tells a sign-in from a sign-up")
		}
	})
	closed := app.SQLite(t, app.Settings{"sign-up": "closed"})
	closed.Client(t, "").Do("POST", "/sign-up/email", url.Values{"email": {"new@example.com"}}).Want(http.StatusForbidden)
}

// TestScannerZoo: whatever fetches a link before its reader does, it still works.
func TestScannerZoo(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		c := s.Client(t, "")
		askForLink(t, c, "mia@example.com")
		link := linkTo(t, s, "mia@example.com")
		for _, agent := range []string{
			"", "curl/8.5.0", "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2)", "GoogleImageProxy", "Barracuda Sentinel (EE)",
			"Mozilla/5.0 (compatible; Proofpoint URL Defense)", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 SafeLinks",
		} {
			scanner := s.Client(t, "")
			scanner.Header.Set("User-Agent", agent)
			scanner.Do("HEAD", link, nil).Want(http.StatusOK)
			if page := scanner.Do("GET", link, nil).Want(http.StatusOK); page.Header.Get("Referrer-Policy") != "no-referrer" || page.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%q: %v", agent, page.Header)
			}
			scanner.Do("GET", link, nil, "Purpose", "prefetch", "Sec-Purpose", "prefetch;prerender").Want(http.StatusOK)
			scanner.Do("OPTIONS", link, nil)
			scanner.Do("GET", link, nil, "Range", "bytes=0-99")
		}
		// A proxy that rewrites links fetches them under a name of its own, with more in them.
		scanner := s.Client(t, "")
		scanner.Do("GET", link+"&utm_source=mail&url=https%3A%2F%2Fsafelinks.example%2F", nil).Want(http.StatusOK)
		scanner.Do("GET", link, nil, "Referer", "https://urldefense.example/v3/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate").Want(http.StatusOK)
		// A whole browser that runs scripts, has no cookie and clicks nothing.
		for _, scripts := range []bool{true, false} {
			headless := chromium.Tab(t)
			headless.Scripts(scripts)
			headless.Open(link)
			headless.Until(`document.readyState == "complete"`)
			if headless.Count("form[data-go]") != 0 || !strings.HasPrefix(headless.URL(), s.URL+"/sign-in/link") {
				t.Errorf("the browser went on to %s", headless.URL())
			}
		}
		send(t, c, c.Do("GET", link, nil).Want(http.StatusOK), "/sign-in/link").Want(http.StatusSeeOther)
		c.Do("GET", "/account", nil).Want(http.StatusOK)
	})
}

// TestWithoutARelay: what needs a letter is not offered, and refused where somebody asks.
func TestWithoutARelay(t *testing.T) {
	s := app.SQLite(t, nil)
	s.Post.Sender, s.Post.Phones = nil, nil
	c := s.Client(t, "")
	for _, path := range []string{"/sign-in", "/sign-up"} {
		if page := c.Do("GET", path, nil).Want(http.StatusOK); strings.Contains(string(page.Body), "formaction") || strings.Contains(string(page.Body), "/recovery") {
			t.Errorf("%s offers a letter", path)
		}
	}
	c.Do("POST", "/sign-in/email", url.Values{"identifier": {"mia@example.com"}}).Want(http.StatusServiceUnavailable)
	c.Do("POST", "/sign-up/email", url.Values{"email": {"mia@example.com"}}).Want(http.StatusServiceUnavailable)
	c.Do("POST", "/recovery", url.Values{"email": {"mia@example.com"}}).Want(http.StatusServiceUnavailable)
}

// TestMailboxes: the waiting screen leads to the mailbox of well-known providers, and to
// nobody who only looks like one.
func TestMailboxes(t *testing.T) {
	s := app.SQLite(t, nil)
	outside := regexp.MustCompile(`href="(https://[^"]*)"`)
	for address, want := range map[string]string{
		"ann@gmail.com": "https://mail.google.com/mail/", "ann@GoogleMail.com": "https://mail.google.com/mail/", "ann@hotmail.fr": "https://outlook.live.com/mail/",
		"ann@yahoo.co.uk": "https://mail.yahoo.com/", "ann@me.com": "https://www.icloud.com/mail/", "ann@pm.me": "https://mail.proton.me/",
		"ann@gmail.com.evil.example": "", "ann@yahoo.evil.example": "", "ann@notgmail.com": "", "ann@yahoo.x": "", "ann@example.com": "",
	} {
		c := s.Client(t, "")
		asked := c.Do("POST", "/sign-in/email", url.Values{"identifier": {address}})
		if asked.Status == http.StatusUnprocessableEntity {
			continue // no address at all
		}
		page, got := follow(t, c, asked).Want(http.StatusOK), ""
		if m := outside.FindSubmatch(page.Body); m != nil {
			got = string(m[1])
		}
		if got != want {
			t.Errorf("%s leads to %q", address, got)
		}
	}
}
