package store

import (
	"context"
	"time"
)

const (
	sqlSMSCountSent = `INSERT INTO sms_count (prefix, hour, sent, verified) VALUES ($1, $2, 1, 0)
		ON CONFLICT (prefix, hour) DO UPDATE SET sent = sms_count.sent + 1`
	sqlSMSCountVerified = `INSERT INTO sms_count (prefix, hour, sent, verified) VALUES ($1, $2, 0, 1)
		ON CONFLICT (prefix, hour) DO UPDATE SET verified = sms_count.verified + 1`
	sqlSMSRatio = `SELECT CAST(coalesce(sum(sent), 0) AS BIGINT), CAST(coalesce(sum(verified), 0) AS BIGINT)
		FROM sms_count WHERE prefix = $1 AND hour >= $2`
	sqlSMSPrune = `DELETE FROM sms_count WHERE (prefix, hour) IN (SELECT p.prefix, p.hour FROM sms_count p WHERE p.hour < $1 ORDER BY p.hour LIMIT $2)`
)

// CountSent counts one message to a range of numbers in an hour, which is given by its
// first instant. It holds the range's row until the transaction ends: an SMSRatio that is
// read after it, in the same transaction, misses no message of that hour.
func (tx *Tx) CountSent(ctx context.Context, prefix string, hour time.Time) error {
	_, err := tx.exec(sqlSMSCountSent, prefix, when(hour))
	return err
}

// CountVerified counts one number of the range whose code came back in that hour.
func (tx *Tx) CountVerified(ctx context.Context, prefix string, hour time.Time) error {
	_, err := tx.exec(sqlSMSCountVerified, prefix, when(hour))
	return err
}

// SMSRatio is how many messages went to a range since an hour began, and how many codes
// came back.
func (r reader) SMSRatio(ctx context.Context, prefix string, since time.Time) (sent, verified int64, err error) {
	err = r.queryRow(ctx, sqlSMSRatio, prefix, when(since)).Scan(&sent, &verified)
	return sent, verified, err
}

// PruneSMSCounts forgets up to limit counts of hours before then.
func (tx *Tx) PruneSMSCounts(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlSMSPrune, when(before), limit)
}
