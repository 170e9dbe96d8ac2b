package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
)

const (
	// tokenType is the explicit type of RFC 9068 section 2.1.
	tokenType = "at+jwt"
	// maxToken bounds what is looked at, and what is issued (api.md section 0).
	maxToken = 3 << 10
	// maxRoles bounds the roles claim.
	maxRoles = 32
	// leeway forgives a difference between the clocks of our own processes.
	leeway = 5 * time.Second
)

// Claims are those of an access token (RFC 9068 section 2.2, OpenID Connect Core).
type Claims struct {
	Issuer        string     `json:"iss"`
	Audience      string     `json:"aud"`
	Client        string     `json:"client_id"`
	Subject       account.ID `json:"sub"`
	Session       session.ID `json:"sid"`
	IssuedAt      int64      `json:"iat"`
	NotBefore     int64      `json:"nbf,omitempty"` // never written, but heeded
	Expires       int64      `json:"exp"`
	ID            string     `json:"jti"`
	AuthTime      int64      `json:"auth_time"`
	ACR           string     `json:"acr"`
	AMR           []string   `json:"amr"`
	Email         string     `json:"email,omitempty"`
	EmailVerified *bool      `json:"email_verified,omitempty"`
	Roles         []string   `json:"roles"`
}

// sign makes an access token. It was issued when the session's newest answer was decided,
// not when it is signed: so no token is younger than a revocation that came in between,
// for a revocation is never older than the rotations it ends.
func (i *Issuer) sign(who account.Account, s session.Session, now, expires time.Time) (secret.Text, error) {
	c := Claims{
		Issuer: i.Terms.Issuer, Audience: i.Terms.Audience, Client: s.Client, Subject: who.ID, Session: s.ID,
		IssuedAt: s.RotatedAt.Unix(), Expires: expires.Unix(), ID: secret.Token(12).Reveal(), AuthTime: s.AuthenticatedAt.Unix(),
		ACR: signin.ACR(s.AAL), AMR: signin.AMRs(s.Methods), Roles: who.Roles[:min(len(who.Roles), maxRoles)],
	}
	if who.Email != "" {
		c.Email, c.EmailVerified = who.Email, &who.EmailVerified
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	k := i.ring.now.Load().current(now)
	if k == nil {
		return "", errors.New("no signing key is active yet")
	}
	token, err := k.signer.token(payload)
	if err != nil {
		return "", fmt.Errorf("signing an access token: %w", err)
	}
	return secret.Text(token), nil
}

// Authenticated is the session behind an access token, as that token proves it: its proof,
// methods and level are those of the token, and never of a proof that came later.
type Authenticated struct {
	Account account.Account
	Session session.Session
	Claims  Claims
}

// Authenticate answers whose access token this is. The signature may be remembered; the
// session is read each time, so one that has ended is refused at once. A token that was
// issued in a second before the password was changed is refused too, also where its
// session lives on: a refresh brings another. It refuses with unauthenticated or
// session_ended.
func (i *Issuer) Authenticate(ctx context.Context, token secret.Text) (Authenticated, error) {
	claims, err := i.verify(ctx, token)
	if err != nil {
		return Authenticated{}, err
	}
	s, who, found, err := i.Store.SessionView(ctx, claims.Session)
	if err != nil {
		return Authenticated{}, err
	}
	if !found || s.Account != claims.Subject || who.Barred() || !s.Live(i.Now(), who.Epoch) {
		return Authenticated{}, session.ErrEnded
	}
	if claims.IssuedAt < who.PasswordChangedAt.Unix() { // the zero time is before every token
		return Authenticated{}, session.ErrUnauthenticated.Because(errPassword)
	}
	return Authenticated{Account: who, Session: signin.Shown(s, claims.AuthTime, claims.ACR, claims.AMR), Claims: claims}, nil
}

// verify checks signature, type, issuer, audience and time (ASVS 9.1, 9.2). A signature is
// remembered for as long as its key is published.
func (i *Issuer) verify(ctx context.Context, token secret.Text) (Claims, error) {
	if len(token) == 0 || len(token) > maxToken {
		return Claims{}, session.ErrUnauthenticated
	}
	now := i.Now()
	if err := i.trustKeys(ctx); err != nil {
		return Claims{}, err
	}
	name := sha256.Sum256([]byte(token))
	claims, kid, known := i.verified.find(name)
	k := i.ring.now.Load().byID[kid]
	if !known || k == nil {
		var err error
		if claims, k, err = i.open(ctx, token.Reveal()); err != nil {
			return Claims{}, session.ErrUnauthenticated.Because(err)
		}
		i.verified.remember(name, claims, k.row.ID, now)
	}
	if !k.signed(claims.IssuedAt) {
		return Claims{}, session.ErrUnauthenticated.Because(errRetired)
	}
	if ahead := now.Add(leeway).Unix(); now.Unix() >= claims.Expires || ahead < claims.IssuedAt || ahead < claims.NotBefore {
		return Claims{}, session.ErrUnauthenticated
	}
	return claims, nil
}

var (
	errShape    = errors.New("not a compact JWS in its one spelling, with one signature")
	errType     = errors.New("not of type at+jwt")
	errCritical = errors.New("demands to be read in another way (crit, b64 or zip)")
	errKey      = errors.New("signed by a key that is not published")
	errRetired  = errors.New("younger than the retirement of its key")
	errAlg      = errors.New("signed with another algorithm than its key's")
	errClaims   = errors.New("a claim that every access token carries is missing")
	errAudience = errors.New("for another issuer or audience")
	errPassword = errors.New("issued before the password was changed")
)

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256}

