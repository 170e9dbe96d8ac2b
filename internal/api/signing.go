package api

import (
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// signing are the ways in.
func (a *API) signing() web.Table {
	return web.Table{
		{Pattern: "POST /v1/sign-up", Guard: web.Anyone, Limit: asking, Hashes: true, Handle: from(a.signUp), Doc: web.Doc{
			Tag: "Sign in", Summary: "Begin an account",
			Detail: "With an e-mail address the answer is needs_verification, for a free and for a taken address alike (enumeration mode strict).",
			Faults: []*fault.Fault{signin.ErrSignUpClosed, auth.ErrUsernameTaken, auth.ErrEmailTaken, auth.ErrCountry, auth.ErrTextsPaused, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/sign-in/password", Guard: web.Anyone, Limit: trying, Hashes: true, Handle: from(a.signInPassword), Doc: web.Doc{
			Tag: "Sign in", Summary: "Sign in with a password",
			Faults: []*fault.Fault{signin.ErrInvalidCredentials, signin.ErrAccountDeleting, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/sign-in/code", Guard: web.Anyone, Limit: trying, Handle: from(a.redeemCode), Doc: web.Doc{
			Tag: "Sign in", Summary: "Prove an address with the code from its letter",
			Faults: []*fault.Fault{
				signin.ErrCodeIncorrect, signin.ErrAttemptExpired, signin.ErrTooManyAttempts, signin.ErrAccountBanned, signin.ErrAccountDeleting,
				auth.ErrUsernameTaken,
			},
		}},
		{Pattern: "POST /v1/sign-in/keep", Guard: web.Anyone, Limit: trying, Handle: from(a.keep), Doc: web.Doc{
			Tag: "Sign in", Summary: "Keep an account that is being deleted",
			Detail: "With the attempt of an account_deleting answer, once, from the same browser, for 10 minutes. Every senior contact is told.",
			Faults: []*fault.Fault{signin.ErrAttemptExpired, signin.ErrAccountBanned},
		}},
		{Pattern: "POST /v1/sign-in/exchange", Guard: web.Anyone, Limit: trying, Handle: from(a.exchange), Doc: web.Doc{
			Tag: "Sign in", Summary: "Fetch the grant of a hosted sign-in on another origin",
			Detail: "The code lives 60 seconds and works once, for the redirect_to and the code_challenge that it was made for.",
			Faults: []*fault.Fault{auth.ErrHandover, signin.ErrAccountBanned},
		}},
	}
}

type signUp struct {
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone,omitempty" doc:"E.164; proven instead of an address where there is none."`
	Username string `json:"username,omitempty" doc:"3 to 32 letters, digits, dots, dashes or underscores."`
	Password string `json:"password,omitempty" doc:"8 to 256 characters of any kind."`
	profile
}

func (a *API) signUp(c *web.Call, b session.Browser, in signUp) (web.Step, error) {
	out, err := a.Auth.SignUp(c.R.Context(), auth.SignUp{
		Email: in.Email, Phone: in.Phone, Username: in.Username, Password: in.Password, Profile: in.account(),
	}, b)
	if err != nil {
		return web.Step{}, err
	}
	return a.step(c, out, b)
}

type signInPassword struct {
	Identifier string `json:"identifier" doc:"An e-mail address, a phone number in international form or a username."`
	Password   string `json:"password"`
}

func (a *API) signInPassword(c *web.Call, b session.Browser, in signInPassword) (web.Step, error) {
	out, err := a.Auth.SignInPassword(c.R.Context(), in.Identifier, in.Password, b)
	if err != nil {
		return web.Step{}, err
	}
	return a.step(c, out, b)
}

type redeemCode struct {
	Attempt string `json:"attempt"`
	Code    string `json:"code"`
}

func (a *API) redeemCode(c *web.Call, b session.Browser, in redeemCode) (web.Step, error) {
	out, err := a.Auth.RedeemCode(c.R.Context(), hidden(in.Attempt), in.Code, b)
	if err != nil {
		return web.Step{}, err
	}
	return a.step(c, out, b)
}

type keep struct {
	Attempt string `json:"attempt"`
}

func (a *API) keep(c *web.Call, b session.Browser, in keep) (web.Issued, error) {
	granted, err := a.Auth.KeepAccount(c.R.Context(), hidden(in.Attempt), b)
	if err != nil {
		return web.Issued{}, err
	}
	issued, err := a.enter(c, granted, b)
	if err != nil {
		return web.Issued{}, err
	}
	return *issued, nil
}

type exchange struct {
	Code         string `json:"code"`
	CodeVerifier string `json:"code_verifier"`
	RedirectTo   string `json:"redirect_to"`
}

func (a *API) exchange(c *web.Call, b session.Browser, in exchange) (web.Issued, error) {
	granted, err := a.Auth.RedeemHandover(c.R.Context(), in.Code, in.CodeVerifier, in.RedirectTo, b)
	if err != nil {
		return web.Issued{}, err
	}
	issued, err := a.enter(c, granted, b)
	if err != nil {
		return web.Issued{}, err
	}
	return *issued, nil
}
