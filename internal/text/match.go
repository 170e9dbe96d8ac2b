package text

import (
	"strings"

	"golang.org/x/text/language"
)

const (
	maxPreference = 512
	maxTags       = 16
)

// Match chooses the language of an answer. Each argument may be empty or garbage: the
// parameter ui_locales (tags separated by spaces, OpenID Connect Core 3.1.2.1), the
// value of the language cookie, and the header Accept-Language. The first source that
// names a language spoken here decides; else it is English.
func (c *Catalogue) Match(uiLocales, cookie, acceptLanguage string) string {
	sources := [][]language.Tag{
		list(strings.Fields(bound(uiLocales))),
		list([]string{bound(cookie)}),
		header(acceptLanguage),
	}
	for _, wanted := range sources {
		if len(wanted) == 0 {
			continue
		}
		if _, i, sure := c.matcher.Match(wanted...); sure > language.No {
			return c.languages[i].Tag
		}
	}
	return fallback
}

// Speaks reports whether lang is exactly the tag of a catalogue, as a form may send it.
func (c *Catalogue) Speaks(lang string) bool {
	_, ok := c.locales[lang]
	return ok
}

func bound(s string) string { return s[:min(len(s), maxPreference)] }

func list(names []string) []language.Tag {
	var out []language.Tag
	for _, name := range names[:min(len(names), maxTags)] {
		tag, err := language.Parse(name)
		if err == nil && tag != language.Und {
			out = append(out, tag)
		}
	}
	return out
}

// header reads Accept-Language. A tag weighed zero is one the person refuses.
func header(s string) []language.Tag {
	if len(s) > maxPreference {
		// Cut between two tags, not inside one.
		s = bound(s)
		s = s[:max(0, strings.LastIndexByte(s, ','))]
	}
	tags, weights, err := language.ParseAcceptLanguage(s)
	if err != nil {
		return nil
	}
	var out []language.Tag
	for i, tag := range tags[:min(len(tags), maxTags)] {
		// "*" parses as mul: any language, and so no wish at all.
		if weights[i] > 0 && tag != language.Und && tag.String() != "mul" {
			out = append(out, tag)
		}
	}
	return out
}
