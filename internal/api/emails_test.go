package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/app"
)

// added adds an address and returns its id and attempt.
func added(c *app.Client, email string) (id, attempt string) {
	got := c.Do("POST", "/v1/me/emails", app.M{"email": email}).Want(http.StatusCreated)
	return got.Text("id"), got.Text("attempt")
}

// proven adds an address and proves it.
func proven(t *testing.T, s *app.Server, c *app.Client, email string) string {
	t.Helper()
	id, _ := added(c, email)
	c.Do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": s.CodeFor(t, email)}).Want(http.StatusOK)
	return id
}

// addresses lists a person's addresses: the primary with a star, the unproven with a
// question mark.
func addresses(c *app.Client) string {
	var out []string
	for _, v := range c.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any) {
		e := v.(map[string]any)
		text := e["email"].(string)
		if e["primary"] == true {
			text += "*"
		}
		if e["verified"] == false {
			text += "?"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestEmails(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "one@example.com", "")
		s.Clock.Advance(time.Second)
		id, attempt := added(c, "two@example.com")
		if got := addresses(c); got != "one@example.com* two@example.com?" {
			t.Error(got)
		}
		c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusConflict, "not_verified")
		c.Do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": "000000"}).Want(http.StatusUnauthorized, "code_incorrect")
		s.Clock.Advance(time.Second)
		asked(s.Client(t, ""), "two@example.com", nil) // it signs nobody in yet
		if m := s.Letter(t, "two@example.com"); m.Code != "" {
			t.Error("an unproven address signs in")
		}
		c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, "two@example.com")}).Want(http.StatusUnauthorized, "attempt_expired")
		got := c.Do("POST", "/v1/email/confirm", app.M{"attempt": attempt, "code": s.CodeFor(t, "two@example.com")}).Want(http.StatusOK)
		if got.Text("email") != "two@example.com" {
			t.Errorf("%s", got.Body)
		}
		c.Do("POST", "/v1/email/confirm", app.M{"attempt": attempt, "code": s.CodeFor(t, "two@example.com")}).Want(http.StatusUnauthorized, "attempt_expired")
		if m := s.Letter(t, "one@example.com"); !strings.Contains(m.Subject, "added") {
			t.Errorf("the primary address was not told: %q", m.Subject)
		}
		c.Do("POST", "/v1/me/emails", app.M{"email": "TWO@example.com"}).Want(http.StatusUnprocessableEntity, "invalid_request")
		c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{"without_undo": true}).Want(http.StatusForbidden, "forbidden")
		c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
		if got := addresses(c); got != "one@example.com two@example.com*" {
			t.Error(got)
		}
		if got := c.Do("GET", "/v1/me", nil).Want(http.StatusOK).Text("email"); got != "two@example.com" {
			t.Error(got)
		}
		s.Client(t, "").SignIn("one@example.com")
		c.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNoContent)
		if got := addresses(c); got != "one@example.com*" {
			t.Error(got)
		}
	})
}

func TestLastEmailStays(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "only@example.com", "")
		id := c.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any)[0].(map[string]any)["id"].(string)
		c.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusConflict, "last_credential")
	})
}

// TestForeignEmails: nobody sees, proves, chooses or removes another person's address.
func TestForeignEmails(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann, eve := signedIn(t, s, "ann@example.com", ""), signedIn(t, s, "eve@example.com", "")
		id, _ := added(ann, "second@example.com")
		code := s.CodeFor(t, "second@example.com")
		eve.Do("POST", "/v1/me/emails/"+id+"/send", nil).Want(http.StatusNotFound, "not_found")
		eve.Do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": code}).Want(http.StatusUnauthorized, "attempt_expired")
		eve.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNotFound, "not_found")
		eve.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNotFound, "not_found")
		eve.Do("DELETE", "/v1/me/emails/nonsense", nil).Want(http.StatusNotFound, "not_found")
		ann.Do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": code}).Want(http.StatusOK)
	})
}

