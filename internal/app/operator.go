package app

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
)

// MigrateStatus tells how far the schema of the configured database has come. It changes
// nothing.
func MigrateStatus(ctx context.Context, cfg *Config) (Schema, error) {
	c := cfg.store(Operation, &MachineClock{}, nil)
	steps, err := store.Status(ctx, c)
	if err != nil {
		return Schema{}, err
	}
	kind, err := store.KindOf(ctx, c)
	if err != nil {
		return Schema{}, err
	}
	out := Schema{Engine: string(store.SQLite), Kind: string(kind)}
	if c.Postgres != "" {
		out.Engine = string(store.Postgres)
	}
	for _, s := range steps {
		out.Steps = append(out.Steps, Migration{Version: s.Version, Name: s.Name, AppliedAt: s.AppliedAt})
		out.Newest = max(out.Newest, s.Version)
		if !s.AppliedAt.IsZero() {
			out.Current = max(out.Current, s.Version)
		}
	}
	return out, nil
}

// MigrateUp brings the schema up to date. A database that does not exist yet is made, for
// production.
func MigrateUp(ctx context.Context, cfg *Config) (Schema, error) {
	c := cfg.store(Operation, &MachineClock{}, cfg.Logger(os.Stderr))
	kind, err := store.KindOf(ctx, c)
	if err != nil {
		return Schema{}, err
	}
	if kind != "" {
		c.Kind = kind
	}
	if c.Ring, err = cfg.rootKeys(Operation, kind == ""); err != nil {
		return Schema{}, err
	}
	if _, err := store.Migrate(ctx, c); err != nil {
		return Schema{}, asProblem(err)
	}
	return MigrateStatus(ctx, cfg)
}

// Operator is what the command line can do. It works beside running servers: what it
// changes, they see at once.
type Operator struct{ app *App }

// OpenOperator opens the configured database. It makes none: a command in the wrong
// directory would leave a production database there, which limen dev then refuses.
func OpenOperator(ctx context.Context, cfg *Config) (*Operator, error) {
	a, err := Build(ctx, cfg, Operation, &MachineClock{}, cfg.Logger(os.Stderr))
	if err != nil {
		return nil, err
	}
	return &Operator{app: a}, nil
}

// Close lets the database go.
func (o *Operator) Close() error { return o.app.Close() }

