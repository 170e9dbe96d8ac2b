package pages

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// recovery leads whoever forgot a password to a new one. It signs nobody in.
func (p *Pages) recovery() web.Table {
	return web.Table{
		{Pattern: "GET /recovery", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.recoveryForm)},
		{Pattern: "POST /recovery", Guard: web.Anyone, Limit: asking, Handle: p.posted(p.beginRecovery)},
		{Pattern: "GET /recovery/code", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.recoveryCodeForm)},
		{Pattern: "POST /recovery/code", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.takeRecoveryCode)},
		{Pattern: "POST /recovery/code/resend", Guard: web.Anyone, Limit: asking, Handle: p.posted(p.resendRecovery)},
		{Pattern: "GET /recovery/new-password", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.newPasswordForm)},
		{Pattern: "POST /recovery/new-password", Guard: web.Anyone, Limit: trying, Hashes: true, Handle: p.posted(p.recover)},
	}
}

func (p *Pages) recoveryForm(c *web.Call, v visit) error {
	v.values["email"] = v.values["login_hint"]
	return p.showRecovery(c, v, nil)
}

func (p *Pages) showRecovery(c *web.Call, v visit, why error) error {
	view := Recovery{Page: p.page(c), Email: v.values["email"], SignInURL: v.to.link("/sign-in")}
	view.Carry, view.Path = v.to.carry(), v.to.link("/recovery")
	status := http.StatusOK
	if why != nil {
		var err error
		if view.Problem, status, err = p.problem(view.Page, why); err != nil {
			return err
		}
	}
	return p.show(c, status, view)
}

func (p *Pages) beginRecovery(c *web.Call, v visit) error {
	if v.values["email"] == "" {
		return p.showRecovery(c, v, fault.Invalidate("email", "required"))
	}
	owed, err := p.Auth.BeginRecovery(c.R.Context(), v.values["email"], p.page(c).Lang(), v.from)
	if err != nil {
		return p.showRecovery(c, v, err)
	}
	return p.awaitRecovery(c, v, owed)
}

// awaitRecovery leads on to the screen for the letter's code.
func (p *Pages) awaitRecovery(c *web.Call, v visit, owed auth.Verification, more ...string) error {
	if err := c.KeepAttempt(owed.Browser, owed.ExpiresIn); err != nil {
		return err
	}
	c.Redirect(v.to.link("/recovery/code", append(more, "attempt", owed.Attempt.Reveal())...))
	return nil
}

func (p *Pages) recoveryCodeForm(c *web.Call, v visit) error { return p.showRecoveryCode(c, v, nil) }

func (p *Pages) showRecoveryCode(c *web.Call, v visit, why error) error {
	attempt := v.values["attempt"]
	owed, err := p.Auth.AttemptOwed(c.R.Context(), secret.Text(attempt), v.from)
	if errors.Is(err, signin.ErrAttemptExpired) {
		return p.showRecovery(c, v, err)
	}
	if err != nil {
		return err
	}
	view := Code{
		Page: p.page(c), Action: "/recovery/code", SentTo: owed.SentTo, Mailbox: mailboxOf(owed.SentTo),
		ExpiresIn: owed.ExpiresIn, ResendIn: owed.ResendIn, Recovering: true,
		Secured: v.values["secured"] != "" && why == nil, ChangeURL: v.to.link("/recovery"),
	}
	view.Carry = append(v.to.carry(), Pair{"attempt", attempt})
	view.Path = v.to.link("/recovery/code", "attempt", attempt)
	status := http.StatusOK
	if why != nil {
		if view.Problem, status, err = p.problem(view.Page, why); err != nil {
			return err
		}
	}
	return p.show(c, status, view)
}

// takeRecoveryCode asks for the new password next: code and password are judged together,
// so that a password that does not do costs no code.
func (p *Pages) takeRecoveryCode(c *web.Call, v visit) error {
	if v.values["code"] == "" {
		return p.showRecoveryCode(c, v, fault.Invalidate("code", "required"))
	}
	v.values["token"] = ""
	return p.showNewPassword(c, v, nil)
}

