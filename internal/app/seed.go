package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
)

// Person is somebody to try with, in development only.
type Person struct {
	Name, Email, Password string
	Roles                 []string
}

// testPeople live in every new development database. Their addresses can belong to
// nobody (RFC 6761), and the database can never be opened by serve.
var testPeople = []Person{
	{Name: "Ada", Email: "ada@limen.test", Password: "over the threshold", Roles: []string{account.RoleUser}},
	{Name: "Grace", Email: "grace@limen.test", Password: "over the threshold", Roles: []string{account.RoleUser, "admin"}},
}

// seed puts the test people into a database in which nobody has an account yet, and
// returns those who can still be tried with.
func (a *App) seed(ctx context.Context) ([]Person, error) {
	empty, err := a.Store.Empty(ctx)
	if err != nil {
		return nil, err
	}
	var there []Person
	for _, p := range testPeople {
		if empty {
			name := p.Name
			_, err := a.Auth.CreateAccount(ctx, auth.NewAccount{
				Email: p.Email, Verified: true, Password: p.Password, Roles: p.Roles, Profile: account.Profile{FirstName: &name},
			})
			if err != nil && !errors.Is(err, auth.ErrEmailTaken) {
				return nil, fmt.Errorf("test people: %w", err)
			}
		}
		if _, err := a.Auth.FindAccount(ctx, p.Email); err == nil {
			there = append(there, p)
		}
	}
	return there, nil
}

// isMissingIPv6 reports whether a bind failed because the machine has no IPv6 loopback.
func isMissingIPv6(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || strings.Contains(err.Error(), "no suitable address")
}
