package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/app"
)

// elsewhere is a browser that nobody knows.
var elsewhere = session.Browser{IP: "192.0.2.1", Delivery: session.Token}

// letterAbout returns the token in the newest letter to an address whose subject says so.
func letterAbout(t *testing.T, s *app.Server, email, subject string) secret.Text {
	t.Helper()
	s.Letter(t, email)
	for _, m := range s.Inbox.Messages(email, "") {
		if strings.Contains(m.Subject, subject) && len(m.Links) == 1 {
			_, token, _ := strings.Cut(m.Links[0], "token=")
			return secret.Text(token)
		}
	}
	t.Fatalf("no letter to %s about %q", email, subject)
	return ""
}

// recovered chooses a new password with the recovery that a remedy began, and signs in.
func recovered(t *testing.T, s *app.Server, out auth.Remedied, email string) *app.Client {
	t.Helper()
	c := s.Client(t, "")
	body := app.M{"attempt": out.Recovery.Attempt.Reveal(), "code": s.CodeFor(t, email), "password": newPassword}
	c.Do("POST", "/v1/recovery/confirm", body).Want(http.StatusOK)
	c.Grant(c.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": newPassword}))
	return c
}

// taken is an account in the hands of a thief, who knows its password and has brought an
// address and a number into it.
func taken(t *testing.T, s *app.Server, owner, thiefs string) *app.Client {
	t.Helper()
	signedIn(t, s, owner, "")
	s.Clock.Advance(100 * time.Hour)
	thief := s.Client(t, "")
	thief.Header.Set("User-Agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15")
	thief.SignIn(owner)
	s.Clock.Advance(time.Second)
	proven(t, s, thief, thiefs)
	id := thief.Do("POST", "/v1/me/phones", app.M{"phone": evesPhone}).Want(http.StatusCreated).Text("id")
	thief.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": s.CodeFor(t, evesPhone)}).Want(http.StatusNoContent)
	s.Clock.Advance(time.Second)
	return thief
}

// lockedOut fails unless the thief's address, number and password lead nowhere.
func lockedOut(t *testing.T, s *app.Server, thief *app.Client, thiefs string) {
	t.Helper()
	thief.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
	s.Clock.Advance(time.Hour)
	asked(thief.Without(), thiefs, nil)
	if m := s.Letter(t, thiefs); m.Code != "" || strings.Contains(m.Text, "lnk_") {
		t.Error("the thief's address still signs in")
	}
	before := len(s.Inbox.Messages(evesPhone, ""))
	texted(thief.Without(), evesPhone, nil)
	s.Letter(t, thiefs)
	if len(s.Inbox.Messages(evesPhone, "")) != before {
		t.Error("the thief's number still signs in")
	}
	recovering(thief.Without(), thiefs)
	if m := s.Letter(t, thiefs); strings.Contains(m.Text, "lnk_") {
		t.Error("the thief's address still recovers the account")
	}
}

// TestNotMeThrowsTheThiefOut: whichever letter the owner answers, what the thief brought
// into the account leaves it, and the way back leads to the owner's mailbox.
func TestNotMeThrowsTheThiefOut(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for i, subject := range []string{"New sign-in", "added", "phone number", "password"} {
			t.Run(subject, func(t *testing.T) {
				owner, thiefs := network(i)+"-owner@example.com", network(i)+"-thief@example.com"
				thief := taken(t, s, owner, thiefs)
				if subject == "password" {
					thief.Grant(thief.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": newPassword}))
					s.Clock.Advance(time.Second)
				}
				pending, attempt := added(thief, "pending-"+thiefs)
				code := s.CodeFor(t, "pending-"+thiefs)
				if _, err := s.Auth.NotMe(t.Context(), letterAbout(t, s, owner, subject), elsewhere); err != nil {
					t.Fatal(err)
				}
				thief.Without().Do("POST", "/v1/email/confirm", app.M{"attempt": attempt, "code": code}).Want(http.StatusUnauthorized, "attempt_expired")
				thief.Do("POST", "/v1/me/emails/"+pending+"/verify", app.M{"code": code}).Want(http.StatusUnauthorized)
				lockedOut(t, s, thief, thiefs)
			})
		}
	})
}

// TestNotMeLeadsBackToWhoWasTold: also when the thief made another address the primary one.
func TestNotMeLeadsBackToWhoWasTold(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "thief@example.com")
		for _, e := range thief.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any) {
			if e := e.(map[string]any); e["email"] == "thief@example.com" {
				thief.Do("POST", "/v1/me/emails/"+e["id"].(string)+"/primary", app.M{}).Want(http.StatusNoContent)
			}
		}
		out, err := s.Auth.NotMe(t.Context(), letterAbout(t, s, "owner@example.com", "New sign-in"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		back := recovered(t, s, out, "owner@example.com")
		if got := addresses(back); got != "owner@example.com*" {
			t.Error(got)
		}
		lockedOut(t, s, thief, "thief@example.com")
	})
}

