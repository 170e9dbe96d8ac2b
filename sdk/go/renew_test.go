package limenauth_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

// old brings the visitor to a session whose token has 80 % of its life behind it.
func old(t *testing.T, v *visitor) {
	t.Helper()
	if _, p := v.walk(appURL + "/"); p.body != "usr_mina" {
		t.Fatalf("%d %s", p.status, p.body)
	}
	time.Sleep(12*time.Minute + time.Second)
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, b, _, v := stage(t)
		v.walk(appURL + "/")
		time.Sleep(11*time.Minute + 59*time.Second)
		if p := v.open(appURL + "/"); p.status != 200 || l.asked(refreshCall) != 0 {
			t.Errorf("at 79 %%: %d, %d refreshes", p.status, l.asked(refreshCall))
		}
		for i := range 10 {
			time.Sleep(12*time.Minute + time.Second)
			p := v.open(appURL + "/")
			set := parseCookies(p.header)
			if p.status != 200 || len(set) != 1 || p.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("round %d: %d, cookies %v", i, p.status, set)
			}
			checkCookie(t, set[0])
			if n := l.asked(refreshCall); n != i+1 {
				t.Fatalf("round %d: %d refreshes", i, n)
			}
		}
		for _, device := range b.device {
			if device != "lds_device" {
				t.Errorf("a refresh came with the device secret %q", device)
			}
		}
		// An expired token is renewed as well, by scripts too.
		time.Sleep(3 * time.Hour)
		if p := v.send("POST", appURL+"/", "same-origin"); p.status != 200 {
			t.Errorf("after three hours: %d", p.status)
		}
	})
}

// TestManyRequestsRefreshOnce: a page that loads fifty things at once.
func TestManyRequestsRefreshOnce(t *testing.T) {
	for _, wait := range []time.Duration{12*time.Minute + time.Second, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			l, b, _, v := stage(t)
			v.walk(appURL + "/")
			time.Sleep(wait)
			gate := make(chan struct{})
			l.on(refreshCall, func(w http.ResponseWriter, r *http.Request) {
				<-gate
				b.refresh(w, r)
			})
			app := v.c.Transport.(town)["app.example.com"]
			cookie := v.cookies()["__Host-limenauth_session"]
			ask := func() int {
				r := navigation(t, appURL+"/x")
				r.AddCookie(&http.Cookie{Name: "__Host-limenauth_session", Value: cookie})
				resp, err := roundTrip(app, r)
				if err != nil {
					t.Error(err)
					return 0
				}
				resp.Body.Close()
				return resp.StatusCode
			}
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if status := ask(); status != 200 {
						t.Errorf("status %d", status)
					}
				})
			}
			synctest.Wait()
			close(gate)
			wg.Wait()
			// Stragglers with the old cookie get the same answer for a minute.
			time.Sleep(50 * time.Second)
			if status := ask(); status != 200 {
				t.Errorf("straggler: %d", status)
			}
			if n := l.asked(refreshCall); n != 1 || b.ended {
				t.Errorf("%d refreshes, ended %v", n, b.ended)
			}
		})
	}
}

// TestOnlyTheServerSignsOut: two codes are final, everything else is weather.
func TestOnlyTheServerSignsOut(t *testing.T) {
	for name, tt := range map[string]struct {
		h     http.HandlerFunc
		final bool
	}{
		"session ended":    {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "session_ended") }, true},
		"reuse":            {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "refresh_reused") }, true},
		"another 401":      {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "unauthenticated") }, false},
		"final, but 500":   {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 500, "session_ended") }, false},
		"superseded":       {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 409, "refresh_superseded") }, false},
		"limited":          {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 429, "rate_limited") }, false},
		"unavailable":      {func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 503, "unavailable") }, false},
		"a proxy's page":   {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "<html>", http.StatusUnauthorized) }, false},
		"not found":        {http.NotFound, false},
		"nonsense":         {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "{") }, false},
		"another status":   {func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, claims{"status": "blocked"}) }, false},
		"no answer at all": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, b, _, v := stage(t)
				old(t, v)
				l.on(refreshCall, tt.h)
				p := v.send("GET", appURL+"/", "same-origin")
				if tt.final {
					if p.status != 401 || len(v.cookies()) != 0 {
						t.Errorf("%d, cookies %v", p.status, v.cookies())
					}
					return
				}
				if p.status != 200 {
					t.Errorf("while the token counts: %d %s", p.status, p.body)
				}
				time.Sleep(time.Hour)
				for range 3 {
					p = v.send("GET", appURL+"/", "same-origin")
					if p.status != 503 || p.header.Get("Retry-After") == "" {
						t.Errorf("after it has expired: %d %s", p.status, p.body)
					}
					p := v.open(appURL + "/")
					if name == "superseded" && p.status == 303 && p.location() == "/" {
						p = v.open(appURL + "/") // sent round once
					}
					if p.status != 503 {
						t.Errorf("page: %d", p.status)
					}
				}
				l.on(refreshCall, b.refresh)
				time.Sleep(11 * time.Second)
				if p := v.open(appURL + "/"); p.body != "usr_mina" {
					t.Errorf("when the server is back: %d %s", p.status, p.body)
				}
			})
		})
	}
}

