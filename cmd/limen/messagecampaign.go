package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/app"
)

type campaignCommand struct {
	Start  campaignStart  `cmd:"" help:"Write to everybody, or to a segment. Servers that run send the letters."`
	List   campaignList   `cmd:"" help:"List campaigns, the newest first."`
	Show   campaignShow   `cmd:"" help:"Show how far a campaign has come."`
	Pause  campaignPause  `cmd:"" help:"Stop a campaign until it is resumed."`
	Resume campaignResume `cmd:"" help:"Let a paused campaign go on where it stopped."`
	Cancel campaignCancel `cmd:"" help:"End a campaign for good; its letters that have not left are given up."`
}

// Help returns the examples.
func (campaignCommand) Help() string {
	return `limen message campaign start --name "Key leak" --subject "About your {app} account" --text notice.txt --dry-run
limen message campaign list
limen message campaign pause cmp_01k3c5x5s1f7s8z0v7m1w2q3r4`
}

type campaignStart struct {
	Name    string `required:"" help:"What you call it; nobody else reads it." placeholder:"TEXT"`
	Subject string `required:"" help:"The subject. It may hold {first_name} and {app}." placeholder:"TEXT"`
	Text    string `required:"" help:"The file with the text, in which {first_name|friend} is a person's name, or friend without one." placeholder:"FILE"`
	HTML    string `name:"html" help:"A file with the letter as HTML, sent as it is beside the text; names are escaped. Without it the text is laid out." placeholder:"FILE"`
	Segment string `help:"Whom it is for: all, role:NAME, locale:TAG or signed-in-since:90d." default:"all" placeholder:"SEGMENT"`
	Rate    int    `help:"At most this many letters in a second; 0 is no bound of its own." default:"0" placeholder:"N"`
	DryRun  bool   `help:"Only count the people and show three letters."`
	Detach  bool   `help:"Do not wait until it is over."`
	JSON    bool   `help:"Print JSON, and do not wait."`
}

// Help returns the examples.
func (campaignStart) Help() string {
	return `limen message campaign start --name "Key leak" --subject "About your {app} account" --text notice.txt --dry-run
limen message campaign start --name "Key leak" --subject "About your {app} account" --text notice.txt
limen message campaign start --name "Admins: new keys" --segment role:admin --subject "New keys" --text notice.txt --detach
limen message campaign start --name "Winter" --segment signed-in-since:90d --subject "Hello {first_name|friend}" --text a.txt --html a.html --rate 50`
}

// largest is the largest file that is read as a letter.
const largest = 256 << 10

func readLetter(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Size() > largest {
		return "", fmt.Errorf("%s is larger than %d KiB", name, largest>>10)
	}
	raw, err := os.ReadFile(name)
	return string(raw), err
}

// Run counts, starts and follows the campaign.
func (c campaignStart) Run(x *call) error {
	in := app.NewCampaign{Name: c.Name, Segment: c.Segment, Subject: c.Subject, Rate: c.Rate}
	var err error
	if in.Text, err = readLetter(c.Text); err != nil {
		return err
	}
	if c.HTML != "" {
		if in.HTML, err = readLetter(c.HTML); err != nil {
			return err
		}
	}
	return x.operate(func(o *app.Operator) error {
		p := x.progress()
		found, err := o.RehearseCampaign(x.ctx, in, func(people int) { p.say("%d people looked at", people) })
		p.done()
		if err != nil {
			return err
		}
		if c.DryRun {
			return c.printRehearsal(x, found)
		}
		started, err := o.StartCampaign(x.ctx, in, found.Total)
		if err != nil {
			return err
		}
		switch {
		case c.JSON:
			return x.printJSON(campaignRecord(started))
		case c.Detach:
			_, err = fmt.Fprintln(x.out, started.ID)
			return err
		}
		fmt.Fprintln(x.out, started.ID)
		return x.follow(o, started.ID)
	})
}

func (c campaignStart) printRehearsal(x *call, found app.Rehearsal) error {
	if c.JSON {
		shown := []record{}
		for _, e := range found.Examples {
			shown = append(shown, record{{"to", e.To}, {"subject", e.Subject}, {"text", e.Text}})
		}
		return x.printJSON(record{{"total", found.Total}, {"skipped", found.Skipped}, {"examples", shown}})
	}
	fmt.Fprintf(x.out, "%d people would get it; %d have no verified primary address. Nothing was sent.\n", found.Total, found.Skipped)
	for _, e := range found.Examples {
		fmt.Fprintf(x.out, "\nTo:      %s\nSubject: %s\n\n", printable(e.To), printable(e.Subject))
		for line := range strings.Lines(e.Text) {
			fmt.Fprintf(x.out, "  %s\n", printable(strings.TrimRight(line, "\r\n")))
		}
	}
	return nil
}

// follow shows how a campaign goes until it is over, is stopped, or the command is.
func (x *call) follow(o *app.Operator, id string) error {
	p := x.progress()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := o.Campaign(x.ctx, id)
		if x.ctx.Err() != nil {
			p.done()
			fmt.Fprintf(x.err, "The campaign goes on. See limen message campaign show %s, or pause it.\n", id)
			return nil
		}
		if err != nil {
			return err
		}
		p.bar(c.Queued-c.Waiting, c.Total)
		if c.Over() || c.State == "paused" {
			p.done()
			_, err := fmt.Fprintf(x.out, "%s: %d letters left the outbox, %d people have no verified primary address\n", c.State, c.Queued-c.Waiting, c.Skipped)
			return err
		}
		select {
		case <-tick.C:
		case <-x.ctx.Done():
		}
	}
}

