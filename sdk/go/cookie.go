package limenauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	minCookieKey = 32
	maxCookie    = 4096 // name and value, what browsers keep (ASVS 3.3.5)

	flowLife    = 10 * time.Minute
	maxFlows    = 6
	sessionLife = 30 * 24 * time.Hour // of the cookie, when the server does not say
	cookieMax   = 400 * 24 * time.Hour
)

var (
	errCookie      = errors.New("the cookie was not sealed by this application, or was changed")
	errCookieTwice = errors.New("the cookie was sent twice")
	errCookieSize  = errors.New("the session does not fit into a cookie")
)

// A browser is everything about cookies and addresses that is decided at start.
type browser struct {
	appURL    string // "" = from the Host header
	callback  string
	name      string
	plainHTTP bool
	flows     sealer
	sessions  sealer
	origins   *http.CrossOriginProtection
}

func newBrowser(s *settings) (browser, error) {
	b := browser{
		appURL:    strings.TrimRight(s.appURL, "/"),
		callback:  s.callbackPath,
		name:      s.cookieName,
		plainHTTP: s.plainHTTP,
		origins:   http.NewCrossOriginProtection(),
	}
	var faults []error
	if b.appURL != "" {
		if err := checkURL(b.appURL, s.plainHTTP); err != nil {
			faults = append(faults, fmt.Errorf("WithAppURL: %w", err))
		} else if err := b.origins.AddTrustedOrigin(b.appURL); err != nil {
			faults = append(faults, fmt.Errorf("WithAppURL: %w", err))
		}
	}
	if safePath(b.callback) != b.callback || strings.ContainsAny(b.callback, "?#") {
		faults = append(faults, fmt.Errorf("WithCallbackPath: %q is not a path like /auth/callback", b.callback))
	}
	if (&http.Cookie{Name: b.name, Value: "x"}).Valid() != nil {
		faults = append(faults, fmt.Errorf("WithCookieName: %q cannot be part of a cookie's name", b.name))
	}
	for _, origin := range s.trustedOrigins {
		if err := b.origins.AddTrustedOrigin(origin); err != nil {
			faults = append(faults, fmt.Errorf("WithTrustedOrigins: %w", err))
		}
	}
	for _, key := range s.cookieKeys {
		if len(key) < minCookieKey {
			faults = append(faults, fmt.Errorf("WithCookieKey: a key has %d bytes; it needs %d random ones", len(key), minCookieKey))
			return b, errors.Join(faults...)
		}
	}
	var err error
	if b.flows, err = newSealer(s.cookieKeys, "flow"); err != nil {
		faults = append(faults, err)
	}
	if b.sessions, err = newSealer(s.cookieKeys, "session"); err != nil {
		faults = append(faults, err)
	}
	return b, errors.Join(faults...)
}

// origin is where this application lives as the browser sees it. Forwarded headers are
// not read: anybody can send them (ASVS 4.1.3).
func (b *browser) origin(r *http.Request) string {
	switch {
	case b.appURL != "":
		return b.appURL
	case r.TLS == nil && isLoopback(r.Host):
		return "http://" + r.Host
	}
	return "https://" + r.Host
}

// cookieName adds __Host- wherever the page is served over https: no sibling host and
// no plain page can then plant such a cookie. Plain pages, on loopback, tell their
// port instead, because cookies of one host are shared by all its ports.
func (b *browser) cookieName(r *http.Request, part string) (name string, secure bool) {
	prefix, suffix, secure := b.cookieStem(r)
	return prefix + part + suffix, secure
}

func (b *browser) cookieStem(r *http.Request) (prefix, suffix string, secure bool) {
	u, err := url.Parse(b.origin(r))
	if err != nil || u.Scheme != "http" {
		return "__Host-" + b.name + "_", "", true
	}
	if port := u.Port(); port != "" {
		suffix = "_" + port
	}
	return b.name + "_", suffix, false
}

