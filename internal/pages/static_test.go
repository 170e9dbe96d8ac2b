package pages_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func sheet(t *testing.T) string {
	t.Helper()
	for path, a := range renderer(t).Static() {
		if strings.HasSuffix(path, ".css") {
			return string(a.Body)
		}
	}
	t.Fatal("no style sheet")
	return ""
}

func TestStaticFiles(t *testing.T) {
	static := renderer(t).Static()
	if len(static) != 5 {
		t.Errorf("%d files", len(static))
	}
	for path, a := range static {
		if !regexp.MustCompile(`^/static/[a-z]+\.[0-9a-f]{12}\.(css|js|svg|woff2)$`).MatchString(path) {
			t.Errorf("%s carries no hash", path)
		}
		if a.ContentType == "" || len(a.Body) == 0 {
			t.Errorf("%s is empty", path)
		}
		if a.Gzip == nil {
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(a.Gzip))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, a.Body) {
			t.Errorf("%s: the compressed body is another one", path)
		}
	}
	css := sheet(t)
	for _, m := range regexp.MustCompile(`url\("([^"]+)"\)`).FindAllStringSubmatch(css, -1) {
		if _, ok := static["/static/"+m[1]]; !ok {
			t.Errorf("the style sheet names %s, which is not served", m[1])
		}
	}
	if _, err := os.Stat("static/geist.LICENSE.txt"); err != nil {
		t.Error("the font's licence must lie beside it", err)
	}
}

// Right-to-left pages flip by dir alone, so nothing may name a side.
func TestNoPhysicalSides(t *testing.T) {
	sides := regexp.MustCompile(`[;{ ](?:margin|padding|border|inset)?-?(?:left|right)(?:-[a-z]+)?:|text-align:(?:left|right)|float:`)
	if found := sides.FindString(sheet(t)); found != "" {
		t.Errorf("%q", found)
	}
}

// The plain colours for older browsers are the tokens' own, in both schemes.
func TestPlainColours(t *testing.T) {
	css := sheet(t)
	_, plain, ok := strings.Cut(css, "@supports not (color:light-dark(#fff,#000))")
	if !ok {
		t.Fatal("no plain colours")
	}
	if strings.Contains(plain, "light-dark(") {
		t.Error("a plain value still asks for light-dark()")
	}
	for _, token := range tokens(t) {
		if n := strings.Count(plain, "--"+token.name+":"); n != 3 {
			t.Errorf("%s stands %d times among the plain colours, want 3: light, dark by device, dark by choice", token.name, n)
		}
		if !strings.Contains(plain, "--"+token.name+":"+token.light+";") || !strings.Contains(plain, "--"+token.name+":"+token.dark+";") {
			t.Errorf("%s is %s and %s, and something else among the plain colours", token.name, token.light, token.dark)
		}
	}
}

type token struct{ name, light, dark string }

// tokens reads the colours that stand in the style sheet.
func tokens(t *testing.T) []token {
	t.Helper()
	var out []token
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):light-dark\((#[0-9a-f]{6}),(#[0-9a-f]{6})\)`).FindAllStringSubmatch(sheet(t), -1) {
		out = append(out, token{m[1], m[2], m[3]})
	}
	if len(out) < 20 {
		t.Fatalf("only %d tokens found", len(out))
	}
	return out
}

// The arithmetic of WCAG 1.4.3 and 1.4.11, because axe cannot judge text over gradients.
func TestContrast(t *testing.T) {
	byName := map[string]token{}
	for _, token := range tokens(t) {
		byName[token.name] = token
	}
	lowest := math.Inf(1)
	check := func(front, back string, least float64) {
		f, ok1 := byName[front]
		b, ok2 := byName[back]
		if !ok1 || !ok2 {
			t.Errorf("%s on %s: no such token", front, back)
			return
		}
		for _, scheme := range []struct{ name, f, b string }{{"light", f.light, b.light}, {"dark", f.dark, b.dark}} {
			got := contrast(scheme.f, scheme.b)
			if least == forText {
				lowest = min(lowest, got)
			}
			if got < least {
				t.Errorf("%s: %s on %s is %.2f, less than %.1f", scheme.name, front, back, got, least)
			}
		}
	}
	for _, back := range []string{"bg", "surface", "surface-2", "surface-3"} {
		check("text", back, forText)
		check("text-2", back, forText)
		check("brand", back, forText)
	}
	for _, back := range []string{"bg", "surface", "surface-2"} {
		check("text-3", back, forText)
		check("danger", back, forText)
		check("field", back, forEdge)
		check("focus", back, forEdge)
	}
	for front, back := range map[string]string{
		"on-brand": "brand", "on-brand-soft": "brand-soft", "danger": "danger-soft", "on-danger": "danger",
		"warn": "warn-soft", "ok": "ok-soft",
	} {
		check(front, back, forText)
	}
	check("on-brand", "brand-2", forText)
	check("danger", "surface", forEdge) // an invalid field's border
	t.Logf("the lowest contrast of any text is %.2f", lowest)
}

const (
	forText = 4.5
	forEdge = 3
)

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(hex string) float64 {
	var sum float64
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			panic(fmt.Sprintf("%s is no colour", hex))
		}
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
