// Package api is the door for applications: /v1 in JSON, and the documents that live
// where their RFC says.
//
// The door speaks HTTP and holds no rule. A row names its pattern, its guard, its limit
// and its handler; a handler turns the request into the arguments of one deed and the
// deed's outcome into an answer. Refusals are faults of the rules and pass through.
package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

// API is the door. Every field is required.
type API struct {
	Auth   *auth.Auth
	Issuer *issuer.Issuer
	Client Client
	// Ready reports whether the server can do its work.
	Ready func(context.Context) error
	// Document returns openapi.json.
	Document func() ([]byte, error)
	// Metrics answers in the text format of Prometheus.
	Metrics http.Handler
}

// Table lists what the door exposes.
func (a *API) Table() web.Table {
	var t web.Table
	for _, part := range []web.Table{a.signing(), a.letters(), a.tokens(), a.sessions(), a.me(), a.emails(), a.phones(), a.documents()} {
		t = append(t, part...)
	}
	return t
}

// The rates by which one address prefix may try. What succeeds costs nothing, so a busy
// office is not locked out by its own people.
var (
	trying   = web.Refunded(ratelimit.Rate{Name: "try", Events: 60, Per: 10 * time.Minute, Burst: 60})
	asking   = web.Limited(ratelimit.Rate{Name: "letter", Events: 60, Per: time.Hour, Burst: 30})
	renewing = web.Refunded(ratelimit.Rate{Name: "refresh", Events: 300, Per: 10 * time.Minute, Burst: 300})
	polling  = web.Limited(ratelimit.Rate{Name: "poll", Events: 120, Per: time.Minute, Burst: 120})
)

// browser describes where a call comes from to a deed.
func browser(c *web.Call) (session.Browser, error) {
	b, err := c.Browser()
	b.Asked = c.Asked()
	return b, err
}

// from makes a handler of a function that is told where its call comes from.
func from[In, Out any](fn func(*web.Call, session.Browser, In) (Out, error)) web.Handler {
	return web.JSON(func(c *web.Call, in In) (out Out, err error) {
		b, err := browser(c)
		if err != nil {
			return out, err
		}
		return fn(c, b, in)
	})
}

func actor(c *web.Call) auth.Actor { return auth.Actor(*c.Actor) }

// issue turns a grant into the answer that carries its tokens.
func (a *API) issue(g session.Granted) (*web.Issued, error) {
	issued, err := a.Issuer.Issue(g)
	if err != nil {
		return nil, err
	}
	out := onWire(issued, true)
	return &out, nil
}

func onWire(i session.Issued, withUser bool) web.Issued {
	return web.Issued{
		Account: i.Account, Session: i.Session, AccessToken: i.AccessToken, AccessExpiresAt: i.AccessExpiresAt,
		RefreshToken: i.RefreshToken, DeviceSecret: i.Device, AttemptSecret: i.Attempt, WithUser: withUser,
	}
}

// enter answers a new session. One that this browser's cookies held before is ended: a
// browser holds one, and who signs in takes up none that was planted (ASVS 7.2.4).
func (a *API) enter(c *web.Call, g session.Granted, b session.Browser) (*web.Issued, error) {
	if g.Session().Delivery != session.Token {
		if token, device, err := c.Refreshing(""); err == nil && token != "" {
			before, _, err := a.Issuer.Bearer(c.R.Context(), token, device)
			if err == nil {
				err = a.Auth.SignOut(c.R.Context(), before, auth.Local, b)
			}
			if err != nil && !errors.Is(err, session.ErrEnded) {
				return nil, err
			}
		}
	}
	return a.issue(g)
}

// step turns an outcome into the answer: a grant, or what is still owed.
func (a *API) step(c *web.Call, o auth.Outcome, b session.Browser) (web.Step, error) {
	if o.Owed != nil {
		return web.Step{Verification: &web.NeedsVerification{
			Attempt: o.Owed.Attempt.Reveal(), Channel: o.Owed.Channel, SentTo: o.Owed.SentTo,
			ExpiresIn: web.Seconds(o.Owed.ExpiresIn), ResendIn: web.Seconds(o.Owed.ResendIn), Cookie: o.Owed.Browser,
		}}, nil
	}
	granted, err := a.enter(c, o.Granted, b)
	return web.Step{Granted: granted}, err
}

// profile is what a person may say of themselves.
type profile struct {
	FirstName      *string    `json:"first_name,omitempty" doc:"At most 100 characters; empty clears it."`
	LastName       *string    `json:"last_name,omitempty" doc:"At most 100 characters; empty clears it."`
	Locale         *string    `json:"locale,omitempty" doc:"A BCP 47 language tag."`
	UnsafeMetadata web.Object `json:"unsafe_metadata,omitempty" doc:"A JSON object of at most 8 KiB. Applications must not trust it."`
}

func (p profile) account() account.Profile {
	return account.Profile{FirstName: p.FirstName, LastName: p.LastName, Locale: p.Locale, UnsafeMetadata: []byte(p.UnsafeMetadata)}
}

func hidden(s string) secret.Text { return secret.Text(s) }
