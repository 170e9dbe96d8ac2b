package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/signin"
)

const attemptColumns = `id, secret_hash, purpose, account_id, session_id, decoy, known_device, address, address_key,
	candidate, browser_hash, delivery, locale, code_hash, code_sent_at, code_expires_at, tries, sends,
	created_at, expires_at, ended_at, outcome, channel, subject_id, credential_version, match_digits, place, device,
	approved_at, onward, proofs, epoch`

const (
	sqlAttemptInsert = `INSERT INTO attempt (` + attemptColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
		$12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)`
	sqlAttemptByID = `SELECT ` + attemptColumns + ` FROM attempt WHERE id = $1`
	sqlAttemptLock = sqlAttemptByID + ` FOR UPDATE`
	sqlAttemptsFor = `SELECT ` + attemptColumns + ` FROM attempt
		WHERE account_id = $1 AND ended_at IS NULL AND purpose = $2 AND subject_id = $3 ORDER BY id DESC`
	// Newest first. What a signed-in person begins competes with nothing that strangers do.
	sqlAttemptsLive = `SELECT id, known_device, purpose, code_hash IS NOT NULL FROM attempt
		WHERE address_key = $1 AND ended_at IS NULL AND expires_at > $2 AND session_id IS NULL ORDER BY id DESC`
	sqlAttemptCode = `UPDATE attempt SET code_hash = $1, code_sent_at = $2, code_expires_at = $3, expires_at = $3, tries = 0, sends = sends + 1
		WHERE id = $4`
	sqlAttemptSend  = `UPDATE attempt SET code_sent_at = $1, sends = sends + 1 WHERE id = $2`
	sqlAttemptTries = `UPDATE attempt SET tries = $1 WHERE id = $2`
	sqlAttemptEnd   = `UPDATE attempt SET ended_at = $1, outcome = $2, candidate = NULL, code_hash = NULL, address = NULL, address_key = NULL
		WHERE id = $3 AND ended_at IS NULL RETURNING id`
	sqlAttemptExpire = `UPDATE attempt SET ended_at = $1, outcome = $2, candidate = NULL, code_hash = NULL, address = NULL, address_key = NULL
		WHERE id = $3 AND ended_at IS NULL AND expires_at <= $1`
	sqlAttemptRebind  = `UPDATE attempt SET browser_hash = $1 WHERE id = $2 AND browser_hash IS NOT NULL`
	sqlAttemptApprove = `UPDATE attempt SET approved_at = $1 WHERE id = $2 AND ended_at IS NULL AND approved_at IS NULL RETURNING id`
	// Every step that leads to an account, when what proves its person has changed.
	sqlAttemptEndAll = `UPDATE attempt SET ended_at = $1, outcome = $2, candidate = NULL, code_hash = NULL, address = NULL, address_key = NULL
		WHERE account_id = $3 AND ended_at IS NULL AND purpose <> $4`
	// The steps that a person began.
	sqlAttemptForget = `DELETE FROM attempt WHERE account_id = $1 AND ended_at IS NULL`
	sqlAttemptPrune  = `DELETE FROM attempt WHERE id IN (SELECT p.id FROM attempt p WHERE p.expires_at < $1 LIMIT $2)`

	sqlBudgetByHash = `SELECT hour_started_at, in_hour, in_row FROM code_budget WHERE address_hash = $1`
	sqlBudgetLock   = sqlBudgetByHash + ` FOR UPDATE`
	sqlBudgetOpen   = `INSERT INTO code_budget (address_hash, hour_started_at, in_hour, in_row, updated_at)
		VALUES ($1, $2, 0, 0, $2) ON CONFLICT (address_hash) DO NOTHING`
	sqlBudgetWrite = `UPDATE code_budget SET hour_started_at = $1, in_hour = $2, in_row = $3,
		updated_at = CASE WHEN updated_at < CAST($4 AS BIGINT) THEN CAST($4 AS BIGINT) ELSE updated_at END WHERE address_hash = $5`
	sqlBudgetRun   = `UPDATE code_budget SET in_row = 0 WHERE address_hash = $1 AND in_row > 0`
	sqlBudgetPrune = `DELETE FROM code_budget WHERE address_hash IN
		(SELECT p.address_hash FROM code_budget p WHERE p.updated_at < $1 LIMIT $2)`
)

func scanAttempt(scan func(...any) error) (signin.Attempt, error) {
	var a signin.Attempt
	var version, epoch sql.NullInt64
	var proofs string
	err := scan(&a.ID, &a.SecretHash, &a.Purpose, optional(&a.Account), optional(&a.Session), &a.Decoy, &a.KnownDevice,
		optional(&a.Address.Text), optional(&a.Address.Key), &a.Candidate, &a.BrowserHash, &a.Delivery, &a.Locale,
		&a.CodeHash, stamp(&a.SentAt), stamp(&a.CodeExpires), &a.Tries, &a.Sends,
		stamp(&a.CreatedAt), stamp(&a.ExpiresAt), stamp(&a.EndedAt), optional(&a.Outcome), optional(&a.Channel),
		optional(&a.Subject), &version, optional(&a.Match), optional(&a.Place), optional(&a.Device), stamp(&a.ApprovedAt),
		optional(&a.Onward), optional(&proofs), &epoch)
	a.CredentialVersion, a.Epoch, a.Proofs = version.Int64, epoch.Int64, signin.ParseMethods(proofs)
	if a.Channel == "" {
		a.Channel = account.ByEmail // as before there was another
	}
	return a, err
}

func (r reader) attempt(ctx context.Context, q string, id signin.AttemptID) (signin.Attempt, bool, error) {
	a, err := scanAttempt(r.queryRow(ctx, q, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return signin.Attempt{}, false, nil
	}
	return a, err == nil, err
}

// AttemptByID finds an attempt by its public part.
func (r reader) AttemptByID(ctx context.Context, id signin.AttemptID) (signin.Attempt, bool, error) {
	return r.attempt(ctx, sqlAttemptByID, id)
}

// AttemptsFor lists the open attempts of a person to verify an address or number, newest
// first.
func (tx *Tx) AttemptsFor(ctx context.Context, owner account.ID, purpose signin.Purpose, subject string) ([]signin.Attempt, error) {
	rows, err := tx.query(ctx, sqlAttemptsFor, string(owner), string(purpose), subject)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanAttempt)
}

// LockAttempt reads an attempt and holds its row until the transaction ends. If it
// belongs to an account, the caller holds that account's lock already.
func (tx *Tx) LockAttempt(ctx context.Context, id signin.AttemptID) (signin.Attempt, bool, error) {
	return tx.attempt(ctx, sqlAttemptLock, id)
}

// InsertAttempt writes a new attempt.
func (tx *Tx) InsertAttempt(ctx context.Context, a signin.Attempt) error {
	err := tx.post(sqlAttemptInsert, string(a.ID), a.SecretHash, string(a.Purpose), null(string(a.Account)),
		null(string(a.Session)), a.Decoy, a.KnownDevice, null(a.Address.Text), null(a.Address.Key), a.Candidate, a.BrowserHash,
		string(a.Delivery), a.Locale, a.CodeHash, when(a.SentAt), when(a.CodeExpires), a.Tries, a.Sends,
		when(a.CreatedAt), when(a.ExpiresAt), when(a.EndedAt), null(a.Outcome), null(string(a.Channel)), null(a.Subject),
		a.CredentialVersion, null(a.Match), null(a.Place), null(a.Device), when(a.ApprovedAt), null(a.Onward),
		null(signin.JoinMethods(a.Proofs)), a.Epoch)
	return err
}

// Rival is a live attempt for an address.
type Rival struct {
	ID          signin.AttemptID
	KnownDevice bool
	Kind        signin.Kind
}

// LiveAttempts lists the live attempts for an address, newest first, but for those that
// belong to a session.
func (tx *Tx) LiveAttempts(ctx context.Context, addressKey string) ([]Rival, error) {
	rows, err := tx.query(ctx, sqlAttemptsLive, addressKey, when(tx.Now))
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (r Rival, err error) {
		var purpose signin.Purpose
		var sent bool
		err = scan(&r.ID, &r.KnownDevice, &purpose, &sent)
		r.Kind = signin.KindOf(purpose, sent)
		return r, err
	})
}

// SetCode replaces the code of an attempt: the older one is dead from now on.
func (tx *Tx) SetCode(ctx context.Context, id signin.AttemptID, hash []byte, expires time.Time) error {
	err := tx.post(sqlAttemptCode, hash, when(tx.Now), when(expires), string(id))
	return err
}

// CountSend counts an email that was one too many as if it were sent.
func (tx *Tx) CountSend(id signin.AttemptID) error {
	return tx.post(sqlAttemptSend, when(tx.Now), string(id))
}

// CountTry records how many wrong codes the attempt has seen.
func (tx *Tx) CountTry(ctx context.Context, id signin.AttemptID, tries int) error {
	err := tx.post(sqlAttemptTries, tries, string(id))
	return err
}

// EndAttempt ends an attempt once and forgets its address, candidate and code. It reports
// false when the attempt has ended before.
func (tx *Tx) EndAttempt(ctx context.Context, id signin.AttemptID, outcome string) (bool, error) {
	_, ended, err := tx.id(ctx, sqlAttemptEnd, when(tx.Now), outcome, string(id))
	return ended, err
}

// ExpireAttempt ends an attempt whose time is over, so that it stays over when a clock is
// set back.
func (tx *Tx) ExpireAttempt(id signin.AttemptID) error {
	return tx.post(sqlAttemptExpire, when(tx.Now), signin.OutcomeExpired, string(id))
}

// ApproveAttempt records, once, that the attempt's person let the waiting browser in.
func (tx *Tx) ApproveAttempt(ctx context.Context, id signin.AttemptID) (bool, error) {
	_, approved, err := tx.id(ctx, sqlAttemptApprove, when(tx.Now), string(id))
	return approved, err
}

// RebindAttempt moves an attempt that a browser keeps to that browser's new cookie.
func (tx *Tx) RebindAttempt(id signin.AttemptID, browserHash []byte) error {
	return tx.post(sqlAttemptRebind, browserHash, string(id))
}

// EndAttempts ends every open attempt that leads to an account, but for those of one
// purpose; "" spares none.
func (tx *Tx) EndAttempts(owner account.ID, outcome string, but signin.Purpose) error {
	return tx.post(sqlAttemptEndAll, when(tx.Now), outcome, string(owner), string(but))
}

// PruneAttempts deletes up to limit attempts that expired before then.
func (tx *Tx) PruneAttempts(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlAttemptPrune, when(before), limit)
}

// LockBudget reads the code budget of an address and holds its row, which it makes if
// there is none: known and unknown addresses cost the same. The row is also the lock of
// everything that is begun for the address; it comes after the account's lock and before
// an attempt's.
func (tx *Tx) LockBudget(ctx context.Context, addressHash string) (factor.Budget, error) {
	if err := tx.post(sqlBudgetOpen, addressHash, when(tx.Now)); err != nil {
		return factor.Budget{}, err
	}
	var b factor.Budget
	err := tx.queryRow(ctx, sqlBudgetLock, addressHash).Scan(stamp(&b.HourStartedAt), &b.InHour, &b.InRow)
	return b, err
}

// SetBudget writes the code budget of an address.
func (tx *Tx) SetBudget(ctx context.Context, addressHash string, b factor.Budget) error {
	err := tx.post(sqlBudgetWrite, when(b.HourStartedAt), b.InHour, b.InRow, when(tx.Now), addressHash)
	return err
}

// EndRun ends the run of wrong codes for an address.
func (tx *Tx) EndRun(ctx context.Context, addressHash string) error {
	err := tx.post(sqlBudgetRun, addressHash)
	return err
}

// PruneBudgets deletes up to limit budgets that have not moved since before then.
func (tx *Tx) PruneBudgets(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlBudgetPrune, when(before), limit)
}
