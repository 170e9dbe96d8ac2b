package pages

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// confirmURL is the step-up page; purpose says what the person wanted to do.
func confirmURL(values map[string]string, more ...string) string {
	q := url.Values{}
	if purpose := values["for"]; purpose != "" {
		q.Set("for", purpose)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	if len(q) == 0 {
		return "/account/confirm"
	}
	return "/account/confirm?" + q.Encode()
}

func (p *Pages) confirmForm(c *web.Call, v visit) error {
	return p.showConfirm(c, v.values, nil)
}

// showConfirm shows what is asked for: the password, a button that sends a code, or the
// code that was sent.
func (p *Pages) showConfirm(c *web.Call, values map[string]string, why error) error {
	offers := auth.Offers(actor(c))
	view := Confirm{
		Page: p.page(c), Identifier: nameOf(c.Actor), PasswordURL: confirmURL(values),
		CanPassword: slices.Contains(offers, string(signin.Password)), CanCode: slices.Contains(offers, string(signin.EmailCode)),
		SentTo: account.Mask(c.Actor.Account.Email),
	}
	view.Carry = []Pair{{"for", values["for"]}}
	view.Path = confirmURL(values)
	switch {
	case values["attempt"] != "":
		b, err := browser(c)
		if err != nil {
			return err
		}
		owed, err := p.Auth.AttemptOwed(c.R.Context(), secret.Text(values["attempt"]), b)
		if errors.Is(err, signin.ErrAttemptExpired) {
			return p.showConfirm(c, map[string]string{"for": values["for"]}, err)
		}
		if err != nil {
			return err
		}
		view.Step, view.ExpiresIn, view.ResendIn = AskCode, owed.ExpiresIn, owed.ResendIn
		view.Resent = values["resent"] != "" && why == nil
		view.Carry = append(view.Carry, Pair{"attempt", values["attempt"]})
		view.Path = confirmURL(values, "attempt", values["attempt"])
	case !view.CanPassword:
		view.Step = OfferCode
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

func (p *Pages) confirm(c *web.Call, v visit) error {
	if v.values["send"] != "" {
		return p.sendConfirmation(c, v.values, v.from)
	}
	var granted session.Granted
	var err error
	if v.values["attempt"] != "" {
		granted, err = p.confirmByCode(c, v.values, v.from)
	} else {
		granted, err = p.confirmByPassword(c, v.values, v.from)
	}
	if err != nil {
		return p.showConfirm(c, v.values, err)
	}
	issued, err := p.Issuer.Issue(granted)
	if err != nil {
		return err
	}
	to := "/account?saved=confirmed"
	switch purpose := v.values["for"]; purpose {
	case PasswordForm, DeleteForm:
		to += "#" + purpose
	case "addresses":
		to = "/account/addresses?saved=confirmed"
	}
	return web.RedirectGrant(c, onWire(issued), to)
}

// sendConfirmation sends a code, the first or another one.
func (p *Pages) sendConfirmation(c *web.Call, form map[string]string, b session.Browser) error {
	if form["attempt"] != "" {
		if err := p.resend(c, form["attempt"], b); err != nil {
			return p.showConfirm(c, form, err)
		}
		c.Redirect(confirmURL(form, "attempt", form["attempt"], "resent", "1"))
		return nil
	}
	challenge, err := p.Auth.BeginReauthentication(c.R.Context(), actor(c), signin.EmailCode, b)
	if err != nil {
		return p.showConfirm(c, form, err)
	}
	if err := c.KeepAttempt(challenge.Owed.Browser, challenge.Owed.ExpiresIn); err != nil {
		return err
	}
	c.Redirect(confirmURL(form, "attempt", challenge.Owed.Attempt.Reveal()))
	return nil
}

func (p *Pages) confirmByCode(c *web.Call, form map[string]string, b session.Browser) (session.Granted, error) {
	if form["code"] == "" {
		return session.Granted{}, fault.Invalidate("code", "required")
	}
	return p.Auth.Reauthenticate(c.R.Context(), actor(c), auth.Proof{
		Attempt: secret.Text(form["attempt"]), Type: signin.EmailCode, Code: form["code"],
	}, b)
}

func (p *Pages) confirmByPassword(c *web.Call, form map[string]string, b session.Browser) (session.Granted, error) {
	if form["password"] == "" {
		return session.Granted{}, fault.Invalidate("password", "required")
	}
	challenge, err := p.Auth.BeginReauthentication(c.R.Context(), actor(c), signin.Password, b)
	if err != nil {
		return session.Granted{}, err
	}
	b.Attempt = challenge.Owed.Browser
	granted, err := p.Auth.Reauthenticate(c.R.Context(), actor(c), auth.Proof{
		Attempt: challenge.Owed.Attempt, Type: signin.Password, Password: form["password"],
	}, b)
	if errors.Is(err, signin.ErrInvalidCredentials) {
		err = fault.Invalidate("password", "incorrect")
	}
	return granted, err
}
