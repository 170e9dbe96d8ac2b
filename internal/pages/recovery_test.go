package pages_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

const newPassword = "four words nobody guesses"

// letterLink returns where the newest letter to an address leads, and what it carries.
func letterLink(t *testing.T, s *app.Server, email string) (link, token string) {
	t.Helper()
	m := s.Letter(t, email)
	if len(m.Links) == 0 {
		t.Fatalf("no link in %q", m.Subject)
	}
	_, token, _ = strings.Cut(m.Links[0], "token=")
	return m.Links[0], token
}

// onlyLooked opens a link as scanners do, and then as its reader does.
func onlyLooked(t *testing.T, s *app.Server, link string) *app.Answer {
	t.Helper()
	for _, method := range []string{"HEAD", "GET", "GET"} {
		page := s.Client(t, "").Do(method, link, nil).Want(http.StatusOK)
		if page.Header.Get("Referrer-Policy") != "no-referrer" || page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %v", method, link, page.Header)
		}
	}
	return s.Client(t, "").Do("GET", link, nil).Want(http.StatusOK)
}

// TestRecoveryStory forgets a password and chooses another one, by the letter's link.
func TestRecoveryStory(t *testing.T) {
	chromium := browser.New(t)
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		before := s.Client(t, "")
		before.SignIn("mia@example.com")
		s.Log.Secret(newPassword)
		tab := chromium.Tab(t)
		tab.Open(s.URL + "/sign-in")
		tab.Go("a[href='/recovery']")
		tab.Axe("forgot")
		tab.Fill("#email", "mia@")
		if status := tab.Go(".card .btn-primary"); status != http.StatusUnprocessableEntity {
			t.Errorf("no address answers %d", status)
		}
		tab.Fill("#email", "mia@example.com")
		tab.Go(".card .btn-primary")
		tab.Wait("#code")
		tab.Axe("recovery, letter sent")
		link, _ := letterLink(t, s, "mia@example.com")
		tab.Open(link)
		tab.Axe("new password")
		tab.Fill("#new_password", "short")
		if status := tab.Go(".card .btn-primary"); status != http.StatusUnprocessableEntity {
			t.Errorf("a short password answers %d", status)
		}
		tab.Axe("new password, refused")
		tab.Fill("#new_password", newPassword)
		tab.Go(".card .btn-primary")
		if !strings.Contains(tab.Text("[role=status]"), "password was changed") || strings.Contains(strings.Join(tab.Cookies(), " "), "limen_access") {
			t.Errorf("%s: %s", tab.URL(), tab.Text("main"))
		}
		tab.Axe("sign in, password changed")
		before.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
		tab.Fill("#identifier", "mia@example.com")
		tab.Fill("#password", newPassword)
		tab.Go(".card .btn-primary")
		tab.Wait("#profile")
		tab.Open(link)
		tab.Axe("recovery link used")
	})
}

// TestRecoveryWithoutScripts chooses a new password by code, with every slip on the way.
func TestRecoveryWithoutScripts(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		c := s.Client(t, "")
		s.Log.Secret(newPassword)
		to := url.Values{"redirect_to": {s.URL + "/account?from=recovery"}}
		form := c.Do("GET", "/recovery?"+to.Encode(), nil).Want(http.StatusOK)
		screen := follow(t, c, send(t, c, form, "/recovery", "email", "mia@example.com")).Want(http.StatusOK)
		code := s.CodeFor(t, "mia@example.com")
		send(t, c, screen, "/recovery/code", "code", "").Want(http.StatusUnprocessableEntity)
		wrong := send(t, c, screen, "/recovery/code", "code", other(code[:2])+code[2:]).Want(http.StatusOK)
		says(t, send(t, c, wrong, "/recovery/new-password", "new_password", newPassword).Want(http.StatusUnauthorized), "isn’t right")
		right := send(t, c, screen, "/recovery/code", "code", code).Want(http.StatusOK)
		says(t, right, "m•••@example.com")
		for _, bad := range []string{"", "short", "mia@example.com"} { // and the code is not spent
			right = send(t, c, right, "/recovery/new-password", "new_password", bad).Want(http.StatusUnprocessableEntity)
		}
		// Another browser with all that this one knows has no cookie.
		send(t, s.Client(t, ""), right, "/recovery/new-password", "new_password", newPassword).Want(http.StatusUnauthorized)
		done := send(t, c, right, "/recovery/new-password", "new_password", newPassword)
		page := follow(t, c, done).Want(http.StatusOK)
		says(t, page, "Your password was changed")
		if location := send(t, c, page, "/sign-in", "identifier", "mia@example.com", "password", newPassword).Want(http.StatusSeeOther).Header.Get("Location"); !strings.HasSuffix(location, "/account?from=recovery") {
			t.Errorf("leads to %s", location)
		}
		send(t, c, right, "/recovery/new-password", "new_password", "another one of these").Want(http.StatusUnauthorized)
	})
}

