package api

import (
	"time"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// me is what a signed-in person can do with their own account.
func (a *API) me() web.Table {
	return web.Table{
		{Pattern: "GET /v1/me", Guard: web.SignedIn, Limit: web.Free(), Handle: web.JSON(a.readMe), Doc: web.Doc{
			Tag: "Account", Summary: "Who is signed in",
		}},
		{Pattern: "PATCH /v1/me", Guard: web.SignedIn, Limit: trying, Handle: from(a.updateMe), Doc: web.Doc{
			Tag: "Account", Summary: "Change the profile", Detail: "What is absent stays; an empty text clears.",
			Faults: []*fault.Fault{auth.ErrUsernameTaken, auth.ErrLastCredential},
		}},
		{Pattern: "DELETE /v1/me", Guard: web.SignedIn, Limit: trying, Handle: from(a.deleteMe), Doc: web.Doc{
			Tag: "Account", Summary: "Delete the account", Faults: []*fault.Fault{signin.ErrReauthenticate},
		}},
		{Pattern: "POST /v1/me/password", Guard: web.SignedIn, Limit: trying, Hashes: true, Handle: from(a.changePassword), Doc: web.Doc{
			Tag: "Account", Summary: "Change the password",
			Detail: "The same session with a new generation and a new device secret: every older token of it is spent.",
			Faults: []*fault.Fault{signin.ErrReauthenticate, signin.ErrInvalidCredentials, fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/me/reauthenticate/begin", Guard: web.SignedIn, Limit: asking, Handle: from(a.beginReauthentication), Doc: web.Doc{
			Tag: "Account", Summary: "Ask to prove again who is signed in", Faults: []*fault.Fault{fault.ErrUnavailable},
		}},
		{Pattern: "POST /v1/me/reauthenticate", Guard: web.SignedIn, Limit: trying, Hashes: true, Handle: from(a.reauthenticate), Doc: web.Doc{
			Tag: "Account", Summary: "Prove again who is signed in",
			Detail: "The same session with a fresh auth_time and a new generation.",
			Faults: []*fault.Fault{signin.ErrInvalidCredentials, signin.ErrCodeIncorrect, signin.ErrAttemptExpired, signin.ErrTooManyAttempts},
		}},
		{Pattern: "GET /v1/me/events", Guard: web.SignedIn, Limit: web.Free(), Handle: web.JSON(a.listEvents), Doc: web.Doc{
			Tag: "Account", Summary: "Recent security activity",
		}},
	}
}

func (a *API) readMe(c *web.Call, _ web.None) (web.User, error) {
	return web.UserOf(c.Actor.Account), nil
}

type updateMe struct {
	Username *string `json:"username,omitempty"`
	Picture  *string `json:"picture,omitempty" doc:"An https address."`
	profile
}

func (a *API) updateMe(c *web.Call, b session.Browser, in updateMe) (web.User, error) {
	p := in.account()
	p.Username, p.Picture = in.Username, in.Picture
	who, err := a.Auth.UpdateProfile(c.R.Context(), actor(c), p, b)
	return web.UserOf(who), err
}

func (a *API) deleteMe(c *web.Call, b session.Browser, _ web.None) (web.NoContent, error) {
	if err := a.Auth.DeleteAccount(c.R.Context(), actor(c), b); err != nil {
		return web.NoContent{}, err
	}
	c.DropSession()
	return web.NoContent{}, nil
}

type changePassword struct {
	CurrentPassword string `json:"current_password,omitempty" doc:"Required where the account has a password, unless the access token's fresh proof was a code or link from an email or SMS."`
	NewPassword     string `json:"new_password"`
	SignOutOthers   *bool  `json:"sign_out_others,omitempty" doc:"true when absent."`
}

func (a *API) changePassword(c *web.Call, b session.Browser, in changePassword) (web.Issued, error) {
	if err := c.Keeps(c.Actor.Session.Delivery); err != nil {
		return web.Issued{}, err
	}
	granted, err := a.Auth.ChangePassword(c.R.Context(), actor(c), auth.PasswordChange{
		Current: in.CurrentPassword, New: in.NewPassword, KeepOthers: in.SignOutOthers != nil && !*in.SignOutOthers,
	}, b)
	return a.reissue(granted, err)
}

type beginReauthentication struct {
	Type string `json:"type,omitempty" enum:"password,email_code,phone_code" doc:"email_code and phone_code send a code at once."`
}

type reauthentication struct {
	Attempt   string       `json:"attempt"`
	Factors   []web.Factor `json:"factors"`
	ExpiresIn int64        `json:"expires_in"`
	ResendIn  int64        `json:"resend_in"`
}

func (a *API) beginReauthentication(c *web.Call, b session.Browser, in beginReauthentication) (reauthentication, error) {
	if err := c.Keeps(c.Actor.Session.Delivery); err != nil {
		return reauthentication{}, err
	}
	challenge, err := a.Auth.BeginReauthentication(c.R.Context(), actor(c), signin.Method(in.Type), b)
	if err != nil {
		return reauthentication{}, err
	}
	out := reauthentication{
		Attempt: challenge.Owed.Attempt.Reveal(), Factors: []web.Factor{},
		ExpiresIn: web.Seconds(challenge.Owed.ExpiresIn), ResendIn: web.Seconds(challenge.Owed.ResendIn),
	}
	for _, f := range challenge.Factors {
		factor := web.Factor{Type: f}
		if f == string(signin.EmailCode) {
			factor.Hint = challenge.Owed.SentTo
		}
		out.Factors = append(out.Factors, factor)
	}
	return out, c.KeepAttempt(challenge.Owed.Browser, challenge.Owed.ExpiresIn)
}

type reauthenticate struct {
	Attempt  string `json:"attempt"`
	Type     string `json:"type" enum:"password,email_code,phone_code"`
	Code     string `json:"code,omitempty"`
	Password string `json:"password,omitempty"`
}

func (a *API) reauthenticate(c *web.Call, b session.Browser, in reauthenticate) (web.Issued, error) {
	if err := c.Keeps(c.Actor.Session.Delivery); err != nil {
		return web.Issued{}, err
	}
	granted, err := a.Auth.Reauthenticate(c.R.Context(), actor(c), auth.Proof{
		Attempt: hidden(in.Attempt), Type: signin.Method(in.Type), Code: in.Code, Password: in.Password,
	}, b)
	return a.reissue(granted, err)
}

// reissue answers the grant of a session that goes on, or passes on why there is none.
func (a *API) reissue(g session.Granted, err error) (web.Issued, error) {
	if err != nil {
		return web.Issued{}, err
	}
	issued, err := a.issue(g)
	if err != nil {
		return web.Issued{}, err
	}
	return *issued, nil
}

// event is one line of a person's security activity.
type event struct {
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Type      string            `json:"type"`
	Outcome   string            `json:"outcome" enum:"success,refused"`
	SessionID *string           `json:"session_id"`
	RequestID *string           `json:"request_id" doc:"The request that did it, as its answer's Request-Id; null for what no request did."`
	IP        *string           `json:"ip"`
	UserAgent *string           `json:"user_agent"`
	Device    string            `json:"device"`
	Data      map[string]string `json:"data"`
}

func (a *API) listEvents(c *web.Call, in web.Paging) (web.List[event], error) {
	all, next, err := a.Auth.Events(c.R.Context(), actor(c), in.After, in.Limit)
	if err != nil {
		return web.List[event]{}, err
	}
	data := make([]event, len(all))
	for n, e := range all {
		data[n] = eventOf(e)
	}
	return web.ListOf(data, next), nil
}

func eventOf(e audit.Event) event {
	out := event{
		ID: e.ID, At: e.At, Type: string(e.Type), Outcome: string(e.Outcome), SessionID: orNull(string(e.Session)),
		RequestID: orNull(e.RequestID), IP: orNull(e.IP), UserAgent: orNull(e.UserAgent), Device: session.DeviceOf(e.UserAgent).Name, Data: e.Data,
	}
	if out.Data == nil {
		out.Data = map[string]string{}
	}
	return out
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
