package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// Numbers that nobody has; only development sends codes to them.
const annsPhone, evesPhone = "+12015550123", "+12015550124"

func texted(c *app.Client, number string, more app.M) *app.Answer {
	body := app.M{"phone": number}
	for k, v := range more {
		body[k] = v
	}
	return c.Do("POST", "/v1/sign-in/phone", body).Want(http.StatusAccepted)
}

// withPhone is a signed-in person who has proven a number.
func withPhone(t *testing.T, s *app.Server, email, number string) *app.Client {
	t.Helper()
	c := signedIn(t, s, email, "")
	got := c.Do("POST", "/v1/me/phones", app.M{"phone": number}).Want(http.StatusCreated)
	c.Do("POST", "/v1/me/phones/"+got.Text("id")+"/verify", app.M{"code": s.CodeFor(t, number)}).Want(http.StatusNoContent)
	return c
}

func TestPhones(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "ann@example.com", "")
		got := c.Do("POST", "/v1/me/phones", app.M{"phone": "(201) 555-0123", "country": "US"}).Want(http.StatusCreated)
		id := got.Text("id")
		if got.Text("phone") != annsPhone || strings.Contains(got.Text("sent_to"), "5550") {
			t.Errorf("%s", got.Body)
		}
		c.Do("POST", "/v1/me/phones/"+id+"/primary", nil).Want(http.StatusConflict, "not_verified")
		c.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": "000000"}).Want(http.StatusUnauthorized, "code_incorrect")
		c.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": s.CodeFor(t, annsPhone)}).Want(http.StatusNoContent)
		me := c.Do("GET", "/v1/me", nil).Want(http.StatusOK).JSON()
		if me["phone"] != annsPhone || me["phone_verified"] != true {
			t.Errorf("%v", me)
		}
		if m := s.Letter(t, "ann@example.com"); !strings.Contains(m.Subject, "phone number") {
			t.Errorf("the person was not told: %q", m.Subject)
		}
		c.Do("POST", "/v1/me/phones", app.M{"phone": annsPhone}).Want(http.StatusUnprocessableEntity, "invalid_request")
		c.Do("POST", "/v1/me/phones", app.M{"phone": "+41 44 668 18 00"}).Want(http.StatusUnprocessableEntity, "invalid_request") // no mobile phone
		s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": annsPhone, "password": app.Password}).Want(http.StatusOK)
		c.Do("DELETE", "/v1/me/phones/"+id, nil).Want(http.StatusNoContent)
		if me := c.Do("GET", "/v1/me", nil).Want(http.StatusOK).JSON(); me["phone"] != nil {
			t.Errorf("%v", me["phone"])
		}
	})
}

func TestForeignPhones(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann, eve := signedIn(t, s, "ann@example.com", ""), signedIn(t, s, "eve@example.com", "")
		id := ann.Do("POST", "/v1/me/phones", app.M{"phone": annsPhone}).Want(http.StatusCreated).Text("id")
		code := s.CodeFor(t, annsPhone)
		eve.Do("POST", "/v1/me/phones/"+id+"/send", nil).Want(http.StatusNotFound, "not_found")
		eve.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": code}).Want(http.StatusUnauthorized, "attempt_expired")
		eve.Do("POST", "/v1/me/phones/"+id+"/primary", nil).Want(http.StatusNotFound, "not_found")
		eve.Do("DELETE", "/v1/me/phones/"+id, nil).Want(http.StatusNotFound, "not_found")
		ann.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": code}).Want(http.StatusNoContent)
		s.Clock.Advance(time.Minute)
		// The number is Ann's now: to Eve it looks like any other, and nothing is sent there.
		before := len(s.Inbox.Messages(annsPhone, "sms"))
		again := eve.Do("POST", "/v1/me/phones", app.M{"phone": annsPhone}).Want(http.StatusCreated).Text("id")
		eve.Do("POST", "/v1/me/phones/"+again+"/verify", app.M{"code": "424242"}).Want(http.StatusUnauthorized, "code_incorrect")
		s.Letter(t, "ann@example.com")
		if got := len(s.Inbox.Messages(annsPhone, "sms")); got != before {
			t.Error("a message was sent to somebody else's number")
		}
	})
}

