package app

import (
	"context"
	"errors"
	"io"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// errNotYet stands where a deed is still missing.
var errNotYet = errors.New("this part of limen is not built yet")

// Serve runs limen until ctx ends.
func Serve(ctx context.Context, cfg *Config, mode Mode, out io.Writer) error { return errNotYet }

// MigrateStatus tells how far the schema of the configured database has come.
func MigrateStatus(ctx context.Context, cfg *Config) (Schema, error) { return Schema{}, errNotYet }

// MigrateUp brings the schema up to date.
func MigrateUp(ctx context.Context, cfg *Config) (Schema, error) { return Schema{}, errNotYet }

// Operator is what the command line can do.
type Operator struct{}

// OpenOperator opens the configured database.
func OpenOperator(ctx context.Context, cfg *Config) (*Operator, error) { return nil, errNotYet }

// Close lets the database go.
func (o *Operator) Close() error { return nil }

// CreateUser makes an account.
func (o *Operator) CreateUser(ctx context.Context, u NewUser) (account.Account, error) {
	return account.Account{}, errNotYet
}

// Users lists accounts whose address, username or name contains query, newest first.
func (o *Operator) Users(ctx context.Context, query string, limit int, after string) (people []account.Account, next string, err error) {
	return nil, "", errNotYet
}

// User finds one account by id, address or username, with its live sessions.
func (o *Operator) User(ctx context.Context, ref string) (account.Account, []session.Session, error) {
	return account.Account{}, nil, errNotYet
}

// Ban closes an account and ends its sessions.
func (o *Operator) Ban(ctx context.Context, ref string) error { return errNotYet }

// Unban opens it again.
func (o *Operator) Unban(ctx context.Context, ref string) error { return errNotYet }

// SetPassword gives an account a new password and ends its sessions.
func (o *Operator) SetPassword(ctx context.Context, ref string, password secret.Text) error {
	return errNotYet
}

// DeleteUser removes an account and all that is its own.
func (o *Operator) DeleteUser(ctx context.Context, ref string) error { return errNotYet }

// Sessions lists the live sessions of an account.
func (o *Operator) Sessions(ctx context.Context, ref string) ([]session.Session, error) {
	return nil, errNotYet
}

// RevokeSession ends one session.
func (o *Operator) RevokeSession(ctx context.Context, id session.ID) error { return errNotYet }

// SigningKeys lists the signing keys, the newest first.
func (o *Operator) SigningKeys(ctx context.Context) ([]KeyInfo, error) { return nil, errNotYet }

// RotateSigningKey makes the next key sign and publishes another next one.
func (o *Operator) RotateSigningKey(ctx context.Context) (KeyInfo, error) {
	return KeyInfo{}, errNotYet
}

// CreateServerKey makes a server key; its secret is shown once.
func (o *Operator) CreateServerKey(ctx context.Context, name string, scopes []string) (ServerKeyInfo, secret.Text, error) {
	return ServerKeyInfo{}, "", errNotYet
}

// ServerKeys lists the server keys, revoked ones included.
func (o *Operator) ServerKeys(ctx context.Context) ([]ServerKeyInfo, error) { return nil, errNotYet }

// RevokeServerKey ends a server key at once.
func (o *Operator) RevokeServerKey(ctx context.Context, id string) error { return errNotYet }

// Doctor examines the database, the keys and the machine.
func (o *Operator) Doctor(ctx context.Context) ([]Check, error) { return nil, errNotYet }

// InspectToken tells whether a token of any kind is accepted now, and why not. The
// answer has "accepted" (bool), "reason" where it is not, and what else the kind allows.
func (o *Operator) InspectToken(ctx context.Context, token secret.Text) (map[string]any, error) {
	return nil, errNotYet
}
