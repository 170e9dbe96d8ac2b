// Package issuer makes what an application receives: access tokens, refresh tokens and
// the keys behind them, and answers whether they still hold.
//
// Access tokens are JWTs of RFC 9068, signed with one pinned algorithm per key; the
// verifier knows ES256, EdDSA and RS256 and nothing else (RFC 8725 section 3.1), takes
// keys from its own table only and never from a header (3.10). A verified signature may
// be remembered, under a hash of the whole token; whether the session lives is read
// from the database every time.
//
// Refresh tokens are opaque: a session, a generation and a MAC (package session). The
// common refresh is one statement; everything else goes through the refresh rule under
// the account's lock.
//
// Keys are published before they sign and after they have signed, so no verifier ever
// meets an unknown one: previous, current and next stand in the JWKS, and the clock
// alone makes next current, in all processes at the same instant. A key that has retired
// is published until its last token has expired, and signs nothing younger than its
// retirement: a token that says so is refused. A key that was revoked is refused in every
// process at once: servers read the keys every two seconds, and none trusts what it read
// more than ten seconds ago.
//
// Invariants. Issue takes nothing but a session.Granted. No signing happens inside a
// transaction. Private keys are sealed at rest under their row's id.
package issuer

import (
	"context"
	"crypto/hmac"
	"log/slog"
	"slices"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
)

var errDelivery = fault.Invalidate("Limen-Delivery", "different")

// Terms are the settings of what is issued.
type Terms struct {
	Issuer    string // the public URL
	Audience  string
	Lifetimes session.Lifetimes
	Policy    session.Policy
	Algorithm Algorithm
	// KeyLife is how long a key signs before the next one takes over.
	KeyLife time.Duration
	// KeyOverlap is how long a key is published before it signs.
	KeyOverlap time.Duration
}

// Issuer is the room of tokens. Build it with a literal and call Open before use.
type Issuer struct {
	Store *store.Store
	Terms Terms
	Keys  Keys
	Now   func() time.Time
	Log   *slog.Logger
	// Counts receives what a refresh or a sign-in came to; nil counts nothing.
	Counts *metrics.Metrics
	// Reused tells a person, in the transaction that ends their session, that one of its
	// spent refresh tokens was used at b. A session ends once, so it is called once for a
	// session. Nil tells nobody.
	Reused func(ctx context.Context, tx *store.Tx, who account.Account, s session.Session, b session.Browser) error

	ring     keyring
	verified *verifiedTokens
	feed     feed
}

// Keys are the keyed hashes of the room, one per purpose.
type Keys struct {
	Refresh      *secret.Hasher // MACs inside refresh tokens
	Devices      *secret.Hasher // MACs inside device secrets
	DeviceHashes *secret.Hasher // device secrets at rest
	ServerKeys   *secret.Hasher
	SigningKeys  *secret.Sealer
}

// NewKeys derives the room's keys from the ring.
func NewKeys(r *secret.Ring) Keys {
	return Keys{
		Refresh: r.Hasher("refresh"), Devices: r.Hasher("device secret"), DeviceHashes: r.Hasher("device hash"),
		ServerKeys: r.Hasher("server key"), SigningKeys: r.Sealer("signing key"),
	}
}

// Open makes a server ready: it loads the signing keys, making the first ones if there are
// none and a next one of the algorithm of the settings.
func (i *Issuer) Open(ctx context.Context) error {
	i.verified = newVerifiedTokens()
	return i.AdoptAlgorithm(ctx)
}

// OpenBeside makes a process ready that works beside servers: it loads the signing keys and
// makes none.
func (i *Issuer) OpenBeside(ctx context.Context) error {
	i.verified = newVerifiedTokens()
	return i.loadKeys(ctx)
}

// Issue makes the tokens of a grant.
func (i *Issuer) Issue(g session.Granted) (session.Issued, error) {
	if !g.Again() {
		i.Counts.Granted(g.Session().AuthenticatedBy)
	}
	issued, err := i.issue(g.Account(), g.Session(), g.Device())
	issued.Attempt = g.Attempt()
	return issued, err
}

func (i *Issuer) issue(who account.Account, s session.Session, device secret.Text) (session.Issued, error) {
	now := i.Now()
	expires := now.Add(i.Terms.Lifetimes.Access).Truncate(time.Second) // what the exp claim can say
	if s.ExpiresAt.Before(expires) {
		expires = s.ExpiresAt
	}
	access, err := i.sign(who, s, now, expires)
	if err != nil {
		return session.Issued{}, err
	}
	return session.Issued{
		Account: who, Session: s, AccessToken: access, AccessExpiresAt: expires,
		RefreshToken: session.SealRefreshToken(i.Keys.Refresh, s.ID, s.Generation), Device: device,
	}, nil
}

// Refreshing is what a refresh request shows.
type Refreshing struct {
	Token  secret.Text
	Device secret.Text
	// InCookie says that the token came in a cookie, so it must not leave in a body.
	InCookie bool
	// Asked is the delivery that the client named, or "".
	Asked   session.Delivery
	Browser session.Browser
}

