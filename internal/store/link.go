package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/signin"
)

const linkColumns = `id, secret_hash, purpose, attempt_id, account_id, session_id, sealed, showings, created_at, expires_at,
	used_at, ended_at, recipient_proof`

const (
	sqlLinkInsert = `INSERT INTO link (` + linkColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	sqlLinkByID   = `SELECT ` + linkColumns + ` FROM link WHERE id = $1`
	// Single use is one statement.
	sqlLinkUse = `UPDATE link SET used_at = $1, sealed = NULL WHERE id = $2 AND used_at IS NULL AND ended_at IS NULL AND expires_at > $1
		RETURNING id`
	sqlLinkShow = `UPDATE link SET showings = showings + 1 WHERE id = $1 AND showings < $2 AND used_at IS NULL AND ended_at IS NULL
		RETURNING id`
	sqlLinkEndOfAttempt = `UPDATE link SET ended_at = $1, sealed = NULL WHERE attempt_id = $2 AND used_at IS NULL AND ended_at IS NULL`
	// Those that take back what somebody else did outlive a change of password.
	sqlLinkEndOfAccount = `UPDATE link SET ended_at = $1, sealed = NULL
		WHERE account_id = $2 AND attempt_id IS NOT NULL AND used_at IS NULL AND ended_at IS NULL`
	sqlLinkEndSentTo = `UPDATE link SET ended_at = $1, sealed = NULL WHERE account_id = $2 AND attempt_id IS NULL
		AND (recipient_proof IS NULL OR recipient_proof >= $3) AND used_at IS NULL AND ended_at IS NULL`
	sqlLinkPrune = `DELETE FROM link WHERE id IN (SELECT p.id FROM link p WHERE p.expires_at < $1 LIMIT $2)`
)

func scanLink(scan func(...any) error) (l signin.Link, err error) {
	return l, scan(&l.ID, &l.SecretHash, &l.Purpose, optional(&l.Attempt), optional(&l.Account), optional(&l.Session), &l.Sealed,
		&l.Showings, stamp(&l.CreatedAt), stamp(&l.ExpiresAt), stamp(&l.UsedAt), stamp(&l.EndedAt), stamp(&l.RecipientProof))
}

// LinkByID finds a link by its public part.
func (r reader) LinkByID(ctx context.Context, id signin.LinkID) (signin.Link, bool, error) {
	l, err := scanLink(r.queryRow(ctx, sqlLinkByID, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return signin.Link{}, false, nil
	}
	return l, err == nil, err
}

// InsertLink writes a new link. The older ones of its attempt are dead from then on.
func (tx *Tx) InsertLink(l signin.Link) error {
	if l.Attempt != "" {
		if err := tx.EndLinks(l.Attempt); err != nil {
			return err
		}
	}
	return tx.post(sqlLinkInsert, string(l.ID), l.SecretHash, string(l.Purpose), null(string(l.Attempt)), null(string(l.Account)),
		null(string(l.Session)), l.Sealed, l.Showings, when(l.CreatedAt), when(l.ExpiresAt), when(l.UsedAt), when(l.EndedAt), when(l.RecipientProof))
}

// UseLink spends a link. It reports false when it was spent, replaced or has expired.
func (tx *Tx) UseLink(ctx context.Context, id signin.LinkID) (bool, error) {
	_, used, err := tx.id(ctx, sqlLinkUse, when(tx.Now), string(id))
	return used, err
}

// ShowLink counts one showing of a link to a browser that did not ask for it. It reports
// false when it has been shown so often already, or cannot be used any more.
func (tx *Tx) ShowLink(ctx context.Context, id signin.LinkID, most int) (bool, error) {
	_, shown, err := tx.id(ctx, sqlLinkShow, string(id), most)
	return shown, err
}

// EndLinks ends the links of an attempt.
func (tx *Tx) EndLinks(attempt signin.AttemptID) error {
	return tx.post(sqlLinkEndOfAttempt, when(tx.Now), string(attempt))
}

// EndLinksOf ends the links with which a person could prove who they are.
func (tx *Tx) EndLinksOf(owner account.ID) error {
	return tx.post(sqlLinkEndOfAccount, when(tx.Now), string(owner))
}

// EndLinksSentTo ends the links that undo or report something, but for those that were
// sent to contacts older than that.
func (tx *Tx) EndLinksSentTo(owner account.ID, provenAt time.Time) error {
	return tx.post(sqlLinkEndSentTo, when(tx.Now), string(owner), when(provenAt))
}

// PruneLinks deletes up to limit links that expired before then.
func (tx *Tx) PruneLinks(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlLinkPrune, when(before), limit)
}
