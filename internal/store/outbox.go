package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/limenauth/limen/internal/account"
)

const outboxColumns = `id, lane, channel, template, locale, account_id, sealed, state, tries, due_at, locked_until,
	not_after, created_at, finished_at, reason, campaign_id, provider`

const (
	sqlOutboxInsert = `INSERT INTO outbox (` + outboxColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT (id) DO NOTHING`
	sqlOutboxClaim = `UPDATE outbox SET locked_until = $1, tries = tries + 1 WHERE id IN (SELECT q.id FROM outbox q
		WHERE q.state = 'queued' AND q.lane = $2 AND q.due_at <= $3 AND q.locked_until <= $3 ORDER BY q.due_at, q.id LIMIT $4 FOR UPDATE SKIP LOCKED)
		AND locked_until <= $3 RETURNING ` + outboxColumns
	sqlOutboxSent = `UPDATE outbox SET state = 'sent', finished_at = $1, reason = NULL, sealed = NULL, provider = $2
		WHERE id = $3 AND state = 'queued'`
	sqlOutboxDead = `UPDATE outbox SET state = 'dead', finished_at = $1, reason = $2, sealed = NULL
		WHERE id = $3 AND state = 'queued' AND locked_until = $4`
	sqlOutboxRetry = `UPDATE outbox SET due_at = $1, locked_until = 0, reason = $2
		WHERE id = $3 AND state = 'queued' AND locked_until = $4`
	sqlOutboxRelease = `UPDATE outbox SET due_at = $1, locked_until = 0, tries = tries - 1
		WHERE id = $2 AND state = 'queued' AND locked_until = $3`
	sqlOutboxHasten    = `UPDATE outbox SET due_at = $1 WHERE id = $2 AND state = 'queued' AND locked_until <= $1 AND due_at > $1`
	sqlOutboxHastenAll = `UPDATE outbox SET due_at = $1 WHERE id IN (SELECT q.id FROM outbox q WHERE q.state = 'queued' AND q.lane = $2
		AND q.due_at > $1 AND q.locked_until <= $1 AND q.tries > 0 ORDER BY q.due_at, q.id LIMIT $3 FOR UPDATE SKIP LOCKED)`
	sqlOutboxPrune = `DELETE FROM outbox WHERE id IN (SELECT p.id FROM outbox p WHERE p.finished_at < $1 LIMIT $2)`
	sqlOutboxDepth = `SELECT count(*) FROM (SELECT q.id FROM outbox q WHERE q.state = 'queued' AND q.lane = $1 LIMIT $2) AS waiting`
	sqlOutboxNext  = `SELECT q.due_at FROM outbox q WHERE q.state = 'queued' AND q.lane = $1 AND q.locked_until <= $2
		ORDER BY q.due_at, q.id LIMIT 1`
	sqlOutboxOldest = `SELECT q.due_at FROM outbox q WHERE q.state = 'queued' AND q.lane = $1 AND q.due_at <= $2
		ORDER BY q.due_at, q.id LIMIT 1`

	sqlOutboxByID   = `SELECT ` + outboxColumns + ` FROM outbox WHERE id = $1`
	sqlOutboxNewest = `SELECT ` + outboxColumns + ` FROM outbox WHERE id < $1 ORDER BY id DESC LIMIT $2`
	sqlOutboxQueued = `SELECT ` + outboxColumns + ` FROM outbox WHERE state = 'queued' AND lane = $1
		ORDER BY due_at, id LIMIT $2`
	sqlOutboxLeft = `SELECT ` + outboxColumns + ` FROM outbox WHERE finished_at <= $1 AND state = 'sent'
		ORDER BY finished_at DESC LIMIT $2`
	sqlOutboxGivenUp = `SELECT ` + outboxColumns + ` FROM outbox WHERE finished_at <= $1 AND state = 'dead'
		ORDER BY finished_at DESC LIMIT $2`
)

// The states of a message.
const (
	Queued = "queued"
	Sent   = "sent"
	Dead   = "dead"
)

// Message is a letter on its way. Its secret parts are sealed, and erased when it is
// sent or dead.
type Message struct {
	ID          string
	Lane        int
	Channel     string
	Template    string
	Locale      string
	Account     account.ID
	Sealed      []byte
	State       string
	Tries       int
	DueAt       time.Time
	LockedUntil time.Time
	NotAfter    time.Time
	CreatedAt   time.Time
	FinishedAt  time.Time
	Reason      string
	Campaign    string // the id of the campaign that it belongs to, "" for none
	Provider    string // who took it
}

func scanMessage(scan func(...any) error) (m Message, err error) {
	return m, scan(&m.ID, &m.Lane, &m.Channel, &m.Template, &m.Locale, optional(&m.Account), &m.Sealed, &m.State, &m.Tries,
		stamp(&m.DueAt), stamp(&m.LockedUntil), stamp(&m.NotAfter), stamp(&m.CreatedAt), stamp(&m.FinishedAt), optional(&m.Reason),
		optional(&m.Campaign), optional(&m.Provider))
}

// Enqueue writes a message in the deed's transaction. A message whose id is there already
// is the same message, and is not written again.
func (tx *Tx) Enqueue(ctx context.Context, m Message) error {
	err := tx.post(sqlOutboxInsert, m.ID, m.Lane, m.Channel, m.Template, m.Locale, null(m.Account), m.Sealed,
		Queued, 0, when(m.DueAt), 0, when(m.NotAfter), when(m.CreatedAt), nil, nil, null(m.Campaign), nil)
	return err
}

// ClaimMessages takes up to limit due messages of a lane for the time of the lease, the
// longest due first. No two workers hold the same message at the same time.
func (tx *Tx) ClaimMessages(ctx context.Context, lane, limit int, lease time.Duration) ([]Message, error) {
	rows, err := tx.query(ctx, sqlOutboxClaim, when(tx.Now.Add(lease)), lane, when(tx.Now), limit)
	if err != nil {
		return nil, err
	}
	claimed, err := collect(rows, scanMessage)
	slices.SortFunc(claimed, func(a, b Message) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return claimed, err
}

// MarkSent records that a message was taken by the provider and erases its secret parts.
// It is true whoever holds the lease by now.
func (tx *Tx) MarkSent(ctx context.Context, m Message, provider string) error {
	return tx.post(sqlOutboxSent, when(tx.Now), null(provider), m.ID)
}

// BuryMessage records that a message will not be sent, and why, and erases its secret
// parts. Whoever has lost the lease that the message was claimed with changes nothing.
func (tx *Tx) BuryMessage(ctx context.Context, m Message, reason string) error {
	return tx.post(sqlOutboxDead, when(tx.Now), null(reason), m.ID, when(m.LockedUntil))
}

// RetryMessage puts a message back until due. Whoever has lost the lease changes nothing.
func (tx *Tx) RetryMessage(ctx context.Context, m Message, due time.Time, reason string) error {
	return tx.post(sqlOutboxRetry, when(due), null(reason), m.ID, when(m.LockedUntil))
}

// ReleaseMessage puts a message back that was claimed and not tried: the try does not
// count. Whoever has lost the lease changes nothing.
func (tx *Tx) ReleaseMessage(ctx context.Context, m Message, due time.Time) error {
	return tx.post(sqlOutboxRelease, when(due), m.ID, when(m.LockedUntil))
}

// HastenMessage makes a message due that waits for its next try. It reports false when
// the message does not wait: it is due, being sent, sent or dead.
func (tx *Tx) HastenMessage(ctx context.Context, id string) (bool, error) {
	n, err := tx.exec(sqlOutboxHasten, when(tx.Now), id)
	return n == 1, err
}

// HastenMessages makes up to limit messages of a lane due that have been tried and wait for
// their next try, and returns how many.
func (tx *Tx) HastenMessages(ctx context.Context, lane, limit int) (int64, error) {
	return tx.exec(sqlOutboxHastenAll, when(tx.Now), lane, limit)
}

// NextDue tells when the next message of a lane is due that nobody holds now; the zero
// time means none is.
func (r reader) NextDue(ctx context.Context, lane int, now time.Time) (time.Time, error) {
	return r.due(ctx, sqlOutboxNext, lane, now)
}

// OldestDue tells since when the longest due message of a lane is due, held or not; the
// zero time means that none is due.
func (r reader) OldestDue(ctx context.Context, lane int, now time.Time) (time.Time, error) {
	return r.due(ctx, sqlOutboxOldest, lane, now)
}

func (r reader) due(ctx context.Context, q string, lane int, now time.Time) (due time.Time, err error) {
	err = r.queryRow(ctx, q, lane, when(now)).Scan(stamp(&due))
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return due, err
}

// Waiting counts the messages of a lane that are not sent yet, up to a limit.
func (r reader) Waiting(ctx context.Context, lane, limit int) (n int, err error) {
	err = r.queryRow(ctx, sqlOutboxDepth, lane, limit).Scan(&n)
	return n, err
}

// MessageByID finds a message.
func (r reader) MessageByID(ctx context.Context, id string) (Message, bool, error) {
	m, err := scanMessage(r.queryRow(ctx, sqlOutboxByID, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, false, nil
	}
	return m, err == nil, err
}

// NewestMessages lists messages of any state, the newest first.
func (r reader) NewestMessages(ctx context.Context, limit int) ([]Message, error) {
	return r.messages(ctx, sqlOutboxNewest, "~", limit) // after every id
}

// QueuedMessages lists what a lane has to send, the longest due first.
func (r reader) QueuedMessages(ctx context.Context, lane, limit int) ([]Message, error) {
	return r.messages(ctx, sqlOutboxQueued, lane, limit)
}

// SentMessages lists what was sent until then, the last first.
func (r reader) SentMessages(ctx context.Context, until time.Time, limit int) ([]Message, error) {
	return r.messages(ctx, sqlOutboxLeft, when(until), limit)
}

// DeadMessages lists what was given up until then, the last first.
func (r reader) DeadMessages(ctx context.Context, until time.Time, limit int) ([]Message, error) {
	return r.messages(ctx, sqlOutboxGivenUp, when(until), limit)
}

func (r reader) messages(ctx context.Context, q string, args ...any) ([]Message, error) {
	rows, err := r.query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMessage)
}

// PruneMessages deletes up to limit messages that were finished before then.
func (tx *Tx) PruneMessages(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlOutboxPrune, when(before), limit)
}