// Refresh exchanges a refresh token for its successor. The common case is one statement;
// every other one is decided by session.Refresh under the account's lock and leaves
// evidence. It refuses with session_ended, refresh_reused, refresh_superseded (the session
// lives and has a newer token) or invalid_request (another delivery than the session's).
func (i *Issuer) Refresh(ctx context.Context, r Refreshing) (session.Issued, error) {
	id, generation, ok := session.OpenRefreshToken(i.Keys.Refresh, r.Token.Reveal())
	if !ok {
		return session.Issued{}, session.ErrEnded
	}
	deliveries, ok := r.deliveries()
	if !ok {
		return session.Issued{}, errDelivery
	}
	now := i.Now()
	rotation := store.Rotation{
		Session: id, Generation: generation, Deliveries: deliveries, IP: r.Browser.IP, Now: now,
		IdleUntil: now.Add(i.Terms.Lifetimes.Idle),
	}
	known := session.OpenDeviceSecret(i.Keys.Devices, r.Device.Reveal())
	if known {
		rotation.DeviceHash = i.Keys.DeviceHashes.Sum([]byte(r.Device))
	}
	var issued session.Issued
	var signing error
	found, err := i.Store.RotateSession(ctx, rotation, func(r store.Rotated) {
		who := account.Account{ID: r.Session.Account, Roles: r.Roles, Email: r.Email, EmailVerified: r.EmailVerified}
		issued, signing = i.issue(who, r.Session, "")
	})
	if err != nil {
		return session.Issued{}, err
	}
	if found {
		i.Counts.Refreshed(session.Rotate.String())
		return issued, signing
	}
	presented := session.Presented{Generation: generation}
	if known {
		presented.DeviceHashes = i.Keys.DeviceHashes.Sums([]byte(r.Device))
	} else if r.Device != "" {
		presented.DeviceHashes = [][]byte{nil} // something was presented, and it is none of ours
	}
	return i.refreshByRule(ctx, id, presented, deliveries, r.Browser)
}

// refreshByRule is the path of every refresh that is not the plain one.
func (i *Issuer) refreshByRule(ctx context.Context, id session.ID, p session.Presented, deliveries [2]session.Delivery, b session.Browser) (session.Issued, error) {
	var who account.Account
	var verdict session.Verdict
	var refusal error
	err := i.Store.Tx(ctx, func(tx *store.Tx) error {
		refusal = session.ErrEnded
		row, found, err := tx.SessionByID(ctx, id)
		if err != nil || !found {
			return err
		}
		if who, found, err = tx.LockAccount(ctx, row.Account); err != nil || !found || who.Barred() {
			return err
		}
		if row, found, err = tx.LockSession(ctx, id); err != nil || !found {
			return err
		}
		if row.Delivery != deliveries[0] && row.Delivery != deliveries[1] {
			refusal = errDelivery
			return nil
		}
		verdict = session.Refresh(row, p, i.Terms.Policy, i.Terms.Lifetimes, who.Epoch, tx.Now)
		if slices.ContainsFunc(p.DeviceHashes, func(h []byte) bool { return hmac.Equal(h, row.DeviceHash) }) {
			// From now on under the current key, so that an older one can leave the ring.
			verdict.Next.DeviceHash = p.DeviceHashes[0]
		}
		refusal = refusalOf(verdict)
		return i.carryOut(ctx, tx, who, verdict, b)
	})
	if err != nil {
		return session.Issued{}, err
	}
	i.Counts.Refreshed(verdict.Do.String())
	if refusal != nil {
		return session.Issued{}, refusal
	}
	return i.issue(who, verdict.Next, "")
}

func refusalOf(v session.Verdict) error {
	switch v.Do {
	case session.Rotate, session.Repeat, session.Recover:
		return nil
	case session.Superseded:
		return session.ErrSuperseded
	case session.End:
		return session.ErrReused
	}
	return session.ErrEnded
}

// carryOut writes what the rule decided, with the evidence that it demands.
func (i *Issuer) carryOut(ctx context.Context, tx *store.Tx, who account.Account, v session.Verdict, b session.Browser) error {
	e := audit.At(audit.SessionRefreshRefused, b)
	e.Outcome, e.Account, e.Session = audit.Refused, v.Next.Account, v.Next.ID
	e.Data = map[string]string{"reason": v.Reason}
	switch v.Do {
	case session.Rotate:
		return tx.UpdateSession(ctx, v.Next)
	case session.Repeat:
		return nil
	case session.Recover:
		if err := tx.UpdateSession(ctx, v.Next); err != nil {
			return err
		}
		e.Type, e.Outcome = audit.SessionLateRecovery, audit.Success
	case session.Superseded:
		e.Data["reason"] = "superseded"
	case session.End:
		until := tx.Now.Add(i.Terms.Lifetimes.Access + session.VerifierLeeway)
		ended, err := tx.EndSession(ctx, v.Next.Account, v.Next.ID, v.Reason, until)
		if err != nil {
			return err
		}
		if ended && i.Reused != nil {
			if err := i.Reused(ctx, tx, who, v.Next, b); err != nil {
				return err
			}
		}
		e.Type = audit.SessionRefreshReused
	}
	return tx.Record(ctx, e)
}

// deliveries are the modes in which a token that arrived this way can live; ok is false
// when the client names one that it cannot be.
func (r Refreshing) deliveries() (modes [2]session.Delivery, ok bool) {
	modes = [2]session.Delivery{session.Token, session.Token}
	if r.InCookie {
		modes = [2]session.Delivery{session.Memory, session.Cookie}
	}
	if r.Asked == "" {
		return modes, true
	}
	ok = r.Asked == modes[0] || r.Asked == modes[1]
	return [2]session.Delivery{r.Asked, r.Asked}, ok
}
