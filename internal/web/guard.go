package web

import (
	"net/http"

	"github.com/limenauth/limen/internal/fault"
)

// guard lets the call pass or refuses it.
func (c *Call) guard() error {
	switch c.row.Guard {
	case Anyone:
		return nil
	case SignedIn:
		_, err := c.Identify()
		return err
	case Development:
		return c.ownOrigin()
	}
	scope, ok := c.row.Guard.scope()
	if !ok {
		return fault.ErrForbidden // no guard is no pass
	}
	return c.checkKey(scope)
}

// StillAllowed asks the guard of a stream once more: a server key that was revoked since
// must learn nothing further.
func (c *Call) StillAllowed() error { return c.guard() }

// Identify returns who is signed in. It refuses with unauthenticated or session_ended;
// never does it return nil and no error. Rows that let anyone pass may ask it too. A call
// asks once: a refresh token that was refused is not shown a second time.
func (c *Call) Identify() (*Actor, error) {
	if !c.identified {
		c.identified = true
		c.Actor, c.stranger = c.identify()
	}
	return c.Actor, c.stranger
}

func (c *Call) identify() (*Actor, error) {
	token, err := c.AccessToken()
	if err != nil {
		return nil, err
	}
	if token == "" {
		return c.renew(ErrUnauthenticated)
	}
	actor, err := c.hall.Authenticate(c.R.Context(), token, c.Now)
	if err == nil && actor == nil {
		err = ErrUnauthenticated
	}
	if err != nil {
		if StatusOf(fault.Of(err)) == http.StatusUnauthorized {
			c.challenge = `error="invalid_token"` // RFC 6750 section 3.1
			return c.renew(err)
		}
		return nil, err
	}
	return actor, nil
}

// renew tries the refresh cookie of a page before it gives up with why. A page has no
// script that could do it.
func (c *Call) renew(why error) (*Actor, error) {
	if !c.page() || c.hall.Renew == nil {
		return nil, why
	}
	if token, err := c.RefreshToken(); err != nil || token == "" {
		return nil, why
	}
	actor, err := c.hall.Renew(c)
	if err != nil {
		return nil, err
	}
	if actor == nil {
		return nil, why
	}
	return actor, nil
}

func (c *Call) checkKey(scope string) error {
	key, err := c.Bearer()
	if err != nil {
		return err
	}
	if key == "" {
		return ErrUnauthenticated
	}
	name, err := c.hall.CheckKey(c.R.Context(), key, scope, c.Now)
	if err == nil && name == "" {
		err = ErrUnauthenticated
	}
	switch {
	case err == nil:
		c.Key = name
	case StatusOf(fault.Of(err)) == http.StatusForbidden:
		c.challenge = `error="insufficient_scope", scope="` + scope + `"`
	default:
		c.challenge = `error="invalid_token"`
	}
	return err
}
