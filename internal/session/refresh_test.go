package session_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/session"
)

var (
	born  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	lives = session.Lifetimes{Access: 15 * time.Minute, Idle: 30 * day, Absolute: 90 * day, Window: 30 * time.Second, StrictWindow: 10 * time.Second}

	right = [][]byte{[]byte("under the new key"), []byte("right")}
	wrong = [][]byte{[]byte("under the new key"), []byte("wrong")}
)

const (
	day   = 24 * time.Hour
	epoch = 3
)

// row is a bound session at generation 7 that was rotated at born.
func row(change ...func(*session.Session)) session.Session {
	s := session.Session{
		ID: "ses_x", Generation: 7, RotatedAt: born, LastSeenAt: born, CreatedAt: born.Add(-day),
		DeviceHash: []byte("right"), Bound: true, Epoch: epoch,
		IdleExpiresAt: born.Add(30 * day), ExpiresAt: born.Add(89 * day),
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func unbound(s *session.Session) { s.Bound = false }

// proven makes the row's generation one that a proof made, so long before the rotation.
func proven(generation int64, before time.Duration) func(*session.Session) {
	return func(s *session.Session) {
		s.ProofGeneration, s.AuthenticatedAt = generation, born.Add(-before)
	}
}

// cut says which generation a change of the password made, so long before the rotation.
func cut(generation int64, before time.Duration) func(*session.Session) {
	return func(s *session.Session) { s.CutGeneration, s.CutAt = generation, born.Add(-before) }
}

func recovered(generation, times int64, since time.Time) func(*session.Session) {
	return func(s *session.Session) {
		s.RecoveredGeneration, s.Recoveries, s.RecoveriesSince = generation, times, since
	}
}

func TestRefresh(t *testing.T) {
	for _, c := range []struct {
		name   string
		row    session.Session
		g      int64
		device [][]byte
		strict bool
		after  time.Duration // since the rotation
		do     session.Action
		reason string
	}{
		{name: "the leaf rotates", row: row(), g: 7, device: right, after: 15 * time.Minute, do: session.Rotate},
		{name: "at once too", row: row(), g: 7, device: right, do: session.Rotate},
		{name: "the hash of the newest key fits", row: row(), g: 7, device: [][]byte{[]byte("right"), []byte("under the old key")}, do: session.Rotate},
		{name: "the leaf rotates, strict", row: row(), g: 7, device: right, strict: true, do: session.Rotate},
		{name: "bound, no device", row: row(), g: 7, do: session.End, reason: "device_missing"},
		{name: "bound, wrong device", row: row(), g: 7, device: wrong, do: session.End, reason: "device_wrong"},
		{name: "bound, no device, inside the window", row: row(), g: 6, after: time.Second, do: session.End, reason: "device_missing"},
		{name: "bound, wrong device, inside the window", row: row(), g: 6, device: wrong, after: time.Second, do: session.End, reason: "device_wrong"},
		{name: "bound, wrong device, strict", row: row(), g: 6, device: wrong, strict: true, after: time.Second, do: session.End, reason: "device_wrong"},
		{name: "bound to nothing fits nothing", row: row(func(s *session.Session) { s.DeviceHash = nil }), g: 7, device: [][]byte{nil, {}}, do: session.End, reason: "device_wrong"},

		{name: "unbound, no device", row: row(unbound), g: 7, do: session.Rotate},
		{name: "unbound, wrong device", row: row(unbound), g: 7, device: wrong, do: session.Rotate},
		{name: "unbound, right device", row: row(unbound), g: 7, device: right, do: session.Rotate},

		{name: "again inside the window", row: row(), g: 6, device: right, after: 30*time.Second - 1, do: session.Repeat},
		{name: "again, by a clock that is behind", row: row(), g: 6, device: right, after: -time.Second, do: session.Repeat},
		{name: "again inside the window, unbound", row: row(unbound), g: 6, after: time.Second, do: session.Repeat},
		{name: "late", row: row(), g: 6, device: right, after: 30 * time.Second, do: session.Recover, reason: "answer_lost"},
		{name: "very late", row: row(), g: 6, device: right, after: 30*day - 1, do: session.Recover, reason: "answer_lost"},
		{name: "late, unbound", row: row(unbound), g: 6, after: 30 * time.Second, do: session.End, reason: "reuse"},
		{name: "late, unbound, with the device", row: row(unbound), g: 6, device: right, after: 30 * time.Second, do: session.End, reason: "reuse"},
		{name: "late for two generations", row: row(recovered(5, 1, born.Add(-time.Hour))), g: 6, device: right, after: time.Minute, do: session.End, reason: "late_twice"},
		{name: "late, a generation between", row: row(recovered(4, 1, born.Add(-time.Hour))), g: 6, device: right, after: time.Minute, do: session.Recover, reason: "answer_lost"},
		{name: "late for the same generation", row: row(recovered(6, 1, born)), g: 6, device: right, after: time.Minute, do: session.Recover, reason: "answer_lost"},
		{name: "the third time", row: row(recovered(2, 2, born.Add(-time.Hour))), g: 6, device: right, after: time.Minute, do: session.Recover, reason: "answer_lost"},
		{name: "the fourth time", row: row(recovered(2, 3, born.Add(-time.Hour))), g: 6, device: right, after: time.Minute, do: session.End, reason: "late_often"},
		{name: "the fourth time, at the last moment", row: row(recovered(2, 3, born)), g: 6, device: right, after: 30*day - 1, do: session.End, reason: "late_often"},
		{name: "the fourth time, a period later", row: row(recovered(2, 3, born.Add(-29*day))), g: 6, device: right, after: day, do: session.Recover, reason: "answer_lost"},

		{name: "two behind", row: row(), g: 5, device: right, after: time.Second, do: session.End, reason: "reuse"},
		{name: "far behind", row: row(), g: 1, device: right, do: session.End, reason: "reuse"},
		{name: "no generation", row: row(func(s *session.Session) { s.Generation = 1 }), g: 0, device: right, do: session.End, reason: "reuse"},
		{name: "below nothing", row: row(), g: -1, device: right, do: session.End, reason: "reuse"},
		{name: "the first, late", row: row(func(s *session.Session) { s.Generation = 2 }), g: 1, device: right, after: time.Hour, do: session.Recover, reason: "answer_lost"},
		{name: "never issued", row: row(), g: 8, device: right, do: session.End, reason: "future"},
		{name: "never issued, strict", row: row(), g: 8, device: right, strict: true, do: session.End, reason: "future"},

		{name: "strict, inside", row: row(), g: 6, device: right, strict: true, after: 10*time.Second - 1, do: session.Superseded},
		{name: "strict, inside, unbound", row: row(unbound), g: 6, strict: true, after: time.Second, do: session.Superseded},
		{name: "strict, outside", row: row(), g: 6, device: right, strict: true, after: 10 * time.Second, do: session.End, reason: "reuse"},
		{name: "strict, two behind", row: row(), g: 5, device: right, strict: true, do: session.End, reason: "reuse"},

		{name: "before a proof, the device", row: row(proven(7, 0)), g: 6, device: right, after: time.Second, do: session.Repeat},
		{name: "before a proof, the device, late", row: row(proven(7, 0)), g: 6, device: right, after: 30 * time.Second, do: session.Recover, reason: "answer_lost"},
		{name: "before a proof, no device", row: row(proven(7, 0)), g: 6, after: 30*time.Second - 1, do: session.Superseded},
		{name: "before a proof, wrong device", row: row(proven(7, 0)), g: 6, device: wrong, after: time.Second, do: session.Superseded},
		{name: "before a proof, no device, late", row: row(proven(7, 0)), g: 6, after: 30 * time.Second, do: session.End, reason: "device_missing"},
		{name: "before a proof, wrong device, late", row: row(proven(7, 0)), g: 6, device: wrong, after: 30 * time.Second, do: session.End, reason: "device_wrong"},
		{name: "before a proof, unbound", row: row(unbound, proven(7, 0)), g: 6, after: time.Second, do: session.Superseded},
		{name: "before a proof, unbound, wrong device", row: row(unbound, proven(7, 0)), g: 6, device: wrong, after: time.Second, do: session.Superseded},
		{name: "before a proof, unbound, with the device", row: row(unbound, proven(7, 0)), g: 6, device: right, after: time.Second, do: session.Repeat},
		{name: "before a proof, unbound, late", row: row(unbound, proven(7, 0)), g: 6, after: 30 * time.Second, do: session.End, reason: "reuse"},
		{name: "before a proof, strict", row: row(proven(7, 0)), g: 6, strict: true, after: 10*time.Second - 1, do: session.Superseded},
		{name: "before a proof, strict, late", row: row(unbound, proven(7, 0)), g: 6, strict: true, after: 10 * time.Second, do: session.End, reason: "reuse"},
		{name: "before a proof and a rotation, no device", row: row(unbound, proven(6, 20*time.Second)), g: 5, after: 9 * time.Second, do: session.Superseded},
		{name: "before a proof and a rotation, no device, late", row: row(unbound, proven(6, 20*time.Second)), g: 5, after: 10 * time.Second, do: session.End, reason: "reuse"},
		{name: "before a proof and a rotation, the device", row: row(proven(6, 0)), g: 5, device: right, after: time.Second, do: session.End, reason: "reuse"},
		{name: "two before a proof, no device", row: row(unbound, proven(7, 0)), g: 5, after: time.Second, do: session.End, reason: "reuse"},
		{name: "what a proof made, no device", row: row(proven(7, 0)), g: 7, after: time.Second, do: session.End, reason: "device_missing"},
		{name: "what a proof made, again, unbound", row: row(unbound, proven(6, time.Second)), g: 6, after: time.Second, do: session.Repeat},

		{name: "before a changed password", row: row(cut(7, 0)), g: 6, device: right, after: time.Second, do: session.Superseded},
		{name: "before a changed password, no device", row: row(cut(7, 0)), g: 6, after: time.Second, do: session.Superseded},
		{name: "before a changed password, wrong device", row: row(cut(7, 0)), g: 6, device: wrong, after: 30*time.Second - 1, do: session.Superseded},
		{name: "long before a changed password", row: row(cut(7, 0)), g: 1, device: wrong, after: time.Second, do: session.Superseded},
		{name: "before a changed password, late", row: row(cut(7, 0)), g: 6, device: right, after: 30 * time.Second, do: session.Gone, reason: "password_changed"},
		{name: "before a changed password, late, wrong device", row: row(cut(7, 0)), g: 6, device: wrong, after: 30 * time.Second, do: session.Gone, reason: "password_changed"},
		{name: "long before a changed password, late", row: row(cut(7, 0)), g: 1, after: day, do: session.Gone, reason: "password_changed"},
		{name: "before a changed password and a rotation", row: row(cut(6, 20*time.Second)), g: 5, device: right, after: 9 * time.Second, do: session.Superseded},
		{name: "before a changed password and a rotation, late", row: row(cut(6, 20*time.Second)), g: 5, device: right, after: 10 * time.Second, do: session.Gone, reason: "password_changed"},
		{name: "before a changed password, strict", row: row(cut(7, 0)), g: 6, device: right, strict: true, after: 10*time.Second - 1, do: session.Superseded},
		{name: "before a changed password, strict, late", row: row(cut(7, 0)), g: 6, device: right, strict: true, after: 10 * time.Second, do: session.Gone, reason: "password_changed"},
		{name: "before a changed password, unbound", row: row(unbound, cut(7, 0)), g: 6, after: day, do: session.Gone, reason: "password_changed"},
		{name: "what a changed password made", row: row(cut(7, 0)), g: 7, device: right, after: time.Second, do: session.Rotate},
		{name: "what a changed password made, again", row: row(cut(6, time.Second)), g: 6, device: right, after: time.Second, do: session.Repeat},
		{name: "what a changed password made, the device before", row: row(cut(7, 0)), g: 7, device: wrong, after: time.Second, do: session.End, reason: "device_wrong"},
		{name: "before a proof after a changed password", row: row(cut(5, time.Minute), proven(7, 0)), g: 6, after: time.Second, do: session.Superseded},
		{name: "an ended session, before a changed password", row: row(cut(7, 0), func(s *session.Session) { s.EndedAt, s.EndReason = born, "sign_out" }), g: 6, device: right, do: session.Gone, reason: "sign_out"},

		{name: "idle", row: row(), g: 7, device: right, after: 30 * day, do: session.Gone, reason: "idle"},
		{name: "not idle yet", row: row(), g: 7, device: right, after: 30*day - 1, do: session.Rotate},
		{name: "old", row: row(func(s *session.Session) { s.ExpiresAt = born.Add(day) }), g: 7, device: right, after: day, do: session.Gone, reason: "expired"},
		{name: "ended", row: row(func(s *session.Session) { s.EndedAt, s.EndReason = born, "cap" }), g: 7, device: right, do: session.Gone, reason: "cap"},
		{name: "ended, whatever is shown", row: row(func(s *session.Session) { s.EndedAt, s.EndReason = born, "cap" }), g: 2, device: wrong, do: session.Gone, reason: "cap"},
		{name: "another epoch", row: row(func(s *session.Session) { s.Epoch = epoch - 1 }), g: 7, device: right, do: session.Gone, reason: "epoch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := session.Resilient
			if c.strict {
				policy = session.Strict
			}
			now := born.Add(c.after)
			got := session.Refresh(c.row, session.Presented{Generation: c.g, DeviceHashes: c.device}, policy, lives, epoch, now)
			if got.Do != c.do || got.Reason != c.reason {
				t.Fatalf("%v %q, want %v %q", got.Do, got.Reason, c.do, c.reason)
			}
			want := c.row
			switch c.do {
			case session.Rotate:
				want.Generation, want.RotatedAt, want.LastSeenAt = 8, now, now
				want.IdleExpiresAt = earlier(now.Add(30*day), want.ExpiresAt)
				want.Bound = c.row.Bound || cmp.Equal(c.device, right)
			case session.Recover:
				want.RotatedAt, want.LastSeenAt = now, now
				want.IdleExpiresAt = earlier(now.Add(30*day), want.ExpiresAt)
				want.RecoveredGeneration = c.g
				if want.Recoveries++; want.Recoveries == 1 || want.Recoveries > 3 {
					want.Recoveries, want.RecoveriesSince = 1, now
				}
			case session.End:
				want.EndedAt, want.EndReason = now, c.reason
			}
			if !cmp.Equal(got.Next, want) {
				t.Error(cmp.Diff(want, got.Next))
			}
		})
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// An unknown policy is the strict one, and a zero verdict gives nothing.
func TestRefreshIsStrictByDefault(t *testing.T) {
	for _, policy := range []session.Policy{"", "lenient"} {
		v := session.Refresh(row(), session.Presented{Generation: 6, DeviceHashes: right}, policy, lives, epoch, born.Add(11*time.Second))
		if v.Do != session.End {
			t.Errorf("policy %q: %v", policy, v.Do)
		}
	}
	if (session.Verdict{}).Do != session.Gone {
		t.Error("the zero verdict does something")
	}
}

// Whatever is presented, in whatever order: only the leaf moves the generation, by one;
// what is answered is the row's own generation; an ended session stays ended; no
// deadline passes the absolute one; every 30 days have at most the allowance that
// begins with their count.
func TestRefreshHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := rapid.SampledFrom([]session.Policy{session.Resilient, session.Strict}).Draw(t, "policy")
		now := born
		s := row(func(s *session.Session) {
			s.Generation, s.ProofGeneration, s.AuthenticatedAt, s.Bound = 1, 1, born, rapid.Bool().Draw(t, "bound")
		})
		counts := map[time.Time]int{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "seconds")))
			if rapid.IntRange(0, 3).Draw(t, "pause") == 0 {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*day)).Draw(t, "days")))
			}
			switch rapid.IntRange(0, 9).Draw(t, "proof") {
			case 0:
				s = s.Proven(lives, []string{"password"}, now)
			case 1:
				s = s.CutOff(lives, s.DeviceHash, now)
			}
			g := s.Generation - rapid.SampledFrom([]int64{0, 0, 0, 0, 1, 1, 1, 2, -1}).Draw(t, "behind")
			device := rapid.SampledFrom([][][]byte{right, right, right, right, right, wrong, nil}).Draw(t, "device")
			v := session.Refresh(s, session.Presented{Generation: g, DeviceHashes: device}, policy, lives, epoch, now)
			fits := cmp.Equal(device, right)
			if s.Bound && !fits && v.Do != session.End && v.Do != session.Gone && v.Do != session.Superseded {
				t.Fatalf("bound, and %v without the device", v.Do)
			}
			if 0 < g && g < s.CutGeneration && v.Do != session.Superseded && v.Do != session.Gone {
				t.Fatalf("cut off, and %v", v.Do)
			}
			if !fits && 0 < g && g == s.ProofGeneration-1 && v.Do != session.Superseded && v.Do != session.Gone && v.Do != session.End {
				t.Fatalf("before a proof, without the device, and %v", v.Do)
			}
			if !s.EndedAt.IsZero() && (v.Do != session.Gone || !cmp.Equal(v.Next, s)) {
				t.Fatalf("ended, and %v", v.Do)
			}
			if v.Next.IdleExpiresAt.After(s.ExpiresAt) || !v.Next.ExpiresAt.Equal(s.ExpiresAt) || v.Next.Epoch != s.Epoch {
				t.Fatalf("a deadline moved: %+v", v.Next)
			}
			switch v.Do {
			case session.Rotate:
				if g != s.Generation || v.Next.Generation != s.Generation+1 {
					t.Fatalf("%d rotates %d to %d", g, s.Generation, v.Next.Generation)
				}
			case session.Repeat, session.Superseded, session.Gone:
				if !cmp.Equal(v.Next, s) {
					t.Fatalf("%v moves the row", v.Do)
				}
			case session.Recover:
				counts[v.Next.RecoveriesSince]++
				if !s.Bound || policy != session.Resilient || v.Next.Generation != s.Generation || s.RecoveredGeneration == g-1 && g > 1 || counts[v.Next.RecoveriesSince] > session.MaxRecoveries {
					t.Fatalf("recovers %d at %+v", g, s)
				}
				if now.Sub(v.Next.RecoveriesSince) >= session.RecoveriesPeriod {
					t.Fatalf("counts since %v at %v", v.Next.RecoveriesSince, now)
				}
			case session.End:
				if v.Next.Live(now, epoch) || v.Reason == "" {
					t.Fatalf("ended, and lives: %+v", v.Next)
				}
			}
			if s.Bound && !v.Next.Bound {
				t.Fatal("a bond was loosened")
			}
			s = v.Next
		}
	})
}

