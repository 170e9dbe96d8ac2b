package limenauth

import (
	"context"
	"slices"
	"time"
)

// A Person is who a verified access token speaks for. It is a copy made for one
// request: changing it changes nothing elsewhere.
type Person struct {
	ID        string // "usr_...", the only name to store: addresses change
	SessionID string // "ses_..."
	ClientID  string // the application the token was issued to

	Email         string // "" = unknown or none
	EmailVerified bool

	// AAL is the assurance level of the session: 2 after a second factor, 1 after
	// one proof, 0 when the token does not say.
	AAL int
	// AuthenticatedAt is the last time the person proved who they are; zero when the
	// token does not say. A refresh does not move it.
	AuthenticatedAt time.Time

	IssuedAt  time.Time
	ExpiresAt time.Time

	roles   []string
	methods []string
}

// HasRole reports whether the token carries the role.
func (p *Person) HasRole(name string) bool {
	return p != nil && slices.Contains(p.roles, name)
}

// Roles returns a copy of the roles in the token.
func (p *Person) Roles() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.roles)
}

// Methods returns a copy of how the person signed in, in the words of RFC 8176:
// "pwd", "otp", "mfa" and so on.
func (p *Person) Methods() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.methods)
}

// User returns who sent the request that ctx belongs to. Behind [Auth.Require] it is
// never nil; behind [Auth.Optional] and elsewhere nil means that nobody is signed in.
func User(ctx context.Context) *Person {
	p, _ := ctx.Value(personKey{}).(*Person)
	return p
}

type personKey struct{}

// personContext holds its Person by value, so a request costs one allocation.
type personContext struct {
	context.Context
	person Person
}

func (c *personContext) Value(key any) any {
	if key == (personKey{}) {
		return &c.person
	}
	return c.Context.Value(key)
}

func withPerson(ctx context.Context, p *Person) context.Context {
	return &personContext{Context: ctx, person: *p}
}
