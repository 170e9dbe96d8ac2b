package api_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// asked begins a sign-in by letter and returns the answer.
func asked(c *app.Client, email string, more app.M) *app.Answer {
	body := app.M{"email": email}
	for k, v := range more {
		body[k] = v
	}
	return c.Do("POST", "/v1/sign-in/email", body).Want(http.StatusAccepted)
}

func TestLetterSignsIn(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		for _, by := range []string{"code", "link"} {
			for _, delivery := range []string{"token", "memory", "cookie"} {
				t.Run(by+" "+delivery, func(t *testing.T) {
					s.Clock.Advance(time.Hour)
					c := s.Client(t, delivery)
					attempt := asked(c, "ann@example.com", nil).Text("attempt")
					body, path := app.M{"attempt": attempt, "code": s.CodeFor(t, "ann@example.com")}, "/v1/sign-in/code"
					if by == "link" {
						body, path = app.M{"token": s.TokenFor(t, "ann@example.com")}, "/v1/sign-in/link"
						if delivery == "token" {
							body["attempt"] = attempt // there is no cookie to show
						}
					}
					got := c.Grant(c.Do("POST", path, body).Want(http.StatusOK))
					methods := got.JSON()["session"].(map[string]any)["methods"].([]any)
					if len(methods) != 1 || methods[0] != "email_"+by {
						t.Errorf("methods %v", methods)
					}
					c.Do("POST", path, body).Want(http.StatusUnauthorized)
				})
			}
		}
	})
}

func TestLetterMakesAnAccountWhereThatIsAsked(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "cookie")
		asked(c, "new@example.com", nil)
		if m := s.Letter(t, "new@example.com"); m.Code != "" || strings.Contains(m.Text, "lnk_") {
			t.Errorf("an unknown address got a way in: %+v", m)
		}
		s.Clock.Advance(time.Minute)
		asked(c, "new@example.com", app.M{"create": true})
		c.Grant(c.Do("POST", "/v1/sign-in/link", app.M{"token": s.TokenFor(t, "new@example.com")}).Want(http.StatusOK))
		if got := c.Do("GET", "/v1/me", nil).Want(http.StatusOK); got.JSON()["has_password"] != false {
			t.Errorf("%s", got.Body)
		}
	})
}

// TestUnknownAddressIsAnsweredAlike: same bytes, same rows, same statements for an
// address with and one without an account.
func TestUnknownAddressIsAnsweredAlike(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "known@example.com", "")
		s.Clock.Advance(time.Hour)
		grown := func(email string) (string, map[string]int) {
			before := s.Count(t)
			answer := asked(s.Client(t, "cookie"), email, nil)
			after := s.Count(t)
			for table := range after {
				after[table] -= before[table]
			}
			return said(answer), after
		}
		known, knownRows := grown("known@example.com")
		unknown, unknownRows := grown("unkno@example.com")
		if known != unknown {
			t.Errorf("%s\n%s", known, unknown)
		}
		knownRows["code_budget"], unknownRows["code_budget"] = 0, 0 // the first row of an address
		for table, n := range knownRows {
			if unknownRows[table] != n {
				t.Errorf("%s grows by %d and %d", table, n, unknownRows[table])
			}
		}
	})
}

func TestLinkFromElsewhereIsApproved(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		waiting, phone := s.Client(t, "cookie"), s.Client(t, "cookie")
		began := asked(waiting, "ann@example.com", nil)
		attempt, token := began.Text("attempt"), s.TokenFor(t, "ann@example.com")
		path := "/v1/sign-in/attempts/" + attempt
		waiting.Do("POST", path+"/complete", nil).Want(http.StatusConflict, "not_approved")
		got := phone.Do("POST", "/v1/sign-in/link", app.M{"token": token}).Want(http.StatusOK)
		if got.Text("status") != "needs_approval" || got.Text("device") == "" || got.Text("place") == "" || len(phone.Cookies()) != 0 {
			t.Fatalf("%s %v", got.Body, phone.Cookies())
		}
		if got := phone.Do("POST", "/v1/sign-in/link/approve", app.M{"token": token, "match": began.Text("match"), "decision": "approve"}).Want(http.StatusOK); got.Text("status") != "approved" {
			t.Fatalf("%s", got.Body)
		}
		phone.Do("POST", path+"/complete", nil).Want(http.StatusUnauthorized, "attempt_expired") // it holds nothing
		if got := waiting.Do("GET", path, nil).Want(http.StatusOK).Text("status"); got != "approved" {
			t.Error(got)
		}
		waiting.Do("POST", path+"/complete", nil).Want(http.StatusOK)
		waiting.Do("POST", path+"/complete", nil).Want(http.StatusUnauthorized, "attempt_expired")
		phone.Do("POST", "/v1/sign-in/link", app.M{"token": token}).Want(http.StatusUnauthorized, "link_used")
		if got := waiting.Do("GET", path, nil).Want(http.StatusOK).Text("status"); got != "complete" {
			t.Error(got)
		}
	})
}

