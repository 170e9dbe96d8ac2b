package pages

import (
	"errors"
	"net/http"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

func (p *Pages) signInForm(c *web.Call) error {
	query, err := c.Query()
	if err != nil {
		return err
	}
	to, err := p.destinationOf(query)
	if err != nil {
		return err
	}
	if who, err := c.Identify(); err == nil && query["prompt"] != "login" {
		if to.redirectTo == "" {
			c.Redirect("/account")
			return nil
		}
		return p.offerContinue(c, who, to)
	}
	if query["screen_hint"] == "signup" {
		c.Redirect(to.link("/sign-up"))
		return nil
	}
	page := p.page(c)
	page.Carry = to.carry()
	return p.show(c, http.StatusOK, SignIn{
		Page: page, Identifier: query["login_hint"], SignUpURL: p.signUpURL(to), Ended: query["ended"] != "",
	}, to.onward()...)
}

// offerContinue asks a person who is signed in already whether to go on to the
// application: no application gets a session without a deed of theirs (ASVS 7.6.2).
func (p *Pages) offerContinue(c *web.Call, who *web.Actor, to destination) error {
	page := p.page(c)
	page.Carry = to.carry()
	return p.show(c, http.StatusOK, Continue{
		Page: page, Identifier: nameOf(who), OtherURL: to.link("/sign-in", "prompt", "login"),
	}, to.onward()...)
}

func nameOf(who *web.Actor) string {
	if who.Account.Email != "" {
		return who.Account.Email
	}
	return who.Account.Username
}

func (p *Pages) continueAs(c *web.Call) error {
	form, err := c.Form()
	if err != nil {
		return err
	}
	to, err := p.destinationOf(form)
	if err != nil {
		return err
	}
	b, err := browser(c)
	if err != nil {
		return err
	}
	onward, err := p.lead(c, actor(c), to, b)
	if err != nil {
		return err
	}
	c.Redirect(onward)
	return nil
}

func (p *Pages) signUpURL(to destination) string {
	if !p.SignUp {
		return ""
	}
	return to.link("/sign-up")
}

func (p *Pages) signIn(c *web.Call) error {
	form, err := c.Form()
	if err != nil {
		return err
	}
	to, err := p.destinationOf(form)
	if err != nil {
		return err
	}
	b, err := browser(c)
	if err != nil {
		return err
	}
	out, err := p.trySignIn(c, form, b)
	if err == nil {
		return p.goOn(c, out, to, b)
	}
	page := p.page(c)
	page.Carry, page.Path = to.carry(), to.link("/sign-in")
	problem, status, err := p.problem(page, err)
	if err != nil {
		return err
	}
	return p.show(c, status, SignIn{
		Page: page, Problem: problem, Identifier: form["identifier"], SignUpURL: p.signUpURL(to),
	}, to.onward()...)
}

func (p *Pages) trySignIn(c *web.Call, form map[string]string, b session.Browser) (auth.Outcome, error) {
	bad := fault.ErrInvalidRequest
	for _, field := range []string{"identifier", "password"} {
		if form[field] == "" {
			bad = bad.Field(field, "required")
		}
	}
	if len(bad.Fields) > 0 {
		return auth.Outcome{}, bad
	}
	return p.Auth.SignInPassword(c.R.Context(), form["identifier"], form["password"], b)
}

// goOn follows an outcome: into the application, or to the proof that is still owed.
func (p *Pages) goOn(c *web.Call, out auth.Outcome, to destination, b session.Browser) error {
	if out.Owed == nil {
		return p.enter(c, out.Granted, to, b)
	}
	if err := c.KeepAttempt(out.Owed.Browser, out.Owed.ExpiresIn); err != nil {
		return err
	}
	c.Redirect(to.link("/sign-in/code", "attempt", out.Owed.Attempt.Reveal()))
	return nil
}

func (p *Pages) signUpForm(c *web.Call) error {
	query, err := c.Query()
	if err != nil {
		return err
	}
	to, err := p.destinationOf(query)
	if err != nil {
		return err
	}
	if !p.SignUp {
		return signin.ErrSignUpClosed
	}
	page := p.page(c)
	page.Carry = to.carry()
	return p.show(c, http.StatusOK, p.signUpView(page, to, map[string]string{"email": query["login_hint"]}), to.onward()...)
}

func (p *Pages) signUpView(page Page, to destination, form map[string]string) SignUp {
	return SignUp{
		Page: page, Email: form["email"], Username: form["username"], AskUsername: true, MinLength: p.MinLength,
		SignInURL: to.link("/sign-in"),
	}
}

func (p *Pages) signUp(c *web.Call) error {
	form, err := c.Form()
	if err != nil {
		return err
	}
	to, err := p.destinationOf(form)
	if err != nil {
		return err
	}
	b, err := browser(c)
	if err != nil {
		return err
	}
	page := p.page(c)
	page.Carry, page.Path = to.carry(), to.link("/sign-up")
	out, err := p.trySignUp(c, form, page.Lang(), b)
	if err == nil {
		return p.goOn(c, out, to, b)
	}
	view := p.signUpView(page, to, form)
	problem, status, err := p.problem(page, err)
	if err != nil {
		return err
	}
	view.Problem = problem
	return p.show(c, status, view, to.onward()...)
}

// trySignUp asks for what the page demands: an address and a password. Letters come in
// the language of the page.
func (p *Pages) trySignUp(c *web.Call, form map[string]string, lang string, b session.Browser) (auth.Outcome, error) {
	bad := fault.ErrInvalidRequest
	for _, field := range []string{"email", "password"} {
		if form[field] == "" {
			bad = bad.Field(field, "required")
		}
	}
	if len(bad.Fields) > 0 {
		return auth.Outcome{}, bad
	}
	in := auth.SignUp{Email: form["email"], Username: form["username"], Password: form["password"]}
	in.Profile.Locale = &lang
	return p.Auth.SignUp(c.R.Context(), in, b)
}

func (p *Pages) codeForm(c *web.Call) error {
	query, err := c.Query()
	if err != nil {
		return err
	}
	return p.showCode(c, query, nil, http.StatusOK)
}

// showCode shows the form for the code of an attempt that this browser holds.
func (p *Pages) showCode(c *web.Call, values map[string]string, why error, status int) error {
	to, err := p.destinationOf(values)
	if err != nil {
		return err
	}
	b, err := browser(c)
	if err != nil {
		return err
	}
	page := p.page(c)
	page.Carry = append(to.carry(), Pair{"attempt", values["attempt"]})
	page.Path = to.link("/sign-in/code", "attempt", values["attempt"])
	owed, err := p.Auth.AttemptOwed(c.R.Context(), secret.Text(values["attempt"]), b)
	if errors.Is(err, signin.ErrAttemptExpired) {
		return p.startAgain(c, page, to, err)
	}
	if err != nil {
		return err
	}
	view := Code{
		Page: page, SentTo: owed.SentTo, ExpiresIn: owed.ExpiresIn, ResendIn: owed.ResendIn,
		Resent: values["resent"] != "" && why == nil, ChangeURL: to.link("/sign-up"),
	}
	if why != nil {
		if view.Problem, status, err = p.problem(page, why); err != nil {
			return err
		}
	}
	return p.show(c, status, view, to.onward()...)
}

// startAgain shows the sign-in form with the reason why the person is back there.
func (p *Pages) startAgain(c *web.Call, page Page, to destination, why error) error {
	page.Carry, page.Path = to.carry(), to.link("/sign-in")
	problem, status, err := p.problem(page, why)
	if err != nil {
		return err
	}
	return p.show(c, status, SignIn{Page: page, Problem: problem, SignUpURL: p.signUpURL(to)}, to.onward()...)
}

func (p *Pages) redeemCode(c *web.Call) error {
	form, err := c.Form()
	if err != nil {
		return err
	}
	to, err := p.destinationOf(form)
	if err != nil {
		return err
	}
	b, err := browser(c)
	if err != nil {
		return err
	}
	if form["code"] == "" {
		return p.showCode(c, form, fault.Invalidate("code", "required"), http.StatusUnprocessableEntity)
	}
	out, err := p.Auth.RedeemCode(c.R.Context(), secret.Text(form["attempt"]), form["code"], b)
	if err != nil {
		return p.showCode(c, form, err, http.StatusUnauthorized)
	}
	return p.goOn(c, out, to, b)
}

func (p *Pages) resendCode(c *web.Call) error {
	form, err := c.Form()
	if err != nil {
		return err
	}
	to, err := p.destinationOf(form)
	if err != nil {
		return err
	}
	b, err := browser(c)
	if err != nil {
		return err
	}
	if _, err := p.Auth.ResendCode(c.R.Context(), secret.Text(form["attempt"]), b); err != nil {
		return p.showCode(c, form, err, http.StatusTooManyRequests)
	}
	c.Redirect(to.link("/sign-in/code", "attempt", form["attempt"], "resent", "1"))
	return nil
}

func (p *Pages) signOut(c *web.Call) error {
	form, err := c.Form()
	if err != nil {
		return err
	}
	b, err := browser(c)
	if err != nil {
		return err
	}
	scope := auth.Scope(form["scope"])
	if scope != auth.Everywhere {
		scope = auth.Local
	}
	to := "/signed-out"
	who, err := c.Identify()
	if err == nil {
		if err := p.Auth.SignOut(c.R.Context(), who.Session, scope, b); err != nil {
			return err
		}
		if scope == auth.Everywhere {
			to += "?everywhere=1"
		}
	} else if fault.Of(err).Kind != fault.Unauthenticated {
		return err // whose session it is cannot be told: it must not look as if it had ended
	}
	c.DropSession()
	c.Redirect(to)
	return nil
}

func (p *Pages) signedOut(c *web.Call) error {
	query := c.R.URL.Query()
	view := SignedOut{Page: p.page(c), SignInURL: "/sign-in"}
	switch {
	case query.Get("deleted") != "":
		view.After = Deleted
		view.SignUpURL = p.signUpURL(destination{})
	case query.Get("everywhere") != "":
		view.After = OutEverywhere
	}
	return p.show(c, http.StatusOK, view)
}
