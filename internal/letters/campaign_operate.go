package letters

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// Campaign is a letter to many as an operator writes it. Subject, text and HTML may hold
// {first_name} and {app}, and {first_name|friend} for whoever gave no name.
type Campaign struct {
	Name    string
	Segment string
	Subject string
	Text    string
	HTML    string // "" for one that is made of the text
	Rate    int    // letters in a second, 0 for as many as leave
}

// CampaignInfo is how far a campaign has come.
type CampaignInfo struct {
	ID         string
	Name       string
	Segment    string
	Subject    string
	State      string
	Rate       int
	Total      int // people it was for when it began
	Queued     int // letters written so far
	Waiting    int // of these, how many have not left; it stops counting at 1,000
	Skipped    int // people without a verified primary address
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt time.Time // when the last letter was written, or the campaign was cancelled
}

// Over reports whether nothing of the campaign will leave any more.
func (c CampaignInfo) Over() bool {
	return c.Waiting == 0 && (c.State == store.CampaignDone || c.State == store.CampaignCancelled)
}

// Rehearsal is what a campaign would do.
type Rehearsal struct {
	Total    int
	Skipped  int
	Examples []Example
}

// Example is one letter of a rehearsal, its address masked.
type Example struct {
	To, Subject, Text string
}

const examples = 3

// ErrNoCampaign is told to operators who name none.
var ErrNoCampaign = fault.ErrNotFound.Saying("There is no such campaign. See limen message campaign list.")

// Rehearse counts whom a campaign is for and shows its first letters. It writes nothing.
// Counted is told now and then how many people were looked at. It refuses with
// invalid_request.
func (p *Post) Rehearse(ctx context.Context, in Campaign, counted func(people int)) (Rehearsal, error) {
	n, segment, err := in.check()
	if err != nil {
		return Rehearsal{}, err
	}
	var out Rehearsal
	now := p.Now()
	after, people := account.ID(""), 0
	for {
		page, err := p.Store.Recipients(ctx, after, pageSize)
		if err != nil {
			return out, err
		}
		for _, who := range page {
			after = who.Account
			switch {
			case !segment.has(who, now):
				continue
			case who.Address == "":
				out.Skipped++
				continue
			}
			out.Total++
			if len(out.Examples) < examples {
				m, err := p.Render.notice(&n, who.FirstName, who.Locale)
				if err != nil {
					return out, err
				}
				out.Examples = append(out.Examples, Example{To: account.Mask(who.Address), Subject: m.Subject, Text: m.Text})
			}
		}
		people += len(page)
		counted(people)
		if len(page) < pageSize {
			return out, nil
		}
	}
}

func (in Campaign) check() (notice, Segment, error) {
	n := notice{Subject: in.Subject, Text: in.Text, HTML: in.HTML, Rate: in.Rate}
	size := utf8.RuneCountInString(in.Name)
	if strings.TrimSpace(in.Name) == "" || size > maxName || !utf8.ValidString(in.Name) || strings.ContainsFunc(in.Name, unicode.IsControl) {
		return n, Segment{}, fault.Invalidate("name", "invalid")
	}
	segment, err := ParseSegment(in.Segment)
	if err != nil {
		return n, segment, err
	}
	return n, segment, n.check()
}

// StartCampaign begins a campaign to total people, as a rehearsal has counted them. The
// running servers write and send its letters. It refuses with invalid_request.
func (p *Post) StartCampaign(ctx context.Context, in Campaign, total int) (CampaignInfo, error) {
	n, _, err := in.check()
	if err != nil {
		return CampaignInfo{}, err
	}
	var c store.Campaign
	err = p.Store.Tx(ctx, func(tx *store.Tx) error {
		c = store.Campaign{
			ID: secret.ID("cmp", tx.Now), Name: in.Name, Segment: in.Segment, State: store.CampaignRunning, Total: total,
			CreatedAt: tx.Now, UpdatedAt: tx.Now,
		}
		if c.Content, err = p.sealNotice(c.ID, n); err != nil {
			return err
		}
		if err := tx.InsertCampaign(ctx, c); err != nil {
			return err
		}
		return record(ctx, tx, c, c.State)
	})
	if err != nil {
		return CampaignInfo{}, err
	}
	nudge(p.fill)
	return p.campaignInfo(ctx, c)
}

