package api_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestRevokedKeyHearsNothing: the stream of a server key that was revoked ends before it
// tells another line.
func TestRevokedKeyHearsNothing(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		info, key, err := s.Issuer.CreateServerKey(t.Context(), "feed", []string{"revocations"}, "operator")
		if err != nil {
			t.Fatal(err)
		}
		s.Log.Secret(key.Reveal())
		c := signedIn(t, s, "feed@example.com", "")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // should the stream never end
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/v1/revocations", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key.Reveal())
		r.Header.Set("Accept", "text/event-stream")
		stream, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Body.Close()
		lines := bufio.NewScanner(stream.Body)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), ":") {
			t.Fatalf("the stream began with %q", lines.Text())
		}
		if err := s.Issuer.RevokeServerKey(t.Context(), info.ID, "operator"); err != nil {
			t.Fatal(err)
		}
		c.Do("POST", "/v1/sign-out", nil).Want(http.StatusNoContent)
		s.Clock.Advance(time.Minute) // another sign of life is due
		for lines.Scan() {
			if lines.Text() != "" {
				t.Errorf("the revoked key was told %q", lines.Text())
			}
		}
		if ctx.Err() != nil {
			t.Error("the stream of a revoked key goes on")
		}
		s.Client(t, "").Do("GET", "/v1/revocations", nil, "Authorization", "Bearer "+key.Reveal()).Want(http.StatusUnauthorized, "unauthenticated")
	})
}

// TestForgedCursors: a cursor of another making is refused and reaches no statement.
func TestForgedCursors(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		_, key, err := s.Issuer.CreateServerKey(t.Context(), "feed", []string{"revocations"}, "operator")
		if err != nil {
			t.Fatal(err)
		}
		server := s.Client(t, "")
		server.Header.Set("Authorization", "Bearer "+key.Reveal())
		person := signedIn(t, s, "cursor@example.com", "")
		for _, cursor := range []string{
			"x", "'; DROP TABLE revocation; --", b64.EncodeToString([]byte("' OR 1=1 --")), b64.EncodeToString([]byte("-5")),
			b64.EncodeToString([]byte("zzzzzzzzzzzzzzzzzzzzz")), b64.EncodeToString([]byte("1.rev_' OR 1=1")), b64.EncodeToString([]byte("1.ses_00000000000000000000000000")),
			strings.Repeat("A", 4000),
		} {
			server.Do("GET", "/v1/revocations?after="+escape(cursor), nil).Want(http.StatusUnprocessableEntity, "invalid_request")
			person.Do("GET", "/v1/me/events?after="+escape(cursor), nil).Want(http.StatusUnprocessableEntity, "invalid_request")
			if got := person.Do("GET", "/v1/sessions?after="+escape(cursor), nil); got.Status >= 500 {
				t.Errorf("sessions after %q: %d", cursor, got.Status)
			}
		}
		server.Do("GET", "/v1/revocations?after="+b64.EncodeToString([]byte("1y2p0ij32e8e7")), nil).Want(http.StatusOK)
	})
}
