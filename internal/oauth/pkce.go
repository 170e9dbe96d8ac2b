package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/limenauth/limen/internal/fault"
)

// The lengths of RFC 7636 sections 4.1 and 4.2.
const (
	MinVerifier     = 43
	MaxVerifier     = 128
	ChallengeLength = 43 // SHA-256 in unpadded base64url
)

// CheckChallenge reports whether s has the form of a challenge made by S256. It refuses
// with invalid_request, field code_challenge: "required" or "invalid".
func CheckChallenge(s string) error {
	if s == "" {
		return fault.Invalidate("code_challenge", "required")
	}
	if len(s) != ChallengeLength {
		return fault.Invalidate("code_challenge", "invalid")
	}
	// Strict: the last character carries two bits that must be zero, and the decoder
	// would skip line breaks, which leaves fewer bytes.
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(s); err != nil || len(raw) != sha256.Size {
		return fault.Invalidate("code_challenge", "invalid")
	}
	return nil
}

// Verify reports, in constant time, whether verifier is what challenge was made of (RFC
// 7636 section 4.6). A challenge or verifier that is not in form fits nothing: an empty
// challenge is not a request without PKCE.
func Verify(challenge, verifier string) bool {
	if !validVerifier(verifier) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(Challenge(verifier)), []byte(challenge)) == 1
}

// Challenge is the S256 challenge of a verifier.
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// validVerifier holds s to the unreserved characters of RFC 3986 section 2.3.
func validVerifier(s string) bool {
	if len(s) < MinVerifier || len(s) > MaxVerifier {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._~", c) < 0 {
			return false
		}
	}
	return true
}

// MaxState is the longest state, in bytes.
const MaxState = 512

// CheckState reports whether s may be carried through a sign-in and given back: at most
// MaxState bytes of printable ASCII (RFC 6749 appendix A.5). The empty state is none. It
// refuses with invalid_request, field state: "too_long" or "invalid".
func CheckState(s string) error {
	if len(s) > MaxState {
		return fault.Invalidate("state", "too_long")
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return fault.Invalidate("state", "invalid")
		}
	}
	return nil
}
