package letters

import (
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
	own       overrides
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
	return &Renderer{catalogue: c, layout: layout, app: foreign(app, maxApp), publicURL: publicURL, host: host, codeLife: codeLife}, nil
}

// Page is what a template of letters is given, those of operators included. Fields are
// added to it and never taken away or renamed. All of it is plain text in the language of
// the person; "" means that this letter has no such part.
type Page struct {
	Template string // the name of the letter, such as sign_in
	Lang     string // BCP 47
	Dir      string // "ltr" or "rtl"
	App      string // the name of the application
	Host     string // of the public URL

	Subject   string // as in the header: it begins with the code
	Heading   string // the subject without the code
	Preheader string // what a list of letters shows beside the subject
	Lead      string // says what the letter is about
	Code      string // six digits
	Valid     string // how long code and link work, and that nobody asks for them
	Action    string // what the button says
	Link      string // where it leads; an absolute address
	Report    string // what a second, smaller link says, and where it leads
	ReportTo  string
	LinkHint  string // stands before the address, for whom the button does nothing
	Facts     []Fact // what happened: when, where, on which device
	Note      string // what to do if this is unexpected
	Foot      string // who sent it
}

// Fact is one line of what happened.
type Fact struct{ Name, Value string }

// Templates lists every letter that is sent by e-mail.
var Templates = []Template{
	Code, SignIn, SignUp, Recover, VerifyEmail, AddressTaken, NoAccount, Invitation, NewDevice, RefreshReused, PasswordChanged, EmailAdded, EmailChanged, EmailRemoved,
	PhoneAdded, PhoneChanged, PhoneRemoved, Secured, Deletion, Kept,
}

// Preview renders a letter with made-up contents.
func (r *Renderer) Preview(t Template, locale string) (mail.Message, error) {
	return r.letter(t, locale, made(t))
}

// madeCode is the code of letters that are only looked at.
const madeCode = "012345"

// made are made-up contents of a letter.
func made(t Template) parts {
	with := parts{To: "ann@example.com"}
	if proofs[t] {
		with.Code = madeCode
	}
	if t != Code {
		with.Path, with.Token = "/sign-in/link", "lnk_example"
	}
	if !proofs[t] {
		at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
		if t == Deletion {
			with.ReportPath = "/not-me"
		}
		with.Facts = Facts{When: at, Device: "Firefox, Linux", Place: "198.51.100.7", Address: "a•••@example.com", Until: at.Add(72 * time.Hour)}
	}
	return with
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
	p, err := r.page(t, locale, with)
	if err != nil {
		return mail.Message{}, err
	}
	m := mail.Message{Subject: p.Subject, Code: p.Code}
	if p.Link != "" {
		m.Links = []string{p.Link}
	}
	if p.ReportTo != "" {
		m.Links = append(m.Links, p.ReportTo)
	}
	m.HTML, m.Text, err = r.write(t, p)
	return m, err
}

// page puts a letter into words.
func (r *Renderer) page(t Template, locale string, with parts) (Page, error) {
	say := r.catalogue.For(r.catalogue.Match(locale, "", ""))
	key := "letter." + string(t)
	if _, ok := say.Args(key + ".subject"); !ok {
		return Page{}, fmt.Errorf("letters: there is no letter %q", t)
	}
	p := Page{
		Template: string(t), App: r.app, Host: r.host, Lang: say.Lang(), Dir: say.Dir(),
		Heading: oneLine(r.say(say, key+".subject")), Lead: r.say(say, key+".lead"), Code: with.Code, Link: with.link(r.publicURL),
		Facts: factsOf(say, with.Facts), Note: r.say(say, key+".note"), Foot: say.Text("letter.foot", "app", r.app, "host", r.host),
	}
	p.Subject, p.Preheader = p.Heading, p.Lead
	if proofs[t] {
		p.Valid = say.Text("letter.valid", "n", int(math.Ceil(r.codeLife.Minutes()))) + " " + say.Text("letter.secret", "app", r.app)
	}
	if p.Link != "" {
		p.Action, p.LinkHint = r.say(say, key+".action"), say.Text("letter.link_hint")
	}
	if with.Reports {
		p.Action, p.Note = say.Text("letter.report.action"), say.Text("letter.report.note")
	}
	if p.ReportTo = with.report(r.publicURL); p.ReportTo != "" {
		p.Report = say.Text("letter.report.action")
	}
	if p.Code != "" {
		p.Subject, p.Preheader = p.Code+" · "+p.Heading, p.Code+" · "+p.Lead
	}
	return p, nil
}

// write makes the parts of a letter: by the operator's files where there are any.
func (r *Renderer) write(t Template, p Page) (html, plain string, err error) {
	layout := r.layout
	if mine := r.own.html[t]; mine != nil {
		layout = mine
	}
	if html, err = execute(layout, p); err != nil {
		return "", "", err
	}
	if mine := r.own.text[t]; mine != nil {
		plain, err = execute(mine, p)
		return html, plain, err
	}
	return html, p.plain(), nil
}

// say fills in the name of the application where the words ask for it.
func (r *Renderer) say(say text.Messages, key string) string {
	if names, ok := say.Args(key); ok && len(names) > 0 {
		return say.Text(key, "app", r.app)
	}
	return say.Text(key)
}

func factsOf(say text.Messages, f Facts) []Fact {
	var out []Fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, Fact{say.Text("letter.fact." + name), value})
		}
	}
	add("when", instant(f.When))
	add("device", foreign(unlinked(f.Device), maxFact))
	add("place", foreign(unlinked(f.Place), maxFact))
	add("address", foreign(f.Address, maxFact))
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

func (p Page) plain() string {
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
	var facts []string
	for _, f := range p.Facts {
		facts = append(facts, f.Name+": "+f.Value)
	}
	paragraph(strings.Join(facts, "\n"))
	if p.Link != "" {
		paragraph(p.Action + ":\n" + p.Link)
	}
	if p.ReportTo != "" {
		paragraph(p.Report + ":\n" + p.ReportTo)
	}
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
	default:
		key := "sms." + string(t)
		if _, ok := say.Args(key); !ok {
			return m, fmt.Errorf("letters: there is no short message %q", t)
		}
		if m.Text = say.Text(key, "app", r.app); with.Path != "" { // a link is never cut
			link := with.link(r.publicURL)
			m.Text, m.Links = m.Text+" "+link, []string{link}
		}
		return m, nil
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
