package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/testkit/app"
)

// TestNothingBeforeProof: a sign-up claims nothing and opens nothing before the address is
// proven, and whoever proves it gets their own password, not the one somebody else left
// (pre-hijacking).
func TestNothingBeforeProof(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		const hers, mallorys = "a threshold of marble", "a threshold of sand"
		s.Log.Secret(hers, mallorys)
		email := "victim@example.com"
		mallory := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": email, "username": "victim", "password": mallorys}).Want(http.StatusOK)
		signIn := func(identifier, password string) *app.Answer {
			return s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": identifier, "password": password})
		}
		signIn(email, mallorys).Want(http.StatusUnauthorized, "invalid_credentials")
		signIn("victim", mallorys).Want(http.StatusUnauthorized, "invalid_credentials")
		malloryCode := s.CodeFor(t, email)

		s.Clock.Advance(time.Second)
		own := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": email, "username": "victim", "password": hers}).Want(http.StatusOK)
		code := s.CodeFor(t, email)
		redeem := func(attempt, code string) *app.Answer {
			return s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": code})
		}
		// The code of one attempt opens no other.
		if code != malloryCode {
			redeem(mallory.Text("attempt"), code).Want(http.StatusUnauthorized, "code_incorrect")
			redeem(own.Text("attempt"), malloryCode).Want(http.StatusUnauthorized, "code_incorrect")
		}
		redeem(own.Text("attempt"), code).Want(http.StatusOK)
		// Mallory's attempt leads nowhere now, even with its right code.
		redeem(mallory.Text("attempt"), malloryCode).Want(http.StatusUnauthorized, "code_incorrect")
		redeem(mallory.Text("attempt"), malloryCode).Want(http.StatusUnauthorized, "attempt_expired")
		for _, identifier := range []string{email, "victim"} {
			signIn(identifier, mallorys).Want(http.StatusUnauthorized, "invalid_credentials")
			signIn(identifier, hers).Want(http.StatusOK)
		}
		if n := s.Count(t)["account"]; n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

// TestAnAccountWithoutAddressYieldsItsName: a username that was taken while a person looked
// for the code does not cost them the account.
func TestAnAccountWithoutAddressYieldsItsName(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "")
		owed := c.Do("POST", "/v1/sign-up", app.M{"email": "slow@example.com", "username": "wanted", "password": app.Password}).Want(http.StatusOK)
		s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"username": "wanted", "password": app.Password}).Want(http.StatusOK)
		grant := c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": owed.Text("attempt"), "code": s.CodeFor(t, "slow@example.com")}))
		user, _ := grant.JSON()["user"].(map[string]any)
		if user["username"] != nil || user["email"] != "slow@example.com" {
			t.Errorf("user: %v", user)
		}
	})
}

// TestClosedMeanwhile: a sign-up that was begun before new accounts were closed does not
// complete after it.
func TestClosedMeanwhile(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		owed := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "late@example.com", "password": app.Password}).Want(http.StatusOK)
		body := app.M{"attempt": owed.Text("attempt"), "code": s.CodeFor(t, "late@example.com")}
		where := s.Config.Database()
		address := where.Path
		if where.Postgres {
			address = where.URL.Reveal()
		}
		closed := app.Open(t, app.Settings{"sign-up": "closed"}, address, s.Clock)
		closed.Client(t, "").Do("POST", "/v1/sign-in/code", body).Want(http.StatusForbidden, "sign_up_closed")
		closed.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "new@example.com"}).Want(http.StatusForbidden, "sign_up_closed")
		s.Client(t, "").Do("POST", "/v1/sign-in/code", body).Want(http.StatusOK) // nothing was spent
	})
}

