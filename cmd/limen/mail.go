package main

import (
	"errors"

	"github.com/limenauth/limen/internal/app"
)

type mailCommand struct {
	SendTest mailSendTest `cmd:"" name:"send-test" help:"Send one plain letter and show what the relay answers."`
}

// Help returns the examples.
func (mailCommand) Help() string { return `limen mail send-test you@example.com` }

type mailSendTest struct {
	Address string `arg:"" help:"Where the letter goes."`
	JSON    bool   `help:"Print JSON."`
}

// Help returns the examples.
func (mailSendTest) Help() string {
	return `limen mail send-test you@example.com --url https://auth.example.com
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
	tried, err := app.SendTest(x.ctx, cfg, c.Address)
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