func TestOneWrongNumberDenies(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		for _, how := range []string{"wrong", "empty", "deny"} {
			t.Run(how, func(t *testing.T) {
				s.Clock.Advance(time.Hour)
				waiting, phone := s.Client(t, "token"), s.Client(t, "")
				began := asked(waiting, "ann@example.com", nil)
				attempt, token, match := began.Text("attempt"), s.TokenFor(t, "ann@example.com"), began.Text("match")
				wrong := "1" + match[1:]
				if wrong == match {
					wrong = "2" + match[1:]
				}
				body := map[string]app.M{
					"wrong": {"token": token, "match": wrong, "decision": "approve"},
					"empty": {"token": token, "decision": "approve"},
					"deny":  {"token": token, "match": match, "decision": "deny"},
				}[how]
				if got := phone.Do("POST", "/v1/sign-in/link/approve", body).Want(http.StatusOK); got.Text("status") != "denied" {
					t.Fatalf("%s", got.Body)
				}
				path := "/v1/sign-in/attempts/" + attempt
				if got := waiting.Do("GET", path, nil).Want(http.StatusOK).Text("status"); got != "denied" {
					t.Error(got)
				}
				waiting.Do("POST", path+"/complete", nil).Want(http.StatusUnauthorized, "attempt_expired")
				phone.Do("POST", "/v1/sign-in/link/approve", app.M{"token": token, "match": match, "decision": "approve"}).Want(http.StatusUnauthorized, "link_used")
			})
		}
	})
}

func TestLinkIsShownElsewhereThreeTimes(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		asked(s.Client(t, "cookie"), "ann@example.com", nil)
		body := app.M{"token": s.TokenFor(t, "ann@example.com")}
		for range 3 {
			s.Client(t, "").Do("POST", "/v1/sign-in/link", body).Want(http.StatusOK)
		}
		s.Client(t, "").Do("POST", "/v1/sign-in/link", body).Want(http.StatusUnauthorized, "link_expired")
	})
}

// TestLinkWhoseGroundHasMoved: each of these links was good a moment ago.
func TestLinkWhoseGroundHasMoved(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		begin := func(t *testing.T) (*app.Client, string, string) {
			s.Clock.Advance(time.Hour)
			c := s.Client(t, "cookie")
			attempt := asked(c, "ann@example.com", nil).Text("attempt")
			return c, attempt, s.TokenFor(t, "ann@example.com")
		}
		refused := func(t *testing.T, c *app.Client, token, code string) {
			t.Helper()
			c.Do("POST", "/v1/sign-in/link", app.M{"token": token}).Want(http.StatusUnauthorized, code)
			c.Do("POST", "/v1/sign-in/link/approve", app.M{"token": token, "match": "00", "decision": "approve"}).Want(http.StatusUnauthorized, code)
		}
		t.Run("a newer letter", func(t *testing.T) {
			c, attempt, token := begin(t)
			s.Clock.Advance(31 * time.Second)
			c.Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil).Want(http.StatusAccepted)
			newer := s.TokenFor(t, "ann@example.com")
			refused(t, c, token, "link_expired")
			c.Do("POST", "/v1/sign-in/link", app.M{"token": newer}).Want(http.StatusOK)
		})
		t.Run("ten minutes", func(t *testing.T) {
			c, _, token := begin(t)
			s.Clock.Advance(10 * time.Minute)
			refused(t, c, token, "link_expired")
		})
		t.Run("the code was used", func(t *testing.T) {
			c, attempt, token := begin(t)
			c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, "ann@example.com")}).Want(http.StatusOK)
			refused(t, c, token, "link_used")
		})
		t.Run("another secret", func(t *testing.T) {
			c, _, token := begin(t)
			refused(t, c, token[:len(token)-22]+strings.Repeat("A", 22), "link_expired")
			refused(t, c, "", "link_expired")
			refused(t, c, strings.Repeat("x", 1000), "link_expired")
			c.Do("POST", "/v1/sign-in/link", app.M{"token": token}).Want(http.StatusOK)
		})
		t.Run("another password", func(t *testing.T) {
			c, _, token := begin(t)
			fresh := s.Client(t, "")
			fresh.SignIn("ann@example.com")
			fresh.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": "a wholly new passphrase"}, "Authorization", "Bearer "+fresh.Access).Want(http.StatusOK)
			refused(t, c, token, "link_expired")
		})
		_ = ann
	})
}

