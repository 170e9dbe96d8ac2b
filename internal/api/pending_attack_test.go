package api_test

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/app"
)

// pending is an address and a number that a session has asked to add.
type pending struct {
	email, number       string
	emailID, phoneID    string
	byEmail, byPhone    string // attempts
	code, token, texted string
}

func (p pending) attempts() []string { return []string{p.byEmail, p.byPhone} }

// adding asks for an address and a number of its own.
func adding(t *testing.T, s *app.Server, c *app.Client, n int) pending {
	t.Helper()
	p := pending{email: "pending" + strconv.Itoa(n) + "@example.com", number: "+120155501" + strconv.Itoa(10+n)}
	p.emailID, p.byEmail = added(c, p.email)
	p.code, p.token = s.CodeFor(t, p.email), s.TokenFor(t, p.email)
	got := c.Do("POST", "/v1/me/phones", app.M{"phone": p.number}).Want(http.StatusCreated)
	p.phoneID, p.byPhone, p.texted = got.Text("id"), got.Text("attempt"), s.CodeFor(t, p.number)
	return p
}

// endings are the ways in which a session ends. Each is given the session's client, another
// client of the same person, and their account.
func endings(t *testing.T, s *app.Server) map[string]func(c, other *app.Client, email string, id account.ID) {
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sessionOf := func(c *app.Client) string {
		for _, v := range c.Do("GET", "/v1/sessions", nil).Want(http.StatusOK).JSON()["data"].([]any) {
			if one := v.(map[string]any); one["current"] == true {
				return one["id"].(string)
			}
		}
		t.Fatal("no current session")
		return ""
	}
	signOut := func(scope string) func(c *app.Client) {
		return func(c *app.Client) {
			c.Do("POST", "/v1/sign-out", app.M{"scope": scope}).Want(http.StatusNoContent)
		}
	}
	return map[string]func(c, other *app.Client, email string, id account.ID){
		"sign-out":                       func(c, _ *app.Client, _ string, _ account.ID) { signOut("local")(c) },
		"sign-out of the others":         func(_, other *app.Client, _ string, _ account.ID) { signOut("others")(other) },
		"sign-out everywhere":            func(c, _ *app.Client, _ string, _ account.ID) { signOut("everywhere")(c) },
		"sign-out everywhere, elsewhere": func(_, other *app.Client, _ string, _ account.ID) { signOut("everywhere")(other) },
		"revoked": func(c, other *app.Client, _ string, _ account.ID) {
			other.Do("DELETE", "/v1/sessions/"+sessionOf(c), nil).Want(http.StatusNoContent)
		},
		"all others revoked": func(_, other *app.Client, _ string, _ account.ID) {
			other.Do("DELETE", "/v1/sessions", nil).Want(http.StatusNoContent)
		},
		"the cap": func(c, _ *app.Client, email string, _ account.ID) {
			for range 3 {
				s.Clock.Advance(time.Second)
				s.Client(t, "").SignIn(email)
			}
		},
		"idle": func(_, other *app.Client, _ string, _ account.ID) {
			s.Clock.Advance(3 * time.Minute)
			other.Do("POST", "/v1/token/refresh", app.M{"refresh_token": other.Refresh}).Want(http.StatusOK)
			s.Clock.Advance(2 * time.Minute)
		},
		"age": func(c, _ *app.Client, _ string, _ account.ID) {
			for range 4 { // busy all the time
				s.Clock.Advance(2 * time.Minute)
				got := c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh})
				if got.Status == http.StatusOK {
					c.Refresh = got.Text("refresh_token")
				}
			}
		},
		"ban": func(_, _ *app.Client, _ string, id account.ID) { do(s.Auth.Ban(t.Context(), id)) },
		"ban and unban": func(_, _ *app.Client, _ string, id account.ID) {
			do(s.Auth.Ban(t.Context(), id))
			do(s.Auth.Unban(t.Context(), id))
		},
		"deletion": func(c, _ *app.Client, _ string, _ account.ID) {
			c.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		},
		"deletion at once": func(_, _ *app.Client, _ string, id account.ID) { do(s.Auth.Forget(t.Context(), id)) },
		"operator": func(c, _ *app.Client, _ string, _ account.ID) {
			do(s.Auth.RevokeSession(t.Context(), session.ID(sessionOf(c))))
		},
		"operator password": func(_, _ *app.Client, _ string, id account.ID) { do(s.Auth.SetPassword(t.Context(), id, newPassword)) },
		"another password": func(_, other *app.Client, _ string, _ account.ID) {
			other.Do("POST", "/v1/me/password", app.M{"current_password": app.Password, "new_password": newPassword})
		},
		"recovery": func(_, _ *app.Client, email string, _ account.ID) {
			body := app.M{"attempt": recovering(s.Client(t, ""), email), "code": s.CodeFor(t, email), "password": newPassword}
			s.Client(t, "").Do("POST", "/v1/recovery/confirm", body).Want(http.StatusOK)
		},
		"not me": func(_, _ *app.Client, email string, _ account.ID) {
			_, err := s.Auth.NotMe(t.Context(), letterAbout(t, s, email, "New sign-in"), elsewhere)
			do(err)
		},
		"reuse": func(c, _ *app.Client, _ string, _ account.ID) {
			oldest := c.Refresh
			for range 2 {
				s.Clock.Advance(time.Second)
				c.Refresh = c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}).Want(http.StatusOK).Text("refresh_token")
			}
			c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": oldest}).Want(http.StatusUnauthorized, "refresh_reused")
		},
	}
}

