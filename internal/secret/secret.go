// Package secret makes, keeps apart and hides secrets: random bytes, ids, one-time
// codes, keyed hashes, sealed values and the key ring they all derive from.
//
// Invariants. All randomness of limen comes from here and here from crypto/rand,
// which cannot fail silently (since Go 1.24 it aborts the program). Every key is
// derived from a root key by HKDF-SHA-256 (RFC 5869) under a purpose, so no key
// serves two purposes. A root key never leaves this package. Sealing is AES-256-GCM
// with a random nonce and the row's id as additional data, so a sealed value that is
// moved to another row does not open. Values of type Text print as "[secret]".
//
// Threats. A copied database holds no key: hashes are keyed, values sealed, and the
// ring's check value tells a wrong key from a right one without revealing either.
package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"log/slog"
	"math/big"
	"time"
)

// Text is a secret in the clear. It hides itself from fmt, slog and JSON; Reveal is
// the only way out, so that every place which shows a secret can be found.
type Text string

const hidden = "[secret]"

// String, GoString, LogValue and MarshalJSON keep the secret out of logs and answers.
func (Text) String() string               { return hidden }
func (Text) GoString() string             { return hidden }
func (Text) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// Reveal returns the secret itself.
func (t Text) Reveal() string { return string(t) }

// Equal compares in time that depends on the lengths only.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t), []byte(other)) == 1
}

// Bytes returns n random bytes.
func Bytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Token returns n random bytes in unpadded base64url.
func Token(n int) Text { return Text(base64.RawURLEncoding.EncodeToString(Bytes(n))) }

// Digits returns a code of n decimal digits, uniform over all of them, leading zeros
// included.
func Digits(n int) Text {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	v, err := rand.Int(rand.Reader, limit)
	if err != nil {
		panic("secret: the system has no randomness: " + err.Error())
	}
	digits := v.String()
	for len(digits) < n {
		digits = "0" + digits
	}
	return Text(digits)
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// ID returns prefix, an underscore and a new UUIDv7 (RFC 9562 section 5.7) in
// lower-case Crockford base 32: 26 characters whose order is the order of creation.
func ID(prefix string, now time.Time) string {
	var u [16]byte
	rand.Read(u[:])
	ms := uint64(now.UnixMilli())
	binary.BigEndian.PutUint16(u[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(u[2:], uint32(ms))
	u[6] = 0x70 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return prefix + "_" + EncodeID(u)
}

// EncodeID writes 16 bytes as 26 characters, most significant bits first.
func EncodeID(u [16]byte) string {
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	var out [26]byte
	for i := 25; i >= 0; i-- {
		out[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// DecodeID reads what EncodeID wrote. It accepts exactly the canonical form: 26
// lower-case characters whose value fits 128 bits.
func DecodeID(s string) (u [16]byte, ok bool) {
	if len(s) != 26 || s[0] > '7' {
		return u, false
	}
	var hi, lo uint64
	for i := range len(s) {
		v := crockfordValue(s[i])
		if v < 0 {
			return u, false
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	binary.BigEndian.PutUint64(u[:8], hi)
	binary.BigEndian.PutUint64(u[8:], lo)
	return u, true
}

func crockfordValue(c byte) int {
	for i := range len(crockford) {
		if crockford[i] == c {
			return i
		}
	}
	return -1
}

// HasForm reports whether s is prefix, an underscore and a canonical id: whatever
// else a client sends as an id needs no look-up.
func HasForm(s, prefix string) bool {
	n := len(prefix)
	if len(s) != n+27 || s[:n] != prefix || s[n] != '_' {
		return false
	}
	_, ok := DecodeID(s[n+1:])
	return ok
}
