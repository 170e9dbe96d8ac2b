package session_test

import (
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/session"
)

// TestAttemptSecret: limen recognises the values that it made under any key of its ring,
// and no other.
func TestAttemptSecret(t *testing.T) {
	h := hasher(t, "attempt secret", rootA)
	a, b := session.NewAttemptSecret(h).Reveal(), session.NewAttemptSecret(h).Reveal()
	if a == b || len(a) != 43 {
		t.Error(a, b)
	}
	if !session.OpenAttemptSecret(h, a) || !session.OpenAttemptSecret(hasher(t, "attempt secret", rootB, rootA), a) {
		t.Error("our own value is refused")
	}
	if session.OpenAttemptSecret(hasher(t, "attempt secret", rootB), a) || session.OpenAttemptSecret(hasher(t, "device secret", rootA), a) {
		t.Error("another key opens it")
	}
	spare := a[:42] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", a[42])|1])
	device := session.NewDeviceSecret(hasher(t, "device secret", rootA)).Reveal()
	for name, s := range map[string]string{
		"nothing": "", "cut": a[:len(a)-1], "longer": a + "A", "two halves": b[:22] + a[22:], "another spelling": spare,
		"chosen by the client": strings.Repeat("A", 43), "a device secret": device, "a part of one": device[4:47],
		"line break": a[:10] + "\n" + a[10:], "line break in place": a[:10] + "\n" + a[11:], "a megabyte": strings.Repeat("A", 1<<20), "NUL": a[:10] + "\x00" + a[11:],
	} {
		if session.OpenAttemptSecret(h, s) {
			t.Errorf("%s is accepted", name)
		}
	}
}