func campaignRecord(c app.CampaignInfo) record {
	return record{
		{"id", c.ID}, {"name", c.Name}, {"segment", c.Segment}, {"subject", orNull(c.Subject)}, {"state", c.State}, {"rate", c.Rate},
		{"total", c.Total}, {"queued", c.Queued}, {"waiting", c.Waiting}, {"skipped", c.Skipped},
		{"created_at", instant(c.CreatedAt)}, {"updated_at", instant(c.UpdatedAt)}, {"finished_at", instant(c.FinishedAt)},
	}
}

type campaignList struct {
	Limit int  `help:"At most this many, 1 to 1000." default:"20" placeholder:"N"`
	JSON  bool `help:"Print JSON."`
}

// Help returns the examples.
func (campaignList) Help() string {
	return `limen message campaign list
limen message campaign list --json`
}

// Run prints the campaigns.
func (c campaignList) Run(x *call) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usageError("--limit must be 1 to 1000")
	}
	return x.operate(func(o *app.Operator) error {
		all, err := o.Campaigns(x.ctx, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			var rows []record
			for _, c := range all {
				rows = append(rows, campaignRecord(c))
			}
			return x.printList(rows, "")
		}
		t := x.table("ID", "NAME", "SEGMENT", "STATE", "PEOPLE", "WRITTEN", "WAITING", "CREATED")
		for _, c := range all {
			t.row(c.ID, c.Name, c.Segment, c.State, fmt.Sprint(c.Total), fmt.Sprint(c.Queued), fmt.Sprint(c.Waiting), when(c.CreatedAt))
		}
		return t.flush()
	})
}

type campaignShow struct {
	Campaign string `arg:"" help:"Id of the campaign."`
	Follow   bool   `help:"Show how it goes until it is over."`
	JSON     bool   `help:"Print JSON."`
}

// Help returns the examples.
func (campaignShow) Help() string {
	return `limen message campaign show cmp_01k3c5x5s1f7s8z0v7m1w2q3r4
limen message campaign show cmp_01k3c5x5s1f7s8z0v7m1w2q3r4 --follow`
}

// Run prints one campaign.
func (c campaignShow) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		if c.Follow {
			return x.follow(o, c.Campaign)
		}
		found, err := o.Campaign(x.ctx, c.Campaign)
		if err != nil {
			return err
		}
		return x.printCampaign(found, c.JSON)
	})
}

func (x *call) printCampaign(c app.CampaignInfo, asJSON bool) error {
	if asJSON {
		return x.printJSON(campaignRecord(c))
	}
	rate := "as many as leave"
	if c.Rate > 0 {
		rate = fmt.Sprintf("%d in a second", c.Rate)
	}
	t := x.table("ID", c.ID)
	t.row("NAME", c.Name)
	t.row("SEGMENT", c.Segment)
	t.row("SUBJECT", c.Subject)
	t.row("STATE", c.State)
	t.row("RATE", rate)
	t.row("PEOPLE", fmt.Sprint(c.Total))
	t.row("WRITTEN", fmt.Sprint(c.Queued))
	t.row("WAITING", fmt.Sprint(c.Waiting))
	t.row("SKIPPED", fmt.Sprint(c.Skipped))
	t.row("CREATED", when(c.CreatedAt))
	t.row("FINISHED", when(c.FinishedAt))
	return t.flush()
}

type campaignPause struct {
	Campaign string `arg:"" help:"Id of the campaign."`
	JSON     bool   `help:"Print JSON."`
}

// Help returns the examples.
func (campaignPause) Help() string {
	return `limen message campaign pause cmp_01k3c5x5s1f7s8z0v7m1w2q3r4`
}

// Run pauses the campaign.
func (c campaignPause) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		found, err := o.PauseCampaign(x.ctx, c.Campaign)
		if err != nil {
			return err
		}
		return x.printCampaign(found, c.JSON)
	})
}

type campaignResume struct {
	Campaign string `arg:"" help:"Id of the campaign."`
	JSON     bool   `help:"Print JSON."`
}

// Help returns the examples.
func (campaignResume) Help() string {
	return `limen message campaign resume cmp_01k3c5x5s1f7s8z0v7m1w2q3r4`
}

// Run resumes the campaign.
func (c campaignResume) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		found, err := o.ResumeCampaign(x.ctx, c.Campaign)
		if err != nil {
			return err
		}
		return x.printCampaign(found, c.JSON)
	})
}

type campaignCancel struct {
	Campaign string `arg:"" help:"Id of the campaign."`
	Yes      bool   `help:"Do not ask."`
	JSON     bool   `help:"Print JSON."`
}

// Help returns the examples.
func (campaignCancel) Help() string {
	return `limen message campaign cancel cmp_01k3c5x5s1f7s8z0v7m1w2q3r4
limen message campaign cancel cmp_01k3c5x5s1f7s8z0v7m1w2q3r4 --yes`
}

// Run asks, then cancels.
func (c campaignCancel) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		found, err := o.Campaign(x.ctx, c.Campaign)
		if err != nil {
			return err
		}
		if !c.Yes {
			question := fmt.Sprintf("This ends %s for good, after %d of %d letters. Type yes to go on: ", printable(found.Name), found.Queued, found.Total)
			if err := x.confirm(question, "yes"); err != nil {
				return err
			}
		}
		if found, err = o.CancelCampaign(x.ctx, c.Campaign); err != nil {
			return err
		}
		return x.printCampaign(found, c.JSON)
	})
}