// open checks the signature with the key that the token names, and whom it is for. The
// tokens of sdk/go/testdata/tokens.json are refused here and there alike.
func (i *Issuer) open(ctx context.Context, token string) (c Claims, k *key, err error) {
	if err := checkForm(token); err != nil {
		return c, nil, err
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return c, nil, err
	}
	if len(jws.Signatures) != 1 {
		return c, nil, errShape
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != tokenType {
		return c, nil, errType
	}
	k = i.keyByID(ctx, header.KeyID)
	if k == nil {
		return c, nil, errKey
	}
	if header.Algorithm != k.row.Alg {
		return c, nil, errAlg
	}
	payload, err := jws.Verify(k.public)
	if err != nil {
		return c, nil, err
	}
	if err := strict.Unmarshal(payload, &c); err != nil {
		return c, nil, err
	}
	if c.Session == "" || c.Subject == "" || c.Client == "" || c.ID == "" || c.IssuedAt <= 0 {
		return c, nil, errClaims
	}
	if c.Issuer != i.Terms.Issuer || c.Audience != i.Terms.Audience {
		return c, nil, errAudience
	}
	return c, k, nil
}

// checkForm demands that header and claims can be read in one way only: base64url as we
// write it, where the usual decoder skips line breaks and the spare bits of the last
// character; UTF-8 without half characters; objects in which no member appears twice, where
// encoding/json takes the last (RFC 8725 section 3.12). It refuses the headers that change
// how the rest is read: crit and b64 (RFC 7797), which the library heeds, and zip.
func checkForm(token string) error {
	for n, part := range strings.Split(token, ".") {
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return errShape
		}
		if n > 1 {
			continue // the signature; that nothing follows it is for the library to see
		}
		var members map[string]any
		if !utf8.Valid(text) || halfPair(text) || strict.Unmarshal(text, &members) != nil {
			return errShape
		}
		if n > 0 {
			continue
		}
		for _, name := range []string{"crit", "b64", "zip"} {
			if _, there := members[name]; there {
				return errCritical
			}
		}
	}
	return nil
}

// halfPair reports whether an escape in JSON text is half of a surrogate pair, for which
// decoders put different things.
func halfPair(text []byte) bool {
	unit := func(at int) rune { // of the escape at at, 0 if there is none
		if at+6 > len(text) || text[at] != '\\' || text[at+1] != 'u' {
			return 0
		}
		n, err := strconv.ParseUint(string(text[at+2:at+6]), 16, 16)
		if err != nil {
			return 0
		}
		return rune(n)
	}
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		switch first := unit(at); {
		case !utf16.IsSurrogate(first):
			at++ // past what is escaped: a backslash behind a backslash escapes nothing
		case utf16.DecodeRune(first, unit(at+6)) == unicode.ReplacementChar:
			return true
		default:
			at += 11 // to the end of the second escape
		}
	}
	return false
}

// verifiedTokens remembers whose signature was good, by the hash of the whole token. It
// is bounded: a full shard forgets the expired, then anybody.
type verifiedTokens struct {
	shards [16]struct {
		mu    sync.Mutex // guards known; held for one look-up
		known map[[sha256.Size]byte]verifiedToken
	}
}

type verifiedToken struct {
	claims Claims
	kid    string
}

const shardSize = 512

func newVerifiedTokens() *verifiedTokens {
	v := &verifiedTokens{}
	for n := range v.shards {
		v.shards[n].known = map[[sha256.Size]byte]verifiedToken{}
	}
	return v
}

func (v *verifiedTokens) find(name [sha256.Size]byte) (Claims, string, bool) {
	s := &v.shards[name[0]%16]
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.known[name]
	return t.claims, t.kid, ok
}

func (v *verifiedTokens) remember(name [sha256.Size]byte, c Claims, kid string, now time.Time) {
	s := &v.shards[name[0]%16]
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= shardSize {
		for old, t := range s.known {
			if now.Unix() >= t.claims.Expires {
				delete(s.known, old)
			}
		}
	}
	for old := range s.known {
		if len(s.known) < shardSize {
			break
		}
		delete(s.known, old)
	}
	c.AMR, c.Roles = slices.Clip(c.AMR), slices.Clip(c.Roles)
	s.known[name] = verifiedToken{claims: c, kid: kid}
}
