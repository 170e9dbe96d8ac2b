package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/limenauth/limen/internal/account"
)

const phoneColumns = `id, account_id, number, is_primary, verified_at, created_at`

const (
	sqlPhoneInsert = `INSERT INTO phone (` + phoneColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (number) WHERE verified_at IS NOT NULL DO NOTHING RETURNING id`
	sqlPhoneOwner = `SELECT account_id FROM phone WHERE number = $1 AND verified_at IS NOT NULL`
	sqlPhonesOf   = `SELECT ` + phoneColumns + ` FROM phone WHERE account_id = $1 ORDER BY id`
	sqlPhoneByID  = `SELECT ` + phoneColumns + ` FROM phone WHERE id = $1`
	sqlPhoneProve = `UPDATE phone SET verified_at = $1 WHERE id = $2 AND account_id = $3 AND verified_at IS NULL`
	// One primary at a time: the old one steps back first.
	sqlPhoneSecondary = `UPDATE phone SET is_primary = FALSE WHERE account_id = $1 AND is_primary`
	sqlPhonePrimary   = `UPDATE phone SET is_primary = TRUE WHERE id = $1 AND account_id = $2`
	sqlPhoneDelete    = `DELETE FROM phone WHERE id = $1 AND account_id = $2`
)

// Phone is a row of a person's numbers.
type Phone struct {
	ID         account.PhoneID
	Account    account.ID
	Number     string // E.164
	Primary    bool
	VerifiedAt time.Time
	CreatedAt  time.Time
}

func scanPhone(scan func(...any) error) (p Phone, err error) {
	return p, scan(&p.ID, &p.Account, &p.Number, &p.Primary, stamp(&p.VerifiedAt), stamp(&p.CreatedAt))
}

// PhoneOwner returns who verified a number.
func (r reader) PhoneOwner(ctx context.Context, number string) (owner account.ID, found bool, err error) {
	id, found, err := r.id(ctx, sqlPhoneOwner, number)
	return account.ID(id), found, err
}

// PhonesOf lists a person's numbers, the oldest first.
func (r reader) PhonesOf(ctx context.Context, owner account.ID) ([]Phone, error) {
	rows, err := r.query(ctx, sqlPhonesOf, string(owner))
	if err != nil {
		return nil, err
	}
	return collect(rows, scanPhone)
}

// PhoneByID finds a number of anybody.
func (r reader) PhoneByID(ctx context.Context, id account.PhoneID) (Phone, bool, error) {
	p, err := scanPhone(r.queryRow(ctx, sqlPhoneByID, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Phone{}, false, nil
	}
	return p, err == nil, err
}

// InsertPhone writes a number. It reports false when it is verified and another
// account has verified it before.
func (tx *Tx) InsertPhone(ctx context.Context, p Phone) (bool, error) {
	_, inserted, err := tx.id(ctx, sqlPhoneInsert, string(p.ID), string(p.Account), p.Number,
		p.Primary, when(p.VerifiedAt), when(p.CreatedAt))
	return inserted, err
}

// ProvePhone marks a number of a person as verified. It reports false when another
// account has verified it, or it is gone or proven already. The caller holds the lock of
// the number.
func (tx *Tx) ProvePhone(ctx context.Context, owner account.ID, id account.PhoneID) (bool, error) {
	p, found, err := tx.PhoneByID(ctx, id)
	if err != nil || !found || p.Account != owner {
		return false, err
	}
	if _, taken, err := tx.PhoneOwner(ctx, p.Number); err != nil || taken {
		return false, err
	}
	n, err := tx.exec(sqlPhoneProve, when(tx.Now), string(id), string(owner))
	return n == 1, err
}

// SetPrimaryPhone makes a number of a person their primary one. The caller holds the
// account's lock.
func (tx *Tx) SetPrimaryPhone(owner account.ID, id account.PhoneID) error {
	if err := tx.post(sqlPhoneSecondary, string(owner)); err != nil {
		return err
	}
	return tx.post(sqlPhonePrimary, string(id), string(owner))
}

// DeletePhone forgets a number of a person.
func (tx *Tx) DeletePhone(owner account.ID, id account.PhoneID) error {
	return tx.post(sqlPhoneDelete, string(id), string(owner))
}
