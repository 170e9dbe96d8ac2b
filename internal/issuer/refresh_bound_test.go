package issuer_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
	"github.com/limenauth/limen/internal/testkit/refreshsim"
)

// newHouse is an issuer with one unbound session, whose refresh token is the first.
func newHouse(t *testing.T, d *db.DB, ring *secret.Ring) (*house, *row) {
	t.Helper()
	h := &house{t: t, d: d, delivery: session.Token, i: &issuer.Issuer{
		Store: d.Store, Keys: issuer.NewKeys(d.Ring), Now: d.Clock.Now, Log: slog.New(slog.DiscardHandler),
		Terms: issuer.Terms{
			Issuer: "https://auth.example.com", Audience: "https://auth.example.com",
			Algorithm: issuer.ES256, KeyLife: 90 * day, KeyOverlap: day,
		},
	}}
	if err := h.i.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	signing := h.i.Keys.SigningKeys
	if ring != nil {
		h.i.Keys = issuer.NewKeys(ring)
		h.i.Keys.SigningKeys = signing // those were sealed by the database's own ring
	}
	h.right, h.wrong = session.NewDeviceSecret(h.i.Keys.Devices), session.NewDeviceSecret(h.i.Keys.Devices)
	r := h.birth(refreshsim.Birth{At: d.Clock.Now(), Policy: session.Resilient, Lifetimes: lifetimes})
	return h, r.(*row)
}

// TestBindingUnderAnOldRootKey: a session that began under the root key before becomes
// bound by the first refresh that brings its device, like any other.
func TestBindingUnderAnOldRootKey(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		old, next := secret.NewRoot(), secret.NewRoot()
		ring := func(text string) *secret.Ring {
			r, err := secret.ParseRing(text)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		h, r := newHouse(t, d, ring(old.Reveal()))
		signing := h.i.Keys.SigningKeys
		h.i.Keys = issuer.NewKeys(ring(next.Reveal() + " " + old.Reveal()))
		h.i.Keys.SigningKeys = signing
		if got := r.Arrive(d.Clock.Now(), refreshsim.Presented{Generation: 1, Device: refreshsim.Right}).Land(d.Clock.Advance(time.Second)); got.Result != refreshsim.Granted {
			t.Fatalf("the first refresh is answered %v", got)
		}
		if got := r.Arrive(d.Clock.Now(), refreshsim.Presented{Generation: 2}).Land(d.Clock.Advance(time.Second)); got.Result != refreshsim.Reused {
			t.Errorf("a refresh without the device is answered %v: the session was never bound", got)
		}
	})
}

// TestAWrongDeviceCountsAsNone, as long as a session is not bound: it neither binds nor ends it.
func TestAWrongDeviceCountsAsNone(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		_, r := newHouse(t, d, nil)
		for n, device := range []refreshsim.Device{refreshsim.Wrong, refreshsim.None, refreshsim.Right} {
			got := r.Arrive(d.Clock.Now(), refreshsim.Presented{Generation: int64(n + 1), Device: device}).Land(d.Clock.Advance(time.Second))
			if got.Result != refreshsim.Granted || got.Generation != int64(n+2) {
				t.Fatalf("refresh %d is answered %v", n+1, got)
			}
		}
	})
}

// TestNoTokenIsYoungerThanItsRevocation: a refresh that commits while a ban waits is later
// than the ban's own instant. The feed must refuse its token all the same.
func TestNoTokenIsYoungerThanItsRevocation(t *testing.T) {
	d := db.Postgres(t) // SQLite has one writer: the two cannot meet
	h, r := newHouse(t, d, nil)
	var issued session.Issued
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		if _, _, err := tx.LockAccount(t.Context(), r.who); err != nil {
			return err
		}
		h.i.Now = func() time.Time { return d.Clock.Advance(2 * time.Second) } // signing takes its time
		var err error
		issued, err = h.i.Refresh(t.Context(), issuer.Refreshing{Token: session.SealRefreshToken(h.i.Keys.Refresh, r.id, 1)})
		return errors.Join(err, tx.EndAllSessions(t.Context(), r.who, session.EndedByBan, tx.Now.Add(time.Hour)))
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := h.i.Revocations(t.Context(), "", 10)
	if err != nil || len(page.Revocations) != 1 {
		t.Fatalf("%v, %v", page.Revocations, err)
	}
	if at := page.Revocations[0].At; time.Unix(claim(t, issued.AccessToken, "iat"), 0).After(at) {
		t.Errorf("issued at %v, and the feed refuses up to %v", claim(t, issued.AccessToken, "iat"), at.Unix())
	}
	if _, err := h.i.Authenticate(t.Context(), issued.AccessToken); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the token is answered %v", err)
	}
}

// claim reads a number of a token.
func claim(t *testing.T, token secret.Text, name string) int64 {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	n, ok := claims[name].(float64)
	if !ok {
		t.Fatalf("no number %q in %s", name, raw)
	}
	return int64(n)
}
