package session

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/limenauth/limen/internal/secret"
)

// The forms on the wire, both in unpadded base64url:
//
//	lrt_ key id (4) | session id (16) | generation (8, big endian) | MAC (32)
//	lds_ random (32) | MAC (16)
//
// The MAC is keyed by the server, so what we did not make is refused without touching
// the database, and a copy of the database mints nothing. The key's name travels with a
// refresh token, so a ring of several keys costs one MAC. A form is accepted only as we
// write it: every value has one spelling.
const (
	refreshPrefix = "lrt_"
	refreshSize   = secret.KeyIDSize + 16 + 8 + 32
	devicePrefix  = "lds_"
	deviceRandom  = 32
	deviceSize    = deviceRandom + 16
	idPrefix      = "ses_"
)

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
func NewDeviceSecret(h *secret.Hasher) secret.Text {
	random := secret.Bytes(deviceRandom)
	return secret.Text(devicePrefix + base64.RawURLEncoding.EncodeToString(append(random, deviceTag(h.Sum(random))...)))
}

// OpenDeviceSecret reports whether s was made by NewDeviceSecret under any key of the
// ring. A stranger's secret is as none: nobody chooses their own, and nobody else's.
func OpenDeviceSecret(h *secret.Hasher, s string) bool {
	raw, ok := open(s, devicePrefix, deviceSize)
	if !ok {
		return false
	}
	ours := false
	for _, sum := range h.Sums(raw[:deviceRandom]) {
		ours = hmac.Equal(deviceTag(sum), raw[deviceRandom:]) || ours
	}
	return ours
}

// CurrentDeviceSecret reports whether s was made by NewDeviceSecret under the current key.
// A sign-in replaces any other, so that no new session depends on a key that will leave.
func CurrentDeviceSecret(h *secret.Hasher, s string) bool {
	raw, ok := open(s, devicePrefix, deviceSize)
	return ok && hmac.Equal(deviceTag(h.Sum(raw[:deviceRandom])), raw[deviceRandom:])
}

func deviceTag(sum []byte) []byte { return sum[:deviceSize-deviceRandom] }

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
