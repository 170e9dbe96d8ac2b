package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
)

const accountColumns = `a.id, a.username, a.first_name, a.last_name, a.picture, a.locale, a.roles,
	a.public_metadata, a.unsafe_metadata, a.private_metadata, a.password_hash, a.password_changed_at,
	a.credential_version, a.epoch, a.created_at, a.updated_at, a.last_sign_in_at, a.banned_at, a.delete_at,
	(SELECT e.address FROM email e WHERE e.account_id = a.id AND e.is_primary),
	(SELECT e.verified_at FROM email e WHERE e.account_id = a.id AND e.is_primary),
	(SELECT p.number FROM phone p WHERE p.account_id = a.id AND p.is_primary)`

const (
	sqlAccountByID    = `SELECT ` + accountColumns + ` FROM account a WHERE a.id = $1`
	sqlAccountLock    = sqlAccountByID + ` FOR UPDATE`
	sqlAccountByEmail = `SELECT ` + accountColumns + ` FROM account a
		WHERE a.id = (SELECT v.account_id FROM email v WHERE v.address_key = $1 AND v.verified_at IS NOT NULL)`
	sqlAccountByPhone = `SELECT ` + accountColumns + ` FROM account a
		WHERE a.id = (SELECT v.account_id FROM phone v WHERE v.number = $1 AND v.verified_at IS NOT NULL)`
	sqlAccountByUsername = `SELECT ` + accountColumns + ` FROM account a WHERE a.username_key = $1`
	sqlAccountsPage      = `SELECT ` + accountColumns + ` FROM account a WHERE a.id > $1 ORDER BY a.id LIMIT $2`
	sqlAccountsOldest    = `SELECT a.id FROM account a ORDER BY a.id LIMIT 1`
	sqlUsernameTaken     = `SELECT a.id FROM account a WHERE a.username_key = $1`

	sqlAccountInsert = `INSERT INTO account (id, username, username_key, first_name, last_name, picture, locale, roles,
		public_metadata, unsafe_metadata, private_metadata, password_hash, password_changed_at,
		credential_version, epoch, created_at, updated_at, last_sign_in_at, banned_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
		ON CONFLICT (username_key) WHERE username_key IS NOT NULL DO NOTHING RETURNING id`
	sqlAccountProfile = `UPDATE account SET username = $1, username_key = $2, first_name = $3, last_name = $4,
		picture = $5, locale = $6, unsafe_metadata = $7, updated_at = $8 WHERE id = $9`
	sqlAccountPassword = `UPDATE account SET password_hash = $1, password_changed_at = $2,
		credential_version = credential_version + 1, updated_at = $2 WHERE id = $3`
	sqlAccountRehash = `UPDATE account SET password_hash = $1 WHERE id = $2 AND credential_version = $3`
	sqlAccountSeen   = `UPDATE account SET last_sign_in_at = CASE WHEN last_sign_in_at > $1 THEN last_sign_in_at ELSE $1 END WHERE id = $2`
	sqlAccountEpoch  = `UPDATE account SET epoch = epoch + 1 WHERE id = $1`
	sqlAccountBan    = `UPDATE account SET banned_at = $1, updated_at = $2 WHERE id = $3`
	sqlAccountDelete = `DELETE FROM account WHERE id = $1`
	sqlAccountClose  = `UPDATE account SET delete_at = $1, delete_requested_at = $2, delete_senior_proof = $3, updated_at = $4 WHERE id = $5`
	sqlAccountsDue   = `SELECT a.id FROM account a WHERE a.delete_at <= $1 ORDER BY a.delete_at LIMIT $2`
)

// ErrUsernameTaken is told in both enumeration modes: usernames are public.
var ErrUsernameTaken = fault.New(fault.Conflict, "username_taken", "That username is taken. Choose another.")

