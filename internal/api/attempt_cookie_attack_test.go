package api_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/testkit/app"
)

// attemptCookie is what the client holds to show which browser it is.
func attemptCookie(c *app.Client) string { return c.Cookies()["limen_attempt"] }

// TestAttemptCookieIsOursAlone: whatever a client brings along under its name, limen makes
// the value; one that limen made is kept, so that tabs share it.
func TestAttemptCookieIsOursAlone(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		browser := s.Client(t, "cookie")
		browser.SignIn("ann@example.com")
		device := browser.Cookies()["limen_device"]
		genuine := attemptCookie(browser)
		n := 0
		begun := func(header ...string) *app.Answer {
			n++
			return s.Client(t, "cookie").Do("POST", "/v1/sign-in/email", app.M{"email": "new" + network(n) + "@example.com"}, append(header, "X-Forwarded-For", network(n))...)
		}
		given := func(a *app.Answer) string {
			t.Helper()
			for _, c := range (&http.Response{Header: a.Want(http.StatusAccepted).Header}).Cookies() {
				if c.Name == "limen_attempt" {
					return c.Value
				}
			}
			t.Fatalf("no cookie: %v", a.Header)
			return ""
		}
		for name, value := range map[string]string{
			"a choice of the client's": strings.Repeat("A", 43), "short": "a", "long": strings.Repeat("A", 4000),
			"a device secret": device, "a part of one": device[4:47], "cut": genuine[:len(genuine)-1],
			"changed": "A" + genuine[2:] + "A", "longer": genuine + "A",
		} {
			if got := given(begun("Cookie", "limen_attempt="+value)); got == value || len(got) != len(genuine) {
				t.Errorf("%s: %q is kept", name, got)
			}
		}
		if got := given(begun("Cookie", "limen_attempt="+genuine)); got != genuine {
			t.Error("our own value is replaced: tabs would not share it")
		}
		if got := begun("Cookie", "limen_attempt="+genuine+"; limen_attempt="+genuine); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("two cookies of that name are answered %d", got.Status)
		}
		if got := begun("Cookie", "limen_attempt=a; limen_attempt="+genuine); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("two cookies of that name are answered %d", got.Status)
		}
	})
}

// TestTabsShareTheAttemptCookie: what several tabs begin, each can complete, until a
// sign-in is completed.
func TestTabsShareTheAttemptCookie(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		c := s.Client(t, "cookie")
		first, second := asked(c, "ann@example.com", nil).Text("attempt"), asked(c, "bob@example.com", app.M{"create": true}).Text("attempt")
		recovery := recovering(c, "ann@example.com")
		for _, attempt := range []string{first, second, recovery} {
			c.Do("GET", "/v1/sign-in/attempts/"+attempt, nil).Want(http.StatusOK)
		}
		before := attemptCookie(c)
		s.Clock.Advance(31 * time.Second)
		answer := c.Do("POST", "/v1/sign-in/attempts/"+second+"/resend", nil).Want(http.StatusAccepted)
		if line := strings.Join(answer.Header["Set-Cookie"], "\n"); !strings.Contains(line, "limen_attempt="+before+";") || !strings.Contains(line, "Max-Age=600") {
			t.Errorf("the attempt outlives its cookie: %q", line)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		lines := bufio.NewScanner(stream(t, ctx, s, second, "Cookie", "limen_attempt="+before).Body)
		if got := told(lines); got != "pending" {
			t.Fatal(got)
		}
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": second, "code": s.CodeFor(t, "bob@example.com")}).Want(http.StatusOK)
		// The tab that waited is told, by the stream it has open and when it asks again.
		if got := told(lines); got != "complete" {
			t.Errorf("the waiting tab is told %q", got)
		}
		if got := c.Do("GET", "/v1/sign-in/attempts/"+second, nil).Want(http.StatusOK).Text("status"); got != "complete" {
			t.Error(got)
		}
		s.Client(t, "cookie").Do("GET", "/v1/sign-in/attempts/"+second, nil, "Cookie", "limen_attempt="+before).Want(http.StatusUnauthorized, "attempt_expired")
		// What the other tabs had begun is over.
		for _, attempt := range []string{first, recovery} {
			c.Do("GET", "/v1/sign-in/attempts/"+attempt, nil).Want(http.StatusUnauthorized, "attempt_expired")
		}
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": first, "code": s.CodeFor(t, "ann@example.com")}).Want(http.StatusUnauthorized, "attempt_expired")
		page := c.Do("POST", "/sign-in/code", url.Values{"attempt": {first}, "code": {"000000"}}).Want(http.StatusUnauthorized)
		if !strings.Contains(string(page.Body), "This sign-in expired. Please start again.") {
			t.Errorf("%s", page.Body)
		}
	})
}

