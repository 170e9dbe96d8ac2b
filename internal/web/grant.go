package web

import (
	"errors"
	"net/http"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// Issued is what the issuer made of a completed sign-in or a refresh. As the Out of a
// JSON row it writes itself.
type Issued struct {
	Account account.Account
	Session session.Session

	AccessToken     secret.Text
	AccessExpiresAt time.Time
	RefreshToken    secret.Text
	// DeviceSecret is "" unless it was made for this answer.
	DeviceSecret secret.Text
	// AttemptSecret is the value of the attempt cookie after a sign-in.
	AttemptSecret secret.Text
	// WithUser adds the person; a refresh leaves them out.
	WithUser bool
}

// WriteAnswer writes the grant.
func (g Issued) WriteAnswer(c *Call) error { return WriteGrant(c, g) }

// WriteGrant writes a grant in its session's delivery mode, for every door: cookies
// first, then a body that holds only what is in no cookie.
func WriteGrant(c *Call, g Issued) error {
	if err := KeepGrant(c, g); err != nil {
		return err
	}
	body := Grant{
		Status: "complete", Session: SessionOf(g.Session, g.Session.ID), TokenType: "Bearer",
		ExpiresIn: int64(max(0, g.AccessExpiresAt.Sub(c.Now)) / time.Second), ExpiresAt: g.AccessExpiresAt.UTC(),
	}
	if g.WithUser {
		u := UserOf(g.Account)
		body.User = &u
	}
	switch g.Session.Delivery {
	case session.Token:
		body.AccessToken = g.AccessToken.Reveal()
		body.RefreshToken = g.RefreshToken.Reveal()
		body.DeviceSecret = g.DeviceSecret.Reveal()
	case session.Memory:
		body.AccessToken = g.AccessToken.Reveal()
	}
	return c.JSON(http.StatusOK, body)
}

// RedirectGrant keeps a grant in cookies and sends the browser on: how a hosted page
// ends a sign-in. 303, so that the browser does not repeat the form (RFC 9700 4.12). In
// memory mode the next page renews the access token.
func RedirectGrant(c *Call, g Issued, to string) error {
	if g.Session.Delivery == session.Token {
		return errors.New("web: a redirect carries no tokens; they must be kept in cookies")
	}
	if err := KeepGrant(c, g); err != nil {
		return err
	}
	c.Redirect(to)
	return nil
}

// KeepGrant puts into cookies what the session's delivery mode keeps there: nothing in
// token mode, the refresh token and the device secret in memory mode, the access token
// too in cookie mode. A cookie lives as long as what it holds.
//
// A sign-in also changes the attempt cookie, whichever way it took: what anybody knew of
// it before binds nothing to this browser afterwards.
func KeepGrant(c *Call, g Issued) error {
	switch g.Session.Delivery {
	case session.Token:
		if c.fromCookie {
			// A token that came in a cookie must not leave in a body, where a script
			// could read it. Only a client that planted the cookie itself gets here.
			return fault.Invalidate(headerDelivery, "different")
		}
		return nil
	case session.Memory:
	case session.Cookie:
		if err := c.setCookie(c.hall.accessCookie(), g.AccessToken, g.AccessExpiresAt.Sub(c.Now)); err != nil {
			return err
		}
	default:
		return errors.New("web: a session without a delivery")
	}
	if err := c.setCookie(c.hall.refreshCookie(), g.RefreshToken, expiry(g.Session).Sub(c.Now)); err != nil {
		return err
	}
	if g.Session.Generation == session.FirstGeneration {
		if err := c.changeAttempt(g.AttemptSecret); err != nil {
			return err
		}
	}
	return c.keepDevice(g.DeviceSecret)
}

// keepDevice sets the device cookie, or sets the one that came again: each grant moves
// its end, so that it never runs out under a living session.
func (c *Call) keepDevice(fresh secret.Text) error {
	if fresh == "" {
		var err error
		if fresh, err = c.readCookie(c.hall.deviceCookie()); err != nil || fresh == "" {
			return err
		}
	}
	return c.setCookie(c.hall.deviceCookie(), fresh, deviceLife)
}

// Redirect answers 303.
func (c *Call) Redirect(to string) {
	c.W.Header().Set("Location", to)
	c.W.WriteHeader(http.StatusSeeOther)
}

// Step is how a sign-up or sign-in goes on: exactly one field is set. As the Out of a
// JSON row it writes itself, and openapi.json shows it as one of four by status.
type Step struct {
	Granted      *Issued
	Verification *NeedsVerification
	Factor       *NeedsFactor
	Approval     *NeedsApproval
}

// WriteAnswer writes the step. What is still owed goes with the attempt cookie.
func (s Step) WriteAnswer(c *Call) error {
	switch {
	case s.Granted != nil:
		return WriteGrant(c, *s.Granted)
	case s.Verification != nil:
		v := *s.Verification
		v.Status = "needs_verification"
		if err := c.KeepAttempt(v.Cookie, time.Duration(v.ExpiresIn)*time.Second); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, v)
	case s.Approval != nil:
		n := *s.Approval
		n.Status = "needs_approval"
		return c.JSON(http.StatusOK, n)
	case s.Factor != nil:
		f := *s.Factor
		f.Status = "needs_factor"
		if err := c.KeepAttempt(f.Cookie, time.Duration(f.ExpiresIn)*time.Second); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, f)
	}
	return errors.New("web: a step that leads nowhere")
}
