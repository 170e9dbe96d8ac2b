package limenauth

import (
	"log/slog"
	"net/http"
	"time"
)

// An Option changes one setting of [New].
type Option func(*settings)

type settings struct {
	issuer      string
	audience    []string
	audienceSet bool
	algs        []string
	serverKey   string
	plainHTTP   bool
	client      *http.Client
	clock       func() time.Time
	log         *slog.Logger
	refuse      func(http.ResponseWriter, *http.Request, *Problem)
	seen        int

	feed    bool
	onStale OnStale
	report  func(FeedStatus)

	appURL         string
	callbackPath   string
	cookieName     string
	cookieKeys     [][]byte
	trustedOrigins []string
}

// WithIssuer names the public address of the server where this program reaches it
// under another one, such as a name inside a cluster. Tokens must carry it as iss,
// and browsers are sent there to sign in. Default: the address given to [New].
func WithIssuer(issuer string) Option {
	return func(s *settings) { s.issuer = issuer }
}

// WithAudience names the audiences this application answers to; a token must carry
// one of them. Default: the issuer, which is the server's default too. An empty list
// admits nobody.
func WithAudience(audience ...string) Option {
	return func(s *settings) { s.audience, s.audienceSet = audience, true }
}

// WithAllowedAlgs narrows the signature algorithms. Default: [ES256], [EdDSA] and
// [RS256]; each key is good for its own one only.
func WithAllowedAlgs(algs ...string) Option {
	return func(s *settings) { s.algs = algs }
}

// WithServerKey gives the application a server key ("lsk_..."), made with
// "limen apikey create": scope introspect for [Live], scope revocations for
// [WithRevocationFeed].
func WithServerKey(key string) Option {
	return func(s *settings) { s.serverKey = key }
}

// WithRevocationFeed follows the server's list of ended sessions, so that their
// tokens are refused within a second and no request costs a lookup. It needs
// [WithServerKey]. onStale says what happens when the server has been out of reach
// for 30 seconds.
func WithRevocationFeed(onStale OnStale) Option {
	return func(s *settings) { s.feed, s.onStale = true, onStale }
}

// WithFeedReport is called when the feed goes stale and when it is up to date again,
// from the feed's own goroutine: it should return soon.
func WithFeedReport(report func(FeedStatus)) Option {
	return func(s *settings) { s.report = report }
}

// WithHTTPClient sets the client that talks to the server. Its transport is used;
// redirects are never followed, cookies never kept, and every call has a deadline of
// this package.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) {
		if client != nil {
			s.client = client
		}
	}
}

// WithPlainHTTP allows http addresses outside loopback, for the server and for the
// application, and cookies without Secure for the latter. It is for networks where
// something else protects the line.
func WithPlainHTTP() Option {
	return func(s *settings) { s.plainHTTP = true }
}

// WithClock replaces time.Now, for tests.
func WithClock(clock func() time.Time) Option {
	return func(s *settings) {
		if clock != nil {
			s.clock = clock
		}
	}
}

// WithLogger sets where this package reports what a person running the application
// should know. Refused requests are logged at level Debug. Default: slog.Default().
func WithLogger(log *slog.Logger) Option {
	return func(s *settings) {
		if log != nil {
			s.log = log
		}
	}
}

// WithErrorWriter replaces how refusals are written. The default is problem+json, and
// a small page where a browser navigates. [Problem.ServeHTTP] writes the JSON form.
func WithErrorWriter(write func(http.ResponseWriter, *http.Request, *Problem)) Option {
	return func(s *settings) {
		if write != nil {
			s.refuse = write
		}
	}
}

// WithSeenTokens sets how many verified tokens are remembered. One takes about 2 KB;
// the default is 65,536. With 0 every request pays for a signature.
func WithSeenTokens(n int) Option {
	return func(s *settings) { s.seen = n }
}

// WithAppURL names the public origin of this application ("https://app.example.com").
// Without it the Host header of the request is used, over https unless the host is
// loopback; the server sends codes only to origins on its own list either way.
func WithAppURL(origin string) Option {
	return func(s *settings) { s.appURL = origin }
}

// WithCallbackPath says where [Auth.Callback] is mounted. Default: /auth/callback.
func WithCallbackPath(path string) Option {
	return func(s *settings) { s.callbackPath = path }
}

// WithCookieName sets the stem of the cookies' names, for two applications on one
// host. Default: limenauth.
func WithCookieName(name string) Option {
	return func(s *settings) { s.cookieName = name }
}

// WithCookieKey sets the secret that seals this application's cookies: 32 random
// bytes or more. The first key seals, all of them open, so a key is changed by
// putting the new one in front. Without it a key is made up at start: a restart then
// signs browsers out, and two processes cannot read each other's cookies.
func WithCookieKey(keys ...[]byte) Option {
	return func(s *settings) { s.cookieKeys = keys }
}

// WithTrustedOrigins lists origins besides the application's own whose pages may send
// unsafe requests with its session cookie.
func WithTrustedOrigins(origins ...string) Option {
	return func(s *settings) { s.trustedOrigins = origins }
}
