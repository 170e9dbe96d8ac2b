package pages

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// viaSignUp in an address says that the sign-up page asked for the letter: who gave a
// wrong address goes back to where they gave it.
const viaSignUp = "sign-up"

// signInEmail asks for a letter from the sign-in page.
func (p *Pages) signInEmail(c *web.Call, v visit) error {
	if p.Auth.Post.CanText() && account.ParseIdentifier(v.values["identifier"]).Kind == account.KindPhone {
		return p.signInPhone(c, v)
	}
	owed, err := p.beginEmail(c, v, v.values["identifier"], false)
	switch {
	case err != nil && len(fault.Of(err).Fields) > 0:
		return p.refuseSignIn(c, v, fault.Invalidate("identifier", "no_address"))
	case err != nil:
		return p.refuseSignIn(c, v, err)
	}
	return p.goOn(c, auth.Outcome{Owed: &owed}, v)
}

// signInPhone asks for a code to a number that was typed where an address may stand.
func (p *Pages) signInPhone(c *web.Call, v visit) error {
	owed, err := p.Auth.BeginPhone(c.R.Context(), auth.SignInPhone{
		Phone: v.values["identifier"], Locale: p.page(c).Lang(), Onward: v.to.Destination,
	}, v.from)
	if err != nil {
		return p.refuseSignIn(c, v, err)
	}
	return p.goOn(c, auth.Outcome{Owed: &owed}, v)
}

// signUpEmail asks for a letter that makes an account without a password.
func (p *Pages) signUpEmail(c *web.Call, v visit) error {
	if !p.SignUp {
		return signin.ErrSignUpClosed
	}
	owed, err := p.beginEmail(c, v, v.values["email"], true)
	if err != nil {
		return p.refuseSignUp(c, v, err)
	}
	return p.goOn(c, auth.Outcome{Owed: &owed}, v, "via", viaSignUp)
}

func (p *Pages) beginEmail(c *web.Call, v visit, email string, create bool) (auth.Verification, error) {
	if email == "" {
		return auth.Verification{}, fault.Invalidate("email", "required")
	}
	return p.Auth.BeginEmail(c.R.Context(), auth.SignInEmail{
		Email: email, Create: create, Locale: p.page(c).Lang(), Onward: v.to.Destination,
	}, v.from)
}

func (p *Pages) codeForm(c *web.Call, v visit) error { return p.showCode(c, v, nil) }

// showCode shows the waiting screen of an attempt that this browser holds: where the
// letter went, the form for its code, and the way on for whoever used its link.
func (p *Pages) showCode(c *web.Call, v visit, why error) error {
	if errors.Is(why, signin.ErrAccountDeleting) {
		return why // the attempt is over
	}
	page, changeURL, here := p.page(c), "/sign-in", []string{"attempt", v.values["attempt"]}
	if v.values["via"] == viaSignUp {
		changeURL, here = "/sign-up", append(here, "via", viaSignUp)
	}
	page.Carry = v.to.carry()
	for i := 0; i < len(here); i += 2 {
		page.Carry = append(page.Carry, Pair{here[i], here[i+1]})
	}
	page.Path = v.to.link("/sign-in/code", here...)
	owed, err := p.Auth.AttemptOwed(c.R.Context(), secret.Text(v.values["attempt"]), v.from)
	if errors.Is(err, signin.ErrAttemptExpired) {
		return p.waitOver(c, v)
	}
	if err != nil {
		return err
	}
	view := Code{
		Page: page, Action: "/sign-in/code", Attempt: v.values["attempt"], SentTo: owed.SentTo, Mailbox: mailboxOf(owed.SentTo), Match: owed.Match,
		ExpiresIn: owed.ExpiresIn, ResendIn: owed.ResendIn, Resent: v.values["resent"] != "" && why == nil,
		ChangeURL: v.to.link(changeURL, "prompt", "login"), ByPhone: owed.Channel == string(account.ByPhone),
	}
	status := http.StatusOK
	if why != nil {
		if view.Problem, status, err = p.problem(page, why); err != nil {
			return err
		}
	}
	return p.show(c, status, view, v.to.onward()...)
}

// waitOver leads on from an attempt that can no longer be completed: to where its
// completion led, or to a new beginning with the reason.
func (p *Pages) waitOver(c *web.Call, v visit) error {
	status, err := p.Auth.AttemptStatus(c.R.Context(), secret.Text(v.values["attempt"]), v.from)
	switch {
	case err != nil:
		return p.refuseSignIn(c, v, err)
	case status == "complete":
		c.Redirect(v.to.link("/sign-in"))
		return nil
	case status != "denied":
		return p.refuseSignIn(c, v, signin.ErrAttemptExpired)
	}
	view := p.signInView(c, v)
	view.Problem = &Problem{Text: view.T.Text("wait.denied")}
	return p.show(c, http.StatusUnauthorized, view, v.to.onward()...)
}

