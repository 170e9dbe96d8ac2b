package limenauth_test

import (
	"bytes"
	"crypto/elliptic"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

const jwksCall = "GET /.well-known/jwks.json"

func TestNothingIsFetchedBeforeTheFirstToken(t *testing.T) {
	l := newLimen(t)
	a := l.auth()
	a.Require(whoami)
	for _, token := range []string{"", "x", "a.b.c", l.key.raw(`{"alg":"HS256","typ":"at+jwt","kid":"k1"}`, `{}`)} {
		a.Verify(t.Context(), token)
	}
	if n := l.asked(jwksCall); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

func TestOneFetchForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		open := make(chan struct{})
		l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) {
			<-open
			io.WriteString(w, l.jwks)
		})
		a := l.auth()
		var good atomic.Int64
		for range 50 {
			go func() {
				if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); err == nil {
					good.Add(1)
				}
			}()
		}
		synctest.Wait()
		close(open)
		synctest.Wait()
		if good.Load() != 50 || l.asked(jwksCall) != 1 {
			t.Errorf("%d verified with %d fetches", good.Load(), l.asked(jwksCall))
		}
	})
}

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		a := l.auth()
		old, next := l.key, newES256("k2")
		oldToken := old.token(mina(time.Now()).with("exp", time.Now().Add(time.Hour).Unix()))
		verify := func(token, want string) {
			t.Helper()
			_, err := a.Verify(t.Context(), token)
			if code := codeOf(t, err); code != want {
				t.Errorf("code %q (%v), want %q", code, err, want)
			}
		}
		verify(oldToken, "")

		// A new key is found by its unknown name, without waiting for the cache to age.
		time.Sleep(11 * time.Second)
		l.publish(old, next)
		verify(next.token(mina(time.Now())), "")
		verify(oldToken, "")
		if n := l.asked(jwksCall); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}

		// A key that left is not accepted from memory once the set was read again.
		l.publish(next)
		time.Sleep(10*time.Minute + time.Second)
		verify(next.token(mina(time.Now())), "") // wakes the background refresh
		synctest.Wait()
		verify(oldToken, limenauth.CodeUnauthenticated)

		// Another key under a name that stays is another key.
		time.Sleep(11 * time.Minute)
		nextToken := next.token(mina(time.Now()).with("exp", time.Now().Add(time.Hour).Unix()))
		verify(nextToken, "")
		synctest.Wait()
		replaced := newES256("k2")
		l.publish(replaced)
		time.Sleep(11 * time.Minute)
		verify(nextToken, "") // wakes the background refresh
		synctest.Wait()
		verify(nextToken, limenauth.CodeUnauthenticated)
		verify(replaced.token(mina(time.Now())), "")
		next = replaced

		// The name alone does not bring a key back: another key under it is another key.
		time.Sleep(11 * time.Minute)
		l.publish(next, newES256("k1"))
		verify(next.token(mina(time.Now())), "")
		synctest.Wait()
		verify(oldToken, limenauth.CodeUnauthenticated)
	})
}

func TestUnknownNamesCostOneFetchInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		a := l.auth()
		a.Verify(t.Context(), l.key.token(mina(time.Now())))
		time.Sleep(10 * time.Second)
		before := l.asked(jwksCall)
		for i := range 300 { // half a minute of them
			forged := newEdDSA("k" + strings.Repeat("x", i%50+1))
			if _, err := a.Verify(t.Context(), forged.token(mina(time.Now()))); codeOf(t, err) != limenauth.CodeUnauthenticated {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := l.asked(jwksCall) - before; n != 3 {
			t.Errorf("%d fetches in 30 s, want 3", n)
		}
	})
}

