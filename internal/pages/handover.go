package pages

import (
	"net/url"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

// destination is where a sign-in leads: to the person's own account, to a page on
// limen's own origin, or to an application that fetches its own session with a code.
type destination struct{ oauth.Destination }

// destinationOf reads where the sign-in shall lead, and judges it before anything is
// asked of the person.
func (p *Pages) destinationOf(values map[string]string) (destination, error) {
	d, err := p.Auth.Destination(values["redirect_to"], values["state"], values["code_challenge"])
	return destination{d}, err
}

// carry are the hidden fields with which a form remembers the destination.
func (d destination) carry() []Pair {
	var fields []Pair
	for name, value := range d.Values() {
		fields = append(fields, Pair{name, value})
	}
	return fields
}

// link is path with the destination in its query.
func (d destination) link(path string, more ...string) string {
	q := url.Values{}
	for name, value := range d.Values() {
		q.Set(name, value)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// onward is the origin that a form of the page may lead to, for its policy.
func (d destination) onward() []string {
	if !d.Elsewhere() {
		return nil
	}
	return []string{d.Origin()}
}

// lead returns the address to which a completed sign-in goes.
func (p *Pages) lead(c *web.Call, who auth.Actor, d destination, b session.Browser) (string, error) {
	switch {
	case d.RedirectTo() == "":
		return "/account", nil
	case !d.Elsewhere():
		return d.RedirectTo(), nil
	}
	code, err := p.Auth.IssueHandover(c.R.Context(), who, d.Destination, b)
	if err != nil {
		return "", err
	}
	return d.With(code.Reveal())
}
