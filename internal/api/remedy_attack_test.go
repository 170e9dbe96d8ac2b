package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/app"
)

// idOf returns the id of a contact of a signed-in person.
func idOf(t *testing.T, c *app.Client, list, text string) string {
	t.Helper()
	for _, v := range c.Do("GET", list, nil).Want(http.StatusOK).JSON()["data"].([]any) {
		if row := v.(map[string]any); row["email"] == text || row["phone"] == text {
			return row["id"].(string)
		}
	}
	t.Fatalf("no %s in %s", text, list)
	return ""
}

// linksOf returns the tokens of every message to a contact that undo or report something.
func linksOf(t *testing.T, s *app.Server, to string) map[string]secret.Text {
	t.Helper()
	s.Letter(t, to)
	all := map[string]secret.Text{}
	for _, m := range s.Inbox.Messages(to, "") {
		for _, link := range m.Links {
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			if u.Path == "/not-me" || strings.HasPrefix(u.Path, "/undo/") {
				all[u.Path+" "+m.ID] = secret.Text(u.Query().Get("token"))
			}
		}
	}
	return all
}

// spendAll tries every link that undoes or reports something, in every way.
func spendAll(t *testing.T, s *app.Server, links map[string]secret.Text) (worked []string) {
	t.Helper()
	for name, token := range links {
		if _, err := s.Auth.UndoChange(t.Context(), token, elsewhere); err == nil {
			worked = append(worked, "undo "+name)
		}
		if _, err := s.Auth.NotMe(t.Context(), token, elsewhere); err == nil {
			worked = append(worked, "not me "+name)
		}
		if err := s.Auth.UndoDeletion(t.Context(), token, elsewhere); err == nil {
			worked = append(worked, "keep "+name)
		}
	}
	return worked
}

// TestLinksOfAThiefDieWithTheRemedy: he verifies two addresses, makes one the primary one and
// collects the links that undo and report his own changes. After the owner's undo and
// recovery, none of them works, and the owner's address stays.
func TestLinksOfAThiefDieWithTheRemedy(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "a1@example.com")
		a2 := proven(t, s, thief, "a2@example.com")
		s.Clock.Advance(time.Second)
		for _, id := range []string{idOf(t, thief, "/v1/me/emails", "a1@example.com"), a2} {
			thief.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
			s.Clock.Advance(time.Second)
		}
		held := linksOf(t, s, "a1@example.com")
		for name, token := range linksOf(t, s, "a2@example.com") {
			held[name] = token
		}
		for name := range held {
			if strings.HasPrefix(name, "/undo") {
				t.Errorf("a junior contact got %s", name)
			}
		}
		out, err := s.Auth.UndoChange(t.Context(), letterAbout(t, s, "owner@example.com", "changed"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		owner := recovered(t, s, out, "owner@example.com")
		if worked := spendAll(t, s, held); len(worked) > 0 {
			t.Errorf("the thief still has %q", worked)
		}
		owner.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		if got := addresses(owner); got != "owner@example.com*" {
			t.Error(got)
		}
		lockedOut(t, s, thief, "a1@example.com")
	})
}

// TestAnUndoKeepsTheProofTime: what a thief has removed comes back as old as it was.
func TestAnUndoKeepsTheProofTime(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "first@example.com", "")
		s.Clock.Advance(time.Minute)
		proven(t, s, owner, "second@example.com")
		s.Clock.Advance(100 * time.Hour)
		times := func() [][]string {
			return s.Look(t, "SELECT address, verified_at, is_primary FROM email ORDER BY address")
		}
		before := times()
		thief := s.Client(t, "")
		thief.SignIn("first@example.com")
		for _, address := range []string{"first@example.com", "second@example.com"} {
			id := idOf(t, thief, "/v1/me/emails", address)
			s.Clock.Advance(time.Second)
			if address == "second@example.com" {
				proven(t, s, thief, "thief@example.com")
			}
			thief.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNoContent)
		}
		s.Clock.Advance(time.Hour)
		out, err := s.Auth.UndoChange(t.Context(), letterAbout(t, s, "first@example.com", "removed"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		review, err := s.Auth.Review(t.Context(), out.Review.Attempt, elsewhere)
		if err != nil || len(review.Removed) != 1 {
			t.Fatalf("%+v %v", review, err)
		}
		if _, err := s.Auth.RestoreReviewed(t.Context(), out.Review.Attempt, review.Removed[0].ID, elsewhere); err != nil {
			t.Fatal(err)
		}
		if after := times(); !slices.EqualFunc(before, after, slices.Equal[[]string]) {
			t.Errorf("%v, and before %v", after, before)
		}
	})
}

