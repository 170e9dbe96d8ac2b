package api_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// stream opens the event stream of an attempt. The end of ctx hangs up.
func stream(t *testing.T, ctx context.Context, s *app.Server, attempt string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/v1/sign-in/attempts/"+attempt, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// told reads the next status; "" is the end.
func told(lines *bufio.Scanner) string {
	for lines.Scan() {
		if status, ok := strings.CutPrefix(lines.Text(), `data: {"status":"`); ok {
			return strings.TrimSuffix(status, `"}`)
		}
	}
	return ""
}

// TestStreamsAreForWhoeverHoldsTheAttempt: nobody else learns even that there is one.
func TestStreamsAreForWhoeverHoldsTheAttempt(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		s.Clock.Advance(time.Hour)
		c := s.Client(t, "cookie")
		attempt := asked(c, "ann@example.com", nil).Text("attempt")
		cookie := "limen_attempt=" + c.Cookies()["limen_attempt"]
		for name, header := range map[string][]string{
			"no cookie": nil, "another cookie": {"Cookie", "limen_attempt=" + strings.Repeat("A", 43)},
			"a bearer's cookie": {"Cookie", cookie, "Authorization", "Bearer x"},
		} {
			got := stream(t, t.Context(), s, attempt, header...)
			body, _ := io.ReadAll(got.Body)
			if got.StatusCode != http.StatusUnauthorized || strings.Contains(string(body), "pending") {
				t.Errorf("%s: %d %s", name, got.StatusCode, body)
			}
		}
		for _, other := range []string{attempt[:30], attempt[:len(attempt)-1] + "!", strings.Repeat("a", 3000), attempt[:30] + "_" + strings.Repeat("A", 22)} {
			if got := stream(t, t.Context(), s, other, "Cookie", cookie); got.StatusCode != http.StatusUnauthorized {
				t.Errorf("%.40s: %d", other, got.StatusCode)
			}
		}
		if got := told(bufio.NewScanner(stream(t, t.Context(), s, attempt, "Cookie", cookie).Body)); got != "pending" {
			t.Errorf("its own browser is told %q", got)
		}
	})
}

// TestStreamsEnd: with the attempt, whatever ended it, and with the server.
func TestStreamsEnd(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		id := userID(signedIn(t, s, "ann@example.com", ""))
		for name, end := range map[string]func(c *app.Client, attempt, token string) string{
			"time": func(*app.Client, string, string) string { s.Clock.Advance(11 * time.Minute); return "expired" },
			"denial": func(c *app.Client, _, token string) string {
				c.Do("POST", "/v1/sign-in/link/approve", app.M{"token": token, "decision": "deny"}).Want(http.StatusOK)
				return "denied"
			},
			"another password": func(*app.Client, string, string) string {
				if err := s.Auth.SetPassword(t.Context(), id, app.Password+" again"); err != nil {
					t.Fatal(err)
				}
				return "expired"
			},
			"completion": func(c *app.Client, attempt, token string) string {
				c.Do("POST", "/v1/sign-in/link", app.M{"attempt": attempt, "token": token}).Want(http.StatusOK)
				return "complete"
			},
		} {
			s.Clock.Advance(time.Hour)
			c := s.Client(t, "token")
			attempt := asked(c, "ann@example.com", nil).Text("attempt")
			token := s.TokenFor(t, "ann@example.com")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			lines := bufio.NewScanner(stream(t, ctx, s, attempt).Body)
			if got := told(lines); got != "pending" {
				t.Errorf("%s: %q", name, got)
			}
			want := end(c, attempt, token)
			if got := told(lines); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
			if got := told(lines); got != "" || ctx.Err() != nil {
				t.Errorf("%s: the stream goes on: %q %v", name, got, ctx.Err())
			}
			cancel()
		}
		// A ban shows in no stream: it is told after the proof alone. And a stream leaves
		// no trace of the attempt's secret in the log (the server looks when the test ends).
		s.Clock.Advance(time.Hour)
		c := s.Client(t, "token")
		attempt := asked(c, "ann@example.com", nil).Text("attempt")
		if err := s.Auth.Ban(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if got := told(bufio.NewScanner(stream(t, t.Context(), s, attempt).Body)); got != "pending" {
			t.Errorf("a ban shows: %q", got)
		}
	})
}

// TestStreamsAreBounded: one attempt has a few places, those who hang up give theirs back,
// and who finds none can poll.
func TestStreamsAreBounded(t *testing.T) {
	s := app.SQLite(t, manyNetworks)
	signedIn(t, s, "ann@example.com", "")
	s.Clock.Advance(time.Hour)
	c := s.Client(t, "token")
	attempt := asked(c, "ann@example.com", nil).Text("attempt")
	ctx, cancel := context.WithCancel(t.Context())
	var n, refused atomic.Int64
	told := race(30, func() bool {
		got := stream(t, ctx, s, attempt, "X-Forwarded-For", network(int(n.Add(1))))
		if got.StatusCode == http.StatusServiceUnavailable && got.Header.Get("Retry-After") != "" {
			refused.Add(1)
		}
		return told(bufio.NewScanner(got.Body)) == "pending"
	})
	if told != 5 || refused.Load() != 25 || s.Auth.Watching.Count() != 5 {
		t.Errorf("%d were told, %d refused, %d are watching", told, refused.Load(), s.Auth.Watching.Count())
	}
	c.Do("GET", "/v1/sign-in/attempts/"+attempt, nil).Want(http.StatusOK)
	cancel()
	for left := time.After(20 * time.Second); s.Auth.Watching.Count() > 0; runtime.Gosched() {
		select {
		case <-left:
			t.Fatalf("%d still watch after they hung up", s.Auth.Watching.Count())
		default:
		}
	}
}
