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
	lives = session.DefaultLifetimes()

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
		s := row(func(s *session.Session) { s.Generation, s.Bound = 1, rapid.Bool().Draw(t, "bound") })
		counts := map[time.Time]int{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "seconds")))
			if rapid.IntRange(0, 3).Draw(t, "pause") == 0 {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*day)).Draw(t, "days")))
			}
			g := s.Generation - rapid.SampledFrom([]int64{0, 0, 0, 0, 1, 1, 1, 2, -1}).Draw(t, "behind")
			device := rapid.SampledFrom([][][]byte{right, right, right, right, right, wrong, nil}).Draw(t, "device")
			v := session.Refresh(s, session.Presented{Generation: g, DeviceHashes: device}, policy, lives, epoch, now)
			fits := cmp.Equal(device, right)
			if s.Bound && !fits && v.Do != session.End && v.Do != session.Gone {
				t.Fatalf("bound, and %v without the device", v.Do)
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
