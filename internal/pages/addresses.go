package pages

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/text"
	"github.com/limenauth/limen/internal/web"
)

// Addresses is where a person adds, proves, chooses and removes e-mail addresses and phone
// numbers.
type Addresses struct {
	Page
	// Problem belongs to the list that Section names.
	Problem *Problem
	Section string
	Saved   string // what has just been done: "sent", "verified", "primary", "removed" or "confirmed"

	Emails, Phones []AddressRow
	CanText        bool   // messages to phones can leave
	Typed          string // what was typed to be added
}

// The lists of the page.
const (
	EmailsForm = "emails"
	PhonesForm = "phones"
)

// AddressRow is one address or number. An open row asks for its code.
type AddressRow struct {
	ID, Text                string
	Verified, Primary, Open bool
}

// Screen names the template.
func (Addresses) Screen() string { return "addresses" }

// In returns the problem if it belongs to the list.
func (v Addresses) In(form string) *Problem {
	if v.Section != form {
		return nil
	}
	return v.Problem
}

// AddressList is one list of the page, as its part of the template reads it.
type AddressList struct {
	T       text.Messages
	Name    string
	Rows    []AddressRow
	Problem *Problem
}

// Rows returns the list of that name.
func (v Addresses) Rows(name string) AddressList {
	l := AddressList{T: v.T, Name: name, Rows: v.Emails, Problem: v.In(name)}
	if name == PhonesForm {
		l.Rows = v.Phones
	}
	return l
}

// Notice is the sentence for what has been done, or "".
func (v Addresses) Notice() string {
	switch v.Saved {
	case "sent", "verified", "primary", "removed":
		return v.T.Text("addresses.saved." + v.Saved)
	case "confirmed":
		return v.T.Text("account.saved.confirmed")
	}
	return ""
}

func (p *Pages) addresses() web.Table {
	t := web.Table{{Pattern: "GET /account/addresses", Guard: web.SignedIn, Limit: reading, Handle: p.asked(p.showAddresses)}}
	for _, deed := range []struct {
		path  string
		limit web.Limit
		do    func(*web.Call, visit) (done string, err error)
	}{
		{"emails/add", asking, p.addEmail}, {"emails/send", asking, p.sendEmail}, {"emails/verify", trying, p.verifyEmail},
		{"emails/primary", trying, p.primaryEmail}, {"emails/remove", trying, p.removeEmail},
		{"phones/add", asking, p.addPhone}, {"phones/send", asking, p.sendPhone}, {"phones/verify", trying, p.verifyPhone},
		{"phones/primary", trying, p.primaryPhone}, {"phones/remove", trying, p.removePhone},
	} {
		section := deed.path[:len(EmailsForm)]
		t = append(t, web.Row{Pattern: "POST /account/" + deed.path, Guard: web.SignedIn, Limit: deed.limit, Handle: p.posted(func(c *web.Call, v visit) error {
			done, err := deed.do(c, v)
			return p.afterAddress(c, v, section, done, err)
		})})
	}
	return t
}

// afterAddress leads back to the page: with what was done, or with what was wrong.
func (p *Pages) afterAddress(c *web.Call, v visit, section, done string, why error) error {
	switch {
	case errors.Is(why, signin.ErrReauthenticate):
		c.Redirect("/account/confirm?for=addresses")
		return nil
	case why != nil:
		return p.addressesView(c, v, section, "", why)
	}
	to := url.Values{"saved": {done}}
	if done == "sent" {
		to.Set("row", v.values["id"])
	}
	c.Redirect("/account/addresses?" + to.Encode())
	return nil
}

func (p *Pages) showAddresses(c *web.Call, v visit) error {
	v.values["id"] = v.values["row"]
	return p.addressesView(c, v, "", v.values["saved"], nil)
}

