package issuer

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// key is a signing key in use.
type key struct {
	row    store.SigningKey // RetiredAt is set as soon as a successor is planned
	public jose.JSONWebKey
	signer signer
}

// signed reports whether a token that claims this time of issue can be of the key: whoever
// holds a retired key makes no token that is younger than its retirement.
func (k *key) signed(issuedAt int64) bool {
	return k.row.RetiredAt.IsZero() || issuedAt <= k.row.RetiredAt.Add(leeway).Unix()
}

const (
	// keysTrusted is how long the keys are used that were read from the database. A key that
	// was revoked elsewhere is refused here after that time at the latest, even if the job
	// that reads them every KeysEvery is stuck.
	keysTrusted = 10 * time.Second
	// KeysEvery is how often a server reads the keys.
	KeysEvery = 2 * time.Second
	// keysPatience bounds the wait of those who need keys that are being read.
	keysPatience = 2 * time.Second
	// keysPause is the least time between two readings that requests ask for.
	keysPause = time.Second

	// keysFresh and keysFreshRevoked are how long others may keep the JWKS. The next key is
	// published long before it signs, so the first is a matter of taste; with the second a
	// revocation reaches those who follow no feed.
	keysFresh        = 10 * time.Minute
	keysFreshRevoked = 5 * time.Minute
)

// keyring is an immutable picture of the keys, replaced as a whole.
type keyring struct {
	now atomic.Pointer[picture]

	mu     sync.Mutex // guards the rest; held while the keys are read, so that no older picture replaces a newer one
	asked  time.Time  // when a request last had them read
	failed error      // what came of it
}

type picture struct {
	rows    []store.SigningKey // published, in the order in which they sign
	keys    []key              // the same, open
	byID    map[string]*key
	revoked []store.SigningKey
	jwks    []byte
	readAt  time.Time
}

// current returns the key that signs at now.
func (p *picture) current(now time.Time) *key {
	if n := signing(p.rows, now); n >= 0 {
		return &p.keys[n]
	}
	return nil
}

// trusted reports whether the picture is recent. A clock that was set back makes it old.
func (p *picture) trusted(now time.Time) bool {
	age := now.Sub(p.readAt)
	return 0 <= age && age < keysTrusted
}

// knows reports whether id is the name of a key that is, or was until it was revoked.
func (p *picture) knows(id string) bool {
	return p.byID[id] != nil || slices.ContainsFunc(p.revoked, func(k store.SigningKey) bool { return k.ID == id })
}

// JWKS returns the public keys, previous, current and next, as a JWK set (RFC 7517), and
// how long others may keep it. If the keys cannot be read, it returns those that were read
// last: a verifier without any would refuse everybody.
func (i *Issuer) JWKS(ctx context.Context) (document []byte, fresh time.Duration) {
	if err := i.trustKeys(ctx); err != nil {
		i.Log.Error("signing keys could not be read again", "error", err)
	}
	p := i.ring.now.Load()
	if len(p.revoked) > 0 {
		return p.jwks, keysFreshRevoked
	}
	return p.jwks, keysFresh
}

// ReadSigningKeys reads the keys again, so that this process knows what another has done
// to them. A server runs it every KeysEvery.
func (i *Issuer) ReadSigningKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	return i.loadKeys(ctx)
}

// trustKeys reads the keys again if they were read too long ago.
func (i *Issuer) trustKeys(ctx context.Context) error {
	now := i.Now()
	if i.ring.now.Load().trusted(now) {
		return nil
	}
	return i.reload(ctx, func(p *picture) bool { return p.trusted(now) })
}

// reload reads the keys again for a request, unless enough is true of what another request
// has read meanwhile: callers wait for the first of them. It reads at most once a second
// and repeats until then what came of it.
func (i *Issuer) reload(ctx context.Context, enough func(*picture) bool) error {
	i.ring.mu.Lock()
	defer i.ring.mu.Unlock()
	if enough(i.ring.now.Load()) {
		return nil
	}
	now := i.Now()
	if since := now.Sub(i.ring.asked); 0 <= since && since < keysPause {
		return i.ring.failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysPatience) // others depend on it
	defer cancel()
	i.ring.asked, i.ring.failed = now, i.readKeys(ctx)
	return i.ring.failed
}

// keyByID finds a published key. An unknown name may be a key that another process made
// a moment ago: the table is read again, or a new key would refuse all its callers.
func (i *Issuer) keyByID(ctx context.Context, id string) *key {
	known := func(p *picture) bool { return p.knows(id) }
	if !known(i.ring.now.Load()) && secret.HasForm(id, "sig") {
		if err := i.reload(ctx, known); err != nil {
			i.Log.Error("signing keys could not be read again", "error", err)
		}
	}
	return i.ring.now.Load().byID[id]
}

// loadKeys replaces the picture of the keys.
func (i *Issuer) loadKeys(ctx context.Context) error {
	i.ring.mu.Lock()
	defer i.ring.mu.Unlock()
	return i.readKeys(ctx)
}

// readKeys is called with the lock of the ring held.
func (i *Issuer) readKeys(ctx context.Context) error {
	p := &picture{readAt: i.Now(), byID: map[string]*key{}}
	rows, err := i.Store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	p.rows, p.revoked = schedule(rows)
	p.keys = make([]key, len(p.rows))
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	old := i.ring.now.Load()
	for n, row := range p.rows {
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
