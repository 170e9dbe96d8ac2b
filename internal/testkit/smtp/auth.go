package smtp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// certificate makes a certificate for localhost, or for another host, and the authority
// that vouches for it.
func certificate(wrong bool) (*tls.Config, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if wrong {
		template.DNSNames, template.IPAddresses = []string{"relay.example.net"}, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots, nil
}

// login asks for the user, then for the password.
type login struct {
	enter func(user, password string) error
	asked int
	user  string
}

// Next is part of sasl.Server.
func (l *login) Next(response []byte) ([]byte, bool, error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.enter(l.user, string(response))
}

// cram is RFC 2195.
type cram struct {
	session   *session
	challenge string
}

// Next is part of sasl.Server.
func (c *cram) Next(response []byte) ([]byte, bool, error) {
	if c.challenge == "" {
		c.challenge = "<" + rand.Text() + "@relay.test>"
		return []byte(c.challenge), false, nil
	}
	o := c.session.server.options
	mac := hmac.New(md5.New, []byte(o.Password))
	mac.Write([]byte(c.challenge))
	if string(response) != o.User+" "+hex.EncodeToString(mac.Sum(nil)) {
		return nil, false, smtp.ErrAuthFailed
	}
	c.session.admit("CRAM-MD5")
	return nil, true, nil
}

// scram is RFC 5802 with SHA-256 (RFC 7677), without channel binding.
type scram struct {
	session *session
	first   string // client-first-message-bare
	server  string // server-first-message
	nonce   string
	proven  bool
}

const iterations = 4096

// Next is part of sasl.Server.
func (s *scram) Next(response []byte) ([]byte, bool, error) {
	o := s.session.server.options
	switch {
	case response == nil:
		return nil, false, nil
	case s.proven:
		return nil, true, nil
	case s.first == "":
		bare, ok := strings.CutPrefix(string(response), "n,,")
		user, nonce, cut := strings.Cut(bare, ",r=")
		if !ok || !cut || user != "n="+o.User {
			return nil, false, smtp.ErrAuthFailed
		}
		s.first, s.nonce = bare, nonce+rand.Text()
		s.server = fmt.Sprintf("r=%s,s=%s,i=%d", s.nonce, base64.StdEncoding.EncodeToString([]byte(salt)), iterations)
		return []byte(s.server), false, nil
	}
	without, proof, ok := strings.Cut(string(response), ",p=")
	got, err := base64.StdEncoding.DecodeString(proof)
	if !ok || err != nil || without != "c="+base64.StdEncoding.EncodeToString([]byte("n,,"))+",r="+s.nonce {
		return nil, false, smtp.ErrAuthFailed
	}
	salted, err := pbkdf2.Key(sha256.New, o.Password, []byte(salt), iterations, sha256.Size)
	if err != nil {
		return nil, false, err
	}
	transcript := s.first + "," + s.server + "," + without
	client := sign(salted, "Client Key")
	stored := sha256.Sum256(client)
	want := make([]byte, sha256.Size)
	subtle.XORBytes(want, client, sign(stored[:], transcript))
	if !hmac.Equal(got, want) {
		return nil, false, smtp.ErrAuthFailed
	}
	s.session.admit("SCRAM-SHA-256")
	s.proven = true
	return []byte("v=" + base64.StdEncoding.EncodeToString(sign(sign(salted, "Server Key"), transcript))), false, nil
}

const salt = "a salt of the test"

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
