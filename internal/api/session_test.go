package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

const day = 24 * time.Hour

// signedIn returns a client of a new person.
func signedIn(t *testing.T, s *app.Server, email, delivery string) *app.Client {
	t.Helper()
	c := s.Client(t, delivery)
	c.SignUp(email)
	return c
}

func TestSignInIsUniform(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "known@example.com", "")
		bare := signedIn(t, s, "banned@example.com", "")
		if err := s.Auth.Ban(t.Context(), userID(bare)); err != nil {
			t.Fatal(err)
		}
		var first string
		for _, try := range []app.M{
			{"identifier": "known@example.com", "password": "a wrong password"},
			{"identifier": "unknown@example.com", "password": "a wrong password"},
			{"identifier": "banned@example.com", "password": app.Password},
			{"identifier": "no such name", "password": "a wrong password"},
			{"identifier": "not@an@address", "password": "a wrong password"},
			{"identifier": "known@example.com", "password": ""},
		} {
			answer := s.Client(t, "").Do("POST", "/v1/sign-in/password", try).Want(http.StatusUnauthorized, "invalid_credentials")
			body := strings.ReplaceAll(string(answer.Body), answer.Text("request_id"), "")
			if first == "" {
				first = body
			}
			if body != first {
				t.Errorf("%v differs: %s", try, answer.Body)
			}
		}
	})
}

func TestTwoDevices(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		phone := signedIn(t, s, "two@example.com", "")
		s.Clock.Advance(time.Second) // the list is in the order of birth
		laptop := s.Client(t, "cookie")
		laptop.SignIn("two@example.com")
		list := sessions(t, laptop)
		if len(list) != 2 || list[0]["current"] != true || list[1]["current"] != false {
			t.Fatalf("sessions: %v", list)
		}
		other, _ := list[1]["id"].(string)
		laptop.Do("DELETE", "/v1/sessions/"+other, nil).Want(http.StatusNoContent)
		phone.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
		phone.Do("POST", "/v1/token/refresh", app.M{"refresh_token": phone.Refresh}).Want(http.StatusUnauthorized, "session_ended")
		laptop.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		laptop.Do("DELETE", "/v1/sessions/"+other, nil).Want(http.StatusNotFound, "not_found")
	})
}

func TestOneCannotEndAnothersSession(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		eve := signedIn(t, s, "eve@example.com", "")
		hers, _ := sessions(t, ann)[0]["id"].(string)
		eve.Do("DELETE", "/v1/sessions/"+hers, nil).Want(http.StatusNotFound, "not_found")
		eve.Do("DELETE", "/v1/sessions/ses_'; DROP TABLE session; --", nil).Want(http.StatusNotFound)
		ann.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

func TestRefreshRotates(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "r@example.com", "")
		first, access := c.Refresh, c.Access
		s.Clock.Advance(time.Second)
		grant := c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", c.Device))
		if c.Refresh == first || c.Access == access {
			t.Error("nothing rotated")
		}
		if grant.JSON()["user"] != nil || grant.Text("device_secret") != "" {
			t.Errorf("a refresh answers too much: %s", grant.Body)
		}
		// A repeated request within the window answers the same successor.
		again := c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", c.Device).Want(http.StatusOK)
		if again.Text("refresh_token") != c.Refresh {
			t.Error("a repeated request made a second successor")
		}
		// Much later, and bound by now, the lost answer is recovered once.
		s.Clock.Advance(time.Minute)
		late := c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", c.Device).Want(http.StatusOK)
		if late.Text("refresh_token") != c.Refresh {
			t.Error("the recovery made another successor")
		}
		c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device).Want(http.StatusOK)
		// Now the first token is two generations old: somebody else holds it.
		s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}, "Limen-Device", c.Device).
			Want(http.StatusUnauthorized, "refresh_reused")
		c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
	})
}

func TestBoundSessionDemandsItsDevice(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "b@example.com", "")
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device))
		s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}).Want(http.StatusUnauthorized, "refresh_reused")
		c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
		types := events(t, s.Client(t, ""), s, "b@example.com")
		if !strings.Contains(types, "session.refresh_reused") {
			t.Errorf("no evidence: %s", types)
		}
	})
}

func TestStrictPolicy(t *testing.T) {
	app.Each(t, app.Settings{"refresh-policy": "strict"}, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "s@example.com", "")
		first := c.Refresh
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}))
		c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}).Want(http.StatusConflict, "refresh_superseded")
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		s.Clock.Advance(11 * time.Second)
		c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": first}).Want(http.StatusUnauthorized, "refresh_reused")
	})
}

