package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/limenauth/limen/internal/text"
)

//go:embed templates/*.html
var templateFiles embed.FS

// shared are the templates that every screen may use.
var shared = []string{"templates/layout.html", "templates/parts.html"}

// screens are the templates that are pages of their own.
var screens = []View{SignIn{}, Continue{}, SignUp{}, Code{}, Link{}, Approval{}, Over{}, Recovery{}, NewPassword{}, Review{}, Keep{}, Ask{}, ConfirmElsewhere{}, SignedOut{}, Account{}, Addresses{}, Confirm{}, Error{}, Inbox{}}

// Renderer turns views into pages. It is safe for concurrent use.
type Renderer struct {
	screens map[string]*template.Template
	static  statics
}

// NewRenderer parses every template and prepares every static file, once.
func NewRenderer() (*Renderer, error) {
	static, err := loadStatics()
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	r := &Renderer{screens: map[string]*template.Template{}, static: static}
	for _, v := range screens {
		t := template.New("layout.html").Option("missingkey=error").Funcs(r.funcs())
		t, err := t.ParseFS(templateFiles, append(shared, "templates/"+v.Screen()+".html")...)
		if err != nil {
			return nil, err
		}
		r.screens[v.Screen()] = t
	}
	return r, nil
}

// Render writes the page of a view to w, as UTF-8 HTML. On an error nothing has been
// written, so the caller can still answer with something else.
func (r *Renderer) Render(w io.Writer, v View) error {
	t, ok := r.screens[v.Screen()]
	if !ok {
		return fmt.Errorf("there is no screen %q", v.Screen())
	}
	var page bytes.Buffer
	page.Grow(16 << 10)
	if err := t.Execute(&page, v); err != nil {
		return fmt.Errorf("page %s: %w", v.Screen(), err)
	}
	_, err := page.WriteTo(w)
	return err
}

// funcs is what templates may call besides the methods of their view.
func (r *Renderer) funcs() template.FuncMap {
	return template.FuncMap{
		"t":          text.Messages.Lookup,
		"rich":       rich,
		"strong":     strong,
		"asset":      r.asset,
		"icon":       icon,
		"deviceIcon": deviceIcon,
		"describe":   describe,
		"wrong":      wrong,
		"minutes":    minutes,
		"countdown":  countdown,
		"followable": followable,
	}
}

func (r *Renderer) asset(name string) (string, error) {
	path, ok := r.static.paths[name]
	if !ok {
		return "", fmt.Errorf("no static file is called %q", name)
	}
	return path, nil
}

// rich is t for places where markup may stand. A text argument is escaped and isolated,
// because an address or a name may run against the direction of the sentence; markup
// from another function stands as it is.
func rich(m text.Messages, key string, args ...any) (template.HTML, error) {
	pieces, values, err := m.Pieces(key, args...)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range pieces {
		if p.Arg == "" {
			b.WriteString(template.HTMLEscapeString(p.Text))
			continue
		}
		switch v := values[p.Arg].(type) {
		case template.HTML:
			b.WriteString(string(v))
		case string:
			b.WriteString("<bdi>" + template.HTMLEscapeString(v) + "</bdi>")
		default:
			b.WriteString(template.HTMLEscapeString(fmt.Sprint(v)))
		}
	}
	return template.HTML(b.String()), nil
}

// strong is an argument of rich that stands out.
func strong(s string) template.HTML {
	return template.HTML("<b><bdi>" + template.HTMLEscapeString(s) + "</bdi></b>")
}

// wrong returns what is to be said beside a field, or nil.
func wrong(p *Problem, field string) *FieldProblem {
	if p == nil || p.Fields[field] == "" {
		return nil
	}
	return &FieldProblem{ID: field + "-error", Text: p.Fields[field]}
}

// FieldProblem is the sentence beside one field.
type FieldProblem struct{ ID, Text string }

// describe returns the attributes that tie a field to its hint and to its problem
// (WCAG 3.3.1). hint is the id of the hint, or "".
func describe(p *Problem, field, hint string) template.HTMLAttr {
	var ids []string
	attr := ""
	if w := wrong(p, field); w != nil {
		attr = `aria-invalid="true" `
		ids = append(ids, w.ID)
	}
	if hint != "" {
		ids = append(ids, hint)
	}
	if len(ids) == 0 {
		return ""
	}
	return template.HTMLAttr(attr + `aria-describedby="` + strings.Join(ids, " ") + `"`)
}

// followable reports whether an address may become a link: a letter may contain
// anything.
func followable(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}