// TestTheSameUnknownNameCostsOneFetchAMinute, whatever else is fetched meanwhile, and is
// found as soon as a fetch brings it.
func TestTheSameUnknownNameCostsOneFetchAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		a := l.auth()
		a.Verify(t.Context(), l.key.token(mina(time.Now())))
		time.Sleep(10 * time.Second)
		before := l.asked(jwksCall)
		forged := newEdDSA("k2")
		ask := func(k *issuer, want string) {
			t.Helper()
			if _, err := a.Verify(t.Context(), k.token(mina(time.Now()))); codeOf(t, err) != want {
				t.Fatal(err)
			}
		}
		for range 1200 { // two minutes of it
			ask(forged, limenauth.CodeUnauthenticated)
			time.Sleep(100 * time.Millisecond)
		}
		if n := l.asked(jwksCall) - before; n != 2 {
			t.Errorf("%d fetches in two minutes, want 2", n)
		}
		time.Sleep(time.Minute)
		ask(forged, limenauth.CodeUnauthenticated)
		l.publish(l.key, forged) // it is a key after all
		time.Sleep(10 * time.Second)
		ask(forged, limenauth.CodeUnauthenticated)
		ask(newEdDSA("k3"), limenauth.CodeUnauthenticated) // this one may fetch
		ask(forged, "")
	})
}

// TestUnknownNamesAreBounded: a flood of names costs one fetch in ten seconds and no more
// memory than a thousand of them.
func TestUnknownNamesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		a := l.auth()
		a.Verify(t.Context(), l.key.token(mina(time.Now())))
		began, before := time.Now(), l.asked(jwksCall)
		forged := newEdDSA("x")
		for range 30 {
			time.Sleep(10 * time.Second)
			var all sync.WaitGroup
			for n := range 200 {
				forged := &issuer{fmt.Sprintf("k%d-%d", time.Since(began), n), forged.alg, forged.private}
				all.Go(func() { a.Verify(t.Context(), forged.token(mina(time.Now()))) })
			}
			all.Wait()
		}
		if n := l.asked(jwksCall) - before; n > 30 {
			t.Errorf("%d fetches in five minutes", n)
		}
	})
}

// TestOneFetchInTenSeconds holds before there is any key, while the server is away, when
// the set has aged and for unknown names, all together.
func TestOneFetchInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		var calls []time.Time
		l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) {
			calls = append(calls, time.Now())
			if len(calls)%3 == 1 {
				http.Error(w, "oops", 500)
				return
			}
			w.Header().Set("Cache-Control", "max-age=0")
			io.WriteString(w, l.jwks)
		})
		a := l.auth()
		go a.Start(t.Context())
		for n := range 600 { // two minutes
			a.Verify(t.Context(), l.key.token(mina(time.Now())))
			a.Verify(t.Context(), newEdDSA(fmt.Sprint("k", n)).token(mina(time.Now())))
			time.Sleep(200 * time.Millisecond)
		}
		for n := 1; n < len(calls); n++ {
			if gap := calls[n].Sub(calls[n-1]); gap < 10*time.Second {
				t.Errorf("fetch %d came %v after the one before", n, gap)
			}
		}
		if len(calls) < 10 || len(calls) > 13 {
			t.Errorf("%d fetches in two minutes", len(calls))
		}
	})
}

func TestStaleOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		a := l.auth()
		fresh := func() string { return l.key.token(mina(time.Now())) }
		code := func(token string) string {
			_, err := a.Verify(t.Context(), token)
			return codeOf(t, err)
		}
		if c := code(fresh()); c != "" {
			t.Fatal(c)
		}
		l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "oops", 500) })
		for range 24 {
			time.Sleep(time.Hour)
			if c := code(fresh()); c != "" {
				t.Fatalf("stale keys were not used: %s", c)
			}
			synctest.Wait()
		}
		if a.Status().KeysErr == nil || a.Status().Keys != 1 {
			t.Errorf("status = %+v", a.Status())
		}
		// An unknown name cannot be judged while the server is away: not now, not no.
		if c := code(newES256("k2").token(mina(time.Now()))); c != limenauth.CodeUnavailable {
			t.Errorf("unknown key while the server is away: %q", c)
		}
		// A day later the old keys are too old to stand for the server's word.
		time.Sleep(time.Hour)
		if c := code(fresh()); c != limenauth.CodeUnavailable {
			t.Errorf("keys of yesterday: %q", c)
		}
		l.publish(l.key)
		l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, l.jwks) })
		time.Sleep(11 * time.Second)
		if c := code(fresh()); c != "" {
			t.Errorf("after the server came back: %q", c)
		}
	})
}

func TestAKnownKeyNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		a := l.auth()
		if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); err != nil {
			t.Fatal(err)
		}
		l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		time.Sleep(20 * time.Minute)
		for range 20 {
			before := time.Now()
			if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(before); waited != 0 {
				t.Fatalf("waited %v", waited)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestNoKeysIsNotNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		l.down.Store(true)
		a := l.auth()
		token := l.key.token(mina(time.Now()))
		for range 5 {
			if _, err := a.Verify(t.Context(), token); codeOf(t, err) != limenauth.CodeUnavailable {
				t.Errorf("without keys: %v", err)
			}
		}
		l.down.Store(false)
		time.Sleep(10 * time.Second)
		if _, err := a.Verify(t.Context(), token); err != nil {
			t.Errorf("ten seconds later: %v", err)
		}
	})
}

func TestCacheControl(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                        10 * time.Minute,
		"public, max-age=120":     2 * time.Minute,
		"MAX-AGE=120":             2 * time.Minute,
		"max-age=0":               10 * time.Second,
		"no-store":                10 * time.Second,
		"max-age=999999999":       24 * time.Hour,
		"max-age=soon":            10 * time.Minute,
		"max-age=-5":              10 * time.Second,
		"private, max-age=\"60\"": time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimen(t)
			l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", header)
				io.WriteString(w, l.jwks)
			})
			a := l.auth()
			token := l.key.token(mina(time.Now()).with("exp", time.Now().Add(48*time.Hour).Unix()))
			ask := func() int {
				if _, err := a.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				return l.asked(jwksCall)
			}
			ask()
			time.Sleep(want - time.Millisecond)
			if n := ask(); n != 1 {
				t.Errorf("%q: asked again before %v", header, want)
			}
			time.Sleep(time.Millisecond)
			if n := ask(); n != 2 {
				t.Errorf("%q: not asked again after %v", header, want)
			}
		})
	}
}

