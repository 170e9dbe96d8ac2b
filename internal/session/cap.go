package session

import (
	"cmp"
	"slices"
	"time"
)

// Excess names the sessions that end when a person may have at most limit live ones:
// those seen least recently first, and never the newest, which is the one that is just
// beginning. A limit below one leaves the newest alone. Sessions that are over already
// do not count and are not named; the account's epoch is for the caller to have heeded.
func Excess(sessions []Session, limit int, now time.Time) []ID {
	live := slices.DeleteFunc(slices.Clone(sessions), func(s Session) bool { return s.gone(now, s.Epoch) != "" })
	over := len(live) - max(limit, 1)
	if over <= 0 {
		return nil
	}
	newest := slices.MaxFunc(live, func(a, b Session) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}).ID
	live = slices.DeleteFunc(live, func(s Session) bool { return s.ID == newest })
	slices.SortFunc(live, func(a, b Session) int {
		return cmp.Or(a.LastSeenAt.Compare(b.LastSeenAt), cmp.Compare(a.ID, b.ID))
	})
	ids := make([]ID, over)
	for i := range ids {
		ids[i] = live[i].ID
	}
	return ids
}
