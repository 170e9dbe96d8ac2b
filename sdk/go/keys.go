package limenauth

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
)

// The signature algorithms this package knows. There is no symmetric one and no
// "none", so a public key can never be taken for a secret (RFC 8725, sections 3.1
// and 3.2).
const (
	ES256 = "ES256"
	EdDSA = "EdDSA"
	RS256 = "RS256"
)

const (
	maxKeys   = 32
	maxKIDLen = 256
)

var (
	errPrivateKey = errors.New("the key set holds a private or symmetric key")
	errKeyTwice   = errors.New("the key set names one kid twice")
	errNoKeys     = errors.New("the key set holds no key this package can use")
	errKeySet     = errors.New("the key set is not a JSON Web Key Set")
	errSignature  = errors.New("the signature does not fit")
	errBase64     = errors.New("not canonical base64url")
)

// A key is one public key and the one algorithm it may be used with.
type key struct {
	kid    string
	alg    string
	public interface{ Equal(crypto.PublicKey) bool }

	// retired is set when the key leaves the key set: a token that was verified with
	// it is not accepted from memory any more.
	retired atomic.Bool
}

func (k *key) same(other *key) bool {
	return k.alg == other.alg && k.public.Equal(other.public)
}

// verify checks a signature as RFC 7518 and RFC 8037 shape it.
func (k *key) verify(signed string, signature []byte) error {
	ok := false
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		digest := sha256.Sum256([]byte(signed))
		var room [72]byte
		der, good := appendDER(room[:0], signature)
		ok = good && ecdsa.VerifyASN1(public, digest[:], der)
	case ed25519.PublicKey:
		ok = len(signature) == ed25519.SignatureSize && ed25519.Verify(public, []byte(signed), signature)
	case *rsa.PublicKey:
		digest := sha256.Sum256([]byte(signed))
		ok = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	}
	if !ok {
		return errSignature
	}
	return nil
}

// appendDER turns the 64 bytes of an ES256 signature (RFC 7518, section 3.4) into
// the ASN.1 form that crypto/ecdsa reads.
func appendDER(der, signature []byte) ([]byte, bool) {
	if len(signature) != 64 {
		return nil, false
	}
	der = append(der, 0x30, 0)
	for _, n := range [2][]byte{signature[:32], signature[32:]} {
		for len(n) > 0 && n[0] == 0 {
			n = n[1:]
		}
		if len(n) == 0 {
			return nil, false // zero is outside the range of r and s
		}
		pad := n[0] >> 7 // DER integers are signed
		der = append(der, 0x02, byte(len(n))+pad)
		if pad == 1 {
			der = append(der, 0)
		}
		der = append(der, n...)
	}
	der[1] = byte(len(der) - 2)
	return der, true
}

// parseKeys reads a JSON Web Key Set (RFC 7517). A key of a type or use that is not
// ours is passed over; a key that claims to be ours and is not sound, a private part
// or a kid that appears twice condemns the whole document, because its author is
// either confused or not ours.
func parseKeys(document string) (map[string]*key, error) {
	members, err := scanObject(document, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeySet, err)
	}
	var list []value
	for _, m := range members {
		if m.name != "keys" {
			continue
		}
		list, err = scanArray(m.value.text, maxKeys)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errKeySet, err)
		}
	}
	keys := make(map[string]*key, len(list))
	for _, v := range list {
		k, err := parseKey(v)
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		if keys[k.kid] != nil {
			return nil, errKeyTwice
		}
		keys[k.kid] = k
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

// jwk holds the members of a key that matter, still as text.
type jwk struct {
	kty, kid, use, alg, crv string
	x, y, n, e              string
	ops                     []string // nil when the key does not say what it is for

	odd error // a member of a wrong type; it counts once the key is known to be for us
}

// parseKey returns nil for a key that is sound but not for us.
func parseKey(v value) (*key, error) {
	members, err := scanObject(v.text, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeySet, err)
	}
	var j jwk
	fields := map[string]*string{
		"kty": &j.kty, "kid": &j.kid, "use": &j.use, "alg": &j.alg, "crv": &j.crv,
		"x": &j.x, "y": &j.y, "n": &j.n, "e": &j.e,
	}
	for _, m := range members {
		switch m.name {
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			return nil, errPrivateKey
		case "key_ops":
			ops, ok := m.value.texts()
			if !ok {
				j.odd = errors.New("key_ops is not a list of strings")
			}
			j.ops = append([]string{}, ops...)
			continue
		}
		field := fields[m.name]
		if field == nil {
			continue
		}
		text, ok := m.value.str()
		if !ok {
			j.odd = fmt.Errorf("%s is not a string", m.name)
		}
		*field = text
	}
	return j.key()
}

