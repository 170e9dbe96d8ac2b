package signin_test

import (
	"testing"
	"time"

	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
)

// TestOrphaned: an attempt of a session needs that very session alive, and the account in
// the epoch in which it began.
func TestOrphaned(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	const epoch = 7
	try := signin.Attempt{Account: "usr_1", Session: "ses_1", Epoch: epoch}
	live := session.Session{ID: "ses_1", Account: "usr_1", Epoch: epoch, IdleExpiresAt: at.Add(time.Minute), ExpiresAt: at.Add(time.Hour)}
	for name, c := range map[string]struct {
		try   signin.Attempt
		s     func(*session.Session)
		epoch int64
		want  bool
	}{
		"alive":                           {try, nil, epoch, false},
		"of no session":                   {signin.Attempt{Account: "usr_1"}, func(s *session.Session) { *s = session.Session{} }, epoch, false},
		"no such session":                 {try, func(s *session.Session) { *s = session.Session{} }, epoch, true},
		"another session":                 {try, func(s *session.Session) { s.ID = "ses_2" }, epoch, true},
		"another account":                 {try, func(s *session.Session) { s.Account = "usr_2" }, epoch, true},
		"ended":                           {try, func(s *session.Session) { s.EndedAt = at.Add(-time.Second) }, epoch, true},
		"idle at this very instant":       {try, func(s *session.Session) { s.IdleExpiresAt = at }, epoch, true},
		"old at this very instant":        {try, func(s *session.Session) { s.ExpiresAt = at }, epoch, true},
		"the epoch has risen":             {try, nil, epoch + 1, true},
		"the session moved on without it": {try, func(s *session.Session) { s.Epoch = epoch + 1 }, epoch + 1, true},
		"begun without an epoch":          {signin.Attempt{Account: "usr_1", Session: "ses_1"}, nil, epoch, true},
	} {
		s := live
		if c.s != nil {
			c.s(&s)
		}
		if got := c.try.Orphaned(s, c.epoch, at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
