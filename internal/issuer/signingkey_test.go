package issuer_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/db"
)

// kidOf is the key that signed a token.
func kidOf(t *testing.T, token secret.Text) string {
	t.Helper()
	head, _, _ := strings.Cut(token.Reveal(), ".")
	var h struct {
		KeyID string `json:"kid"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h.KeyID
}

// accepts demands that a token is accepted or refused as unauthenticated.
func accepts(t *testing.T, i *issuer.Issuer, token secret.Text, want bool, when string) {
	t.Helper()
	_, err := i.Authenticate(t.Context(), token)
	if want && err != nil || !want && !errors.Is(err, session.ErrUnauthenticated) {
		t.Errorf("%s: accepted = %v, want %v (%v)", when, err == nil, want, err)
	}
}

func issue(t *testing.T, i *issuer.Issuer, g session.Granted) secret.Text {
	t.Helper()
	issued, err := i.Issue(g)
	if err != nil {
		t.Fatal(err)
	}
	return issued.AccessToken
}

func count(t *testing.T, d *db.DB, query string) (n int) {
	t.Helper()
	if err := d.SQL(t).QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRotationByHand: the change is known before it happens, all processes change at one
// instant, tokens of the old key stay good, and what the operator is told is true.
func TestRotationByHand(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		one, two := open(t, d, issuer.ES256), open(t, d, issuer.ES256)
		g, was := grant(t, d), kids(t, one)
		before := issue(t, one, g)
		plan, err := one.RotateSigningKey(t.Context(), "operator")
		if err != nil {
			t.Fatal(err)
		}
		at := d.Clock.Now().Add(15 * time.Second)
		if plan.Current.ID != was[0] || plan.Next.ID != was[1] || !plan.Next.ActiveAt.Equal(at) || !plan.Current.RetiredAt.Equal(at) {
			t.Errorf("told %+v", plan)
		}
		if got := states(t, one); !slices.Equal(got, []string{"current", "next", "next"}) {
			t.Errorf("before the change: %v", got)
		}
		if again, err := two.RotateSigningKey(t.Context(), "operator"); err != nil || again != plan {
			t.Errorf("again before it happened: %+v %v", again, err)
		}
		if n := count(t, d, `SELECT count(*) FROM event WHERE type = 'signing_key.rotated'`); n != 1 {
			t.Errorf("%d events", n)
		}
		d.Clock.Advance(15*time.Second - time.Microsecond)
		for _, i := range []*issuer.Issuer{one, two} {
			if kid := kidOf(t, issue(t, i, g)); kid != was[0] {
				t.Errorf("a moment before, %s signs", kid)
			}
		}
		d.Clock.Advance(time.Microsecond)
		for _, i := range []*issuer.Issuer{one, two} {
			after := issue(t, i, g)
			if kid := kidOf(t, after); kid != was[1] {
				t.Errorf("at the instant, %s signs", kid)
			}
			for _, other := range []*issuer.Issuer{one, two} {
				accepts(t, other, before, true, "a token of the old key")
				accepts(t, other, after, true, "a token of the new key")
			}
		}
		if got := states(t, two); !slices.Equal(got, []string{"previous", "current", "next"}) {
			t.Errorf("after the change: %v", got)
		}
	})
}

// TestRevokedKey: a key that leaked ends at once where it is revoked, within ten seconds
// where nobody says a word, and at once where the keys are read.
func TestRevokedKey(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		here, there, reading := open(t, d, issuer.ES256), open(t, d, issuer.ES256), open(t, d, issuer.ES256)
		silent := open(t, d, issuer.ES256)
		g, was := grant(t, d), kids(t, here)
		token := issue(t, here, g)
		for _, i := range []*issuer.Issuer{here, there, reading} {
			accepts(t, i, token, true, "before") // and remembered
		}
		if _, fresh := here.JWKS(t.Context()); fresh != 10*time.Minute {
			t.Errorf("the key set may be kept %v", fresh)
		}
		revoked, plan, err := here.RevokeSigningKey(t.Context(), was[0], "operator")
		if err != nil {
			t.Fatal(err)
		}
		if revoked.ID != was[0] || revoked.State != "revoked" || plan.Current.ID != was[1] || plan.Next.ID == "" || slices.Contains(was, plan.Next.ID) {
			t.Errorf("told %+v %+v", revoked, plan)
		}
		accepts(t, here, token, false, "where it was revoked")
		if err := reading.ReadSigningKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		accepts(t, reading, token, false, "where the keys were read")
		after := issue(t, here, g)
		for _, i := range []*issuer.Issuer{here, there, reading} {
			accepts(t, i, after, true, "a token of the successor")
		}
		d.Clock.Advance(10 * time.Second)
		if got := kids(t, silent); slices.Contains(got, was[0]) {
			t.Errorf("published ten seconds later, before any token came: %v", got)
		}
		accepts(t, there, token, false, "ten seconds later")
		for _, i := range []*issuer.Issuer{here, there, reading} {
			if got := kids(t, i); !slices.Equal(got, []string{was[1], plan.Next.ID}) {
				t.Errorf("published: %v", got)
			}
			if _, fresh := i.JWKS(t.Context()); fresh != 5*time.Minute {
				t.Errorf("the key set may be kept %v", fresh)
			}
			if kid := kidOf(t, issue(t, i, g)); kid != was[1] {
				t.Errorf("%s signs", kid)
			}
		}
		page, err := here.Revocations(t.Context(), "", 10)
		if err != nil || len(page.Revocations) != 1 {
			t.Fatalf("feed: %+v %v", page, err)
		}
		if r := page.Revocations[0]; r.Kind != "key" || r.KeyID != was[0] || r.Account != "" || r.Session != "" || r.Until.Sub(r.At) < 7*day {
			t.Errorf("feed: %+v", r)
		}
		if n := count(t, d, `SELECT count(*) FROM event WHERE type = 'signing_key.revoked' AND data LIKE '%`+was[1]+`%' AND actor = 'operator'`); n != 1 {
			t.Errorf("%d events", n)
		}
		if n := count(t, d, `SELECT length(sealed) FROM signing_key WHERE id = '`+was[0]+`'`); n != 0 {
			t.Errorf("%d bytes of its private part are left", n)
		}
		for _, id := range []string{was[0], "sig_00000000000000000000000000", "", "' OR 1=1 --"} {
			if _, _, err := here.RevokeSigningKey(t.Context(), id, "operator"); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		// Nobody needs to hear of it any more a week later.
		d.Clock.Advance(7 * day)
		if err := here.TendKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := states(t, here); !slices.Equal(got, []string{"current", "next"}) {
			t.Errorf("a week later: %v", got)
		}
		if _, fresh := here.JWKS(t.Context()); fresh != 10*time.Minute {
			t.Errorf("a week later the key set may be kept %v", fresh)
		}
	})
}

// TestRevokedInEachState: whatever the key was doing, afterwards one key signs, one follows,
// and a rotation that was under way is neither lost nor doubled.
func TestRevokedInEachState(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		i := open(t, d, issuer.EdDSA)
		g := grant(t, d)
		rotate := func() {
			if _, err := i.RotateSigningKey(t.Context(), "operator"); err != nil {
				t.Fatal(err)
			}
		}
		settle := func() {
			d.Clock.Advance(issuer.RotateAhead)
			if err := i.TendKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			name   string
			before func()
			which  int // of the published keys
			signs  int // which of them signs afterwards
			states []string
		}{
			{"the next", func() {}, 1, 0, []string{"current", "next"}},
			{"the current", func() {}, 0, 1, []string{"current", "next"}},
			{"the previous", func() { rotate(); settle() }, 0, 1, []string{"current", "next"}},
			{"the current while it is being replaced", rotate, 0, 1, []string{"current", "next"}},
			{"the one that is to sign in seconds", rotate, 1, 0, []string{"current", "next"}},
			{"the current beside a previous", func() { rotate(); settle() }, 1, 2, []string{"previous", "current", "next"}},
		} {
			step.before()
			published := kids(t, i)
			if _, _, err := i.RevokeSigningKey(t.Context(), published[step.which], "operator"); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			got := slices.DeleteFunc(states(t, i), func(state string) bool { return state == "revoked" })
			if kid := kidOf(t, issue(t, i, g)); kid != published[step.signs] || !slices.Equal(got, step.states) {
				t.Errorf("%s: %s signs of %v, states %v", step.name, kid, published, got)
			}
			if slices.Contains(kids(t, i), published[step.which]) {
				t.Errorf("%s: it is still published", step.name)
			}
			settle()
		}
	})
}

// TestKeyRaces: of twenty who revoke one key one does, of twenty who rotate one does.
func TestKeyRaces(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		i := open(t, d, issuer.ES256)
		race := func(do func() error) int {
			var done atomic.Int64
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if err := do(); err == nil {
						done.Add(1)
					} else if !errors.Is(err, fault.ErrNotFound) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			return int(done.Load())
		}
		id := kids(t, i)[0]
		if n := race(func() error { _, _, err := i.RevokeSigningKey(t.Context(), id, "operator"); return err }); n != 1 {
			t.Errorf("revoked %d times", n)
		}
		if n := race(func() error { _, err := i.RotateSigningKey(t.Context(), "operator"); return err }); n != 20 {
			t.Errorf("%d were told when the key changes", n)
		}
		if got := states(t, i); !slices.Equal(got, []string{"current", "next", "next", "revoked"}) {
			t.Errorf("afterwards: %v", got)
		}
		for query, want := range map[string]int{
			`SELECT count(*) FROM revocation`:                               1,
			`SELECT count(*) FROM event WHERE type = 'signing_key.revoked'`: 1,
			`SELECT count(*) FROM event WHERE type = 'signing_key.rotated'`: 1,
			`SELECT count(*) FROM signing_key WHERE revoked_at IS NOT NULL`: 1,
			`SELECT count(*) FROM signing_key WHERE removed_at IS NULL`:     4,
		} {
			if n := count(t, d, query); n != want {
				t.Errorf("%s: %d, want %d", query, n, want)
			}
		}
	})
}

// TestRetiredKeySignsNothingYounger: who took a key that has retired makes no token that is
// younger than its retirement, in no process, remembered or not.
func TestRetiredKeySignsNothingYounger(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		one, two := open(t, d, issuer.EdDSA), open(t, d, issuer.EdDSA)
		token := issue(t, one, grant(t, d))
		rows, err := d.Store.SigningKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		der, err := d.Ring.Sealer("signing key").Open(rows[0].ID, rows[0].Sealed)
		if err != nil {
			t.Fatal(err)
		}
		stolen, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(token.Reveal(), ".")
		body, _, _ := strings.Cut(rest, ".")
		raw, err := base64.RawURLEncoding.DecodeString(body)
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{}
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
		forge := func(iat time.Time) secret.Text {
			c := maps.Clone(claims)
			c["iat"], c["exp"] = iat.Unix(), iat.Add(24*time.Hour).Unix()
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			input := head + "." + base64.RawURLEncoding.EncodeToString(text)
			return secret.Text(input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(stolen.(ed25519.PrivateKey), []byte(input))))
		}
		plan, err := one.RotateSigningKey(t.Context(), "operator")
		if err != nil {
			t.Fatal(err)
		}
		retired := plan.Current.RetiredAt
		ahead := forge(retired.Add(6 * time.Second)) // made before, for a time after
		d.Clock.Advance(issuer.RotateAhead + 10*time.Second)
		for _, tended := range []bool{false, true} {
			if tended {
				if err := two.TendKeys(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := one.ReadSigningKeys(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, i := range []*issuer.Issuer{one, two} {
				accepts(t, i, token, true, "an honest token")
				accepts(t, i, forge(retired.Add(-time.Second)), true, "as old as an honest one")
				accepts(t, i, forge(retired.Add(5*time.Second)), true, "within the leeway")
				accepts(t, i, forge(retired.Add(6*time.Second)), false, "beyond the leeway")
				accepts(t, i, ahead, false, "forged ahead")
				accepts(t, i, forge(d.Clock.Now()), false, "now")
			}
		}
		d.Clock.Advance(lifetimes.Access + session.VerifierLeeway)
		if err := two.TendKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		accepts(t, two, forge(retired.Add(-time.Second)), false, "when the key is gone")
		accepts(t, one, forge(retired.Add(-time.Second)), false, "when the key is gone, elsewhere")
	})
}

// TestAlgorithmOfTheSettings: a change signs from the next rotation, by hand or by the
// clock, published as long ahead as ever; processes that disagree do not fight.
func TestAlgorithmOfTheSettings(t *testing.T) {
	algorithms := func(t *testing.T, i *issuer.Issuer) (out []string) {
		keys, err := i.SigningKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			out = append(out, string(k.Algorithm)+" "+k.State)
		}
		return out
	}
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		old := open(t, d, issuer.ES256)
		d.Clock.Advance(89*day + 12*time.Hour)
		restarted := open(t, d, issuer.EdDSA)
		if got := algorithms(t, restarted); !slices.Equal(got, []string{"ES256 current", "EdDSA next"}) {
			t.Fatalf("after the restart: %v", got)
		}
		for range 3 { // the old process is still there, and so is its setting
			for _, i := range []*issuer.Issuer{old, restarted} {
				if err := i.TendKeys(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := count(t, d, `SELECT count(*) FROM signing_key`); n != 3 {
			t.Errorf("%d keys were made", n)
		}
		d.Clock.Advance(12 * time.Hour)
		if got := algorithms(t, restarted); !slices.Equal(got, []string{"ES256 current", "EdDSA next"}) {
			t.Errorf("it was published for half a day only: %v", got)
		}
		d.Clock.Advance(12 * time.Hour)
		if got := algorithms(t, restarted); !slices.Equal(got, []string{"ES256 previous", "EdDSA current"}) {
			t.Errorf("by the clock: %v", got)
		}
	})
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		server := open(t, d, issuer.ES256)
		g := grant(t, d)
		beside := &issuer.Issuer{Store: server.Store, Keys: server.Keys, Now: server.Now, Log: server.Log, Terms: server.Terms}
		beside.Terms.Algorithm = issuer.EdDSA // an operator with the new setting
		if err := beside.OpenBeside(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(t, d, `SELECT count(*) FROM signing_key`); n != 2 {
			t.Errorf("a command that rotates nothing made keys: %d", n)
		}
		plan, err := beside.RotateSigningKey(t.Context(), "operator")
		if err != nil || plan.Current.Algorithm != issuer.ES256 || plan.Next.Algorithm != issuer.EdDSA {
			t.Fatalf("%+v %v", plan, err)
		}
		d.Clock.Advance(issuer.RotateAhead)
		if err := server.ReadSigningKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		token := issue(t, server, g)
		if got := algorithms(t, server); !slices.Equal(got, []string{"ES256 previous", "EdDSA current", "EdDSA next"}) || kidOf(t, token) != plan.Next.ID {
			t.Errorf("by hand: %v", got)
		}
		accepts(t, server, token, true, "signed with the new algorithm")
	})
}

// TestNoKeysWithoutAServer: a command beside no server makes none and lists none.
func TestNoKeysWithoutAServer(t *testing.T) {
	d := db.SQLite(t)
	server := open(t, db.SQLite(t), issuer.ES256)
	i := &issuer.Issuer{Store: d.Store, Keys: server.Keys, Now: d.Clock.Now, Log: server.Log, Terms: server.Terms}
	if err := i.OpenBeside(t.Context()); err != nil {
		t.Fatal(err)
	}
	if document, _ := i.JWKS(t.Context()); string(document) != `{"keys":[]}` {
		t.Errorf("%s", document)
	}
	if keys, err := i.SigningKeys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("%v %v", keys, err)
	}
	if _, err := i.Authenticate(t.Context(), issue(t, server, grant(t, d))); !errors.Is(err, session.ErrUnauthenticated) {
		t.Error(err)
	}
}

// TestClockBehind: a process whose clock is behind signs with the successor of a revoked key,
// not with one that retired before it, and makes no third key.
func TestClockBehind(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		i := open(t, d, issuer.ES256)
		behind := open(t, d, issuer.ES256)
		behind.Now = func() time.Time { return d.Clock.Now().Add(-3 * time.Second) }
		if _, err := i.RotateSigningKey(t.Context(), "operator"); err != nil {
			t.Fatal(err)
		}
		d.Clock.Advance(time.Minute)
		g, was := grant(t, d), kids(t, i)
		if _, _, err := i.RevokeSigningKey(t.Context(), was[1], "operator"); err != nil {
			t.Fatal(err)
		}
		if err := behind.ReadSigningKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		token := issue(t, behind, g)
		if kid := kidOf(t, token); kid != was[2] {
			t.Errorf("%s signs, of %v", kid, was)
		}
		accepts(t, i, token, true, "a token of the process that is behind")
		accepts(t, behind, issue(t, i, g), true, "a token of the other, where the clock is behind")
	})
}
