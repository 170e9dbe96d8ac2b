package issuer

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
)

// Scopes are what a server key may be allowed.
var Scopes = []string{"introspect", "revocations", "metrics"}

const (
	serverKeyPrefix      = "lsk"
	serverKeySecretBytes = 32
	serverKeySecretChars = 43
	maxKeyName           = 100
)

// ServerKeyInfo tells of a server key what may be shown.
type ServerKeyInfo struct {
	ID        string
	Name      string
	Scopes    []string
	CreatedAt time.Time
	RevokedAt time.Time
}

// CreateServerKey makes a key for a program. The secret is shown this once. It refuses
// with invalid_request for a scope that does not exist, or none.
func (i *Issuer) CreateServerKey(ctx context.Context, name string, scopes []string, actor string) (ServerKeyInfo, secret.Text, error) {
	scopes = slices.Compact(slices.Sorted(slices.Values(scopes)))
	for _, s := range scopes {
		if !slices.Contains(Scopes, s) {
			return ServerKeyInfo{}, "", fault.Invalidate("scope", "unknown").Saying("The scopes are " + strings.Join(Scopes, ", ") + ".")
		}
	}
	if len(scopes) == 0 {
		return ServerKeyInfo{}, "", fault.Invalidate("scope", "required").Saying("Name at least one scope: " + strings.Join(Scopes, ", ") + ".")
	}
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxKeyName || strings.ContainsRune(name, 0) {
		return ServerKeyInfo{}, "", fault.Invalidate("name", "invalid")
	}
	var info ServerKeyInfo
	var value secret.Text
	err := i.Store.Tx(ctx, func(tx *store.Tx) error {
		id := secret.ID(serverKeyPrefix, tx.Now)
		value = secret.Text(id + "_" + secret.Token(serverKeySecretBytes).Reveal())
		info = ServerKeyInfo{ID: id, Name: name, Scopes: scopes, CreatedAt: tx.Now}
		err := tx.InsertServerKey(ctx, store.ServerKey{
			ID: id, Name: name, Scopes: scopes, SecretHash: i.Keys.ServerKeys.Sum([]byte(value)), CreatedAt: tx.Now,
		})
		if err != nil {
			return err
		}
		return tx.Record(ctx, audit.Event{
			Type: audit.ServerKeyCreated, Outcome: audit.Success, Actor: actor, Data: map[string]string{"key": id},
		})
	})
	return info, value, err
}

// ServerKeys lists all server keys, revoked ones included.
func (i *Issuer) ServerKeys(ctx context.Context) ([]ServerKeyInfo, error) {
	rows, err := i.Store.ServerKeys(ctx)
	out := make([]ServerKeyInfo, len(rows))
	for n, k := range rows {
		out[n] = ServerKeyInfo{ID: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedAt: k.CreatedAt, RevokedAt: k.RevokedAt}
	}
	return out, err
}

// RevokeServerKey makes a key worthless at once; not_found if it is so already.
func (i *Issuer) RevokeServerKey(ctx context.Context, id, actor string) error {
	var refusal error
	err := i.Store.Tx(ctx, func(tx *store.Tx) error {
		revoked, err := tx.RevokeServerKey(ctx, id)
		if err != nil {
			return err
		}
		if refusal = nil; !revoked {
			refusal = fault.ErrNotFound.Saying("There is no such key, or it was revoked before.")
			return nil
		}
		return tx.Record(ctx, audit.Event{
			Type: audit.ServerKeyRevoked, Outcome: audit.Success, Actor: actor, Data: map[string]string{"key": id},
		})
	})
	if err == nil {
		err = refusal
	}
	return err
}

// AuthorizeServerKey answers which key this is, if it lives and has the scope. It refuses
// with unauthenticated or forbidden.
func (i *Issuer) AuthorizeServerKey(ctx context.Context, value secret.Text, scope string) (id string, err error) {
	const n = len(serverKeyPrefix) + 27
	if len(value) != n+1+serverKeySecretChars || !secret.HasForm(string(value[:n]), serverKeyPrefix) {
		return "", session.ErrUnauthenticated
	}
	k, found, err := i.Store.ServerKeyByID(ctx, string(value[:n]))
	if err != nil {
		return "", err
	}
	if !found || !k.RevokedAt.IsZero() || !i.Keys.ServerKeys.Fits(k.SecretHash, []byte(value)) {
		return "", session.ErrUnauthenticated
	}
	if !slices.Contains(k.Scopes, scope) {
		return "", fault.ErrForbidden.Saying("This key lacks the scope " + scope + ".")
	}
	return k.ID, nil
}
