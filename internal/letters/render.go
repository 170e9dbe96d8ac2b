package letters

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/text"
)

//go:embed letter.html
var files embed.FS

// Renderer writes letters in a person's language. Build it with NewRenderer.
type Renderer struct {
	catalogue *text.Catalogue
	layout    *template.Template
	app       string
	publicURL string
	host      string
	codeLife  time.Duration
}

// NewRenderer readies the letters of an application. The public URL is the only base of
// links (CVE-2025-64101 and its kin: never the Host header).
func NewRenderer(c *text.Catalogue, app, publicURL, host string, codeLife time.Duration) (*Renderer, error) {
	layout, err := template.ParseFS(files, "letter.html")
	if err != nil {
		return nil, fmt.Errorf("letters: %w", err)
	}
	return &Renderer{catalogue: c, layout: layout, app: app, publicURL: publicURL, host: host, codeLife: codeLife}, nil
}

// page is what the layout shows; the text part is made of the same words.
type page struct {
	Lang, Dir, Subject, Preheader, Lead, Code, Valid, Action, Link, LinkHint string
	Facts                                                                    []fact
	Note, Foot                                                               string
}

type fact struct{ Name, Value string }

// Templates lists every letter that is sent by e-mail.
var Templates = []Template{
	Code, SignIn, SignUp, Recover, VerifyEmail, AddressTaken, NoAccount, Invitation, NewDevice, PasswordChanged, EmailAdded, EmailChanged, EmailRemoved,
	PhoneChanged, Deletion,
}

// Preview renders a letter with made-up contents.
func (r *Renderer) Preview(t Template, locale string) (mail.Message, error) {
	with := parts{To: "ann@example.com"}
	if proofs[t] {
		with.Code = "012345"
	}
	if t != Code {
		with.Path, with.Token = "/sign-in/link", "lnk_example"
	}
	if !proofs[t] {
		at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
		with.Facts = Facts{When: at, Device: "Firefox, Linux", Place: "198.51.100.7", Address: "a•••@example.com", Until: at.Add(72 * time.Hour)}
	}
	return r.letter(t, locale, with)
}

// proofs are the letters whose code or link works once and for as long as codes live.
var proofs = map[Template]bool{Code: true, SignIn: true, SignUp: true, Recover: true, VerifyEmail: true}

// render writes a message for the channel that it goes over.
func (r *Renderer) render(channel string, t Template, locale string, with parts) (mail.Message, error) {
	if channel == wire[account.ByPhone] {
		return r.short(t, locale, with)
	}
	return r.letter(t, locale, with)
}

// letter renders a letter: subject, text and HTML.
func (r *Renderer) letter(t Template, locale string, with parts) (mail.Message, error) {
	say := r.catalogue.For(r.catalogue.Match(locale, "", ""))
	key := "letter." + string(t)
	if _, ok := say.Args(key + ".subject"); !ok {
		return mail.Message{}, fmt.Errorf("letters: there is no letter %q", t)
	}
	p := page{
		Lang: say.Lang(), Dir: say.Dir(), Subject: r.say(say, key+".subject"), Lead: r.say(say, key+".lead"), Code: with.Code,
		Link: with.link(r.publicURL), Facts: factsOf(say, with.Facts), Note: r.say(say, key+".note"),
		Foot: say.Text("letter.foot", "app", r.app, "host", r.host),
	}
	p.Preheader = p.Lead
	if proofs[t] {
		p.Valid = say.Text("letter.valid", "n", int(math.Ceil(r.codeLife.Minutes()))) + " " + say.Text("letter.secret", "app", r.app)
	}
	m := mail.Message{Code: with.Code}
	if p.Link != "" {
		p.Action, p.LinkHint = r.say(say, key+".action"), say.Text("letter.link_hint")
		m.Links = []string{p.Link}
	}
	if p.Code != "" {
		p.Subject, p.Preheader = p.Code+" · "+p.Subject, p.Code+" · "+p.Lead
	}
	var html bytes.Buffer
	if err := r.layout.Execute(&html, p); err != nil {
		return m, fmt.Errorf("letters: %w", err)
	}
	m.Subject, m.HTML, m.Text = oneLine(p.Subject), html.String(), p.plain()
	return m, nil
}

// say fills in the name of the application where the words ask for it.
func (r *Renderer) say(say text.Messages, key string) string {
	if names, ok := say.Args(key); ok && len(names) > 0 {
		return say.Text(key, "app", r.app)
	}
	return say.Text(key)
}

func factsOf(say text.Messages, f Facts) []fact {
	var out []fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{say.Text("letter.fact." + name), value})
		}
	}
	add("when", instant(f.When))
	add("device", f.Device)
	add("place", f.Place)
	add("address", f.Address)
	add("until", instant(f.Until))
	return out
}

// instant is a time that means the same in every language.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func (p page) plain() string {
	var b strings.Builder
	paragraph := func(part string) {
		if part != "" {
			b.WriteString(part)
			b.WriteString("\n\n")
		}
	}
	paragraph(p.Lead)
	paragraph(p.Code)
	paragraph(p.Valid)
	if p.Link != "" {
		paragraph(p.Action + ":\n" + p.Link)
	}
	var facts []string
	for _, f := range p.Facts {
		facts = append(facts, f.Name+": "+oneLine(f.Value))
	}
	paragraph(strings.Join(facts, "\n"))
	paragraph(p.Note)
	paragraph(p.Foot)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// short renders a message for a telephone: at most a code, never a name or an address.
func (r *Renderer) short(t Template, locale string, with parts) (mail.Message, error) {
	say := r.catalogue.For(r.catalogue.Match(locale, "", ""))
	m := mail.Message{Code: with.Code}
	switch {
	case with.Code != "":
		m.Text = say.Text("sms.code", "app", r.app, "code", with.Code)
	case t == PhoneChanged:
		m.Text = say.Text("sms.phone_changed", "app", r.app)
	default:
		return m, fmt.Errorf("letters: there is no short message %q", t)
	}
	if link := with.link(r.publicURL); link != "" {
		m.Text, m.Links = say.Text("sms.link", "app", r.app, "link", link, "code", with.Code), []string{link}
		return m, nil // a link is never cut
	}
	if m.Code != "" {
		m.Text = sms.Body(m.Text, r.host, m.Code)
	}
	return m, nil
}

// spoken is what a voice reads out.
func (r *Renderer) spoken(locale, code string) string {
	say := r.catalogue.For(r.catalogue.Match(locale, "", ""))
	return say.Text("voice.code", "app", r.app, "code", sms.Spoken(code))
}

// oneLine keeps a text from becoming a header or a second line.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, s)
}