// TestUnsoundKeySets: what is not to be trusted is not used, and what was good before
// stays.
func TestUnsoundKeySets(t *testing.T) {
	good := newES256("k1")
	jwk := func(change func(map[string]any)) string {
		j := good.jwk()
		change(j)
		return encode(map[string]any{"keys": []any{j}})
	}
	with := func(name string, v any) string { return jwk(func(j map[string]any) { j[name] = v }) }
	rsaWith := func(name string, v any) string {
		j := newRS256("k1", 2048).jwk()
		j[name] = v
		return encode(map[string]any{"keys": []any{j}})
	}
	x := good.jwk()["x"].(string)
	small := newRS256("k1", 1024).jwk()
	p := elliptic.P256().Params().P.Bytes()
	for name, document := range map[string]string{
		"empty":                "",
		"HTML":                 "<html>",
		"not an object":        "[]",
		"no keys member":       "{}",
		"no keys":              `{"keys":[]}`,
		"keys not an array":    `{"keys":{}}`,
		"keys twice":           `{"keys":[],"keys":` + strings.TrimPrefix(with("kid", "k1"), `{"keys":`),
		"a key not an object":  `{"keys":["k1"]}`,
		"member twice":         strings.Replace(with("kid", "k1"), `"use":"sig"`, `"use":"sig","use":"sig"`, 1),
		"private EC":           with("d", x),
		"symmetric":            `{"keys":[{"kty":"oct","kid":"k1","k":"c2VjcmV0"}]}`,
		"private RSA":          rsaWith("d", x),
		"private RSA prime":    rsaWith("p", x),
		"off the curve":        with("x", b64(make([]byte, 32))),
		"coordinate too large": with("x", b64(p)),
		"coordinate short":     with("y", x[:20]),
		"coordinate long":      with("y", b64(make([]byte, 33))),
		"coordinate padded":    with("x", x+"="),
		"coordinate not text":  with("x", 5),
		"another curve":        with("crv", "P-384"),
		"another use":          with("use", "enc"),
		"another alg":          with("alg", "ES384"),
		"symmetric alg":        with("alg", "HS256"),
		"kid missing":          jwk(func(j map[string]any) { delete(j, "kid") }),
		"kid not text":         with("kid", 1),
		"use not text":         with("use", 1),
		"alg not text":         with("alg", nil),
		"kid twice":            encode(map[string]any{"keys": []any{good.jwk(), newES256("k1").jwk()}}),
		"RSA 1024":             encode(map[string]any{"keys": []any{small}}),
		"RSA 2047":             rsaWith("n", b64(append([]byte{0x7f}, bytes.Repeat([]byte{0xff}, 255)...))),
		"RSA small factor":     rsaWith("n", b64(new(big.Int).Mul(big.NewInt(691), sound(2048)).Bytes())),
		"RSA broken generator": rsaWith("n", b64(broken(2048).Bytes())),
		"RSA broken, 4096":     rsaWith("n", b64(broken(4096).Bytes())),
		"key_ops not a list":   with("key_ops", "verify"),
		"key_ops mixed":        with("key_ops", []any{"verify", 1}),
		"key_ops sign":         with("key_ops", []string{"sign"}),
		"key_ops encrypt":      with("key_ops", []string{"encrypt", "wrapKey"}),
		"key_ops empty":        with("key_ops", []string{}),
		"use and key_ops":      jwk(func(j map[string]any) { j["use"], j["key_ops"] = "enc", []string{"verify"} }),
		"half a pair":          strings.Replace(with("kid", "k1"), `"use"`, `"x-y":"\ud800","use"`, 1),
		"RSA 16384":            rsaWith("n", b64(append([]byte{0x80}, append(make([]byte, 2046), 1)...))),
		"RSA even modulus":     rsaWith("n", b64(append([]byte{0x80}, make([]byte, 255)...))),
		"RSA exponent 3":       rsaWith("e", "Aw"),
		"RSA exponent 1":       rsaWith("e", "AQ"),
		"RSA exponent even":    rsaWith("e", "AQAA"),
		"RSA exponent huge":    rsaWith("e", "AQAAAAAAAAAB"),
		"RSA exponent missing": rsaWith("e", ""),
		"Ed25519 short":        `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"AAAA"}]}`,
		"X25519":               `{"keys":[{"kty":"OKP","crv":"X25519","kid":"k1","x":"` + x + `"}]}`,
		"more than 256 KB":     strings.TrimSuffix(with("kid", "k1"), "}") + `,"x":"` + strings.Repeat("x", 256<<10) + `"}`,
		"spaces beyond 256 KB": with("kid", "k1") + strings.Repeat(" ", 256<<10),
		"more than 32 keys":    encode(map[string]any{"keys": make([]struct{}, 33)}),
		"trailing data":        with("kid", "k1") + "{}",
		"very deep":            `{"keys":[],"x":` + strings.Repeat("[", 1<<16) + strings.Repeat("]", 1<<16) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimen(t)
				l.key = good
				l.serveKeys(document)
				token := good.token(mina(time.Now()).with("exp", time.Now().Add(2*time.Hour).Unix()))
				if _, err := l.auth().Verify(t.Context(), token); codeOf(t, err) != limenauth.CodeUnavailable {
					t.Errorf("as the first answer: %v", err)
				}
				l.publish(good)
				a := l.auth()
				if _, err := a.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
				l.serveKeys(document)
				for range 2 {
					time.Sleep(11 * time.Minute)
					if _, err := a.Verify(t.Context(), token); err != nil {
						t.Errorf("as a later answer: %v", err)
					}
					synctest.Wait()
				}
			})
		})
	}
}

// sound is an odd number of bits without small factors.
func sound(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	for n.Add(n, big.NewInt(1)); ; n.Add(n, big.NewInt(2)) {
		if new(big.Int).GCD(nil, nil, n, primorial()).Cmp(big.NewInt(1)) == 0 {
			return n
		}
	}
}

// broken is what the generator of CVE-2017-15361 makes: a power of 65537 modulo the
// product of the first primes.
func broken(bits int) *big.Int {
	m := primorial()
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(123456789), m)
	k := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	k.Sub(k, big.NewInt(1)).Div(k, m)
	for ; ; k.Sub(k, big.NewInt(1)) {
		candidate := new(big.Int).Mul(k, m)
		if candidate.Add(candidate, n); candidate.Bit(0) == 1 && candidate.BitLen() == bits {
			return candidate
		}
	}
}

