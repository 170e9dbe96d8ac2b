package issuer_test

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
	"github.com/limenauth/limen/internal/testkit/refreshsim"
)

var simLives = flag.Uint64("sim.lives", 20, "how many lives the refresh simulator plays in each world on each database")

// house is an issuer on a real database, as the simulator sees it.
type house struct {
	t        *testing.T
	d        *db.DB
	i        *issuer.Issuer
	births   int
	grants   int
	proofs   [2]int      // step-ups, changed passwords
	right    secret.Text // the first device secret of every session
	wrong    secret.Text // another one that the server made
	delivery session.Delivery
}

// row is one session in the database.
type row struct {
	*house
	who     account.ID
	id      session.ID
	nth     int
	devices []secret.Text // from refreshsim.Right on
}

// birth writes a person with a session.
func (h *house) birth(b refreshsim.Birth) refreshsim.Row {
	h.t.Helper()
	h.births++
	h.d.Clock.Set(b.At)
	h.i.Terms.Policy, h.i.Terms.Lifetimes = b.Policy, b.Lifetimes
	r := &row{house: h, who: account.ID(secret.ID("usr", b.At)), id: session.ID(secret.ID("ses", b.At)), nth: h.births}
	r.devices = []secret.Text{h.right}
	err := h.d.Store.Tx(h.t.Context(), func(tx *store.Tx) error {
		who := account.Account{ID: r.who, Roles: []string{"user"}, Epoch: 1, CredentialVersion: 1, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		if _, err := tx.InsertAccount(h.t.Context(), who, ""); err != nil {
			return err
		}
		return tx.InsertSession(h.t.Context(), session.Session{
			ID: r.id, Account: r.who, Client: "default", Generation: 1, RotatedAt: tx.Now, ProofGeneration: 1, Epoch: 1, Delivery: h.delivery, Bound: b.Bound,
			DeviceHash:    h.i.Keys.DeviceHashes.Sum([]byte(h.right)),
			IdleExpiresAt: tx.Now.Add(b.Lifetimes.Idle), ExpiresAt: tx.Now.Add(b.Lifetimes.Absolute),
			CreatedAt: tx.Now, LastSeenAt: tx.Now, AuthenticatedAt: tx.Now, AuthenticatedBy: "password", Methods: []string{"password"}, AAL: 1,
		})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// Arrive reads nothing: the real refresh looks when it writes.
func (r *row) Arrive(_ time.Time, p refreshsim.Presented) refreshsim.Flight { return flight{r, p} }

// Prove writes what package auth writes for a step-up and for a changed password, under
// the same locks, and issues the tokens.
func (r *row) Prove(at time.Time, p refreshsim.Proof) refreshsim.Answer {
	r.d.Clock.Set(at)
	device := session.NewDeviceSecret(r.i.Keys.Devices)
	var granted session.Granted
	var refusal error
	err := r.d.Store.Tx(r.t.Context(), func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, session.ErrEnded
		who, found, err := tx.LockAccount(r.t.Context(), r.who)
		if err != nil || !found || who.Barred() {
			return err
		}
		cur, found, err := tx.LockSession(r.t.Context(), r.id)
		if err != nil || !found {
			return err
		}
		terms := signin.Terms{Lifetimes: r.i.Terms.Lifetimes, Now: tx.Now}
		if p == refreshsim.StepUp {
			granted, refusal = signin.Next(signin.State{
				Purpose: signin.Reauthenticate, Account: who, Proofs: []signin.Method{signin.Password}, Current: cur,
			}, terms)
		} else {
			terms.DeviceHash, terms.NewDevice = r.i.Keys.DeviceHashes.Sum([]byte(device)), device
			granted, refusal = signin.PasswordChanged(who, cur, cur, terms)
		}
		if refusal != nil {
			return nil
		}
		if p == refreshsim.PasswordChange {
			if err := tx.SetPasswordSince(r.who, "another hash", granted.Session().CutAt); err != nil {
				return err
			}
		}
		return tx.UpdateSession(r.t.Context(), granted.Session())
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if refusal != nil {
		return refreshsim.Answer{Result: refreshsim.Gone}
	}
	issued, err := r.i.Issue(granted)
	if err != nil {
		r.t.Fatal(err)
	}
	if who, err := r.i.Authenticate(r.t.Context(), issued.AccessToken); err != nil || who.Session.ID != r.id {
		r.t.Fatalf("the access token of a proof opens %v: %v", who.Session.ID, err)
	}
	answer := refreshsim.Answer{Result: refreshsim.Granted, Generation: issued.Session.Generation}
	if p == refreshsim.StepUp {
		r.proofs[0]++
		return answer
	}
	r.proofs[1]++
	r.devices = append(r.devices, issued.Device)
	answer.Device = refreshsim.Right + refreshsim.Device(len(r.devices)) - 1
	return answer
}

// Revoke ends the session in one of the ways that there are.
func (r *row) Revoke(at time.Time) {
	r.d.Clock.Set(at)
	err := r.d.Store.Tx(r.t.Context(), func(tx *store.Tx) error {
		if _, _, err := tx.LockAccount(r.t.Context(), r.who); err != nil {
			return err
		}
		switch r.nth % 4 {
		case 0:
			_, err := tx.EndSession(r.t.Context(), r.who, r.id, session.EndedByPerson, at)
			return err
		case 1:
			if err := tx.SetBan(r.t.Context(), r.who, at); err != nil {
				return err
			}
		case 2:
			return tx.DeleteAccount(r.t.Context(), r.who, at)
		}
		return tx.EndAllSessions(r.t.Context(), r.who, session.EndedBySignOut, at)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

type flight struct {
	r *row
	p refreshsim.Presented
}

// Land refreshes.
func (f flight) Land(at time.Time) refreshsim.Answer {
	h := f.r.house
	h.d.Clock.Set(at)
	ask := issuer.Refreshing{Token: session.SealRefreshToken(h.i.Keys.Refresh, f.r.id, f.p.Generation), Browser: session.Browser{IP: "192.0.2.1"}}
	switch f.p.Device {
	case refreshsim.None:
	case refreshsim.Wrong:
		ask.Device = h.wrong
	default:
		ask.Device = f.r.devices[f.p.Device-refreshsim.Right]
	}
	issued, err := h.i.Refresh(h.t.Context(), ask)
	switch {
	case err == nil:
		id, generation, ok := session.OpenRefreshToken(h.i.Keys.Refresh, issued.RefreshToken.Reveal())
		if !ok || id != f.r.id || generation != issued.Session.Generation {
			h.t.Fatalf("a refresh token of %s, generation %d, for %s, generation %d", id, generation, f.r.id, issued.Session.Generation)
		}
		if who, err := h.i.Authenticate(h.t.Context(), issued.AccessToken); err != nil || who.Session.ID != f.r.id {
			h.t.Fatalf("the access token beside it opens %v: %v", who.Session.ID, err)
		}
		h.grants++
		return refreshsim.Answer{Result: refreshsim.Granted, Generation: generation}
	case errors.Is(err, session.ErrSuperseded):
		return refreshsim.Answer{Result: refreshsim.Superseded}
	case errors.Is(err, session.ErrReused):
		return refreshsim.Answer{Result: refreshsim.Reused}
	case errors.Is(err, session.ErrEnded):
		return refreshsim.Answer{Result: refreshsim.Gone}
	}
	h.t.Fatalf("refresh: %v", err)
	return refreshsim.Answer{}
}

// TestRefreshSimulated plays the lives of the simulator against the real refresh on both
// databases: every promise that the rule keeps in memory is kept by the statements too.
func TestRefreshSimulated(t *testing.T) {
	t.Setenv("TMPDIR", memoryDir()) // what is at stake here is the rule, not the disk
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		for _, w := range []refreshsim.World{
			refreshsim.Default(session.Resilient, refreshsim.NoThief), refreshsim.Default(session.Resilient, refreshsim.Bare),
			refreshsim.Default(session.Resilient, refreshsim.Full), refreshsim.Default(session.Strict, refreshsim.NoThief),
			refreshsim.Default(session.Strict, refreshsim.Full),
		} {
			d.Clock.Set(time.Date(2025, time.December, 31, 0, 0, 0, 0, time.UTC)) // before every life
			h := &house{t: t, d: d, delivery: session.Token, i: &issuer.Issuer{
				Store: d.Store, Keys: issuer.NewKeys(d.Ring), Now: d.Clock.Now, Log: slog.New(slog.DiscardHandler),
				Terms: issuer.Terms{
					Issuer: "https://auth.example.com", Audience: "https://auth.example.com", Lifetimes: w.Lifetimes,
					Algorithm: issuer.EdDSA, KeyLife: 365 * day, KeyOverlap: day,
				},
			}}
			if err := h.i.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.right, h.wrong = session.NewDeviceSecret(h.i.Keys.Devices), session.NewDeviceSecret(h.i.Keys.Devices)
			signOuts, tried := 0, 0
			for seed := range *simLives {
				r := refreshsim.Run(seed, w, h.birth)
				for _, v := range r.Violations {
					t.Fatalf("seed %d, %s, %s: %s", seed, w.Policy, w.Thief, v)
				}
				if r.Tried {
					tried++
				}
				signOuts += r.SignOuts
			}
			if w.Policy == session.Resilient && signOuts > 0 {
				t.Errorf("%s, %s: %d honest sign-outs", w.Policy, w.Thief, signOuts)
			}
			if h.proofs[0] == 0 || h.proofs[1] == 0 && w.Policy == session.Resilient {
				t.Errorf("%s, %s: %d step-ups, %d changed passwords", w.Policy, w.Thief, h.proofs[0], h.proofs[1])
			}
			if h.grants < int(*simLives) || w.Thief == refreshsim.Bare && tried == 0 {
				t.Errorf("%s, %s: %d grants, %d tries: the world is too quiet to prove anything", w.Policy, w.Thief, h.grants, tried)
			}
			t.Logf("%s, %s: %d lives, %d grants, %d step-ups, %d changed passwords, %d bound sessions ended by reuse without a thief",
				w.Policy, w.Thief, *simLives, h.grants, h.proofs[0], h.proofs[1], signOuts)
		}
	})
}

// memoryDir is a directory that no disk stands behind, where there is one.
func memoryDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}