// TestADeletionDoesNotPassTheOwner: the thief makes his address the primary one, removes the
// owner's and deletes the account. The owner is told and can keep it; so is nobody else.
func TestADeletionDoesNotPassTheOwner(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for _, how := range []string{"keep", "not me", "undo", "code", "link", "recovery"} {
			t.Run(how, func(t *testing.T) {
				email, thiefs := strings.ReplaceAll(how, " ", "")+"@example.com", "thief-"+strings.ReplaceAll(how, " ", "")+"@example.com"
				signedIn(t, s, email, "")
				s.Clock.Advance(100 * time.Hour)
				thief := s.Client(t, "")
				thief.SignIn(email)
				thief.Do("POST", "/v1/me/emails/"+proven(t, s, thief, thiefs)+"/primary", app.M{}).Want(http.StatusNoContent)
				if how != "code" && how != "link" && how != "recovery" {
					thief.Do("DELETE", "/v1/me/emails/"+idOf(t, thief, "/v1/me/emails", email), nil).Want(http.StatusNoContent)
				}
				s.Clock.Advance(time.Second)
				thief.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
				s.Clock.Advance(time.Minute)
				s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": thiefs, "password": app.Password}).
					Want(http.StatusForbidden, "account_deleting")
				got := s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": thiefs, "password": app.Password}).JSON()
				if got["attempt"] != nil || got["delete_at"] == nil {
					t.Errorf("a password alone is answered %v", got)
				}
				juniorSignsIn(t, s, thiefs)
				switch how {
				case "keep":
					if err := s.Auth.UndoDeletion(t.Context(), letterAbout2(t, s, email, "deleted"), elsewhere); err != nil {
						t.Fatal(err)
					}
				case "not me":
					if _, err := s.Auth.NotMe(t.Context(), letterAbout2(t, s, email, "deleted"), elsewhere); err != nil {
						t.Fatal(err)
					}
				case "undo":
					if _, err := s.Auth.UndoChange(t.Context(), letterAbout(t, s, email, "removed"), elsewhere); err != nil {
						t.Fatal(err)
					}
				case "code", "link":
					keeps(t, s, email, how)
				case "recovery":
					recoversWhileDeleting(t, s, email)
				}
				deleting := s.Look(t, "SELECT count(*) FROM account WHERE delete_at IS NOT NULL AND id = (SELECT account_id FROM email WHERE address_key = '"+email+"')")[0][0]
				if want := map[bool]string{true: "1", false: "0"}[how == "recovery"]; how != "keep" && deleting != want {
					t.Errorf("%s accounts are being deleted, want %s", deleting, want)
				}
			})
		}
	})
}

// letterAbout2 is letterAbout for messages with two links that carry one token.
func letterAbout2(t *testing.T, s *app.Server, email, subject string) secret.Text {
	t.Helper()
	s.Letter(t, email)
	for _, m := range s.Inbox.Messages(email, "") {
		if strings.Contains(m.Subject, subject) && len(m.Links) == 2 {
			_, token, _ := strings.Cut(m.Links[0], "token=")
			return secret.Text(token)
		}
	}
	t.Fatalf("no message to %s about %q", email, subject)
	return ""
}

// juniorSignsIn shows that a contact which was junior when the deletion was asked for is
// told of it and cannot keep the account.
func juniorSignsIn(t *testing.T, s *app.Server, email string) {
	t.Helper()
	c := s.Client(t, "token")
	attempt := asked(c, email, nil).Text("attempt")
	got := c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, email)}).Want(http.StatusForbidden, "account_deleting").JSON()
	if got["attempt"] != nil || got["delete_at"] == nil {
		t.Errorf("a junior contact is answered %v", got)
	}
}

