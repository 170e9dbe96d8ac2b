package pages

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/text"
	"github.com/limenauth/limen/internal/web"
)

// Pages is the door. Every field but Inbox is required.
type Pages struct {
	Auth      *auth.Auth
	Issuer    *issuer.Issuer
	Renderer  *Renderer
	Catalogue *text.Catalogue
	AppName   string
	// PublicURL is scheme and host of limen itself.
	PublicURL *url.URL
	MinLength int
	SignUp    bool // new accounts are open
	// Inbox lists the letters of development, newest first; nil in production.
	Inbox func() []LetterRow
	// ForgetInbox empties it.
	ForgetInbox func()
}

var (
	reading = web.Free()
	trying  = web.Refunded(ratelimit.Rate{Name: "try", Events: 60, Per: 10 * time.Minute, Burst: 60})
	asking  = web.Limited(ratelimit.Rate{Name: "letter", Events: 60, Per: time.Hour, Burst: 30})
)

// Table lists what the door exposes.
func (p *Pages) Table() web.Table {
	t := web.Table{
		{Pattern: "GET /{$}", Guard: web.Anyone, Limit: reading, Handle: web.Page(p.home)},
		{Pattern: "GET /sign-in", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.signInForm)},
		{Pattern: "POST /sign-in", Guard: web.Anyone, Limit: trying, Hashes: true, Handle: p.posted(p.signIn)},
		{Pattern: "POST /sign-in/continue", Guard: web.SignedIn, Limit: trying, Handle: p.posted(p.continueAs)},
		{Pattern: "GET /sign-up", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.signUpForm)},
		{Pattern: "POST /sign-up", Guard: web.Anyone, Limit: asking, Hashes: true, Handle: p.posted(p.signUp)},
		{Pattern: "GET /signed-out", Guard: web.Anyone, Limit: reading, Handle: web.Page(p.signedOut)},
		{Pattern: "POST /sign-out", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.signOut)},
		{Pattern: "POST /language", Guard: web.Anyone, Limit: reading, Handle: p.posted(p.chooseLanguage)},
		{Pattern: "GET /static/{file}", Guard: web.Anyone, Limit: reading, Handle: web.Plain(p.static)},
		{Pattern: "GET /.well-known/change-password", Guard: web.Anyone, Limit: reading, Handle: web.Page(p.changePasswordURL)},
	}
	for _, part := range []web.Table{p.letters(), p.recovery(), p.undoing(), p.reviewing(), p.keeping(), p.account(), p.addresses()} {
		t = append(t, part...)
	}
	return append(t, p.development()...)
}

const languageCookie = "limen_language"

// page begins a view: language, names and links.
func (p *Pages) page(c *web.Call) Page {
	query := c.R.URL.Query()
	locales := ""
	if c.R.Method == http.MethodGet {
		locales = query.Get("ui_locales")
	}
	lang := p.Catalogue.Match(locales, c.LocaleCookie(languageCookie), c.R.Header.Get("Accept-Language"))
	out := Page{
		T: p.Catalogue.For(lang), Languages: p.Catalogue.Languages(), AppName: p.AppName, Host: p.PublicURL.Host,
		Path: c.R.URL.RequestURI(), RequestID: c.RequestID, Dev: p.Inbox != nil, Now: c.Now,
	}
	if theme := query.Get("theme"); theme == "dark" || theme == "light" {
		out.Theme = theme
	}
	if c.R.Method != http.MethodGet {
		out.Path = backTo(c.R.URL.Path)
	}
	return out
}

// backTo is the page that a form of that path stands on, for the language switch.
func backTo(path string) string {
	switch {
	case strings.HasPrefix(path, "/account/confirm"):
		return "/account/confirm"
	case strings.HasPrefix(path, "/account"):
		return "/account"
	case path == "/sign-up" || path == "/recovery":
		return path
	}
	return "/sign-in"
}

// policy is the content security policy of a page; onward names origins to which a form
// of the page may lead, because browsers hold redirects after a form to it as well.
func policy(onward ...string) string {
	return "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action " +
		strings.Join(append([]string{"'self'"}, onward...), " ") + "; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
}

func (p *Pages) show(c *web.Call, status int, v View, onward ...string) error {
	var body bytes.Buffer
	if err := p.Renderer.Render(&body, v); err != nil {
		return err
	}
	return c.HTML(status, policy(onward...), body.Bytes())
}

// problem shows a form again with what was wrong with it. What no form can help against
// goes on to a page of its own.
func (p *Pages) problem(page Page, err error) (*Problem, int, error) {
	f := fault.Of(err)
	if f.Kind == fault.Internal || f.Is(signin.ErrAccountDeleting) {
		return nil, 0, err
	}
	return page.Problem(f, p.MinLength), web.StatusOf(f), nil
}

// Refuse writes a refusal as a page; the headers are set already.
func (p *Pages) Refuse(c *web.Call, f *fault.Fault, status int) error {
	if status == http.StatusUnauthorized && c.R.Method == http.MethodGet {
		to := "/sign-in"
		if f.Is(session.ErrEnded) {
			to += "?ended=1"
		}
		c.Redirect(to)
		return nil
	}
	if to, ok := onceMore(c.R); ok && f.Is(session.ErrSuperseded) {
		c.Redirect(to)
		return nil
	}
	// Who is refused before the guard is not asked who they are: that could renew a session
	// on behalf of another origin.
	return p.show(c, status, Error{Page: p.page(c), Fault: f, SignedIn: c.Actor != nil})
}

