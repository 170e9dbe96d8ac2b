package api_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/app"
)

var b64 = base64.RawURLEncoding

// forger signs what the server would never sign, with the server's own key.
type forger struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	header app.M
	claims app.M
}

// forgerOf takes the signing key from the database with the root key, and the claims from
// a token that the server made.
func forgerOf(t *testing.T, s *app.Server, token string) *forger {
	t.Helper()
	parts := strings.Split(token, ".")
	f := &forger{t: t, header: part(t, parts[0]), claims: part(t, parts[1])}
	ring, err := secret.ParseRing(app.RootKey)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Store.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.ID != f.header["kid"] {
			continue
		}
		der, err := ring.Sealer("signing key").Open(row.ID, row.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		f.key = private.(*ecdsa.PrivateKey)
	}
	return f
}

func part(t *testing.T, text string) app.M {
	t.Helper()
	raw, err := b64.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	out := app.M{}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// with returns m with some members replaced; nil removes one.
func with(m app.M, changes app.M) app.M {
	out := maps.Clone(m)
	for name, value := range changes {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

func (f *forger) sign(header, claims app.M, key *ecdsa.PrivateKey) string {
	f.t.Helper()
	return f.signText(f.encode(header)+"."+f.encode(claims), key)
}

// signText signs a header and claims that are base64url already.
func (f *forger) signText(input string, key *ecdsa.PrivateKey) string {
	f.t.Helper()
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		f.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64.EncodeToString(signature)
}

func (f *forger) encode(m app.M) string { return b64.EncodeToString([]byte(f.text(m))) }

func (f *forger) text(m app.M) string {
	raw, err := json.Marshal(m)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(raw)
}

// forgeries are tokens that must open nothing, each by its trick.
func (f *forger) forgeries(token string, now time.Time) map[string]string {
	parts := strings.Split(token, ".")
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	mac := func(key []byte) string {
		input := f.encode(with(f.header, app.M{"alg": "HS256"})) + "." + parts[1]
		h := hmac.New(sha256.New, key)
		h.Write([]byte(input))
		return input + "." + b64.EncodeToString(h.Sum(nil))
	}
	public, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		f.t.Fatal(err)
	}
	raw, err := f.key.PublicKey.Bytes()
	if err != nil {
		f.t.Fatal(err)
	}
	claim := func(changes app.M) string { return f.sign(f.header, with(f.claims, changes), f.key) }
	head := func(changes app.M) string { return f.sign(with(f.header, changes), f.claims, f.key) }
	last := token[len(token)-1]
	other := byte('A')
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		// The last character of 64 bytes carries four spare bits: another spelling.
		if c != last && strings.IndexByte(alphabet, c)>>4 == strings.IndexByte(alphabet, last)>>4 {
			other = c
			break
		}
	}
	flipped := []byte(token)
	flipped[len(parts[0])+10] ^= 1
	return map[string]string{
		"alg none":                        f.encode(with(f.header, app.M{"alg": "none"})) + "." + parts[1] + ".",
		"alg None with a signature":       f.encode(with(f.header, app.M{"alg": "None"})) + "." + parts[1] + "." + parts[2],
		"no signature":                    parts[0] + "." + parts[1] + ".",
		"HS256 with the public key":       mac(public),
		"HS256 with the point":            mac(raw),
		"another algorithm's name":        head(app.M{"alg": "EdDSA"}),
		"another key, our kid":            f.sign(f.header, f.claims, stranger),
		"another key in the header":       f.sign(with(f.header, app.M{"jwk": jwkOf(stranger)}), f.claims, stranger),
		"a key by address":                f.sign(with(f.header, app.M{"jku": "https://evil.example/jwks.json"}), f.claims, stranger),
		"kid of no key":                   head(app.M{"kid": "sig_00000000000000000000000000"}),
		"kid as a path":                   head(app.M{"kid": "../../etc/passwd"}),
		"kid as a query":                  head(app.M{"kid": "sig' OR '1'='1"}),
		"no kid":                          head(app.M{"kid": nil}),
		"an ID token's type":              head(app.M{"typ": "JWT"}),
		"no type":                         head(app.M{"typ": nil}),
		"a critical header":               head(app.M{"crit": []string{"exp"}, "exp": 1}),
		"another issuer":                  claim(app.M{"iss": "https://evil.example"}),
		"issuer with a slash":             claim(app.M{"iss": f.claims["iss"].(string) + "/"}),
		"another audience":                claim(app.M{"aud": "https://other.example"}),
		"a list of audiences":             claim(app.M{"aud": []any{f.claims["aud"], "https://other.example"}}),
		"no audience":                     claim(app.M{"aud": nil}),
		"expired":                         claim(app.M{"exp": now.Unix()}),
		"expiry as text":                  claim(app.M{"exp": "9999999999"}),
		"no expiry":                       claim(app.M{"exp": nil}),
		"issued in the future":            claim(app.M{"iat": now.Add(time.Minute).Unix()}),
		"not valid yet":                   claim(app.M{"nbf": now.Add(time.Minute).Unix()}),
		"valid from tomorrow":             claim(app.M{"nbf": now.Add(24 * time.Hour).Unix(), "exp": now.Add(48 * time.Hour).Unix()}),
		"no time of issue":                claim(app.M{"iat": nil}),
		"no client":                       claim(app.M{"client_id": nil}),
		"no id":                           claim(app.M{"jti": nil}),
		"b64 false":                       head(app.M{"b64": false}),
		"b64 false, critical":             head(app.M{"b64": false, "crit": []string{"b64"}}),
		"b64 false, payload as it is":     f.signText(f.encode(with(f.header, app.M{"b64": false, "crit": []string{"b64"}}))+"."+parts[1], f.key),
		"compressed":                      head(app.M{"zip": "DEF"}),
		"critical without a list":         head(app.M{"crit": nil, "b64": true}),
		"bad UTF-8":                       f.signText(parts[0]+"."+b64.EncodeToString([]byte(strings.Replace(f.text(f.claims), "default", "def\xff", 1))), f.key),
		"no session":                      claim(app.M{"sid": nil}),
		"somebody else's subject":         claim(app.M{"sub": "usr_00000000000000000000000000"}),
		"a session that never was":        claim(app.M{"sid": "ses_00000000000000000000000000"}),
		"a session with a quote":          claim(app.M{"sid": "ses_' OR 1=1 --"}),
		"changed payload":                 parts[0] + "." + f.encode(with(f.claims, app.M{"roles": []string{"admin"}})) + "." + parts[2],
		"one bit":                         string(flipped),
		"truncated signature":             token[:len(token)-2],
		"truncated":                       token[:len(token)/2],
		"another spelling":                token[:len(token)-1] + string(other),
		"trailing part":                   token + "." + parts[1],
		"trailing character":              token + "A",
		"padding":                         token + "==",
		"two tokens":                      token + token,
		"a part of the header's spelling": parts[0] + "=." + parts[1] + "." + parts[2],
		"the JSON form":                   `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"too long":                        claim(app.M{"pad": strings.Repeat("x", 4<<10)}),
		"empty parts":                     "..",
		"a server key":                    "lsk_00000000000000000000000000_" + strings.Repeat("A", 43),
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func jwkOf(k *ecdsa.PrivateKey) app.M {
	raw, _ := k.PublicKey.Bytes()
	return app.M{"kty": "EC", "crv": "P-256", "x": b64.EncodeToString(raw[1:33]), "y": b64.EncodeToString(raw[33:])}
}

// TestForgedAccessTokens presents every forgery as a bearer token, as a cookie and for
// introspection: it opens nothing, and the honest token beside it still does.
func TestForgedAccessTokens(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "forged@example.com", "")
		_, key, err := s.Issuer.CreateServerKey(t.Context(), "api", []string{"introspect"}, "operator")
		if err != nil {
			t.Fatal(err)
		}
		server := s.Client(t, "")
		server.Header.Set("Authorization", "Bearer "+key.Reveal())
		f := forgerOf(t, s, c.Access)
		stranger := s.Client(t, "")
		if got := stranger.Do("GET", "/v1/me", nil, "Authorization", "Bearer "+f.sign(f.header, f.claims, f.key)); got.Status != http.StatusOK {
			t.Fatalf("the forger cannot even sign an honest token: %d %s", got.Status, got.Body)
		}
		for name, token := range f.forgeries(c.Access, s.Clock.Now()) {
			if got := stranger.Do("GET", "/v1/me", nil, "Authorization", "Bearer "+token); got.Status != http.StatusUnauthorized {
				t.Errorf("%s: as a bearer token it is answered %d", name, got.Status)
			}
			if got := stranger.Do("GET", "/v1/me", nil, "Cookie", "limen_access="+token); got.Status != http.StatusUnauthorized && got.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: as a cookie it is answered %d", name, got.Status)
			}
			got := server.Do("POST", "/v1/token/introspect", app.M{"token": token}).Want(http.StatusOK)
			if strings.TrimSpace(string(got.Body)) != `{"active":false}` {
				t.Errorf("%s: introspection says %s", name, got.Body)
			}
		}
		for name, token := range map[string]string{"a space": c.Access + " ", "a line": c.Access + "\n", "in front": " " + c.Access} {
			got := server.Do("POST", "/v1/token/introspect", app.M{"token": token}).Want(http.StatusOK)
			if strings.TrimSpace(string(got.Body)) != `{"active":false}` {
				t.Errorf("%s: introspection says %s", name, got.Body)
			}
		}
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

// vector is a line of sdk/go/testdata/tokens.json, which says what it means.
type vector struct {
	Name          string   `json:"name"`
	Accept        bool     `json:"accept"`
	Header        app.M    `json:"header"`
	HeaderWithout []string `json:"header_without"`
	HeaderText    string   `json:"header_text"`
	Claims        app.M    `json:"claims"`
	ClaimsWithout []string `json:"claims_without"`
	ClaimsText    string   `json:"claims_text"`
}

// apply returns m with a vector's changes, in base64url.
func (f *forger) apply(m, changes app.M, without []string, text string, now time.Time) string {
	out := maps.Clone(m)
	for name, value := range changes {
		if at, ok := value.(map[string]any); ok && at["now"] != nil {
			value = now.Unix() + int64(at["now"].(float64))
		}
		out[name] = value
	}
	for _, name := range without {
		delete(out, name)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		f.t.Fatal(err)
	}
	if text != "" {
		raw = append(bytes.TrimSuffix(raw, []byte("}")), ","+text+"}"...)
	}
	return b64.EncodeToString(raw)
}

// TestTokenVectors: the server says to each token of the list what the SDK says.
func TestTokenVectors(t *testing.T) {
	text, err := os.ReadFile("../../sdk/go/testdata/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) < 50 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "vectors@example.com", "")
		f, now := forgerOf(t, s, c.Access), s.Clock.Now()
		for _, v := range vectors {
			token := f.signText(f.apply(f.header, v.Header, v.HeaderWithout, v.HeaderText, now)+"."+f.apply(f.claims, v.Claims, v.ClaimsWithout, v.ClaimsText, now), f.key)
			got := s.Client(t, "").Do("GET", "/v1/me", nil, "Authorization", "Bearer "+token)
			want := http.StatusUnauthorized
			if v.Accept {
				want = http.StatusOK
			}
			if got.Status != want {
				t.Errorf("%s: %d, want %d: %s", v.Name, got.Status, want, got.Body)
			}
			if v.Accept && got.Text("id") != f.claims["sub"] {
				t.Errorf("%s: it is %s", v.Name, got.Text("id"))
			}
		}
	})
}

// TestForgedRefreshTokens: a token that the server did not make word for word is garbage,
// costs its session nothing, and is told from no other garbage.
func TestForgedRefreshTokens(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := signedIn(t, s, "garbage@example.com", "")
		raw, err := b64.DecodeString(strings.TrimPrefix(c.Refresh, "lrt_"))
		if err != nil {
			t.Fatal(err)
		}
		bend := func(at int) string {
			bent := append([]byte{}, raw...)
			bent[at] ^= 1
			return "lrt_" + b64.EncodeToString(bent)
		}
		for name, token := range map[string]string{
			"key": bend(0), "session": bend(5), "generation": bend(27), "mac": bend(len(raw) - 1),
			"truncated": c.Refresh[:len(c.Refresh)-4], "longer": c.Refresh + "AAAA", "padded": c.Refresh + "=",
			"a line inside": c.Refresh[:20] + "\n" + c.Refresh[20:], "upper case": strings.ToUpper(c.Refresh),
			"prefix": strings.TrimPrefix(c.Refresh, "lrt_"), "another prefix": "lds_" + strings.TrimPrefix(c.Refresh, "lrt_"),
			"the device secret": c.Device, "an access token": c.Access, "empty parts": "lrt_",
		} {
			got := s.Client(t, "").Do("POST", "/v1/token/refresh", app.M{"refresh_token": token})
			if got.Code() != "session_ended" {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
		c.Grant(c.Do("POST", "/v1/token/refresh", app.M{"refresh_token": c.Refresh}))
	})
}

// TestCookieAndAuthorization: beside Authorization no cookie is read, and of two cookies
// of one name none is.
func TestCookieAndAuthorization(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		ann, eve := signedIn(t, s, "ann@example.com", "cookie"), signedIn(t, s, "eve@example.com", "")
		hers := ann.Cookies()
		jar := "limen_access=" + hers["limen_access"] + "; limen_refresh=" + hers["limen_refresh"] + "; limen_device=" + hers["limen_device"]
		stranger := s.Client(t, "")
		both := stranger.Do("GET", "/v1/me", nil, "Cookie", jar, "Authorization", "Bearer "+eve.Access).Want(http.StatusOK)
		if both.Text("email") != "eve@example.com" {
			t.Errorf("Authorization and cookie: %s", both.Body)
		}
		for _, header := range []string{"Bearer garbage", "Basic eDp5", "", "Bearer"} {
			stranger.Do("GET", "/v1/me", nil, "Cookie", jar, "Authorization", header).Want(http.StatusUnauthorized)
			stranger.Do("POST", "/v1/token/refresh", nil, "Cookie", jar, "Authorization", header).Want(http.StatusUnauthorized, "unauthenticated")
		}
		for _, name := range []string{"limen_access", "limen_refresh"} {
			twice := jar + "; " + name + "=" + hers[name]
			path, method := "/v1/me", "GET"
			if name == "limen_refresh" {
				path, method = "/v1/token/refresh", "POST"
			}
			stranger.Do(method, path, nil, "Cookie", twice).Want(http.StatusUnprocessableEntity, "invalid_request")
		}
		ann.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}
