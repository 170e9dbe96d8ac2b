package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
)

const sessionColumns = `id, account_id, client, generation, rotated_at, proof_generation, cut_generation, cut_at,
	device_hash, bound, delivery, epoch, idle_expires_at, expires_at, ended_at, end_reason, recovered_generation, recoveries, recoveries_since,
	created_at, last_seen_at, authenticated_at, authenticated_by, methods, aal, ip, location,
	device_name, device_os, device_browser, device_kind`

// suspicious are the reasons for which a session ends because it may have been in other
// hands: its device is not a known device of its account any more, until it signs in again.
const suspicious = `'` + session.EndedByReuse + `', '` + session.EndedByFuture + `', '` + session.EndedByNoDevice + `', '` +
	session.EndedByWrongDevice + `', '` + session.EndedByLateTwice + `', '` + session.EndedByLateOften + `', '` +
	session.EndedByOperator + `', '` + session.EndedByPassword + `', '` + session.EndedByRemedy + `', '` + session.EndedByBan + `'`

const (
	sqlSessionInsert = `INSERT INTO session (` + sessionColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
		$12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)`
	sqlSessionByID = `SELECT ` + sessionColumns + ` FROM session WHERE id = $1`
	sqlSessionLock = sqlSessionByID + ` FOR UPDATE`
	sqlSessionLive = `SELECT ` + sessionColumns + ` FROM session WHERE account_id = $1 AND ended_at IS NULL
		AND expires_at > $2 AND idle_expires_at > $2
		AND epoch = (SELECT a.epoch FROM account a WHERE a.id = session.account_id) ORDER BY id`
	sqlSessionsOf = `SELECT ` + sessionColumns + ` FROM session WHERE account_id = $1 ORDER BY id DESC LIMIT $2`

	// sqlSessionRotate is the whole of a refresh: it moves the generation only if the
	// presented one is the current one, the session lives, the device fits and no ban,
	// deletion or sign-out everywhere has raised the epoch. The claims of the access
	// token come back with it. An instant up to a minute (session.OutOfOrder) older than the
	// rotation before lowers no time: a revocation of every token issued so far is as late
	// as the latest rotation.
	sqlSessionRotate = `UPDATE session SET generation = generation + 1,
		rotated_at = CASE WHEN rotated_at - $1 BETWEEN 1 AND 60000000 THEN rotated_at ELSE $1 END,
		last_seen_at = CASE WHEN last_seen_at - $1 BETWEEN 1 AND 60000000 THEN last_seen_at ELSE $1 END,
		idle_expires_at = CASE WHEN CAST($2 AS BIGINT) < expires_at THEN CAST($2 AS BIGINT) ELSE expires_at END,
		bound = CASE WHEN device_hash = $3 THEN TRUE ELSE bound END, ip = $4
		WHERE id = $5 AND generation = $6 AND delivery IN ($7, $8) AND ended_at IS NULL AND idle_expires_at > $1 AND expires_at > $1
		AND (device_hash = $3 OR (NOT bound AND $3 IS NULL))
		AND epoch = (SELECT a.epoch FROM account a WHERE a.id = session.account_id AND a.banned_at IS NULL)
		RETURNING account_id, client, delivery, idle_expires_at, expires_at, created_at, authenticated_at, methods, aal,
		location, device_name, device_os, device_browser, device_kind,
		(SELECT a.roles FROM account a WHERE a.id = session.account_id),
		(SELECT e.address FROM email e WHERE e.account_id = session.account_id AND e.is_primary),
		(SELECT e.verified_at FROM email e WHERE e.account_id = session.account_id AND e.is_primary)`

	sqlSessionUpdate = `UPDATE session SET generation = $1, rotated_at = $2, bound = $3, idle_expires_at = $4,
		ended_at = $5, end_reason = $6, recovered_generation = $7, recoveries = $8, recoveries_since = $9,
		last_seen_at = $10, authenticated_at = $11, authenticated_by = $12, methods = $13, aal = $14, ip = $15, epoch = $16,
		device_hash = $17, proof_generation = $18, cut_generation = $19, cut_at = $20 WHERE id = $21`
	sqlSessionEnd       = `UPDATE session SET ended_at = $1, end_reason = $2 WHERE id = $3 AND account_id = $4 AND ended_at IS NULL`
	sqlSessionEndOthers = `UPDATE session SET ended_at = $1, end_reason = $2
		WHERE account_id = $3 AND id <> $4 AND ended_at IS NULL RETURNING id`
	sqlSessionEndAll = `UPDATE session SET ended_at = $1, end_reason = $2 WHERE account_id = $3 AND ended_at IS NULL RETURNING rotated_at`
	// Only the newest sessions are asked, so that somebody with very many costs no more.
	sqlSessionDevice = `SELECT
		coalesce(max(CASE WHEN r.end_reason IS NULL OR r.end_reason NOT IN (` + suspicious + `) THEN r.created_at END), 0),
		coalesce(max(CASE WHEN r.end_reason IN (` + suspicious + `) THEN r.ended_at END), 0)
		FROM (SELECT s.device_hash, s.created_at, s.ended_at, s.end_reason FROM session s
			WHERE s.account_id = $1 ORDER BY s.id DESC LIMIT 200) AS r
		WHERE r.device_hash = $2`
	sqlSessionPrune = `DELETE FROM session WHERE id IN (SELECT p.id FROM session p WHERE p.expires_at < $1 LIMIT $2)`

	// sqlSessionView is read for every signed-in request, so it names what these need and
	// no more: each column costs as much as a step down an index.
	sqlSessionView = `SELECT s.account_id, s.client, s.generation, s.rotated_at, s.proof_generation, s.cut_generation, s.device_hash, s.bound, s.delivery, s.epoch,
		s.idle_expires_at, s.expires_at, s.ended_at, s.authenticated_at, s.authenticated_by, s.methods, s.aal,
		a.username, a.first_name, a.last_name, a.picture, a.locale, a.roles, a.public_metadata, a.unsafe_metadata,
		a.password_hash, a.password_changed_at, a.credential_version, a.epoch, a.created_at, a.updated_at, a.last_sign_in_at, a.banned_at, a.delete_at,
		e.address, e.verified_at, (SELECT p.number FROM phone p WHERE p.account_id = s.account_id AND p.is_primary)
		FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN email e ON e.account_id = s.account_id AND e.is_primary
		WHERE s.id = $1`
)

// sessionFields are the scan targets of sessionColumns; finish completes the session.
func sessionFields(s *session.Session, methods *string) []any {
	return []any{
		&s.ID, &s.Account, &s.Client, &s.Generation, stamp(&s.RotatedAt), &s.ProofGeneration, &s.CutGeneration, stamp(&s.CutAt),
		&s.DeviceHash, &s.Bound, &s.Delivery, &s.Epoch, stamp(&s.IdleExpiresAt), stamp(&s.ExpiresAt), stamp(&s.EndedAt), optional(&s.EndReason),
		&s.RecoveredGeneration, &s.Recoveries, stamp(&s.RecoveriesSince), stamp(&s.CreatedAt), stamp(&s.LastSeenAt), stamp(&s.AuthenticatedAt),
		&s.AuthenticatedBy, methods, &s.AAL, &s.IP, &s.Location,
		&s.Device.Name, &s.Device.OS, &s.Device.Browser, &s.Device.Kind,
	}
}

func scanSession(scan func(...any) error) (session.Session, error) {
	var s session.Session
	var methods string
	if err := scan(sessionFields(&s, &methods)...); err != nil {
		return session.Session{}, err
	}
	return s, json.Unmarshal([]byte(methods), &s.Methods)
}

func (r reader) session(ctx context.Context, q string, args ...any) (session.Session, bool, error) {
	s, err := scanSession(r.queryRow(ctx, q, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Session{}, false, nil
	}
	return s, err == nil, err
}

// SessionByID finds a session, live or not.
func (r reader) SessionByID(ctx context.Context, id session.ID) (session.Session, bool, error) {
	return r.session(ctx, sqlSessionByID, string(id))
}

// SessionView reads a session and its person in one look-up: the liveness check of
// every signed-in request. It leaves out what only lists and the refresh rule show: of
// the session where and on what it is used, when it began and was seen, its recoveries
// and why it ended; of the person the private metadata.
func (r reader) SessionView(ctx context.Context, id session.ID) (s session.Session, a account.Account, found bool, err error) {
	var methods, roles, public, unsafe string
	var verified time.Time
	err = r.queryRow(ctx, sqlSessionView, string(id)).Scan(
		&s.Account, &s.Client, &s.Generation, stamp(&s.RotatedAt), &s.ProofGeneration, &s.CutGeneration, &s.DeviceHash, &s.Bound, &s.Delivery, &s.Epoch,
		stamp(&s.IdleExpiresAt), stamp(&s.ExpiresAt), stamp(&s.EndedAt), stamp(&s.AuthenticatedAt), &s.AuthenticatedBy, &methods, &s.AAL,
		optional(&a.Username), optional(&a.FirstName), optional(&a.LastName), optional(&a.Picture), optional(&a.Locale),
		&roles, &public, &unsafe, optional(&a.PasswordHash), stamp(&a.PasswordChangedAt), &a.CredentialVersion, &a.Epoch, stamp(&a.CreatedAt),
		stamp(&a.UpdatedAt), stamp(&a.LastSignInAt), stamp(&a.BannedAt), stamp(&a.DeleteAt), optional(&a.Email), stamp(&verified), optional(&a.Phone))
	if errors.Is(err, sql.ErrNoRows) {
		return session.Session{}, account.Account{}, false, nil
	}
	if err != nil {
		return session.Session{}, account.Account{}, false, err
	}
	s.ID, a.ID, a.EmailVerified = id, s.Account, !verified.IsZero()
	a.PublicMetadata, a.UnsafeMetadata = json.RawMessage(public), json.RawMessage(unsafe)
	err = errors.Join(json.Unmarshal([]byte(methods), &s.Methods), json.Unmarshal([]byte(roles), &a.Roles))
	return s, a, err == nil, err
}

// LiveSessions lists the sessions of a person that can still be used, oldest first.
func (r reader) LiveSessions(ctx context.Context, id account.ID, now time.Time) ([]session.Session, error) {
	rows, err := r.query(ctx, sqlSessionLive, string(id), when(now))
	if err != nil {
		return nil, err
	}
	return collect(rows, scanSession)
}

// SessionsOf lists a person's newest sessions, ended ones included.
func (r reader) SessionsOf(ctx context.Context, id account.ID, limit int) ([]session.Session, error) {
	rows, err := r.query(ctx, sqlSessionsOf, string(id), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanSession)
}

// DeviceUsed reports whether a person has signed in with a device lately, and nothing has
// happened since for which its sessions were ended as suspicious.
func (r reader) DeviceUsed(ctx context.Context, owner account.ID, deviceHash []byte) (bool, error) {
	var began, suspected int64
	err := r.queryRow(ctx, sqlSessionDevice, string(owner), deviceHash).Scan(&began, &suspected)
	return began > suspected, err
}

// LockSession reads a session and holds its row until the transaction ends.
func (tx *Tx) LockSession(ctx context.Context, id session.ID) (session.Session, bool, error) {
	return tx.session(ctx, sqlSessionLock, string(id))
}

// InsertSession writes a new session.
func (tx *Tx) InsertSession(ctx context.Context, s session.Session) error {
	methods, err := json.Marshal(s.Methods)
	if err != nil {
		return err
	}
	err = tx.post(sqlSessionInsert, string(s.ID), string(s.Account), s.Client, s.Generation, when(s.RotatedAt),
		s.ProofGeneration, s.CutGeneration, when(s.CutAt), s.DeviceHash, s.Bound, string(s.Delivery), s.Epoch, when(s.IdleExpiresAt), when(s.ExpiresAt), when(s.EndedAt), null(s.EndReason),
		s.RecoveredGeneration, s.Recoveries, when(s.RecoveriesSince), when(s.CreatedAt), when(s.LastSeenAt),
		when(s.AuthenticatedAt), s.AuthenticatedBy, string(methods), s.AAL, s.IP, s.Location,
		s.Device.Name, s.Device.OS, s.Device.Browser, s.Device.Kind)
	return err
}

// UpdateSession writes what the refresh rule or a new proof has changed. The caller
// holds the row's lock.
func (tx *Tx) UpdateSession(ctx context.Context, s session.Session) error {
	methods, err := json.Marshal(s.Methods)
	if err != nil {
		return err
	}
	err = tx.post(sqlSessionUpdate, s.Generation, when(s.RotatedAt), s.Bound, when(s.IdleExpiresAt), when(s.EndedAt),
		null(s.EndReason), s.RecoveredGeneration, s.Recoveries, when(s.RecoveriesSince), when(s.LastSeenAt),
		when(s.AuthenticatedAt), s.AuthenticatedBy, string(methods), s.AAL, s.IP, s.Epoch, s.DeviceHash,
		s.ProofGeneration, s.CutGeneration, when(s.CutAt), string(s.ID))
	return err
}

// Rotation is what a refresh brings: who asks, with what, from where.
type Rotation struct {
	Session    session.ID
	Generation int64
	// DeviceHash is the keyed hash of the presented device secret, nil if there was none.
	DeviceHash []byte
	// Deliveries are the two modes in which this token may have travelled.
	Deliveries [2]session.Delivery
	IP         string
	Now        time.Time
	IdleUntil  time.Time
}

// Rotated is the session after a rotation, with the claims of its access token.
type Rotated struct {
	// Session holds what an answer shows, and not the rest of the row: neither the device
	// secret's hash nor the epoch, how it was proven last and in which generation, what a
	// changed password cut off, or its recoveries.
	Session       session.Session
	Roles         []string
	Email         string
	EmailVerified bool
}

// RotateSession is the hot path of refresh: one statement, one round trip, one durable
// commit. It reports false when the rule has to look closer: a spent generation, a
// missing device secret, an ended session. It changes nothing then.
//
// prepare makes what the caller will answer. It runs in the caller's goroutine, on SQLite
// while the disk makes the rotation durable; what it made is to be used only if true is
// returned. When the batch of a rotation was lost and run again, it runs again, too.
func (s *Store) RotateSession(ctx context.Context, r Rotation, prepare func(Rotated)) (bool, error) {
	var device any // a nil []byte must reach the database as NULL
	if r.DeviceHash != nil {
		device = r.DeviceHash
	}
	args := []any{when(r.Now), when(r.IdleUntil), device, r.IP, string(r.Session), r.Generation,
		string(r.Deliveries[0]), string(r.Deliveries[1])}
	var latest atomic.Pointer[Rotated]
	var prepared *Rotated
	meanwhile := func() {
		if rotated := latest.Load(); rotated != prepared {
			prepared = rotated
			prepare(*rotated)
		}
	}
	found, err := s.single(ctx, sqlSessionRotate, args, func(scan func(...any) error) error {
		rotated, err := r.scan(scan)
		if err == nil {
			latest.Store(rotated)
		}
		return err
	}, meanwhile)
	if err != nil || !found {
		return false, err
	}
	meanwhile()
	return true, nil
}

// scan reads what sqlSessionRotate returns.
func (r Rotation) scan(scan func(...any) error) (*Rotated, error) {
	var out Rotated
	var methods, roles string
	var verified time.Time
	to := &out.Session
	err := scan(&to.Account, &to.Client, &to.Delivery, stamp(&to.IdleExpiresAt), stamp(&to.ExpiresAt), stamp(&to.CreatedAt),
		stamp(&to.AuthenticatedAt), &methods, &to.AAL, &to.Location, &to.Device.Name, &to.Device.OS, &to.Device.Browser,
		&to.Device.Kind, &roles, optional(&out.Email), stamp(&verified))
	if err != nil {
		return nil, err
	}
	at := r.Now.UTC().Truncate(time.Microsecond) // as the row has it
	to.ID, to.Generation, to.RotatedAt, to.LastSeenAt, to.IP = r.Session, r.Generation+1, at, at, r.IP
	out.EmailVerified = !verified.IsZero()
	return &out, errors.Join(json.Unmarshal([]byte(methods), &to.Methods), json.Unmarshal([]byte(roles), &out.Roles))
}

// EndSession ends one session of a person and publishes that until then its tokens are
// to be refused. It reports false if there was none to end.
func (tx *Tx) EndSession(ctx context.Context, owner account.ID, id session.ID, reason string, until time.Time) (bool, error) {
	n, err := tx.exec(sqlSessionEnd, when(tx.Now), reason, string(id), string(owner))
	if err != nil || n != 1 {
		return false, err
	}
	return true, tx.revoke(ctx, Revocation{Kind: RevokeSession, Account: owner, Session: id, Reason: reason, Until: until})
}

// EndOtherSessions ends every session of a person but keep, and publishes each.
func (tx *Tx) EndOtherSessions(ctx context.Context, owner account.ID, keep session.ID, reason string, until time.Time) error {
	rows, err := tx.query(ctx, sqlSessionEndOthers, when(tx.Now), reason, string(owner), string(keep))
	if err != nil {
		return err
	}
	return tx.publishEnded(ctx, rows, owner, reason, until)
}

// publishEnded publishes every session whose id is in rows.
func (tx *Tx) publishEnded(ctx context.Context, rows answer, owner account.ID, reason string, until time.Time) error {
	ended, err := collect(rows, func(scan func(...any) error) (id session.ID, err error) { return id, scan(&id) })
	if err != nil {
		return err
	}
	for _, id := range ended {
		err := tx.revoke(ctx, Revocation{Kind: RevokeSession, Account: owner, Session: id, Reason: reason, Until: until})
		if err != nil {
			return err
		}
	}
	return nil
}

// EndAllSessions ends every session of a person. It raises the epoch, so nothing that
// is in flight can bring one back, and publishes that every token issued so far is dead.
func (tx *Tx) EndAllSessions(ctx context.Context, owner account.ID, reason string, until time.Time) error {
	if err := tx.post(sqlAccountEpoch, string(owner)); err != nil {
		return err
	}
	return tx.endEvery(ctx, owner, reason, until)
}

// endEvery ends the sessions of a person and publishes it with an instant that no token
// of theirs is younger than: a refresh that committed while this transaction waited for
// it may be later than the transaction's own.
func (tx *Tx) endEvery(ctx context.Context, owner account.ID, reason string, until time.Time) error {
	rows, err := tx.query(ctx, sqlSessionEndAll, when(tx.Now), reason, string(owner))
	if err != nil {
		return err
	}
	issued, err := collect(rows, func(scan func(...any) error) (t time.Time, err error) { return t, scan(stamp(&t)) })
	if err != nil {
		return err
	}
	at := tx.Now
	for _, t := range issued {
		if t.After(at) {
			at = t
		}
	}
	return tx.revoke(ctx, Revocation{Kind: RevokeUser, Account: owner, At: at, Reason: reason, Until: until})
}

// PruneSessions deletes up to limit sessions whose absolute life ended before then.
func (tx *Tx) PruneSessions(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlSessionPrune, when(before), limit)
}
