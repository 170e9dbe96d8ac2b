package api

import (
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// emails are the addresses of a signed-in person.
func (a *API) emails() web.Table {
	return web.Table{
		{Pattern: "GET /v1/me/emails", Guard: web.SignedIn, Limit: web.Free(), Handle: web.JSON(a.listEmails), Doc: web.Doc{
			Tag: "Account", Summary: "The person's e-mail addresses",
		}},
		{Pattern: "POST /v1/me/emails", Guard: web.SignedIn, Limit: asking, Handle: from(a.addEmail), Doc: web.Doc{
			Tag: "Account", Summary: "Add an address, and send the letter that proves it",
			Detail: "Until it is proven the address claims nothing. Somebody else's is answered alike.",
			Faults: []*fault.Fault{signin.ErrReauthenticate, auth.ErrEmailTaken, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/me/emails/{id}/send", Guard: web.SignedIn, Limit: asking, Handle: from(a.sendEmail), Doc: web.Doc{
			Tag: "Account", Summary: "Send another email for an address that is not verified yet",
			Faults: []*fault.Fault{signin.ErrReauthenticate, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/me/emails/{id}/verify", Guard: web.SignedIn, Limit: trying, Handle: from(a.verifyEmail), Doc: web.Doc{
			Tag: "Account", Summary: "Prove an address with the code of its newest letter",
			Faults: []*fault.Fault{signin.ErrCodeIncorrect, signin.ErrAttemptExpired, signin.ErrTooManyAttempts},
		}},
		{Pattern: "POST /v1/me/emails/{id}/primary", Guard: web.SignedIn, Limit: trying, Handle: from(a.primaryEmail), Doc: web.Doc{
			Tag: "Account", Summary: "Make a proven address the one that letters go to",
			Detail: "The old one is told and can take it back for 72 hours; without_undo forbids that, and needs a second factor.",
			Faults: []*fault.Fault{signin.ErrReauthenticate, auth.ErrNotVerified, fault.ErrForbidden},
		}},
		{Pattern: "DELETE /v1/me/emails/{id}", Guard: web.SignedIn, Limit: trying, Handle: from(a.removeEmail), Doc: web.Doc{
			Tag: "Account", Summary: "Remove an address", Faults: []*fault.Fault{signin.ErrReauthenticate, auth.ErrLastCredential},
		}},
		{Pattern: "POST /v1/email/confirm", Guard: web.Anyone, Limit: trying, Handle: from(a.confirmEmail), Doc: web.Doc{
			Tag: "Account", Summary: "Prove an added address with the link or the code of its email",
			Detail: "The token works for whoever is signed in to the account that asked, attempt and code while the session that asked lives. Elsewhere the answer is unauthenticated, and nothing is consumed.",
			Faults: []*fault.Fault{
				session.ErrUnauthenticated, signin.ErrLinkExpired, signin.ErrLinkUsed, signin.ErrCodeIncorrect, signin.ErrAttemptExpired, signin.ErrTooManyAttempts,
			},
		}},
	}
}

type email struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Verified  bool      `json:"verified"`
	Primary   bool      `json:"primary"`
	CreatedAt time.Time `json:"created_at"`
}

func emailOf(e auth.Email) email {
	return email{ID: string(e.ID), Email: e.Address.Text, Verified: !e.VerifiedAt.IsZero(), Primary: e.Primary, CreatedAt: e.CreatedAt}
}

func (a *API) listEmails(c *web.Call, _ web.None) (web.List[email], error) {
	all, err := a.Auth.Emails(c.R.Context(), actor(c))
	data := []email{}
	for _, e := range all {
		data = append(data, emailOf(e))
	}
	return web.ListOf(data, ""), err
}

type addEmail struct {
	Email string `json:"email"`
}

// proving is what was added, and what proves it.
type proving struct {
	email
	owed
}

func (a *API) addEmail(c *web.Call, b session.Browser, in addEmail) (web.Created[proving], error) {
	row, v, err := a.Auth.AddEmail(c.R.Context(), actor(c), in.Email, b)
	if err != nil {
		return web.Created[proving]{}, err
	}
	return web.Created[proving]{Body: proving{email: emailOf(row), owed: owedOf(v)}}, c.KeepAttempt(v.Browser, v.ExpiresIn)
}

type idPath struct {
	ID string `json:"-" path:"id"`
}

func (a *API) sendEmail(c *web.Call, b session.Browser, in idPath) (web.Accepted[owed], error) {
	v, err := a.Auth.SendEmailProof(c.R.Context(), actor(c), account.EmailID(in.ID), b)
	if err != nil {
		return web.Accepted[owed]{}, err
	}
	return a.waiting(c, v)
}

type verifyEmail struct {
	ID   string `json:"-" path:"id"`
	Code string `json:"code"`
}

type confirmed struct {
	Email string `json:"email"`
}

func (a *API) verifyEmail(c *web.Call, b session.Browser, in verifyEmail) (confirmed, error) {
	address, err := a.Auth.VerifyEmail(c.R.Context(), actor(c), account.EmailID(in.ID), in.Code, b)
	return confirmed{Email: address}, err
}

type primaryEmail struct {
	ID          string `json:"-" path:"id"`
	WithoutUndo bool   `json:"without_undo,omitempty" doc:"For people who have lost the old mailbox; needs a second factor."`
}

func (a *API) primaryEmail(c *web.Call, b session.Browser, in primaryEmail) (web.NoContent, error) {
	return web.NoContent{}, a.Auth.SetPrimaryEmail(c.R.Context(), actor(c), account.EmailID(in.ID), in.WithoutUndo, b)
}

func (a *API) removeEmail(c *web.Call, b session.Browser, in idPath) (web.NoContent, error) {
	return web.NoContent{}, a.Auth.RemoveEmail(c.R.Context(), actor(c), account.EmailID(in.ID), b)
}

type confirmEmail struct {
	Token   string `json:"token,omitempty" doc:"Of the link; or attempt and code."`
	Attempt string `json:"attempt,omitempty"`
	Code    string `json:"code,omitempty"`
}

func (a *API) confirmEmail(c *web.Call, b session.Browser, in confirmEmail) (confirmed, error) {
	var who auth.Actor
	if in.Token != "" {
		switch signedIn, err := c.Identify(); {
		case err == nil:
			who = auth.Actor(*signedIn)
		case fault.Of(err).Kind != fault.Unauthenticated:
			return confirmed{}, err
		}
	}
	address, err := a.Auth.ConfirmEmail(c.R.Context(), who, auth.EmailProof{Token: hidden(in.Token), Attempt: hidden(in.Attempt), Code: in.Code}, b)
	return confirmed{Email: address}, err
}
