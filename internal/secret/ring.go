package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// RootSize is the length of a root key in bytes.
const RootSize = 32

// KeyIDSize is the length of a key's public name in bytes.
const KeyIDSize = 4

// ErrNoKey means that no key of the ring made or sealed the value.
var ErrNoKey = errors.New("secret: no key of the ring fits")

// Ring holds the root keys: the first makes new values, all of them check old ones.
// A key may leave the ring only after the longest life of what it made: the absolute
// life of a session.
type Ring struct {
	keys []ringKey
}

type ringKey struct {
	id   [KeyIDSize]byte
	root []byte
}

// ParseRing reads root keys from text: base64 (any alphabet, padded or not) of 32 bytes
// each, separated by white space or commas, the current one first.
func ParseRing(text string) (*Ring, error) {
	r := &Ring{}
	for i, field := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\r\n,", c) }) {
		field = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(field)
		root, err := base64.RawURLEncoding.DecodeString(field)
		if err != nil || len(root) != RootSize {
			return nil, fmt.Errorf("root key %d is not base64 of %d bytes (make one with: openssl rand -base64 32)", i+1, RootSize)
		}
		r.keys = append(r.keys, ringKey{id: keyID(root), root: root})
	}
	if len(r.keys) == 0 {
		return nil, errors.New("there is no root key")
	}
	return r, nil
}

// NewRoot returns a new root key in the form that ParseRing reads.
func NewRoot() Text {
	return Text(base64.StdEncoding.EncodeToString(Bytes(RootSize)))
}

func keyID(root []byte) (id [KeyIDSize]byte) {
	copy(id[:], derive(root, "key id", KeyIDSize))
	return id
}

func derive(root []byte, purpose string, n int) []byte {
	key, err := hkdf.Key(sha256.New, root, nil, "limen/"+purpose, n)
	if err != nil {
		panic("secret: hkdf: " + err.Error()) // only for impossible lengths
	}
	return key
}

// Check returns a value that tells rings with the same current key from others. It is
// stored in the database and reveals nothing of the key.
func (r *Ring) Check() string {
	return hex.EncodeToString(derive(r.keys[0].root, "check", 16))
}

// Knows reports whether check was made by any key of the ring.
func (r *Ring) Knows(check string) bool {
	for _, k := range r.keys {
		if hmac.Equal([]byte(hex.EncodeToString(derive(k.root, "check", 16))), []byte(check)) {
			return true
		}
	}
	return false
}

// Hasher makes keyed hashes and MACs for one purpose.
type Hasher struct {
	ids  [][KeyIDSize]byte
	keys [][]byte
}

// Hasher derives the ring's keys for purpose. Do it once, at start.
func (r *Ring) Hasher(purpose string) *Hasher {
	h := &Hasher{}
	for _, k := range r.keys {
		h.ids = append(h.ids, k.id)
		h.keys = append(h.keys, derive(k.root, "mac/"+purpose, 32))
	}
	return h
}

func mac(key []byte, parts [][]byte) []byte {
	m := hmac.New(sha256.New, key)
	var size [8]byte
	for _, p := range parts { // each part is preceded by its length, so no two lists collide
		for i := range size {
			size[i] = byte(len(p) >> (8 * i))
		}
		m.Write(size[:])
		m.Write(p)
	}
	return m.Sum(nil)
}

// Sum is HMAC-SHA-256 of the parts under the current key: 32 bytes.
func (h *Hasher) Sum(parts ...[]byte) []byte { return mac(h.keys[0], parts) }

// Sums is Sum under every key of the ring, the current one first: what a stored hash
// is compared with.
func (h *Hasher) Sums(parts ...[]byte) [][]byte {
	out := make([][]byte, len(h.keys))
	for i, k := range h.keys {
		out[i] = mac(k, parts)
	}
	return out
}

// Fits reports, in constant time, whether stored is the sum of the parts under any key.
func (h *Hasher) Fits(stored []byte, parts ...[]byte) bool {
	for _, s := range h.Sums(parts...) {
		if hmac.Equal(s, stored) {
			return true
		}
	}
	return false
}

// KeyID names the current key, for values that carry their key's name.
func (h *Hasher) KeyID() [KeyIDSize]byte { return h.ids[0] }

// SumBy is Sum under the key named id; ok is false when the ring has no such key.
func (h *Hasher) SumBy(id [KeyIDSize]byte, parts ...[]byte) (sum []byte, ok bool) {
	for i := range h.ids {
		if h.ids[i] == id {
			return mac(h.keys[i], parts), true
		}
	}
	return nil, false
}

// Sealer encrypts values of one purpose at rest.
type Sealer struct {
	aeads []cipher.AEAD
}

// Sealer derives the ring's keys for purpose. Do it once, at start.
func (r *Ring) Sealer(purpose string) *Sealer {
	s := &Sealer{}
	for _, k := range r.keys {
		block, err := aes.NewCipher(derive(k.root, "seal/"+purpose, 32))
		if err != nil {
			panic("secret: aes: " + err.Error())
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic("secret: gcm: " + err.Error())
		}
		s.aeads = append(s.aeads, aead)
	}
	return s
}

// Seal encrypts plain for the row with that id.
func (s *Sealer) Seal(id string, plain []byte) []byte {
	return s.aeads[0].Seal(nil, nil, plain, []byte(id))
}

// Open decrypts what Seal made for the same id. It fails with ErrNoKey.
func (s *Sealer) Open(id string, sealed []byte) ([]byte, error) {
	for _, a := range s.aeads {
		if plain, err := a.Open(nil, nil, sealed, []byte(id)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrNoKey
}
