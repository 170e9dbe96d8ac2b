package auth

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
)

// When one wrong password counts as sprayed: tried within an hour for this many different
// identifiers, known or not, from one network or from anywhere. Budgets by identifier
// cannot see it, because each identifier is tried once. docs/signing-in.md names the numbers.
const (
	SprayedByNetwork  = 10
	SprayedByAnywhere = 30

	sprayWindow  = time.Hour
	sprayEntries = 50_000
)

// NewSpray returns the memory of wrong passwords.
func NewSpray() *ratelimit.Spread { return ratelimit.NewSpread(sprayEntries, sprayWindow) }

// sprayed notes a wrong password and returns the events that it is worth: none, usually.
// Nothing of it shows in an answer, and a right password is not noted.
func (a *Auth) sprayed(ctx context.Context, identifier, password string, b session.Browser) (evidence []audit.Event) {
	now := a.Now()
	for scope, s := range map[string]struct {
		where string
		many  int
	}{"network": {network(b.IP), SprayedByNetwork}, "anywhere": {"", SprayedByAnywhere}} {
		if !a.Spray.See(now, scope+"\x00"+s.where+"\x00"+password, identifier, s.many) {
			continue
		}
		e := refused(audit.PasswordSprayed, "", b, "one_password_many_identifiers")
		e.Data["scope"], e.Data["count"] = scope, strconv.Itoa(s.many)
		evidence = append(evidence, e)
		a.Counts.Sprayed(scope)
		a.Log.LogAttrs(ctx, slog.LevelWarn, "sign-in: one wrong password was tried for many identifiers",
			slog.String("scope", scope), slog.Int("identifiers", s.many), slog.String("network", network(b.IP)))
	}
	return evidence
}

// recordAll records events in a transaction.
func recordAll(ctx context.Context, tx *store.Tx, events []audit.Event) error {
	for _, e := range events {
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
	}
	return nil
}
