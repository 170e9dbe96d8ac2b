package store

import (
	"context"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

const revocationColumns = `id, kind, account_id, session_id, kid, at, until, reason`

const (
	sqlRevocationInsert = `INSERT INTO revocation (` + revocationColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	sqlRevocationsPage  = `SELECT ` + revocationColumns + ` FROM revocation
		WHERE (at, id) > ($1, $2) AND until > $3 ORDER BY at, id LIMIT $4`
	sqlRevocationPrune = `DELETE FROM revocation WHERE id IN (SELECT p.id FROM revocation p WHERE p.until < $1 LIMIT $2)`
)

// The kinds of revocation: of one session, of every token of a person issued so far, or
// of every token that a signing key signed.
const (
	RevokeSession = "session"
	RevokeUser    = "user"
	RevokeKey     = "key"
)

// Revocation tells applications what to stop accepting before its time.
type Revocation struct {
	ID      string
	Kind    string
	Account account.ID // "" for a key
	Session session.ID // "" unless for a session
	KeyID   string     // the kid; "" unless for a key
	At      time.Time
	Until   time.Time
	Reason  string
}

// revoke publishes a revocation in the deed's transaction. It fills the id, and the time
// unless one is given. Only the statements that end something call it, so nothing ends
// unpublished.
func (tx *Tx) revoke(ctx context.Context, r Revocation) error {
	if r.ID = secret.ID("rev", tx.Now); r.At.IsZero() {
		r.At = tx.Now
	}
	err := tx.post(sqlRevocationInsert, r.ID, r.Kind, null(r.Account), null(r.Session), null(r.KeyID), when(r.At), when(r.Until), r.Reason)
	return err
}

// Revocations lists what is still in force, in the order of its time, after the given
// place.
func (r reader) Revocations(ctx context.Context, after time.Time, afterID string, now time.Time, limit int) ([]Revocation, error) {
	from := int64(0)
	if !after.IsZero() {
		from = after.UnixMicro()
	}
	rows, err := r.query(ctx, sqlRevocationsPage, from, afterID, when(now), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (v Revocation, err error) {
		return v, scan(&v.ID, &v.Kind, optional(&v.Account), optional(&v.Session), optional(&v.KeyID), stamp(&v.At), stamp(&v.Until), &v.Reason)
	})
}

// PruneRevocations deletes up to limit revocations that no token needs any more.
func (tx *Tx) PruneRevocations(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlRevocationPrune, when(before), limit)
}
