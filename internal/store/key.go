package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"
)

const signingKeyColumns = `id, alg, public_key, sealed, created_at, active_at, retired_at, revoked_at, removed_at`

const (
	sqlSigningKeys      = `SELECT ` + signingKeyColumns + ` FROM signing_key WHERE removed_at IS NULL ORDER BY active_at, id`
	sqlSigningKeyInsert = `INSERT INTO signing_key (` + signingKeyColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	sqlSigningKeyUpdate = `UPDATE signing_key SET active_at = $1, retired_at = $2 WHERE id = $3`
	sqlSigningKeyRevoke = `UPDATE signing_key SET revoked_at = $1, retired_at = COALESCE(retired_at, $1), sealed = $2
		WHERE id = $3 AND revoked_at IS NULL AND removed_at IS NULL RETURNING id`
	sqlSigningKeyRemove = `UPDATE signing_key SET removed_at = $1, sealed = $2 WHERE id = $3`

	sqlServerKeyInsert = `INSERT INTO server_key (id, name, scopes, secret_hash, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6)`
	sqlServerKeyByID   = `SELECT id, name, scopes, secret_hash, created_at, revoked_at FROM server_key WHERE id = $1`
	sqlServerKeys      = `SELECT id, name, scopes, secret_hash, created_at, revoked_at FROM server_key ORDER BY id`
	sqlServerKeyRevoke = `UPDATE server_key SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL RETURNING id`

	sqlMetaByName  = `SELECT value FROM meta WHERE name = $1`
	sqlMetaForLock = sqlMetaByName + ` FOR UPDATE`
	sqlMetaInsert  = `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`
)

// SigningKey is a key pair at rest; the private part is sealed under the row's id, and
// erased when the key is revoked or removed.
type SigningKey struct {
	ID        string
	Alg       string
	PublicKey string
	Sealed    []byte
	CreatedAt time.Time
	ActiveAt  time.Time
	RetiredAt time.Time
	RevokedAt time.Time
	RemovedAt time.Time
}

// SigningKeys lists the keys that are not removed, in the order in which they sign: those
// that are published and those that were revoked.
func (r reader) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	rows, err := r.query(ctx, sqlSigningKeys)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (k SigningKey, err error) {
		return k, scan(&k.ID, &k.Alg, &k.PublicKey, &k.Sealed, stamp(&k.CreatedAt), stamp(&k.ActiveAt),
			stamp(&k.RetiredAt), stamp(&k.RevokedAt), stamp(&k.RemovedAt))
	})
}

// LockSigningKeys makes one process at a time change the signing keys.
func (tx *Tx) LockSigningKeys(ctx context.Context) error {
	if err := tx.post(sqlMetaInsert, "signing_keys", "lock"); err != nil {
		return err
	}
	_, _, err := tx.id(ctx, sqlMetaForLock, "signing_keys")
	return err
}

// InsertSigningKey writes a new key.
func (tx *Tx) InsertSigningKey(ctx context.Context, k SigningKey) error {
	return tx.post(sqlSigningKeyInsert, k.ID, k.Alg, k.PublicKey, k.Sealed, when(k.CreatedAt), when(k.ActiveAt),
		when(k.RetiredAt), when(k.RevokedAt), when(k.RemovedAt))
}

// UpdateSigningKey writes when a key begins to sign and when it stops.
func (tx *Tx) UpdateSigningKey(ctx context.Context, k SigningKey) error {
	return tx.post(sqlSigningKeyUpdate, when(k.ActiveAt), when(k.RetiredAt), k.ID)
}

// RemoveSigningKey ends the publication of a key and erases its private part.
func (tx *Tx) RemoveSigningKey(ctx context.Context, id string) error {
	return tx.post(sqlSigningKeyRemove, when(tx.Now), []byte{}, id)
}

// RevokeSigningKey ends a key, erases its private part and publishes the revocation. It
// reports false when there is no such key, or none any more.
func (tx *Tx) RevokeSigningKey(ctx context.Context, id, reason string, until time.Time) (bool, error) {
	_, revoked, err := tx.id(ctx, sqlSigningKeyRevoke, when(tx.Now), []byte{}, id)
	if err != nil || !revoked {
		return false, err
	}
	return true, tx.revoke(ctx, Revocation{Kind: RevokeKey, KeyID: id, Reason: reason, Until: until})
}

// ServerKey lets a program ask, never as a person.
type ServerKey struct {
	ID         string
	Name       string
	Scopes     []string
	SecretHash []byte
	CreatedAt  time.Time
	RevokedAt  time.Time
}

func scanServerKey(scan func(...any) error) (ServerKey, error) {
	var k ServerKey
	var scopes string
	if err := scan(&k.ID, &k.Name, &scopes, &k.SecretHash, stamp(&k.CreatedAt), stamp(&k.RevokedAt)); err != nil {
		return k, err
	}
	return k, json.Unmarshal([]byte(scopes), &k.Scopes)
}

// ServerKeyByID finds a server key, revoked or not.
func (r reader) ServerKeyByID(ctx context.Context, id string) (ServerKey, bool, error) {
	k, err := scanServerKey(r.queryRow(ctx, sqlServerKeyByID, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return ServerKey{}, false, nil
	}
	return k, err == nil, err
}

// ServerKeys lists all server keys.
func (r reader) ServerKeys(ctx context.Context) ([]ServerKey, error) {
	rows, err := r.query(ctx, sqlServerKeys)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanServerKey)
}

// InsertServerKey writes a new server key.
func (tx *Tx) InsertServerKey(ctx context.Context, k ServerKey) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return err
	}
	err = tx.post(sqlServerKeyInsert, k.ID, k.Name, string(scopes), k.SecretHash, when(k.CreatedAt), when(k.RevokedAt))
	return err
}

// RevokeServerKey reports false when there was no such key to revoke.
func (tx *Tx) RevokeServerKey(ctx context.Context, id string) (bool, error) {
	_, revoked, err := tx.id(ctx, sqlServerKeyRevoke, when(tx.Now), id)
	return revoked, err
}

// Meta reads one fact about the database itself.
func (r reader) Meta(ctx context.Context, name string) (string, bool, error) {
	return r.id(ctx, sqlMetaByName, name)
}
