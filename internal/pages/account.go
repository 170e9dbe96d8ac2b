package pages

import (
	"errors"
	"net/http"
	"strings"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// account is a person's own page.
func (p *Pages) account() web.Table {
	return web.Table{
		{Pattern: "GET /account", Guard: web.SignedIn, Limit: reading, Handle: web.Page(p.showAccount)},
		{Pattern: "POST /account/profile", Guard: web.SignedIn, Limit: trying, Handle: p.posted(p.changeProfile)},
		{Pattern: "POST /account/password", Guard: web.SignedIn, Limit: trying, Hashes: true, Handle: p.posted(p.changePassword)},
		{Pattern: "POST /account/sessions/end", Guard: web.SignedIn, Limit: trying, Handle: p.posted(p.endSession)},
		{Pattern: "POST /account/sessions/end-others", Guard: web.SignedIn, Limit: trying, Handle: p.posted(p.endOtherSessions)},
		{Pattern: "POST /account/delete", Guard: web.SignedIn, Limit: trying, Handle: p.posted(p.deleteAccount)},
		{Pattern: "GET /account/confirm", Guard: web.SignedIn, Limit: reading, Handle: p.asked(p.confirmForm)},
		{Pattern: "POST /account/confirm", Guard: web.SignedIn, Limit: trying, Hashes: true, Handle: p.posted(p.confirm)},
	}
}

const activityShown = 20

func (p *Pages) showAccount(c *web.Call) error {
	saved := c.R.URL.Query().Get("saved")
	switch saved {
	case "profile", "password", "session", "sessions", "confirmed":
	default:
		saved = ""
	}
	view, err := p.accountView(c)
	if err != nil {
		return err
	}
	view.Saved = saved
	return p.show(c, http.StatusOK, view)
}

func (p *Pages) accountView(c *web.Call) (Account, error) {
	who := c.Actor.Account
	v := Account{
		Page: p.page(c), Person: personOf(who), DeleteAsk: nameOf(c.Actor), Keeps: p.Auth.DeletionGrace(who),
		Password: PasswordState{
			Set: who.PasswordHash != "", ChangedAt: who.PasswordChangedAt, MinLength: p.MinLength,
			AskCurrent: auth.AsksCurrent(actor(c)),
		},
	}
	live, err := p.Auth.Sessions(c.R.Context(), actor(c))
	if err != nil {
		return v, err
	}
	for _, s := range live {
		row := SessionRow{
			ID: string(s.ID), Device: s.Device.Label(), Kind: s.Device.Kind, Place: s.Location, IP: s.IP,
			Since: s.CreatedAt, LastSeen: s.LastSeenAt, Current: s.ID == c.Actor.Session.ID,
		}
		if row.Current {
			v.Sessions = append([]SessionRow{row}, v.Sessions...)
		} else {
			v.Sessions = append(v.Sessions, row)
		}
	}
	events, _, err := p.Auth.Events(c.R.Context(), actor(c), "", activityShown)
	if err != nil {
		return v, err
	}
	for _, e := range events {
		v.Activity = append(v.Activity, ActivityRow{
			Text: v.T.Event(string(e.Type)), At: e.At, Refused: e.Outcome == audit.Refused,
			Device: session.DeviceOf(e.UserAgent).Name, IP: e.IP,
		})
	}
	return v, nil
}

func personOf(a account.Account) Person {
	return Person{
		Email: a.Email, EmailVerified: a.EmailVerified, Username: a.Username, FirstName: a.FirstName, LastName: a.LastName, Locale: a.Locale,
	}
}

// back shows the account page again with what was wrong with one of its forms.
func (p *Pages) back(c *web.Call, section string, why error, typed *Person) error {
	view, err := p.accountView(c)
	if err != nil {
		return err
	}
	problem, status, err := p.problem(view.Page, why)
	if err != nil {
		return err
	}
	view.Problem, view.Section = problem, section
	if typed != nil {
		view.Person = *typed
	}
	return p.show(c, status, view)
}

func (p *Pages) changeProfile(c *web.Call, v visit) error {
	first, last, name, locale := v.values["first_name"], v.values["last_name"], v.values["username"], v.values["locale"]
	_, err := p.Auth.UpdateProfile(c.R.Context(), actor(c), account.Profile{
		FirstName: &first, LastName: &last, Username: &name, Locale: &locale,
	}, v.from)
	if err != nil {
		typed := personOf(c.Actor.Account)
		typed.FirstName, typed.LastName, typed.Username, typed.Locale = first, last, name, locale
		return p.back(c, ProfileForm, err, &typed)
	}
	if p.Catalogue.Speaks(locale) {
		c.SetLocaleCookie(languageCookie, locale)
	}
	c.Redirect("/account?saved=profile")
	return nil
}

func (p *Pages) changePassword(c *web.Call, v visit) error {
	if v.values["new_password"] == "" {
		return p.back(c, PasswordForm, fault.Invalidate("new_password", "required"), nil)
	}
	granted, err := p.Auth.ChangePassword(c.R.Context(), actor(c), auth.PasswordChange{
		Current: v.values["current_password"], New: v.values["new_password"], KeepOthers: v.values["sign_out_others"] == "",
	}, v.from)
	switch {
	case errors.Is(err, signin.ErrReauthenticate):
		c.Redirect("/account/confirm?for=password")
		return nil
	case errors.Is(err, signin.ErrInvalidCredentials):
		return p.back(c, PasswordForm, fault.Invalidate("current_password", "incorrect"), nil)
	case err != nil:
		return p.back(c, PasswordForm, err, nil)
	}
	issued, err := p.Issuer.Issue(granted)
	if err != nil {
		return err
	}
	return web.RedirectGrant(c, onWire(issued), "/account?saved=password")
}

func (p *Pages) endSession(c *web.Call, v visit) error {
	// One that has ended meanwhile is what the person wanted.
	err := p.Auth.EndSession(c.R.Context(), actor(c), session.ID(v.values["id"]), v.from)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		return p.back(c, SessionsForm, err, nil)
	}
	c.Redirect("/account?saved=session#sessions")
	return nil
}

func (p *Pages) endOtherSessions(c *web.Call, v visit) error {
	if err := p.Auth.EndOtherSessions(c.R.Context(), actor(c), v.from); err != nil {
		return p.back(c, SessionsForm, err, nil)
	}
	c.Redirect("/account?saved=sessions#sessions")
	return nil
}

func (p *Pages) deleteAccount(c *web.Call, v visit) error {
	if !strings.EqualFold(strings.TrimSpace(v.values["confirm"]), nameOf(c.Actor)) {
		return p.back(c, DeleteForm, fault.Invalidate("confirm", "mismatch"), nil)
	}
	err := p.Auth.DeleteAccount(c.R.Context(), actor(c), v.from)
	switch {
	case errors.Is(err, signin.ErrReauthenticate):
		c.Redirect("/account/confirm?for=delete")
		return nil
	case err != nil:
		return p.back(c, DeleteForm, err, nil)
	}
	c.DropSession()
	if p.Auth.DeletionGrace(c.Actor.Account) {
		c.Redirect("/signed-out?closed=1")
		return nil
	}
	c.Redirect("/signed-out?deleted=1")
	return nil
}
