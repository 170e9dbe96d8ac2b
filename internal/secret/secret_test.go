package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
)

func TestTextHides(t *testing.T) {
	s := secret.Text("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "in", struct{ S secret.Text }{s})
	raw, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	for name, shown := range map[string]string{
		"%v": fmt.Sprintf("%v", s), "%s": fmt.Sprintf("a %s", s), "%+v": fmt.Sprintf("%+v", struct{ S secret.Text }{s}), "%#v": fmt.Sprintf("%#v", s),
		"log": log.String(), "json": string(raw),
	} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("%s shows the secret: %s", name, shown)
		}
	}
	if s.Reveal() != "hunter2" || !s.Equal("hunter2") || s.Equal("hunter3") || s.Equal("") {
		t.Error("Reveal and Equal do not agree with the value")
	}
}

func TestIDs(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	before := secret.ID("usr", at)
	for n := range 1000 {
		id := secret.ID("usr", at.Add(time.Duration(n+1)*time.Millisecond))
		if !secret.HasForm(id, "usr") || id <= before {
			t.Fatalf("%q after %q", id, before)
		}
		before = id
	}
	var zero, full [16]byte
	for i := range full {
		full[i] = 0xff
	}
	if got := secret.EncodeID(zero); got != strings.Repeat("0", 26) {
		t.Errorf("zero: %s", got)
	}
	if got := secret.EncodeID(full); got != "7"+strings.Repeat("z", 25) {
		t.Errorf("full: %s", got)
	}
	for _, bad := range []string{"", "8" + strings.Repeat("0", 25), strings.Repeat("0", 25), strings.Repeat("0", 27), "0" + strings.Repeat("I", 25), strings.ToUpper(before[4:])} {
		if _, ok := secret.DecodeID(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
	if secret.HasForm(before, "ses") || secret.HasForm("usr"+before[4:], "usr") || secret.HasForm(before+"0", "usr") {
		t.Error("another form was accepted")
	}
}

func FuzzDecodeID(f *testing.F) {
	f.Add("01kkpea93gegw8dh7vkpqjce71")
	f.Fuzz(func(t *testing.T, s string) {
		if u, ok := secret.DecodeID(s); ok && secret.EncodeID(u) != s {
			t.Errorf("%q is not canonical", s)
		}
	})
}

// TestDigits: every code is possible, leading zeros and the last one included.
func TestDigits(t *testing.T) {
	first := map[byte]int{}
	for range 5000 {
		code := secret.Digits(6).Reveal()
		if len(code) != 6 || strings.Trim(code, "0123456789") != "" {
			t.Fatalf("%q", code)
		}
		first[code[0]]++
	}
	for d := byte('0'); d <= '9'; d++ {
		if n := first[d]; n < 350 || n > 650 { // 500 expected; 7 standard deviations
			t.Errorf("%d of 5000 codes begin with %c", n, d)
		}
	}
}

func ring(t *testing.T, keys ...secret.Text) *secret.Ring {
	t.Helper()
	var text []string
	for _, k := range keys {
		text = append(text, k.Reveal())
	}
	r, err := secret.ParseRing(strings.Join(text, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRingRotates: what the old key made still fits while the key is in the ring, and not
// after it has left.
func TestRingRotates(t *testing.T) {
	old, next := secret.NewRoot(), secret.NewRoot()
	before, during, after := ring(t, old), ring(t, next, old), ring(t, next)
	sum := before.Hasher("code").Sum([]byte("123456"), []byte("att_1"))
	sealed := before.Sealer("box").Seal("row_1", []byte("inside"))

	if !during.Hasher("code").Fits(sum, []byte("123456"), []byte("att_1")) || after.Hasher("code").Fits(sum, []byte("123456"), []byte("att_1")) {
		t.Error("the hash does not follow its key")
	}
	if got, err := during.Sealer("box").Open("row_1", sealed); err != nil || string(got) != "inside" {
		t.Errorf("sealed value: %q %v", got, err)
	}
	if _, err := after.Sealer("box").Open("row_1", sealed); err == nil {
		t.Error("a key that has left opens its values")
	}
	if !during.Knows(before.Check()) || after.Knows(before.Check()) || during.Check() == before.Check() {
		t.Error("the check value does not tell the rings apart")
	}
	id := before.Hasher("refresh").KeyID()
	if _, ok := during.Hasher("refresh").SumBy(id, []byte("x")); !ok {
		t.Error("a key of the ring is not found by its name")
	}
	if _, ok := after.Hasher("refresh").SumBy(id, []byte("x")); ok {
		t.Error("a key that has left is found by its name")
	}
}

func TestHashesAreKeptApart(t *testing.T) {
	r := ring(t, secret.NewRoot())
	h := r.Hasher("code")
	sum := h.Sum([]byte("ab"), []byte("c"))
	for name, other := range map[string][]byte{
		"another split":   h.Sum([]byte("a"), []byte("bc")),
		"another number":  h.Sum([]byte("abc")),
		"another purpose": r.Hasher("link").Sum([]byte("ab"), []byte("c")),
	} {
		if bytes.Equal(sum, other) {
			t.Errorf("%s gives the same hash", name)
		}
	}
	sealed := r.Sealer("box").Seal("row_1", []byte("inside"))
	if _, err := r.Sealer("box").Open("row_2", sealed); err == nil {
		t.Error("a value opens in another row")
	}
	if _, err := r.Sealer("other").Open("row_1", sealed); err == nil {
		t.Error("a value opens for another purpose")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := r.Sealer("box").Open("row_1", sealed); err == nil {
		t.Error("a changed value opens")
	}
}

func TestParseRingRefuses(t *testing.T) {
	for _, text := range []string{"", " \n", "hello", "AAAA", strings.Repeat("A", 44), secret.NewRoot().Reveal() + " x"} {
		if _, err := secret.ParseRing(text); err == nil {
			t.Errorf("%q was accepted", text)
		} else if len(text) > 8 && strings.Contains(err.Error(), text) {
			t.Errorf("the message shows the key: %v", err)
		}
	}
}
