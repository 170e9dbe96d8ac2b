package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

//go:embed static/app.css static/app.js static/dev.js static/geist.woff2 static/mark.svg
var staticFiles embed.FS

// StaticPrefix begins the path of every static file.
const StaticPrefix = "/static/"

// Asset is a static file, ready to be sent. Its path contains a hash of its content, so
// it may be cached for ever.
type Asset struct {
	ContentType string
	Body        []byte
	Gzip        []byte // the body compressed; nil where that gains nothing
}

// assets is what pages refer to, in the order in which they may refer to each other.
var assets = []struct{ name, contentType string }{
	{"geist.woff2", "font/woff2"},
	{"mark.svg", "image/svg+xml"},
	{"app.js", "text/javascript; charset=utf-8"},
	{"dev.js", "text/javascript; charset=utf-8"},
	{"app.css", "text/css; charset=utf-8"},
}

// statics is the set of static files by path, and the path of each by name.
type statics struct {
	files map[string]Asset
	paths map[string]string
}

func loadStatics() (statics, error) {
	s := statics{files: map[string]Asset{}, paths: map[string]string{}}
	for _, a := range assets {
		body, err := staticFiles.ReadFile("static/" + a.name)
		if err != nil {
			return s, err
		}
		switch a.name {
		case "app.css":
			css, err := withPlainColours(squeezeCSS(string(body)))
			if err != nil {
				return s, err
			}
			body = []byte(s.link(css))
		case "app.js", "dev.js":
			body = []byte(squeezeJS(string(body)))
		}
		sum := sha256.Sum256(body)
		stem, ext, _ := strings.Cut(a.name, ".")
		path := StaticPrefix + stem + "." + hex.EncodeToString(sum[:6]) + "." + ext
		asset := Asset{ContentType: a.contentType, Body: body}
		if ext != "woff2" { // compressed by its own rules
			asset.Gzip, err = squash(body)
			if err != nil {
				return s, err
			}
		}
		s.files[path], s.paths[a.name] = asset, path
	}
	return s, nil
}

// link replaces url("name") by the name with its hash; the sheet lies beside the files.
func (s statics) link(css string) string {
	for name, path := range s.paths {
		css = strings.ReplaceAll(css, `url("`+name+`")`, `url("`+strings.TrimPrefix(path, StaticPrefix)+`")`)
	}
	return css
}

func squash(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Static returns every static file by its path. The caller must not change it.
func (r *Renderer) Static() map[string]Asset { return maps.Clone(r.static.files) }

// squeezeCSS drops comments and the space between tokens. It knows just enough CSS for
// our own sheet: no braces, semicolons or comments inside its strings.
func squeezeCSS(s string) string {
	s = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(s, "")
	s = regexp.MustCompile(`\s+`).ReplaceAllString(s, " ")
	s = regexp.MustCompile(` ?([{};,>]) ?`).ReplaceAllString(s, "$1")
	s = regexp.MustCompile(`([a-z0-9-]): `).ReplaceAllString(s, "$1:")
	return strings.TrimSpace(strings.ReplaceAll(s, ";}", "}"))
}

// squeezeJS drops whole-line comments and indentation; the lines stay, so a statement
// that ends with its line still does.
func squeezeJS(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// withPlainColours adds, for browsers without light-dark(), the tokens once in their
// light and twice in their dark colours: as the device asks and as data-theme asks.
func withPlainColours(css string) (string, error) {
	var light, dark strings.Builder
	for _, token := range regexp.MustCompile(`(--[a-z0-9-]+):([^;}]*light-dark\([^;}]*)`).FindAllStringSubmatch(css, -1) {
		l, d, err := split(token[2])
		if err != nil {
			return "", fmt.Errorf("%s: %w", token[1], err)
		}
		fmt.Fprintf(&light, "%s:%s;", token[1], l)
		fmt.Fprintf(&dark, "%s:%s;", token[1], d)
	}
	return css + "@supports not (color:light-dark(#fff,#000)){:root{" + light.String() + "}[data-theme=dark]{" + dark.String() +
		"}@media (prefers-color-scheme:dark){:root:not([data-theme=light]){" + dark.String() + "}}}", nil
}

// split resolves every light-dark(a,b) of a value, once to a and once to b.
func split(value string) (light, dark string, err error) {
	const call = "light-dark("
	for {
		before, rest, found := strings.Cut(value, call)
		light, dark = light+before, dark+before
		if !found {
			return light, dark, nil
		}
		depth, comma, end := 0, -1, -1
		for i, c := range rest {
			switch {
			case c == '(':
				depth++
			case c == ')' && depth > 0:
				depth--
			case c == ',' && depth == 0 && comma < 0:
				comma = i
			case c == ')':
				end = i
			}
			if end >= 0 {
				break
			}
		}
		if comma < 0 || end < 0 {
			return "", "", fmt.Errorf("light-dark() takes two colours")
		}
		light, dark = light+strings.TrimSpace(rest[:comma]), dark+strings.TrimSpace(rest[comma+1:end])
		value = rest[end+1:]
	}
}
