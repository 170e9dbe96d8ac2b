package web

import (
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// The refusals of the hallway.
var (
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "Sign in first.")
	ErrCrossOrigin     = fault.New(fault.Denied, "cross_origin", "This request came from a site that may not make it.")
	ErrHost            = fault.New(fault.Denied, "host_not_allowed", "In development this server answers to localhost only.")
)

const (
	maxUserAgent   = 512
	maxCredential  = 4096
	headerDelivery = "Limen-Delivery"
	headerDevice   = "Limen-Device"
)

// Actor is the signed-in person behind a request, as read when it came in. It has the
// fields of a deed's actor, in the same order, so one converts to the other.
type Actor struct {
	Account account.Account
	Session session.Session
}

// Call is one request on its way through the hallway. It belongs to one goroutine.
type Call struct {
	W http.ResponseWriter
	R *http.Request
	// Now is the one instant of this request.
	Now       time.Time
	RequestID string
	// IP is the client's address; see Hallway.TrustedProxies.
	IP netip.Addr
	// UserAgent is valid UTF-8 without control characters, at most 512 bytes.
	UserAgent string
	// Delivery is what the client asks for; Token when it names none.
	Delivery session.Delivery
	// Actor is set by the guard SignedIn, and by Identify.
	Actor *Actor
	// Key names the server key, set by the guard ServerKey.
	Key string
	// Unreferred keeps the address of a page from everybody: a secret stands in it.
	Unreferred bool

	hall      *Hallway
	row       *Row
	status    *recorder
	challenge string // what WWW-Authenticate adds to the realm
	refused   string // the code of the refusal, for the log
	// identified: Actor and stranger, which says why there is none, are settled.
	identified bool
	stranger   error
	// fromCookie: the refresh token came in a cookie and must not leave in a body.
	fromCookie bool
}

// Browser is what a deed is told about where the request comes from.
func (c *Call) Browser() (session.Browser, error) {
	device, err := c.Device()
	if err != nil {
		return session.Browser{}, err
	}
	attempt, err := c.Attempt()
	if err != nil {
		return session.Browser{}, err
	}
	return session.Browser{
		RequestID: c.RequestID, IP: c.address(), UserAgent: c.UserAgent, Delivery: c.Delivery,
		Asked: c.Asked(), Device: device, Attempt: attempt,
	}, nil
}

// Refreshing returns what a refresh presents: the token that the body holds and the
// device secret of the header or, when the body holds none, both from their cookies. An
// empty token means that nothing was presented. What came in cookies goes back in
// cookies: WriteGrant holds to that.
func (c *Call) Refreshing(body secret.Text) (token, device secret.Text, err error) {
	if body != "" {
		device, err = c.deviceHeader()
		return body, device, err
	}
	if token, err = c.RefreshToken(); err != nil || token == "" {
		return "", "", err
	}
	c.fromCookie = true
	if device, err = c.deviceHeader(); err != nil || device != "" {
		return token, device, err
	}
	device, err = c.readCookie(c.hall.deviceCookie())
	return token, device, err
}

func (c *Call) address() string {
	if !c.IP.IsValid() {
		return ""
	}
	return c.IP.String()
}

// Asked is the delivery that the client named, "" when it named none. A session never
// changes its delivery: see Keeps.
func (c *Call) Asked() session.Delivery {
	if c.R.Header.Get(headerDelivery) == "" {
		return ""
	}
	return c.Delivery
}

// Keeps refuses with invalid_request when the client names another delivery than the
// session's own.
func (c *Call) Keeps(d session.Delivery) error {
	if asked := c.Asked(); asked != "" && asked != d {
		return fault.Invalidate(headerDelivery, "different")
	}
	return nil
}

// authorized reports whether the request carries Authorization in any form: then no
// cookie is read.
func (c *Call) authorized() bool { return len(c.R.Header["Authorization"]) > 0 }

// Bearer returns the bearer token of the Authorization header (RFC 6750 section 2.1), ""
// when there is no such header. Anything else in that header is unauthenticated.
func (c *Call) Bearer() (secret.Text, error) {
	values := c.R.Header["Authorization"]
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || !credential(token) {
		c.challenge = `error="invalid_request"`
		return "", ErrUnauthenticated
	}
	return secret.Text(token), nil
}

// AccessToken returns the access token of the header or, without Authorization, of the
// cookie; "" when there is none.
func (c *Call) AccessToken() (secret.Text, error) {
	if c.authorized() {
		return c.Bearer()
	}
	return c.readCookie(c.hall.accessCookie())
}

// RefreshToken returns the refresh cookie; "" when there is none.
func (c *Call) RefreshToken() (secret.Text, error) {
	return c.readCookie(c.hall.refreshCookie())
}

// Device returns the device secret: of the header Limen-Device or, in the cookie modes
// and in their attempts, of the cookie. Its form is checked, its origin is not.
func (c *Call) Device() (secret.Text, error) {
	device, err := c.deviceHeader()
	if err != nil || device != "" {
		return device, err
	}
	if c.Delivery == session.Token {
		// A client in token mode could not present what a cookie holds.
		if attempt, err := c.Attempt(); err != nil || attempt == "" {
			return "", err
		}
	}
	return c.readCookie(c.hall.deviceCookie())
}

func (c *Call) deviceHeader() (secret.Text, error) {
	values := c.R.Header[headerDevice]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || !credential(values[0]) {
		return "", fault.Invalidate(headerDevice, "invalid")
	}
	return secret.Text(values[0]), nil
}

// Attempt returns the attempt cookie; "" when there is none.
func (c *Call) Attempt() (secret.Text, error) {
	return c.readCookie(c.hall.attemptCookie())
}

// readCookie reads one of our own cookies. There is none beside Authorization and none on
// a row that is exempt from the cross-origin rule.
func (c *Call) readCookie(k cookie) (secret.Text, error) {
	if c.authorized() || c.row == nil || c.row.Exempt != "" {
		return "", nil
	}
	return cookieValue(c.R.Header["Cookie"], c.hall.wireName(k))
}

// credential reports whether s can be a token of ours: visible ASCII without separators
// (RFC 6750 b68token), bounded.
func credential(s string) bool {
	if s == "" || len(s) > maxCredential {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/' || c == '=') {
			return false
		}
	}
	return true
}

// plainText makes foreign text fit for the store and the log: valid UTF-8, no control
// characters, at most n bytes.
func plainText(s string, n int) string {
	s = s[:min(len(s), n)]
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}
