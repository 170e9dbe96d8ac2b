package issuer_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/db"
)

// theft is a live session and the private key that signed its token.
type theft struct {
	i            *issuer.Issuer
	key          ed25519.PrivateKey
	token        string
	header, body []byte
}

func steal(f *testing.F) theft {
	f.Helper()
	d := db.SQLite(f)
	i := open(f, d, issuer.EdDSA)
	issued, err := i.Issue(grant(f, d))
	if err != nil {
		f.Fatal(err)
	}
	rows, err := d.Store.SigningKeys(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	der, err := d.Ring.Sealer("signing key").Open(rows[0].ID, rows[0].Sealed)
	if err != nil {
		f.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		f.Fatal(err)
	}
	s := theft{i: i, key: private.(ed25519.PrivateKey), token: issued.AccessToken.Reveal()}
	for n, part := range strings.Split(s.token, ".")[:2] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			f.Fatal(err)
		}
		if n == 0 {
			s.header = text
		} else {
			s.body = text
		}
	}
	return s
}

// sign makes a token of any header and any claims.
func (s theft) sign(header, body []byte) secret.Text {
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(body)
	return secret.Text(input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.key, []byte(input))))
}

// FuzzAccessToken presents any text: nothing but the token that was made opens its session.
func FuzzAccessToken(f *testing.F) {
	s := steal(f)
	for _, seed := range []string{s.token, "", ".", "..", "a.b.c", s.token + ".", s.token[:40], s.token + "\n", strings.ToUpper(s.token), "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := s.i.Authenticate(t.Context(), secret.Text(token)); (err == nil) != (token == s.token) {
			t.Errorf("%q: %v", token, err)
		}
	})
}

// FuzzTokenHeader and FuzzTokenClaims sign whatever comes with the key itself, so that the
// readers behind the signature are reached. What they accept, encoding/json reads the same
// way: no two readers see two things in one token.
func FuzzTokenHeader(f *testing.F) {
	s := steal(f)
	for _, seed := range []string{`{}`, `{"crit":[]}`, `[`, `{"alg":"none"}`, `{"a":{"b":1,"b":2}}`} {
		f.Add([]byte(seed))
		f.Add(append(bytes.TrimSuffix(bytes.Clone(s.header), []byte("}")), ","+seed[min(1, len(seed)):]...))
	}
	f.Add(s.header)
	f.Fuzz(func(t *testing.T, header []byte) {
		if _, err := s.i.Authenticate(t.Context(), s.sign(header, s.body)); err != nil {
			return
		}
		var want, h map[string]any
		if err := json.Unmarshal(s.header, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(header, &h); err != nil {
			t.Fatalf("%q was accepted: %v", header, err)
		}
		_, crit := h["crit"]
		_, b64 := h["b64"]
		_, zip := h["zip"]
		if crit || b64 || zip || h["alg"] != want["alg"] || h["kid"] != want["kid"] || h["typ"] != want["typ"] {
			t.Errorf("%q was accepted", header)
		}
	})
}

func FuzzTokenClaims(f *testing.F) {
	s := steal(f)
	f.Add(s.body)
	for _, member := range []string{`"sub":"usr_x"`, `"x":{"a":1,"a":2}`, `"x":"\ud800"`, `"x":"\ud83d\ude00"`, `"nbf":9999999999`, `"SUB":"usr_x"`, `"x":"\\ud800"`} {
		f.Add(append(bytes.TrimSuffix(bytes.Clone(s.body), []byte("}")), ","+member+"}"...))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := s.i.Authenticate(t.Context(), s.sign(s.header, body))
		if err != nil {
			return
		}
		var members map[string]any
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("%q was accepted: %v", body, err)
		}
		now := float64(s.i.Now().Unix())
		iat, _ := members["iat"].(float64)
		nbf, _ := members["nbf"].(float64)
		if members["sub"] != string(got.Account.ID) || members["sid"] != string(got.Session.ID) || members["iss"] != s.i.Terms.Issuer ||
			members["aud"] != s.i.Terms.Audience || iat <= 0 || iat > now+5 || nbf > now+5 {
			t.Errorf("%q was accepted", body)
		}
	})
}
