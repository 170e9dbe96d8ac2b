package pages

import (
	"net/url"
	"strings"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

// destination is where a sign-in leads: to the person's own account, to a page on
// limen's own origin, or to an application that fetches its own session with a code.
type destination struct {
	redirectTo, state, challenge string
	own                          bool // on our own origin: the cookies are enough
}

// destinationOf reads where the sign-in shall lead, and checks it before anything is
// asked of the person.
func (p *Pages) destinationOf(values map[string]string) (destination, error) {
	d := destination{redirectTo: values["redirect_to"], state: values["state"], challenge: values["code_challenge"]}
	if d.redirectTo == "" {
		return destination{}, nil
	}
	if err := oauth.CheckState(d.state); err != nil {
		return d, err
	}
	if d.own = p.isOwn(d.redirectTo); d.own {
		return d, nil
	}
	return d, p.Auth.CheckHandover(d.redirectTo, d.challenge)
}

// isOwn reports whether target is a page on limen's own origin, written plainly.
func (p *Pages) isOwn(target string) bool {
	prefix := p.PublicURL.Scheme + "://" + p.PublicURL.Host + "/"
	u, err := url.Parse(target)
	return err == nil && strings.HasPrefix(target, prefix) && u.Host == p.PublicURL.Host && u.User == nil &&
		!strings.ContainsAny(target, "\\\r\n\t") && u.Fragment == ""
}

// carry are the hidden fields with which a form remembers the destination.
func (d destination) carry() []Pair {
	if d.redirectTo == "" {
		return nil
	}
	return []Pair{{"redirect_to", d.redirectTo}, {"state", d.state}, {"code_challenge", d.challenge}}
}

// link is path with the destination in its query.
func (d destination) link(path string, more ...string) string {
	q := url.Values{}
	for _, pair := range d.carry() {
		if pair.Value != "" {
			q.Set(pair.Name, pair.Value)
		}
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
	if d.redirectTo == "" || d.own {
		return nil
	}
	u, err := url.Parse(d.redirectTo)
	if err != nil {
		return nil
	}
	if u.Host == "" {
		return []string{u.Scheme + ":"}
	}
	return []string{u.Scheme + "://" + u.Host}
}

// lead returns the address to which a completed sign-in goes.
func (p *Pages) lead(c *web.Call, who auth.Actor, d destination, b session.Browser) (string, error) {
	if d.redirectTo == "" {
		return "/account", nil
	}
	if d.own {
		return d.redirectTo, nil
	}
	code, err := p.Auth.IssueHandover(c.R.Context(), who, d.redirectTo, d.challenge, b)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(d.redirectTo)
	if err != nil {
		return "", err
	}
	q := to.Query()
	q.Set("code", code.Reveal())
	if d.state != "" {
		q.Set("state", d.state)
	}
	to.RawQuery = q.Encode()
	return to.String(), nil
}
