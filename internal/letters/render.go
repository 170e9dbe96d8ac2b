package letters

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/text"
)

//go:embed letter.html
var files embed.FS

// Renderer writes letters in a person's language. Build it with NewRenderer.
type Renderer struct {
	catalogue *text.Catalogue
	layout    *template.Template
	app       string
	host      string
	signIn    string
	codeLife  time.Duration
}

// NewRenderer readies the letters of an application. The public URL is the only base of
// links (CVE-2025-64101 and its kin: never the Host header).
func NewRenderer(c *text.Catalogue, app, publicURL, host string, codeLife time.Duration) (*Renderer, error) {
	layout, err := template.ParseFS(files, "letter.html")
	if err != nil {
		return nil, fmt.Errorf("letters: %w", err)
	}
	return &Renderer{
		catalogue: c, layout: layout, app: app, host: host, signIn: publicURL + "/sign-in", codeLife: codeLife,
	}, nil
}

// page is what the layout shows; the text part is made of the same words.
type page struct {
	Lang, Dir, Subject, Lead, Code, Valid, Prompt, Link, Note, Foot string
}

// Letter renders a letter: subject, text and HTML.
func (r *Renderer) Letter(t Template, locale, code string) (mail.Message, error) {
	say := r.catalogue.For(r.catalogue.Match(locale, "", ""))
	p := page{Lang: say.Lang(), Dir: say.Dir(), Foot: say.Text("letter.foot", "app", r.app, "host", r.host)}
	m := mail.Message{Code: code}
	switch t {
	case Code:
		p.Subject = say.Text("letter.code.subject", "app", r.app)
		p.Lead = say.Text("letter.code.lead", "app", r.app)
		p.Code = code
		p.Valid = say.Text("letter.code.valid", "n", int(math.Ceil(r.codeLife.Minutes()))) + " " + say.Text("letter.code.secret", "app", r.app)
		p.Note = say.Text("letter.code.not_you")
	case AddressTaken:
		p.Subject = say.Text("letter.address_taken.subject")
		p.Lead = say.Text("letter.address_taken.lead", "app", r.app)
		p.Prompt, p.Link = say.Text("letter.address_taken.was_you"), r.signIn
		p.Note = say.Text("letter.address_taken.not_you")
		m.Links = []string{r.signIn}
	default:
		return m, fmt.Errorf("letters: there is no letter %q", t)
	}
	if p.Code != "" {
		p.Subject = p.Code + " · " + p.Subject
	}
	var html bytes.Buffer
	if err := r.layout.Execute(&html, p); err != nil {
		return m, fmt.Errorf("letters: %w", err)
	}
	m.Subject, m.HTML, m.Text = oneLine(p.Subject), html.String(), p.plain()
	return m, nil
}

func (p page) plain() string {
	var b strings.Builder
	for _, part := range []string{p.Lead, p.Code, p.Valid, p.Prompt, p.Link, p.Note, p.Foot} {
		if part != "" {
			b.WriteString(part)
			b.WriteString("\n\n")
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// oneLine keeps a subject from becoming a header.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, s)
}