// keeps keeps an account with the code or the link of a senior contact: once, and only in
// the browser that has proven it.
func keeps(t *testing.T, s *app.Server, email, how string) {
	t.Helper()
	c := s.Client(t, "cookie")
	attempt := asked(c, email, nil).Text("attempt")
	body, path := app.M{"attempt": attempt, "code": s.CodeFor(t, email)}, "/v1/sign-in/code"
	if how == "link" {
		body, path = app.M{"token": s.TokenFor(t, email)}, "/v1/sign-in/link"
	}
	keep := c.Do("POST", path, body).Want(http.StatusForbidden, "account_deleting").Text("attempt")
	if keep == "" {
		t.Fatal("a senior contact cannot keep the account")
	}
	for _, other := range []*app.Client{s.Client(t, "cookie"), s.Client(t, "token")} {
		other.Do("POST", "/v1/sign-in/keep", app.M{"attempt": keep}).Want(http.StatusUnauthorized, "attempt_expired")
	}
	c.Grant(c.Do("POST", "/v1/sign-in/keep", app.M{"attempt": keep}))
	c.Do("POST", "/v1/sign-in/keep", app.M{"attempt": keep}).Want(http.StatusUnauthorized, "attempt_expired")
	c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	if m := s.Letter(t, email); !strings.Contains(m.Subject, "won’t be deleted") {
		t.Errorf("the senior contact got %q", m.Subject)
	}
}

// recoversWhileDeleting chooses a new password, which does not cancel the deletion.
func recoversWhileDeleting(t *testing.T, s *app.Server, email string) {
	t.Helper()
	c := s.Client(t, "")
	attempt := c.Do("POST", "/v1/recovery", app.M{"email": email}).Want(http.StatusAccepted).Text("attempt")
	c.Do("POST", "/v1/recovery/confirm", app.M{"attempt": attempt, "code": s.CodeFor(t, email), "password": newPassword}).Want(http.StatusOK)
	c.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": newPassword}).Want(http.StatusForbidden, "account_deleting")
}

// TestKeepingIsRacedAndBanned: of twenty who keep an account at once, one does; a banned
// account stays closed.
func TestKeepingIsRacedAndBanned(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for _, banned := range []bool{false, true} {
			email := map[bool]string{false: "raced", true: "banned"}[banned] + "@example.com"
			owner := signedIn(t, s, email, "")
			who := userID(owner)
			owner.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
			s.Clock.Advance(time.Second)
			c := s.Client(t, "token")
			attempt := asked(c, email, nil).Text("attempt")
			keep := c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, email)}).Text("attempt")
			if banned {
				if err := s.Auth.Ban(t.Context(), who); err != nil {
					t.Fatal(err)
				}
			}
			granted := make(chan bool, 20)
			atOnce(repeat(20, func() {
				granted <- c.Do("POST", "/v1/sign-in/keep", app.M{"attempt": keep}).Status == http.StatusOK
			})...)
			close(granted)
			n := 0
			for ok := range granted {
				if ok {
					n++
				}
			}
			if want := map[bool]int{false: 1, true: 0}[banned]; n != want {
				t.Errorf("%s: %d kept the account, want %d", email, n, want)
			}
		}
	})
}

