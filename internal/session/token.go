package session

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/limenauth/limen/internal/secret"
)

// The forms on the wire, all in unpadded base64url:
//
//	lrt_ key id (4) | session id (16) | generation (8, big endian) | MAC (32)
//	lds_, las_ random (32) | MAC (16)
//
// The MAC is keyed by the server, so what we did not make is refused without touching
// the database, and a copy of the database mints nothing. The key's name travels with a
// refresh token, so a ring of several keys costs one MAC. A form is accepted only as we
// write it: every value has one spelling.
const (
	refreshPrefix = "lrt_"
	refreshSize   = secret.KeyIDSize + 16 + 8 + 32
	secretRandom  = 32
	secretSize    = secretRandom + 16
	idPrefix      = "ses_"
)

// browserSecret is a kind of value that names one browser: its prefix. The MAC inside is
// the one rule for all of them: limen alone makes such a value, so a client cannot choose
// its own. Each kind has a hasher of its own, so that none passes for another.
type browserSecret string

const (
	deviceSecret  browserSecret = "lds_"
	attemptSecret browserSecret = "las_"
)

func (kind browserSecret) issue(h *secret.Hasher) secret.Text {
	random := secret.Bytes(secretRandom)
	return secret.Text(string(kind) + base64.RawURLEncoding.EncodeToString(append(random, secretTag(h.Sum(random))...)))
}

// issued reports whether issue returned s under any key of the ring.
func (kind browserSecret) issued(h *secret.Hasher, s string) bool {
	raw, ok := open(s, string(kind), secretSize)
	if !ok {
		return false
	}
	ours := false
	for _, sum := range h.Sums(raw[:secretRandom]) {
		ours = hmac.Equal(secretTag(sum), raw[secretRandom:]) || ours
	}
	return ours
}

// current reports whether issue returned s under the current key.
func (kind browserSecret) current(h *secret.Hasher, s string) bool {
	raw, ok := open(s, string(kind), secretSize)
	return ok && hmac.Equal(secretTag(h.Sum(raw[:secretRandom])), raw[secretRandom:])
}

func secretTag(sum []byte) []byte { return sum[:secretSize-secretRandom] }

// SealRefreshToken makes the refresh token of one generation of a session. h is the
// ring's hasher for refresh tokens. It panics if id is not a session id or generation is
// not positive: both come from our own row.
func SealRefreshToken(h *secret.Hasher, id ID, generation int64) secret.Text {
	raw, ok := secret.DecodeID(strings.TrimPrefix(string(id), idPrefix))
	if !ok || !strings.HasPrefix(string(id), idPrefix) || generation < 1 {
		panic("session: no refresh token for " + string(id))
	}
	key := h.KeyID()
	token := make([]byte, 0, refreshSize)
	token = append(token, key[:]...)
	token = append(token, raw[:]...)
	token = binary.BigEndian.AppendUint64(token, uint64(generation))
	token = append(token, h.Sum(token)...)
	return secret.Text(refreshPrefix + base64.RawURLEncoding.EncodeToString(token))
}

// OpenRefreshToken reads what SealRefreshToken made under any key of the ring. ok says
// only that the token is ours: the session may not exist any more.
func OpenRefreshToken(h *secret.Hasher, token string) (id ID, generation int64, ok bool) {
	raw, ok := open(token, refreshPrefix, refreshSize)
	if !ok {
		return "", 0, false
	}
	body, tag := raw[:refreshSize-32], raw[refreshSize-32:]
	sum, ok := h.SumBy([secret.KeyIDSize]byte(body), body)
	if !ok || !hmac.Equal(sum, tag) {
		return "", 0, false
	}
	generation = int64(binary.BigEndian.Uint64(body[secret.KeyIDSize+16:]))
	if generation < 1 {
		return "", 0, false
	}
	return ID(idPrefix + secret.EncodeID([16]byte(body[secret.KeyIDSize:]))), generation, true
}

// NewDeviceSecret makes the secret of a device. h is the ring's hasher for device
// secrets.
func NewDeviceSecret(h *secret.Hasher) secret.Text { return deviceSecret.issue(h) }

// OpenDeviceSecret reports whether s was made by NewDeviceSecret under any key of the
// ring. A stranger's secret is as none: nobody chooses their own, and nobody else's.
func OpenDeviceSecret(h *secret.Hasher, s string) bool { return deviceSecret.issued(h, s) }

// CurrentDeviceSecret reports whether s was made by NewDeviceSecret under the current key.
// A sign-in replaces any other, so that no new session depends on a key that will leave.
func CurrentDeviceSecret(h *secret.Hasher, s string) bool { return deviceSecret.current(h, s) }

// NewAttemptSecret makes the value of an attempt cookie, which binds the attempts of one
// browser to it. h is the ring's hasher for attempt secrets.
func NewAttemptSecret(h *secret.Hasher) secret.Text { return attemptSecret.issue(h) }

// OpenAttemptSecret reports whether s was made by NewAttemptSecret under any key of the
// ring. An operation replaces every other value, so that a client cannot choose one that
// somebody else knows.
func OpenAttemptSecret(h *secret.Hasher, s string) bool { return attemptSecret.issued(h, s) }

// open decodes prefix and exactly size bytes, in the one spelling that encoding gives.
func open(s, prefix string, size int) (raw []byte, ok bool) {
	if len(s) != len(prefix)+base64.RawURLEncoding.EncodedLen(size) || s[:len(prefix)] != prefix {
		return nil, false
	}
	// The decoder skips line breaks, which leaves fewer bytes than size. Both sizes are
	// whole groups of three bytes, so no spelling has spare bits.
	raw, err := base64.RawURLEncoding.DecodeString(s[len(prefix):])
	return raw, err == nil && len(raw) == size
}
