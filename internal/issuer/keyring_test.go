package issuer_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

const day = 24 * time.Hour

var lifetimes = session.Lifetimes{
	Access: 15 * time.Minute, Idle: 30 * day, Absolute: 90 * day, Window: 30 * time.Second, StrictWindow: 10 * time.Second,
}

// open returns an issuer as one process would have it.
func open(t testing.TB, d *db.DB, alg issuer.Algorithm) *issuer.Issuer {
	t.Helper()
	i := &issuer.Issuer{
		Store: d.Store, Keys: issuer.NewKeys(d.Ring), Now: d.Clock.Now, Log: slog.New(slog.DiscardHandler),
		Terms: issuer.Terms{
			Issuer: "https://auth.example.com", Audience: "https://auth.example.com", Lifetimes: lifetimes, Policy: session.Resilient,
			Algorithm: alg, KeyLife: 90 * day, KeyOverlap: day,
		},
	}
	if err := i.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i
}

// grant writes a person with a session and returns the grant.
func grant(t testing.TB, d *db.DB) session.Granted {
	t.Helper()
	var g session.Granted
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		who := account.Account{ID: account.ID("usr_" + d.Clock.Now().String()), Roles: []string{"user"}, Epoch: 1, CredentialVersion: 1, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		if _, err := tx.InsertAccount(t.Context(), who, ""); err != nil {
			return err
		}
		var err error
		g, err = signin.Next(signin.State{Purpose: signin.SignIn, Account: who, Proofs: []signin.Method{signin.Password}, Browser: session.Browser{Delivery: session.Token}},
			signin.Terms{ID: "ses_01kkpea93gegw8dh7vkpqjce71", Lifetimes: lifetimes, DeviceHash: []byte{1}, Now: tx.Now})
		if err != nil {
			return err
		}
		return tx.InsertSession(t.Context(), g.Session())
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func kids(t *testing.T, i *issuer.Issuer) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
			D     string `json:"d"`
		} `json:"keys"`
	}
	document, _ := i.JWKS(t.Context())
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range set.Keys {
		if k.D != "" {
			t.Error("a private part is published")
		}
		out = append(out, k.KeyID)
	}
	return out
}

func states(t *testing.T, i *issuer.Issuer) (out []string) {
	t.Helper()
	keys, err := i.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		out = append(out, k.State)
	}
	return out
}

func TestEveryAlgorithmSignsAndVerifies(t *testing.T) {
	for _, alg := range []issuer.Algorithm{issuer.ES256, issuer.EdDSA, issuer.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			d := db.SQLite(t)
			i := open(t, d, alg)
			issued, err := i.Issue(grant(t, d))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time from memory
				if _, err := i.Authenticate(t.Context(), issued.AccessToken); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(issued.AccessToken); n > 3<<10 {
				t.Errorf("%d bytes", n)
			}
		})
	}
}

// TestScheduledRotation: the clock alone makes the next key current, in every process at
// once, and nobody meets a key that was not published before.
func TestScheduledRotation(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		one, two := open(t, d, issuer.ES256), open(t, d, issuer.ES256)
		if got := states(t, one); !slices.Equal(got, []string{"current", "next"}) || !slices.Equal(kids(t, one), kids(t, two)) {
			t.Fatalf("at birth: %v, %v, %v", got, kids(t, one), kids(t, two))
		}
		published := kids(t, two)
		old, err := one.Issue(grant(t, d))
		if err != nil {
			t.Fatal(err)
		}
		d.Clock.Advance(90 * day)
		issued, err := one.Issue(grantAgain(t, d))
		if err != nil {
			t.Fatal(err)
		}
		// The other process has not tended its keys and knows the new signer all the same.
		if _, err := two.Authenticate(t.Context(), issued.AccessToken); err != nil {
			t.Fatal(err)
		}
		if err := one.TendKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := states(t, one); !slices.Equal(got, []string{"previous", "current", "next"}) {
			t.Fatalf("after: %v", got)
		}
		if now := kids(t, one); now[0] != published[0] || now[1] != published[1] {
			t.Errorf("%v was published, then %v", published, now)
		}
		if _, err := one.Authenticate(t.Context(), old.AccessToken); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("a token of ninety days ago: %v", err)
		}
		// It stays until its last token has expired everywhere, and no longer.
		life := lifetimes.Access + session.VerifierLeeway
		for _, step := range []struct {
			wait time.Duration
			want []string
		}{{life - time.Second, []string{"previous", "current", "next"}}, {time.Second, []string{"current", "next"}}} {
			d.Clock.Advance(step.wait)
			if err := one.TendKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := states(t, one); !slices.Equal(got, step.want) {
				t.Errorf("%v later: %v, want %v", step.wait, got, step.want)
			}
		}
	})
}

