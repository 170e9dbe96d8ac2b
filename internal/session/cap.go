package session

import (
	"cmp"
	"slices"
	"time"
)

// Excess names the sessions that end when a person may have at most limit live ones:
// those seen least recently first, and never keep, which is the one that is just
// beginning. A limit below one leaves keep alone. Sessions that are over already do not
// count and are not named; the account's epoch is for the caller to have heeded.
func Excess(sessions []Session, keep ID, limit int, now time.Time) []ID {
	others := slices.DeleteFunc(slices.Clone(sessions), func(s Session) bool {
		return s.ID == keep || s.gone(now, s.Epoch) != ""
	})
	over := len(others) - max(limit-1, 0)
	if over <= 0 {
		return nil
	}
	slices.SortFunc(others, func(a, b Session) int {
		return cmp.Or(a.LastSeenAt.Compare(b.LastSeenAt), cmp.Compare(a.ID, b.ID))
	})
	ids := make([]ID, over)
	for i := range ids {
		ids[i] = others[i].ID
	}
	return ids
}
