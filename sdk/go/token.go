package limenauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxToken = 8 << 10
	leeway   = 60 * time.Second
	maxRoles = 256
)

var (
	errShape     = errors.New("the token is not a signed JWT")
	errTooLong   = errors.New("the token is longer than 8 KB")
	errAlgorithm = errors.New("the algorithm is not one this application accepts")
	errKeyAlg    = errors.New("the algorithm is not the key's own")
	errType      = errors.New("the token is not an access token (typ at+jwt)")
	errCritical  = errors.New("the token demands to be read in another way (crit, b64 or zip)")
	errIssuer    = errors.New("the token comes from another issuer")
	errAudience  = errors.New("the token is meant for another audience")
	errExpired   = errors.New("the token has expired")
	errTooEarly  = errors.New("the token is not valid yet")
)

// check is the one way a token becomes a person, whatever door it came through. The
// order is that of ASVS V9: form, signature, then claims; afterwards what may have
// changed since: time and ended sessions.
func (a *Auth) check(ctx context.Context, token string, now time.Time) (*entry, *Problem) {
	if len(token) > maxToken {
		return nil, unauthenticated(errTooLong)
	}
	hash := a.seen.hash(token)
	e := a.seen.find(token, hash)
	known := e != nil && !e.key.retired.Load() && a.keys.usable(now)
	if !known {
		fresh, problem := a.verify(ctx, token, now)
		if problem != nil {
			return nil, problem
		}
		e = fresh
	}
	if err := e.timely(now); err != nil {
		return nil, unauthenticated(err)
	}
	if !known {
		e.hash = hash
		a.seen.keep(e, now)
	}
	if problem := a.feed.refuses(e, now); problem != nil {
		return nil, problem
	}
	return e, nil
}

// timely holds the token against the clock, with a minute for clocks that differ.
func (e *entry) timely(now time.Time) error {
	t, skew := now.Unix(), int64(leeway/time.Second)
	switch {
	case t >= e.expires+skew:
		return errExpired
	case t < e.notBefore-skew, t < e.issued-skew:
		return errTooEarly
	}
	return nil
}

// verify reads a token that is not in memory.
func (a *Auth) verify(ctx context.Context, token string, now time.Time) (*entry, *Problem) {
	head, rest, ok := strings.Cut(token, ".")
	if !ok {
		return nil, unauthenticated(errShape)
	}
	body, tail, ok := strings.Cut(rest, ".")
	if !ok || head == "" || body == "" || tail == "" {
		return nil, unauthenticated(errShape)
	}
	h, err := readHeader(head)
	if err != nil {
		return nil, unauthenticated(err)
	}
	// Decided before the key is looked up: a token with a foreign algorithm costs no fetch.
	if !slices.Contains(a.algs, h.alg) {
		return nil, unauthenticated(errAlgorithm)
	}
	k, problem := a.keys.find(ctx, h.kid, now)
	if problem != nil {
		return nil, problem
	}
	if k.alg != h.alg {
		return nil, unauthenticated(errKeyAlg)
	}
	signature, err := decode64(tail)
	if err != nil {
		return nil, unauthenticated(err)
	}
	if err := k.verify(token[:len(head)+1+len(body)], signature); err != nil {
		return nil, unauthenticated(err)
	}
	payload, err := decode64(body)
	if err != nil {
		return nil, unauthenticated(err)
	}
	c, err := readClaims(string(payload))
	if err != nil {
		return nil, unauthenticated(err)
	}
	if c.issuer != a.issuer {
		return nil, unauthenticated(errIssuer)
	}
	if !slices.ContainsFunc(c.audience, func(aud string) bool { return slices.Contains(a.audience, aud) }) {
		return nil, unauthenticated(errAudience)
	}
	return &entry{
		token: token, key: k,
		issued: c.issued, notBefore: c.notBefore, expires: c.expires,
		person: c.person(),
	}, nil
}

type header struct{ alg, kid string }

// readHeader takes three members. It refuses those that change how the rest is read:
// crit (RFC 7515, section 4.1.11), b64 (RFC 7797), which other readers heed without
// crit, and zip. jku, jwk, x5u and x5c are never read: a token does not choose the key
// it is judged by (ASVS 9.1.3).
func readHeader(segment string) (header, error) {
	decoded, err := decode64(segment)
	if err != nil {
		return header{}, err
	}
	var room [8]member
	members, err := scanObject(string(decoded), room[:0])
	if err != nil {
		return header{}, err
	}
	var h header
	var typ string
	for _, m := range members {
		var into *string
		switch m.name {
		case "alg":
			into = &h.alg
		case "kid":
			into = &h.kid
		case "typ":
			into = &typ
		case "crit", "b64", "zip":
			return header{}, errCritical
		default:
			continue
		}
		text, ok := m.value.str()
		if !ok {
			return header{}, wrongType(m.name)
		}
		*into = text
	}
	if !isAccessToken(typ) {
		return header{}, errType
	}
	if h.kid == "" || len(h.kid) > maxKIDLen {
		return header{}, errUnknownKey
	}
	return h, nil
}