// TestRecoveryLeavesNoWayIn: what was verified lately becomes unverified, and one code
// brings it back; what is three days older than the recovery stays.
func TestRecoveryLeavesNoWayIn(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "owner@example.com", "")
		s.Clock.Advance(time.Minute)
		proven(t, s, owner, "old@example.com")
		s.Clock.Advance(100 * time.Hour)
		thief := s.Client(t, "")
		thief.SignIn("owner@example.com")
		thief.Do("POST", "/v1/me/emails/"+proven(t, s, thief, "thief@example.com")+"/primary", app.M{}).Want(http.StatusNoContent)
		id := thief.Do("POST", "/v1/me/phones", app.M{"phone": evesPhone}).Want(http.StatusCreated).Text("id")
		thief.Do("POST", "/v1/me/phones/"+id+"/verify", app.M{"code": s.CodeFor(t, evesPhone)}).Want(http.StatusNoContent)
		s.Clock.Advance(time.Minute)
		c := s.Client(t, "")
		attempt := c.Do("POST", "/v1/recovery", app.M{"email": "owner@example.com"}).Want(http.StatusAccepted).Text("attempt")
		c.Do("POST", "/v1/recovery/confirm", app.M{"attempt": attempt, "code": s.CodeFor(t, "owner@example.com"), "password": newPassword}).Want(http.StatusOK)
		c.Grant(c.Do("POST", "/v1/sign-in/password", app.M{"identifier": "owner@example.com", "password": newPassword}))
		if got := addresses(c); got != "owner@example.com* old@example.com thief@example.com?" {
			t.Error(got)
		}
		lockedOut(t, s, thief, "thief@example.com") // an hour passes
		c.Grant(c.Without().Do("POST", "/v1/sign-in/password", app.M{"identifier": "owner@example.com", "password": newPassword}))
		again := idOf(t, c, "/v1/me/emails", "thief@example.com")
		c.Do("POST", "/v1/me/emails/"+again+"/send", nil).Want(http.StatusAccepted)
		c.Do("POST", "/v1/me/emails/"+again+"/verify", app.M{"code": s.CodeFor(t, "thief@example.com")}).Want(http.StatusOK)
	})
}

// TestAJuniorRecoveryEndsNoOlderLink: the thief recovers the account with his own address;
// the owner's link still works.
func TestAJuniorRecoveryEndsNoOlderLink(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "thief@example.com")
		thief.Do("POST", "/v1/me/emails/"+idOf(t, thief, "/v1/me/emails", "thief@example.com")+"/primary", app.M{}).Want(http.StatusNoContent)
		s.Clock.Advance(time.Second)
		c := s.Client(t, "")
		attempt := c.Do("POST", "/v1/recovery", app.M{"email": "thief@example.com"}).Want(http.StatusAccepted).Text("attempt")
		c.Do("POST", "/v1/recovery/confirm", app.M{"attempt": attempt, "code": s.CodeFor(t, "thief@example.com"), "password": "one more good password"}).Want(http.StatusOK)
		out, err := s.Auth.UndoChange(t.Context(), letterAbout(t, s, "owner@example.com", "email was changed"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		c.Do("POST", "/v1/sign-in/password", app.M{"identifier": "owner@example.com", "password": "one more good password"}).Want(http.StatusUnauthorized, "invalid_credentials")
		if got := addresses(recovered(t, s, out, "owner@example.com")); got != "owner@example.com*" {
			t.Error(got)
		}
	})
}

// TestAJuniorReportEndsItsSessionsOnly: it ends the sessions that began after its proof,
// begins a recovery and touches nothing else.
func TestAJuniorReportEndsItsSessionsOnly(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "owner@example.com", "")
		s.Clock.Advance(time.Minute)
		proven(t, s, owner, "new@example.com")
		s.Clock.Advance(time.Minute)
		stranger := s.Client(t, "")
		stranger.Header.Set("X-Forwarded-For", "203.0.113.9")
		stranger.SignIn("owner@example.com")
		out, err := s.Auth.NotMe(t.Context(), letterAbout(t, s, "new@example.com", "New sign-in"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		owner.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		stranger.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
		if got := addresses(owner); got != "owner@example.com* new@example.com" || out.Recovery == nil || out.Review != nil {
			t.Errorf("%s %+v", got, out)
		}
		s.Client(t, "").SignIn("owner@example.com") // the password is still there
	})
}