func (p *Pages) redeemCode(c *web.Call, v visit) error {
	if v.values["code"] == "" {
		return p.showCode(c, v, fault.Invalidate("code", "required"))
	}
	out, err := p.Auth.RedeemCode(c.R.Context(), secret.Text(v.values["attempt"]), v.values["code"], v.from)
	if err != nil {
		return p.showCode(c, v, err)
	}
	return p.goOn(c, out, v)
}

func (p *Pages) resendCode(c *web.Call, v visit) error {
	if err := p.resend(c, v.values["attempt"], v.from); err != nil {
		return p.showCode(c, v, err)
	}
	c.Redirect(v.to.link("/sign-in/code", "attempt", v.values["attempt"], "via", v.values["via"], "resent", "1"))
	return nil
}

// resend sends another code. The attempt lives longer by it, and so does its cookie.
func (p *Pages) resend(c *web.Call, attempt string, b session.Browser) error {
	v, err := p.Auth.ResendCode(c.R.Context(), secret.Text(attempt), b)
	if err != nil {
		return err
	}
	return c.KeepAttempt(v.Browser, v.ExpiresIn)
}

// completeWaiting fetches what another device approved. Whoever comes too early is told
// so, and learns nothing else: a sign-up, which nobody can approve, answers alike.
func (p *Pages) completeWaiting(c *web.Call, v visit) error {
	attempt := secret.Text(v.values["attempt"])
	out, err := p.Auth.CompleteAttempt(c.R.Context(), attempt, v.from)
	if err == nil {
		return p.goOn(c, out, v)
	}
	if errors.Is(err, signin.ErrAttemptExpired) {
		if status, broken := p.Auth.AttemptStatus(c.R.Context(), attempt, v.from); broken == nil && status == "pending" {
			err = auth.ErrNotApproved
		}
	}
	return p.showCode(c, v, err)
}

// Code is the waiting screen: it asks for the code that a letter carries, and continues
// by itself when the letter's link was used.
type Code struct {
	Page
	ByPhone   bool // the code went to a phone
	Problem   *Problem
	Action    string   // where the code is sent
	Attempt   string   // whose link the screen waits for; "" waits for none
	SentTo    string   // masked
	Mailbox   *Mailbox // where the letter can be read; nil when nobody knows
	Match     string   // the two digits for a link that is opened elsewhere; "" shows none
	ExpiresIn time.Duration
	ResendIn  time.Duration // how long a new code must wait
	// Recovering says that the newest email of a recovery stays good, whether or not
	// another one was sent.
	Recovering bool
	Secured    bool   // says that strangers are signed out
	Resent     bool   // says that a new code is on its way
	ChangeURL  string // where another address can be given
}

// Screen names the template.
func (Code) Screen() string { return "code" }

// Mailbox is where a well-known provider shows its letters.
type Mailbox struct{ Name, URL string }

var (
	gmail   = &Mailbox{"Gmail", "https://mail.google.com/mail/"}
	outlook = &Mailbox{"Outlook", "https://outlook.live.com/mail/"}
	yahoo   = &Mailbox{"Yahoo Mail", "https://mail.yahoo.com/"}
	icloud  = &Mailbox{"iCloud Mail", "https://www.icloud.com/mail/"}
	proton  = &Mailbox{"Proton Mail", "https://mail.proton.me/"}
)

// mailboxes are the domains of one name; families those that a provider has in many
// countries, such as yahoo.co.uk.
var (
	mailboxes = map[string]*Mailbox{
		"gmail.com": gmail, "googlemail.com": gmail, "msn.com": outlook, "ymail.com": yahoo, "rocketmail.com": yahoo,
		"icloud.com": icloud, "me.com": icloud, "mac.com": icloud, "proton.me": proton, "protonmail.com": proton, "pm.me": proton,
	}
	families = map[string]*Mailbox{"outlook": outlook, "hotmail": outlook, "live": outlook, "yahoo": yahoo}
)

// longestCountry is the length of what may follow a family's name: com, co.uk, com.br.
const longestCountry = len("com.br")

// mailboxOf returns where letters to an address, masked or not, can be read.
func mailboxOf(address string) *Mailbox {
	domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
	if known, ok := mailboxes[domain]; ok {
		return known
	}
	family, country, _ := strings.Cut(domain, ".")
	if len(country) < 2 || len(country) > longestCountry {
		return nil
	}
	return families[family]
}