// TestNotMeOfARemovedContact: the removal lies in the same mailbox as the message that is
// answered, and could be undone from there, so any link to a senior contact brings it back.
// Nothing brings back a contact whose removal is three days old.
func TestNotMeOfARemovedContact(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for _, after := range []time.Duration{time.Second, 72 * time.Hour} {
			t.Run(after.String(), func(t *testing.T) {
				old, kept := "old-"+after.String()+"@example.com", "kept-"+after.String()+"@example.com"
				c := signedIn(t, s, old, "")
				s.Clock.Advance(time.Second)
				id := proven(t, s, c, kept)
				token := letterAbout(t, s, old, "added")
				c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
				first := c.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any)[0].(map[string]any)["id"].(string)
				c.Do("DELETE", "/v1/me/emails/"+first, nil).Want(http.StatusNoContent)
				s.Clock.Advance(after)
				out, err := s.Auth.NotMe(t.Context(), token, elsewhere)
				if after == time.Second {
					if err != nil {
						t.Fatal(err)
					}
					if got := addresses(recovered(t, s, out, old)); got != old+"*" {
						t.Error(got)
					}
					return
				}
				if err == nil {
					t.Error("the link works after three days")
				}
				again := s.Client(t, "")
				again.SignIn(kept)
				if got := addresses(again); got != kept+"*" {
					t.Error(got)
				}
			})
		}
	})
}

// TestUndoingThrowsTheThiefOut: the number leaves with the address.
func TestUndoingThrowsTheThiefOut(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "thief@example.com")
		for _, e := range thief.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any) {
			if e := e.(map[string]any); e["email"] == "thief@example.com" {
				thief.Do("POST", "/v1/me/emails/"+e["id"].(string)+"/primary", app.M{}).Want(http.StatusNoContent)
			}
		}
		if _, err := s.Auth.UndoChange(t.Context(), secret.Text(s.TokenFor(t, "owner@example.com")), elsewhere); err != nil {
			t.Fatal(err)
		}
		lockedOut(t, s, thief, "thief@example.com")
	})
}

// TestUndoingForAnAddressThatFoundAnotherOwner changes nothing: the account does not end up
// with no address at all.
func TestUndoingForAnAddressThatFoundAnotherOwner(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "first@example.com", "")
		s.Clock.Advance(time.Second)
		id := proven(t, s, c, "second@example.com")
		s.Clock.Advance(time.Second) // the newest letter is the one that this is about
		c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
		first := c.Do("GET", "/v1/me/emails", nil).Want(http.StatusOK).JSON()["data"].([]any)[0].(map[string]any)["id"].(string)
		s.Clock.Advance(time.Second)
		c.Do("DELETE", "/v1/me/emails/"+first, nil).Want(http.StatusNoContent)
		token := secret.Text(s.TokenFor(t, "first@example.com"))
		signedIn(t, s, "first@example.com", "")
		if _, err := s.Auth.UndoChange(t.Context(), token, elsewhere); err == nil {
			t.Error("an address was taken from its new owner")
		}
		if got := addresses(c); got != "second@example.com*" {
			t.Errorf("the account is left with %q", got)
		}
	})
}

// TestTheOlderContactWins: a mailbox that was given up because somebody else reads it
// undoes its removal. The older contact is told and reports that; the review of its remedy
// removes the mailbox for good.
func TestTheOlderContactWins(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "mine@example.com", "")
		s.Clock.Advance(time.Second)
		id := proven(t, s, c, "leaked@example.com")
		c.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNoContent)
		for _, m := range s.Inbox.Messages("leaked@example.com", "") {
			if strings.Contains(m.Subject, "removed") {
				t.Error("a junior contact can undo its removal")
			}
		}
		id = proven(t, s, c, "leaked@example.com")
		s.Clock.Advance(73 * time.Hour)
		c = s.Client(t, "")
		c.SignIn("mine@example.com")
		c.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNoContent)
		undo := letterAbout(t, s, "leaked@example.com", "removed")
		s.Clock.Advance(time.Second)
		if _, err := s.Auth.UndoChange(t.Context(), undo, elsewhere); err != nil {
			t.Fatal(err)
		}
		out, err := s.Auth.NotMe(t.Context(), letterAbout(t, s, "mine@example.com", "secured"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		review, err := s.Auth.Review(t.Context(), out.Review.Attempt, elsewhere)
		if err != nil || len(review.Left) != 1 || review.Left[0].Address.Key != "leaked@example.com" {
			t.Fatalf("%+v %v", review, err)
		}
		if review, err = s.Auth.RemoveReviewed(t.Context(), out.Review.Attempt, review.Left[0].ID, elsewhere); err != nil || len(review.Left)+len(review.Removed) > 0 {
			t.Fatalf("%+v %v", review, err)
		}
		if got := addresses(recovered(t, s, out, "mine@example.com")); got != "mine@example.com*" {
			t.Error(got)
		}
		recovering(s.Client(t, ""), "leaked@example.com")
		if m := s.Letter(t, "leaked@example.com"); strings.Contains(m.Text, "lnk_") {
			t.Error("the mailbox still recovers the account")
		}
	})
}