// CreateUser makes an account.
func (o *Operator) CreateUser(ctx context.Context, u NewUser) (account.Account, error) {
	profile := account.Profile{}
	if u.FirstName != "" {
		profile.FirstName = &u.FirstName
	}
	if u.LastName != "" {
		profile.LastName = &u.LastName
	}
	roles := []string{account.RoleUser}
	for _, r := range u.Roles {
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	return o.app.Auth.CreateAccount(ctx, auth.NewAccount{
		Email: u.Email, Verified: u.Verified, Invite: u.Invite, Username: u.Username, Password: u.Password.Reveal(), Profile: profile, Roles: roles,
	})
}

// Users lists people, oldest first, after the given id; query names one of them by id,
// address or username.
func (o *Operator) Users(ctx context.Context, query string, limit int, after string) (people []account.Account, next string, err error) {
	if query != "" {
		who, err := o.app.Auth.FindAccount(ctx, query)
		if errors.Is(err, fault.ErrNotFound) {
			return nil, "", nil
		}
		return []account.Account{who}, "", err
	}
	people, err = o.app.Auth.Accounts(ctx, account.ID(after), limit)
	if len(people) == limit && limit > 0 {
		next = string(people[len(people)-1].ID)
	}
	return people, next, err
}

// shownSessions bounds what one look at a person shows.
const shownSessions = 100

// User finds one account by id, address or username, with its newest sessions.
func (o *Operator) User(ctx context.Context, ref string) (account.Account, []session.Session, error) {
	who, err := o.app.Auth.FindAccount(ctx, ref)
	if err != nil {
		return account.Account{}, nil, err
	}
	all, err := o.app.Auth.SessionsOf(ctx, who.ID, shownSessions)
	now := o.app.Clock.Now()
	return who, slices.DeleteFunc(all, func(s session.Session) bool { return !s.Live(now, who.Epoch) }), err
}

// on runs a deed on the account that ref names.
func (o *Operator) on(ctx context.Context, ref string, deed func(account.ID) error) error {
	who, err := o.app.Auth.FindAccount(ctx, ref)
	if err != nil {
		return err
	}
	return deed(who.ID)
}

// Ban closes an account and ends its sessions.
func (o *Operator) Ban(ctx context.Context, ref string) error {
	return o.on(ctx, ref, func(id account.ID) error { return o.app.Auth.Ban(ctx, id) })
}

// Unban opens it again.
func (o *Operator) Unban(ctx context.Context, ref string) error {
	return o.on(ctx, ref, func(id account.ID) error { return o.app.Auth.Unban(ctx, id) })
}

// SetPassword gives an account a new password and ends its sessions.
func (o *Operator) SetPassword(ctx context.Context, ref string, password secret.Text) error {
	return o.on(ctx, ref, func(id account.ID) error { return o.app.Auth.SetPassword(ctx, id, password.Reveal()) })
}

// DeleteUser removes an account and all that is its own.
func (o *Operator) DeleteUser(ctx context.Context, ref string) error {
	return o.on(ctx, ref, func(id account.ID) error { return o.app.Auth.Forget(ctx, id) })
}

// Sessions lists the live sessions of an account.
func (o *Operator) Sessions(ctx context.Context, ref string) ([]session.Session, error) {
	_, live, err := o.User(ctx, ref)
	return live, err
}

// RevokeSession ends one session.
func (o *Operator) RevokeSession(ctx context.Context, id session.ID) error {
	return o.app.Auth.RevokeSession(ctx, id)
}

// SigningKeys lists the signing keys in the order in which they sign.
func (o *Operator) SigningKeys(ctx context.Context) ([]KeyInfo, error) {
	keys, err := o.app.Issuer.SigningKeys(ctx)
	out := make([]KeyInfo, len(keys))
	for n, k := range keys {
		out[n] = keyInfo(k)
	}
	return out, err
}

func keyInfo(k issuer.KeyInfo) KeyInfo {
	states := map[string]KeyState{"previous": KeyPrevious, "current": KeySigning, "next": KeyNext, "revoked": KeyRevoked}
	return KeyInfo{
		ID: k.ID, Alg: string(k.Algorithm), State: states[k.State],
		CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt, RetiredAt: k.RetiredAt, RevokedAt: k.RevokedAt,
	}
}

// RotateSigningKey brings the change to the next signing key forward, to seconds from now,
// and publishes another next one. It returns the key that signs and the one that follows.
func (o *Operator) RotateSigningKey(ctx context.Context) (signing, next KeyInfo, err error) {
	plan, err := o.app.Issuer.RotateSigningKey(ctx, auth.Operator)
	return keyInfo(plan.Current), keyInfo(plan.Next), err
}

// RevokeSigningKey ends a signing key at once. It returns it, the key that signs now and
// the one that follows.
func (o *Operator) RevokeSigningKey(ctx context.Context, id string) (revoked, signing, next KeyInfo, err error) {
	gone, plan, err := o.app.Issuer.RevokeSigningKey(ctx, id, auth.Operator)
	return keyInfo(gone), keyInfo(plan.Current), keyInfo(plan.Next), err
}

// CreateServerKey makes a server key; its secret is shown once.
func (o *Operator) CreateServerKey(ctx context.Context, name string, scopes []string) (ServerKeyInfo, secret.Text, error) {
	k, value, err := o.app.Issuer.CreateServerKey(ctx, name, scopes, auth.Operator)
	return ServerKeyInfo(k), value, err
}

// ServerKeys lists the server keys, revoked ones included.
func (o *Operator) ServerKeys(ctx context.Context) ([]ServerKeyInfo, error) {
	keys, err := o.app.Issuer.ServerKeys(ctx)
	out := make([]ServerKeyInfo, len(keys))
	for n, k := range keys {
		out[n] = ServerKeyInfo(k)
	}
	return out, err
}

// RevokeServerKey ends a server key at once.
func (o *Operator) RevokeServerKey(ctx context.Context, id string) error {
	return o.app.Issuer.RevokeServerKey(ctx, id, auth.Operator)
}

// InspectToken tells whether a token of any kind is accepted now, and why not. The
// answer has "accepted" (bool), "checked_as", the public URL that it was checked for, and
// "reason" where it is not accepted, or what else the kind allows.
func (o *Operator) InspectToken(ctx context.Context, token secret.Text) (map[string]any, error) {
	found, err := o.app.Issuer.Introspect(ctx, token)
	if err != nil {
		return nil, err
	}
	verdict := map[string]any{"accepted": found.Active, "checked_as": o.app.URL}
	if found.Active {
		verdict["kind"], verdict["user_id"] = found.Kind, string(found.Claims.Subject)
		verdict["session_id"], verdict["session_expires_at"] = string(found.Session.ID), found.Session.ExpiresAt
		return verdict, nil
	}
	verdict["reason"] = "it has expired, was spent, its signing key was revoked, or it was not made by this limen for this public URL"
	if _, err := o.app.Issuer.Authenticate(ctx, token); errors.Is(err, session.ErrEnded) {
		verdict["reason"] = "its session has ended"
	}
	return verdict, nil
}
