package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/limenauth/limen/internal/app"
)

type mailCommand struct {
	Preview  mailPreview  `cmd:"" help:"Show letters with made-up contents, as the settings make them."`
	SendTest mailSendTest `cmd:"" name:"send-test" help:"Send one letter and show what the relay answers."`
}

// Help returns the examples.
func (mailCommand) Help() string {
	return `limen mail preview sign_in --locale fr
limen mail send-test you@example.com`
}

type mailPreview struct {
	Template string `arg:"" optional:"" help:"The letter, such as sign_in. All of them, if it is left out."`
	Locale   string `placeholder:"TAG" help:"The language. English, or all of them with --out, if it is left out."`
	HTML     bool   `name:"html" xor:"part" help:"Only the HTML."`
	Text     bool   `xor:"part" help:"Only the text."`
	Out      string `placeholder:"DIR" help:"Write files into this directory, such as sign_in.fr.html."`
	JSON     bool   `xor:"part" help:"Print JSON."`
}

// Help returns the examples.
func (mailPreview) Help() string {
	return `limen mail preview
limen mail preview sign_in --locale ar --html > letter.html
limen mail preview --letter-templates ./letters --out ./previews`
}

// Run shows letters, or writes them into files. It needs no database.
func (c mailPreview) Run(x *call) error {
	cfg, err := x.settings(app.Operation)
	if err != nil {
		return err
	}
	locale := c.Locale
	if locale == "" && c.Out == "" {
		locale = "en"
	}
	made, err := app.PreviewLetters(cfg, c.Template, locale)
	switch {
	case err != nil:
		return err
	case c.JSON:
		var rows []record
		for _, m := range made {
			rows = append(rows, record{{"template", m.Template}, {"locale", m.Locale}, {"subject", m.Subject}, {"text", m.Text}, {"html", m.HTML}})
		}
		return x.printList(rows, "")
	case c.Out != "":
		return c.write(x, made)
	case c.Template == "":
		t := x.table("LETTER", "SUBJECT")
		for _, m := range made {
			t.row(m.Template, m.Subject)
		}
		return t.flush()
	case c.HTML:
		_, err = fmt.Fprint(x.out, made[0].HTML)
	case c.Text:
		_, err = fmt.Fprint(x.out, made[0].Text)
	default:
		_, err = fmt.Fprintf(x.out, "%s\n\n%s", made[0].Subject, made[0].Text)
	}
	return err
}

func (c mailPreview) write(x *call, made []app.LetterPreview) error {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	files := 0
	for _, m := range made {
		for _, part := range []struct {
			ext, content string
			wanted       bool
		}{{".html", m.HTML, !c.Text}, {".txt", m.Text, !c.HTML}} {
			if !part.wanted {
				continue
			}
			if err := os.WriteFile(filepath.Join(c.Out, m.Template+"."+m.Locale+part.ext), []byte(part.content), 0o644); err != nil {
				return err
			}
			files++
		}
	}
	_, err := fmt.Fprintf(x.out, "%d files are in %s\n", files, c.Out)
	return err
}

type mailSendTest struct {
	Address  string `arg:"" help:"Where the letter goes."`
	Template string `placeholder:"NAME" help:"A letter with made-up contents, such as sign_in, instead of a plain one."`
	Locale   string `placeholder:"TAG" help:"The language of that letter. English, if it is left out."`
	JSON     bool   `help:"Print JSON."`
}

// Help returns the examples.
func (mailSendTest) Help() string {
	return `limen mail send-test you@example.com --url https://auth.example.com
limen mail send-test you@example.com --template new_device --locale fr
limen mail send-test you@example.com --mail-from no-reply@example.com --smtp-file relay.url`
}

var errNotTaken = errors.New("no relay took the letter")

// Run sends the letter. The settings are those of the server, so what arrives here
// arrives there.
func (c mailSendTest) Run(x *call) error {
	cfg, err := x.settings(app.Operation)
	if err != nil {
		return err
	}
	tried, err := app.SendTest(x.ctx, cfg, c.Address, c.Template, c.Locale)
	if err != nil {
		return err
	}
	taken := false
	var rows []record
	t := x.table("STATE", "RELAY", "ANSWER")
	for _, one := range tried {
		state := "fail"
		if one.Taken {
			state, taken = "ok", true
		}
		t.row(state, one.Relay, one.Answer)
		rows = append(rows, record{{"relay", one.Relay}, {"taken", one.Taken}, {"answer", one.Answer}})
	}
	if c.JSON {
		err = x.printList(rows, "")
	} else {
		err = t.flush()
	}
	if err == nil && !taken {
		return errNotTaken
	}
	return err
}
