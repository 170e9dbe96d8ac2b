package app_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/app"
)

var update = flag.Bool("update", false, "write what is printed from the source: docs, openapi.json, routes.golden")

// TestReference keeps the pages that are printed from Config equal to Config.
func TestReference(t *testing.T) {
	for path, text := range map[string]string{
		"docs/configuration.md": reference(),
		"limen.example.toml":    example(),
	} {
		path = filepath.Join("..", "..", filepath.FromSlash(path))
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%s is not what Config says (%v); run make docs", path, err)
		}
	}
}

// TestExampleLoads uncomments every line of the example: it must be a configuration.
func TestExampleLoads(t *testing.T) {
	var lines []string
	for line := range strings.Lines(example()) {
		line = strings.TrimPrefix(line, "#")
		if key, value, ok := strings.Cut(line, " = "); ok && !strings.HasPrefix(line, " ") && strings.TrimSpace(value) != `""` {
			lines = append(lines, key+" = "+value)
		}
	}
	if len(lines) < 20 {
		t.Fatalf("only %d settings with a default", len(lines))
	}
	c, err := load(t, map[string]string{"limen.toml": strings.Join(lines, "")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(app.Development); err != nil {
		t.Error(err)
	}
}

// TestEverySettingIsDocumented demands a group, a sentence and, where there is no
// default, what an empty value means.
func TestEverySettingIsDocumented(t *testing.T) {
	for _, s := range app.Settings() {
		if s.Group == "" || !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s has no group or no sentence", s.Name)
		}
		if s.Default == "" && s.Unset == "" && !strings.HasSuffix(s.Name, "-file") {
			t.Errorf("%s has no default and does not say what an empty value means", s.Name)
		}
	}
}

const referenceIntro = `<!-- Printed from internal/app/config.go by make docs. Change it there. -->
# Configuration

limen runs without any of this: ` + "`limen dev`" + ` needs nothing and ` + "`limen serve`" + ` needs ` + "`--url`" + `.

A setting has one name and four places. The first that is present wins:

1. the command line: ` + "`--access-life 5m`" + `
2. the environment: ` + "`LIMEN_ACCESS_LIFE=5m`" + `
3. the file ` + "`limen.toml` or `limen.json`" + ` in the working directory, or the one named by ` + "`--config`" + `: ` + "`access-life = \"5m\"`" + `
4. the default

A list is written with commas, or as an array in the file. A duration is written ` + "`90s`, `15m`, `24h` or `30d`" + `.
A secret can be left in a file of its own, named by the setting that ends in ` + "`-file`" + `; with Docker and systemd
that is the usual way.

An unknown key in the file or an unknown variable that begins with ` + "`LIMEN_`" + ` is an error, and so is a combination
that would be unsafe. limen tells all of them at once, each with the fix, and exits with status 3. What Kubernetes
puts into the environment of a pod for a service called limen is left alone.

Without ` + "`smtp`" + ` production writes no letters: sign-up by e-mail answers 503 ` + "`unavailable`" + `, ` + "`limen serve`" + `
says so when it starts, and accounts are made by ` + "`limen user create`" + `. [Letters](letters.md) tells how to name a mail relay.
`

func reference() string {
	var b bytes.Buffer
	b.WriteString(referenceIntro)
	group := ""
	for _, s := range app.Settings() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n", s.Name, s.Help)
		if len(s.Choices) > 0 {
			fmt.Fprintf(&b, "- One of: `%s`\n", strings.Join(s.Choices, "`, `"))
		}
		switch {
		case s.Default != "" && s.Unset != "":
			fmt.Fprintf(&b, "- Default: `%s`; empty: %s\n", s.Default, s.Unset)
		case s.Default != "":
			fmt.Fprintf(&b, "- Default: `%s`\n", s.Default)
		case s.Unset != "":
			fmt.Fprintf(&b, "- Default: %s\n", s.Unset)
		}
		if s.Flag {
			fmt.Fprintf(&b, "- Flag: `--%s`", s.Name)
			if s.Placeholder != "" {
				fmt.Fprintf(&b, " `%s`", s.Placeholder)
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "- Variable: `%s`\n", s.Env)
	}
	return b.String()
}

func example() string {
	var b bytes.Buffer
	b.WriteString("# Every setting of limen with its default. Copy this file to limen.toml and uncomment what you change.\n" +
		"# Printed from internal/app/config.go by make docs; docs/configuration.md says more.\n")
	group := ""
	for _, s := range app.Settings() {
		if s.Name == "config" {
			continue
		}
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n\n# ---- %s ----\n", group)
		}
		fmt.Fprintf(&b, "\n# %s\n", s.Help)
		if len(s.Choices) > 0 {
			fmt.Fprintf(&b, "# One of: %s\n", strings.Join(s.Choices, ", "))
		}
		if s.Unset != "" {
			fmt.Fprintf(&b, "# Empty: %s\n", s.Unset)
		}
		value := fmt.Sprintf("%q", s.Default)
		if _, err := strconv.Atoi(s.Default); err == nil {
			value = s.Default
		}
		if s.List {
			value = "[]"
			if s.Default != "" {
				value = fmt.Sprintf("[%q]", s.Default)
			}
		}
		fmt.Fprintf(&b, "#%s = %s\n", s.Name, value)
	}
	return b.String()
}
