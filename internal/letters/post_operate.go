package letters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// MessageInfo is what may be told about a letter: nothing of what it says.
type MessageInfo struct {
	ID         string
	Lane       string // interactive or campaign
	Channel    string
	Template   string
	Locale     string
	Account    account.ID // "" for nobody yet
	To         string     // masked; "" when it is erased or does not open
	State      string     // queued, sent or dead
	Held       bool       // queued, and a worker is sending it
	Tries      int
	DueAt      time.Time
	NotAfter   time.Time
	CreatedAt  time.Time
	FinishedAt time.Time
	Reason     string // of the last failure
	Campaign   string
	Provider   string
}

var (
	// ErrNoMessage is told to operators who name none.
	ErrNoMessage = fault.ErrNotFound.Saying("There is no such letter. See limen message list; letters are forgotten 30 days after they were sent or given up.")
	// ErrNotWaiting is told of a letter that does not wait for its next try.
	ErrNotWaiting = errors.New("the letter does not wait for another try")
)

// Messages lists letters in a state: queued, those that are due longest first; sent and
// dead, the last first; "" for all, the newest first.
func (p *Post) Messages(ctx context.Context, state string, limit int) ([]MessageInfo, error) {
	var found []store.Message
	var err error
	switch state {
	case store.Queued:
		for lane := range p.lanes {
			more, failed := p.Store.QueuedMessages(ctx, lane, limit-len(found))
			found, err = append(found, more...), errors.Join(err, failed)
		}
	case store.Sent:
		found, err = p.Store.SentMessages(ctx, p.Now(), limit)
	case store.Dead:
		found, err = p.Store.DeadMessages(ctx, p.Now(), limit)
	case "":
		found, err = p.Store.NewestMessages(ctx, limit)
	default:
		err = fault.Invalidate("state", "invalid")
	}
	out := make([]MessageInfo, len(found))
	for i, m := range found {
		out[i] = p.messageInfo(m)
	}
	return out, err
}

// Message finds a letter. It refuses with ErrNoMessage.
func (p *Post) Message(ctx context.Context, id string) (MessageInfo, error) {
	if !secret.HasForm(id, "msg") {
		return MessageInfo{}, ErrNoMessage
	}
	m, found, err := p.Store.MessageByID(ctx, id)
	if err == nil && !found {
		err = ErrNoMessage
	}
	if err != nil {
		return MessageInfo{}, err
	}
	return p.messageInfo(m), nil
}

func (p *Post) messageInfo(m store.Message) MessageInfo {
	return MessageInfo{
		ID: m.ID, Lane: p.lanes[min(max(m.Lane, 0), len(p.lanes)-1)].name(), Channel: m.Channel, Template: m.Template, Locale: m.Locale,
		Account: m.Account, To: p.maskedTo(m), State: m.State, Held: m.State == store.Queued && m.LockedUntil.After(p.Now()),
		Tries: m.Tries, DueAt: m.DueAt, NotAfter: m.NotAfter, CreatedAt: m.CreatedAt, FinishedAt: m.FinishedAt,
		Reason: m.Reason, Campaign: m.Campaign, Provider: m.Provider,
	}
}

// maskedTo opens the secret parts for the address alone, and masks it.
func (p *Post) maskedTo(m store.Message) string {
	plain, err := p.Sealer.Open(m.ID, m.Sealed)
	if err != nil {
		return ""
	}
	var only struct {
		To string `json:"to"`
	}
	if json.Unmarshal(plain, &only) != nil || only.To == "" {
		return ""
	}
	if m.Channel == "email" {
		return account.Mask(only.To)
	}
	return account.MaskPhone(only.To)
}

// RetryMessage makes a letter due that waits for its next try. It refuses with
// ErrNoMessage, and with ErrNotWaiting where there is nothing to hasten. A dead letter
// cannot be sent again, by design: its address, code and link were erased when it was
// given up, so that what could not be delivered cannot be stolen either.
func (p *Post) RetryMessage(ctx context.Context, id string) error {
	m, err := p.Message(ctx, id)
	if err != nil {
		return err
	}
	var hastened bool
	err = p.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		hastened, err = tx.HastenMessage(ctx, id)
		return err
	})
	switch {
	case err != nil || hastened:
		return err
	case m.State == store.Dead:
		return fmt.Errorf("%w: it was given up, and its address, code and link were erased at that moment, so there is nothing left to send. "+
			"Its person asks for a new letter; of a campaign, start another", ErrNotWaiting)
	case m.State == store.Sent:
		return fmt.Errorf("%w: it was sent at %s", ErrNotWaiting, m.FinishedAt.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%w: it is due already, and leaves as soon as a server sends it", ErrNotWaiting)
}

// RetryMessages makes letters due that have failed and wait for their next try, up to
// limit in each lane, and returns how many.
func (p *Post) RetryMessages(ctx context.Context, limit int) (hastened int64, err error) {
	err = p.Store.Tx(ctx, func(tx *store.Tx) error {
		hastened = 0
		for _, l := range p.lanes {
			n, err := tx.HastenMessages(ctx, l.number, limit)
			if err != nil {
				return err
			}
			hastened += n
		}
		return nil
	})
	return hastened, err
}

// Backlog is what waits in a lane.
type Backlog struct {
	Lane    string
	Waiting int           // letters that have not left; it stops counting at 10,000
	Oldest  time.Duration // for how long the longest due letter has been due, 0 for none
}

// mostCounted bounds what a look at the numbers costs.
const mostCounted = 10_000

// Backlogs tells what waits in each lane.
func (p *Post) Backlogs(ctx context.Context) ([]Backlog, error) {
	out := make([]Backlog, len(p.lanes))
	now := p.Now()
	for i, l := range p.lanes {
		waiting, err := p.Store.Waiting(ctx, l.number, mostCounted)
		if err != nil {
			return nil, err
		}
		due, err := p.Store.OldestDue(ctx, l.number, now)
		if err != nil {
			return nil, err
		}
		out[i] = Backlog{Lane: l.name(), Waiting: waiting}
		if !due.IsZero() {
			out[i].Oldest = max(0, now.Sub(due))
		}
	}
	return out, nil
}