// TestRecoveryTellsNobody: the pages are the same for an address without an account.
func TestRecoveryTellsNobody(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		changing := regexp.MustCompile(`att_[\w-]+|[km]•••`)
		seen := map[string]bool{}
		for _, email := range []string{"mia@example.com", "kim@example.com"} {
			c := s.Client(t, "")
			all := ""
			page := follow(t, c, c.Do("POST", "/recovery", url.Values{"email": {email}})).Want(http.StatusOK)
			all += string(page.Body)
			page = send(t, c, page, "/recovery/code", "code", "000000").Want(http.StatusOK)
			all += string(page.Body)
			page = send(t, c, page, "/recovery/new-password", "new_password", newPassword).Want(http.StatusUnauthorized)
			seen[changing.ReplaceAllString(all+string(page.Body), "")] = true
		}
		if len(seen) != 1 {
			t.Error("the pages tell an address with an account from one without")
		}
		c := s.Client(t, "")
		for _, path := range []string{"/recovery/code", "/recovery/code?attempt=x", "/recovery/new-password", "/recovery/new-password?attempt=x&code=123456", "/recovery/new-password?token=" + strings.Repeat("x", 1000)} {
			c.Do("GET", path, nil).Want(http.StatusUnauthorized)
		}
		c.Do("POST", "/recovery/code/resend", url.Values{}).Want(http.StatusUnauthorized)
		c.Do("POST", "/recovery/new-password", url.Values{"new_password": {newPassword}}).Want(http.StatusUnauthorized)
	})
}

// TestNotMe: the letter of a new device leads to a page that asks, ends that session on a
// click, and goes on to a new password without signing anybody in.
func TestNotMe(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		thief := s.Client(t, "")
		thief.Header.Set("User-Agent", "curl/8.5.0")
		thief.SignIn("mia@example.com")
		link, token := letterLink(t, s, "mia@example.com")
		if !strings.HasPrefix(link, s.URL+"/not-me?token=") {
			t.Fatal("the letter leads elsewhere")
		}
		page := onlyLooked(t, s, link)
		thief.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		c := s.Client(t, "")
		s.Clock.Advance(31 * time.Second)
		screen := follow(t, c, send(t, c, page, "/not-me")).Want(http.StatusOK)
		says(t, screen, "every device is signed out")
		thief.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
		if _, signedIn := c.Cookies()["limen_access"]; signedIn {
			t.Error("the page signed somebody in")
		}
		next := send(t, c, screen, "/recovery/code", "code", s.CodeFor(t, "mia@example.com")).Want(http.StatusOK)
		send(t, c, next, "/recovery/new-password", "new_password", newPassword).Want(http.StatusSeeOther)
		says(t, c.Do("GET", link, nil).Want(http.StatusUnauthorized), "Secure your account")
		c.Do("POST", "/not-me", url.Values{"token": {token}}).Want(http.StatusUnauthorized)
		c.Do("POST", "/undo/change", url.Values{"token": {token}}).Want(http.StatusUnauthorized)
	})
}

