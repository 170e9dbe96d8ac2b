package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	testapp "github.com/limenauth/limen/internal/testkit/app"
)

// TestStolenSigningKey: somebody copied the private key that signs. Once it is revoked,
// nothing that they sign opens anything, on the server that did it at once and on another
// within ten seconds, even one that had accepted the same token before; nobody who signed
// in honestly is signed out.
func TestStolenSigningKey(t *testing.T) {
	testapp.Each(t, nil, func(t *testing.T, s *testapp.Server) {
		database := s.Config.Database()
		address := database.Path
		if database.Postgres {
			address = database.URL.Reveal()
		}
		other := testapp.Open(t, testapp.Settings{"url": s.URL}, address, s.Clock)
		_, key, err := s.Issuer.CreateServerKey(t.Context(), "api", []string{"introspect", "revocations"}, "operator")
		if err != nil {
			t.Fatal(err)
		}
		program := s.Client(t, "")
		program.Header.Set("Authorization", "Bearer "+key.Reveal())
		c := signedIn(t, s, "stolen@example.com", "")
		f := forgerOf(t, s, c.Access)
		kid := f.header["kid"].(string)
		forged := f.sign(f.header, with(f.claims, testapp.M{"roles": []string{"admin"}, "jti": "forged"}), f.key)
		ask := func(server *testapp.Server, token string, want int) {
			t.Helper()
			got := server.Client(t, "").Do("GET", "/v1/me", nil, "Authorization", "Bearer "+token)
			got.Want(want)
			if want == http.StatusUnauthorized && got.Code() != "unauthenticated" {
				t.Errorf("refused with %s, not so that a client refreshes", got.Code())
			}
		}
		for _, server := range []*testapp.Server{s, other} {
			ask(server, forged, http.StatusOK) // both remember it
			if got := server.Client(t, "").Do("GET", "/.well-known/jwks.json", nil); !strings.Contains(string(got.Body), kid) || got.Header.Get("Cache-Control") != "public, max-age=600" {
				t.Errorf("before: %s, %s", got.Header.Get("Cache-Control"), got.Body)
			}
		}

		if _, _, err := s.Issuer.RevokeSigningKey(t.Context(), kid, "operator"); err != nil {
			t.Fatal(err)
		}
		fresh := f.sign(f.header, with(f.claims, testapp.M{"iat": s.Clock.Now().Unix(), "exp": s.Clock.Now().Add(time.Hour).Unix(), "jti": "later"}), f.key)
		for _, token := range []string{forged, fresh, c.Access} {
			ask(s, token, http.StatusUnauthorized)
			if got := program.Do("POST", "/v1/token/introspect", testapp.M{"token": token}).Want(http.StatusOK); strings.TrimSpace(string(got.Body)) != `{"active":false}` {
				t.Errorf("introspection says %s", got.Body)
			}
		}
		ask(other, fresh, http.StatusOK) // it was told nothing yet
		s.Clock.(*testapp.Clock).Advance(10 * time.Second)
		for _, token := range []string{forged, fresh, c.Access} {
			ask(other, token, http.StatusUnauthorized)
		}
		for _, server := range []*testapp.Server{s, other} {
			got := server.Client(t, "").Do("GET", "/.well-known/jwks.json", nil)
			if strings.Contains(string(got.Body), kid) || got.Header.Get("Cache-Control") != "public, max-age=300" {
				t.Errorf("afterwards: %s, %s", got.Header.Get("Cache-Control"), got.Body)
			}
		}

		c.Grant(c.Do("POST", "/v1/token/refresh", testapp.M{"refresh_token": c.Refresh}))
		ask(s, c.Access, http.StatusOK)
		ask(other, c.Access, http.StatusOK)
		page := program.Do("GET", "/v1/revocations", nil).Want(http.StatusOK).JSON()
		entry, _ := page["data"].([]any)[0].(map[string]any)
		if entry["kind"] != "key" || entry["kid"] != kid || entry["user_id"] != nil || entry["session_id"] != nil || entry["reason"] != "key_revoked" {
			t.Errorf("feed: %v", entry)
		}
	})
}

// TestLeakedRootKey follows docs/deploy.md: a new root key in front of the leaked one, every
// signing key revoked, the leaked one taken away. What was made with the leaked one is
// worth nothing then, and the server works.
func TestLeakedRootKey(t *testing.T) {
	const replacement = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="
	testapp.Each(t, nil, func(t *testing.T, leaked *testapp.Server) {
		database := leaked.Config.Database()
		address := database.Path
		if database.Postgres {
			address = database.URL.Reveal()
		}
		restart := func(keys string) *testapp.Server {
			return testapp.Open(t, testapp.Settings{"url": leaked.URL, "root-key": keys}, address, leaked.Clock)
		}
		c := signedIn(t, leaked, "leak@example.com", "")
		f := forgerOf(t, leaked, c.Access)
		both := restart(replacement + " " + testapp.RootKey)
		both.Client(t, "").Do("GET", "/v1/me", nil, "Authorization", "Bearer "+c.Access).Want(http.StatusOK)
		old, err := both.Issuer.SigningKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for n := len(old) - 1; n >= 0; n-- { // the next one first, so that it is never promoted
			if _, _, err := both.Issuer.RevokeSigningKey(t.Context(), old[n].ID, "operator"); err != nil {
				t.Fatal(err)
			}
		}
		after := restart(replacement)
		published := string(after.Client(t, "").Do("GET", "/.well-known/jwks.json", nil).Want(http.StatusOK).Body)
		for _, k := range old {
			if strings.Contains(published, k.ID) {
				t.Errorf("%s is still published", k.ID)
			}
		}
		after.Client(t, "").Do("GET", "/v1/me", nil, "Authorization", "Bearer "+f.sign(f.header, f.claims, f.key)).Want(http.StatusUnauthorized)
		after.Client(t, "").Do("POST", "/v1/token/refresh", testapp.M{"refresh_token": c.Refresh}).Want(http.StatusUnauthorized, "session_ended")
		again := after.Client(t, "")
		again.SignIn("leak@example.com")
		again.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}
