package letters

import (
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	plain "text/template"
	"unicode/utf8"
)

// The bounds of what an operator's files hold and make.
const (
	maxTemplate = 256 << 10
	maxLetter   = 512 << 10
)

// layoutFile is what replaces the layout of all letters.
const layoutFile = "letter.html"

// overrides are the files of an operator, by letter.
type overrides struct {
	html map[Template]*template.Template
	text map[Template]*plain.Template
}

// Override replaces the looks of letters by the files at the root of dir: letter.html for
// all of them, sign_in.html and sign_in.txt for one. A file is a template that is given a
// Page and has no functions beyond those of Go's templates. Everything is read and tried
// once, here: with every letter that a file is for, in every language, with everything a
// letter can hold and with as little as it can. The error names each file and what is
// wrong with it.
func (r *Renderer) Override(dir fs.FS) error {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return fmt.Errorf("the directory cannot be read: %w", err)
	}
	own := overrides{map[Template]*template.Template{}, map[Template]*plain.Template{}}
	var errs []error
	var all *template.Template
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || path.Ext(name) == ".md" {
			continue
		}
		source, err := readTemplate(dir, name)
		letter, ext := Template(strings.TrimSuffix(name, path.Ext(name))), path.Ext(name)
		switch {
		case err != nil:
		case name == layoutFile:
			all, err = template.New(name).Parse(source)
		case !slices.Contains(Templates, letter) || ext != ".html" && ext != ".txt":
			err = fmt.Errorf("no letter has that name; the names are letter.html and, with .html or .txt, %s", names())
		case ext == ".html":
			own.html[letter], err = template.New(name).Parse(source)
		default:
			own.text[letter], err = plain.New(name).Parse(source)
		}
		if err != nil {
			errs = append(errs, flaw(name, err))
		}
	}
	if all != nil {
		for _, t := range Templates {
			if own.html[t] == nil {
				own.html[t] = all
			}
		}
	}
	trial := *r
	trial.own = own
	if err := errors.Join(append(errs, trial.rehearse()...)...); err != nil {
		return err
	}
	r.own = own
	return nil
}

func names() string {
	var out []string
	for _, t := range Templates {
		out = append(out, string(t))
	}
	return strings.Join(out, ", ")
}

func flaw(file string, err error) error {
	return fmt.Errorf("%s: %w; correct the file or take it out of the directory", file, err)
}

func readTemplate(dir fs.FS, name string) (string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	switch {
	case err != nil:
		return "", err
	case len(raw) > maxTemplate:
		return "", fmt.Errorf("it is larger than %d KB", maxTemplate>>10)
	case !utf8.Valid(raw) || slices.Contains(raw, 0):
		return "", errors.New("it is not a text in UTF-8")
	}
	return string(raw), nil
}

// rehearse writes every letter that has a file of the operator's. One complaint for each
// file is enough.
func (r *Renderer) rehearse() []error {
	complaints := map[string]error{}
	var files []string
	complain := func(file string, err error) {
		if err != nil && complaints[file] == nil {
			complaints[file] = flaw(file, err)
			files = append(files, file)
		}
	}
	for _, t := range Templates {
		for _, l := range r.catalogue.Languages() {
			p, err := r.page(t, l.Tag, made(t))
			if err != nil {
				return []error{err}
			}
			for i, one := range []Page{p, fullest(p), barest(p)} {
				real := i == 0 // of the others it is enough that they can be written
				if mine := r.own.html[t]; mine != nil {
					out, err := execute(mine, one)
					if err == nil && real {
						err = unfit(html.UnescapeString(out), one)
					}
					complain(mine.Name(), err)
				}
				if mine := r.own.text[t]; mine != nil {
					out, err := execute(mine, one)
					if err == nil && real {
						err = unfit(out, one)
					}
					complain(mine.Name(), err)
				}
			}
		}
	}
	slices.Sort(files)
	var errs []error
	for _, file := range files {
		errs = append(errs, complaints[file])
	}
	return errs
}

// unfit says what is wrong with a part of a letter, its markup read, that a template made
// of a page.
func unfit(out string, p Page) error {
	switch {
	case strings.TrimSpace(out) == "":
		return fmt.Errorf("the letter %s comes out empty", p.Template)
	case p.Code != "" && !strings.Contains(out, p.Code):
		return fmt.Errorf("the letter %s does not show its code; put {{.Code}} into it", p.Template)
	case p.Link != "" && !strings.Contains(out, p.Link):
		return fmt.Errorf("the letter %s does not carry its link; put {{.Link}} into it", p.Template)
	case strings.Contains(out, "ZgotmplZ"):
		return fmt.Errorf("in the letter %s a value stands where it would not be safe; put addresses into href alone, and nothing into script or style", p.Template)
	}
	return nil
}

// fullest is a page that has every part, so that no branch of a template goes untried.
func fullest(p Page) Page {
	if p.Code == "" {
		p.Code = madeCode
	}
	if p.Link == "" {
		p.Action, p.Link, p.LinkHint = p.Heading, "https://auth.example.com/sign-in", p.Lead
	}
	if p.Valid == "" {
		p.Valid = p.Note
	}
	if len(p.Facts) == 0 {
		p.Facts = []Fact{{p.App, p.Host}}
	}
	return p
}

// barest is a page that has what every letter has, and nothing else.
func barest(p Page) Page {
	p.Code, p.Valid, p.Action, p.Link, p.LinkHint, p.Facts = "", "", "", "", "", nil
	return p
}

// execute writes a page, up to maxLetter bytes.
func execute(t interface {
	Execute(io.Writer, any) error
}, p Page) (string, error) {
	var out bounded
	if err := t.Execute(&out, p); err != nil {
		if out.full {
			return "", errTooLong
		}
		return "", err
	}
	return out.String(), nil
}

var errTooLong = fmt.Errorf("a letter comes out larger than %d KB", maxLetter>>10)

// bounded takes as much as a letter may hold.
type bounded struct {
	strings.Builder
	full bool
}

// Write is part of io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.full = b.Len()+len(p) > maxLetter; b.full {
		return 0, errTooLong
	}
	return b.Builder.Write(p)
}
