package session_test

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

const (
	rootA = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	rootB = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
)

func hasher(t testing.TB, purpose string, roots ...string) *secret.Hasher {
	t.Helper()
	ring, err := secret.ParseRing(strings.Join(roots, " "))
	if err != nil {
		t.Fatal(err)
	}
	return ring.Hasher(purpose)
}

// The wire forms are frozen: every token in the world has them.
func TestRefreshTokenForm(t *testing.T) {
	h := hasher(t, "refresh", rootA)
	const want = "lrt_nvWpMwGdx7L5HXHujiaCqSxsI0AAAAAAAAABAmNg0fwo3livNIAuXWLex44r2N2zXR_eTNU11oN5wc0y"
	token := session.SealRefreshToken(h, "ses_01kq3v5y8xe7q8w9m2n4p6r8t0", 258)
	if token.Reveal() != want {
		t.Errorf("%s", token.Reveal())
	}
	id, generation, ok := session.OpenRefreshToken(h, want)
	if id != "ses_01kq3v5y8xe7q8w9m2n4p6r8t0" || generation != 258 || !ok {
		t.Error(id, generation, ok)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(want, "lrt_"))
	if err != nil || len(raw) != 4+16+8+32 {
		t.Error(len(raw), err)
	}
}

func TestRefreshTokenRoundTrip(t *testing.T) {
	h := hasher(t, "refresh", rootA)
	rapid.Check(t, func(t *rapid.T) {
		var raw [16]byte
		copy(raw[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		id := session.ID("ses_" + secret.EncodeID(raw))
		generation := rapid.Int64Range(1, math.MaxInt64).Draw(t, "generation")
		token := session.SealRefreshToken(h, id, generation).Reveal()
		gotID, gotGeneration, ok := session.OpenRefreshToken(h, token)
		if gotID != id || gotGeneration != generation || !ok {
			t.Fatal(gotID, gotGeneration, ok)
		}
		i := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		other := []byte(token)
		other[i] = rapid.SampledFrom([]byte("ABCabc019-_=+/. \n\x00\xff")).Draw(t, "to")
		if string(other) == token {
			return
		}
		if _, _, ok := session.OpenRefreshToken(h, string(other)); ok {
			t.Fatalf("%q opens", other)
		}
	})
}

func TestRefreshTokenRefuses(t *testing.T) {
	h := hasher(t, "refresh", rootA)
	id := session.ID(secret.ID("ses", time.UnixMilli(0)))
	token := session.SealRefreshToken(h, id, 1).Reveal()
	for name, s := range map[string]string{
		"nothing":           "",
		"the prefix alone":  "lrt_",
		"no prefix":         token[4:],
		"another prefix":    "lds_" + token[4:],
		"capitals":          strings.ToUpper(token[:4]) + token[4:],
		"cut":               token[:len(token)-1], // CVE-2026-27840
		"cut by a group":    token[:len(token)-4],
		"longer":            token + "A",
		"padded":            token + "=",
		"a line break":      token[:20] + "\n" + token[20:],
		"line breaks":       token[:20] + "\r\n\r\n" + token[24:],
		"outer space":       " " + token,
		"twice":             token + token,
		"standard alphabet": token[:40] + "+" + token[41:],
		"zeros":             "lrt_" + strings.Repeat("A", 80),
		"very long":         "lrt_" + strings.Repeat("A", 1<<20),
	} {
		if gotID, generation, ok := session.OpenRefreshToken(h, s); ok || gotID != "" || generation != 0 {
			t.Errorf("%s opens", name)
		}
	}
	for _, generation := range []string{"\x00\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		key := h.KeyID()
		body := append(key[:], strings.Repeat("i", 16)+generation...)
		forged := "lrt_" + base64.RawURLEncoding.EncodeToString(append(body, h.Sum(body)...))
		if _, _, ok := session.OpenRefreshToken(h, forged); ok {
			t.Errorf("a token for the generation %x opens", generation)
		}
	}
	if _, _, ok := session.OpenRefreshToken(hasher(t, "refresh", rootB), token); ok {
		t.Error("another server's token opens")
	}
	if _, _, ok := session.OpenRefreshToken(hasher(t, "device", rootA), token); ok {
		t.Error("another purpose's key opens it")
	}
	for _, bad := range []struct {
		id         session.ID
		generation int64
	}{{"", 1}, {"usr_" + id[4:], 1}, {id[4:], 1}, {id + "0", 1}, {id, 0}, {id, -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a token for %+v", bad)
				}
			}()
			session.SealRefreshToken(h, bad.id, bad.generation)
		}()
	}
}