func primorial() *big.Int {
	m := big.NewInt(2)
	for p := int64(3); p <= 701; p += 2 {
		if big.NewInt(p).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(p))
		}
	}
	return m
}

// TestKeysForVerifying: a key that says what it is for is used when it says so.
func TestKeysForVerifying(t *testing.T) {
	for _, ops := range [][]string{{"verify"}, {"sign", "verify"}, {"verify", "verify"}} {
		l := newLimen(t)
		j := l.key.jwk()
		j["key_ops"] = ops
		l.serveKeys(encode(map[string]any{"keys": []any{j}}))
		if _, err := l.auth().Verify(t.Context(), l.key.token(mina(time.Now()))); err != nil {
			t.Errorf("%v: %v", ops, err)
		}
	}
}

// TestSoundModuli: no key of a sound generator is called weak.
func TestSoundModuli(t *testing.T) {
	l := newLimen(t)
	for range 5 {
		key := newRS256("rs", 2048)
		l.publish(key)
		if _, err := l.auth().Verify(t.Context(), key.token(mina(time.Now()))); err != nil {
			t.Error(err)
		}
	}
	n := sound(2048)
	j := newRS256("rs", 2048).jwk()
	j["n"] = b64(n.Bytes())
	l.serveKeys(encode(map[string]any{"keys": []any{j, l.key.jwk()}}))
	if _, err := l.auth().Verify(t.Context(), l.key.token(mina(time.Now()))); err != nil {
		t.Errorf("an odd number without small factors: %v", err)
	}
}

// TestOnlyAGoodAnswerCounts: an error page is not a key set, whatever it holds.
func TestOnlyAGoodAnswerCounts(t *testing.T) {
	for _, status := range []int{201, 206, 400, 401, 404, 429, 500, 503} {
		l := newLimen(t)
		l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, l.jwks)
		})
		if _, err := l.auth().Verify(t.Context(), l.key.token(mina(time.Now()))); codeOf(t, err) != limenauth.CodeUnavailable {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestForeignKeysBesideOursArePassedOver(t *testing.T) {
	l := newLimen(t)
	l.serveKeys(encode(map[string]any{"keys": []any{
		map[string]any{"kty": "EC", "crv": "P-521", "kid": "big", "x": "AA", "y": "AA"},
		map[string]any{"kty": "new", "kid": "k0", "x": 1.5e3, "key_ops": []string{"verify"}},
		l.key.jwk(),
	}, "extra": nil}))
	if _, err := l.auth().Verify(t.Context(), l.key.token(mina(time.Now()))); err != nil {
		t.Errorf("foreign keys spoiled the set: %v", err)
	}
}

// TestRedirectsAreNotFollowed: a server key or a token must not travel to a host that
// nobody configured.
func TestRedirectsAreNotFollowed(t *testing.T) {
	l := newLimen(t)
	var elsewhere atomic.Bool
	l.on("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Store(true)
		io.WriteString(w, l.jwks)
	})
	l.on(jwksCall, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := l.auth().Verify(t.Context(), l.key.token(mina(time.Now())))
	if codeOf(t, err) != limenauth.CodeUnavailable || elsewhere.Load() {
		t.Errorf("%v, elsewhere %v", err, elsewhere.Load())
	}
}

func TestRotationUnderLoad(t *testing.T) {
	l := newLimen(t)
	l.key = newEdDSA("e0")
	next := newEdDSA("e1")
	l.publish(l.key, next) // the next key is published ahead
	now := time.Now()
	var offset atomic.Int64
	a := l.auth(limenauth.WithClock(func() time.Time { return now.Add(time.Duration(offset.Load())) }))
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			key := l.key
			if worker%2 == 1 {
				key = next
			}
			token := key.token(mina(now))
			for range 500 {
				if _, err := a.Verify(t.Context(), token); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 20 {
		offset.Store(int64(i) * int64(11*time.Second))
		l.publish(l.key, next, newEdDSA("later"))
		a.Verify(t.Context(), newEdDSA("unknown").token(mina(now)))
	}
	wg.Wait()
}
