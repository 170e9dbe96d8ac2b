package limenauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// An Auth protects the routes of one application with the sign-ins of one limen
// server. Make one with [New] and share it: it is safe for concurrent use.
type Auth struct {
	issuer   string
	pages    string // where browsers are sent: the issuer without a slash at its end
	audience []string
	algs     []string
	clock    func() time.Time
	log      *slog.Logger
	refuse   func(http.ResponseWriter, *http.Request, *Problem)

	wire      *wire
	serverKey string
	keys      *keyring
	seen      *seen
	feed      *feed // nil without WithRevocationFeed
	browser   browser
	renewals  *renewals

	fault  error        // what is wrong with the configuration
	warned atomic.Int64 // when a request was last refused aloud, in Unix nanoseconds
}

// New describes the server at serverURL ("https://auth.example.com") and returns at
// once: keys are fetched when the first token arrives. With [WithRevocationFeed] it
// also starts the goroutine that follows the feed; [Auth.Close] ends it.
//
// New never fails. A setting that cannot work is logged, [Auth.Start] returns it, and
// every protected route answers 503 until it is mended: a mistake closes doors, it
// does not open them.
func New(serverURL string, options ...Option) *Auth {
	s := settings{
		algs:         []string{ES256, EdDSA, RS256},
		clock:        time.Now,
		client:       defaultClient(),
		seen:         seenDefault,
		log:          slog.Default(),
		refuse:       writeProblem,
		callbackPath: "/auth/callback",
		cookieName:   "limenauth",
	}
	for _, option := range options {
		option(&s)
	}
	base := strings.TrimRight(serverURL, "/")
	if s.issuer == "" {
		s.issuer = base
	}
	if !s.audienceSet {
		s.audience = []string{s.issuer}
	}
	if len(s.cookieKeys) == 0 {
		var key [32]byte
		rand.Read(key[:]) // never fails: crypto/rand ends the program instead
		s.cookieKeys = [][]byte{key[:]}
	}
	a := &Auth{
		issuer: s.issuer, pages: strings.TrimRight(s.issuer, "/"), audience: s.audience, algs: s.algs,
		clock: s.clock, log: s.log, refuse: s.refuse,
		wire: newWire(base, s.client), serverKey: s.serverKey,
		seen: newSeen(min(s.seen, seenMax)), renewals: newRenewals(),
	}
	a.keys = &keyring{fetch: a.wire.fetchKeys, clock: s.clock, tell: a.tellKeys}
	var fault error
	a.browser, fault = newBrowser(&s)
	a.fault = errors.Join(s.check(base), fault)
	if a.fault != nil {
		a.log.Error("limenauth: protected routes are closed until the configuration is mended", "err", a.fault)
		return a
	}
	if s.feed {
		a.feed = newFeed(a.wire, s.serverKey, s.clock, s.onStale, a.tellFeed(s.report))
		a.feed.start()
	}
	return a
}

// check collects what is wrong with the settings.
func (s *settings) check(base string) error {
	var faults []error
	for _, address := range [...]string{base, s.issuer} {
		if err := checkURL(address, s.plainHTTP); err != nil {
			faults = append(faults, err)
		}
	}
	if len(s.audience) == 0 || slices.Contains(s.audience, "") {
		faults = append(faults, errors.New("WithAudience: an audience is empty"))
	}
	if len(s.algs) == 0 {
		faults = append(faults, errors.New("WithAllowedAlgs: no algorithm is allowed"))
	}
	for _, alg := range s.algs {
		if alg != ES256 && alg != EdDSA && alg != RS256 {
			faults = append(faults, fmt.Errorf("WithAllowedAlgs: %q is not ES256, EdDSA or RS256", alg))
		}
	}
	if s.feed && s.serverKey == "" {
		faults = append(faults, errors.New("WithRevocationFeed needs WithServerKey (scope revocations)"))
	}
	if strings.ContainsFunc(s.serverKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		faults = append(faults, errors.New("WithServerKey: the key holds a space or a foreign character"))
	}
	return errors.Join(faults...)
}

// checkURL demands https: over plain http whoever sits between could hand out keys of
// their own. Loopback is the exception, and what the operator names one.
func checkURL(address string, plainHTTP bool) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("an address is not a URL") // which may hold a password: it is not repeated
	}
	switch {
	case u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("%q is not an address like https://auth.example.com", u.Redacted())
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (plainHTTP || isLoopback(u.Host)):
		return nil
	}
	return fmt.Errorf("%q is not https; outside loopback that needs WithPlainHTTP", address)
}

// isLoopback judges a Host header or the host part of an address.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Start waits until the keys are in hand and, with a revocation feed, until the feed
// has been read once. It returns what is wrong with the configuration at once, and
// the last failure when ctx ends first. Calling it is optional; a program that does
// so finds a wrong address when it starts and not when the first person arrives.
func (a *Auth) Start(ctx context.Context) error {
	if a.fault != nil {
		return a.fault
	}
	if err := a.keys.wait(ctx); err != nil {
		return err
	}
	if a.feed == nil {
		return nil
	}
	select {
	case <-a.feed.first:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), a.Status().Feed.Err)
	}
}

// Close ends the revocation feed and waits for it. Without a feed it does nothing. A
// closed feed goes stale, so with [Deny] the routes close half a minute later.
func (a *Auth) Close() error {
	if a.feed != nil {
		a.feed.stop()
	}
	return nil
}

// Status is what an operator wants to see of an [Auth].
type Status struct {
	Keys      int       // public keys in hand
	KeysSince time.Time // when they were fetched; zero = never
	KeysErr   error     // why the newest fetch failed; nil = it did not

	Feed FeedStatus // zero without a feed
}

// Status reports the state of keys and feed. It does no work and may be called as
// often as a health check likes.
func (a *Auth) Status() Status {
	var s Status
	if set := a.keys.current.Load(); set != nil {
		s.Keys, s.KeysSince = len(set.byKID), set.fetched
	}
	a.keys.mu.Lock()
	s.KeysErr = a.keys.lastErr
	a.keys.mu.Unlock()
	if a.feed != nil {
		s.Feed = a.feed.status(a.clock())
	}
	return s
}

// Verify checks an access token that came by another way than an HTTP header, such as
// the first message of a WebSocket, and the needs of the route. The error is a
// [*Problem].
func (a *Auth) Verify(ctx context.Context, token string, needs ...Need) (*Person, error) {
	now, err := a.ready()
	if err != nil {
		return nil, err
	}
	n := gather(needs)
	e, problem := a.admitToken(ctx, token, &n, now)
	if problem != nil {
		return nil, problem
	}
	p := e.person
	return &p, nil
}

// ready is the instant of a request, or the problem of an Auth that cannot work.
func (a *Auth) ready() (time.Time, *Problem) {
	if a.fault != nil {
		return time.Time{}, unavailable(a.fault)
	}
	return a.clock(), nil
}

func (a *Auth) tellKeys(err error) {
	if err != nil {
		a.log.Warn("limenauth: the signing keys cannot be fetched; those in hand are used on", "err", err)
		return
	}
	a.log.Info("limenauth: the signing keys can be fetched again")
}

func (a *Auth) tellFeed(report func(FeedStatus)) func(FeedStatus) {
	return func(s FeedStatus) {
		if s.Stale {
			a.log.Warn("limenauth: the revocation feed is stale", "last_contact", s.LastContact, "err", s.Err)
		} else {
			a.log.Info("limenauth: the revocation feed is up to date again")
		}
		if report != nil {
			report(s)
		}
	}
}
