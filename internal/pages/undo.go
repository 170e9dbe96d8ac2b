package pages

import (
	"context"
	"net/http"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// undoing are the links that undo something, confirm it or report it. Opening one changes
// nothing; its button does, and signs nobody in.
func (p *Pages) undoing() web.Table {
	var t web.Table
	for _, link := range []struct {
		purpose signin.Purpose
		opens   []signin.Purpose // the links that the page is for
		do      func(*web.Call, visit) error
	}{
		{signin.NotMe, []signin.Purpose{signin.NotMe, signin.UndoChange, signin.UndoDeletion}, p.remedy(signin.NotMe, p.Auth.NotMe)},
		{signin.UndoChange, []signin.Purpose{signin.UndoChange}, p.remedy(signin.UndoChange, p.Auth.UndoChange)},
		{signin.UndoDeletion, []signin.Purpose{signin.UndoDeletion}, p.done(signin.UndoDeletion, Kept, p.Auth.UndoDeletion)},
	} {
		t = append(t,
			web.Row{Pattern: "GET " + askPaths[link.purpose], Guard: web.Anyone, Limit: reading, Handle: p.asked(p.ask(link.purpose, link.opens))},
			web.Row{Pattern: "POST " + askPaths[link.purpose], Guard: web.Anyone, Limit: trying, Handle: p.posted(link.do)})
	}
	return append(t,
		web.Row{Pattern: "GET " + askPaths[signin.VerifyEmail], Guard: web.Anyone, Limit: reading, Handle: p.asked(p.confirmEmailForm)},
		web.Row{Pattern: "POST " + askPaths[signin.VerifyEmail], Guard: web.Anyone, Limit: trying, Handle: p.posted(p.confirmEmail)})
}

// done does what a link is for and says so.
func (p *Pages) done(purpose signin.Purpose, state OverState, do func(context.Context, secret.Text, session.Browser) error) func(*web.Call, visit) error {
	return func(c *web.Call, v visit) error {
		if err := do(c.R.Context(), tokenOf(c, v), v.from); err != nil {
			return p.linkOver(c, v, purpose, err)
		}
		return p.showOver(c, http.StatusOK, v, purpose, state)
	}
}

// askPaths are where the letters' links lead.
var askPaths = map[signin.Purpose]string{
	signin.NotMe: "/not-me", signin.UndoChange: "/undo/change", signin.UndoDeletion: "/undo/deletion", signin.VerifyEmail: "/email/confirm",
}

// ask shows what a link would do.
func (p *Pages) ask(purpose signin.Purpose, opens []signin.Purpose) func(*web.Call, visit) error {
	return func(c *web.Call, v visit) error {
		token := tokenOf(c, v)
		subject, err := p.Auth.LinkSubject(c.R.Context(), token, v.from, opens...)
		if err != nil {
			return p.linkOver(c, v, purpose, err)
		}
		view := Ask{Page: p.page(c), Purpose: purpose, Address: subject.Address}
		view.Carry = []Pair{{"token", token.Reveal()}}
		return p.show(c, http.StatusOK, view)
	}
}

// Ask is the page behind a link that takes something back, confirms it or denies it.
type Ask struct {
	Page
	Purpose signin.Purpose
	Address string // masked; which address is to be confirmed
}

// Screen names the template.
func (Ask) Screen() string { return "ask" }

// Action is where the button leads.
func (v Ask) Action() string { return askPaths[v.Purpose] }

// Heading asks, Lede tells what the button does, and Submit is its label.
func (v Ask) Heading() string { return v.T.Text("ask." + string(v.Purpose) + "_title") }
func (v Ask) Submit() string  { return v.T.Text("ask." + string(v.Purpose) + "_submit") }
func (v Ask) Lede() string {
	if v.Confirms() {
		return ""
	}
	return v.T.Text("ask." + string(v.Purpose) + "_lede")
}

// Confirms and Alarms are for the template: an address is to be confirmed, something has
// happened that should not have.
func (v Ask) Confirms() bool { return v.Purpose == signin.VerifyEmail }
func (v Ask) Alarms() bool   { return v.Purpose == signin.NotMe }

// ReportPath is where a second button leads that reports instead; "" shows none.
func (v Ask) ReportPath() string {
	if v.Purpose == signin.UndoDeletion {
		return askPaths[signin.NotMe]
	}
	return ""
}