// isAccessToken compares a media type: without regard to case, "application/" may be
// left out (RFC 9068, section 4; RFC 7515, section 4.1.9).
func isAccessToken(typ string) bool {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, "at+jwt")
}

// claims are what a token says, after its signature was found good.
type claims struct {
	issuer, subject, session, client, id string
	audience                             []string

	issued, notBefore, expires, authTime int64

	acr, email string
	verified   bool
	roles      []string
	methods    []string
}

func wrongType(name string) error { return fmt.Errorf("the token's %s has the wrong type", name) }

// readClaims takes the claims this package knows and ignores the others. A known
// claim of a wrong type spoils the token: "email_verified":"false" must not become a
// truth somewhere else.
func readClaims(payload string) (claims, error) {
	var room [24]member
	members, err := scanObject(payload, room[:0])
	if err != nil {
		return claims{}, err
	}
	var c claims
	for _, m := range members {
		if !c.set(m.name, m.value) {
			return claims{}, wrongType(m.name)
		}
	}
	// sid is demanded beside what RFC 9068, section 2.2, demands: a token without a
	// session could not be ended, and a machine's token is not a person.
	for _, required := range [...]struct{ name, text string }{
		{"iss", c.issuer}, {"sub", c.subject}, {"sid", c.session}, {"client_id", c.client}, {"jti", c.id},
	} {
		if required.text == "" {
			return claims{}, fmt.Errorf("the token has no %s", required.name)
		}
	}
	if c.issued <= 0 || c.expires <= 0 {
		return claims{}, errors.New("the token has no iat or no exp")
	}
	return c, nil
}

// set stores one claim; false means a wrong type.
func (c *claims) set(name string, v value) (ok bool) {
	switch name {
	case "iss":
		c.issuer, ok = v.str()
	case "sub":
		c.subject, ok = v.str()
	case "sid":
		c.session, ok = v.str()
	case "client_id":
		c.client, ok = v.str()
	case "jti":
		c.id, ok = v.str()
	case "aud":
		c.audience, ok = v.audience()
	case "iat":
		c.issued, ok = v.seconds()
	case "exp":
		c.expires, ok = v.seconds()
	case "nbf":
		c.notBefore, ok = v.seconds()
	default:
		return v.kind == isNull || c.setOptional(name, v)
	}
	return ok
}

// setOptional stores what a token may leave out or call null; each one's absence is
// its weakest meaning.
func (c *claims) setOptional(name string, v value) (ok bool) {
	switch name {
	case "auth_time":
		c.authTime, ok = v.seconds()
	case "acr":
		c.acr, ok = v.str()
	case "email":
		c.email, ok = v.str()
	case "email_verified":
		c.verified, ok = v.boolean()
	case "roles":
		c.roles, ok = v.texts()
	case "amr":
		c.methods, ok = v.texts()
	default:
		return true
	}
	return ok
}

func (c *claims) person() Person {
	p := Person{
		ID: c.subject, SessionID: c.session, ClientID: c.client,
		Email: c.email, EmailVerified: c.verified && c.email != "",
		IssuedAt: time.Unix(c.issued, 0).UTC(), ExpiresAt: time.Unix(c.expires, 0).UTC(),
		roles: c.roles, methods: c.methods,
	}
	switch c.acr {
	case "aal1":
		p.AAL = 1
	case "aal2":
		p.AAL = 2
	}
	if c.authTime > 0 {
		p.AuthenticatedAt = time.Unix(c.authTime, 0).UTC()
	}
	return p
}

// seconds is a NumericDate (RFC 7519, section 2). A fraction is cut off; an exponent
// or a year beyond 5138 is somebody's joke.
func (v value) seconds() (int64, bool) {
	if v.kind != isNumber {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(v.text, ".")
	if strings.ContainsAny(fraction, "eE") {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || n > 100_000_000_000 {
		return 0, false
	}
	return n, true
}

// audience is a string or an array of strings (RFC 7519, section 4.1.3).
func (v value) audience() ([]string, bool) {
	if v.kind == isString {
		one, ok := v.str()
		return []string{one}, ok
	}
	return v.texts()
}

func (v value) texts() ([]string, bool) {
	if v.kind != isArray {
		return nil, false
	}
	elements, err := scanArray(v.text, maxRoles)
	if err != nil {
		return nil, false
	}
	list := make([]string, len(elements))
	for i, element := range elements {
		text, ok := element.str()
		if !ok {
			return nil, false
		}
		list[i] = text
	}
	return list, true
}
