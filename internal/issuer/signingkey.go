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
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
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

const (
	// RotateAhead is how long before it happens a change of the signing key is known: longer
	// than any server goes without reading the keys, so that all change at one instant.
	RotateAhead = 15 * time.Second
	// revocationLife is how long the revocation of a key stays in the feed. A token that was
	// forged with the key says itself how long it lives; what ends it is that nobody has the
	// key any more, and that takes as long as key sets are kept where the server is away.
	revocationLife = 7 * 24 * time.Hour
)

// KeyInfo is what may be shown of a signing key.
type KeyInfo struct {
	ID        string
	Algorithm Algorithm
	State     string // previous, current, next or revoked
	CreatedAt time.Time
	ActiveAt  time.Time
	RetiredAt time.Time // when it stops or stopped signing
	RevokedAt time.Time
}

// KeyPlan is which key signs and which one follows.
type KeyPlan struct{ Current, Next KeyInfo }

// schedule parts the keys that are published from those that were revoked, and completes
// when each retires: a key retires when its successor begins to sign.
func schedule(rows []store.SigningKey) (published, revoked []store.SigningKey) {
	for _, r := range rows {
		if !r.RevokedAt.IsZero() {
			revoked = append(revoked, r)
			continue
		}
		if n := len(published); n > 0 && published[n-1].RetiredAt.IsZero() {
			published[n-1].RetiredAt = r.ActiveAt
		}
		published = append(published, r)
	}
	return published, revoked
}

// signing is the place of the key that signs at now: the first that has not retired, -1 if
// there is none. So a process whose clock is a little behind signs with a successor before
// it is due rather than with a key that has ended.
func signing(published []store.SigningKey, now time.Time) int {
	for n, r := range published {
		if r.RetiredAt.IsZero() || now.Before(r.RetiredAt) {
			return n
		}
	}
	return -1
}

func infoOf(r store.SigningKey, state string) KeyInfo {
	return KeyInfo{
		ID: r.ID, Algorithm: Algorithm(r.Alg), State: state,
		CreatedAt: r.CreatedAt, ActiveAt: r.ActiveAt, RetiredAt: r.RetiredAt, RevokedAt: r.RevokedAt,
	}
}

// SigningKeys lists the published keys in the order in which they sign, and then those that
// were revoked and whose revocation is still in the feed.
func (i *Issuer) SigningKeys(ctx context.Context) ([]KeyInfo, error) {
	if err := i.loadKeys(ctx); err != nil {
		return nil, err
	}
	p := i.ring.now.Load()
	cur, state := p.current(i.Now()), "previous"
	var out []KeyInfo
	for n := range p.keys {
		k := &p.keys[n]
		if k == cur {
			state = "current"
		} else if state == "current" {
			state = "next"
		}
		out = append(out, infoOf(k.row, state))
	}
	for _, r := range p.revoked {
		out = append(out, infoOf(r, "revoked"))
	}
	return out, nil
}

// TendKeys keeps a current and a next key in being and removes those that nobody needs
// any more. It is run from time to time, by any number of processes.
func (i *Issuer) TendKeys(ctx context.Context) error {
	return i.changeKeys(ctx, func(c *keyChange) error { return c.tend(ctx) })
}

// AdoptAlgorithm replaces a next key that was made for another algorithm than the settings
// name now, so that the next rotation changes it. The replacement is published as long
// ahead as any other. A server runs it when it starts, and only then: two that disagree
// about the setting do not replace each other's keys without end.
func (i *Issuer) AdoptAlgorithm(ctx context.Context) error {
	return i.changeKeys(ctx, func(c *keyChange) error {
		if err := c.tend(ctx); err != nil {
			return err
		}
		next := c.published[c.signing()+1]
		if next.Alg == string(i.Terms.Algorithm) {
			return nil
		}
		if err := c.tx.RemoveSigningKey(ctx, next.ID); err != nil {
			return err
		}
		earliest := c.tx.Now.Add(i.Terms.KeyOverlap)
		if next.ActiveAt.After(earliest) {
			earliest = next.ActiveAt
		}
		return c.add(ctx, earliest)
	})
}