// TestPeopleWithOnlyANumberAreTold: by SMS, five times a day, and of a deletion in any case.
func TestPeopleWithOnlyANumberAreTold(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "token")
		attempt := c.Do("POST", "/v1/sign-up", app.M{"phone": annsPhone, "password": app.Password}).Want(http.StatusOK).Text("attempt")
		c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, annsPhone)}))
		told := func() (links []string) {
			s.Letter(t, annsPhone)
			for _, m := range s.Inbox.Messages(annsPhone, "") {
				if m.Code == "" {
					links = append(links, m.Links...)
				}
			}
			return links
		}
		for n := range 7 {
			s.Clock.Advance(time.Minute)
			other := s.Client(t, "token")
			other.Header.Set("X-Forwarded-For", network(n))
			other.Header.Set("User-Agent", "somebody's program "+network(n))
			other.SignIn(annsPhone)
		}
		if n := len(told()); n != 5 {
			t.Errorf("%d notifications, want 5", n)
		}
		c.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		links := told()
		if len(links) != 6 {
			t.Fatalf("%d notifications with the deletion", len(links))
		}
		u, err := url.Parse(links[0])
		if err != nil || u.Path != "/undo/deletion" {
			t.Fatalf("%v %v", links, err)
		}
		out, err := s.Auth.NotMe(t.Context(), secret.Text(u.Query().Get("token")), elsewhere)
		if err != nil || out.Recovery == nil || out.Recovery.Channel != "phone" {
			t.Fatalf("%+v %v", out, err)
		}
		back := s.Client(t, "")
		body := app.M{"attempt": out.Recovery.Attempt.Reveal(), "code": s.CodeFor(t, annsPhone), "password": newPassword}
		back.Do("POST", "/v1/recovery/confirm", body).Want(http.StatusOK)
		back.Grant(back.Do("POST", "/v1/sign-in/password", app.M{"identifier": annsPhone, "password": newPassword}))
	})
}

// TestEveryContactIsTold: security messages go to every verified address; a number next to
// one hears only of deletions, changed primaries and recoveries.
func TestEveryContactIsTold(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		c := withPhone(t, s, "one@example.com", annsPhone)
		s.Clock.Advance(time.Second)
		id := proven(t, s, c, "two@example.com")
		c.Do("POST", "/v1/me/emails", app.M{"email": "unverified@example.com"}).Want(http.StatusCreated)
		s.Clock.Advance(time.Second)
		s.Letter(t, "one@example.com")
		for _, step := range []struct {
			name string
			do   func()
			sms  bool
		}{
			{"a changed primary address", func() { c.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent) }, true},
			{"a changed password", func() {
				c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": newPassword, "sign_out_others": true})
			}, false},
		} {
			s.Inbox.Forget()
			step.do()
			s.Clock.Advance(time.Second)
			if _, err := s.Post.SendDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			for to, want := range map[string]int{"one@example.com": 1, "two@example.com": 1, "unverified@example.com": 0, annsPhone: map[bool]int{true: 1}[step.sms]} {
				if n := len(s.Inbox.Messages(to, "")); n != want {
					t.Errorf("%s: %d messages to %s, want %d", step.name, n, to, want)
				}
			}
		}
	})
}

// TestAReviewBelongsToItsBrowser: another browser, another account's contact and the time
// after ten minutes get nothing from it.
func TestAReviewBelongsToItsBrowser(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "owner@example.com", "")
		s.Clock.Advance(time.Minute)
		left := proven(t, s, owner, "left@example.com")
		stranger := signedIn(t, s, "stranger@example.com", "")
		strangers := idOf(t, stranger, "/v1/me/emails", "stranger@example.com")
		s.Clock.Advance(100 * time.Hour)
		owner = s.Client(t, "")
		owner.SignIn("owner@example.com")
		proven(t, s, owner, "recent@example.com")
		here := elsewhere
		here.Delivery = "cookie"
		out, err := s.Auth.NotMe(t.Context(), letterAbout(t, s, "owner@example.com", "added"), here)
		if err != nil || out.Review == nil {
			t.Fatalf("%+v %v", out, err)
		}
		other := here
		other.Attempt = "somebody-elses-browser"
		if _, err := s.Auth.RemoveReviewed(t.Context(), out.Review.Attempt, left, other); err == nil {
			t.Error("another browser reviews the account")
		}
		here.Attempt = out.Review.Browser
		for _, id := range []string{strangers, "eml_nothing", ""} {
			if _, err := s.Auth.RemoveReviewed(t.Context(), out.Review.Attempt, id, here); err == nil {
				t.Errorf("%q was removed", id)
			}
		}
		s.Clock.Advance(10 * time.Minute)
		if _, err := s.Auth.RemoveReviewed(t.Context(), out.Review.Attempt, left, here); err == nil {
			t.Error("a review lives longer than ten minutes")
		}
	})
}