func TestRotated(t *testing.T) {
	now := born.Add(75 * day)
	got := row().Rotated(lives, now)
	want := row(func(s *session.Session) {
		s.Generation, s.RotatedAt, s.LastSeenAt, s.IdleExpiresAt = 8, now, now, s.ExpiresAt
	})
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// TestInstantsOutOfOrderLowerNothing: transactions that waited for each other bring older
// instants. A clock that was set back is followed: else the window would last until then.
func TestInstantsOutOfOrderLowerNothing(t *testing.T) {
	for behind, kept := range map[time.Duration]bool{0: true, time.Microsecond: true, session.OutOfOrder: true, session.OutOfOrder + 1: false, day: false} {
		next := row().Rotated(lives, born.Add(-behind))
		want := born.Add(-behind)
		if kept {
			want = born
		}
		if !next.RotatedAt.Equal(want) || !next.LastSeenAt.Equal(want) {
			t.Errorf("%v behind: rotated at %v, seen at %v, want %v", behind, next.RotatedAt, next.LastSeenAt, want)
		}
	}
}

func TestProven(t *testing.T) {
	now := born.Add(time.Hour)
	before := row(func(s *session.Session) { s.Methods, s.AuthenticatedBy = []string{"password"}, "password" })
	got := before.Proven(lives, []string{"password", "email_code"}, now)
	want := before.Rotated(lives, now)
	want.ProofGeneration, want.AuthenticatedAt, want.AuthenticatedBy = 8, now, "email_code"
	want.Methods = []string{"password", "email_code"}
	if !cmp.Equal(got, want) || len(before.Methods) != 1 {
		t.Error(cmp.Diff(want, got))
	}
}

func TestCutOff(t *testing.T) {
	now := born.Add(time.Hour)
	got := row(proven(7, 0)).CutOff(lives, []byte("new"), now)
	want := row(proven(7, 0)).Rotated(lives, now)
	want.CutGeneration, want.CutAt, want.DeviceHash = 8, now, []byte("new")
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// A rotation that committed while a proof or a change waited is later than they are: what
// they write is not before it, or its access token would outlive the change.
func TestProofsAreNotBeforeTheRow(t *testing.T) {
	now := born.Add(-2 * time.Second)
	if got := row().CutOff(lives, nil, now); !got.CutAt.Equal(born) || !got.RotatedAt.Equal(born) {
		t.Errorf("cut at %v, rotated at %v, want %v", got.CutAt, got.RotatedAt, born)
	}
	if got := row().Proven(lives, []string{"password"}, now); !got.AuthenticatedAt.Equal(born) || !got.RotatedAt.Equal(born) {
		t.Errorf("proven at %v, rotated at %v, want %v", got.AuthenticatedAt, got.RotatedAt, born)
	}
}

// TestRefreshAfterProofs tries every combination of what the rule about proofs looks at
// against the words of design: which of the actions are allowed, and which never are.
func TestRefreshAfterProofs(t *testing.T) {
	const n = 5
	tried := map[session.Action]int{}
	for _, policy := range []session.Policy{session.Resilient, session.Strict} {
		window := map[session.Policy]time.Duration{session.Resilient: lives.Window, session.Strict: lives.StrictWindow}[policy]
		for _, bound := range []bool{false, true} {
			for _, device := range [][][]byte{nil, wrong, right} {
				for g := int64(1); g <= n+1; g++ {
					for p := int64(1); p <= n; p++ {
						for c := int64(0); c <= n; c++ {
							for _, after := range []time.Duration{0, window - 1, window, window + time.Second, day} {
								s := row(proven(p, 0), cut(c, 0), func(s *session.Session) { s.Generation, s.Bound = n, bound })
								got := session.Refresh(s, session.Presented{Generation: g, DeviceHashes: device}, policy, lives, epoch, born.Add(after))
								without := row(func(s *session.Session) { s.Generation, s.Bound = n, bound })
								want := session.Refresh(without, session.Presented{Generation: g, DeviceHashes: device}, policy, lives, epoch, born.Add(after)).Do
								fits, inside := cmp.Equal(device, right), after < window
								switch {
								case g < c && inside:
									want = session.Superseded
								case g < c:
									want = session.Gone
								case g == p-1 && !fits && inside:
									want = session.Superseded
								case g == p-1 && !fits:
									want = session.End
								}
								if got.Do != want {
									t.Fatalf("%s, bound %v, device %q, generation %d of %d, proof %d, cut %d, after %v: %v, want %v", policy, bound, device, g, n, p, c, after, got.Do, want)
								}
								tried[got.Do]++
							}
						}
					}
				}
			}
		}
	}
	for do := session.Gone; do <= session.End; do++ {
		if tried[do] == 0 {
			t.Errorf("no combination came to %v", do)
		}
	}
}