// operator is who moves campaigns, for the record.
const operator = "operator"

// record leaves evidence of who wrote to whom.
func record(ctx context.Context, tx *store.Tx, c store.Campaign, state string) error {
	return tx.Record(ctx, audit.Event{Type: audit.CampaignMoved, Outcome: audit.Success, Actor: operator, Data: map[string]string{
		"campaign": c.ID, "state": state, "segment": audit.Clean(c.Segment, audit.MaxValue), "count": strconv.Itoa(c.Total),
	}})
}

// Campaigns lists campaigns, the newest first.
func (p *Post) Campaigns(ctx context.Context, limit int) ([]CampaignInfo, error) {
	all, err := p.Store.Campaigns(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]CampaignInfo, len(all))
	for i, c := range all {
		if out[i], err = p.campaignInfo(ctx, c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Campaign finds a campaign. It refuses with ErrNoCampaign.
func (p *Post) Campaign(ctx context.Context, id string) (CampaignInfo, error) {
	c, err := p.campaign(ctx, id)
	if err != nil {
		return CampaignInfo{}, err
	}
	return p.campaignInfo(ctx, c)
}

func (p *Post) campaign(ctx context.Context, id string) (store.Campaign, error) {
	if !secret.HasForm(id, "cmp") {
		return store.Campaign{}, ErrNoCampaign
	}
	c, found, err := p.Store.CampaignByID(ctx, id)
	if err == nil && !found {
		err = ErrNoCampaign
	}
	return c, err
}

func (p *Post) campaignInfo(ctx context.Context, c store.Campaign) (CampaignInfo, error) {
	out := CampaignInfo{
		ID: c.ID, Name: c.Name, Segment: c.Segment, State: c.State, Total: c.Total, Queued: c.Queued, Skipped: c.Skipped,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, FinishedAt: c.FinishedAt,
	}
	if n, err := p.openNotice(c); err == nil { // else another root key sealed it; the rest is still true
		out.Subject, out.Rate = n.Subject, n.Rate
	}
	var err error
	out.Waiting, err = p.Store.CampaignWaiting(ctx, LaneCampaign, c.ID, waitingMost)
	return out, err
}

// PauseCampaign stops a running campaign: no more of its letters are written, and what
// waits in the outbox stays there. What processes have claimed at this moment, 500 letters
// each at most, still leaves.
func (p *Post) PauseCampaign(ctx context.Context, id string) (CampaignInfo, error) {
	return p.move(ctx, id, store.CampaignPaused, store.CampaignRunning)
}

// ResumeCampaign lets a paused campaign go on where it stopped.
func (p *Post) ResumeCampaign(ctx context.Context, id string) (CampaignInfo, error) {
	return p.move(ctx, id, store.CampaignRunning, store.CampaignPaused)
}

// CancelCampaign ends a campaign for good. Its letters that have not left are given up.
func (p *Post) CancelCampaign(ctx context.Context, id string) (CampaignInfo, error) {
	c, err := p.move(ctx, id, store.CampaignCancelled, store.CampaignRunning, store.CampaignPaused, store.CampaignDone)
	if err != nil {
		return c, err
	}
	for {
		var n int64
		err := p.Store.Tx(ctx, func(tx *store.Tx) (err error) {
			n, err = tx.BuryCampaign(ctx, LaneCampaign, id, errCancelled.Error(), pageSize)
			return err
		})
		if err != nil || n < pageSize {
			break
		}
	}
	return p.Campaign(ctx, id)
}

func (p *Post) move(ctx context.Context, id, to string, from ...string) (CampaignInfo, error) {
	c, err := p.campaign(ctx, id)
	if err != nil {
		return CampaignInfo{}, err
	}
	moved := false
	for _, state := range from {
		if c.State != state {
			continue
		}
		err := p.Store.Tx(ctx, func(tx *store.Tx) (err error) {
			if moved, err = tx.MoveCampaign(ctx, id, state, to); err != nil || !moved {
				return err
			}
			return record(ctx, tx, c, to)
		})
		if err != nil {
			return CampaignInfo{}, err
		}
	}
	if !moved {
		return CampaignInfo{}, fmt.Errorf("the campaign is %s, and only one that is %s can become %s", c.State, strings.Join(from, " or "), to)
	}
	nudge(p.fill)
	return p.Campaign(ctx, id)
}
