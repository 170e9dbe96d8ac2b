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
//	lds_ random (32) | MAC (16)
//	     random (16) | MAC (16), the value of an attempt cookie
//
// The MAC is keyed by the server, so what we did not make is refused without touching
// the database, and a copy of the database mints nothing. The key's name travels with a
// refresh token, so a ring of several keys costs one MAC. A form is accepted only as we
// write it: every value has one spelling.
const (
	refreshPrefix = "lrt_"
	refreshSize   = secret.KeyIDSize + 16 + 8 + 32
	idPrefix      = "ses_"
)

// browserSecret is a kind of value that names one browser. The MAC inside is the one rule
// for all of them: limen alone makes such a value, so a client cannot choose its own. Each
// kind has a hasher of its own, so that none passes for another.
type browserSecret struct {
	prefix string
	random int // bytes
}

var (
	deviceSecret  = browserSecret{"lds_", 32}
	attemptSecret = browserSecret{"", 16}
)

const secretTag = 16 // bytes of MAC

func (kind browserSecret) issue(h *secret.Hasher) secret.Text {
	random := secret.Bytes(kind.random)
	return secret.Text(kind.prefix + base64.RawURLEncoding.EncodeToString(append(random, h.Sum(random)[:secretTag]...)))
}

// issued reports whether issue returned s under any key of the ring.
func (kind browserSecret) issued(h *secret.Hasher, s string) bool {
	raw, ok := open(s, kind.prefix, kind.random+secretTag)
	if !ok {
		return false
	}
	ours := false
	for _, sum := range h.Sums(raw[:kind.random]) {
		ours = hmac.Equal(sum[:secretTag], raw[kind.random:]) || ours
	}
	return ours
}

// current reports whether issue returned s under the current key.
func (kind browserSecret) current(h *secret.Hasher, s string) bool {
	raw, ok := open(s, kind.prefix, kind.random+secretTag)
	return ok && hmac.Equal(h.Sum(raw[:kind.random])[:secretTag], raw[kind.random:])
}

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
	// The decoder skips line breaks, which leaves fewer bytes than size, and refuses spare
	// bits that are set.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s[len(prefix):])
	return raw, err == nil && len(raw) == size
}
