package issuer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// Algorithm names how access tokens are signed.
type Algorithm string

// The algorithms. There is no HS*: a verifier must never be able to sign.
const (
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
	RS256 Algorithm = "RS256"
)

const rsaBits = 2048

// key is a signing key in use.
type key struct {
	row    store.SigningKey
	public jose.JSONWebKey
	signer signer
}

// keyring is an immutable picture of the keys, replaced as a whole.
type keyring struct{ now atomic.Pointer[picture] }

type picture struct {
	keys []key // in the order in which they sign
	byID map[string]*key
	jwks []byte
}

// current returns the key that signs at now: the latest that has become active.
func (p *picture) current(now time.Time) *key {
	var cur *key
	for n := range p.keys {
		if !now.Before(p.keys[n].row.ActiveAt) {
			cur = &p.keys[n]
		}
	}
	return cur
}

// KeyInfo tells of a signing key what may be shown.
type KeyInfo struct {
	ID        string
	Algorithm Algorithm
	State     string // previous, current or next
	CreatedAt time.Time
	ActiveAt  time.Time
	RetiredAt time.Time
}

// SigningKeys lists the published keys in the order in which they sign.
func (i *Issuer) SigningKeys(ctx context.Context) ([]KeyInfo, error) {
	if err := i.loadKeys(ctx); err != nil {
		return nil, err
	}
	p, now := i.ring.now.Load(), i.Now()
	cur := p.current(now)
	var out []KeyInfo
	for n := range p.keys {
		k := &p.keys[n]
		info := KeyInfo{
			ID: k.row.ID, Algorithm: Algorithm(k.row.Alg), State: "previous",
			CreatedAt: k.row.CreatedAt, ActiveAt: k.row.ActiveAt, RetiredAt: k.row.RetiredAt,
		}
		switch {
		case k == cur:
			info.State = "current"
		case now.Before(k.row.ActiveAt):
			info.State = "next"
		}
		out = append(out, info)
	}
	return out, nil
}

// JWKS returns the public keys, previous, current and next, as a JWK set (RFC 7517).
func (i *Issuer) JWKS() []byte { return i.ring.now.Load().jwks }

// TendKeys keeps a current and a next key in being and removes those whose last token
// has expired. It is run at start and from time to time, by any number of processes.
func (i *Issuer) TendKeys(ctx context.Context) error {
	err := i.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.LockSigningKeys(ctx); err != nil {
			return err
		}
		rows, err := tx.SigningKeys(ctx)
		if err != nil {
			return err
		}
		return i.tend(ctx, tx, rows)
	})
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	return i.loadKeys(ctx)
}