// TestPendingAdditionsEndWithTheirSession: an address or a number that a session has asked
// to add is worth nothing once that session has ended, whatever ended it: the link, the
// code, another one, its status and its stream, from the session itself, from a stranger
// and from a session of the same person.
func TestPendingAdditionsEndWithTheirSession(t *testing.T) {
	settings := app.Settings{"session-cap": "3", "access-life": "4m", "refresh-idle": "4m", "refresh-absolute": "8m", "deletion-grace": "3d", "trusted-proxies": "127.0.0.1"}
	app.Each(t, settings, func(t *testing.T, s *app.Server) {
		n := 0
		for name, end := range endings(t, s) {
			t.Run(name, func(t *testing.T) {
				n++
				s.Clock.Advance(time.Hour)
				email := "owner" + strconv.Itoa(n) + "@example.com"
				person := func(c *app.Client) *app.Client {
					c.Header.Set("X-Forwarded-For", network(n))
					return c
				}
				other := person(s.Client(t, ""))
				other.SignUp(email)
				s.Clock.Advance(time.Second)
				c := person(s.Client(t, ""))
				c.Header.Set("User-Agent", "curl/8") // the owner is told of a new device
				c.SignIn(email)
				p := adding(t, s, c, n)
				var streams []*bufio.Scanner
				for _, attempt := range p.attempts() {
					c.Do("GET", "/v1/sign-in/attempts/"+attempt, nil).Want(http.StatusOK)
					lines := bufio.NewScanner(stream(t, t.Context(), s, attempt).Body)
					if got := told(lines); got != "pending" {
						t.Fatalf("the stream begins with %q", got)
					}
					streams = append(streams, lines)
				}
				s.Clock.Advance(31 * time.Second)
				if name == "the cap" { // the one that was idle longest ends
					other.Do("POST", "/v1/token/refresh", app.M{"refresh_token": other.Refresh}).Want(http.StatusOK)
				}
				end(c, other, email, userID(other))

				callers := map[string]*app.Client{"itself": c, "stranger": person(s.Client(t, "")), "other": other}
				if again := person(s.Client(t, "")); again.Do("POST", "/v1/sign-in/password", app.M{"identifier": email, "password": app.Password}).Status == http.StatusOK {
					again.SignIn(email)
					callers["signed in again"] = again
				}
				for who, caller := range callers {
					no := func(what string, got *app.Answer) {
						t.Helper()
						if got.Status != http.StatusUnauthorized && got.Status != http.StatusNotFound {
							t.Errorf("%s, %s: %d %s", who, what, got.Status, got.Body)
						}
					}
					no("link", caller.Do("POST", "/v1/email/confirm", app.M{"token": p.token}))
					no("attempt and code", caller.Do("POST", "/v1/email/confirm", app.M{"attempt": p.byEmail, "code": p.code}))
					no("id and code", caller.Do("POST", "/v1/me/emails/"+p.emailID+"/verify", app.M{"code": p.code}))
					no("number and code", caller.Do("POST", "/v1/me/phones/"+p.phoneID+"/verify", app.M{"code": p.texted}))
					for _, attempt := range p.attempts() {
						no("resend", caller.Do("POST", "/v1/sign-in/attempts/"+attempt+"/resend", nil))
						no("status", caller.Do("GET", "/v1/sign-in/attempts/"+attempt, nil))
						no("stream", caller.Do("GET", "/v1/sign-in/attempts/"+attempt, nil, "Accept", "text/event-stream"))
					}
				}
				for i, lines := range streams {
					if got := told(lines); got != "expired" {
						t.Errorf("the stream of %s says %q", []string{"the address", "the number"}[i], got)
					}
					if got := told(lines); got != "" {
						t.Errorf("the stream goes on with %q", got)
					}
				}
				// Nothing was added, and the rows that stay claim nothing.
				for _, table := range []string{"email WHERE address_key = '" + p.email + "'", "phone WHERE number = '" + p.number + "'"} {
					if rows := s.Look(t, "SELECT id FROM "+table+" AND verified_at IS NOT NULL"); len(rows) != 0 {
						t.Errorf("%s is added", strings.Fields(table)[0])
					}
				}
				s.Clock.Advance(time.Hour)
				owner := signedIn(t, s, p.email, "")
				if owner.Do("GET", "/v1/me", nil).Want(http.StatusOK).Text("email") != p.email {
					t.Error("its owner cannot have the address")
				}
			})
		}
	})
}