func scanAccount(scan func(...any) error) (account.Account, error) {
	var a account.Account
	var roles, public, unsafe, private string
	var verified time.Time
	err := scan(&a.ID, optional(&a.Username), optional(&a.FirstName), optional(&a.LastName), optional(&a.Picture),
		optional(&a.Locale), &roles, &public, &unsafe, &private, optional(&a.PasswordHash),
		stamp(&a.PasswordChangedAt), &a.CredentialVersion, &a.Epoch, stamp(&a.CreatedAt), stamp(&a.UpdatedAt),
		stamp(&a.LastSignInAt), stamp(&a.BannedAt), stamp(&a.DeleteAt), optional(&a.Email), stamp(&verified), optional(&a.Phone))
	if err != nil {
		return account.Account{}, err
	}
	a.EmailVerified = !verified.IsZero()
	a.PublicMetadata, a.UnsafeMetadata, a.PrivateMetadata = json.RawMessage(public), json.RawMessage(unsafe), json.RawMessage(private)
	if err := json.Unmarshal([]byte(roles), &a.Roles); err != nil {
		return account.Account{}, fmt.Errorf("roles of %s: %w", a.ID, err)
	}
	return a, nil
}

func (r reader) account(ctx context.Context, q string, args ...any) (account.Account, bool, error) {
	a, err := scanAccount(r.queryRow(ctx, q, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return account.Account{}, false, nil
	}
	return a, err == nil, err
}

// AccountByID finds a person.
func (r reader) AccountByID(ctx context.Context, id account.ID) (account.Account, bool, error) {
	return r.account(ctx, sqlAccountByID, string(id))
}

// AccountByEmail finds the person who verified the address with that key.
func (r reader) AccountByEmail(ctx context.Context, key string) (account.Account, bool, error) {
	return r.account(ctx, sqlAccountByEmail, key)
}

// AccountByUsername finds a person by the key of the username.
func (r reader) AccountByUsername(ctx context.Context, key string) (account.Account, bool, error) {
	return r.account(ctx, sqlAccountByUsername, key)
}

// AccountByIdentifier finds the person whom a parsed identifier names. An identifier
// that names nobody by its form still costs one look-up.
func (r reader) AccountByIdentifier(ctx context.Context, id account.Identifier) (account.Account, bool, error) {
	switch id.Kind {
	case account.KindUsername:
		return r.AccountByUsername(ctx, id.Key)
	case account.KindPhone:
		return r.account(ctx, sqlAccountByPhone, id.Key)
	}
	return r.AccountByEmail(ctx, id.Key)
}

// Accounts lists people by id, after the given one.
func (r reader) Accounts(ctx context.Context, after account.ID, limit int) ([]account.Account, error) {
	rows, err := r.query(ctx, sqlAccountsPage, string(after), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanAccount)
}

// Empty reports whether nobody has an account yet.
func (r reader) Empty(ctx context.Context) (bool, error) {
	_, found, err := r.id(ctx, sqlAccountsOldest)
	return !found && err == nil, err
}

// UsernameTaken reports whether an account has the username with that key.
func (r reader) UsernameTaken(ctx context.Context, key string) (bool, error) {
	_, found, err := r.id(ctx, sqlUsernameTaken, key)
	return found, err
}

func (r reader) id(ctx context.Context, q string, args ...any) (id string, found bool, err error) {
	err = r.queryRow(ctx, q, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return id, err == nil, err
}

// LockAccount reads the account and holds its row until the transaction ends. Every
// deed that touches more than one row of a person takes this lock first.
func (tx *Tx) LockAccount(ctx context.Context, id account.ID) (account.Account, bool, error) {
	return tx.account(ctx, sqlAccountLock, string(id))
}

// InsertAccount writes a new person. It reports false when the username is taken.
func (tx *Tx) InsertAccount(ctx context.Context, a account.Account, usernameKey string) (bool, error) {
	roles, err := json.Marshal(a.Roles)
	if err != nil {
		return false, err
	}
	_, inserted, err := tx.id(ctx, sqlAccountInsert, string(a.ID), null(a.Username), null(usernameKey), null(a.FirstName),
		null(a.LastName), null(a.Picture), null(a.Locale), string(roles), object(a.PublicMetadata), object(a.UnsafeMetadata),
		object(a.PrivateMetadata), null(a.PasswordHash), when(a.PasswordChangedAt), a.CredentialVersion, a.Epoch,
		when(a.CreatedAt), when(a.UpdatedAt), when(a.LastSignInAt), when(a.BannedAt))
	return inserted, err
}

// UpdateProfile writes what a person may change of themselves. The caller holds the
// account's lock and has seen that the username is free; a race for it ends in
// ErrUsernameTaken.
func (tx *Tx) UpdateProfile(ctx context.Context, a account.Account, usernameKey string) error {
	_, err := tx.exec(sqlAccountProfile, null(a.Username), null(usernameKey), null(a.FirstName), null(a.LastName),
		null(a.Picture), null(a.Locale), object(a.UnsafeMetadata), when(tx.Now), string(a.ID))
	if isUnique(err) {
		return ErrUsernameTaken
	}
	return err
}

// SetPassword replaces the password hash and raises the credential version, so that a
// judgement of the old hash that is still under way counts for nothing.
func (tx *Tx) SetPassword(ctx context.Context, id account.ID, hash string) error {
	return tx.SetPasswordSince(id, hash, tx.Now)
}

// SetPasswordSince is SetPassword with the instant since when the password holds: access
// tokens that were issued in a second before it are refused.
func (tx *Tx) SetPasswordSince(id account.ID, hash string, since time.Time) error {
	return tx.post(sqlAccountPassword, hash, when(since), string(id))
}

// Rehash replaces the hash of an unchanged password, if it still is the judged one.
func (tx *Tx) Rehash(ctx context.Context, id account.ID, hash string, judged int64) error {
	err := tx.post(sqlAccountRehash, hash, string(id), judged)
	return err
}

// MarkSignedIn records the time of the last sign-in.
func (tx *Tx) MarkSignedIn(ctx context.Context, id account.ID) error {
	err := tx.post(sqlAccountSeen, when(tx.Now), string(id))
	return err
}

// SetBan bans since the given time; the zero time lifts the ban.
func (tx *Tx) SetBan(ctx context.Context, id account.ID, since time.Time) error {
	err := tx.post(sqlAccountBan, when(since), when(tx.Now), string(id))
	return err
}

// SetDeletion says when the account is to be deleted, and the latest proof time that is
// senior now: only a contact at least as old can keep the account.
func (tx *Tx) SetDeletion(id account.ID, at, seniorProof time.Time) error {
	return tx.post(sqlAccountClose, when(at), when(tx.Now), when(seniorProof), when(tx.Now), string(id))
}

// CancelDeletion keeps the account.
func (tx *Tx) CancelDeletion(id account.ID) error {
	return tx.post(sqlAccountClose, nil, nil, nil, when(tx.Now), string(id))
}

// DueDeletions lists accounts whose time has come, the longest overdue first.
func (r reader) DueDeletions(ctx context.Context, now time.Time, limit int) ([]account.ID, error) {
	rows, err := r.query(ctx, sqlAccountsDue, when(now), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (id account.ID, err error) { return id, scan(&id) })
}

// DeleteAccount forgets the person with their addresses, sessions, handovers and open
// steps, and publishes that every token issued so far is dead.
func (tx *Tx) DeleteAccount(ctx context.Context, id account.ID, until time.Time) error {
	if err := tx.endEvery(ctx, id, session.EndedByDeletion, until); err != nil {
		return err
	}
	if err := tx.post(sqlAttemptForget, string(id)); err != nil {
		return err
	}
	return tx.post(sqlAccountDelete, string(id))
}

func object(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "{}"
	}
	return string(raw)
}