// grantAgain moves the session that grant wrote into the present.
func grantAgain(t *testing.T, d *db.DB) session.Granted {
	t.Helper()
	if _, err := d.SQL(t).Exec(`DELETE FROM session`); err != nil {
		t.Fatal(err)
	}
	return grant(t, d)
}

func TestTwoProcessesMakeOneSetOfKeys(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		done := make(chan *issuer.Issuer, 4)
		for range 4 {
			go func() { done <- open(t, d, issuer.ES256) }()
		}
		for range 4 {
			if got := kids(t, <-done); len(got) != 2 {
				t.Errorf("%d keys", len(got))
			}
		}
	})
}

func TestServerKeys(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		i := open(t, d, issuer.ES256)
		info, value, err := i.CreateServerKey(t.Context(), "api", []string{"introspect", "introspect"}, "operator")
		if err != nil || len(info.Scopes) != 1 {
			t.Fatal(info, err)
		}
		if id, err := i.AuthorizeServerKey(t.Context(), value, "introspect"); err != nil || id != info.ID {
			t.Errorf("%s %v", id, err)
		}
		if _, err := i.AuthorizeServerKey(t.Context(), value, "metrics"); err == nil {
			t.Error("a scope it was not given")
		}
		if _, err := i.AuthorizeServerKey(t.Context(), value[:len(value)-1]+"_", "introspect"); err == nil {
			t.Error("another secret")
		}
		if err := i.RevokeServerKey(t.Context(), info.ID, "operator"); err != nil {
			t.Fatal(err)
		}
		if _, err := i.AuthorizeServerKey(t.Context(), value, "introspect"); err == nil {
			t.Error("a revoked key works")
		}
		if err := i.RevokeServerKey(t.Context(), info.ID, "operator"); err == nil {
			t.Error("revoked twice")
		}
		for _, scopes := range [][]string{nil, {"everything"}} {
			if _, _, err := i.CreateServerKey(t.Context(), "api", scopes, "operator"); err == nil {
				t.Errorf("scopes %v", scopes)
			}
		}
		var stored []byte
		if err := d.SQL(t).QueryRow(`SELECT secret_hash FROM server_key`).Scan(&stored); err != nil || string(stored) == value.Reveal() {
			t.Errorf("at rest: %x %v", stored, err)
		}
	})
}

// TestNewKeyMeetsManyCallers: another process revokes two keys, so the one that signs now is
// unknown here; of callers who come at once nobody is refused.
func TestNewKeyMeetsManyCallers(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		here, there := open(t, d, issuer.ES256), open(t, d, issuer.ES256)
		g := grant(t, d)
		for range 3 {
			for range 2 {
				if _, _, err := there.RevokeSigningKey(t.Context(), kids(t, there)[0], "operator"); err != nil {
					t.Fatal(err)
				}
			}
			d.Clock.Advance(time.Second)
			issued, err := there.Issue(g)
			if err != nil {
				t.Fatal(err)
			}
			var callers sync.WaitGroup
			start := make(chan struct{})
			for range 20 {
				callers.Go(func() {
					<-start
					if _, err := here.Authenticate(t.Context(), issued.AccessToken); err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			callers.Wait()
		}
	})
}
