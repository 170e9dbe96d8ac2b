package pages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/pages"
)

func TestMoments(t *testing.T) {
	c := catalogue(t)
	for _, x := range []struct {
		lang string
		past time.Duration
		want string
	}{
		{"en", -time.Hour, "just now"}, // another machine's clock
		{"en", 59 * time.Second, "just now"},
		{"en", time.Minute, "1 minute ago"},
		{"en", 59*time.Minute + 59*time.Second, "59 minutes ago"},
		{"en", time.Hour, "1 hour ago"},
		{"en", 23*time.Hour + 59*time.Minute, "23 hours ago"},
		{"en", 24 * time.Hour, "1 day ago"},
		{"en", 7*24*time.Hour - time.Second, "6 days ago"},
		{"en", 7 * 24 * time.Hour, "14 November 2026"},
		{"fr", 20 * 24 * time.Hour, "1er novembre 2026"},
		{"fr", 21 * 24 * time.Hour, "31 octobre 2026"},
		{"ar", 2 * time.Hour, "قبل ساعتين"},
		{"ar", 20 * 24 * time.Hour, "1 نوفمبر 2026"},
	} {
		got := string(page(c, x.lang, "/").Ago(noon.Add(-x.past)))
		if !strings.HasSuffix(got, ">"+x.want+"</time>") {
			t.Errorf("%s %v: %s, want %s", x.lang, x.past, got, x.want)
		}
	}
	// Whatever zone a moment comes in, the page speaks UTC.
	east := time.Date(2026, 11, 22, 1, 30, 0, 0, time.FixedZone("east", 5*3600))
	if got := string(page(c, "fr", "/").Ago(east)); !strings.Contains(got, `datetime="2026-11-21T20:30:00Z" title="21 novembre 2026 à 20:30 UTC"`) {
		t.Error(got)
	}
}

func TestProblems(t *testing.T) {
	p := page(catalogue(t), "en", "/")
	taken := p.Problem(fault.New(fault.Conflict, "username_taken", ""), 8)
	if taken.Fields["username"] != taken.Text || len(taken.Names()) != 0 {
		t.Errorf("the field and the summary say different things: %+v", taken)
	}
	several := p.Problem(fault.ErrInvalidRequest.Field("password", "too_short").Field("email", "required").Field("nobody", "odd"), 12)
	if got := strings.Join(several.Names(), " "); got != "nobody email password" {
		t.Error(got)
	}
	if several.Fields["password"] != "Use at least 12 characters." || several.Only() != "" {
		t.Errorf("%+v", several)
	}
	if got := p.Problem(fault.Invalidate("code", "required"), 8).Only(); got != "code" {
		t.Error(got)
	}
	if got := (pages.Account{Problem: several, Section: pages.ProfileForm}).In(pages.DeleteForm); got != nil {
		t.Error("one form's problem shows in another")
	}
}
