package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/account"
)

const campaignColumns = `id, name, segment, content, state, last_id, total, queued, skipped, created_at, updated_at, finished_at`

const (
	sqlCampaignInsert = `INSERT INTO campaign (` + campaignColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	sqlCampaignByID    = `SELECT ` + campaignColumns + ` FROM campaign WHERE id = $1`
	sqlCampaigns       = `SELECT ` + campaignColumns + ` FROM campaign WHERE id < $1 ORDER BY id DESC LIMIT $2`
	sqlCampaignsAt     = `SELECT ` + campaignColumns + ` FROM campaign WHERE state = $1 ORDER BY id`
	sqlCampaignAdvance = `UPDATE campaign SET last_id = $1, queued = queued + $2, skipped = skipped + $3, updated_at = $4,
		state = $5, finished_at = $6 WHERE id = $7 AND last_id = $8 AND state = 'running' RETURNING id`
	sqlCampaignState = `UPDATE campaign SET state = $1, updated_at = $2, finished_at = $3 WHERE id = $4 AND state = $5`
	sqlCampaignDepth = `SELECT count(*) FROM (SELECT q.id FROM outbox q WHERE q.state = 'queued' AND q.lane = $1
		AND q.campaign_id = $2 LIMIT $3) AS waiting`
	sqlCampaignBury = `UPDATE outbox SET state = 'dead', finished_at = $1, reason = $2, sealed = NULL WHERE id IN (SELECT q.id
		FROM outbox q WHERE q.state = 'queued' AND q.lane = $3 AND q.campaign_id = $4 AND q.locked_until <= $1 LIMIT $5 FOR UPDATE SKIP LOCKED)`
	sqlRecipients = `SELECT a.id, a.first_name, a.locale, a.roles, a.last_sign_in_at,
		(SELECT e.address FROM email e WHERE e.account_id = a.id AND e.is_primary AND e.verified_at IS NOT NULL)
		FROM account a WHERE a.id > $1 ORDER BY a.id LIMIT $2`
)

// The states of a campaign.
const (
	CampaignRunning   = "running"
	CampaignPaused    = "paused"
	CampaignCancelled = "cancelled"
	CampaignDone      = "done" // every letter has been written; some may still wait in the outbox
)

// Campaign is a letter to many, and how far the writing of its letters has come.
type Campaign struct {
	ID         string
	Name       string
	Segment    string
	Content    string // sealed
	State      string
	LastID     account.ID // of the last person looked at, "" before the first
	Total      int        // people who were to get it when it began
	Queued     int        // letters written
	Skipped    int        // people of the segment without a verified primary address
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt time.Time
}

func scanCampaign(scan func(...any) error) (c Campaign, err error) {
	return c, scan(&c.ID, &c.Name, &c.Segment, &c.Content, &c.State, &c.LastID, &c.Total, &c.Queued, &c.Skipped,
		stamp(&c.CreatedAt), stamp(&c.UpdatedAt), stamp(&c.FinishedAt))
}

// InsertCampaign writes a new campaign.
func (tx *Tx) InsertCampaign(ctx context.Context, c Campaign) error {
	return tx.post(sqlCampaignInsert, c.ID, c.Name, c.Segment, c.Content, c.State, string(c.LastID), c.Total, c.Queued, c.Skipped,
		when(c.CreatedAt), when(c.UpdatedAt), when(c.FinishedAt))
}

// CampaignByID finds a campaign.
func (r reader) CampaignByID(ctx context.Context, id string) (Campaign, bool, error) {
	c, err := scanCampaign(r.queryRow(ctx, sqlCampaignByID, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Campaign{}, false, nil
	}
	return c, err == nil, err
}

// Campaigns lists campaigns, the newest first.
func (r reader) Campaigns(ctx context.Context, limit int) ([]Campaign, error) {
	return r.campaigns(ctx, sqlCampaigns, "~", limit) // after every id
}

// CampaignsIn lists the campaigns in a state, the oldest first.
func (r reader) CampaignsIn(ctx context.Context, state string) ([]Campaign, error) {
	return r.campaigns(ctx, sqlCampaignsAt, state)
}

func (r reader) campaigns(ctx context.Context, q string, args ...any) ([]Campaign, error) {
	rows, err := r.query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanCampaign)
}

// AdvanceCampaign records that the letters to everybody up to next have been written: the
// same transaction writes them. It reports false, and the transaction must then write
// none, when another process was faster or the campaign does not run any more.
func (tx *Tx) AdvanceCampaign(ctx context.Context, c Campaign, next account.ID, queued, skipped int, done bool) (bool, error) {
	state, finished := CampaignRunning, time.Time{}
	if done {
		state, finished = CampaignDone, tx.Now
	}
	_, found, err := tx.id(ctx, sqlCampaignAdvance, string(next), queued, skipped, when(tx.Now), state, when(finished), c.ID, string(c.LastID))
	return found, err
}

// MoveCampaign changes the state of a campaign. It reports false when the campaign is in
// another state than from.
func (tx *Tx) MoveCampaign(ctx context.Context, id, from, to string) (bool, error) {
	finished := time.Time{}
	if to == CampaignCancelled || to == CampaignDone {
		finished = tx.Now
	}
	n, err := tx.exec(sqlCampaignState, to, when(tx.Now), when(finished), id, from)
	return n == 1, err
}

// CampaignWaiting counts the letters of a campaign that wait in the lane, up to a limit.
func (r reader) CampaignWaiting(ctx context.Context, lane int, id string, limit int) (n int, err error) {
	err = r.queryRow(ctx, sqlCampaignDepth, lane, id, limit).Scan(&n)
	return n, err
}

// BuryCampaign gives up to limit letters of a campaign up that nobody is sending now, and
// returns how many.
func (tx *Tx) BuryCampaign(ctx context.Context, lane int, id, reason string, limit int) (int64, error) {
	return tx.exec(sqlCampaignBury, when(tx.Now), reason, lane, id, limit)
}

// Recipient is what a campaign needs to know of a person.
type Recipient struct {
	Account      account.ID
	FirstName    string
	Locale       string
	Roles        []string
	LastSignInAt time.Time
	Address      string // the primary address if it is verified, "" else
}

// Recipients lists people by id, after the given one.
func (r reader) Recipients(ctx context.Context, after account.ID, limit int) ([]Recipient, error) {
	rows, err := r.query(ctx, sqlRecipients, string(after), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (p Recipient, err error) {
		var roles string
		err = scan(&p.Account, optional(&p.FirstName), optional(&p.Locale), &roles, stamp(&p.LastSignInAt), optional(&p.Address))
		if err != nil {
			return p, err
		}
		if err := json.Unmarshal([]byte(roles), &p.Roles); err != nil {
			return p, fmt.Errorf("roles of %s: %w", p.Account, err)
		}
		return p, nil
	})
}
