package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
)

const handoverColumns = `id, secret_hash, account_id, session_id, redirect_to, code_challenge, methods, aal,
	authenticated_at, epoch, created_at, expires_at, used_at`

const (
	sqlHandoverInsert = `INSERT INTO handover (` + handoverColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	sqlHandoverByID    = `SELECT ` + handoverColumns + ` FROM handover WHERE id = $1`
	sqlHandoverConsume = `UPDATE handover SET used_at = $1 WHERE id = $2 AND used_at IS NULL AND expires_at > $1 RETURNING id`
	sqlHandoverPrune   = `DELETE FROM handover WHERE id IN (SELECT p.id FROM handover p WHERE p.expires_at < $1 LIMIT $2)`
)

// Handover is what an application on another origin may fetch once.
type Handover struct {
	ID              string
	SecretHash      []byte
	Account         account.ID
	Session         session.ID
	RedirectTo      string
	Challenge       string
	Methods         []string
	AAL             int
	AuthenticatedAt time.Time
	Epoch           int64
	CreatedAt       time.Time
	ExpiresAt       time.Time
	UsedAt          time.Time
}

// HandoverByID finds a handover by the public part of its code.
func (r reader) HandoverByID(ctx context.Context, id string) (Handover, bool, error) {
	var h Handover
	var methods string
	err := r.queryRow(ctx, sqlHandoverByID, id).Scan(&h.ID, &h.SecretHash, &h.Account, optional(&h.Session), &h.RedirectTo,
		&h.Challenge, &methods, &h.AAL, stamp(&h.AuthenticatedAt), &h.Epoch, stamp(&h.CreatedAt), stamp(&h.ExpiresAt), stamp(&h.UsedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return Handover{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(methods), &h.Methods)
	}
	return h, err == nil, err
}

// InsertHandover writes a new handover.
func (tx *Tx) InsertHandover(ctx context.Context, h Handover) error {
	methods, err := json.Marshal(h.Methods)
	if err != nil {
		return err
	}
	err = tx.post(sqlHandoverInsert, h.ID, h.SecretHash, string(h.Account), null(string(h.Session)), h.RedirectTo, h.Challenge,
		string(methods), h.AAL, when(h.AuthenticatedAt), h.Epoch, when(h.CreatedAt), when(h.ExpiresAt), when(h.UsedAt))
	return err
}

// ConsumeHandover spends a handover. It reports false when it was spent or has expired.
func (tx *Tx) ConsumeHandover(ctx context.Context, id string) (bool, error) {
	_, consumed, err := tx.id(ctx, sqlHandoverConsume, when(tx.Now), id)
	return consumed, err
}

// PruneHandovers deletes up to limit handovers that expired before then.
func (tx *Tx) PruneHandovers(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlHandoverPrune, when(before), limit)
}
