package app

import (
	"context"

	"github.com/limenauth/limen/internal/letters"
)

// What the command line may know of letters and campaigns.
type (
	// MessageInfo is a letter in the outbox.
	MessageInfo = letters.MessageInfo
	// NewCampaign is a letter to many, as an operator writes it.
	NewCampaign = letters.Campaign
	// CampaignInfo is how far a campaign has come.
	CampaignInfo = letters.CampaignInfo
	// Rehearsal is what a campaign would do.
	Rehearsal = letters.Rehearsal
)

// Messages lists letters of a state, "" for any.
func (o *Operator) Messages(ctx context.Context, state string, limit int) ([]MessageInfo, error) {
	return o.app.Post.Messages(ctx, state, limit)
}

// Message finds one letter.
func (o *Operator) Message(ctx context.Context, id string) (MessageInfo, error) {
	return o.app.Post.Message(ctx, id)
}

// RetryMessage makes one waiting letter due now.
func (o *Operator) RetryMessage(ctx context.Context, id string) error {
	return o.app.Post.RetryMessage(ctx, id)
}

// RetryMessages makes every waiting letter due now, at most limit in each lane, and counts
// them.
func (o *Operator) RetryMessages(ctx context.Context, limit int) (int64, error) {
	return o.app.Post.RetryMessages(ctx, limit)
}

// RehearseCampaign counts whom a campaign is for and shows examples; it writes nothing.
func (o *Operator) RehearseCampaign(ctx context.Context, c NewCampaign, counted func(people int)) (Rehearsal, error) {
	return o.app.Post.Rehearse(ctx, c, counted)
}

// StartCampaign begins a campaign that a rehearsal has counted; running servers send it.
func (o *Operator) StartCampaign(ctx context.Context, c NewCampaign, total int) (CampaignInfo, error) {
	return o.app.Post.StartCampaign(ctx, c, total)
}

// Campaigns lists campaigns, the newest first.
func (o *Operator) Campaigns(ctx context.Context, limit int) ([]CampaignInfo, error) {
	return o.app.Post.Campaigns(ctx, limit)
}

// Campaign finds one campaign.
func (o *Operator) Campaign(ctx context.Context, id string) (CampaignInfo, error) {
	return o.app.Post.Campaign(ctx, id)
}

// PauseCampaign stops a running campaign until it is resumed.
func (o *Operator) PauseCampaign(ctx context.Context, id string) (CampaignInfo, error) {
	return o.app.Post.PauseCampaign(ctx, id)
}

// ResumeCampaign lets a paused campaign go on.
func (o *Operator) ResumeCampaign(ctx context.Context, id string) (CampaignInfo, error) {
	return o.app.Post.ResumeCampaign(ctx, id)
}

// CancelCampaign ends a campaign for good.
func (o *Operator) CancelCampaign(ctx context.Context, id string) (CampaignInfo, error) {
	return o.app.Post.CancelCampaign(ctx, id)
}
