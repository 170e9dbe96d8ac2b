package pages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

// TestTokenLeavesTheAddress: once a link is used, its token does not stand in the address.
// Where scripts run it never stays there, nor in the history, and a reload finds it all the
// same as long as the link is good.
func TestTokenLeavesTheAddress(t *testing.T) {
	s := app.SQLite(t, nil)
	chromium := browser.New(t)
	clean := func(t *testing.T, tab *browser.Tab, where string) {
		t.Helper()
		if strings.Contains(tab.URL(), "token") {
			t.Errorf("%s: the token stands in the address", where)
		}
	}
	forgotten := func(t *testing.T, tab *browser.Tab) {
		t.Helper()
		for _, address := range tab.History() {
			if strings.Contains(address, "token") {
				t.Error("the token stands in the history")
			}
		}
	}
	const email = "mia@example.com"
	person(t, s, email)

	t.Run("sign in here", func(t *testing.T) {
		tab := chromium.Tab(t)
		tab.Open(s.URL + "/sign-in")
		tab.Fill("#identifier", email)
		tab.Go("button[formaction]")
		link := linkTo(t, s, email)
		tab.Open(link)
		tab.Wait("#profile")
		clean(t, tab, "signed in")
		forgotten(t, tab)
		used := chromium.Tab(t)
		used.Open(link)
		used.Until(`!location.search`)
		forgotten(t, used)
	})
	s.Clock.Advance(time.Hour)
	for _, scripts := range []bool{true, false} {
		t.Run(map[bool]string{true: "elsewhere", false: "elsewhere, without scripts"}[scripts], func(t *testing.T) {
			s.Clock.Advance(time.Hour)
			match := matchOn(t, askForLink(t, s.Client(t, ""), email))
			tab := chromium.Tab(t)
			tab.Scripts(scripts)
			tab.Open(linkTo(t, s, email))
			if scripts {
				forgotten(t, tab)
				browser.Eval[any](tab, "document.body.innerHTML = '', location.reload(), null")
				tab.Wait("form[action='/sign-in/link']")
				forgotten(t, tab)
			}
			tab.Go(".card .btn-primary")
			clean(t, tab, "approval")
			tab.Fill("#match", match)
			tab.Go("button[value=approve]")
			clean(t, tab, "approved")
			if scripts {
				forgotten(t, tab)
			}
		})
		t.Run(map[bool]string{true: "recovery", false: "recovery, without scripts"}[scripts], func(t *testing.T) {
			s.Clock.Advance(time.Hour)
			tab := chromium.Tab(t)
			tab.Scripts(scripts)
			tab.Open(s.URL + "/recovery")
			tab.Fill("#email", email)
			tab.Go(".card .btn-primary")
			tab.Open(s.URL + "/recovery/new-password?token=" + s.TokenFor(t, email))
			tab.Fill("#new_password", "short")
			tab.Go(".card .btn-primary")
			clean(t, tab, "a password that is too short")
			tab.Fill("#new_password", newPassword)
			tab.Go(".card .btn-primary")
			clean(t, tab, "recovered")
			if scripts {
				forgotten(t, tab)
			}
		})
	}
}
