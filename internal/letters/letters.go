// Package letters writes to people: it queues a letter in the transaction of the deed
// that causes it, and sends it after the commit.
//
// A letter is a row of the outbox before it is anything else, so a deed that rolls back
// sends nothing and a deed that commits is never forgotten, not even by kill -9. Workers
// of any number of processes claim rows under a lease, are woken by the commit, retry
// with growing pauses and give up into a dead row that tells why. A letter is delivered
// at least once: a process that dies between the relay's yes and its own note sends it
// again, with the same id.
//
// Invariants. The secret parts of a row (address, code) are sealed under the row's id
// and erased when the letter is sent or dead. A letter whose code has expired is not
// sent. Links are built from the configured public URL, never from a request.
package letters

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// Template names a letter.
type Template string

// The letters of this release.
const (
	// Code carries the six digits that prove an address.
	Code Template = "code"
	// AddressTaken tells an owner that somebody tried to sign up with their address.
	AddressTaken Template = "address_taken"
)

// Lanes: what a person waits for never stands behind a campaign.
const LaneInteractive = 0

// Letter is what a deed asks to be sent.
type Letter struct {
	Template Template
	Account  account.ID
	Locale   string
	To       string
	Code     secret.Text
	// NotAfter is when the letter is worth nothing any more.
	NotAfter time.Time
}

// parts are what is sealed in the row.
type parts struct {
	To   string `json:"to"`
	Code string `json:"code,omitempty"`
}

// Enqueue writes the letter into the deed's transaction and wakes the workers once it
// has committed.
func (p *Post) Enqueue(ctx context.Context, tx *store.Tx, l Letter) error {
	plain, err := json.Marshal(parts{To: l.To, Code: l.Code.Reveal()})
	if err != nil {
		return fmt.Errorf("letter: %w", err)
	}
	id := secret.ID("msg", tx.Now)
	err = tx.Enqueue(ctx, store.Message{
		ID: id, Lane: LaneInteractive, Channel: "email", Template: string(l.Template), Locale: l.Locale,
		Account: l.Account, Sealed: p.Sealer.Seal(id, plain), DueAt: tx.Now, NotAfter: l.NotAfter, CreatedAt: tx.Now,
	})
	if err != nil {
		return err
	}
	tx.AfterCommit(p.Wake)
	return nil
}