// TestRefreshRace: whatever races, there is one usable successor.
func TestRefreshRace(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "race@example.com", "")
		results := make(chan string, 20)
		won := race(20, func() bool {
			answer := s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}, "Limen-Device", c.Device)
			results <- answer.Text("refresh_token")
			return answer.Status == http.StatusOK
		})
		close(results)
		successors := map[string]bool{}
		for r := range results {
			successors[r] = true
		}
		if won != 20 || len(successors) != 1 {
			t.Errorf("%d of 20 succeeded, with %d successors", won, len(successors))
		}
	})
}

func TestDeliveries(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "d@example.com", "")
		memory := s.Client(t, "memory")
		grant := memory.SignIn("d@example.com")
		if grant.Text("refresh_token") != "" || grant.Text("device_secret") != "" || grant.Text("access_token") == "" {
			t.Errorf("memory mode: %s", grant.Body)
		}
		refreshed := memory.Without().Do("POST", "/v1/token/refresh", nil).Want(http.StatusOK)
		if refreshed.Text("refresh_token") != "" || refreshed.Text("access_token") == "" {
			t.Errorf("memory refresh: %s", refreshed.Body)
		}
		memory.Without().Do("POST", "/v1/token/refresh", nil, "Limen-Delivery", "token").Want(http.StatusUnprocessableEntity, "invalid_request")
		memory.Without().Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "unauthenticated")

		cookie := s.Client(t, "cookie")
		cookie.SignIn("d@example.com")
		cookie.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		if refreshed := cookie.Do("POST", "/v1/token/refresh", nil).Want(http.StatusOK); refreshed.Text("access_token") != "" {
			t.Errorf("cookie refresh: %s", refreshed.Body)
		}
		// A refresh token of cookie mode is worth nothing in a body, and the other way round.
		stolen := cookie.Cookies()["limen_refresh"]
		s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": stolen}).Want(http.StatusUnprocessableEntity)
		token := s.Client(t, "")
		token.SignIn("d@example.com")
		s.Client(t, "").Do("POST", "/v1/token/refresh", nil, "Cookie", "limen_refresh="+token.Refresh).Want(http.StatusUnprocessableEntity)
	})
}

func TestCookiesNeedTheSameOrigin(t *testing.T) {
	s := app.SQLite(t, nil)
	c := signedIn(t, s, "o@example.com", "cookie")
	for name, header := range map[string][]string{
		"another site": {"Sec-Fetch-Site", "cross-site"},
		"same site":    {"Sec-Fetch-Site", "same-site"},
		"an origin":    {"Origin", "https://evil.example"},
		"null":         {"Origin", "null"},
		"userinfo":     {"Origin", "http://evil@localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			c.Do("POST", "/v1/sign-out", app.M{"scope": "local"}, header...).Want(http.StatusForbidden, "cross_origin")
			c.Do("POST", "/v1/token/refresh", nil, header...).Want(http.StatusForbidden, "cross_origin")
		})
	}
	c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	c.Do("POST", "/v1/token/refresh", nil, "Sec-Fetch-Site", "same-origin").Want(http.StatusOK)
}

func TestSignOut(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		phone, tablet := s.Client(t, ""), s.Client(t, "cookie")
		phone.SignIn("ann@example.com")
		tablet.SignIn("ann@example.com")

		tablet.Do("POST", "/v1/sign-out", app.M{"scope": "local"}).Want(http.StatusNoContent)
		if left := tablet.Cookies(); left["limen_access"] != "" || left["limen_refresh"] != "" || left["limen_device"] == "" {
			t.Errorf("cookies after sign-out: %v", left)
		}
		tablet.Do("POST", "/v1/sign-out", app.M{"scope": "local"}).Want(http.StatusNoContent)
		tablet.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)

		ann.Do("POST", "/v1/sign-out", app.M{"scope": "others"}).Want(http.StatusNoContent)
		phone.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
		ann.Do("GET", "/v1/me", nil).Want(http.StatusOK)

		phone.SignIn("ann@example.com")
		s.Clock.Advance(20 * time.Minute) // the access token has expired; the refresh token will do
		phone.Do("POST", "/v1/sign-out", app.M{"scope": "everywhere", "refresh_token": phone.Refresh}).Want(http.StatusNoContent)
		ann.Do("POST", "/v1/token/refresh", app.M{"refresh_token": ann.Refresh}).Want(http.StatusUnauthorized, "session_ended")
	})
}

func TestLifetimes(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		idle := signedIn(t, s, "idle@example.com", "")
		s.Clock.Advance(15 * time.Minute)
		idle.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "unauthenticated")
		s.Clock.Advance(30 * day)
		idle.Do("POST", "/v1/token/refresh", app.M{"refresh_token": idle.Refresh}).Want(http.StatusUnauthorized, "session_ended")

		busy := s.Client(t, "")
		busy.SignIn("idle@example.com")
		for range 4 {
			s.Clock.Advance(20 * day)
			busy.Grant(busy.Do("POST", "/v1/token/refresh", app.M{"refresh_token": busy.Refresh}))
		}
		s.Clock.Advance(10 * day)
		busy.Do("POST", "/v1/token/refresh", app.M{"refresh_token": busy.Refresh}).Want(http.StatusUnauthorized, "session_ended")
	})
}

