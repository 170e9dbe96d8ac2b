package main

import (
	"fmt"

	"github.com/limenauth/limen/internal/app"
)

type messageCommand struct {
	List     messageList     `cmd:"" help:"List letters: what waits, what left, what was given up and why."`
	Show     messageShow     `cmd:"" help:"Show one letter, without what it says."`
	Retry    messageRetry    `cmd:"" help:"Try letters again now that wait for their next try."`
	Campaign campaignCommand `cmd:"" help:"Write to everybody, or to some."`
}

// Help returns the examples.
func (messageCommand) Help() string {
	return `limen message list --state dead
limen message show msg_01k3c5x5s1f7s8z0v7m1w2q3r4
limen message retry --all
limen message campaign start --name "Key leak" --subject "About your {app} account" --text notice.txt --dry-run`
}

type messageList struct {
	State string `help:"Only letters in this state: queued, sent or dead." enum:",queued,sent,dead" default:"" placeholder:"STATE"`
	Limit int    `help:"At most this many, 1 to 1000." default:"20" placeholder:"N"`
	JSON  bool   `help:"Print JSON."`
}

// Help returns the examples.
func (messageList) Help() string {
	return `limen message list
limen message list --state queued --limit 100
limen message list --state dead --json | jq -r '.data[] | [.id, .reason] | @tsv'`
}

// Run prints letters: queued ones in the order in which they are due, others by their age,
// the newest first.
func (c messageList) Run(x *call) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usageError("--limit must be 1 to 1000")
	}
	return x.operate(func(o *app.Operator) error {
		all, err := o.Messages(x.ctx, c.State, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			var rows []record
			for _, m := range all {
				rows = append(rows, messageRecord(m))
			}
			return x.printList(rows, "")
		}
		t := x.table("ID", "STATE", "LANE", "TEMPLATE", "TO", "TRIES", "CREATED", "DUE", "REASON")
		for _, m := range all {
			due := when(m.DueAt)
			if m.State != "queued" {
				due = ""
			}
			t.row(m.ID, stateOf(m), m.Lane, m.Template, m.To, fmt.Sprint(m.Tries), when(m.CreatedAt), due, m.Reason)
		}
		return t.flush()
	})
}

// stateOf tells a letter that is being sent from one that waits.
func stateOf(m app.MessageInfo) string {
	if m.Held {
		return "sending"
	}
	return m.State
}

func messageRecord(m app.MessageInfo) record {
	return record{
		{"id", m.ID}, {"state", m.State}, {"held", m.Held}, {"lane", m.Lane}, {"channel", m.Channel}, {"template", m.Template},
		{"locale", orNull(m.Locale)}, {"user_id", orNull(string(m.Account))}, {"to", orNull(m.To)}, {"tries", m.Tries},
		{"reason", orNull(m.Reason)}, {"campaign_id", orNull(m.Campaign)}, {"provider", orNull(m.Provider)},
		{"created_at", instant(m.CreatedAt)}, {"due_at", instant(m.DueAt)}, {"not_after", instant(m.NotAfter)},
		{"finished_at", instant(m.FinishedAt)},
	}
}

type messageShow struct {
	Message string `arg:"" help:"Id of the letter."`
	JSON    bool   `help:"Print JSON."`
}

// Help returns the examples.
func (messageShow) Help() string {
	return `limen message show msg_01k3c5x5s1f7s8z0v7m1w2q3r4
limen message show msg_01k3c5x5s1f7s8z0v7m1w2q3r4 --json`
}

// Run prints what may be known of the letter.
func (c messageShow) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		m, err := o.Message(x.ctx, c.Message)
		if err != nil {
			return err
		}
		if c.JSON {
			return x.printJSON(messageRecord(m))
		}
		t := x.table("ID", m.ID)
		t.row("STATE", stateOf(m))
		t.row("LANE", m.Lane)
		t.row("CHANNEL", m.Channel)
		t.row("TEMPLATE", m.Template)
		t.row("LANGUAGE", m.Locale)
		t.row("USER", string(m.Account))
		t.row("TO", m.To)
		t.row("TRIES", fmt.Sprint(m.Tries))
		t.row("REASON", m.Reason)
		t.row("CAMPAIGN", m.Campaign)
		t.row("PROVIDER", m.Provider)
		t.row("CREATED", when(m.CreatedAt))
		t.row("DUE", when(m.DueAt))
		t.row("WORTH UNTIL", when(m.NotAfter))
		t.row("FINISHED", when(m.FinishedAt))
		return t.flush()
	})
}

type messageRetry struct {
	Message string `arg:"" optional:"" help:"Id of the letter."`
	All     bool   `help:"Every letter that has failed and waits for its next try; up to 1000 that people wait for, and as many of campaigns."`
}

// Help returns the examples.
func (messageRetry) Help() string {
	return `limen message retry msg_01k3c5x5s1f7s8z0v7m1w2q3r4
limen message retry --all          when the relay is well again`
}

// mostRetried bounds what one command touches.
const mostRetried = 1000

// Run makes letters due. A dead letter cannot be tried again: what was secret in it, its
// address included, was erased when it was given up.
func (c messageRetry) Run(x *call) error {
	if (c.Message == "") == !c.All {
		return usageError("name a letter, or say --all")
	}
	return x.operate(func(o *app.Operator) error {
		if !c.All {
			return o.RetryMessage(x.ctx, c.Message)
		}
		n, err := o.RetryMessages(x.ctx, mostRetried)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(x.out, "%d letters are due now\n", n)
		return err
	})
}
