package signin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
)

var (
	now   = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	terms = signin.Terms{
		ID: "ses_1", Now: now, DeviceHash: []byte("hash"), NewDevice: "lds_new",
		Lifetimes: session.Lifetimes{Access: 15 * time.Minute, Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour},
	}
	ann    = account.Account{ID: "usr_1", Epoch: 4, Email: "a@b.co", EmailVerified: true, PasswordHash: "x"}
	banned = account.Account{ID: "usr_2", Epoch: 1, BannedAt: now.Add(-time.Hour)}
)

func current() session.Session {
	return session.Session{
		ID: "ses_9", Account: ann.ID, Epoch: ann.Epoch, Generation: 7, Methods: []string{"password"}, AAL: 1,
		IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour), AuthenticatedAt: now.Add(-time.Hour),
	}
}

func TestNext(t *testing.T) {
	ended, foreign, old := current(), current(), current()
	ended.EndedAt = now
	foreign.Account = "usr_3"
	old.Epoch--
	for _, test := range []struct {
		name  string
		state signin.State
		want  error // nil: granted
	}{
		{"a password", signin.State{Purpose: signin.SignIn, Account: ann, Proofs: []signin.Method{signin.Password}}, nil},
		{"nothing proven", signin.State{Purpose: signin.SignIn, Account: ann}, signin.ErrInvalidCredentials},
		{"nobody", signin.State{Purpose: signin.SignIn, Proofs: []signin.Method{signin.Password}}, signin.ErrInvalidCredentials},
		{"banned, by password alone", signin.State{Purpose: signin.SignIn, Account: banned, Proofs: []signin.Method{signin.Password}}, signin.ErrInvalidCredentials},
		{"banned, by code", signin.State{Purpose: signin.SignIn, Account: banned, Proofs: []signin.Method{signin.EmailCode}}, signin.ErrAccountBanned},
		{"again", signin.State{Purpose: signin.Reauthenticate, Account: ann, Proofs: []signin.Method{signin.Password}, Current: current()}, nil},
		{"again, without a session", signin.State{Purpose: signin.Reauthenticate, Account: ann, Proofs: []signin.Method{signin.Password}}, session.ErrEnded},
		{"again, ended", signin.State{Purpose: signin.Reauthenticate, Account: ann, Proofs: []signin.Method{signin.Password}, Current: ended}, session.ErrEnded},
		{"again, another's session", signin.State{Purpose: signin.Reauthenticate, Account: ann, Proofs: []signin.Method{signin.Password}, Current: foreign}, session.ErrEnded},
		{"again, an older epoch", signin.State{Purpose: signin.Reauthenticate, Account: ann, Proofs: []signin.Method{signin.Password}, Current: old}, session.ErrEnded},
	} {
		t.Run(test.name, func(t *testing.T) {
			granted, err := signin.Next(test.state, terms)
			if !errors.Is(err, test.want) || (test.want == nil) != (err == nil) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			if granted.Zero() != (err != nil) {
				t.Error("a refusal grants, or a grant refuses")
			}
		})
	}
}

func TestBegin(t *testing.T) {
	for delivery, bound := range map[session.Delivery]bool{session.Token: false, session.Memory: true, session.Cookie: true} {
		granted, err := signin.Next(signin.State{
			Purpose: signin.SignIn, Account: ann, Proofs: []signin.Method{signin.EmailCode}, Browser: session.Browser{Delivery: delivery},
		}, terms)
		if err != nil {
			t.Fatal(err)
		}
		s := granted.Session()
		if s.Bound != bound || s.Generation != 1 || s.Epoch != ann.Epoch || s.AAL != 1 || s.Client != signin.DefaultClient {
			t.Errorf("%s: %+v", delivery, s)
		}
		if !s.IdleExpiresAt.Equal(now.Add(terms.Lifetimes.Idle)) || !s.ExpiresAt.Equal(now.Add(terms.Lifetimes.Absolute)) || !s.AuthenticatedAt.Equal(now) {
			t.Errorf("%s: times %+v", delivery, s)
		}
	}
	short := terms
	short.Lifetimes.Absolute = time.Hour
	granted, err := signin.Next(signin.State{
		Purpose: signin.SignIn, Account: ann, Proofs: []signin.Method{signin.Password}, ProvenAt: now.Add(-time.Minute),
	}, short)
	if err != nil {
		t.Fatal(err)
	}
	if s := granted.Session(); s.IdleExpiresAt.After(s.ExpiresAt) || !s.AuthenticatedAt.Equal(now.Add(-time.Minute)) {
		t.Errorf("%+v", s)
	}
}

func TestAgainKeepsTheSession(t *testing.T) {
	granted, err := signin.Next(signin.State{
		Purpose: signin.Reauthenticate, Account: ann, Proofs: []signin.Method{signin.EmailCode}, Current: current(),
	}, terms)
	if err != nil {
		t.Fatal(err)
	}
	s := granted.Session()
	if s.ID != "ses_9" || s.Generation != 8 || !s.AuthenticatedAt.Equal(now) || s.AuthenticatedBy != "email_code" ||
		!slices.Equal(s.Methods, []string{"password", "email_code"}) || s.AAL != 1 || granted.Device() != "" || !granted.Again() {
		t.Errorf("%+v", s)
	}
}