func TestSessionCap(t *testing.T) {
	app.Each(t, app.Settings{"session-cap": "3"}, func(t *testing.T, s *app.Server) {
		first := signedIn(t, s, "cap@example.com", "")
		s.Clock.Advance(time.Second)
		race(8, func() bool { s.Client(t, "").SignIn("cap@example.com"); return true })
		last := s.Client(t, "")
		last.SignIn("cap@example.com")
		if n := len(sessions(t, last)); n != 3 {
			t.Errorf("%d sessions, the cap is 3", n)
		}
		events := string(last.Do("GET", "/v1/me/events?limit=100", nil).Want(http.StatusOK, "").Body)
		if n := strings.Count(events, `"session.cap"`); n != 7 || !strings.Contains(events, `"limit":"3"`) {
			t.Errorf("10 sign-ins under a cap of 3 left %d events: %s", n, events)
		}
		first.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
	})
}

// TestBanAgainstSignIn races a ban against sign-ins: afterwards nobody is in.
func TestBanAgainstSignIn(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		victim := signedIn(t, s, "ban@example.com", "")
		id := userID(victim)
		clients := make(chan *app.Client, 12)
		race(12, func() bool {
			c := s.Client(t, "")
			answer := c.Do("POST", "/v1/sign-in/password", app.M{"identifier": "ban@example.com", "password": app.Password})
			if answer.Status == http.StatusOK {
				c.Grant(answer)
				clients <- c
			}
			if len(clients) == 2 {
				if err := s.Auth.Ban(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
			return true
		})
		if err := s.Auth.Ban(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		close(clients)
		for c := range clients {
			c.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
			c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}).Want(http.StatusUnauthorized, "session_ended")
		}
		victim.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized, "session_ended")
	})
}

func TestIntrospectionAndRevocations(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		_, key, err := s.Issuer.CreateServerKey(t.Context(), "api", []string{"introspect", "revocations"}, "operator")
		if err != nil {
			t.Fatal(err)
		}
		s.Log.Secret(key.Reveal())
		server := s.Client(t, "")
		server.Header.Set("Authorization", "Bearer "+key.Reveal())
		c := signedIn(t, s, "i@example.com", "")
		id := string(userID(c))

		active := server.Do("POST", "/v1/token/introspect", app.M{"token": c.Access}).Want(http.StatusOK).JSON()
		if active["active"] != true || active["sub"] != id {
			t.Errorf("introspection: %v", active)
		}
		if n := len(server.Do("GET", "/v1/revocations", nil).Want(http.StatusOK).JSON()["data"].([]any)); n != 0 {
			t.Errorf("%d revocations before any", n)
		}
		c.Do("POST", "/v1/sign-out", app.M{"scope": "local"}).Want(http.StatusNoContent)
		dead := server.Do("POST", "/v1/token/introspect", app.M{"token": c.Access}).Want(http.StatusOK)
		if strings.TrimSpace(string(dead.Body)) != `{"active":false}` {
			t.Errorf("inactive: %s", dead.Body)
		}
		page := server.Do("GET", "/v1/revocations", nil).Want(http.StatusOK).JSON()
		entry, _ := page["data"].([]any)[0].(map[string]any)
		if entry["kind"] != "session" || entry["user_id"] != id {
			t.Errorf("entry: %v", entry)
		}
		// The replay repeats it for thirty seconds; then it is not told again.
		next, _ := page["next"].(string)
		if n := len(server.Do("GET", "/v1/revocations?after="+next, nil).JSON()["data"].([]any)); n != 1 {
			t.Errorf("the replay told %d entries", n)
		}
		s.Clock.Advance(40 * time.Second)
		later := server.Do("GET", "/v1/revocations?after="+next, nil).JSON()
		next, _ = later["next"].(string)
		if n := len(server.Do("GET", "/v1/revocations?after="+next, nil).JSON()["data"].([]any)); n != 0 {
			t.Errorf("an old entry came again, %d", n)
		}
		// A server key is never a person, and a person never a server.
		server.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
		c2 := s.Client(t, "")
		c2.SignIn("i@example.com")
		c2.Do("GET", "/v1/revocations", nil).Want(http.StatusUnauthorized)
		server.Do("GET", "/metrics", nil).Want(http.StatusForbidden, "forbidden")
	})
}
