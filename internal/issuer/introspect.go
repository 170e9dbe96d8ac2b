package issuer

import (
	"context"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// Introspection is what a server key may learn of a token (RFC 7662 section 2.2). The
// zero value says that the token is not active and nothing else.
type Introspection struct {
	Active  bool
	Kind    string // access_token or refresh_token
	Claims  Claims
	Session session.Session
}

// Introspect answers whether a token still holds: its form, its signature and, each
// time, its session. Whatever does not is inactive, without a reason.
func (i *Issuer) Introspect(ctx context.Context, token secret.Text) (Introspection, error) {
	if id, generation, ok := session.OpenRefreshToken(i.Keys.Refresh, token.Reveal()); ok {
		return i.introspectRefresh(ctx, id, generation)
	}
	who, err := i.Authenticate(ctx, token)
	if err != nil {
		if f := fault.Of(err); f.Kind == fault.Unauthenticated {
			return Introspection{}, nil
		}
		return Introspection{}, err
	}
	return Introspection{Active: true, Kind: "access_token", Claims: who.Claims, Session: who.Session}, nil
}

func (i *Issuer) introspectRefresh(ctx context.Context, id session.ID, generation int64) (Introspection, error) {
	s, who, found, err := i.Store.SessionView(ctx, id)
	if err != nil || !found || who.Barred() || !s.Live(i.Now(), who.Epoch) || s.Generation != generation {
		return Introspection{}, err
	}
	return Introspection{
		Active: true, Kind: "refresh_token", Session: s,
		Claims: Claims{
			Issuer: i.Terms.Issuer, Audience: i.Terms.Audience, Client: s.Client, Subject: who.ID, Session: s.ID,
			IssuedAt: s.RotatedAt.Unix(), Expires: s.IdleExpiresAt.Unix(),
		},
	}, nil
}

// Bearer returns the live session that a refresh token names, so that a person can sign
// out with an expired access token. Whoever brings a token that we made may end its own
// session: to refresh with it would do no less. A token that a changed password has cut
// off ends nothing: it is session_ended. Proven says that the token reaches further: it is
// the newest or the one before, and came with the device secret if one is demanded.
func (i *Issuer) Bearer(ctx context.Context, token, device secret.Text) (s session.Session, proven bool, err error) {
	id, generation, ok := session.OpenRefreshToken(i.Keys.Refresh, token.Reveal())
	if !ok {
		return session.Session{}, false, session.ErrEnded
	}
	s, who, found, err := i.Store.SessionView(ctx, id)
	if err != nil {
		return session.Session{}, false, err
	}
	if !found || !s.Live(i.Now(), who.Epoch) || generation < s.CutGeneration {
		return session.Session{}, false, session.ErrEnded
	}
	proven = generation == s.Generation || generation == s.Generation-1
	if s.Bound || generation == s.ProofGeneration-1 {
		proven = proven && i.Keys.DeviceHashes.Fits(s.DeviceHash, []byte(device))
	}
	return s, proven, nil
}
