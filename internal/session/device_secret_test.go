package session_test

import (
	"testing"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

func TestDeviceSecretAndRootKeys(t *testing.T) {
	old, next := secret.NewRoot(), secret.NewRoot()
	hasher := func(text string) *secret.Hasher {
		r, err := secret.ParseRing(text)
		if err != nil {
			t.Fatal(err)
		}
		return r.Hasher("device secret")
	}
	before, during, after := hasher(old.Reveal()), hasher(next.Reveal()+" "+old.Reveal()), hasher(next.Reveal())
	s := session.NewDeviceSecret(before).Reveal()
	for name, test := range map[string]struct {
		h             *secret.Hasher
		ours, current bool
	}{"before": {before, true, true}, "during": {during, true, false}, "after": {after, false, false}} {
		if ours, current := session.OpenDeviceSecret(test.h, s), session.CurrentDeviceSecret(test.h, s); ours != test.ours || current != test.current {
			t.Errorf("%s: ours %v, current %v", name, ours, current)
		}
	}
	if session.CurrentDeviceSecret(before, "") || session.CurrentDeviceSecret(before, s+"A") {
		t.Error("another form was accepted")
	}
}
