package limenauth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	limenauth "github.com/limenauth/limen/sdk/go"
)

// FuzzToken throws any text at Verify: it never panics, and only what the key signed
// is somebody.
func FuzzToken(f *testing.F) {
	l := newLimen(f)
	l.key = newEdDSA("k1")
	l.publish(l.key)
	a := l.auth()
	good := l.key.token(mina(time.Now().Add(24*time.Hour)).with("iat", time.Now().Unix()))
	for _, seed := range []string{good, "", ".", "..", "a.b.c", good + ".", good[:40], strings.ToUpper(good), "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		u, err := a.Verify(t.Context(), token)
		if (err == nil) != (token == good) || (u == nil) != (err != nil) {
			t.Errorf("%q: %+v, %v", token, u, err)
		}
	})
}

// FuzzHeader and FuzzClaims sign whatever comes, so that the reader behind the
// signature is reached. What it accepts, encoding/json reads the same way.
func FuzzHeader(f *testing.F) {
	l := newLimen(f)
	l.key = newEdDSA("k1")
	l.publish(l.key)
	a := l.auth()
	payload := encode(mina(time.Now().Add(24*time.Hour)).with("iat", time.Now().Unix()))
	for _, seed := range []string{encode(l.key.header()), `{}`, `{"alg":"none"}`, ` { "typ" : "AT+JWT","alg":"EdDSA" , "kid":"k\u0031" } `, `{"crit":[]}`, `[`, `{"a":1e5}`, `{"typ":"at+jwt","alg":"EdDSA","kid":"k1","b64":false}`, `{"typ":"at+jwt","alg":"EdDSA","kid":"k1","x":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		if _, err := a.Verify(t.Context(), l.key.raw(string(header), payload)); err != nil {
			return
		}
		var h map[string]any
		if err := json.Unmarshal(header, &h); err != nil {
			t.Fatalf("%q was accepted: %v", header, err)
		}
		typ, _ := h["typ"].(string)
		_, crit := h["crit"]
		_, b64 := h["b64"]
		_, zip := h["zip"]
		if h["alg"] != "EdDSA" || h["kid"] != "k1" || crit || b64 || zip || !strings.EqualFold(strings.TrimPrefix(strings.ToLower(typ), "application/"), "at+jwt") {
			t.Errorf("%q was accepted", header)
		}
	})
}

func FuzzClaims(f *testing.F) {
	l := newLimen(f)
	l.key = newEdDSA("k1")
	l.publish(l.key)
	a := l.auth()
	good := encode(mina(time.Now().Add(24*time.Hour)).with("iat", time.Now().Unix()))
	for _, seed := range []string{good, `{}`, strings.Replace(good, "mina", `m\u0069na`, 1), strings.Replace(good, "usr", `\ud800`, 1), strings.Replace(good, "usr", `\ud83d\ude00`, 1), strings.Replace(good, `"roles"`, `"x":[{}],"roles"`, 1), good + " "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		u, err := a.Verify(t.Context(), l.key.raw(encode(l.key.header()), string(payload)))
		if err != nil {
			if p, ok := errors.AsType[*limenauth.Problem](err); !ok || p.Status != 401 {
				t.Errorf("%q: %v", payload, err)
			}
			return
		}
		var c struct {
			Iss, Sub, Sid, Email string
			Email_verified       bool
			Roles                []string
			Aud                  any
		}
		decoder := json.NewDecoder(bytes.NewReader(payload))
		if err := decoder.Decode(&c); err != nil {
			t.Fatalf("%q was accepted: %v", payload, err)
		}
		if strings.ContainsRune(c.Sub+c.Sid+c.Email, utf8.RuneError) && !bytes.ContainsRune(payload, utf8.RuneError) && !bytes.Contains(bytes.ToLower(payload), []byte(`\ufffd`)) {
			t.Errorf("%q was accepted, and readers see different things in it", payload)
		}
		if hasFoldedTwins(payload) {
			return // encoding/json takes "SUB" for "sub"; we do not
		}
		if c.Iss != authURL || c.Sub != u.ID || c.Sid != u.SessionID || c.Email != u.Email ||
			(c.Email_verified && c.Email != "") != u.EmailVerified || !slices.Equal(c.Roles, u.Roles()) {
			t.Errorf("%q: %+v, encoding/json reads %+v", payload, u, c)
		}
	})
}

// hasFoldedTwins reports whether a member's name differs from a claim's in case only.
func hasFoldedTwins(payload []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(payload, &members) != nil {
		return true
	}
	for name := range members {
		for _, claim := range []string{"iss", "sub", "sid", "email", "email_verified", "roles", "aud"} {
			if name != claim && strings.EqualFold(name, claim) {
				return true
			}
		}
	}
	return false
}

// FuzzKeySet serves whatever comes as the key set.
func FuzzKeySet(f *testing.F) {
	l := newLimen(f)
	f.Add([]byte(l.jwks))
	f.Add([]byte(encode(map[string]any{"keys": []any{newEdDSA("k1").jwk(), newRS256("k2", 2048).jwk()}})))
	f.Add([]byte(encode(map[string]any{"keys": []any{l.key.jwk(), newRS256("k2", 1024).jwk()}})))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"","y":""}]}`))
	f.Add([]byte(strings.Replace(l.jwks, `"use"`, `"key_ops":["verify"],"use"`, 1)))
	f.Add([]byte(strings.Replace(l.jwks, `"use"`, `"key_ops":["sign"],"x-y":"\ud800","use"`, 1)))
	token := l.key.token(mina(time.Now().Add(24*time.Hour)).with("iat", time.Now().Unix()))
	published := l.jwks
	f.Fuzz(func(t *testing.T, document []byte) {
		l.t = t
		l.serveKeys(string(document))
		a := l.auth()
		if _, err := a.Verify(t.Context(), token); err == nil && string(document) != published {
			var set struct {
				Keys []map[string]any
			}
			if err := json.Unmarshal(document, &set); err != nil || len(set.Keys) == 0 {
				t.Errorf("%q gave a key: %v", document, err)
			}
			for _, k := range set.Keys {
				n, _ := k["n"].(string)
				kid, _ := k["kid"].(string)
				if k["kty"] == "RSA" && k["use"] == "sig" && k["alg"] == "RS256" && k["key_ops"] == nil && kid != "" && len(kid) <= 256 && len(n) < 341 {
					t.Errorf("%q holds a weak modulus", document)
				}
				if k["d"] != nil || k["k"] != nil {
					t.Errorf("%q holds a private key", document)
				}
			}
		}
	})
}