// RotateSigningKey brings the change to the next key forward, to RotateAhead from now, and
// publishes another next one. If a key takes over by then anyway, nothing changes. Tokens
// of the old key stay good until they expire.
func (i *Issuer) RotateSigningKey(ctx context.Context, actor string) (KeyPlan, error) {
	var plan KeyPlan
	err := i.changeKeys(ctx, func(c *keyChange) error {
		if err := c.tend(ctx); err != nil {
			return err
		}
		at := c.tx.Now.Add(RotateAhead)
		if next := c.published[c.signing()+1]; next.ActiveAt.After(at) {
			if err := c.bringForward(ctx, at, actor); err != nil {
				return err
			}
		}
		plan = c.plan()
		return nil
	})
	return plan, err
}

// RevokeSigningKey ends a key at once, for when somebody else may hold it: it leaves the
// JWKS, its tokens are refused, the revocation feed says so and its private part is
// erased. If it was the current key, the next one is promoted in the same transaction.
// It refuses with not_found.
func (i *Issuer) RevokeSigningKey(ctx context.Context, id, actor string) (KeyInfo, KeyPlan, error) {
	var gone KeyInfo
	var plan KeyPlan
	var refusal error
	err := i.changeKeys(ctx, func(c *keyChange) error {
		if err := c.tend(ctx); err != nil { // so that it is written when the keys before retired
			return err
		}
		cur := c.signing()
		now := c.tx.Now
		until := now.Add(max(revocationLife, i.Terms.Lifetimes.Access+session.VerifierLeeway))
		revoked, err := c.tx.RevokeSigningKey(ctx, id, "key_revoked", until)
		if err != nil {
			return err
		}
		if refusal = nil; !revoked {
			refusal = fault.ErrNotFound.Saying("There is no such signing key, or it was revoked or removed before.")
			return nil
		}
		e := audit.Event{Type: audit.SigningKeyRevoked, Outcome: audit.Success, Actor: actor, Data: map[string]string{"key": id}}
		if c.published[cur].ID == id {
			successor := c.stored(cur + 1)
			successor.ActiveAt = now
			if err := c.tx.UpdateSigningKey(ctx, successor); err != nil {
				return err
			}
			e.Data["successor"] = successor.ID
		}
		if err := c.tend(ctx); err != nil {
			return err
		}
		for _, r := range c.revoked {
			if r.ID == id {
				gone = infoOf(r, "revoked")
				e.Data["alg"] = r.Alg
			}
		}
		plan = c.plan()
		return c.tx.Record(ctx, e)
	})
	if err == nil {
		err = refusal
	}
	return gone, plan, err
}

// keyChange is one transaction on the signing keys, of one process at a time.
type keyChange struct {
	i  *Issuer
	tx *store.Tx

	rows      []store.SigningKey // as they are stored
	published []store.SigningKey // of them, with their retirement
	revoked   []store.SigningKey

	spares []crypto.Signer
}

// errNoSpare ends a transaction that needs a key pair more than it was given.
var errNoSpare = errors.New("a key pair is missing")

// changeKeys runs do in a transaction under the lock of the signing keys and reads the keys
// afterwards. Key pairs are made outside of it: one for RSA takes longer than a sign-in
// may wait for the database.
func (i *Issuer) changeKeys(ctx context.Context, do func(*keyChange) error) error {
	var spares []crypto.Signer
	for {
		err := i.Store.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.LockSigningKeys(ctx); err != nil {
				return err
			}
			return do(&keyChange{i: i, tx: tx, spares: spares})
		})
		if err == nil {
			return i.loadKeys(ctx)
		}
		if !errors.Is(err, errNoSpare) {
			return fmt.Errorf("signing keys: %w", err)
		}
		private, err := generate(i.Terms.Algorithm)
		if err != nil {
			return err
		}
		spares = append(spares, private)
	}
}

func (c *keyChange) read(ctx context.Context) (err error) {
	if c.rows, err = c.tx.SigningKeys(ctx); err == nil {
		c.published, c.revoked = schedule(c.rows)
	}
	return err
}