func TestMessageSignsIn(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		withPhone(t, s, "ann@example.com", annsPhone)
		s.Clock.Advance(time.Hour)
		c := s.Client(t, "token")
		began := texted(c, annsPhone, nil)
		if began.JSON()["match"] != nil {
			t.Error("a code has no digits to compare")
		}
		s.Letter(t, annsPhone)
		m := s.Inbox.Messages(annsPhone, "sms")[0]
		if len(m.Links) != 0 || !strings.HasSuffix(m.Text, "\n@127.0.0.1 #424242") && !strings.HasSuffix(m.Text, "\n@localhost #424242") {
			t.Errorf("%q", m.Text)
		}
		got := c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": began.Text("attempt"), "code": m.Code}).Want(http.StatusOK))
		if methods := got.JSON()["session"].(map[string]any)["methods"].([]any); len(methods) != 1 || methods[0] != "phone_code" {
			t.Errorf("%v", methods)
		}
		s.Clock.Advance(time.Hour)
		cookie := s.Client(t, "cookie")
		texted(cookie, annsPhone, app.M{"link": true})
		cookie.Do("POST", "/v1/sign-in/link", app.M{"token": s.TokenFor(t, annsPhone)}).Want(http.StatusOK)
	})
}

func TestUnknownNumberIsAnsweredAlike(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		withPhone(t, s, "ann@example.com", annsPhone)
		s.Clock.Advance(time.Hour)
		play := func(number string) (string, map[string]int) {
			c := s.Client(t, "token")
			before := s.Count(t)
			began := texted(c, number, nil)
			after := s.Count(t)
			for table := range after {
				after[table] -= before[table]
			}
			after["code_budget"] = 0 // the first row of a number
			out := said(began)
			for range 6 {
				out += "\n" + said(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": began.Text("attempt"), "code": "000000"}))
			}
			return out, after
		}
		known, knownRows := play(annsPhone)
		unknown, unknownRows := play(evesPhone)
		if strings.ReplaceAll(known, "23", "24") != strings.ReplaceAll(unknown, "23", "24") {
			t.Errorf("%s\n\n%s", known, unknown)
		}
		for table, n := range knownRows {
			if unknownRows[table] != n {
				t.Errorf("%s grows by %d and %d", table, n, unknownRows[table])
			}
		}
		s.Letter(t, "ann@example.com")
		if len(s.Inbox.Messages(evesPhone, "")) != 0 {
			t.Error("a message was sent to nobody")
		}
	})
}

func TestSignUpByPhone(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for _, how := range []string{"sign-up", "sign-in"} {
			number := map[string]string{"sign-up": annsPhone, "sign-in": evesPhone}[how]
			c := s.Client(t, "token")
			var attempt string
			if how == "sign-up" {
				got := c.Do("POST", "/v1/sign-up", app.M{"phone": number, "password": app.Password}).Want(http.StatusOK)
				if got.Text("channel") != "phone" {
					t.Errorf("%s", got.Body)
				}
				attempt = got.Text("attempt")
			} else {
				attempt = texted(c, number, app.M{"create": true}).Text("attempt")
			}
			c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, number)}).Want(http.StatusOK))
			me := c.Do("GET", "/v1/me", nil, "Authorization", "Bearer "+c.Access).Want(http.StatusOK).JSON()
			if me["phone"] != number || me["email"] != nil {
				t.Errorf("%v", me)
			}
			phones := c.Do("GET", "/v1/me/phones", nil, "Authorization", "Bearer "+c.Access).Want(http.StatusOK).JSON()["data"].([]any)
			id := phones[0].(map[string]any)["id"].(string)
			c.Do("DELETE", "/v1/me/phones/"+id, nil, "Authorization", "Bearer "+c.Access).Want(http.StatusConflict, "last_credential")
		}
	})
}

// TestStepUpByPhone: a person with a number alone proves it afresh.
func TestStepUpByPhone(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := withPhone(t, s, "ann@example.com", annsPhone)
		s.Clock.Advance(14 * time.Minute)
		got := c.Do("POST", "/v1/me/reauthenticate/begin", app.M{"type": "phone_code"}).Want(http.StatusOK)
		body := app.M{"attempt": got.Text("attempt"), "type": "email_code", "code": s.CodeFor(t, annsPhone)}
		c.Do("POST", "/v1/me/reauthenticate", body).Want(http.StatusUnprocessableEntity, "invalid_request")
		body["type"] = "phone_code"
		c.Do("POST", "/v1/me/reauthenticate", body).Want(http.StatusOK)
	})
}