// read returns the value of the one cookie of this name; "" when there is none. Two
// of them mean that somebody planted one.
func (b *browser) read(r *http.Request, part string) (string, error) {
	name, _ := b.cookieName(r, part)
	found := r.CookiesNamed(name)
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0].Value, nil
	}
	return "", errCookieTwice
}

func (b *browser) write(w http.ResponseWriter, r *http.Request, part, value string, life time.Duration) error {
	name, secure := b.cookieName(r, part)
	if len(name)+len(value) > maxCookie {
		return errCookieSize
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/",
		MaxAge: int(min(life, cookieMax) / time.Second),
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	// Whoever stores this answer would hand one person's cookie to another.
	w.Header().Set("Cache-Control", "no-store")
	return nil
}

func (b *browser) clear(w http.ResponseWriter, r *http.Request, part string) {
	name, secure := b.cookieName(r, part)
	http.SetCookie(w, &http.Cookie{
		Name: name, Path: "/", MaxAge: -1,
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Cache-Control", "no-store")
}

// sameOrigin reports whether a request that carries the session cookie may act. The
// check is that of net/http; a WebSocket opens with a GET and acts all the same, and
// an origin with a user part is nothing a browser sends.
func (b *browser) sameOrigin(r *http.Request) bool {
	if strings.Contains(r.Header.Get("Origin"), "@") {
		return false
	}
	if r.Header.Get("Upgrade") != "" {
		unsafe := *r
		unsafe.Method = http.MethodPost
		r = &unsafe
	}
	return b.origins.Check(r) == nil
}

// A sealer keeps a cookie's content secret and whole: AES-256-GCM under keys derived
// for one purpose, so that a cookie of one kind is garbage as another.
type sealer struct {
	purpose []byte
	aeads   []cipher.AEAD // the first seals, all open
}

func newSealer(keys [][]byte, purpose string) (sealer, error) {
	s := sealer{purpose: []byte("limenauth/1 " + purpose)}
	for _, key := range keys {
		derived, err := hkdf.Key(sha256.New, key, nil, string(s.purpose), 32)
		if err != nil {
			return sealer{}, err
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return sealer{}, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return sealer{}, err
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

func (s sealer) seal(fields ...[]byte) string {
	sealed := s.aeads[0].Seal(nil, nil, pack(fields), s.purpose)
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// open returns exactly n fields.
func (s sealer) open(sealed string, n int) ([][]byte, error) {
	raw, err := decode64(sealed)
	if err != nil {
		return nil, errCookie
	}
	for _, aead := range s.aeads {
		plain, err := aead.Open(nil, nil, raw, s.purpose)
		if err != nil {
			continue
		}
		fields := unpack(plain)
		if len(fields) != n {
			return nil, errCookie
		}
		return fields, nil
	}
	return nil, errCookie
}

// pack writes each field after its length.
func pack(fields [][]byte) []byte {
	var out []byte
	for _, f := range fields {
		out = binary.AppendUvarint(out, uint64(len(f)))
		out = append(out, f...)
	}
	return out
}

// unpack returns nil for anything that pack does not write.
func unpack(packed []byte) [][]byte {
	var fields [][]byte
	for len(packed) > 0 {
		n, used := binary.Uvarint(packed)
		if used <= 0 || n > uint64(len(packed)-used) {
			return nil
		}
		fields = append(fields, packed[used:used+int(n)])
		packed = packed[used+int(n):]
	}
	return fields
}

func packTime(t time.Time) []byte {
	return binary.AppendVarint(nil, t.Unix())
}

func unpackTime(packed []byte) time.Time {
	seconds, _ := binary.Varint(packed)
	return time.Unix(seconds, 0)
}

// safePath returns path when it is a path on this very origin, and "/" otherwise. A
// backslash, a second slash or a control character makes some browser see a host
// where others see a path (A12).
func safePath(path string) string {
	const fallback = "/"
	if len(path) == 0 || len(path) > 1024 || path[0] != '/' || strings.HasPrefix(path, "//") {
		return fallback
	}
	if strings.ContainsRune(path, '\\') || strings.ContainsFunc(path, isControl) {
		return fallback
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return fallback
	}
	return path
}