// TestSignUpLinkElsewhereStartsAfresh: what another browser typed is never completed.
func TestSignUpLinkElsewhereStartsAfresh(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief, owner := s.Client(t, "cookie"), s.Client(t, "cookie")
		thief.Do("POST", "/v1/sign-up", app.M{"email": "new@example.com", "password": app.Password}).Want(http.StatusOK)
		token := s.TokenFor(t, "new@example.com")
		owner.Do("POST", "/v1/sign-in/link", app.M{"token": token}).Want(http.StatusConflict, "link_elsewhere")
		if _, found, err := s.Store.AccountByEmail(t.Context(), "new@example.com"); err != nil || found {
			t.Fatal("an account came into being", err)
		}
		thief.Do("POST", "/v1/sign-in/link", app.M{"token": token}).Want(http.StatusOK)
	})
}

func TestLinksAreSpentOnce(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		c := s.Client(t, "token")
		began := asked(c, "ann@example.com", nil)
		body := app.M{"token": s.TokenFor(t, "ann@example.com"), "attempt": began.Text("attempt")}
		code := app.M{"attempt": began.Text("attempt"), "code": s.CodeFor(t, "ann@example.com")}
		won := race(20, func() bool {
			return s.Client(t, "token").Do("POST", "/v1/sign-in/link", body).Status == http.StatusOK
		})
		won += race(5, func() bool { return c.Do("POST", "/v1/sign-in/code", code).Status == http.StatusOK })
		if won != 1 {
			t.Errorf("%d grants", won)
		}
		s.Clock.Advance(time.Hour)
		began = asked(c, "ann@example.com", nil)
		approve := app.M{"token": s.TokenFor(t, "ann@example.com"), "match": began.Text("match"), "decision": "approve"}
		if won := race(20, func() bool { return c.Do("POST", "/v1/sign-in/link/approve", approve).Status == http.StatusOK }); won != 1 {
			t.Errorf("%d approvals", won)
		}
		if won := race(20, func() bool {
			return c.Do("POST", "/v1/sign-in/attempts/"+began.Text("attempt")+"/complete", nil).Status == http.StatusOK
		}); won != 1 {
			t.Errorf("%d completions", won)
		}
	})
}

// TestBannedPersonIsToldAfterTheProof: not before, and nobody comes in.
func TestBannedPersonIsToldAfterTheProof(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		who, _, err := s.Store.AccountByEmail(t.Context(), "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Auth.Ban(t.Context(), who.ID); err != nil {
			t.Fatal(err)
		}
		c := s.Client(t, "token")
		attempt := asked(c, "ann@example.com", nil).Text("attempt")
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "000000"}).Want(http.StatusUnauthorized, "code_incorrect")
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, "ann@example.com")}).Want(http.StatusForbidden, "account_banned")
	})
}

func TestAttemptIsStreamed(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		c := s.Client(t, "token")
		began := asked(c, "ann@example.com", nil)
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v1/sign-in/attempts/"+began.Text("attempt"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		next := func() string {
			for lines.Scan() {
				if status, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					return status
				}
			}
			return "end"
		}
		if got := next(); got != `{"status":"pending"}` {
			t.Error(got)
		}
		c.Do("POST", "/v1/sign-in/link/approve", app.M{"token": s.TokenFor(t, "ann@example.com"), "match": began.Text("match"), "decision": "approve"}).Want(http.StatusOK)
		if got := next(); got != `{"status":"approved"}` {
			t.Error(got)
		}
		c.Do("POST", "/v1/sign-in/attempts/"+began.Text("attempt")+"/complete", nil).Want(http.StatusOK)
		if got := next(); got != `{"status":"complete"}` {
			t.Error(got)
		}
		if got := next(); got != "end" {
			t.Error("the stream goes on", got)
		}
	})
}

// TestLanguageOfALetter: a person's own language goes before the one that was asked in.
func TestLanguageOfALetter(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "ann@example.com", "")
		for _, x := range []struct{ own, asked, want string }{{"", "", "Sign in"}, {"", "de", "Anmeldung"}, {"fr", "de", "Connexion"}} {
			c.Do("PATCH", "/v1/me", app.M{"locale": x.own}).Want(http.StatusOK)
			s.Clock.Advance(time.Minute)
			asked(s.Client(t, ""), "ann@example.com", app.M{"locale": x.asked})
			if m := s.Letter(t, "ann@example.com"); !strings.Contains(m.Subject, x.want) {
				t.Errorf("own %q, asked in %q: %q", x.own, x.asked, m.Subject)
			}
		}
	})
}
