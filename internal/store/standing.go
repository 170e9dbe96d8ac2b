package store

import (
	"context"
	"time"

	"github.com/limenauth/limen/internal/account"
)

const (
	sqlStandingContacts = `SELECT 'email', id, address, address_key, is_primary, verified_at, created_at FROM email WHERE account_id = $1
		UNION ALL
		SELECT 'phone', id, number, number, is_primary, verified_at, created_at FROM phone WHERE account_id = $1`
	sqlStandingRemoved = `SELECT channel, id, address, address_key, FALSE, verified_at, created_at, removed_at
		FROM removed_contact WHERE account_id = $1 AND removed_at > $2`
	sqlStandingRemedy = `SELECT created_at, remedy_at, remedy_proof FROM account WHERE id = $1`

	sqlRemovalInsert = `INSERT INTO removed_contact (id, account_id, channel, address, address_key, verified_at, created_at, removed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	sqlRemovalDelete = `DELETE FROM removed_contact WHERE id = $1 AND account_id = $2`
	sqlRemovalPrune  = `DELETE FROM removed_contact WHERE id IN
		(SELECT p.id FROM removed_contact p WHERE p.removed_at < $1 LIMIT $2)`

	sqlEmailUnverify = `UPDATE email SET verified_at = NULL, is_primary = FALSE WHERE id = $1 AND account_id = $2`
	sqlPhoneUnverify = `UPDATE phone SET verified_at = NULL, is_primary = FALSE WHERE id = $1 AND account_id = $2`

	sqlAccountRemedy     = `UPDATE account SET remedy_at = $1, remedy_proof = $2 WHERE id = $3`
	sqlAccountNoPassword = `UPDATE account SET password_hash = NULL, password_changed_at = $1,
		credential_version = credential_version + 1, updated_at = $1 WHERE id = $2`
	sqlAccountDeletion = `SELECT delete_requested_at, delete_senior_proof FROM account WHERE id = $1`
	// The hash of no secret is empty.
	sqlSessionForgetDevices = `UPDATE session SET device_hash = $1 WHERE account_id = $2`
	sqlSessionForgetDevice  = `UPDATE session SET device_hash = $1 WHERE account_id = $2 AND device_hash = $3 AND ended_at IS NOT NULL`
	sqlSessionEndSince      = `UPDATE session SET ended_at = $1, end_reason = $2
		WHERE account_id = $3 AND created_at >= $4 AND ended_at IS NULL RETURNING id`

	// An instant of the day before came out of order, and counts for the day that is stored;
	// one that is older yet shows a clock that was set back, and begins anew.
	sqlSMSNoticeCount = `INSERT INTO sms_notice (account_id, day, sent) VALUES ($1, $2, 1)
		ON CONFLICT (account_id) DO UPDATE SET
			day = CASE WHEN sms_notice.day = excluded.day + 1 THEN sms_notice.day ELSE excluded.day END,
			sent = CASE WHEN sms_notice.day IN (excluded.day, excluded.day + 1) THEN sms_notice.sent + 1 ELSE 1 END
		WHERE sms_notice.day NOT IN (excluded.day, excluded.day + 1) OR sms_notice.sent < $3 RETURNING account_id`
)

func scanContact(scan func(...any) error) (c account.Contact, err error) {
	return c, scan(contactFields(&c)...)
}

func contactFields(c *account.Contact) []any {
	return []any{&c.Channel, &c.ID, &c.Address.Text, &c.Address.Key, &c.Primary, stamp(&c.VerifiedAt), stamp(&c.CreatedAt)}
}

// Standing reads what the seniority of an account's contacts is decided from. The caller
// holds the account's lock.
func (tx *Tx) Standing(ctx context.Context, owner account.ID) (s account.Standing, err error) {
	rows, err := tx.query(ctx, sqlStandingContacts, string(owner))
	if err != nil {
		return s, err
	}
	if s.Contacts, err = collect(rows, scanContact); err != nil {
		return s, err
	}
	if rows, err = tx.query(ctx, sqlStandingRemoved, string(owner), when(tx.Now.Add(-account.SeniorityPeriod))); err != nil {
		return s, err
	}
	s.Removals, err = collect(rows, func(scan func(...any) error) (r account.Removal, err error) {
		return r, scan(append(contactFields(&r.Contact), stamp(&r.RemovedAt))...)
	})
	if err != nil {
		return s, err
	}
	err = tx.queryRow(ctx, sqlStandingRemedy, string(owner)).Scan(stamp(&s.CreatedAt), stamp(&s.Remedy.At), stamp(&s.Remedy.ProvenAt))
	return s, err
}

// DropContact deletes a contact of an account. Nothing remembers it.
func (tx *Tx) DropContact(owner account.ID, c account.Contact) error {
	if c.Channel == account.ByPhone {
		return tx.DeletePhone(owner, account.PhoneID(c.ID))
	}
	return tx.DeleteEmail(owner, account.EmailID(c.ID))
}

// RemoveContact deletes a verified contact of an account and remembers it for as long as
// the removal can be undone.
func (tx *Tx) RemoveContact(owner account.ID, c account.Contact) error {
	if err := tx.DropContact(owner, c); err != nil {
		return err
	}
	return tx.post(sqlRemovalInsert, c.ID, string(owner), string(c.Channel), c.Address.Text, c.Address.Key,
		when(c.VerifiedAt), when(c.CreatedAt), when(tx.Now))
}

// RestoreContact brings a removed contact back with its old proof time, in place of what
// was added again under its address since. It reports false, and changes nothing, when
// another account has verified the address. The caller holds the lock of the address.
func (tx *Tx) RestoreContact(ctx context.Context, owner account.ID, c account.Contact, again []account.Contact) (bool, error) {
	holder, found, err := tx.contactOwner(ctx, c)
	if err != nil || found && holder != owner {
		return false, err
	}
	for _, other := range again {
		if other.Channel == c.Channel && other.Address.Key == c.Address.Key {
			c.Primary = other.Primary
			if err := tx.DropContact(owner, other); err != nil {
				return false, err
			}
		}
	}
	if err := tx.post(sqlRemovalDelete, c.ID, string(owner)); err != nil {
		return false, err
	}
	if c.Channel == account.ByPhone {
		return tx.InsertPhone(ctx, Phone{ID: account.PhoneID(c.ID), Account: owner, Number: c.Address.Key, Primary: c.Primary,
			VerifiedAt: c.VerifiedAt, CreatedAt: c.CreatedAt})
	}
	return tx.InsertEmail(ctx, Email{ID: account.EmailID(c.ID), Account: owner, Address: c.Address, Primary: c.Primary,
		VerifiedAt: c.VerifiedAt, CreatedAt: c.CreatedAt})
}

func (tx *Tx) contactOwner(ctx context.Context, c account.Contact) (account.ID, bool, error) {
	if c.Channel == account.ByPhone {
		return tx.PhoneOwner(ctx, c.Address.Key)
	}
	owner, _, found, err := tx.EmailOwner(ctx, c.Address.Key)
	return owner, found, err
}

// UnverifyContact makes a contact of an account unverified: it stays listed and is no way in.
func (tx *Tx) UnverifyContact(owner account.ID, c account.Contact) error {
	if c.Channel == account.ByPhone {
		return tx.post(sqlPhoneUnverify, c.ID, string(owner))
	}
	return tx.post(sqlEmailUnverify, c.ID, string(owner))
}

// SetPrimaryContact makes a contact of an account the primary one of its channel.
func (tx *Tx) SetPrimaryContact(owner account.ID, c account.Contact) error {
	if c.Channel == account.ByPhone {
		return tx.SetPrimaryPhone(owner, account.PhoneID(c.ID))
	}
	return tx.SetPrimaryEmail(owner, account.EmailID(c.ID))
}

// ForgetRemoval forgets a removed contact: it cannot come back.
func (tx *Tx) ForgetRemoval(owner account.ID, id string) error {
	return tx.post(sqlRemovalDelete, id, string(owner))
}

// PruneRemovals deletes up to limit removals older than that.
func (tx *Tx) PruneRemovals(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlRemovalPrune, when(before), limit)
}

// SetRemedy records that a contact of that proof time has made a remedy now.
func (tx *Tx) SetRemedy(owner account.ID, provenAt time.Time) error {
	return tx.post(sqlAccountRemedy, when(tx.Now), when(provenAt), string(owner))
}

// RemovePassword takes the password away and raises the credential version.
func (tx *Tx) RemovePassword(owner account.ID) error {
	return tx.post(sqlAccountNoPassword, when(tx.Now), string(owner))
}

// ForgetDevices makes every device of an account an unknown one. Its sessions have ended.
func (tx *Tx) ForgetDevices(owner account.ID) error {
	return tx.post(sqlSessionForgetDevices, []byte{}, string(owner))
}

// ForgetDevice makes the device of a hash an unknown one, as far as the sessions that have
// ended made it known.
func (tx *Tx) ForgetDevice(owner account.ID, deviceHash []byte) error {
	return tx.post(sqlSessionForgetDevice, []byte{}, string(owner), deviceHash)
}

// EndSessionsSince ends the sessions of a person that began at an instant or later, and
// publishes each.
func (tx *Tx) EndSessionsSince(ctx context.Context, owner account.ID, since time.Time, reason string, until time.Time) error {
	rows, err := tx.query(ctx, sqlSessionEndSince, when(tx.Now), reason, string(owner), when(since))
	if err != nil {
		return err
	}
	return tx.publishEnded(ctx, rows, owner, reason, until)
}

// Deletion returns when the deletion of an account was asked for and the latest proof time
// that was senior then.
func (r reader) Deletion(ctx context.Context, id account.ID) (requested, seniorProof time.Time, err error) {
	err = r.queryRow(ctx, sqlAccountDeletion, string(id)).Scan(stamp(&requested), stamp(&seniorProof))
	return requested, seniorProof, err
}

// CountSMSNotice counts one notification by SMS to an account today. It reports false,
// and counts nothing, when there were that many already.
func (tx *Tx) CountSMSNotice(ctx context.Context, owner account.ID, most int) (bool, error) {
	_, counted, err := tx.id(ctx, sqlSMSNoticeCount, string(owner), tx.Now.Unix()/86400, most)
	return counted, err
}
