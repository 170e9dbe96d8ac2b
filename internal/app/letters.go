package app

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/text"
)

// renderer writes the letters of limen, with the files of letter-templates if own is set.
func (c *Config) renderer(catalogue *text.Catalogue, public string, own bool) (*letters.Renderer, error) {
	u, err := url.Parse(public)
	if err != nil {
		return nil, err
	}
	r, err := letters.NewRenderer(catalogue, c.AppName, public, u.Host, c.CodeLife)
	if err != nil || !own || c.LetterTemplates == "" {
		return r, err
	}
	if err := r.Override(os.DirFS(c.LetterTemplates)); err != nil {
		var all Problems
		for line := range strings.SplitSeq(err.Error(), "\n") {
			all = append(all, Problem{Key: "letter-templates", From: c.from["letter-templates"], Text: "in " + c.LetterTemplates + ": " + line})
		}
		return nil, all
	}
	return r, nil
}

// LetterPreview is a letter with made-up contents.
type LetterPreview struct {
	Template, Locale    string
	Subject, Text, HTML string
}

// PreviewLetters writes letters with made-up contents, by the settings of the server. An
// empty template or locale stands for all. It needs no database.
func PreviewLetters(cfg *Config, template, locale string) ([]LetterPreview, error) {
	catalogue, err := text.Load()
	if err != nil {
		return nil, err
	}
	var locales, names []string
	for _, l := range catalogue.Languages() {
		locales = append(locales, l.Tag)
	}
	for _, t := range letters.Templates {
		names = append(names, string(t))
	}
	switch {
	case template != "" && !slices.Contains(names, template):
		return nil, fmt.Errorf("no letter is called %q; there are %s", template, strings.Join(names, ", "))
	case locale != "" && !slices.Contains(locales, locale):
		return nil, fmt.Errorf("limen does not write in %q; it writes in %s", locale, strings.Join(locales, ", "))
	}
	r, err := cfg.renderer(catalogue, cfg.PublicURL(Operation), true)
	if err != nil {
		return nil, err
	}
	var out []LetterPreview
	for _, name := range names {
		for _, tag := range locales {
			if template != "" && name != template || locale != "" && tag != locale {
				continue
			}
			m, err := r.Preview(letters.Template(name), tag)
			if err != nil {
				return nil, err
			}
			out = append(out, LetterPreview{Template: name, Locale: tag, Subject: m.Subject, Text: m.Text, HTML: m.HTML})
		}
	}
	return out, nil
}

// fill gives a test letter the contents of a template: "" for a plain greeting.
func (c *Config) fill(m *mail.Message, template, locale string) error {
	if template == "" {
		m.Subject = "A test letter from " + c.AppName
		m.Text = "This is a test letter from " + c.AppName + ".\n\nIf you can read it, letters leave and arrive. Look whether it came into the folder for spam.\n"
		return nil
	}
	if locale == "" {
		locale = "en"
	}
	made, err := PreviewLetters(c, template, locale)
	if err != nil {
		return err
	}
	m.Subject, m.Text, m.HTML = made[0].Subject, made[0].Text, made[0].HTML
	return nil
}

// checkTemplates tries the operator's templates, as a start does.
func (a *App) checkTemplates() Check {
	made, err := PreviewLetters(a.Config, "", "")
	if err != nil {
		return Check{Name: "letter templates", Outcome: Failed, Detail: err.Error(), Fix: "Correct the files, or remove the setting letter-templates."}
	}
	return Check{Name: "letter templates", Outcome: Healthy, Detail: fmt.Sprintf("%d letters can be written with %s", len(made), a.Config.LetterTemplates)}
}