// TestASupersededPageComesAgain: another process has renewed the session. A page that still
// came with the old cookie is sent to itself once, and comes with the newest; a form and a
// script are told to come again.
func TestASupersededPageComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, b, _, v := stage(t)
		old(t, v)
		time.Sleep(time.Hour)
		const session = "__Host-limenauth_session"
		before := v.cookies()[session]
		if p := v.open(appURL + "/"); p.status != 200 {
			t.Fatalf("%d %s", p.status, p.body)
		}
		newest := v.cookies()[session]
		time.Sleep(2 * time.Minute) // what this process remembers is over
		l.on(refreshCall, func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 409, "refresh_superseded") })
		come := func(r *http.Request, cookies ...string) seenPage {
			for i := 0; i+1 < len(cookies); i += 2 {
				r.AddCookie(&http.Cookie{Name: cookies[i], Value: cookies[i+1]})
			}
			resp, err := roundTrip(v.c.Transport.(town)["app.example.com"], r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return seenPage{status: resp.StatusCode, header: resp.Header}
		}
		p := come(navigation(t, appURL+"/x?y=1"), session, before)
		set := parseCookies(p.header)
		if p.status != 303 || p.location() != "/x?y=1" || len(set) != 1 || set[0].Name != "__Host-limenauth_again" || set[0].MaxAge != 10 {
			t.Errorf("%d to %q, cookies %v", p.status, p.location(), set)
		}
		if p := come(navigation(t, appURL+"/x?y=1"), session, newest, "__Host-limenauth_again", "1"); p.status != 200 {
			t.Errorf("with the newest cookie: %d", p.status)
		}
		if p := come(navigation(t, appURL+"/x?y=1"), session, before, "__Host-limenauth_again", "1"); p.status != 503 {
			t.Errorf("with the old cookie again: %d", p.status)
		}
		script := navigation(t, appURL+"/x")
		script.Header.Set("Accept", "application/json")
		if p := come(script, session, before); p.status != 503 || p.header.Get("Retry-After") != "1" || len(parseCookies(p.header)) != 0 {
			t.Errorf("a script: %d, cookies %v", p.status, parseCookies(p.header))
		}
		l.on(refreshCall, b.refresh)
	})
}

// TestAServerThatHangsSlowsNobodyTwice: an early refresh is waited for briefly, and not
// by every request anew.
func TestAServerThatHangsSlowsNobodyTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, _, v := stage(t)
		old(t, v)
		l.on(refreshCall, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		var waited time.Duration
		for range 100 {
			began := time.Now()
			if p := v.open(appURL + "/"); p.status != 200 {
				t.Fatalf("%d", p.status)
			}
			waited += time.Since(began)
			time.Sleep(100 * time.Millisecond)
		}
		if waited > 7*time.Second {
			t.Errorf("100 requests waited %v", waited)
		}
	})
}

func TestAnEndedSessionLeavesTheBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		b := newLobby(l)
		list := newLedger(l)
		a := l.auth(limenauth.WithCookieKey(cookieKey), limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
		defer a.Close()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		v := newVisitor(t, newApp(a), l)
		v.walk(appURL + "/")

		// A role changed: the old token is refused, the session goes on with a new one.
		time.Sleep(5 * time.Second)
		list.recall("usr_mina")
		time.Sleep(time.Second)
		if p := v.send("GET", appURL+"/", "same-origin"); p.status != 200 || l.asked(refreshCall) != 1 {
			t.Errorf("after a recall: %d, %d refreshes", p.status, l.asked(refreshCall))
		}

		// The same, so soon that the new token is of the same second: not yet, but no
		// sign-out either.
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		list.recall("usr_mina")
		time.Sleep(600 * time.Millisecond)
		if p := v.send("GET", appURL+"/", "same-origin"); p.status != 503 || p.header.Get("Retry-After") != "1" {
			t.Errorf("in the same second: %d", p.status)
		}
		time.Sleep(time.Second)
		if p := v.send("GET", appURL+"/", "same-origin"); p.status != 200 {
			t.Errorf("a second later: %d", p.status)
		}
		refreshes := l.asked(refreshCall)

		list.endSession("ses_1")
		b.mu.Lock()
		b.ended = true
		b.mu.Unlock()
		time.Sleep(time.Second)
		if p := v.open(appURL + "/public"); p.body != "nobody" {
			t.Errorf("on an open page: %s", p.body)
		}
		if len(v.cookies()) != 0 || l.asked(refreshCall) != refreshes {
			t.Errorf("cookies %v, %d refreshes", v.cookies(), l.asked(refreshCall))
		}
	})
}

// TestABannedPersonIsSignedOut: the token is recalled and the refresh refused.
func TestABannedPersonIsSignedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		b := newLobby(l)
		list := newLedger(l)
		a := l.auth(limenauth.WithCookieKey(cookieKey), limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
		defer a.Close()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		v := newVisitor(t, newApp(a), l)
		v.walk(appURL + "/")
		list.recall("usr_mina")
		b.mu.Lock()
		b.ended = true
		b.mu.Unlock()
		time.Sleep(time.Second)
		p := v.open(appURL + "/")
		if p.status != 303 || v.cookies()["__Host-limenauth_session"] != "" {
			t.Errorf("%d, cookies %v", p.status, v.cookies())
		}
	})
}

// TestSignOutForgetsRenewals: a straggler does not bring the session back.
func TestSignOutForgetsRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, _, v := stage(t)
		v.walk(appURL + "/")
		time.Sleep(15*time.Minute + 50*time.Second) // the leeway ends in ten seconds
		before := v.cookies()["__Host-limenauth_session"]
		v.open(appURL + "/") // renewed, and remembered for a minute
		if v.cookies()["__Host-limenauth_session"] == before {
			t.Fatal("not renewed")
		}
		v.send("POST", appURL+"/sign-out", "same-origin")
		time.Sleep(20 * time.Second)
		r := navigation(t, appURL+"/")
		r.AddCookie(&http.Cookie{Name: "__Host-limenauth_session", Value: before})
		if p := v.do(r); p.status != 303 {
			t.Errorf("%d %s", p.status, p.body)
		}
	})
}
