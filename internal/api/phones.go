package api

import (
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// phones are the numbers of a signed-in person, and signing in with one.
func (a *API) phones() web.Table {
	return web.Table{
		{Pattern: "POST /v1/sign-in/phone", Guard: web.Anyone, Limit: asking, Handle: from(a.signInPhone), Doc: web.Doc{
			Tag: "Sign in", Summary: "Send a message with a code to a phone",
			Detail: "The answer is the same for every number; to an unknown one nothing is sent.",
			Faults: []*fault.Fault{oauth.ErrRedirectNotAllowed, auth.ErrCountry, auth.ErrTextsPaused, fault.ErrUnavailable},
		}},
		{Pattern: "GET /v1/me/phones", Guard: web.SignedIn, Limit: web.Free(), Handle: web.JSON(a.listPhones), Doc: web.Doc{
			Tag: "Account", Summary: "The person's phone numbers",
		}},
		{Pattern: "POST /v1/me/phones", Guard: web.SignedIn, Limit: asking, Handle: from(a.addPhone), Doc: web.Doc{
			Tag: "Account", Summary: "Add a number, and send the code that proves it",
			Detail: "Until it is proven the number claims nothing. Somebody else's is answered alike, and nothing is sent there.",
			Faults: []*fault.Fault{signin.ErrReauthenticate, auth.ErrCountry, auth.ErrTextsPaused, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/me/phones/{id}/send", Guard: web.SignedIn, Limit: asking, Handle: from(a.sendPhone), Doc: web.Doc{
			Tag: "Account", Summary: "Send another code for a number that is not proven yet",
			Faults: []*fault.Fault{signin.ErrReauthenticate, auth.ErrCountry, auth.ErrTextsPaused, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/me/phones/{id}/verify", Guard: web.SignedIn, Limit: trying, Handle: from(a.verifyPhone), Doc: web.Doc{
			Tag: "Account", Summary: "Prove a number with the code of its newest message",
			Faults: []*fault.Fault{signin.ErrCodeIncorrect, signin.ErrAttemptExpired, signin.ErrTooManyAttempts},
		}},
		{Pattern: "POST /v1/me/phones/{id}/primary", Guard: web.SignedIn, Limit: trying, Handle: from(a.primaryPhone), Doc: web.Doc{
			Tag: "Account", Summary: "Make a proven number the one that messages go to",
			Faults: []*fault.Fault{signin.ErrReauthenticate, auth.ErrNotVerified},
		}},
		{Pattern: "DELETE /v1/me/phones/{id}", Guard: web.SignedIn, Limit: trying, Handle: from(a.removePhone), Doc: web.Doc{
			Tag: "Account", Summary: "Remove a number", Faults: []*fault.Fault{signin.ErrReauthenticate, auth.ErrLastCredential},
		}},
	}
}

type signInPhone struct {
	Phone         string `json:"phone" doc:"In international form, or in the national form of country."`
	Country       string `json:"country,omitempty" doc:"ISO 3166, for a number in national form."`
	Create        bool   `json:"create,omitempty" doc:"Make an account if there is none."`
	Link          bool   `json:"link,omitempty" doc:"Send a link as well."`
	Locale        string `json:"locale,omitempty" doc:"The language of the message to a person who has no account yet (BCP 47)."`
	RedirectTo    string `json:"redirect_to,omitempty" doc:"Where the link leads in the end."`
	State         string `json:"state,omitempty"`
	CodeChallenge string `json:"code_challenge,omitempty" doc:"S256; required when redirect_to is another origin."`
}

func (a *API) signInPhone(c *web.Call, b session.Browser, in signInPhone) (web.Accepted[owed], error) {
	onward, err := a.Auth.Destination(in.RedirectTo, in.State, in.CodeChallenge)
	if err != nil {
		return web.Accepted[owed]{}, err
	}
	v, err := a.Auth.BeginPhone(c.R.Context(), auth.SignInPhone{
		Phone: in.Phone, Country: in.Country, Create: in.Create, Link: in.Link, Locale: in.Locale, Onward: onward,
	}, b)
	if err != nil {
		return web.Accepted[owed]{}, err
	}
	return a.waiting(c, v)
}

type phone struct {
	ID        string    `json:"id"`
	Phone     string    `json:"phone" doc:"E.164."`
	Verified  bool      `json:"verified"`
	Primary   bool      `json:"primary"`
	CreatedAt time.Time `json:"created_at"`
}

func phoneOf(p auth.Phone) phone {
	return phone{ID: string(p.ID), Phone: p.Number, Verified: !p.VerifiedAt.IsZero(), Primary: p.Primary, CreatedAt: p.CreatedAt}
}

func (a *API) listPhones(c *web.Call, _ web.None) (web.List[phone], error) {
	all, err := a.Auth.Phones(c.R.Context(), actor(c))
	data := []phone{}
	for _, p := range all {
		data = append(data, phoneOf(p))
	}
	return web.ListOf(data, ""), err
}

type addPhone struct {
	Phone   string `json:"phone"`
	Country string `json:"country,omitempty" doc:"ISO 3166, for a number in national form."`
}

// addedPhone is what was added, and what proves it.
type addedPhone struct {
	phone
	owed
}

func (a *API) addPhone(c *web.Call, b session.Browser, in addPhone) (web.Created[addedPhone], error) {
	row, v, err := a.Auth.AddPhone(c.R.Context(), actor(c), in.Phone, in.Country, b)
	if err != nil {
		return web.Created[addedPhone]{}, err
	}
	return web.Created[addedPhone]{Body: addedPhone{phone: phoneOf(row), owed: owedOf(v)}}, c.KeepAttempt(v.Browser, v.ExpiresIn)
}

func (a *API) sendPhone(c *web.Call, b session.Browser, in idPath) (web.Accepted[owed], error) {
	v, err := a.Auth.SendPhoneProof(c.R.Context(), actor(c), account.PhoneID(in.ID), b)
	if err != nil {
		return web.Accepted[owed]{}, err
	}
	return a.waiting(c, v)
}

type verifyPhone struct {
	ID   string `json:"-" path:"id"`
	Code string `json:"code"`
}

func (a *API) verifyPhone(c *web.Call, b session.Browser, in verifyPhone) (web.NoContent, error) {
	return web.NoContent{}, a.Auth.VerifyPhone(c.R.Context(), actor(c), account.PhoneID(in.ID), in.Code, b)
}

func (a *API) primaryPhone(c *web.Call, b session.Browser, in idPath) (web.NoContent, error) {
	return web.NoContent{}, a.Auth.SetPrimaryPhone(c.R.Context(), actor(c), account.PhoneID(in.ID), b)
}

func (a *API) removePhone(c *web.Call, b session.Browser, in idPath) (web.NoContent, error) {
	return web.NoContent{}, a.Auth.RemovePhone(c.R.Context(), actor(c), account.PhoneID(in.ID), b)
}
