package limenauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

// The tests stand on the application's side. This file is the other side: a server
// that signs with real keys and answers as the API says, reached without a socket so
// that time can be fake.

const (
	authURL   = "https://auth.example.com"
	appURL    = "https://app.example.com"
	serverKey = "lsk_1_secret"
)

type issuer struct {
	kid, alg string
	private  crypto.Signer
}

func newES256(kid string) *issuer {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &issuer{kid, "ES256", private}
}

func newEdDSA(kid string) *issuer {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return &issuer{kid, "EdDSA", private}
}

func newRS256(kid string, bits int) *issuer {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return &issuer{kid, "RS256", private}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (k *issuer) sign(signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			panic(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(signed))
	case *rsa.PrivateKey:
		signature, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest[:])
		if err != nil {
			panic(err)
		}
		return signature
	}
	panic("no such key")
}

func (k *issuer) jwk() map[string]any {
	j := map[string]any{"kid": k.kid, "alg": k.alg, "use": "sig"}
	switch public := k.private.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err)
		}
		j["kty"], j["crv"], j["x"], j["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
	case ed25519.PublicKey:
		j["kty"], j["crv"], j["x"] = "OKP", "Ed25519", b64(public)
	case *rsa.PublicKey:
		j["kty"], j["n"], j["e"] = "RSA", b64(public.N.Bytes()), b64(big.NewInt(int64(public.E)).Bytes())
	}
	return j
}

// raw signs any two texts as header and payload.
func (k *issuer) raw(header, payload string) string {
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return signed + "." + b64(k.sign(signed))
}

type claims map[string]any

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (k *issuer) header() claims { return claims{"typ": "at+jwt", "alg": k.alg, "kid": k.kid} }

func (k *issuer) token(c claims) string { return k.raw(encode(k.header()), encode(c)) }

// mina's token, good for 15 minutes from now.
func mina(now time.Time) claims {
	return claims{
		"iss": authURL, "aud": authURL, "client_id": "default",
		"sub": "usr_mina", "sid": "ses_1", "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(), "auth_time": now.Unix(),
		"acr": "aal1", "amr": []string{"pwd"},
		"email": "mina@example.com", "email_verified": true, "roles": []string{"user", "admin"},
	}
}

func (c claims) with(name string, v any) claims {
	c[name] = v
	return c
}

func (c claims) without(names ...string) claims {
	for _, name := range names {
		delete(c, name)
	}
	return c
}

// A limen is the foreign server. Its handlers may be replaced path by path.
type limen struct {
	t    testing.TB
	key  *issuer
	mu   sync.Mutex
	jwks string
	with map[string]http.HandlerFunc
	hits map[string]*atomic.Int64
	down atomic.Bool
}

func newLimen(t testing.TB) *limen {
	l := &limen{t: t, key: newES256("k1"), with: map[string]http.HandlerFunc{}, hits: map[string]*atomic.Int64{}}
	l.publish(l.key)
	l.on("GET /.well-known/jwks.json", func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		w.Header().Set("Cache-Control", "public, max-age=600")
		io.WriteString(w, l.jwks)
	})
	return l
}

func (l *limen) publish(keys ...*issuer) {
	list := []any{}
	for _, k := range keys {
		list = append(list, k.jwk())
	}
	l.serveKeys(encode(map[string]any{"keys": list}))
}

func (l *limen) serveKeys(document string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jwks = document
}

func (l *limen) on(pattern string, h http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.with[pattern] = h
	if l.hits[pattern] == nil {
		l.hits[pattern] = new(atomic.Int64)
	}
}

func (l *limen) asked(pattern string) int { return int(l.hits[pattern].Load()) }

func (l *limen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	pattern := r.Method + " " + r.URL.Path
	h, n := l.with[pattern], l.hits[pattern]
	l.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	n.Add(1)
	h(w, r)
}

// RoundTrip answers in this process, and streams.
func (l *limen) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.down.Load() {
		return nil, errors.New("connection refused")
	}
	return roundTrip(l, r)
}

func roundTrip(h http.Handler, r *http.Request) (*http.Response, error) {
	reader, writer := io.Pipe()
	w := &streamWriter{pipe: writer, header: http.Header{}, ready: make(chan struct{}), status: 200}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI = r.URL.Host, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	go func() {
		defer writer.Close()
		h.ServeHTTP(w, in)
		w.WriteHeader(200)
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		reader.Close()
		return nil, r.Context().Err()
	}
	// A cancelled request breaks its body, as on a socket.
	context.AfterFunc(r.Context(), func() { reader.CloseWithError(r.Context().Err()) })
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: reader, ContentLength: -1, Request: r,
	}, nil
}

type streamWriter struct {
	pipe   *io.PipeWriter
	header http.Header
	once   sync.Once
	ready  chan struct{}
	status int
}

func (w *streamWriter) Header() http.Header { return w.header }
func (w *streamWriter) Flush()              {}
func (w *streamWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status = status
		close(w.ready)
	})
}

func (w *streamWriter) Write(b []byte) (int, error) {
	w.WriteHeader(200)
	return w.pipe.Write(b)
}

// auth makes the subject of the test, deaf to the log.
func (l *limen) auth(options ...limenauth.Option) *limenauth.Auth {
	l.t.Helper()
	a := limenauth.New(authURL, append([]limenauth.Option{
		limenauth.WithHTTPClient(&http.Client{Transport: l}),
		limenauth.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)...)
	l.t.Cleanup(func() { a.Close() })
	return a
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, encode(v))
}

func answerProblem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	io.WriteString(w, encode(map[string]any{"code": code, "status": status}))
}

// codeOf is the stable code of an error, "" for none.
func codeOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	p, ok := errors.AsType[*limenauth.Problem](err)
	if !ok {
		t.Fatalf("%v is not a *Problem", err)
	}
	return p.Code
}

// A visitor is a browser: cookies, and both hosts in this process. It stops at every
// redirect, so that a test sees it.
type visitor struct {
	t   testing.TB
	c   *http.Client
	jar *cookiejar.Jar
}

type town map[string]http.Handler

func (hosts town) RoundTrip(r *http.Request) (*http.Response, error) {
	h := hosts[r.URL.Host]
	if h == nil {
		return nil, errors.New("no such host: " + r.URL.Host)
	}
	return roundTrip(h, r)
}

func newVisitor(t testing.TB, app http.Handler, l *limen) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(appURL)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, jar: jar, c: &http.Client{
		Jar: jar, Transport: town{u.Host: app, strings.TrimPrefix(authURL, "https://"): l},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type seenPage struct {
	status int
	header http.Header
	body   string
}

func (p seenPage) location() string { return p.header.Get("Location") }

func (v *visitor) do(r *http.Request) seenPage {
	v.t.Helper()
	resp, err := v.c.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return seenPage{resp.StatusCode, resp.Header, string(body)}
}

// open navigates, as a person does.
func (v *visitor) open(address string) seenPage {
	v.t.Helper()
	return v.do(navigation(v.t, address))
}

func navigation(t testing.TB, address string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "none")
	return r
}

// send is what a page's own script does, unless site says otherwise.
func (v *visitor) send(method, address, site string) seenPage {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", site)
	return v.do(r)
}

// whoami answers with the name of the person.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if u := limenauth.User(r.Context()); u != nil {
		io.WriteString(w, u.ID)
		return
	}
	io.WriteString(w, "nobody")
})