// FuzzReturnPath: wherever a sign-in comes back to, it is this origin.
func FuzzReturnPath(f *testing.F) {
	l := newLimen(f)
	newLobby(l)
	a := l.auth(limenauth.WithCookieKey(cookieKey))
	for _, seed := range []string{"/", "//x", "/\\x", "/x?y#z", "https://x", "/\t/x", "/%5cx", "/x/../..//y", "/;@x", "/:80"} {
		f.Add(seed)
	}
	base, _ := url.Parse(appURL + "/auth/callback")
	f.Fuzz(func(t *testing.T, path string) {
		v := newVisitor(t, newApp(a), l)
		p := v.open(appURL + "/login?" + url.Values{"return_to": {path}}.Encode())
		p = v.open(v.open(p.location()).location())
		location := p.location()
		to, err := base.Parse(location)
		if p.status != 303 || err != nil || to.Host != base.Host || to.Scheme != "https" || to.User != nil {
			t.Fatalf("%q came back to %q", path, location)
		}
		// A browser drops tabs and line breaks and reads a backslash as a slash.
		browser := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(location)
		if !strings.HasPrefix(browser, "/") || strings.HasPrefix(browser, "//") {
			t.Errorf("%q came back to %q", path, location)
		}
	})
}

// FuzzCookie: what this application did not seal is nobody.
func FuzzCookie(f *testing.F) {
	l := newLimen(f)
	newLobby(l)
	a := l.auth() // with a key of its own
	v := newVisitor(f, newApp(a), l)
	v.walk(appURL + "/")
	good := v.cookies()["__Host-limenauth_session"]
	f.Add(good)
	f.Add(good[1:])
	f.Add("")
	h := a.Require(whoami)
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest("GET", appURL+"/", nil)
		r.Header.Set("Cookie", "__Host-limenauth_session="+value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 200 && !strings.Contains(value, good) {
			t.Errorf("%q is %s", value, w.Body)
		}
	})
}