func (c *keyChange) signing() int { return signing(c.published, c.tx.Now) }

// stored is the row of the n-th published key as it is in the database.
func (c *keyChange) stored(n int) store.SigningKey {
	for _, r := range c.rows {
		if r.ID == c.published[n].ID {
			return r
		}
	}
	return c.published[n]
}

func (c *keyChange) plan() KeyPlan {
	cur := c.signing()
	return KeyPlan{Current: infoOf(c.published[cur], "current"), Next: infoOf(c.published[cur+1], "next")}
}

// tend reads the keys, sees to it that one signs and one follows, writes which have retired
// and removes those that are needed no more.
func (c *keyChange) tend(ctx context.Context) error {
	if err := c.read(ctx); err != nil {
		return err
	}
	terms, now := c.i.Terms, c.tx.Now
	if c.signing() < 0 {
		if err := c.add(ctx, now); err != nil {
			return err
		}
	}
	cur := c.signing()
	if cur == len(c.published)-1 { // nothing comes after the current key
		next := c.published[cur].ActiveAt.Add(terms.KeyLife)
		if earliest := now.Add(terms.KeyOverlap); next.Before(earliest) {
			next = earliest
		}
		if err := c.add(ctx, next); err != nil {
			return err
		}
	}
	for n, r := range c.published[:cur] {
		switch was := c.stored(n); {
		case !now.Before(r.RetiredAt.Add(terms.Lifetimes.Access + session.VerifierLeeway)): // its last token has expired
			if err := c.tx.RemoveSigningKey(ctx, r.ID); err != nil {
				return err
			}
		case was.RetiredAt.IsZero():
			if err := c.tx.UpdateSigningKey(ctx, r); err != nil {
				return err
			}
		}
	}
	for _, r := range c.revoked {
		if !now.Before(r.RevokedAt.Add(revocationLife)) {
			if err := c.tx.RemoveSigningKey(ctx, r.ID); err != nil {
				return err
			}
		}
	}
	return c.read(ctx)
}

// bringForward makes the next key sign from at on, and one of the algorithm of the settings
// if the next key has another.
func (c *keyChange) bringForward(ctx context.Context, at time.Time, actor string) error {
	cur := c.signing()
	if next := c.stored(cur + 1); next.Alg == string(c.i.Terms.Algorithm) {
		next.ActiveAt = at
		if err := c.tx.UpdateSigningKey(ctx, next); err != nil {
			return err
		}
	} else {
		for _, r := range c.published[cur+1:] {
			if err := c.tx.RemoveSigningKey(ctx, r.ID); err != nil {
				return err
			}
		}
		if err := c.add(ctx, at); err != nil {
			return err
		}
	}
	if err := c.read(ctx); err != nil {
		return err
	}
	promoted := c.published[cur+1]
	if cur+2 == len(c.published) {
		if err := c.add(ctx, at.Add(max(c.i.Terms.KeyLife, c.i.Terms.KeyOverlap))); err != nil {
			return err
		}
	}
	return c.tx.Record(ctx, audit.Event{
		Type: audit.SigningKeyRotated, Outcome: audit.Success, Actor: actor,
		Data: map[string]string{"key": promoted.ID, "alg": promoted.Alg, "active_at": at.Format(time.RFC3339)},
	})
}

// add writes a key that signs from active on.
func (c *keyChange) add(ctx context.Context, active time.Time) error {
	if len(c.spares) == 0 {
		return errNoSpare
	}
	private := c.spares[0]
	c.spares = c.spares[1:]
	id, alg := secret.ID("sig", c.tx.Now), c.i.Terms.Algorithm
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: private.Public(), KeyID: id, Algorithm: string(alg), Use: "sig"})
	if err != nil {
		return err
	}
	err = c.tx.InsertSigningKey(ctx, store.SigningKey{
		ID: id, Alg: string(alg), PublicKey: string(public), Sealed: c.i.Keys.SigningKeys.Seal(id, der),
		CreatedAt: c.tx.Now, ActiveAt: active,
	})
	if err != nil {
		return err
	}
	return c.read(ctx)
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