// TestPendingAdditionsOfLivingSessions: the end of one session leaves what another one has
// asked for, and a newer request of a session that has ended does not stand in its way.
func TestPendingAdditionsOfLivingSessions(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "ann@example.com", "")
		thief := s.Client(t, "")
		s.Clock.Advance(time.Second)
		thief.SignIn("ann@example.com")
		p := adding(t, s, owner, 1)
		s.Clock.Advance(time.Second)
		thief.Do("POST", "/v1/me/emails/"+p.emailID+"/send", nil).Want(http.StatusAccepted)
		thief.Do("POST", "/v1/me/phones/"+p.phoneID+"/send", nil).Want(http.StatusAccepted)
		owner.Do("DELETE", "/v1/sessions", nil).Want(http.StatusNoContent)
		for _, attempt := range p.attempts() {
			owner.Do("GET", "/v1/sign-in/attempts/"+attempt, nil).Want(http.StatusOK)
		}
		owner.Do("POST", "/v1/me/phones/"+p.phoneID+"/verify", app.M{"code": p.texted}).Want(http.StatusNoContent)
		owner.Do("POST", "/v1/me/emails/"+p.emailID+"/verify", app.M{"code": p.code}).Want(http.StatusOK)
	})
}

// TestAdditionsAreNoRivals: what strangers begin for an address displaces nobody's
// addition, and additions displace nothing of theirs.
func TestAdditionsAreNoRivals(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		const email = "two@example.com"
		stranger := s.Client(t, "token")
		var first string
		for i := range 4 { // with the addition these are all emails to one address in ten minutes
			attempt := stranger.Do("POST", "/v1/sign-up", app.M{"email": email, "password": app.Password}, "X-Forwarded-For", network(i)).Want(http.StatusOK).Text("attempt")
			if first == "" {
				first = attempt
			}
		}
		s.Clock.Advance(time.Second) // emails of one moment have no order
		before := s.Look(t, "SELECT id FROM attempt WHERE ended_at IS NULL AND session_id IS NULL")
		_, attempt := added(ann, email)
		code := s.CodeFor(t, email)
		if after := s.Look(t, "SELECT id FROM attempt WHERE ended_at IS NULL AND session_id IS NULL"); len(after) != len(before) {
			t.Errorf("%d attempts of strangers are left of %d", len(after), len(before))
		}
		stranger.Do("GET", "/v1/sign-in/attempts/"+first, nil).Want(http.StatusOK)
		for i := range 6 {
			stranger.Do("POST", "/v1/sign-up", app.M{"email": email, "password": app.Password}, "X-Forwarded-For", network(10+i)).Want(http.StatusTooManyRequests, "rate_limited")
		}
		if got := ann.Do("GET", "/v1/sign-in/attempts/"+attempt, nil).Want(http.StatusOK).Text("status"); got != "pending" {
			t.Errorf("strangers made the addition %s", got)
		}
		ann.Do("POST", "/v1/email/confirm", app.M{"attempt": attempt, "code": code}).Want(http.StatusOK)
	})
}

// TestConfirmationRacesTheEndOfItsSession: what is confirmed at the moment at which its
// session ends is added once or not at all, and never afterwards.
func TestConfirmationRacesTheEndOfItsSession(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		for n := range 3 {
			s.Clock.Advance(time.Hour)
			email := "racer" + strconv.Itoa(n) + "@example.com"
			other := signedIn(t, s, email, "")
			s.Clock.Advance(time.Second)
			c := s.Client(t, "")
			c.SignIn(email)
			p := adding(t, s, c, n)
			ways := []func() *app.Answer{
				func() *app.Answer { return other.Do("POST", "/v1/email/confirm", app.M{"token": p.token}) },
				func() *app.Answer { return c.Do("POST", "/v1/email/confirm", app.M{"token": p.token}) },
				func() *app.Answer {
					return c.Do("POST", "/v1/email/confirm", app.M{"attempt": p.byEmail, "code": p.code})
				},
				func() *app.Answer {
					return other.Do("POST", "/v1/me/emails/"+p.emailID+"/verify", app.M{"code": p.code})
				},
			}
			var next atomic.Int64
			won := race(21, func() bool {
				i := int(next.Add(1))
				if i == 8 {
					other.Do("DELETE", "/v1/sessions", nil).Want(http.StatusNoContent)
					for _, way := range ways {
						if got := way(); got.Status == http.StatusOK {
							t.Errorf("confirmed after the session had ended: %s", got.Body)
						}
					}
					return false
				}
				return ways[i%len(ways)]().Status == http.StatusOK
			})
			rows := s.Look(t, "SELECT id FROM email WHERE address_key = '"+p.email+"' AND verified_at IS NOT NULL")
			if won > 1 || won != len(rows) {
				t.Errorf("%d confirmed it, and %d rows are verified", won, len(rows))
			}
		}
	})
}