func (j jwk) key() (*key, error) {
	k := &key{kid: j.kid}
	var err error
	switch {
	case j.use != "" && j.use != "sig", j.kid == "", len(j.kid) > maxKIDLen:
		return nil, nil
	case j.odd == nil && j.ops != nil && !slices.Contains(j.ops, "verify"): // RFC 7517, section 4.3
		return nil, nil
	case j.kty == "EC" && j.crv == "P-256":
		k.alg = ES256
		k.public, err = j.p256()
	case j.kty == "OKP" && j.crv == "Ed25519":
		k.alg = EdDSA
		k.public, err = j.ed25519()
	case j.kty == "RSA":
		k.alg = RS256
		k.public, err = j.rsa()
	default:
		return nil, nil
	}
	// The key's own alg decides; a P-256 key that calls itself something else is not ours.
	if j.alg != "" && j.alg != k.alg {
		return nil, nil
	}
	if err = cmp.Or(j.odd, err); err != nil {
		return nil, fmt.Errorf("key %q: %w", j.kid, err)
	}
	return k, nil
}

// p256 demands a point on the curve (RFC 8725, section 3.4).
func (j jwk) p256() (*ecdsa.PublicKey, error) {
	x, err := decode64(j.x)
	if err != nil {
		return nil, err
	}
	y, err := decode64(j.y)
	if err != nil {
		return nil, err
	}
	if len(x) != 32 || len(y) != 32 {
		return nil, errors.New("a P-256 coordinate is 32 bytes")
	}
	point := append([]byte{4}, x...)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(point, y...))
}

func (j jwk) ed25519() (ed25519.PublicKey, error) {
	x, err := decode64(j.x)
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, errors.New("an Ed25519 key is 32 bytes")
	}
	return ed25519.PublicKey(x), nil
}

// rsa bounds the modulus on both sides: below 2,048 bits it is weak, above 8,192 it
// is a way to burn our CPU. A modulus of a generator that is known to be broken is weak
// at any size.
func (j jwk) rsa() (*rsa.PublicKey, error) {
	n, err := decode64(j.n)
	if err != nil {
		return nil, err
	}
	e, err := decode64(j.e)
	if err != nil {
		return nil, err
	}
	modulus := new(big.Int).SetBytes(n)
	if bits := modulus.BitLen(); bits < 2048 || bits > 8192 || modulus.Bit(0) == 0 {
		return nil, errors.New("an RSA modulus is odd and has 2,048 to 8,192 bits")
	}
	if weakModulus(modulus) {
		return nil, errWeakModulus
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 || exponent.Int64() < 65537 || exponent.Bit(0) == 0 {
		return nil, errors.New("an RSA exponent is odd and at least 65,537")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

var strict64 = base64.RawURLEncoding.Strict()

// decode64 reads base64url without padding and with zero trailing bits, so that one
// value has one spelling. The standard decoder skips line breaks; here they are an
// error like any other foreign byte.
func decode64(text string) ([]byte, error) {
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, errBase64
	}
	decoded, err := strict64.DecodeString(text)
	if err != nil {
		return nil, errBase64
	}
	return decoded, nil
}