// TestEverySignInChangesTheAttemptCookie: whichever way in was taken.
func TestEverySignInChangesTheAttemptCookie(t *testing.T) {
	settings := app.Settings{"trusted-proxies": "127.0.0.1", "redirect-allow": handoverSettings["redirect-allow"]}
	app.Each(t, settings, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		withPhone(t, s, "phil@example.com", annsPhone)
		const email = "ann@example.com"
		form := func(more ...string) url.Values {
			values := url.Values{}
			for i := 0; i+1 < len(more); i += 2 {
				values.Set(more[i], more[i+1])
			}
			return values
		}
		attemptOn := func(a *app.Answer) string {
			u, err := url.Parse(a.Want(http.StatusSeeOther).Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			return u.Query().Get("attempt")
		}
		ways := map[string]func(c *app.Client) *app.Answer{
			"password": func(c *app.Client) *app.Answer {
				return c.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": app.Password})
			},
			"code": func(c *app.Client) *app.Answer {
				return c.Do("POST", "/v1/sign-in/code", app.M{"attempt": asked(c, email, nil).Text("attempt"), "code": s.CodeFor(t, email)})
			},
			"text": func(c *app.Client) *app.Answer {
				return c.Do("POST", "/v1/sign-in/code", app.M{"attempt": texted(c, annsPhone, nil).Text("attempt"), "code": s.CodeFor(t, annsPhone)})
			},
			"link": func(c *app.Client) *app.Answer {
				asked(c, email, nil)
				return c.Do("POST", "/v1/sign-in/link", app.M{"token": s.TokenFor(t, email)})
			},
			"approval": func(c *app.Client) *app.Answer {
				began := asked(c, email, nil)
				s.Client(t, "").Do("POST", "/v1/sign-in/link/approve", app.M{"token": s.TokenFor(t, email), "match": began.Text("match"), "decision": "approve"}).Want(http.StatusOK)
				return c.Do("POST", "/v1/sign-in/attempts/"+began.Text("attempt")+"/complete", nil)
			},
			"hand-over": func(c *app.Client) *app.Answer {
				code := codeFrom(t, s, pageSignIn(s.Client(t, ""), email, destination(callback)))
				return exchange(c, code, verifier, callback)
			},
			"sign-up by email": func(c *app.Client) *app.Answer {
				to := c.Header.Get("X-Forwarded-For") + "@example.com"
				attempt := c.Do("POST", "/v1/sign-up", app.M{"email": to, "password": app.Password}).Want(http.StatusOK).Text("attempt")
				return c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, to)})
			},
			"sign-up by username": func(c *app.Client) *app.Answer {
				return c.Do("POST", "/v1/sign-up", app.M{"username": "u" + strings.ReplaceAll(c.Header.Get("X-Forwarded-For"), ".", ""), "password": app.Password})
			},
			"page: password": func(c *app.Client) *app.Answer {
				return c.Do("POST", "/sign-in", form("identifier", email, "password", app.Password))
			},
			"page: code": func(c *app.Client) *app.Answer {
				attempt := attemptOn(c.Do("POST", "/sign-in/email", form("identifier", email)))
				return c.Do("POST", "/sign-in/code", form("attempt", attempt, "code", s.CodeFor(t, email)))
			},
			"page: link": func(c *app.Client) *app.Answer {
				c.Do("POST", "/sign-in/email", form("identifier", email)).Want(http.StatusSeeOther)
				return c.Do("POST", "/sign-in/link", form("token", s.TokenFor(t, email)))
			},
			"page: hand-over": func(c *app.Client) *app.Answer {
				return c.Do("POST", "/sign-in", form("identifier", email, "password", app.Password, "redirect_to", callback, "state", "s", "code_challenge", oauth.Challenge(verifier)))
			},
		}
		n := 0
		for name, way := range ways {
			for _, delivery := range []string{"cookie", "memory"} {
				if n++; strings.HasPrefix(name, "page") && delivery == "memory" {
					continue
				}
				t.Run(name+" "+delivery, func(t *testing.T) {
					s.Clock.Advance(time.Hour)
					c := s.Client(t, delivery)
					c.Header.Set("X-Forwarded-For", network(n))
					left := asked(c, "waiting"+network(n)+"@example.com", nil).Text("attempt")
					s.Clock.Advance(time.Second) // emails of one moment have no order
					before := attemptCookie(c)
					if got := way(c); got.Status != http.StatusOK && got.Status != http.StatusSeeOther {
						t.Fatalf("%d %s", got.Status, got.Body)
					}
					after := attemptCookie(c)
					if before == "" || after == "" || after == before {
						t.Fatalf("%q, then %q", before, after)
					}
					c.Do("GET", "/v1/sign-in/attempts/"+left, nil).Want(http.StatusUnauthorized, "attempt_expired")
					// Nothing but a sign-in changes it.
					if delivery == "cookie" {
						c.Do("POST", "/v1/token/refresh", app.M{}).Want(http.StatusOK)
						c.Do("GET", "/account", nil).Want(http.StatusOK)
					}
					asked(c, "later"+network(n)+"@example.com", nil)
					if attemptCookie(c) != after {
						t.Error("it has changed again")
					}
				})
			}
		}
	})
}
