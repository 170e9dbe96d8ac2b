package pages

import (
	"net/http"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/web"
)

// keeping lets people who have just proven who they are keep an account that is being deleted.
func (p *Pages) keeping() web.Table {
	return web.Table{
		{Pattern: "POST /sign-in/keep", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.keep)},
	}
}

func (p *Pages) keep(c *web.Call, v visit) error {
	granted, err := p.Auth.KeepAccount(c.R.Context(), secret.Text(v.values["attempt"]), v.from)
	if err != nil {
		return p.refuseSignIn(c, v, err)
	}
	return p.enter(c, granted, v.to, v.from)
}

// offerKeeping says when the account will be deleted and, to the browser that may, offers
// to keep it.
func (p *Pages) offerKeeping(c *web.Call, v visit, f *fault.Fault) error {
	view := Keep{Page: p.page(c), DeleteAt: f.DeleteAt, Attempt: f.Attempt, SignInURL: v.to.link("/sign-in")}
	view.Carry = append(v.to.carry(), Pair{"attempt", f.Attempt})
	view.Path = view.SignInURL
	return p.show(c, http.StatusForbidden, view)
}

// Keep says that an account will be deleted.
type Keep struct {
	Page
	DeleteAt  time.Time
	Attempt   string // with which this browser can keep it; "" where it cannot
	SignInURL string
}

// Screen names the template.
func (Keep) Screen() string { return "keep" }
