package session_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
)

func TestParseDelivery(t *testing.T) {
	for in, want := range map[string]session.Delivery{"": session.Token, "token": session.Token, "memory": session.Memory, "cookie": session.Cookie} {
		if got, err := session.ParseDelivery(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"Cookie", "cookies", " token", "token,cookie", "\x00"} {
		got, err := session.ParseDelivery(in)
		if f := fault.Of(err); got != "" || f.Code != "invalid_request" || f.Fields["Limen-Delivery"] != "invalid" {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestLive(t *testing.T) {
	for _, c := range []struct {
		name string
		row  session.Session
		at   time.Duration
		want bool
	}{
		{"young", row(), 0, true},
		{"at the last moment", row(), 30*day - 1, true},
		{"idle", row(), 30 * day, false},
		{"old", row(func(s *session.Session) { s.IdleExpiresAt = born.Add(100 * day) }), 89 * day, false},
		{"ended", row(func(s *session.Session) { s.EndedAt = born }), 0, false},
		{"ended later, by a clock that is ahead", row(func(s *session.Session) { s.EndedAt = born.Add(time.Minute) }), 0, false},
		{"behind the epoch", row(func(s *session.Session) { s.Epoch = epoch - 1 }), 0, false},
		{"ahead of the epoch", row(func(s *session.Session) { s.Epoch = epoch + 1 }), 0, false},
		{"nothing", session.Session{}, 0, false},
	} {
		if got := c.row.Live(born.Add(c.at), epoch); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestExcess(t *testing.T) {
	at := func(id string, created, seen int) session.Session {
		return session.Session{
			ID: session.ID(id), CreatedAt: born.Add(time.Duration(created) * time.Minute), LastSeenAt: born.Add(time.Duration(seen) * time.Minute),
			IdleExpiresAt: born.Add(day), ExpiresAt: born.Add(day),
		}
	}
	ended := at("ended", 0, 0)
	ended.EndedAt = born
	expired := at("expired", 0, 0)
	expired.IdleExpiresAt = born.Add(time.Hour)
	all := []session.Session{at("c", 3, 9), ended, at("a", 1, 5), expired, at("new", 4, 4), at("b", 2, 7)}
	for limit, want := range map[int][]session.ID{
		5: nil, 4: nil, 3: {"a"}, 2: {"a", "b"}, 1: {"a", "b", "c"}, 0: {"a", "b", "c"}, -1: {"a", "b", "c"},
	} {
		if got := session.Excess(all, "new", limit, born.Add(time.Hour)); !slices.Equal(got, want) {
			t.Errorf("limit %d: %v, want %v", limit, got, want)
		}
	}
	if got := session.Excess(nil, "", 0, born); got != nil {
		t.Error(got)
	}
}

// After the excess has ended there are exactly as many live sessions as allowed, the
// kept one among them, and none that ended was seen later than one that stays (the kept
// one apart). The order of the rows does not matter.
func TestExcessHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []session.Session
		for i := range rapid.IntRange(0, 12).Draw(t, "sessions") {
			s := session.Session{
				ID:            session.ID(fmt.Sprint("s", i)),
				CreatedAt:     born.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "created"))),
				LastSeenAt:    born.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "seen"))),
				IdleExpiresAt: born.Add(day), ExpiresAt: born.Add(day),
			}
			if rapid.IntRange(0, 4).Draw(t, "ended") == 0 {
				s.EndedAt = born
			}
			all = append(all, s)
		}
		limit := rapid.IntRange(1, 6).Draw(t, "limit")
		kept := session.Session{ID: "kept", CreatedAt: born, LastSeenAt: born, IdleExpiresAt: born.Add(day), ExpiresAt: born.Add(day)}
		all = append(all, kept)
		before := slices.Clone(all)
		gone := session.Excess(all, kept.ID, limit, born.Add(time.Minute))
		if !cmp.Equal(before, all) {
			t.Fatal("the rows were moved")
		}
		slices.Reverse(before)
		if !slices.Equal(gone, session.Excess(before, kept.ID, limit, born.Add(time.Minute))) {
			t.Fatal("the order of the rows decides")
		}
		var live, ends, stays []session.Session
		for _, s := range all {
			switch {
			case !s.EndedAt.IsZero():
				if slices.Contains(gone, s.ID) {
					t.Fatalf("%s is over already", s.ID)
				}
				continue
			case slices.Contains(gone, s.ID):
				ends = append(ends, s)
			default:
				stays = append(stays, s)
			}
			live = append(live, s)
		}
		if len(stays) != min(limit, len(live)) || len(ends) != len(gone) {
			t.Fatalf("%d of %d stay, limit %d", len(stays), len(live), limit)
		}
		if slices.Contains(gone, kept.ID) {
			t.Fatal("the beginning session ends")
		}
		for _, e := range ends {
			for _, s := range stays {
				if e.LastSeenAt.After(s.LastSeenAt) && s.ID != kept.ID {
					t.Fatalf("%s ends before %s", e.ID, s.ID)
				}
			}
		}
	})
}
