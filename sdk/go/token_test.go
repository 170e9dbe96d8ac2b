package limenauth_test

import (
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

func TestAGoodTokenNamesItsPerson(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	for _, key := range []*issuer{newES256("es"), newEdDSA("ed"), newRS256("rs", 2048)} {
		t.Run(key.alg, func(t *testing.T) {
			l := newLimen(t)
			l.publish(l.key, key)
			a := l.auth()
			token := key.token(mina(now).with("acr", "aal2"))
			for range 2 { // once by signature, once from memory
				u, err := a.Verify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				if u.ID != "usr_mina" || u.SessionID != "ses_1" || u.ClientID != "default" ||
					u.Email != "mina@example.com" || !u.EmailVerified || u.AAL != 2 ||
					!u.AuthenticatedAt.Equal(now) || !u.IssuedAt.Equal(now) || !u.ExpiresAt.Equal(now.Add(15*time.Minute)) {
					t.Errorf("person = %+v", u)
				}
				if !u.HasRole("admin") || u.HasRole("root") || u.HasRole("") {
					t.Error("roles are not those of the token")
				}
				if !slices.Equal(u.Roles(), []string{"user", "admin"}) || !slices.Equal(u.Methods(), []string{"pwd"}) {
					t.Errorf("roles %v, methods %v", u.Roles(), u.Methods())
				}
			}
			if n := l.asked("GET /.well-known/jwks.json"); n != 1 {
				t.Errorf("keys were fetched %d times", n)
			}
		})
	}
}

func TestAPersonIsACopy(t *testing.T) {
	l := newLimen(t)
	a := l.auth()
	token := l.key.token(mina(time.Now()))
	u, err := a.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	u.ID = "usr_root"
	u.Roles()[0] = "root"
	again, err := a.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID != "usr_mina" || again.HasRole("root") {
		t.Errorf("a change leaked into memory: %+v", again)
	}
}

func TestOtherSpellingsOfAGoodToken(t *testing.T) {
	l := newLimen(t)
	a := l.auth(limenauth.WithAudience("https://api.example.com", authURL))
	now := time.Now()
	header := func(typ string) string { return encode(l.key.header().with("typ", typ)) }
	good := map[string]string{
		"type in capitals":          l.key.raw(header("AT+JWT"), encode(mina(now))),
		"type with its prefix":      l.key.raw(header("Application/at+jwt"), encode(mina(now))),
		"audience as a list":        l.key.token(mina(now).with("aud", []string{"https://x.example.com", authURL})),
		"second audience":           l.key.token(mina(now).with("aud", "https://api.example.com")),
		"fraction of a second":      l.key.raw(header("at+jwt"), strings.Replace(encode(mina(now)), fmt.Sprint(now.Unix()), fmt.Sprint(now.Unix())+".25", 1)),
		"unknown claims":            l.key.token(mina(now).with("x", claims{"y": []any{1, "z", nil, true}})),
		"nulls where they may be":   l.key.token(mina(now).with("email", nil).with("roles", nil).with("acr", nil)),
		"embedded key is not read":  l.key.raw(encode(l.key.header().with("jwk", newES256("k1").jwk())), encode(mina(now))),
		"key address is not read":   l.key.raw(encode(l.key.header().with("jku", "https://evil.example/keys").with("x5u", "https://evil.example/c")), encode(mina(now))),
		"a clock a minute ahead":    l.key.token(mina(now.Add(59 * time.Second))),
		"expired within the leeway": l.key.token(mina(now).with("exp", now.Add(-58*time.Second).Unix())),
	}
	for name, token := range good {
		if _, err := a.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestForgedTokens is the attack table: RFC 8725 and the reports of A14.
func TestForgedTokens(t *testing.T) {
	now := time.Now()
	l := newLimen(t)
	ed, rs := newEdDSA("ed"), newRS256("rs", 2048)
	l.publish(l.key, ed, rs)
	stranger := newES256("k1") // the same kid, another key
	good := l.key.token(mina(now))
	part := strings.Split(good, ".")
	head := func(name string, v any) string {
		return l.key.raw(encode(l.key.header().with(name, v)), encode(mina(now)))
	}
	body := func(payload string) string { return l.key.raw(encode(l.key.header()), payload) }
	twice := func(member string) string {
		return body(strings.TrimSuffix(encode(mina(now)), "}") + "," + member + "}")
	}
	public, err := x509.MarshalPKIXPublicKey(l.key.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(kid string, secret []byte) string {
		signed := b64([]byte(encode(claims{"typ": "at+jwt", "alg": "HS256", "kid": kid}))) + "." + part[1]
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return signed + "." + b64(mac.Sum(nil))
	}
	raw := mustDecode(t, part[2])
	spliced := func(pieces ...[]byte) string { // r and s with something between or around them
		return part[0] + "." + part[1] + "." + b64(slices.Concat(pieces...))
	}
	order := elliptic.P256().Params().N.Bytes()

	forged := map[string]string{
		"empty":                    "",
		"dots":                     "..",
		"one part":                 "abc",
		"two parts":                part[0] + "." + part[1],
		"four parts":               good + ".",
		"five parts":               good + ".a.b",
		"no signature":             part[0] + "." + part[1] + ".",
		"no payload":               part[0] + ".." + part[2],
		"no header":                "." + part[1] + "." + part[2],
		"truncated by one":         good[:len(good)-1],
		"truncated by half":        good[:len(good)/2],
		"trailing garbage":         good + "A",
		"trailing line break":      good + "\n",
		"line break inside":        part[0] + "." + part[1][:8] + "\n" + part[1][8:] + "." + part[2],
		"leading space":            " " + good,
		"padding":                  good + "==",
		"standard alphabet":        part[0] + "." + part[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(part[2]) + "+",
		"loose trailing bits":      part[0] + "." + part[1] + "." + looseBits(part[2]),
		"NUL":                      good + "\x00",
		"huge":                     strings.Repeat("A", 8193),
		"huge and signed":          l.key.token(mina(now).with("pad", strings.Repeat("x", 8000))),
		"alg none":                 b64([]byte(`{"typ":"at+jwt","alg":"none","kid":"k1"}`)) + "." + part[1] + ".",
		"alg none with signature":  b64([]byte(`{"typ":"at+jwt","alg":"none","kid":"k1"}`)) + "." + part[1] + "." + part[2],
		"alg NONE":                 b64([]byte(`{"typ":"at+jwt","alg":"nOnE","kid":"k1"}`)) + "." + part[1] + "." + part[2],
		"alg missing":              b64([]byte(`{"typ":"at+jwt","kid":"k1"}`)) + "." + part[1] + "." + part[2],
		"alg not a string":         head("alg", 5),
		"alg in small letters":     head("alg", "es256"),
		"HS256 with public DER":    hs256("k1", public),
		"HS256 with public PEM":    hs256("k1", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"HS256 with JWK":           hs256("k1", []byte(encode(l.key.jwk()))),
		"HS256 with empty secret":  hs256("k1", nil),
		"ES256 with an EdDSA kid":  head("kid", "ed"),
		"EdDSA with an ES256 kid":  ed.raw(encode(ed.header().with("kid", "k1")), encode(mina(now))),
		"RS256 with an ES256 kid":  rs.raw(encode(rs.header().with("kid", "k1")), encode(mina(now))),
		"ES256 called RS256":       head("alg", "RS256"),
		"RS256 called PS256":       rs.raw(encode(rs.header().with("alg", "PS256")), encode(mina(now))),
		"another key, same kid":    stranger.token(mina(now)),
		"unknown kid":              head("kid", "k9"),
		"kid missing":              l.key.raw(encode(l.key.header().without("kid")), encode(mina(now))),
		"kid empty":                head("kid", ""),
		"kid not a string":         head("kid", []string{"k1"}),
		"kid as a path":            head("kid", "../../etc/passwd"),
		"kid very long":            head("kid", strings.Repeat("k", 300)),
		"typ JWT":                  head("typ", "JWT"),
		"typ missing":              l.key.raw(encode(l.key.header().without("typ")), encode(mina(now))),
		"typ of an ID token":       head("typ", "id+jwt"),
		"typ of a logout token":    head("typ", "logout+jwt"),
		"typ with a suffix":        head("typ", "at+jwt2"),
		"typ of another tree":      head("typ", "text/at+jwt"),
		"typ not a string":         head("typ", nil),
		"crit":                     head("crit", []string{"exp"}),
		"crit empty":               head("crit", []string{}),
		"header twice alg":         l.key.raw(`{"typ":"at+jwt","alg":"ES256","alg":"ES256","kid":"k1"}`, encode(mina(now))),
		"header not an object":     l.key.raw(`["at+jwt"]`, encode(mina(now))),
		"header trailing data":     l.key.raw(encode(l.key.header())+"{}", encode(mina(now))),
		"embedded key signs":       stranger.raw(encode(stranger.header().with("jwk", stranger.jwk())), encode(mina(now))),
		"signature of zeros":       part[0] + "." + part[1] + "." + b64(make([]byte, 64)),
		"signature r=0":            part[0] + "." + part[1] + "." + b64(append(make([]byte, 32), raw[32:]...)),
		"signature r=s=order":      part[0] + "." + part[1] + "." + b64(append(slices.Clone(order), order...)),
		"a zero before r":          spliced([]byte{0}, raw),
		"a zero before s":          spliced(raw[:32], []byte{0}, raw[32:]),
		"a zero behind":            spliced(raw, []byte{0}),
		"signature of 63 bytes":    part[0] + "." + part[1] + "." + b64(raw[:63]),
		"signature of another":     part[0] + "." + part[1] + "." + strings.Split(l.key.token(mina(now)), ".")[2],
		"payload of another":       part[0] + "." + strings.Split(l.key.token(mina(now).with("sub", "usr_root")), ".")[1] + "." + part[2],
		"Ed25519 short signature":  ed.token(mina(now))[:len(ed.token(mina(now)))-4],
		"issuer of another":        l.key.token(mina(now).with("iss", "https://evil.example")),
		"issuer with a slash":      l.key.token(mina(now).with("iss", authURL+"/")),
		"issuer missing":           l.key.token(mina(now).without("iss")),
		"issuer as a list":         l.key.token(mina(now).with("iss", []string{authURL})),
		"audience of another":      l.key.token(mina(now).with("aud", "https://other.example")),
		"audience missing":         l.key.token(mina(now).without("aud")),
		"audience empty":           l.key.token(mina(now).with("aud", "")),
		"audience empty list":      l.key.token(mina(now).with("aud", []string{})),
		"audience mixed list":      l.key.token(mina(now).with("aud", []any{authURL, 1})),
		"audience as an object":    l.key.token(mina(now).with("aud", claims{authURL: true})),
		"audience as a prefix":     l.key.token(mina(now).with("aud", authURL+".evil.example")),
		"expired":                  l.key.token(mina(now.Add(-time.Hour))),
		"expired at the leeway":    l.key.token(mina(now).with("exp", now.Add(-61*time.Second).Unix())),
		"exp missing":              l.key.token(mina(now).without("exp")),
		"exp null":                 l.key.token(mina(now).with("exp", nil)),
		"exp as text":              l.key.token(mina(now).with("exp", fmt.Sprint(now.Add(time.Hour).Unix()))),
		"exp negative":             l.key.token(mina(now).with("exp", -1)),
		"exp beyond all numbers":   body(strings.Replace(encode(mina(now)), `"exp":`, `"exp":1e999,"x":`, 1)),
		"exp with many digits":     body(strings.Replace(encode(mina(now)), `"exp":`, `"exp":99999999999999999999,"x":`, 1)),
		"not yet valid":            l.key.token(mina(now).with("nbf", now.Add(2*time.Minute).Unix())),
		"nbf as text":              l.key.token(mina(now).with("nbf", "0")),
		"nbf with an exponent":     body(strings.Replace(encode(mina(now)), `"exp":`, `"nbf":4.1e9,"exp":`, 1)),
		"issued in the future":     l.key.token(mina(now.Add(2 * time.Minute))),
		"iat missing":              l.key.token(mina(now).without("iat")),
		"sub missing":              l.key.token(mina(now).without("sub")),
		"sub empty":                l.key.token(mina(now).with("sub", "")),
		"sub a number":             l.key.token(mina(now).with("sub", 7)),
		"sub with a line break":    l.key.token(mina(now).with("sub", "usr_mina\nusr_root")),
		"sub with a NUL":           l.key.token(mina(now).with("sub", "usr_mina\x00")),
		"sid missing":              l.key.token(mina(now).without("sid")),
		"jti missing":              l.key.token(mina(now).without("jti")),
		"client_id missing":        l.key.token(mina(now).without("client_id")),
		"email_verified as text":   l.key.token(mina(now).with("email_verified", "true")),
		"email_verified as number": l.key.token(mina(now).with("email_verified", 1)),
		"email as a list":          l.key.token(mina(now).with("email", []string{"a@example.com"})),
		"roles as text":            l.key.token(mina(now).with("roles", "admin")),
		"roles mixed":              l.key.token(mina(now).with("roles", []any{"user", nil})),
		"sub twice":                twice(`"sub":"usr_root"`),
		"sub twice, escaped":       twice(`"s\u0075b":"usr_root"`),
		"roles twice":              twice(`"roles":["root"]`),
		"unknown twice inside":     twice(`"x":{"a":1,"a":2}`),
		"payload not an object":    body(`"usr_mina"`),
		"payload empty object":     body(`{}`),
		"payload empty":            part[0] + "." + "" + "." + part[2],
		"payload trailing data":    body(encode(mina(now)) + `{"sub":"usr_root"}`),
		"payload trailing comma":   body(strings.TrimSuffix(encode(mina(now)), "}") + ",}"),
		"payload bad UTF-8":        body(strings.Replace(encode(mina(now)), "usr_mina", "usr_\xff", 1)),
		"payload with BOM":         body("\ufeff" + encode(mina(now))),
		"payload deep":             twice(`"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000)),
		"payload many members":     twice(manyMembers(80)),
		"payload NaN":              twice(`"x":NaN`),
		"payload leading zero":     twice(`"x":01`),
	}
	a := l.auth()
	if _, err := a.Verify(t.Context(), good); err != nil {
		t.Fatalf("the token that the others are made from: %v", err)
	}
	for name, token := range forged {
		u, err := a.Verify(t.Context(), token)
		if code := codeOf(t, err); u != nil || code != limenauth.CodeUnauthenticated {
			t.Errorf("%s: person %+v, code %q, want %q", name, u, code, limenauth.CodeUnauthenticated)
		}
		if err != nil && len(token) > 20 && strings.Contains(err.Error(), token[len(token)-16:]) {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
	// One fetch for the first token, at most one more for all the unknown kids.
	if n := l.asked("GET /.well-known/jwks.json"); n > 2 {
		t.Errorf("forged tokens made %d fetches", n)
	}
}

func mustDecode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// looseBits changes the unused bits of the last character: the same bytes to a
// careless decoder.
func looseBits(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, text[len(text)-1])
	return text[:len(text)-1] + string(alphabet[last|1])
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":%d,`, i, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestMemoryAsksTheClockAgain(t *testing.T) {
	now := time.Now()
	var clock atomic.Int64 // a background refresh reads it too
	l := newLimen(t)
	a := l.auth(limenauth.WithClock(func() time.Time { return now.Add(time.Duration(clock.Load())) }))
	token := l.key.token(mina(now).with("nbf", now.Unix()))
	steps := []struct {
		at   time.Duration
		code string
	}{
		{0, ""},
		{15 * time.Minute, ""}, // inside the leeway
		{15*time.Minute + 61*time.Second, limenauth.CodeUnauthenticated},
		{-58 * time.Second, ""},
		{-2 * time.Minute, limenauth.CodeUnauthenticated},
	}
	for _, step := range steps {
		clock.Store(int64(step.at))
		_, err := a.Verify(t.Context(), token)
		if code := codeOf(t, err); code != step.code {
			t.Errorf("at %v: code %q, want %q", step.at, code, step.code)
		}
	}
}

func TestAlgorithmsCanBeNarrowed(t *testing.T) {
	l := newLimen(t)
	rs := newRS256("rs", 2048)
	l.publish(l.key, rs)
	a := l.auth(limenauth.WithAllowedAlgs(limenauth.ES256))
	if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); err != nil {
		t.Error(err)
	}
	if _, err := a.Verify(t.Context(), rs.token(mina(time.Now()))); codeOf(t, err) != limenauth.CodeUnauthenticated {
		t.Errorf("RS256: %v", err)
	}
}

// TestMemoryNeverMixesPeople fills a tiny memory from many goroutines: whoever asks
// gets their own name, whatever was pushed out meanwhile.
func TestMemoryNeverMixesPeople(t *testing.T) {
	l := newLimen(t)
	l.key = newEdDSA("ed")
	l.publish(l.key)
	a := l.auth(limenauth.WithSeenTokens(8))
	const people = 60
	tokens := make([]string, people)
	for i := range tokens {
		tokens[i] = l.key.token(mina(time.Now()).with("sub", fmt.Sprintf("usr_%d", i)))
	}
	done := make(chan error)
	for worker := range 8 {
		go func() {
			for i := range 600 {
				n := (i*(worker+1) + worker) % people
				u, err := a.Verify(t.Context(), tokens[n])
				if err == nil && u.ID != fmt.Sprintf("usr_%d", n) {
					err = fmt.Errorf("asked for %d, got %s", n, u.ID)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
