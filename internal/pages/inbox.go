package pages

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/web"
)

// Inbox is the development inbox.
type Inbox struct {
	Page
	Letters []LetterRow // newest first
	// Older reports that there are more than these.
	Older bool
}

// Screen names the template.
func (Inbox) Screen() string { return "inbox" }

// Newest is the id of the newest message, or "": a script asks whether it still is.
func (v Inbox) Newest() string {
	if len(v.Letters) == 0 {
		return ""
	}
	return v.Letters[0].ID
}

// LetterRow is one letter of the inbox, or a message to a phone.
type LetterRow struct {
	ID       string
	SMS      bool
	To, From string
	Subject  string // "" for a message to a phone
	Text     string
	HTML     string // "" for none
	Code     string
	Links    []string
	SentAt   time.Time
}

// mostLetters is how many letters the page shows.
const mostLetters = 100

// letterPolicy is for the HTML of a letter: it runs nothing, loads nothing, sends nothing
// and has no origin. It may open what the reader clicks in another tab.
const letterPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; " +
	"sandbox allow-popups allow-popups-to-escape-sandbox"

// development are the pages that exist in development only.
func (p *Pages) development() web.Table {
	if p.Inbox == nil {
		return nil
	}
	return web.Table{
		{Pattern: "GET /dev/inbox", Guard: web.Development, Limit: reading, Handle: web.Page(p.inbox)},
		{Pattern: "GET /dev/inbox/{id}", Guard: web.Development, Limit: reading, Handle: web.Page(p.inboxLetter)},
		{Pattern: "POST /dev/inbox/clear", Guard: web.Development, Limit: reading, Handle: web.Page(p.forgetInbox)},
	}
}

func (p *Pages) inbox(c *web.Call) error {
	v := Inbox{Page: p.page(c), Letters: p.Inbox()}
	if len(v.Letters) > mostLetters {
		v.Letters, v.Older = v.Letters[:mostLetters], true
	}
	var body bytes.Buffer
	if err := p.Renderer.Render(&body, v); err != nil {
		return err
	}
	return c.HTML(http.StatusOK, policy()+"; frame-src 'self'", body.Bytes())
}

// inboxLetter shows the HTML of a letter as a mail program would, for a frame of the
// inbox.
func (p *Pages) inboxLetter(c *web.Call) error {
	for _, l := range p.Inbox() {
		if l.ID != c.R.PathValue("id") || l.HTML == "" {
			continue
		}
		h := c.W.Header()
		h.Set("Content-Security-Policy", letterPolicy)
		h.Set("X-Frame-Options", "SAMEORIGIN")
		return c.Write(http.StatusOK, "text/html; charset=utf-8", []byte(inNewTabs(l.HTML)))
	}
	return fault.ErrNotFound
}

// inNewTabs makes the links of a letter open beside the inbox: the pages they lead to
// refuse to stand in a frame.
func inNewTabs(html string) string {
	const head = "<head>"
	if i := strings.Index(html, head); i >= 0 {
		i += len(head)
		return html[:i] + `<base target="_blank">` + html[i:]
	}
	return `<base target="_blank">` + html
}

func (p *Pages) forgetInbox(c *web.Call) error {
	p.ForgetInbox()
	c.Redirect("/dev/inbox")
	return nil
}
