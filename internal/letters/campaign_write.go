package letters

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/store"
)

// The letters of a campaign are written little by little, by whichever process comes
// first: a page of people is read by their ids, their letters are made outside of any
// transaction, and one transaction writes them together with the id of the last person
// looked at, if nobody else has done so meanwhile. So a process may die at any moment,
// nobody is written to twice, and memory holds one page however many people there are.
// The outbox holds no more than two pages of a campaign, so it stays small, and
// to pause or to cancel stops all but what has been claimed.
const (
	pageSize     = 500
	waitingMost  = 2 * pageSize
	campaignLife = 90 * 24 * time.Hour // what could not leave for so long is given up; a pause may last
	writePause   = 100 * time.Millisecond
)

func digest(parts ...string) [sha256.Size]byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// writeCampaigns writes the letters of running campaigns until ctx ends.
func (p *Post) writeCampaigns(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.fill:
		case <-timer.C:
		}
		running, err := p.WriteCampaigns(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			p.Log.Error("campaigns: letters could not be written; it will be tried again", "error", err)
			timer.Reset(idle)
		case running:
			timer.Reset(writePause)
		default:
			timer.Reset(idle)
		}
	}
}

// WriteCampaigns writes the next page of each running campaign that the outbox has room
// for. It reports whether any campaign is running.
func (p *Post) WriteCampaigns(ctx context.Context) (running bool, err error) {
	campaigns, err := p.Store.CampaignsIn(ctx, store.CampaignRunning)
	var errs []error
	for _, c := range campaigns {
		errs = append(errs, p.writePage(ctx, c))
	}
	return len(campaigns) > 0, errors.Join(append(errs, err)...)
}

func (p *Post) writePage(ctx context.Context, c store.Campaign) error {
	n, err := p.openNotice(c)
	if err != nil {
		return fmt.Errorf("campaign %s: %w", c.ID, err)
	}
	segment, err := ParseSegment(c.Segment)
	if err != nil {
		return fmt.Errorf("campaign %s: %w", c.ID, err)
	}
	waiting, err := p.Store.CampaignWaiting(ctx, LaneCampaign, c.ID, waitingMost)
	if err != nil || waiting > waitingMost-pageSize {
		return err
	}
	room := pageSize
	if n.Rate > 0 {
		passed := min(p.Now().Sub(c.UpdatedAt), time.Minute)
		if room = min(room, int(float64(n.Rate)*passed.Seconds())); room <= 0 {
			return nil
		}
	}
	people, err := p.Store.Recipients(ctx, c.LastID, pageSize)
	if err != nil {
		return err
	}
	next, err := p.stack(c, segment, people, room)
	if err != nil {
		return err
	}
	err = p.Store.Tx(ctx, func(tx *store.Tx) error {
		mine, err := tx.AdvanceCampaign(ctx, c, next.last, len(next.letters), next.skipped, next.done)
		if err != nil || !mine {
			return err
		}
		for _, m := range next.letters {
			m.DueAt, m.CreatedAt, m.NotAfter = tx.Now, tx.Now, tx.Now.Add(campaignLife)
			if err := tx.Enqueue(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(next.letters) > 0:
		nudge(p.lanes[LaneCampaign].wake)
	default:
		nudge(p.fill) // nobody of the segment on this page: the next one at once
	}
	return nil
}

// stack is what one transaction writes.
type stack struct {
	letters []store.Message
	last    account.ID
	skipped int
	done    bool
}

// stack makes the letters to people, at most room of them.
func (p *Post) stack(c store.Campaign, segment Segment, people []store.Recipient, room int) (stack, error) {
	out := stack{last: c.LastID, done: len(people) < pageSize}
	for _, who := range people {
		if len(out.letters) == room {
			out.done = false
			break
		}
		out.last = who.Account
		if !segment.has(who, c.CreatedAt) {
			continue
		}
		if who.Address == "" {
			out.skipped++
			continue
		}
		plain, err := json.Marshal(addressee{To: who.Address, FirstName: who.FirstName})
		if err != nil {
			return stack{}, err
		}
		id := letterID(c.ID, who.Account)
		out.letters = append(out.letters, store.Message{
			ID: id, Lane: LaneCampaign, Channel: "email", Template: string(CampaignNotice), Locale: who.Locale,
			Account: who.Account, Sealed: p.Sealer.Seal(id, plain), Campaign: c.ID,
		})
	}
	return out, nil
}

// notices reads what the campaigns of these letters say, and whether they may say it now.
func (p *Post) notices(ctx context.Context, claimed []store.Message) (map[string]*notice, error) {
	var found map[string]*notice
	for _, m := range claimed {
		if m.Campaign == "" || found[m.Campaign] != nil {
			continue
		}
		c, known, err := p.Store.CampaignByID(ctx, m.Campaign)
		if err != nil {
			return nil, err
		}
		if !known {
			continue // its letters cannot be opened, and are given up
		}
		n, err := p.openNotice(c)
		if err != nil {
			continue
		}
		if found == nil {
			found = map[string]*notice{}
		}
		found[m.Campaign] = n
	}
	return found, nil
}