// TestARemedyWithoutAMailRelay works all the same: it only begins no recovery.
func TestARemedyWithoutAMailRelay(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "thief@example.com")
		token := letterAbout(t, s, "owner@example.com", "New sign-in")
		relay := s.Post.Sender
		s.Post.Sender = nil
		defer func() { s.Post.Sender = relay }()
		out, err := s.Auth.NotMe(t.Context(), token, elsewhere)
		if err != nil || out.Recovery != nil {
			t.Fatalf("%+v %v", out, err)
		}
		thief.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
	})
}

// TestADeletionAfterTheLastContactWent: a thief of an account with a username removes its only
// address and deletes the account. It is kept for the grace all the same, and the address is
// told.
func TestADeletionAfterTheLastContactWent(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "named@example.com", "")
		c.Do("PATCH", "/v1/me", app.M{"username": "named"}).Want(http.StatusOK)
		s.Clock.Advance(100 * time.Hour)
		thief := s.Client(t, "")
		thief.SignIn("named")
		thief.Do("DELETE", "/v1/me/emails/"+idOf(t, thief, "/v1/me/emails", "named@example.com"), nil).Want(http.StatusNoContent)
		s.Clock.Advance(time.Second)
		thief.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		out, err := s.Auth.NotMe(t.Context(), letterAbout2(t, s, "named@example.com", "deleted"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		if got := addresses(recovered(t, s, out, "named@example.com")); got != "named@example.com*" {
			t.Error(got)
		}
	})
}

// TestPendingContactsWantAFreshProof: an address or number that somebody has left unverified
// is not sent a code from a session that has not proven lately whose it is.
func TestPendingContactsWantAFreshProof(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "ann@example.com", "")
		email, _ := added(c, "left@example.com")
		phone := c.Do("POST", "/v1/me/phones", app.M{"phone": evesPhone}).Want(http.StatusCreated).Text("id")
		s.Clock.Advance(10 * time.Minute)
		for _, path := range []string{"/v1/me/emails/" + email, "/v1/me/phones/" + phone} {
			c.Do("POST", path+"/send", nil).Want(http.StatusForbidden, "reauthentication_required")
		}
		c.Grant(c.Without().Do("POST", "/v1/sign-in/password", app.M{"identifier": "ann@example.com", "password": app.Password}))
		for _, path := range []string{"/v1/me/emails/" + email, "/v1/me/phones/" + phone} {
			c.Do("POST", path+"/send", nil).Want(http.StatusAccepted)
		}
	})
}

// TestACopiedDeviceSecretIsForgotten: after a password change the browser is known by its new
// device secret, and a copy of the old one is a stranger's, also if earlier sessions had it.
func TestACopiedDeviceSecretIsForgotten(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "ann@example.com", "")
		old := c.Device
		s.Clock.Advance(time.Second)
		c.Do("POST", "/v1/sign-out", app.M{"scope": "local"}).Want(http.StatusNoContent)
		c.Grant(c.Without().Do("POST", "/v1/sign-in/password", app.M{"identifier": "ann@example.com", "password": app.Password}, "Limen-Device", old))
		c.Grant(c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": newPassword}))
		if c.Device == old {
			t.Fatal("the device secret is the old one")
		}
		known := func(device string) bool {
			attempt := s.Client(t, "token").Do("POST", "/v1/sign-in/email", app.M{"email": "ann@example.com"}, "Limen-Device", device).
				Want(http.StatusAccepted).Text("attempt")
			return s.Look(t, "SELECT known_device FROM attempt WHERE id = '"+attempt[:30]+"'")[0][0] != "0" &&
				s.Look(t, "SELECT known_device FROM attempt WHERE id = '"+attempt[:30]+"'")[0][0] != "false"
		}
		if !known(c.Device) || known(old) {
			t.Errorf("known: %v by the new secret, %v by the old one", known(c.Device), known(old))
		}
	})
}
