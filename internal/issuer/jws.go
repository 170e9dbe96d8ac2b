package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// signer makes the compact serialisations of one key (RFC 7515 section 7.1). Its header
// never changes, so it is written once; what remains is the signature. A library that
// could sign anything costs half as much again, on every sign-in and every refresh. To
// verify what strangers send stays the library's business.
type signer struct {
	header string // base64url of the protected header, with the dot after it
	sign   func(message []byte) ([]byte, error)
}

// newSigner refuses a key that is of another kind than its algorithm.
func newSigner(alg Algorithm, kid string, private any) (s signer, err error) {
	header, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid"`
		Type      string    `json:"typ"`
	}{alg, kid, tokenType})
	if err != nil {
		return s, err
	}
	s.header = base64.RawURLEncoding.EncodeToString(header) + "."
	switch key := private.(type) {
	case *ecdsa.PrivateKey:
		if alg == ES256 && key.Curve == elliptic.P256() {
			s.sign = func(message []byte) ([]byte, error) { return signES256(key, message) }
		}
	case ed25519.PrivateKey:
		if alg == EdDSA {
			s.sign = func(message []byte) ([]byte, error) { return ed25519.Sign(key, message), nil }
		}
	case *rsa.PrivateKey:
		if alg == RS256 {
			s.sign = func(message []byte) ([]byte, error) {
				digest := sha256.Sum256(message)
				return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
			}
		}
	}
	if s.sign == nil {
		return s, errForeignKey
	}
	return s, nil
}

// signES256 writes the two numbers of the signature side by side, each in 32 bytes (RFC
// 7518 section 3.4).
func signES256(key *ecdsa.PrivateKey, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	x, y, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 64)
	x.FillBytes(signature[:32])
	y.FillBytes(signature[32:])
	return signature, nil
}

// token signs a payload.
func (s signer) token(payload []byte) (string, error) {
	b64 := base64.RawURLEncoding
	message := make([]byte, 0, len(s.header)+b64.EncodedLen(len(payload))+1+b64.EncodedLen(rsaBits/8))
	message = append(message, s.header...)
	message = b64.AppendEncode(message, payload)
	signature, err := s.sign(message)
	if err != nil {
		return "", err
	}
	return string(b64.AppendEncode(append(message, '.'), signature)), nil
}