// TestProofsOfARemovedAddress: a letter that was on its way when the person gave the
// address up signs nobody in, by its code, its link or an approval.
func TestProofsOfARemovedAddress(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for i, how := range []string{"code", "link", "approval", "recovery code", "recovery link", "text"} {
			t.Run(how, func(t *testing.T) {
				email, old := network(i)+"@example.com", network(i)+"-old@example.com"
				c := signedIn(t, s, email, "")
				s.Clock.Advance(time.Second)
				path, id, target := "/v1/me/emails/", proven(t, s, c, old), old
				thief := s.Client(t, "token")
				var began *app.Answer
				switch how {
				case "text":
					id = c.Do("POST", "/v1/me/phones", app.M{"phone": annsPhone}).Want(http.StatusCreated).Text("id")
					c.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": s.CodeFor(t, annsPhone)}).Want(http.StatusNoContent)
					path, target = "/v1/me/phones/", annsPhone
					began = texted(thief, annsPhone, nil)
				case "recovery code", "recovery link":
					began = thief.Do("POST", "/v1/recovery", app.M{"email": old}).Want(http.StatusAccepted)
				default:
					began = asked(thief, old, nil)
				}
				attempt, code := began.Text("attempt"), s.CodeFor(t, target)
				token := ""
				if how != "text" {
					token = s.TokenFor(t, old)
				}
				if how == "approval" {
					thief.Do("POST", "/v1/sign-in/link/approve", app.M{"token": token, "match": began.Text("match"), "decision": "approve"}).Want(http.StatusOK)
				}
				c.Do("DELETE", path+id, nil).Want(http.StatusNoContent)
				switch how {
				case "code", "text":
					thief.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": code}).Want(http.StatusUnauthorized, "attempt_expired")
				case "link":
					thief.Do("POST", "/v1/sign-in/link", app.M{"attempt": attempt, "token": token}).Want(http.StatusUnauthorized, "link_expired")
				case "approval":
					thief.Do("POST", "/v1/sign-in/attempts/"+attempt+"/complete", nil).Want(http.StatusUnauthorized)
				case "recovery code":
					thief.Do("POST", "/v1/recovery/confirm", app.M{"attempt": attempt, "code": code, "password": newPassword}).Want(http.StatusUnauthorized, "attempt_expired")
				case "recovery link":
					thief.Do("POST", "/v1/recovery/confirm", app.M{"token": token, "password": newPassword}).Want(http.StatusUnauthorized, "link_expired")
				}
				if n := len(s.Look(t, "SELECT id FROM event WHERE outcome = 'refused' AND attempt_id = '"+attempt[:30]+"'")); how != "approval" && how != "recovery code" && n == 0 {
					t.Error("no evidence is left")
				}
			})
		}
	})
}

// TestOperatorsPasswordEndsPendingProofs: what a thief had begun before an operator took
// the account from them comes to nothing.
func TestOperatorsPasswordEndsPendingProofs(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := signedIn(t, s, "owner@example.com", "")
		_, attempt := added(thief, "thief@example.com")
		body := app.M{"attempt": attempt, "code": s.CodeFor(t, "thief@example.com")}
		if err := s.Auth.SetPassword(t.Context(), userID(thief), newPassword); err != nil {
			t.Fatal(err)
		}
		thief.Without().Do("POST", "/v1/email/confirm", body).Want(http.StatusUnauthorized, "attempt_expired")
	})
}

// TestTextsFallBackToProvenAddressesOnly: a text message that cannot be sent may go to the
// person's address instead, but never to one that nobody has proven: it may be a stranger's.
func TestTextsFallBackToProvenAddressesOnly(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		_, err := s.Auth.CreateAccount(t.Context(), auth.NewAccount{Email: "strangers@example.com", Username: "nina", Password: app.Password})
		if err != nil {
			t.Fatal(err)
		}
		nina := s.Client(t, "")
		nina.SignIn("nina")
		id := nina.Do("POST", "/v1/me/phones", app.M{"phone": evesPhone}).Want(http.StatusCreated).Text("id")
		nina.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": s.CodeFor(t, evesPhone)}).Want(http.StatusNoContent)
		withPhone(t, s, "ann@example.com", annsPhone)
		s.Letter(t, "ann@example.com")
		for number, email := range map[string]string{evesPhone: "", annsPhone: "ann@example.com"} {
			texted(s.Client(t, ""), number, nil)
			row := s.Look(t, "SELECT id, sealed FROM outbox WHERE state = 'queued'")[0]
			plain, err := s.Post.Sealer.Open(row[0], []byte(row[1]))
			if err != nil {
				t.Fatal(err)
			}
			if says := strings.Contains(string(plain), "@example.com"); says != (email != "") || !strings.Contains(string(plain), email) {
				t.Errorf("%s: %s", number, plain)
			}
			s.Letter(t, "ann@example.com")
		}
	})
}
