package pages

import (
	"errors"
	"net/http"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// confirmEmailForm is where the link of an added address leads. It asks the person whose
// account asked for it, and tells everybody else where to open it.
func (p *Pages) confirmEmailForm(c *web.Call, v visit) error {
	who, err := visitor(c)
	if err != nil {
		return err
	}
	return p.askConfirmation(c, v, who, http.StatusOK)
}

func (p *Pages) askConfirmation(c *web.Call, v visit, who auth.Actor, status int) error {
	token := tokenOf(c, v)
	subject, err := p.Auth.LinkSubject(c.R.Context(), token, v.from, signin.VerifyEmail)
	if err != nil {
		return p.linkOver(c, v, signin.VerifyEmail, err)
	}
	if who.Account.ID == subject.Account {
		view := Ask{Page: p.page(c), Purpose: signin.VerifyEmail, Address: subject.Address}
		view.Carry = []Pair{{"token", token.Reveal()}}
		return p.show(c, status, view)
	}
	view := ConfirmElsewhere{Page: p.page(c), Address: subject.Address, Account: subject.Name}
	if who.Account.ID != "" {
		view.SignedInAs = nameOf(&web.Actor{Account: who.Account})
	}
	return p.show(c, status, view)
}

// confirmEmail proves the address. In a browser that is signed in to another account, or
// to none, it changes nothing and says where to go.
func (p *Pages) confirmEmail(c *web.Call, v visit) error {
	who, err := visitor(c)
	if err != nil {
		return err
	}
	_, err = p.Auth.ConfirmEmail(c.R.Context(), who, auth.EmailProof{Token: tokenOf(c, v)}, v.from)
	switch {
	case errors.Is(err, session.ErrUnauthenticated):
		return p.askConfirmation(c, v, who, http.StatusUnauthorized)
	case errors.Is(err, session.ErrEnded):
		return p.askConfirmation(c, v, auth.Actor{}, http.StatusUnauthorized)
	case err != nil:
		return p.linkOver(c, v, signin.VerifyEmail, err)
	}
	return p.showOver(c, http.StatusOK, v, signin.VerifyEmail, Confirmed)
}

// visitor is the person who is signed in, or the zero Actor.
func visitor(c *web.Call) (auth.Actor, error) {
	who, err := c.Identify()
	switch {
	case err == nil:
		return auth.Actor(*who), nil
	case fault.Of(err).Kind == fault.Unauthenticated:
		return auth.Actor{}, nil
	}
	return auth.Actor{}, err
}

// ConfirmElsewhere is the page behind the link of an added address in a browser that is
// not signed in to the account that asked.
type ConfirmElsewhere struct {
	Page
	Address    string // masked
	Account    string // masked; the account that asked
	SignedInAs string // who is signed in here instead; "" is nobody
}

// Screen names the template.
func (ConfirmElsewhere) Screen() string { return "confirm-elsewhere" }
