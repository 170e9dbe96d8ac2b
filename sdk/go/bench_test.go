package limenauth_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

// The figures beside their bare limit: run them together.
//
//	go test -run '^$' -bench . -cpu 1,2 ./sdk/go/

// A bare check is what nobody can do without: one ecdsa.Verify.
type bareCheck struct {
	public *ecdsa.PublicKey
	digest [32]byte
	r, s   *big.Int
}

func newBareCheck(b *testing.B, key *issuer, token string) bareCheck {
	signed, signature, _ := strings.Cut(token[strings.Index(token, ".")+1:], ".")
	signed = token[:strings.Index(token, ".")+1] + signed
	raw := make([]byte, 64)
	if _, err := base64.RawURLEncoding.Decode(raw, []byte(signature)); err != nil {
		b.Fatal(err)
	}
	return bareCheck{
		public: key.private.Public().(*ecdsa.PublicKey), digest: sha256.Sum256([]byte(signed)),
		r: new(big.Int).SetBytes(raw[:32]), s: new(big.Int).SetBytes(raw[32:]),
	}
}

func (c bareCheck) run(b *testing.B) {
	if !ecdsa.Verify(c.public, c.digest[:], c.r, c.s) {
		b.Fatal("the signature does not fit")
	}
}

func benchTokens(l *limen, n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = l.key.token(mina(time.Now()))
	}
	return tokens
}

func BenchmarkBareVerify(b *testing.B) {
	l := newLimen(b)
	bare := newBareCheck(b, l.key, l.key.token(mina(time.Now())))
	for b.Loop() {
		bare.run(b)
	}
}

// BenchmarkCold verifies tokens that are never in memory, each followed by a bare
// check, so that both see the same machine; percent-of-bare, of the medians, is the
// result.
func BenchmarkCold(b *testing.B) {
	l := newLimen(b)
	a := l.auth(limenauth.WithSeenTokens(64))
	tokens := benchTokens(l, 2048)
	bare := newBareCheck(b, l.key, tokens[0])
	if _, err := a.Verify(b.Context(), tokens[0]); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var ours, theirs []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if _, err := a.Verify(b.Context(), tokens[i%len(tokens)]); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		bare.run(b)
		ours, theirs = append(ours, middle.Sub(began)), append(theirs, time.Since(middle))
	}
	cold, floor := median(ours), median(theirs)
	b.ReportMetric(cold, "cold-ns/op")
	b.ReportMetric(floor, "bare-ns/op")
	b.ReportMetric(100*floor/cold, "percent-of-bare")
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2])
}

func BenchmarkSeen(b *testing.B) {
	l := newLimen(b)
	a := l.auth()
	token := l.key.token(mina(time.Now()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkSeenParallel walks over a thousand tokens on all cores, with a revocation
// feed that has something to look up.
func BenchmarkSeenParallel(b *testing.B) {
	l := newLimen(b)
	l.on("GET /v1/revocations", func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, 200, claims{"data": []claims{
			{"id": "evt_1", "kind": "session", "session_id": "ses_gone", "at": time.Now(), "until": time.Now().Add(time.Hour)},
			{"id": "evt_2", "kind": "user", "user_id": "usr_gone", "at": time.Now(), "until": time.Now().Add(time.Hour)},
		}, "next": "c1"})
	})
	a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
	if err := a.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	tokens := benchTokens(l, 1000)
	for _, token := range tokens {
		if _, err := a.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	ctx := b.Context()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := a.Verify(ctx, tokens[i%len(tokens)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkRequireSeen is the whole middleware.
func BenchmarkRequireSeen(b *testing.B) {
	l := newLimen(b)
	h := l.auth().Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+l.key.token(mina(time.Now())))
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
	if w.Code != 200 {
		b.Fatal(w.Body)
	}
}
