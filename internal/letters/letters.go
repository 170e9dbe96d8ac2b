// Package letters writes to people: it queues a message in the transaction of the deed
// that causes it, and sends it after the commit.
//
// A letter is a row of the outbox before it is anything else, so a deed that rolls back
// sends nothing and a deed that commits is never forgotten, not even by kill -9. Workers
// of any number of processes claim rows under a lease, are woken by the commit, retry
// with growing pauses and give up into a dead row that tells why. A letter is delivered
// at least once: a process that dies between the relay's yes and its own note sends it
// again, with the same id.
//
// Invariants. The secret parts of a row (address, code, link) are sealed under the row's
// id and erased when the letter is sent or dead. A letter whose code has expired is not
// sent. Links are built from the configured public URL, never from a request.
package letters

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// Template names a letter.
type Template string

// The letters that carry a proof: a code, a link, or both.
const (
	// Code carries the six digits with which a person proves who they are once more.
	Code Template = "code"
	// SignIn lets an existing person in, SignUp a new one.
	SignIn Template = "sign_in"
	SignUp Template = "sign_up"
	// Recover leads to a new password.
	Recover Template = "recover"
	// VerifyEmail proves an address that a person wants to add.
	VerifyEmail Template = "verify_email"
)

// The letters that tell.
const (
	// AddressTaken tells an owner that somebody tried to sign up with their address.
	AddressTaken Template = "address_taken"
	// NoAccount tells an address that somebody tried to sign in with it, in vain.
	NoAccount Template = "no_account"
	// Invitation tells somebody that an operator has made an account for them.
	Invitation Template = "invitation"
	// NewDevice tells of a sign-in from a device that was not seen before.
	NewDevice Template = "new_device"
	// RefreshReused tells that a spent refresh token was used, and that its session ended.
	RefreshReused Template = "refresh_reused"
	// These tell of changes.
	PasswordChanged Template = "password_changed"
	EmailAdded      Template = "email_added"
	EmailChanged    Template = "email_changed"
	EmailRemoved    Template = "email_removed"
	PhoneAdded      Template = "phone_added"
	PhoneChanged    Template = "phone_changed"
	PhoneRemoved    Template = "phone_removed"
	// Secured says that a change was undone or reported: the sessions and the password are gone.
	Secured Template = "secured"
	// Deletion tells that an account is about to be forgotten, and how to keep it.
	Deletion Template = "deletion"
	// Kept says that the deletion was canceled.
	Kept Template = "kept"
)

// Nothing is the letter that is not sent. It stands in the outbox where an unknown
// number must leave the same rows as a known one, and a message would cost money.
const Nothing Template = "nothing"

// Lanes: what a person waits for never stands behind a campaign.
const (
	LaneInteractive = 0
	LaneCampaign    = 1
)

// Letter is what a deed asks to be sent.
type Letter struct {
	Template Template
	// Channel is ByEmail unless something else is said.
	Channel account.Channel
	Account account.ID
	Locale  string
	To      string
	Code    secret.Text
	// Path is where the link of the letter leads, on the public URL, and Token what it
	// carries; "" for a letter without a link.
	Path  string
	Token secret.Text
	// ReportPath is where a second link leads that carries the same token: "this wasn't me".
	ReportPath string
	// Reports says that the link reports what happened, in a message whose link otherwise
	// undoes it.
	Reports bool
	Facts   Facts
	// Fallback is the person's address, for a text message that cannot be sent; "" for none.
	Fallback string
	// NotAfter is when the letter is worth nothing any more.
	NotAfter time.Time
}

// Facts are what a letter tells of what happened. What is empty is left out.
type Facts struct {
	When    time.Time `json:"when,omitzero"`
	Device  string    `json:"device,omitempty"`
	Place   string    `json:"place,omitempty"`
	Address string    `json:"address,omitempty"` // masked by whoever fills it, where it must be
	Until   time.Time `json:"until,omitzero"`
}

// parts are what is sealed in the row.
type parts struct {
	To    string `json:"to"`
	Code  string `json:"code,omitempty"`
	Path  string `json:"path,omitempty"`
	Token string `json:"token,omitempty"`
	Facts Facts  `json:"facts,omitzero"`

	ReportPath string `json:"report_path,omitempty"`
	Reports    bool   `json:"reports,omitempty"`

	Fallback string `json:"fallback,omitempty"`
}

// link is the address that the letter leads to.
func (p parts) link(publicURL string) string { return p.at(publicURL, p.Path) }

// report is the address that the second link leads to.
func (p parts) report(publicURL string) string { return p.at(publicURL, p.ReportPath) }

func (p parts) at(publicURL, path string) string {
	if path == "" {
		return ""
	}
	if p.Token == "" {
		return publicURL + path
	}
	return publicURL + path + "?token=" + url.QueryEscape(p.Token)
}

// Enqueue writes the letter into the deed's transaction and wakes the workers once it
// has committed.
func (p *Post) Enqueue(ctx context.Context, tx *store.Tx, l Letter) error {
	plain, err := json.Marshal(parts{
		To: l.To, Code: l.Code.Reveal(), Path: l.Path, Token: l.Token.Reveal(), Facts: l.Facts, Fallback: l.Fallback,
		ReportPath: l.ReportPath, Reports: l.Reports,
	})
	if err != nil {
		return fmt.Errorf("letter: %w", err)
	}
	channel := l.Channel
	if channel == "" {
		channel = account.ByEmail
	}
	id := secret.ID("msg", tx.Now)
	err = tx.Enqueue(ctx, store.Message{
		ID: id, Lane: LaneInteractive, Channel: wire[channel], Template: string(l.Template), Locale: l.Locale,
		Account: l.Account, Sealed: p.Sealer.Seal(id, plain), DueAt: tx.Now, NotAfter: l.NotAfter, CreatedAt: tx.Now,
	})
	if err != nil {
		return err
	}
	tx.AfterCommit(p.Wake)
	return nil
}

// wire is what a channel is called in the outbox and the development inbox.
var wire = map[account.Channel]string{account.ByEmail: "email", account.ByPhone: "sms"}
