package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// letters are the ways in by a letter: its link, its code, and waiting for either.
func (a *API) letters() web.Table {
	return web.Table{
		{Pattern: "POST /v1/sign-in/email", Guard: web.Anyone, Limit: asking, Handle: from(a.signInEmail), Doc: web.Doc{
			Tag: "Sign in", Summary: "Send a letter with a link and a code",
			Detail: "The answer is the same for every address. match is what the waiting screen shows for a link that is opened elsewhere.",
			Faults: []*fault.Fault{oauth.ErrRedirectNotAllowed, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/sign-in/link", Guard: web.Anyone, Limit: trying, Handle: from(a.redeemLink), Doc: web.Doc{
			Tag: "Sign in", Summary: "Use the link of a letter",
			Detail: "Grants to whoever holds the attempt. Elsewhere the answer is needs_approval, at most three times for one link.",
			Faults: []*fault.Fault{signin.ErrLinkExpired, signin.ErrLinkUsed, auth.ErrLinkElsewhere, signin.ErrAccountBanned, signin.ErrAccountDeleting, signin.ErrSignUpClosed},
		}},
		{Pattern: "POST /v1/sign-in/link/approve", Guard: web.Anyone, Limit: trying, Handle: from(a.approveLink), Doc: web.Doc{
			Tag: "Sign in", Summary: "Let the browser that waits in, or turn it away",
			Detail: "match is the two digits on the waiting screen; one wrong number denies.",
			Faults: []*fault.Fault{signin.ErrLinkExpired, signin.ErrLinkUsed},
		}},
		{Pattern: "GET /v1/sign-in/attempts/{attempt}", Guard: web.Anyone, Limit: polling, Handle: web.Stream(a.attemptStatus), Doc: web.Doc{
			Tag: "Sign in", Summary: "How an attempt stands", Stream: true,
			Detail:  "With Accept: text/event-stream every change is an event, until the attempt is over.",
			Answers: map[int]any{http.StatusOK: attemptStatus{}}, Faults: []*fault.Fault{signin.ErrAttemptExpired, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/sign-in/attempts/{attempt}/resend", Guard: web.Anyone, Limit: asking, Handle: from(a.resendCode), Doc: web.Doc{
			Tag: "Sign in", Summary: "Send another code; the older one is dead from then on",
			Faults: []*fault.Fault{signin.ErrAttemptExpired, signin.ErrTooManyAttempts, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/sign-in/attempts/{attempt}/complete", Guard: web.Anyone, Limit: trying, Handle: from(a.completeAttempt), Doc: web.Doc{
			Tag: "Sign in", Summary: "Fetch the grant that another device approved",
			Faults: []*fault.Fault{signin.ErrAttemptExpired, auth.ErrNotApproved, signin.ErrAccountBanned, signin.ErrAccountDeleting},
		}},
		{Pattern: "POST /v1/recovery", Guard: web.Anyone, Limit: asking, Handle: from(a.beginRecovery), Doc: web.Doc{
			Tag: "Sign in", Summary: "Send a letter that leads to a new password",
			Detail: "The answer is the same for every address.", Faults: []*fault.Fault{fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/recovery/confirm", Guard: web.Anyone, Limit: trying, Hashes: true, Handle: from(a.confirmRecovery), Doc: web.Doc{
			Tag: "Sign in", Summary: "Choose a new password with the letter's link or code",
			Detail: "Signs nobody in, and ends every session, link and code of the person. The password is judged before anything is spent.",
			Faults: []*fault.Fault{
				signin.ErrLinkExpired, signin.ErrLinkUsed, signin.ErrCodeIncorrect, signin.ErrAttemptExpired, signin.ErrTooManyAttempts,
			},
		}},
	}
}

type beginRecovery struct {
	Email  string `json:"email"`
	Locale string `json:"locale,omitempty" doc:"The language of a letter to somebody unknown (BCP 47)."`
}

func (a *API) beginRecovery(c *web.Call, b session.Browser, in beginRecovery) (web.Accepted[owed], error) {
	v, err := a.Auth.BeginRecovery(c.R.Context(), in.Email, in.Locale, b)
	if err != nil {
		return web.Accepted[owed]{}, err
	}
	return a.waiting(c, v)
}

type confirmRecovery struct {
	Token    string `json:"token,omitempty" doc:"Of the link; or attempt and code."`
	Attempt  string `json:"attempt,omitempty"`
	Code     string `json:"code,omitempty"`
	Password string `json:"password"`
}

type passwordChanged struct {
	Status string `json:"status" enum:"password_changed"`
}

func (a *API) confirmRecovery(c *web.Call, b session.Browser, in confirmRecovery) (passwordChanged, error) {
	_, err := a.Auth.ConfirmRecovery(c.R.Context(), auth.Recovery{
		Token: hidden(in.Token), Attempt: hidden(in.Attempt), Code: in.Code, Password: in.Password,
	}, b)
	return passwordChanged{Status: "password_changed"}, err
}

type signInEmail struct {
	Email         string `json:"email"`
	Create        bool   `json:"create,omitempty" doc:"Make an account if there is none."`
	Locale        string `json:"locale,omitempty" doc:"The language of the letter to a person who has no account yet (BCP 47)."`
	RedirectTo    string `json:"redirect_to,omitempty" doc:"Where the link leads in the end."`
	State         string `json:"state,omitempty"`
	CodeChallenge string `json:"code_challenge,omitempty" doc:"S256; required when redirect_to is another origin."`
}

// owed tells where a letter went and what to wait for.
type owed struct {
	Attempt   string `json:"attempt"`
	SentTo    string `json:"sent_to" doc:"Masked."`
	ExpiresIn int64  `json:"expires_in"`
	ResendIn  int64  `json:"resend_in"`
	Match     string `json:"match,omitempty" doc:"Two digits for the waiting screen."`
}

func owedOf(v auth.Verification) owed {
	return owed{
		Attempt: v.Attempt.Reveal(), SentTo: v.SentTo, ExpiresIn: web.Seconds(v.ExpiresIn), ResendIn: web.Seconds(v.ResendIn), Match: v.Match,
	}
}

func (a *API) signInEmail(c *web.Call, b session.Browser, in signInEmail) (web.Accepted[owed], error) {
	onward, err := a.Auth.Destination(in.RedirectTo, in.State, in.CodeChallenge)
	if err != nil {
		return web.Accepted[owed]{}, err
	}
	v, err := a.Auth.BeginEmail(c.R.Context(), auth.SignInEmail{Email: in.Email, Create: in.Create, Locale: in.Locale, Onward: onward}, b)
	if err != nil {
		return web.Accepted[owed]{}, err
	}
	return a.waiting(c, v)
}

// waiting answers 202; the browser keeps the attempt's cookie.
func (a *API) waiting(c *web.Call, v auth.Verification) (web.Accepted[owed], error) {
	return web.Accepted[owed]{Body: owedOf(v)}, c.KeepAttempt(v.Browser, v.ExpiresIn)
}

type redeemLink struct {
	Token   string `json:"token"`
	Attempt string `json:"attempt,omitempty" doc:"From whoever holds it."`
}

func (a *API) redeemLink(c *web.Call, b session.Browser, in redeemLink) (web.Step, error) {
	out, err := a.Auth.RedeemLink(c.R.Context(), hidden(in.Token), hidden(in.Attempt), b)
	if err != nil {
		return web.Step{}, err
	}
	if out.Approval != nil {
		return web.Step{Approval: &web.NeedsApproval{Place: out.Approval.Place, Device: out.Approval.Device}}, nil
	}
	return a.step(c, out.Outcome, b)
}

type approveLink struct {
	Token    string `json:"token"`
	Match    string `json:"match,omitempty" doc:"The two digits on the waiting screen."`
	Decision string `json:"decision" enum:"approve,deny"`
}

type approved struct {
	Status string `json:"status" enum:"approved,denied"`
}

func (a *API) approveLink(c *web.Call, b session.Browser, in approveLink) (approved, error) {
	ok, err := a.Auth.ApproveLink(c.R.Context(), hidden(in.Token), in.Match, auth.Decision(in.Decision), b)
	if ok {
		return approved{Status: "approved"}, err
	}
	return approved{Status: "denied"}, err
}

type attemptPath struct {
	Attempt string `json:"-" path:"attempt"`
}

type attemptStatus struct {
	Status string `json:"status" enum:"pending,approved,denied,expired,complete"`
}

func (a *API) attemptStatus(c *web.Call) error {
	b, err := browser(c)
	if err != nil {
		return err
	}
	value := hidden(c.R.PathValue("attempt"))
	status, err := a.Auth.AttemptStatus(c.R.Context(), value, b)
	if err != nil {
		return err
	}
	if !strings.Contains(c.R.Header.Get("Accept"), "text/event-stream") {
		return c.JSON(http.StatusOK, attemptStatus{Status: status})
	}
	out := http.NewResponseController(c.W)
	begun := false
	err = a.Auth.WatchAttempt(c.R.Context(), value, b, func(status string) error {
		begun = true
		c.W.Header().Set("Content-Type", "text/event-stream")
		if _, err := fmt.Fprintf(c.W, "event: status\ndata: {\"status\":%q}\n\n", status); err != nil {
			return err
		}
		return out.Flush()
	}, func() error {
		if _, err := c.W.Write([]byte(": here\n\n")); err != nil {
			return err
		}
		return out.Flush()
	})
	if begun {
		return nil // the attempt is over, the reader left or will come again
	}
	return err
}

type resent struct {
	Attempt   string `json:"attempt"`
	SentTo    string `json:"sent_to" doc:"Masked."`
	ExpiresIn int64  `json:"expires_in"`
	ResendIn  int64  `json:"resend_in"`
}

func (a *API) resendCode(c *web.Call, b session.Browser, in attemptPath) (web.Accepted[resent], error) {
	v, err := a.Auth.ResendCode(c.R.Context(), hidden(in.Attempt), b)
	if err != nil {
		return web.Accepted[resent]{}, err
	}
	return web.Accepted[resent]{Body: resent{
		Attempt: in.Attempt, SentTo: v.SentTo, ExpiresIn: web.Seconds(v.ExpiresIn), ResendIn: web.Seconds(v.ResendIn),
	}}, c.KeepAttempt(v.Browser, v.ExpiresIn)
}

func (a *API) completeAttempt(c *web.Call, b session.Browser, in attemptPath) (web.Step, error) {
	out, err := a.Auth.CompleteAttempt(c.R.Context(), hidden(in.Attempt), b)
	if err != nil {
		return web.Step{}, err
	}
	return a.step(c, out, b)
}
