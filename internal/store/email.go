package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/limenauth/limen/internal/account"
)

const emailColumns = `id, account_id, address, address_key, is_primary, verified_at, created_at`

const (
	sqlEmailInsert = `INSERT INTO email (` + emailColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (address_key) WHERE verified_at IS NOT NULL DO NOTHING RETURNING id`
	sqlEmailOwner = `SELECT account_id, address FROM email WHERE address_key = $1 AND verified_at IS NOT NULL`
	sqlEmailsOf   = `SELECT ` + emailColumns + ` FROM email WHERE account_id = $1 ORDER BY id`
	sqlEmailByID  = `SELECT ` + emailColumns + ` FROM email WHERE id = $1`
	sqlEmailProve = `UPDATE email SET verified_at = $1 WHERE id = $2 AND account_id = $3 AND verified_at IS NULL`
	// One primary at a time: the old one steps back first.
	sqlEmailSecondary = `UPDATE email SET is_primary = FALSE WHERE account_id = $1 AND is_primary`
	sqlEmailPrimary   = `UPDATE email SET is_primary = TRUE WHERE id = $1 AND account_id = $2`
	sqlEmailDelete    = `DELETE FROM email WHERE id = $1 AND account_id = $2`
)

// Email is a row of a person's addresses.
type Email struct {
	ID         account.EmailID
	Account    account.ID
	Address    account.Address
	Primary    bool
	VerifiedAt time.Time
	CreatedAt  time.Time
}

func scanEmail(scan func(...any) error) (e Email, err error) {
	return e, scan(&e.ID, &e.Account, &e.Address.Text, &e.Address.Key, &e.Primary, stamp(&e.VerifiedAt), stamp(&e.CreatedAt))
}

// EmailOwner returns who verified the address with that key, and how they wrote it: a
// letter goes there, never to what somebody typed.
func (r reader) EmailOwner(ctx context.Context, key string) (owner account.ID, address string, found bool, err error) {
	err = r.queryRow(ctx, sqlEmailOwner, key).Scan(&owner, &address)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", false, nil
	}
	return owner, address, err == nil, err
}

// EmailsOf lists a person's addresses, the oldest first.
func (r reader) EmailsOf(ctx context.Context, owner account.ID) ([]Email, error) {
	rows, err := r.query(ctx, sqlEmailsOf, string(owner))
	if err != nil {
		return nil, err
	}
	return collect(rows, scanEmail)
}

// EmailByID finds an address of anybody.
func (r reader) EmailByID(ctx context.Context, id account.EmailID) (Email, bool, error) {
	e, err := scanEmail(r.queryRow(ctx, sqlEmailByID, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Email{}, false, nil
	}
	return e, err == nil, err
}

// InsertEmail writes an address. It reports false when it is verified and another
// account has verified it before.
func (tx *Tx) InsertEmail(ctx context.Context, e Email) (bool, error) {
	_, inserted, err := tx.id(ctx, sqlEmailInsert, string(e.ID), string(e.Account), e.Address.Text, e.Address.Key,
		e.Primary, when(e.VerifiedAt), when(e.CreatedAt))
	return inserted, err
}

// ProveEmail marks an address of a person as verified. It reports false when another
// account has verified it, or it is gone or proven already. The caller holds the lock of
// the address.
func (tx *Tx) ProveEmail(ctx context.Context, owner account.ID, id account.EmailID) (bool, error) {
	e, found, err := tx.EmailByID(ctx, id)
	if err != nil || !found || e.Account != owner {
		return false, err
	}
	if _, _, taken, err := tx.EmailOwner(ctx, e.Address.Key); err != nil || taken {
		return false, err
	}
	n, err := tx.exec(sqlEmailProve, when(tx.Now), string(id), string(owner))
	return n == 1, err
}

// SetPrimaryEmail makes an address of a person their primary one. The caller holds the
// account's lock.
func (tx *Tx) SetPrimaryEmail(owner account.ID, id account.EmailID) error {
	if err := tx.post(sqlEmailSecondary, string(owner)); err != nil {
		return err
	}
	return tx.post(sqlEmailPrimary, string(id), string(owner))
}

// DeleteEmail forgets an address of a person.
func (tx *Tx) DeleteEmail(owner account.ID, id account.EmailID) error {
	return tx.post(sqlEmailDelete, string(id), string(owner))
}
