package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// TestTokensAreCompactJWS reads each token with a library that has never seen ours: the
// header in full, the signature with the published key.
func TestTokensAreCompactJWS(t *testing.T) {
	for _, alg := range []issuer.Algorithm{issuer.ES256, issuer.EdDSA, issuer.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			d := db.SQLite(t)
			i := open(t, d, alg)
			var set jose.JSONWebKeySet
			document, _ := i.JWKS(t.Context())
			if err := json.Unmarshal(document, &set); err != nil {
				t.Fatal(err)
			}
			g := grant(t, d)
			for range 50 { // numbers of a signature may begin with zero bytes
				issued, err := i.Issue(g)
				if err != nil {
					t.Fatal(err)
				}
				token := issued.AccessToken.Reveal()
				head, _, _ := strings.Cut(token, ".")
				raw, err := base64.RawURLEncoding.DecodeString(head)
				want := `{"alg":"` + string(alg) + `","kid":"` + kids(t, i)[0] + `","typ":"at+jwt"}`
				if err != nil || string(raw) != want {
					t.Fatalf("header %s, want %s", raw, want)
				}
				jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := jws.Verify(set.Keys[0]); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestForeignSigningKeys: a row whose private key is not what it says signs nothing.
func TestForeignSigningKeys(t *testing.T) {
	ours, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		alg    issuer.Algorithm
		public crypto.PublicKey
		sealed crypto.Signer
	}{
		"another pair":      {issuer.ES256, ours.Public(), other},
		"another curve":     {issuer.ES256, wide.Public(), wide},
		"another algorithm": {issuer.RS256, ours.Public(), ours},
		"another kind":      {issuer.ES256, edwards.Public(), edwards},
	} {
		t.Run(name, func(t *testing.T) {
			d := db.SQLite(t)
			i := open(t, d, issuer.ES256)
			id := secret.ID("sig", d.Clock.Now())
			der, err := x509.MarshalPKCS8PrivateKey(row.sealed)
			if err != nil {
				t.Fatal(err)
			}
			public, err := json.Marshal(jose.JSONWebKey{Key: row.public, KeyID: id, Algorithm: string(row.alg), Use: "sig"})
			if err != nil {
				t.Fatal(err)
			}
			err = d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				return tx.InsertSigningKey(t.Context(), store.SigningKey{
					ID: id, Alg: string(row.alg), PublicKey: string(public), Sealed: i.Keys.SigningKeys.Seal(id, der),
					CreatedAt: tx.Now, ActiveAt: tx.Now,
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := i.SigningKeys(t.Context()); err == nil || !strings.Contains(err.Error(), "does not belong") {
				t.Errorf("the key is taken: %v", err)
			}
		})
	}
}