func (i *Issuer) tend(ctx context.Context, tx *store.Tx, rows []store.SigningKey) error {
	cur := -1
	for n, r := range rows {
		if !tx.Now.Before(r.ActiveAt) {
			cur = n
		}
	}
	if cur < 0 {
		if err := i.newKey(ctx, tx, tx.Now); err != nil {
			return err
		}
	}
	if cur == len(rows)-1 { // nothing comes after the current key
		next := tx.Now.Add(i.Terms.KeyLife)
		if cur >= 0 {
			next = rows[cur].ActiveAt.Add(i.Terms.KeyLife)
		}
		if earliest := tx.Now.Add(i.Terms.KeyOverlap); next.Before(earliest) {
			next = earliest
		}
		if err := i.newKey(ctx, tx, next); err != nil {
			return err
		}
	}
	for n, r := range rows[:max(cur, 0)] {
		if r.RetiredAt.IsZero() {
			r.RetiredAt = rows[n+1].ActiveAt
		}
		if !tx.Now.Before(r.RetiredAt.Add(i.Terms.KeyOverlap + i.Terms.Lifetimes.Access)) {
			r.RemovedAt = tx.Now
		}
		if err := tx.UpdateSigningKey(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// RotateSigningKey makes the next key current now and publishes a new next one. Tokens
// of the old key stay good until they expire.
func (i *Issuer) RotateSigningKey(ctx context.Context, actor string) (KeyInfo, error) {
	var promoted store.SigningKey
	err := i.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.LockSigningKeys(ctx); err != nil {
			return err
		}
		rows, err := tx.SigningKeys(ctx)
		if err != nil {
			return err
		}
		for n, r := range rows {
			if !tx.Now.Before(r.ActiveAt) {
				if r.RetiredAt.IsZero() {
					r.RetiredAt = tx.Now
				}
			} else {
				r.ActiveAt, promoted = tx.Now, r
			}
			rows[n] = r
			if err := tx.UpdateSigningKey(ctx, r); err != nil {
				return err
			}
		}
		if err := i.tend(ctx, tx, rows); err != nil {
			return err
		}
		return tx.Record(ctx, audit.Event{
			Type: audit.SigningKeyRotated, Outcome: audit.Success, Actor: actor, Data: map[string]string{"key": promoted.ID},
		})
	})
	if err != nil {
		return KeyInfo{}, err
	}
	info := KeyInfo{
		ID: promoted.ID, Algorithm: Algorithm(promoted.Alg), State: "current", CreatedAt: promoted.CreatedAt, ActiveAt: promoted.ActiveAt,
	}
	return info, i.loadKeys(ctx)
}

// newKey writes a key that signs from active on.
func (i *Issuer) newKey(ctx context.Context, tx *store.Tx, active time.Time) error {
	private, err := generate(i.Terms.Algorithm)
	if err != nil {
		return err
	}
	id := secret.ID("sig", tx.Now)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: private.Public(), KeyID: id, Algorithm: string(i.Terms.Algorithm), Use: "sig"})
	if err != nil {
		return err
	}
	return tx.InsertSigningKey(ctx, store.SigningKey{
		ID: id, Alg: string(i.Terms.Algorithm), PublicKey: string(public), Sealed: i.Keys.SigningKeys.Seal(id, der),
		CreatedAt: tx.Now, ActiveAt: active,
	})
}

func generate(alg Algorithm) (crypto.Signer, error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("%q is no signing algorithm", alg)
}

// loadKeys replaces the picture of the keys.
func (i *Issuer) loadKeys(ctx context.Context) error {
	rows, err := i.Store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	p := &picture{keys: make([]key, len(rows)), byID: make(map[string]*key, len(rows))}
	set := jose.JSONWebKeySet{}
	old := i.ring.now.Load()
	for n, row := range rows {
		if old != nil && old.byID[row.ID] != nil {
			p.keys[n] = *old.byID[row.ID]
			p.keys[n].row = row
		} else if p.keys[n], err = i.openKey(row); err != nil {
			return fmt.Errorf("signing key %s: %w", row.ID, err)
		}
		p.byID[row.ID] = &p.keys[n]
		set.Keys = append(set.Keys, p.keys[n].public)
	}
	if p.jwks, err = json.Marshal(set); err != nil {
		return err
	}
	i.ring.now.Store(p)
	return nil
}

var errForeignKey = errors.New("the private key does not belong to its algorithm or to its public key")

func (i *Issuer) openKey(row store.SigningKey) (k key, err error) {
	der, err := i.Keys.SigningKeys.Open(row.ID, row.Sealed)
	if err != nil {
		return k, err
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return k, err
	}
	k.row = row
	if err := k.public.UnmarshalJSON([]byte(row.PublicKey)); err != nil {
		return k, err
	}
	if !k.public.IsPublic() || k.public.KeyID != row.ID || k.public.Algorithm != row.Alg {
		return k, errForeignKey
	}
	// A pair that does not belong together would sign what nobody can verify.
	half, ok := private.(crypto.Signer)
	whole, same := k.public.Key.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !same || !whole.Equal(half.Public()) {
		return k, errForeignKey
	}
	k.signer, err = newSigner(Algorithm(row.Alg), row.ID, private)
	return k, err
}