// TestDecoyOfADeletedOwner: a decoy goes on as before when its owner is gone, and no letter
// is addressed to nobody.
func TestDecoyOfADeletedOwner(t *testing.T) {
	for _, grace := range []string{"0s", "20s"} { // gone at once, and gone when the grace is over
		app.Each(t, app.Settings{"deletion-grace": grace}, func(t *testing.T, s *app.Server) {
			owner := signedIn(t, s, "was@example.com", "")
			decoy := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "was@example.com"}).Want(http.StatusOK).Text("attempt")
			owner.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
			s.CodeFor(t, "was@example.com") // and whatever else is on its way
			s.Clock.Advance(31 * time.Second)
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Inbox.Forget()
			s.Client(t, "").Do("GET", "/v1/sign-in/attempts/"+decoy, nil).Want(http.StatusOK)
			s.Client(t, "").Do("POST", "/v1/sign-in/attempts/"+decoy+"/resend", nil).Want(http.StatusAccepted)
			s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": decoy, "code": "000000"}).Want(http.StatusUnauthorized, "code_incorrect")
			for {
				if n, err := s.Post.SendDue(t.Context()); err != nil || n == 0 {
					break
				}
			}
			for _, m := range s.Inbox.Messages("", "") {
				t.Errorf("a letter to %q: %s", m.To, m.Subject)
			}
		})
	}
}

// TestTheLastWayIn: nobody gives away the only name by which they can sign in. An address
// that was never proven is no way in.
func TestTheLastWayIn(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		for name, verified := range map[string]bool{"unproven": false, "proven": true} {
			_, err := s.Auth.CreateAccount(t.Context(), auth.NewAccount{
				Email: name + "@example.com", Verified: verified, Username: name, Password: app.Password,
			})
			if err != nil {
				t.Fatal(err)
			}
			c := s.Client(t, "")
			c.SignIn(name)
			answers := make(chan *app.Answer, 10)
			race(10, func() bool { answers <- c.Do("PATCH", "/v1/me", app.M{"username": ""}); return true })
			close(answers)
			for got := range answers {
				if verified && got.Status != http.StatusOK || !verified && got.Code() != "last_credential" {
					t.Errorf("%s: giving the name away is answered %d %s", name, got.Status, got.Body)
				}
			}
			identifier := map[bool]string{true: name + "@example.com", false: name}[verified]
			s.Client(t, "").SignIn(identifier)
		}
	})
}

// TestRenameRace: of all who take one name at once, one has it.
func TestRenameRace(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		var people []*app.Client
		for _, email := range []string{"r1@example.com", "r2@example.com", "r3@example.com"} {
			people = append(people, signedIn(t, s, email, ""))
		}
		next := make(chan *app.Client, 20)
		for n := range 20 {
			next <- people[n%len(people)]
		}
		race(20, func() bool {
			got := (<-next).Do("PATCH", "/v1/me", app.M{"username": "The.One"})
			if got.Status != http.StatusOK && got.Code() != "username_taken" {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			return true
		})
		rows := s.Look(t, "SELECT count(*) FROM account WHERE username_key = 'the.one'")
		if rows[0][0] != "1" {
			t.Errorf("%s people have one name", rows[0][0])
		}
	})
}

// TestLookAlikes: what looks like somebody's address or name is not theirs, and what is
// theirs in another spelling is.
func TestLookAlikes(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "mike@example.com", "")
		c.Do("PATCH", "/v1/me", app.M{"username": "mike"}).Want(http.StatusOK)
		signIn := func(identifier string) int {
			return s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": identifier, "password": app.Password}).Status
		}
		for _, other := range []string{"mıke@example.com", "mіke@example.com", "mike@exаmple.com", "mike@example.com.evil.example", "mike@example.com,x@example.com",
			"mike@example.com@evil.example", "mike@example.com\u200b", "<mike@example.com>", "mike@xn--exmple-cua.com", "mіke", "mıke", "mike\u200d", "m.ike@example.com"} {
			if got := signIn(other); got != http.StatusUnauthorized {
				t.Errorf("%q signs in as mike: %d", other, got)
			}
		}
		for _, same := range []string{"MIKE@example.com", "mike@EXAMPLE.com", "ｍike@example.com", "mike@example。com", "MIKE", "ｍｉｋｅ"} {
			if got := signIn(same); got != http.StatusOK {
				t.Errorf("%q is not mike: %d", same, got)
			}
		}
		// A look-alike can be signed up, as another person; their letter goes to them.
		s.Inbox.Forget()
		s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "mıke@example.com", "password": app.Password}).Want(http.StatusOK)
		if code := s.CodeFor(t, "mıke@example.com"); code == "" {
			t.Error("the look-alike got the owner's letter")
		}
		for _, m := range s.Inbox.Messages("", "") {
			if !strings.EqualFold(m.To, "mıke@example.com") {
				t.Errorf("a letter to %s", m.To)
			}
		}
	})
}
