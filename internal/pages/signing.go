package pages

import (
	"net/http"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

func (p *Pages) signInForm(c *web.Call, v visit) error {
	if who, err := c.Identify(); err == nil && v.values["prompt"] != "login" {
		if v.to.RedirectTo() == "" {
			c.Redirect("/account")
			return nil
		}
		return p.offerContinue(c, who, v.to)
	}
	if v.values["screen_hint"] == "signup" {
		c.Redirect(v.to.link("/sign-up"))
		return nil
	}
	view := p.signInView(c, v)
	view.Path, view.Identifier = c.R.URL.RequestURI(), v.values["login_hint"]
	view.Ended, view.Changed = v.values["ended"] != "", v.values["changed"] != ""
	return p.show(c, http.StatusOK, view, v.to.onward()...)
}

// signInView is the sign-in form with what was typed into it before.
func (p *Pages) signInView(c *web.Call, v visit) SignIn {
	view := SignIn{Page: p.page(c), Identifier: v.values["identifier"], SignUpURL: p.signUpURL(v.to), NoLetters: !p.Auth.Post.Ready()}
	view.Phones = p.Auth.Post.CanText()
	view.Carry, view.Path = v.to.carry(), v.to.link("/sign-in")
	if !view.NoLetters {
		view.ForgotURL = v.to.link("/recovery")
	}
	return view
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

func (p *Pages) continueAs(c *web.Call, v visit) error {
	onward, err := p.lead(c, actor(c), v.to, v.from)
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

func (p *Pages) signIn(c *web.Call, v visit) error {
	out, err := p.trySignIn(c, v.values, v.from)
	if err != nil {
		return p.refuseSignIn(c, v, err)
	}
	return p.goOn(c, out, v)
}

// refuseSignIn shows the sign-in form again with the reason why the person is back there.
func (p *Pages) refuseSignIn(c *web.Call, v visit, why error) error {
	view := p.signInView(c, v)
	var status int
	var err error
	if view.Problem, status, err = p.problem(view.Page, why); err != nil {
		return err
	}
	return p.show(c, status, view, v.to.onward()...)
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
func (p *Pages) goOn(c *web.Call, out auth.Outcome, v visit, more ...string) error {
	if out.Owed == nil {
		return p.enter(c, out.Granted, v.to, v.from)
	}
	if err := c.KeepAttempt(out.Owed.Browser, out.Owed.ExpiresIn); err != nil {
		return err
	}
	c.Redirect(v.to.link("/sign-in/code", append(more, "attempt", out.Owed.Attempt.Reveal())...))
	return nil
}

func (p *Pages) signUpForm(c *web.Call, v visit) error {
	if !p.SignUp {
		return signin.ErrSignUpClosed
	}
	page := p.page(c)
	page.Carry = v.to.carry()
	return p.show(c, http.StatusOK, p.signUpView(page, v.to, map[string]string{"email": v.values["login_hint"]}), v.to.onward()...)
}

func (p *Pages) signUpView(page Page, to destination, form map[string]string) SignUp {
	return SignUp{
		Page: page, Email: form["email"], Username: form["username"], AskUsername: true, MinLength: p.MinLength,
		NoLetters: !p.Auth.Post.Ready(), SignInURL: to.link("/sign-in"),
	}
}

func (p *Pages) signUp(c *web.Call, v visit) error {
	out, err := p.trySignUp(c, v.values, p.page(c).Lang(), v.from)
	if err != nil {
		return p.refuseSignUp(c, v, err)
	}
	return p.goOn(c, out, v, "via", viaSignUp)
}

// refuseSignUp shows the sign-up form again with what was wrong with it.
func (p *Pages) refuseSignUp(c *web.Call, v visit, why error) error {
	page := p.page(c)
	page.Carry, page.Path = v.to.carry(), v.to.link("/sign-up")
	problem, status, err := p.problem(page, why)
	if err != nil {
		return err
	}
	view := p.signUpView(page, v.to, v.values)
	view.Problem = problem
	return p.show(c, status, view, v.to.onward()...)
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

func (p *Pages) signOut(c *web.Call, v visit) error {
	scope := auth.Scope(v.values["scope"])
	if scope != auth.Everywhere {
		scope = auth.Local
	}
	to := "/signed-out"
	who, err := c.Identify()
	if err == nil {
		if err := p.Auth.SignOut(c.R.Context(), who.Session, scope, v.from); err != nil {
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
	case query.Get("closed") != "":
		view.After = Closed
	case query.Get("deleted") != "":
		view.After = Deleted
		view.SignUpURL = p.signUpURL(destination{})
	case query.Get("everywhere") != "":
		view.After = OutEverywhere
	}
	return p.show(c, http.StatusOK, view)
}