func (p *Pages) resendRecovery(c *web.Call, v visit) error {
	if err := p.resend(c, v.values["attempt"], v.from); err != nil {
		return p.showRecoveryCode(c, v, err)
	}
	c.Redirect(v.to.link("/recovery/code", "attempt", v.values["attempt"], "resent", "1"))
	return nil
}

func (p *Pages) newPasswordForm(c *web.Call, v visit) error {
	v.values["attempt"] = "" // a code in an address is not taken
	return p.showNewPassword(c, v, nil)
}

// showNewPassword asks for the new password of whom the link or the attempt belongs to.
func (p *Pages) showNewPassword(c *web.Call, v visit, why error) error {
	token := tokenOf(c, v)
	view := NewPassword{Page: p.page(c), MinLength: p.MinLength}
	if attempt := v.values["attempt"]; attempt != "" && token == "" {
		owed, err := p.Auth.AttemptOwed(c.R.Context(), secret.Text(attempt), v.from)
		if err != nil {
			return p.endRecovery(c, v, err)
		}
		view.Address, view.Path = owed.SentTo, v.to.link("/recovery/code", "attempt", attempt)
		view.Carry = append(v.to.carry(), Pair{"attempt", attempt}, Pair{"code", v.values["code"]})
	} else {
		subject, err := p.Auth.LinkSubject(c.R.Context(), token, v.from, signin.Recover)
		if err != nil {
			return p.endRecovery(c, v, err)
		}
		view.Address, view.Path = subject.Address, "/recovery/new-password?"+url.Values{"token": {token.Reveal()}}.Encode()
		view.Carry = append(v.to.carry(), Pair{"token", token.Reveal()})
	}
	status := http.StatusOK
	if why != nil {
		var err error
		if view.Problem, status, err = p.problem(view.Page, why); err != nil {
			return err
		}
	}
	return p.show(c, status, view)
}

func (p *Pages) recover(c *web.Call, v visit) error {
	if v.values["new_password"] == "" {
		return p.showNewPassword(c, v, fault.Invalidate("new_password", "required"))
	}
	review, err := p.Auth.ConfirmRecovery(c.R.Context(), auth.Recovery{
		Token: tokenOf(c, v), Attempt: secret.Text(v.values["attempt"]), Code: v.values["code"], Password: v.values["new_password"],
	}, v.from)
	if err != nil {
		return p.endRecovery(c, v, err)
	}
	if _, err := c.Identify(); err != nil {
		c.DropSession() // it has just ended
	}
	if review != nil {
		return p.beginReview(c, v, *review, nil)
	}
	c.Redirect(v.to.link("/sign-in", "changed", "1"))
	return nil
}

// endRecovery goes where a refusal can be helped: to the password, to the code, or to a
// new beginning.
func (p *Pages) endRecovery(c *web.Call, v visit, why error) error {
	f := fault.Of(why)
	switch {
	case f.Fields["password"] != "":
		return p.showNewPassword(c, v, fault.Invalidate("new_password", f.Fields["password"]))
	case f.Is(signin.ErrCodeIncorrect), f.Is(signin.ErrTooManyAttempts):
		return p.showRecoveryCode(c, v, why)
	case f.Is(signin.ErrAttemptExpired):
		return p.showRecovery(c, v, why)
	}
	return p.linkOver(c, v, signin.Recover, why)
}

// Recovery asks for the address of whoever forgot a password.
type Recovery struct {
	Page
	Problem   *Problem
	Email     string // what was typed before, or a login hint
	SignInURL string
}

// Screen names the template.
func (Recovery) Screen() string { return "recovery" }

// NewPassword asks for a password in place of a forgotten one.
type NewPassword struct {
	Page
	Problem   *Problem
	Address   string // masked; whose password it will be
	MinLength int
}

// Screen names the template.
func (NewPassword) Screen() string { return "new-password" }