// TestUndoDeletion keeps an account, by the button and not by looking.
func TestUndoDeletion(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		c := s.Client(t, "")
		c.Do("POST", "/sign-in", url.Values{"identifier": {"mia@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
		page := c.Do("GET", "/account", nil).Want(http.StatusOK)
		says(t, page, "keep it with the link we send you")
		closed := follow(t, c, send(t, c, page, "/account/delete", "confirm", "mia@example.com"))
		says(t, closed, "Your account will be deleted")
		link, _ := letterLink(t, s, "mia@example.com")
		page = onlyLooked(t, s, link)
		in := url.Values{"identifier": {"mia@example.com"}, "password": {app.Password}}
		says(t, s.Client(t, "").Do("POST", "/sign-in", in).Want(http.StatusForbidden), "To keep it, sign in with a code or link.")
		says(t, page, "This wasn’t me")
		says(t, send(t, s.Client(t, ""), page, "/undo/deletion").Want(http.StatusOK), "won’t be deleted")
		send(t, s.Client(t, ""), page, "/undo/deletion").Want(http.StatusUnauthorized)
		s.Client(t, "").Do("POST", "/sign-in", in).Want(http.StatusSeeOther)
	})
	// Where nothing can be taken back, the pages do not say so.
	s := app.SQLite(t, app.Settings{"deletion-grace": "0s"})
	person(t, s, "mia@example.com")
	c := s.Client(t, "")
	c.Do("POST", "/sign-in", url.Values{"identifier": {"mia@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
	page := c.Do("GET", "/account", nil).Want(http.StatusOK)
	says(t, page, "This cannot be undone")
	says(t, follow(t, c, send(t, c, page, "/account/delete", "confirm", "mia@example.com")), "Your account is deleted")
}

// TestAddressLinks confirms a new address and takes a change back, each by its button.
func TestAddressLinks(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "")
		c.SignUp("old@example.com")
		s.Clock.Advance(time.Second)
		id := c.Do("POST", "/v1/me/emails", app.M{"email": "new@example.com"}).Want(http.StatusCreated).Text("id")
		link, _ := letterLink(t, s, "new@example.com")
		says(t, onlyLooked(t, s, link), "n•••@example.com")
		page := c.Do("GET", link, nil).Want(http.StatusOK)
		says(t, page, "n•••@example.com")
		says(t, send(t, c, page, "/email/confirm").Want(http.StatusOK), "Address confirmed")
		says(t, s.Client(t, "").Do("GET", link, nil).Want(http.StatusUnauthorized), "already used")

		s.Clock.Advance(time.Second) // letters of one moment have no order
		c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
		link, _ = letterLink(t, s, "old@example.com")
		page = onlyLooked(t, s, link)
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		fresh := s.Client(t, "")
		screen := follow(t, fresh, send(t, fresh, page, "/undo/change"))
		says(t, screen, "every device is signed out")
		c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
		next := send(t, fresh, screen, "/recovery/code", "code", s.CodeFor(t, "old@example.com")).Want(http.StatusOK)
		send(t, fresh, next, "/recovery/new-password", "new_password", newPassword).Want(http.StatusSeeOther)
		fresh.Grant(fresh.Do("POST", "/v1/sign-in/password", app.M{"identifier": "old@example.com", "password": newPassword}))
		if got := fresh.Do("GET", "/v1/me", nil).Want(http.StatusOK).Text("email"); got != "old@example.com" {
			t.Errorf("letters go to %s", got)
		}
	})
}

// TestKeepingByForms keeps an account that is being deleted, with the code of an email.
func TestKeepingByForms(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		person(t, s, "mia@example.com")
		c := s.Client(t, "")
		c.Do("POST", "/sign-in", url.Values{"identifier": {"mia@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
		send(t, c, c.Do("GET", "/account", nil).Want(http.StatusOK), "/account/delete", "confirm", "mia@example.com")
		s.Clock.Advance(time.Minute)
		fresh := s.Client(t, "")
		waiting := follow(t, fresh, fresh.Do("POST", "/sign-in/email", url.Values{"identifier": {"mia@example.com"}}))
		offer := send(t, fresh, waiting, "/sign-in/code", "code", s.CodeFor(t, "mia@example.com")).Want(http.StatusForbidden)
		says(t, offer, "This account will be deleted on 21 March 2026")
		send(t, s.Client(t, ""), offer, "/sign-in/keep").Want(http.StatusUnauthorized)
		send(t, fresh, offer, "/sign-in/keep").Want(http.StatusSeeOther)
		fresh.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		says(t, send(t, fresh, offer, "/sign-in/keep").Want(http.StatusUnauthorized), "This sign-in expired")
	})
}

// TestReviewByForms removes what a remedy has left and restores what was removed, in the
// browser that made the remedy and in no other.
func TestReviewByForms(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "")
		c.SignUp("old@example.com")
		for _, email := range []string{"left@example.com", "gone@example.com"} {
			s.Clock.Advance(time.Second)
			id := c.Do("POST", "/v1/me/emails", app.M{"email": email}).Want(http.StatusCreated).Text("id")
			c.Do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": s.CodeFor(t, email)}).Want(http.StatusOK)
		}
		s.Clock.Advance(100 * time.Hour)
		c = s.Client(t, "")
		c.Header.Set("User-Agent", "curl/8.5.0")
		c.SignIn("old@example.com")
		link, _ := letterLink(t, s, "old@example.com")
		for _, v := range c.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any) {
			if row := v.(map[string]any); row["email"] == "gone@example.com" {
				c.Do("DELETE", "/v1/me/emails/"+row["id"].(string), nil).Want(http.StatusNoContent)
			}
		}
		here := s.Client(t, "")
		review := follow(t, here, send(t, here, onlyLooked(t, s, link), "/not-me"))
		says(t, review, "left@example.com")
		says(t, review, "gone@example.com")
		addresses := func() string {
			out := ""
			for _, row := range s.Look(t, "SELECT address FROM email ORDER BY address") {
				out += row[0] + " "
			}
			return out
		}
		send(t, s.Client(t, ""), review, "/recovery/review").Want(http.StatusSeeOther) // another browser
		if got := addresses(); got != "left@example.com old@example.com " {
			t.Error(got)
		}
		review = follow(t, here, send(t, here, review, "/recovery/review")) // the first button: Remove
		review = follow(t, here, send(t, here, review, "/recovery/review")) // and now: Restore
		if got := addresses(); got != "gone@example.com old@example.com " {
			t.Error(got)
		}
		says(t, review, "/recovery/code?attempt=")
	})
}
