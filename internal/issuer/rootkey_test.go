package issuer_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// TestRootKeyRotation carries a bound session over to the next root key: it works while the
// old key is in the ring and not after that.
func TestRootKeyRotation(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		old, next := secret.NewRoot(), secret.NewRoot()
		with := func(text string) *issuer.Issuer {
			ring, err := secret.ParseRing(text)
			if err != nil {
				t.Fatal(err)
			}
			i := open(t, d, issuer.ES256)
			signing := i.Keys.SigningKeys
			i.Keys = issuer.NewKeys(ring)
			i.Keys.SigningKeys = signing // those were sealed by the database's own ring
			return i
		}
		first, both, last := with(old.Reveal()), with(next.Reveal()+"\n"+old.Reveal()), with(next.Reveal())
		device := session.NewDeviceSecret(first.Keys.Devices)
		s := grant(t, d).Session()
		s.ID, s.Bound, s.DeviceHash = session.ID(secret.ID("ses", d.Clock.Now())), true, first.Keys.DeviceHashes.Sum([]byte(device))
		if err := d.Store.Tx(t.Context(), func(tx *store.Tx) error { return tx.InsertSession(t.Context(), s) }); err != nil {
			t.Fatal(err)
		}
		token := session.SealRefreshToken(first.Keys.Refresh, s.ID, s.Generation)
		for n, i := range []*issuer.Issuer{first, both, both} {
			d.Clock.Advance(time.Minute)
			issued, err := i.Refresh(t.Context(), issuer.Refreshing{Token: token, Device: device})
			if err != nil {
				t.Fatalf("refresh %d: %v", n, err)
			}
			token = issued.RefreshToken
			// The first refresh under a new root key keeps the device's hash under it, so that
			// the next ones take the plain path and the old key can leave the ring.
			row, _, err := d.Store.SessionByID(t.Context(), s.ID)
			if want := i.Keys.DeviceHashes.Sum([]byte(device)); err != nil || !bytes.Equal(row.DeviceHash, want) {
				t.Errorf("after refresh %d the device is kept as %x, want %x (%v)", n, row.DeviceHash, want, err)
			}
		}
		if _, err := last.Refresh(t.Context(), issuer.Refreshing{Token: token, Device: "lds_" + device[4:8]}); err == nil {
			t.Error("a stranger's device secret was accepted")
		}
		old1 := session.SealRefreshToken(first.Keys.Refresh, s.ID, s.Generation+3)
		if _, err := last.Refresh(t.Context(), issuer.Refreshing{Token: old1, Device: device}); err == nil {
			t.Error("a token of a key that has left was accepted")
		}
	})
}
