package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestConfirmationsBelongToWhoAsked: the link of an added address works for the account
// that asked, and elsewhere it changes, spends and tells nothing.
func TestConfirmationsBelongToWhoAsked(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		eve, victim := signedIn(t, s, "eve@example.com", ""), signedIn(t, s, "victim@example.com", "")
		victimsCookies := s.Client(t, "cookie")
		victimsCookies.SignIn("victim@example.com")
		ended := s.Client(t, "")
		s.Clock.Advance(time.Second)
		ended.SignIn("eve@example.com")
		ended.Do("POST", "/v1/sign-out", app.M{}).Want(http.StatusNoContent)
		const second = "second@example.com"
		_, attempt := added(eve, second)
		token, code := s.TokenFor(t, second), s.CodeFor(t, second)
		before, events := s.Count(t), s.Count(t)["event"]
		body := app.M{"token": token}
		for name, c := range map[string]*app.Client{
			"signed out": s.Client(t, ""), "signed out, cookies": s.Client(t, "cookie"), "another person": victim,
			"another person's browser": victimsCookies, "a session that has ended": ended,
		} {
			for range 3 {
				if got := c.Do("POST", "/v1/email/confirm", body); got.Status != http.StatusUnauthorized || got.Code() != "unauthenticated" || strings.Contains(string(got.Body), second) {
					t.Errorf("%s: %d %s", name, got.Status, got.Body)
				}
			}
		}
		for _, forged := range []string{"lnk_", token[:len(token)-1] + "!", token[:30] + "_" + strings.Repeat("A", 22), "a\x00b"} {
			if got := victim.Do("POST", "/v1/email/confirm", app.M{"token": forged}); got.Status != http.StatusUnauthorized && got.Status != http.StatusUnprocessableEntity {
				t.Errorf("%q: %d %s", forged, got.Status, got.Body)
			}
		}
		if after := s.Count(t); after["event"] != events || after["outbox"] != before["outbox"] {
			t.Errorf("it left %d events and %d emails", after["event"]-events, after["outbox"]-before["outbox"])
		}
		for _, row := range s.Look(t, "SELECT tries, ended_at FROM attempt WHERE id = '"+attempt[:30]+"'") {
			if row[0] != "0" || row[1] != "" {
				t.Errorf("the attempt has %v", row)
			}
		}
		// What stops the theft of somebody's address takes nothing from who asked.
		won := race(20, func() bool { return eve.Do("POST", "/v1/email/confirm", body).Status == http.StatusOK })
		if won != 1 {
			t.Errorf("%d of 20 confirmed it", won)
		}
		eve.Do("POST", "/v1/email/confirm", body).Want(http.StatusUnauthorized, "link_used")
		victim.Do("POST", "/v1/email/confirm", body).Want(http.StatusUnauthorized, "unauthenticated")
		eve.Do("POST", "/v1/email/confirm", app.M{"attempt": attempt, "code": code}).Want(http.StatusUnauthorized, "attempt_expired")
		if got := addresses(eve); got != "eve@example.com* "+second {
			t.Error(got)
		}
	})
}

// TestConfirmationByAnotherSession: the account counts, whichever of its sessions opens the
// link; the session that asked must live all the same.
func TestConfirmationByAnotherSession(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Second)
		browser := s.Client(t, "cookie")
		browser.SignIn("ann@example.com")
		_, _ = added(ann, "two@example.com")
		browser.Do("POST", "/v1/email/confirm", app.M{"token": s.TokenFor(t, "two@example.com")}).Want(http.StatusOK)
		_, attempt := added(ann, "three@example.com")
		token, code := s.TokenFor(t, "three@example.com"), s.CodeFor(t, "three@example.com")
		ann.Do("POST", "/v1/sign-out", app.M{}).Want(http.StatusNoContent)
		browser.Do("POST", "/v1/email/confirm", app.M{"token": token}).Want(http.StatusUnauthorized, "link_expired")
		browser.Do("POST", "/v1/email/confirm", app.M{"attempt": attempt, "code": code}).Want(http.StatusUnauthorized, "unauthenticated")
		if rows := s.Look(t, "SELECT tries FROM attempt WHERE id = '"+attempt[:30]+"' AND tries = 0"); len(rows) != 1 {
			t.Error("a try was counted")
		}
	})
}

// TestAdditionsOfBrowsersNeedTheirCookie: in cookie mode the value of an attempt alone
// shows, sends and confirms nothing.
func TestAdditionsOfBrowsersNeedTheirCookie(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Second)
		browser, thief := s.Client(t, "cookie"), s.Client(t, "cookie")
		browser.SignIn("ann@example.com")
		_, attempt := added(browser, "two@example.com")
		phone := browser.Do("POST", "/v1/me/phones", app.M{"phone": annsPhone}).Want(http.StatusCreated).Text("attempt")
		body := app.M{"attempt": attempt, "code": s.CodeFor(t, "two@example.com")}
		for _, value := range []string{attempt, phone} {
			thief.Do("GET", "/v1/sign-in/attempts/"+value, nil).Want(http.StatusUnauthorized, "attempt_expired")
			thief.Do("POST", "/v1/sign-in/attempts/"+value+"/resend", nil).Want(http.StatusUnauthorized, "attempt_expired")
			browser.Do("GET", "/v1/sign-in/attempts/"+value, nil).Want(http.StatusOK)
		}
		thief.Do("POST", "/v1/email/confirm", body).Want(http.StatusUnauthorized, "attempt_expired")
		browser.Do("POST", "/v1/email/confirm", body).Want(http.StatusOK)
	})
}
