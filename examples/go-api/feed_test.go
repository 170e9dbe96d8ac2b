package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/app"
	testapp "github.com/limenauth/limen/internal/testkit/app"
	limenauth "github.com/limenauth/limen/sdk/go"
)

// followed is a real server, and an application that follows its feed.
func followed(t *testing.T) (*testapp.Server, *httptest.Server) {
	server := testapp.Open(t, nil, filepath.Join(t.TempDir(), "limen.db"), &app.MachineClock{})
	_, key, err := server.Issuer.CreateServerKey(t.Context(), "go-api", []string{"revocations"}, "operator")
	if err != nil {
		t.Fatal(err)
	}
	a := limenauth.New(server.URL, limenauth.WithServerKey(key.Reveal()), limenauth.WithRevocationFeed(limenauth.Deny))
	t.Cleanup(func() { a.Close() })
	contact, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.Start(contact); err != nil {
		t.Fatal(err)
	}
	application := httptest.NewServer(routes(a))
	t.Cleanup(application.Close)
	return server, application
}

// TestRevokedSigningKey: when the key that signed has leaked and is revoked, the application
// refuses its tokens within a second and accepts those of the successor at once.
func TestRevokedSigningKey(t *testing.T) {
	server, application := followed(t)
	ann := server.Client(t, "")
	ann.SignUp("ann@example.test")
	hello := func() int {
		status, _ := get(t, application.Client(), "GET", application.URL+"/hello", ann.Access)
		return status
	}
	if status := hello(); status != http.StatusOK {
		t.Fatal(status)
	}
	keys, err := server.Issuer.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.Issuer.RevokeSigningKey(t.Context(), keys[0].ID, "operator"); err != nil {
		t.Fatal(err)
	}
	for ended := time.Now(); hello() != http.StatusUnauthorized; time.Sleep(20 * time.Millisecond) {
		if time.Since(ended) > 10*time.Second {
			t.Fatal("a token of the revoked key is still accepted")
		}
	}
	ann.Grant(ann.Do("POST", "/v1/token/refresh", testapp.M{"refresh_token": ann.Refresh}))
	if status := hello(); status != http.StatusOK {
		t.Errorf("a token of the successor: %d", status)
	}
}

// TestRevocationFeed follows a real server: a session that was ended is refused within a
// second on a route that asks nobody.
func TestRevocationFeed(t *testing.T) {
	server, application := followed(t)
	ann := server.Client(t, "")
	ann.SignUp("ann@example.test")
	token := ann.Access
	if status, body := get(t, application.Client(), "GET", application.URL+"/hello", token); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	ann.Do("POST", "/v1/sign-out", testapp.M{"scope": "local"}).Want(http.StatusNoContent)
	ended := time.Now()
	for {
		status, body := get(t, application.Client(), "GET", application.URL+"/hello", token)
		if status == http.StatusUnauthorized {
			if !strings.Contains(body, "session_ended") {
				t.Errorf("refused with %s", body)
			}
			break
		}
		if time.Since(ended) > 10*time.Second { // a second is promised; a busy machine is forgiven
			t.Fatal("an ended session is still accepted")
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("refused after %s", time.Since(ended).Round(time.Millisecond))
}
