package store

import (
	"context"
	"time"

	"github.com/limenauth/limen/internal/account"
)

const outboxColumns = `id, lane, channel, template, locale, account_id, sealed, state, tries, due_at, locked_until,
	not_after, created_at, finished_at, reason`

const (
	sqlOutboxInsert = `INSERT INTO outbox (` + outboxColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`
	sqlOutboxClaim = `UPDATE outbox SET locked_until = $1, tries = tries + 1 WHERE id IN (SELECT q.id FROM outbox q
		WHERE q.state = 'queued' AND q.lane = $2 AND q.due_at <= $3 AND q.locked_until <= $3 ORDER BY q.due_at, q.id LIMIT $4 FOR UPDATE SKIP LOCKED)
		RETURNING ` + outboxColumns
	sqlOutboxFinish = `UPDATE outbox SET state = $1, finished_at = $2, reason = $3, sealed = NULL WHERE id = $4 AND state = 'queued'`
	sqlOutboxRetry  = `UPDATE outbox SET due_at = $1, locked_until = 0, reason = $2 WHERE id = $3 AND state = 'queued'`
	sqlOutboxPrune  = `DELETE FROM outbox WHERE id IN (SELECT p.id FROM outbox p WHERE p.finished_at < $1 LIMIT $2)`
	sqlOutboxDepth  = `SELECT count(*) FROM (SELECT q.id FROM outbox q WHERE q.state = 'queued' AND q.lane = $1 LIMIT $2) AS waiting`
	sqlOutboxNext   = `SELECT q.due_at FROM outbox q WHERE q.state = 'queued' AND q.lane = $1 ORDER BY q.due_at, q.id LIMIT 1`
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
}

// Enqueue writes a message in the deed's transaction.
func (tx *Tx) Enqueue(ctx context.Context, m Message) error {
	err := tx.post(sqlOutboxInsert, m.ID, m.Lane, m.Channel, m.Template, m.Locale, null(string(m.Account)), m.Sealed,
		Queued, 0, when(m.DueAt), 0, when(m.NotAfter), when(m.CreatedAt), nil, nil)
	return err
}

// ClaimMessages takes up to limit due messages of a lane for the time of the lease. No
// two workers hold the same message at the same time.
func (tx *Tx) ClaimMessages(ctx context.Context, lane, limit int, lease time.Duration) ([]Message, error) {
	rows, err := tx.query(ctx, sqlOutboxClaim, when(tx.Now.Add(lease)), lane, when(tx.Now), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (m Message, err error) {
		return m, scan(&m.ID, &m.Lane, &m.Channel, &m.Template, &m.Locale, optional(&m.Account), &m.Sealed, &m.State, &m.Tries,
			stamp(&m.DueAt), stamp(&m.LockedUntil), stamp(&m.NotAfter), stamp(&m.CreatedAt), stamp(&m.FinishedAt), optional(&m.Reason))
	})
}

// FinishMessage records that a message is sent or dead and erases its secret parts.
func (tx *Tx) FinishMessage(ctx context.Context, id, state, reason string) error {
	err := tx.post(sqlOutboxFinish, state, when(tx.Now), null(reason), id)
	return err
}

// RetryMessage puts a message back until due.
func (tx *Tx) RetryMessage(ctx context.Context, id string, due time.Time, reason string) error {
	err := tx.post(sqlOutboxRetry, when(due), null(reason), id)
	return err
}

// NextDue tells when the next message of a lane is due; the zero time means none is.
func (r reader) NextDue(ctx context.Context, lane int) (due time.Time, err error) {
	rows, err := r.query(ctx, sqlOutboxNext, lane)
	if err != nil {
		return due, err
	}
	found, err := collect(rows, func(scan func(...any) error) (t time.Time, err error) { return t, scan(stamp(&t)) })
	if len(found) == 1 {
		due = found[0]
	}
	return due, err
}

// Waiting counts the messages of a lane that are not sent yet, up to a limit.
func (r reader) Waiting(ctx context.Context, lane, limit int) (n int, err error) {
	err = r.queryRow(ctx, sqlOutboxDepth, lane, limit).Scan(&n)
	return n, err
}

// PruneMessages deletes up to limit messages that were finished before then.
func (tx *Tx) PruneMessages(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlOutboxPrune, when(before), limit)
}
