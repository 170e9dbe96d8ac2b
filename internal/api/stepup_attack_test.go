package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// begin opens a step-up attempt and returns its value.
func begin(c *app.Client, method string) string {
	body := app.M{}
	if method != "" {
		body["type"] = method
	}
	return c.Do("POST", "/v1/me/reauthenticate/begin", body).Want(http.StatusOK).Text("attempt")
}

func prove(c *app.Client, attempt string) *app.Answer {
	return c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "password", "password": app.Password})
}

// TestStepUpInEveryDelivery: a client names its delivery once, at sign-in, and can prove
// itself again in each of them, by either proof.
func TestStepUpInEveryDelivery(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "all@example.com", "")
		for _, delivery := range []string{"token", "memory", "cookie"} {
			c := s.Client(t, delivery)
			c.SignIn("all@example.com")
			c.Header.Del("Limen-Delivery")
			s.Clock.Advance(11 * time.Minute)
			c.Do("DELETE", "/v1/me", nil).Want(http.StatusForbidden, "reauthentication_required")
			c.Grant(prove(c, begin(c, "")))
			s.Clock.Advance(11 * time.Minute)
			attempt := begin(c, "email_code")
			body := app.M{"attempt": attempt, "type": "email_code", "code": s.CodeFor(t, "all@example.com")}
			grant := c.Grant(c.Do("POST", "/v1/me/reauthenticate", body))
			if in := grant.Text("refresh_token") != ""; in != (delivery == "token") {
				t.Errorf("%s: the refresh token stands in the body: %t", delivery, in)
			}
			if got := grant.Text("access_token") != ""; got != (delivery != "cookie") {
				t.Errorf("%s: the access token stands in the body: %t", delivery, got)
			}
			// The new generation is the one that refreshes.
			switch delivery {
			case "token":
				c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}).Want(http.StatusOK)
			default:
				c.Without().Do("POST", "/v1/token/refresh", nil).Want(http.StatusOK)
			}
		}
	})
}

// TestStepUpAttemptIsItsSessionsOwn: not another session's of the same person, not another
// browser's, not the attempt of a sign-up, and only once.
func TestStepUpAttemptIsItsSessionsOwn(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "own@example.com", "")
		laptop, phone, browser := s.Client(t, ""), s.Client(t, ""), s.Client(t, "cookie")
		for _, c := range []*app.Client{laptop, phone, browser} {
			c.SignIn("own@example.com")
		}
		attempt := begin(laptop, "")
		prove(phone, attempt).Want(http.StatusUnauthorized, "attempt_expired")
		prove(browser, attempt).Want(http.StatusUnauthorized, "attempt_expired")
		// In cookie mode the attempt demands the browser that began it, even from a thief who
		// has the session's cookies.
		attempt = begin(browser, "")
		jar := browser.Cookies()
		stolen := "limen_access=" + jar["limen_access"] + "; limen_device=" + jar["limen_device"]
		body := app.M{"attempt": attempt, "type": "password", "password": app.Password}
		s.Client(t, "").Do("POST", "/v1/me/reauthenticate", body, "Cookie", stolen).Want(http.StatusUnauthorized, "attempt_expired")
		prove(browser, attempt).Want(http.StatusOK)

		// A sign-up's attempt and code are worth nothing here, and the other way round.
		owed := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "new@example.com", "password": app.Password}).Want(http.StatusOK)
		code := s.CodeFor(t, "new@example.com")
		phone.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": owed.Text("attempt"), "type": "email_code", "code": code}).
			Want(http.StatusUnauthorized, "attempt_expired")
		attempt = begin(phone, "email_code")
		code = s.CodeFor(t, "own@example.com")
		s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": code}).Want(http.StatusUnauthorized, "attempt_expired")
		phone.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "email_code", "code": code}).Want(http.StatusOK)

		attempt = begin(laptop, "")
		if won := race(20, func() bool { return prove(laptop, attempt).Status == http.StatusOK }); won != 1 {
			t.Errorf("one attempt was spent %d times", won)
		}
	})
}

// TestStepUpAfterChanges: what was judged against an older password, or belongs to a
// session that is over, proves nothing and sends nothing.
func TestStepUpAfterChanges(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "later@example.com", "")
		c, thief := s.Client(t, ""), s.Client(t, "")
		c.SignIn("later@example.com")
		thief.SignIn("later@example.com")
		attempt, kept := begin(thief, "email_code"), begin(c, "")
		const next = "another threshold"
		s.Log.Secret(next)
		c.Grant(c.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": next}))
		prove(c, kept).Want(http.StatusUnauthorized, "attempt_expired") // and so does what was begun before
		kept = begin(c, "")
		prove(c, kept).Want(http.StatusUnauthorized, "invalid_credentials")
		c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": kept, "type": "password", "password": next}).Want(http.StatusOK)

		code := s.CodeFor(t, "later@example.com")
		thief.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "email_code", "code": code}).Want(http.StatusUnauthorized, "session_ended")
		s.Clock.Advance(31 * time.Second)
		s.Inbox.Forget()
		thief.Without().Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil).Want(http.StatusUnauthorized, "attempt_expired")
		if n, _ := s.Post.SendDue(t.Context()); n != 0 {
			t.Errorf("%d letters were sent for a session that is over", n)
		}
	})
}

// TestStepUpCannotBeDisplaced: strangers who sign up with a person's address take nothing
// from the steps of the person who is signed in.
func TestStepUpCannotBeDisplaced(t *testing.T) {
	app.Each(t, app.Settings{"trusted-proxies": "127.0.0.1"}, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "mine@example.com", "")
		c := s.Client(t, "")
		c.SignIn("mine@example.com")
		s.Clock.Advance(time.Second)
		attempt := begin(c, "email_code")
		code := s.CodeFor(t, "mine@example.com")
		stranger := s.Client(t, "")
		for i := range 12 {
			stranger.Do("POST", "/v1/sign-up", app.M{"email": "mine@example.com"}, "X-Forwarded-For", network(i))
		}
		c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": attempt, "type": "email_code", "code": code}).Want(http.StatusOK)
		// Nor can they use up the letters that the person needs.
		begin(c, "email_code")
	})
}

// network is an address of the i-th network.
func network(i int) string { return "198.51." + toText(100+i) + ".7" }

// TestGuessesAtStepUp: five per attempt and ten in a while whatever the number of
// attempts, and in parallel no more than that.
func TestGuessesAtStepUp(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "guess@example.com", "")
		c := s.Client(t, "")
		c.SignIn("guess@example.com")
		attempts := []string{begin(c, ""), begin(c, ""), begin(c, "")}
		next := make(chan string, 30)
		for i := range 30 {
			next <- attempts[i%len(attempts)]
		}
		judged := race(30, func() bool {
			answer := c.Do("POST", "/v1/me/reauthenticate", app.M{"attempt": <-next, "type": "password", "password": "a wrong password"})
			if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusTooManyRequests {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
			return answer.Code() == "invalid_credentials"
		})
		if judged > 10 {
			t.Errorf("%d guesses were judged, want at most 10", judged)
		}
		if evidence := events(t, s.Client(t, ""), s, "guess@example.com"); strings.Count(evidence, "reauthentication.failed") != judged {
			t.Errorf("%d guesses, but the record says: %s", judged, evidence)
		}
	})
}