func (p *Pages) addressesView(c *web.Call, v visit, section, saved string, why error) error {
	view := Addresses{Page: p.page(c), Section: section, Saved: saved, CanText: p.Auth.Post.CanText()}
	view.Path = "/account/addresses"
	emails, err := p.Auth.Emails(c.R.Context(), actor(c))
	if err != nil {
		return err
	}
	open := v.values["id"]
	for _, e := range emails {
		view.Emails = append(view.Emails, AddressRow{
			ID: string(e.ID), Text: e.Address.Text, Verified: !e.VerifiedAt.IsZero(), Primary: e.Primary, Open: string(e.ID) == open && e.VerifiedAt.IsZero(),
		})
	}
	phones, err := p.Auth.Phones(c.R.Context(), actor(c))
	if err != nil {
		return err
	}
	for _, n := range phones {
		view.Phones = append(view.Phones, AddressRow{
			ID: string(n.ID), Text: n.Number, Verified: !n.VerifiedAt.IsZero(), Primary: n.Primary, Open: string(n.ID) == open && n.VerifiedAt.IsZero(),
		})
	}
	status := http.StatusOK
	if why != nil {
		view.Typed = v.values["address"]
		if view.Problem, status, err = p.problem(view.Page, why); err != nil {
			return err
		}
	}
	return p.show(c, status, view)
}

func (p *Pages) addEmail(c *web.Call, v visit) (string, error) {
	if v.values["address"] == "" {
		return "", fault.Invalidate("email", "required")
	}
	row, _, err := p.Auth.AddEmail(c.R.Context(), actor(c), v.values["address"], v.from)
	v.values["id"] = string(row.ID)
	return "sent", err
}

func (p *Pages) sendEmail(c *web.Call, v visit) (string, error) {
	_, err := p.Auth.SendEmailProof(c.R.Context(), actor(c), account.EmailID(v.values["id"]), v.from)
	return "sent", err
}

func (p *Pages) verifyEmail(c *web.Call, v visit) (string, error) {
	if v.values["code"] == "" {
		return "", fault.Invalidate("code", "required")
	}
	_, err := p.Auth.VerifyEmail(c.R.Context(), actor(c), account.EmailID(v.values["id"]), v.values["code"], v.from)
	return "verified", err
}

func (p *Pages) primaryEmail(c *web.Call, v visit) (string, error) {
	return "primary", p.Auth.SetPrimaryEmail(c.R.Context(), actor(c), account.EmailID(v.values["id"]), false, v.from)
}

func (p *Pages) removeEmail(c *web.Call, v visit) (string, error) {
	return "removed", gone(p.Auth.RemoveEmail(c.R.Context(), actor(c), account.EmailID(v.values["id"]), v.from))
}

func (p *Pages) addPhone(c *web.Call, v visit) (string, error) {
	if v.values["address"] == "" {
		return "", fault.Invalidate("phone", "required")
	}
	row, _, err := p.Auth.AddPhone(c.R.Context(), actor(c), v.values["address"], "", v.from)
	v.values["id"] = string(row.ID)
	return "sent", err
}

func (p *Pages) sendPhone(c *web.Call, v visit) (string, error) {
	_, err := p.Auth.SendPhoneProof(c.R.Context(), actor(c), account.PhoneID(v.values["id"]), v.from)
	return "sent", err
}

func (p *Pages) verifyPhone(c *web.Call, v visit) (string, error) {
	if v.values["code"] == "" {
		return "", fault.Invalidate("code", "required")
	}
	return "verified", p.Auth.VerifyPhone(c.R.Context(), actor(c), account.PhoneID(v.values["id"]), v.values["code"], v.from)
}

func (p *Pages) primaryPhone(c *web.Call, v visit) (string, error) {
	return "primary", p.Auth.SetPrimaryPhone(c.R.Context(), actor(c), account.PhoneID(v.values["id"]), v.from)
}

func (p *Pages) removePhone(c *web.Call, v visit) (string, error) {
	return "removed", gone(p.Auth.RemovePhone(c.R.Context(), actor(c), account.PhoneID(v.values["id"]), v.from))
}

// gone forgives that what was to be removed is gone already: that is what was wanted.
func gone(err error) error {
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	return err
}