func TestTokensOutliveTheirKeysPlace(t *testing.T) {
	id := session.ID(secret.ID("ses", time.UnixMilli(0)))
	token := session.SealRefreshToken(hasher(t, "refresh", rootA), id, 5).Reveal()
	device := session.NewDeviceSecret(hasher(t, "device", rootA))
	if got, _, ok := session.OpenRefreshToken(hasher(t, "refresh", rootB, rootA), token); !ok || got != id {
		t.Error("a token of the former key is refused")
	}
	if !session.OpenDeviceSecret(hasher(t, "device", rootB, rootA), device.Reveal()) {
		t.Error("a device secret of the former key is refused")
	}
	if session.OpenDeviceSecret(hasher(t, "device", rootB), device.Reveal()) {
		t.Error("a secret of a key that left the ring is accepted")
	}
}

func TestDeviceSecret(t *testing.T) {
	h := hasher(t, "device", rootA)
	a, b := session.NewDeviceSecret(h), session.NewDeviceSecret(h)
	if a == b || len(a.Reveal()) != 4+64 || !strings.HasPrefix(a.Reveal(), "lds_") {
		t.Error(a.Reveal(), b.Reveal())
	}
	if !session.OpenDeviceSecret(h, a.Reveal()) || !session.OpenDeviceSecret(h, b.Reveal()) {
		t.Error("our own secret is refused")
	}
	raw := a.Reveal()
	for name, s := range map[string]string{
		"nothing": "", "no prefix": raw[4:], "cut": raw[:len(raw)-1], "longer": raw + "A", "padded": raw + "==",
		"line break": raw[:10] + "\n" + raw[10:], "chosen by the client": "lds_" + strings.Repeat("A", 64),
		"another form": "lrt_" + raw[4:], "two halves": b.Reveal()[:36] + raw[36:],
	} {
		if session.OpenDeviceSecret(h, s) {
			t.Errorf("%s is accepted", name)
		}
	}
	if session.OpenDeviceSecret(hasher(t, "refresh", rootA), raw) {
		t.Error("another purpose's key opens it")
	}
}

func FuzzOpenRefreshToken(f *testing.F) {
	h := hasher(f, "refresh", rootA)
	f.Add(session.SealRefreshToken(h, "ses_01kq3v5y8xe7q8w9m2n4p6r8t0", 1).Reveal())
	f.Add("lrt_" + strings.Repeat("A", 80))
	f.Add("lrt_" + strings.Repeat("\n", 80))
	f.Fuzz(func(t *testing.T, s string) {
		id, generation, ok := session.OpenRefreshToken(h, s)
		if !ok {
			if id != "" || generation != 0 {
				t.Fatalf("%q is refused and says %q %d", s, id, generation)
			}
			return
		}
		// Only what we sealed opens, in its one spelling.
		if session.SealRefreshToken(h, id, generation).Reveal() != s {
			t.Fatalf("%q opens as %q %d", s, id, generation)
		}
	})
}

func FuzzOpenDeviceSecret(f *testing.F) {
	h := hasher(f, "device", rootA)
	const known = "lds_mKFuJyet-5ReOx3XorlGo-Gol9JAhQQFeEjKZZQvjeb-mF42507IWmfyht2RN6KS"
	if !session.OpenDeviceSecret(h, known) {
		f.Fatal("the form of a device secret has changed")
	}
	f.Add(known)
	f.Add("lds_" + strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, s string) {
		if session.OpenDeviceSecret(h, s) && s != known {
			t.Fatalf("%q is accepted", s)
		}
	})
}