func TestAttemptValue(t *testing.T) {
	id, value := signin.NewAttemptValue(now)
	if got, ok := signin.ParseAttemptValue(value.Reveal()); !ok || got != id {
		t.Errorf("%s %v", got, ok)
	}
	text := value.Reveal()
	for _, bad := range []string{"", string(id), text + "A", text[:len(text)-1], strings.ToUpper(text), strings.Replace(text, "att_", "ses_", 1), text[:30] + "." + text[31:], text[:len(text)-1] + "="} {
		if _, ok := signin.ParseAttemptValue(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseAttemptValue(f *testing.F) {
	_, value := signin.NewAttemptValue(now)
	f.Add(value.Reveal())
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := signin.ParseAttemptValue(s); ok && (!strings.HasPrefix(s, string(id)+"_") || len(s) != 53) {
			t.Errorf("%q", s)
		}
	})
}

func TestAMRs(t *testing.T) {
	if got := signin.AMRs([]string{"password", "new_account", "email_code"}); !slices.Equal(got, []string{"pwd", "otp"}) {
		t.Error(got)
	}
}

func TestAttemptStatus(t *testing.T) {
	live := signin.Attempt{ExpiresAt: now.Add(time.Minute), SentAt: now}
	done, out := live, live
	done.EndedAt, done.Outcome = now, signin.OutcomeComplete
	out.EndedAt, out.Outcome = now, signin.OutcomeDisplaced
	if live.Status(now) != "pending" || live.Status(now.Add(time.Minute)) != "expired" || done.Status(now) != "complete" || out.Status(now) != "expired" {
		t.Error("a status is wrong")
	}
	if live.ResendIn(now.Add(10*time.Second), 30*time.Second) != 20*time.Second || live.ResendIn(now.Add(time.Hour), 30*time.Second) != 0 {
		t.Error("the pause is wrong")
	}
}

// TestShown: a session is what the presented token says of it, and never more than the row.
func TestShown(t *testing.T) {
	at := now.Add(-5 * time.Minute)
	row := current()
	row.AuthenticatedAt, row.AuthenticatedBy = at.Add(300*time.Millisecond), "email_code"
	row.Methods, row.AAL = []string{"password", "email_code"}, 2
	for _, test := range []struct {
		name     string
		authTime time.Time
		acr      string
		amr      []string
		at       time.Time
		by       string
		methods  []string
		aal      int
	}{
		{"the newest token", at, "aal2", []string{"pwd", "otp"}, row.AuthenticatedAt, "email_code", row.Methods, 2},
		{"a token from before the step-up", at.Add(-time.Hour), "aal1", []string{"pwd"}, at.Add(-time.Hour), "", []string{"password"}, 1},
		{"of the same second", at, "aal1", []string{"pwd"}, row.AuthenticatedAt, "", []string{"password"}, 1},
		{"of the second before, by both methods", at.Add(-time.Second), "aal2", []string{"pwd", "otp"}, at.Add(-time.Second), "", row.Methods, 2},
		{"of a proof that the row does not know", at.Add(time.Minute), "aal3", []string{"pwd", "otp", "hwk"}, row.AuthenticatedAt, "", row.Methods, 2},
		{"without a level", at, "", nil, row.AuthenticatedAt, "", nil, 0},
	} {
		got := signin.Shown(row, test.authTime.Unix(), test.acr, test.amr)
		if !got.AuthenticatedAt.Equal(test.at) || got.AuthenticatedBy != test.by || !slices.Equal(got.Methods, test.methods) || got.AAL != test.aal {
			t.Errorf("%s: at %v by %q with %v at level %d", test.name, got.AuthenticatedAt, got.AuthenticatedBy, got.Methods, got.AAL)
		}
		if len(row.Methods) != 2 || row.Methods[1] != "email_code" {
			t.Fatal("the row was changed")
		}
	}
}

// TestPasswordChanged: the same session goes on with a new device, as proven as the token
// that changed it, and a session that is over does not.
func TestPasswordChanged(t *testing.T) {
	row := current()
	row.AuthenticatedAt, row.AuthenticatedBy, row.Methods = now, "email_code", []string{"password", "email_code"}
	shown := signin.Shown(row, now.Add(-time.Minute).Unix(), "aal1", []string{"pwd"})
	granted, err := signin.PasswordChanged(ann, row, shown, terms)
	if err != nil || !granted.Again() || granted.Device() != "lds_new" {
		t.Fatalf("%v, again %v, device %q", err, granted.Again(), granted.Device().Reveal())
	}
	s := granted.Session()
	if s.ID != row.ID || s.Generation != 8 || s.CutGeneration != 8 || !s.CutAt.Equal(now) || string(s.DeviceHash) != "hash" {
		t.Errorf("%+v", s)
	}
	if !s.AuthenticatedAt.Equal(shown.AuthenticatedAt) || s.AuthenticatedBy != "" || !slices.Equal(s.Methods, []string{"password"}) {
		t.Errorf("a changed password proves %v at %v by %q", s.Methods, s.AuthenticatedAt, s.AuthenticatedBy)
	}
	ended, foreign, old := current(), current(), current()
	ended.EndedAt = now
	foreign.Account = "usr_3"
	old.Epoch--
	for _, s := range []session.Session{ended, foreign, old, {}} {
		if granted, err := signin.PasswordChanged(ann, s, current(), terms); !errors.Is(err, session.ErrEnded) || !granted.Zero() {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