// onceMore is where a browser goes whose refresh cookie another tab has just replaced: to
// the same page, or to the page of its form, with the cookies that it has by now. ok is
// false when it has been there already.
func onceMore(r *http.Request) (to string, ok bool) {
	const again = "again"
	q := url.Values{}
	path := backTo(r.URL.Path)
	if r.Method == http.MethodGet {
		path, q = r.URL.EscapedPath(), r.URL.Query()
	}
	if q.Get(again) != "" {
		return "", false
	}
	q.Set(again, "1")
	return path + "?" + q.Encode(), true
}

// browser describes where a call comes from; pages always keep tokens in cookies.
func browser(c *web.Call) (session.Browser, error) {
	b, err := c.Browser()
	b.Delivery = session.Cookie
	return b, err
}

// visit is what a handler is told of a call: what was sent, where it shall lead in the end
// and where it comes from.
type visit struct {
	values map[string]string
	to     destination
	from   session.Browser
}

// asked makes a handler of a function that answers an address, posted of one that answers
// a form.
func (p *Pages) asked(fn func(*web.Call, visit) error) web.Handler {
	return p.visited((*web.Call).Query, fn)
}

func (p *Pages) posted(fn func(*web.Call, visit) error) web.Handler {
	return p.visited((*web.Call).Form, fn)
}

func (p *Pages) visited(read func(*web.Call) (map[string]string, error), fn func(*web.Call, visit) error) web.Handler {
	return web.Page(func(c *web.Call) (err error) {
		var v visit
		if v.values, err = read(c); err != nil {
			return err
		}
		if v.to, err = p.destinationOf(v.values); err != nil {
			return err
		}
		if v.from, err = browser(c); err != nil {
			return err
		}
		err = fn(c, v)
		if f := fault.Of(err); err != nil && f.Is(signin.ErrAccountDeleting) {
			return p.offerKeeping(c, v, f)
		}
		return err
	})
}

func actor(c *web.Call) auth.Actor { return auth.Actor(*c.Actor) }

// enter keeps a grant in cookies and leads the person on. A session that this browser
// had before is ended: a browser holds one.
func (p *Pages) enter(c *web.Call, g session.Granted, to destination, b session.Browser) error {
	if before, err := c.Identify(); err == nil && before.Session.ID != g.Session().ID {
		if err := p.Auth.SignOut(c.R.Context(), before.Session, auth.Local, b); err != nil {
			return err
		}
	}
	issued, err := p.Issuer.Issue(g)
	if err != nil {
		return err
	}
	onward, err := p.lead(c, auth.Actor{Account: g.Account(), Session: g.Session()}, to, b)
	if err != nil {
		return err
	}
	return web.RedirectGrant(c, onWire(issued), onward)
}

func onWire(i session.Issued) web.Issued {
	return web.Issued{
		Account: i.Account, Session: i.Session, AccessToken: i.AccessToken, AccessExpiresAt: i.AccessExpiresAt,
		RefreshToken: i.RefreshToken, DeviceSecret: i.Device, AttemptSecret: i.Attempt,
	}
}

// Renew refreshes the cookies of a page whose access cookie has run out.
func (p *Pages) Renew(c *web.Call) (*web.Actor, error) {
	token, device, err := c.Refreshing("")
	if err != nil {
		return nil, err
	}
	b, err := browser(c)
	if err != nil {
		return nil, err
	}
	issued, err := p.Issuer.Refresh(c.R.Context(), issuer.Refreshing{Token: token, Device: device, InCookie: true, Browser: b})
	if err != nil {
		return nil, err
	}
	if err := web.KeepGrant(c, onWire(issued)); err != nil {
		return nil, err
	}
	who, err := p.Issuer.Authenticate(c.R.Context(), issued.AccessToken)
	if err != nil {
		return nil, err
	}
	return &web.Actor{Account: who.Account, Session: who.Session}, nil
}

func (p *Pages) home(c *web.Call) error {
	if _, err := c.Identify(); err != nil {
		c.Redirect("/sign-in")
		return nil
	}
	c.Redirect("/account")
	return nil
}

func (p *Pages) changePasswordURL(c *web.Call) error {
	c.Redirect("/account#password")
	return nil
}

func (p *Pages) chooseLanguage(c *web.Call, v visit) error {
	if p.Catalogue.Speaks(v.values["lang"]) {
		c.SetLocaleCookie(languageCookie, v.values["lang"])
	}
	c.Redirect(ownPath(v.values["return_to"]))
	return nil
}

// ownPath returns path if it is a plain path of ours, else the start: it must not lead
// to another host, whatever a browser makes of slashes and backslashes.
func ownPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	q := u.Query()
	q.Del("ui_locales") // the choice counts from now on
	u.RawQuery = q.Encode()
	return u.String()
}

func (p *Pages) static(c *web.Call) error {
	asset, ok := p.Renderer.static.files[c.R.URL.Path]
	if !ok {
		return fault.ErrNotFound
	}
	c.W.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	body := asset.Body
	if asset.Gzip != nil {
		c.W.Header().Add("Vary", "Accept-Encoding")
		if strings.Contains(c.R.Header.Get("Accept-Encoding"), "gzip") {
			c.W.Header().Set("Content-Encoding", "gzip")
			body = asset.Gzip
		}
	}
	return c.Write(http.StatusOK, asset.ContentType, body)
}
