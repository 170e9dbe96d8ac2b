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
	if a == b || len(a) != 4+64 || !strings.HasPrefix(a, "las_") {
		t.Error(a, b)
	}
	if !session.OpenAttemptSecret(h, a) || !session.OpenAttemptSecret(hasher(t, "attempt secret", rootB, rootA), a) {
		t.Error("our own value is refused")
	}
	if session.OpenAttemptSecret(hasher(t, "attempt secret", rootB), a) || session.OpenAttemptSecret(hasher(t, "device secret", rootA), a) {
		t.Error("another key opens it")
	}
	device := session.NewDeviceSecret(hasher(t, "device secret", rootA)).Reveal()
	for name, s := range map[string]string{
		"nothing": "", "no prefix": a[4:], "cut": a[:len(a)-1], "longer": a + "A", "two halves": b[:36] + a[36:],
		"chosen by the client": "las_" + strings.Repeat("A", 64), "a device secret": device, "a device secret in this form": "las_" + device[4:],
		"line break": a[:10] + "\n" + a[10:], "a megabyte": "las_" + strings.Repeat("A", 1<<20), "NUL": a[:10] + "\x00" + a[11:],
	} {
		if session.OpenAttemptSecret(h, s) {
			t.Errorf("%s is accepted", name)
		}
	}
}
