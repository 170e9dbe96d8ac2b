package pages

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// letters are the ways in by a letter: asking for it, waiting for it, and its link.
func (p *Pages) letters() web.Table {
	return web.Table{
		{Pattern: "POST /sign-in/email", Guard: web.Anyone, Limit: asking, Handle: p.posted(p.signInEmail)},
		{Pattern: "POST /sign-up/email", Guard: web.Anyone, Limit: asking, Handle: p.posted(p.signUpEmail)},
		{Pattern: "GET /sign-in/code", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.codeForm)},
		{Pattern: "POST /sign-in/code", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.redeemCode)},
		{Pattern: "POST /sign-in/code/resend", Guard: web.Anyone, Limit: asking, Handle: p.posted(p.resendCode)},
		{Pattern: "POST /sign-in/complete", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.completeWaiting)},
		{Pattern: "GET /sign-in/link", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.linkForm)},
		{Pattern: "POST /sign-in/link", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.openLink)},
		{Pattern: "POST /sign-in/link/approve", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.approveLink)},
	}
}

// tokenOf is the token that a link carries. Its page tells its address to nobody. A form
// carries the token on in a field of its body and leads to an address without it; app.js
// takes it out of the page's own address at once.
func tokenOf(c *web.Call, v visit) secret.Text {
	c.Unreferred = true
	return secret.Text(v.values["token"])
}

// linkForm is where a letter's link leads. It changes nothing: mail scanners come here
// before people do.
func (p *Pages) linkForm(c *web.Call, v visit) error {
	token := tokenOf(c, v)
	subject, err := p.Auth.LinkSubject(c.R.Context(), token, v.from, signin.SignIn, signin.SignUp)
	if err != nil {
		return p.linkOver(c, v, signin.SignIn, err)
	}
	v.to = destination{subject.Onward}
	view := Link{Page: p.page(c), Address: subject.Address, Here: subject.Here, SignUp: subject.Purpose == signin.SignUp}
	if view.SignUp && !view.Here {
		return p.showOver(c, http.StatusOK, v, signin.SignIn, Elsewhere)
	}
	view.Carry = append(v.to.carry(), Pair{"token", token.Reveal()})
	return p.show(c, http.StatusOK, view, v.to.onward()...)
}

// openLink does what the link is for: it lets this browser in or, elsewhere, asks whether
// to let the one in that waits.
func (p *Pages) openLink(c *web.Call, v visit) error {
	out, err := p.Auth.RedeemLink(c.R.Context(), tokenOf(c, v), "", v.from)
	if err != nil {
		return p.linkOver(c, v, signin.SignIn, err)
	}
	if out.Approval == nil {
		return p.goOn(c, out.Outcome, v)
	}
	v.values["device"], v.values["place"] = out.Approval.Device, out.Approval.Place
	return p.askApproval(c, v, nil)
}

// askApproval shows what waits. The form carries it along, since a link is offered for
// approval a few times only.
func (p *Pages) askApproval(c *web.Call, v visit, why error) error {
	view := Approval{Page: p.page(c), Device: v.values["device"], Place: v.values["place"]}
	view.Path = "/sign-in/link?" + url.Values{"token": {v.values["token"]}}.Encode()
	for _, name := range []string{"token", "device", "place"} {
		view.Carry = append(view.Carry, Pair{name, v.values[name]})
	}
	status := http.StatusOK
	if why != nil {
		var err error
		if view.Problem, status, err = p.problem(view.Page, why); err != nil {
			return err
		}
	}
	return p.show(c, status, view)
}

func (p *Pages) approveLink(c *web.Call, v visit) error {
	token, decision := tokenOf(c, v), auth.Decision(v.values["decision"])
	match, read := factor.ReadDigits(v.values["match"], factor.MatchDigits)
	if decision == auth.Approve && !read { // a slip, and no guess
		return p.askApproval(c, v, fault.Invalidate("match", "required"))
	}
	approved, err := p.Auth.ApproveLink(c.R.Context(), token, match, decision, v.from)
	switch {
	case err != nil:
		return p.linkOver(c, v, signin.SignIn, err)
	case approved:
		return p.showOver(c, http.StatusOK, v, signin.SignIn, Approved)
	case decision == auth.Deny:
		return p.showOver(c, http.StatusOK, v, signin.SignIn, Denied)
	}
	return p.showOver(c, http.StatusOK, v, signin.SignIn, Mismatched)
}

// linkOver tells why a link does nothing any more.
func (p *Pages) linkOver(c *web.Call, v visit, purpose signin.Purpose, why error) error {
	for _, end := range []struct {
		refusal *fault.Fault
		state   OverState
	}{{signin.ErrLinkExpired, Expired}, {signin.ErrAttemptExpired, Expired}, {signin.ErrLinkUsed, Used}, {auth.ErrLinkElsewhere, Elsewhere}} {
		if errors.Is(why, end.refusal) {
			return p.showOver(c, web.StatusOf(end.refusal), v, purpose, end.state)
		}
	}
	return why
}

func (p *Pages) showOver(c *web.Call, status int, v visit, purpose signin.Purpose, state OverState) error {
	view := Over{Page: p.page(c), Purpose: purpose, State: state, SignInURL: v.to.link("/sign-in"), SignUpURL: p.signUpURL(v.to)}
	if _, err := c.Identify(); err == nil {
		view.SignedIn = true
	}
	view.Carry = v.to.carry()
	return p.show(c, status, view)
}

// Link is the page behind a letter's link.
type Link struct {
	Page
	Address string // masked
	Here    bool   // this browser asked for the letter: its script may go on by itself
	SignUp  bool
}

// Screen names the template.
func (Link) Screen() string { return "link" }

// Approval asks whether to let the browser in that waits.
type Approval struct {
	Page
	Problem       *Problem
	Device, Place string // where it is; "" is unknown
}

// Screen names the template.
func (Approval) Screen() string { return "approval" }