// TestTakenEmailIsAnsweredAlike: adding somebody's address looks like adding a free one.
func TestTakenEmailIsAnsweredAlike(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "taken@example.com", "")
		c := signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Minute)
		play := func(email string) string {
			answer := c.Do("POST", "/v1/me/emails", app.M{"email": email}).Want(http.StatusCreated)
			out := said(answer)
			for range 6 {
				out += "\n" + said(c.Do("POST", "/v1/me/emails/"+answer.Text("id")+"/verify", app.M{"code": "000000"}))
			}
			return strings.ReplaceAll(out, email, "EMAIL")
		}
		taken, free := play("taken@example.com"), play("frees@example.com")
		if taken != free {
			t.Errorf("%s\n\n%s", taken, free)
		}
		if m := s.Letter(t, "taken@example.com"); m.Code != "" || !strings.Contains(m.Subject, "sign up with your address") {
			t.Errorf("%q", m.Subject)
		}
	})
}

// TestProofDecidesWhoHasAnAddress: of two people who name one address, the one who proves
// it first has it.
func TestProofDecidesWhoHasAnAddress(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann, eve := signedIn(t, s, "ann@example.com", ""), signedIn(t, s, "eve@example.com", "")
		s.Clock.Advance(time.Second) // lists are in the order of time
		evesID, _ := added(eve, "shared@example.com")
		evesCode := s.CodeFor(t, "shared@example.com")
		s.Clock.Advance(time.Second)
		annsID, _ := added(ann, "shared@example.com")
		annsCode := s.CodeFor(t, "shared@example.com")
		won := race(1, func() bool {
			return ann.Do("POST", "/v1/me/emails/"+annsID+"/verify", app.M{"code": annsCode}).Status == http.StatusOK
		})
		won += race(1, func() bool {
			return eve.Do("POST", "/v1/me/emails/"+evesID+"/verify", app.M{"code": evesCode}).Status == http.StatusOK
		})
		if won != 1 || addresses(eve) != "eve@example.com* shared@example.com?" {
			t.Errorf("%d people have the address; %s", won, addresses(eve))
		}
	})
}

func TestChangesOfEmailNeedAFreshProof(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "ann@example.com", "")
		id := proven(t, s, c, "two@example.com")
		s.Clock.Advance(11 * time.Minute)
		c.Do("POST", "/v1/me/emails", app.M{"email": "three@example.com"}).Want(http.StatusForbidden, "reauthentication_required")
		c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusForbidden, "reauthentication_required")
		c.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusForbidden, "reauthentication_required")
	})
}

// TestOldAddressTakesTheChangeBack: what a thief did with the account's addresses is undone
// from the old mailbox, within 72 hours, once, and signs nobody in.
func TestOldAddressTakesTheChangeBack(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		b := session.Browser{IP: "192.0.2.1", Delivery: session.Token}
		for _, how := range []string{"changed", "removed"} {
			t.Run(how, func(t *testing.T) {
				old := how + "@example.com"
				c := signedIn(t, s, old, "")
				s.Clock.Advance(time.Second)
				id := proven(t, s, c, "thief-"+how+"@example.com")
				s.Clock.Advance(time.Second)
				c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
				first := c.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any)[0].(map[string]any)["id"].(string)
				if how == "removed" {
					s.Clock.Advance(time.Second)
					c.Do("DELETE", "/v1/me/emails/"+first, nil).Want(http.StatusNoContent)
				}
				token := secret.Text(s.TokenFor(t, old))
				s.Clock.Advance(time.Second)
				proven(t, s, c, "later-"+how+"@example.com")
				out, err := s.Auth.UndoChange(t.Context(), token, b)
				if err != nil {
					t.Fatal(err)
				}
				c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
				if _, err := s.Auth.UndoChange(t.Context(), token, b); err == nil {
					t.Error("the link works twice")
				}
				back := recovered(t, s, out, old)
				if got := addresses(back); got != old+"*" {
					t.Errorf("%s, want %s", got, old)
				}
			})
		}
		t.Run("too late", func(t *testing.T) {
			c := signedIn(t, s, "late@example.com", "")
			s.Clock.Advance(time.Second)
			id := proven(t, s, c, "late2@example.com")
			s.Clock.Advance(time.Second)
			c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
			token := secret.Text(s.TokenFor(t, "late@example.com"))
			s.Clock.Advance(72 * time.Hour)
			if _, err := s.Auth.UndoChange(t.Context(), token, b); err == nil {
				t.Error("the link works after 72 hours")
			}
		})
	})
}
