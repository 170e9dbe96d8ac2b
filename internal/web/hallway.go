package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// Hallway is the http.Handler in front of all doors. Fill the fields, Open it with the
// tables, and change nothing afterwards.
type Hallway struct {
	// Now tells the time; a request asks once, and once more when it is over.
	Now func() time.Time
	// PublicURL is the scheme and host that people use. https makes cookies Secure.
	PublicURL *url.URL
	// Development restricts Host to localhost, 127.0.0.1 and [::1] and lets
	// http://localhost at any port call the API.
	Development bool
	// AllowedOrigins may call the API from a browser, besides the public URL's own.
	AllowedOrigins []string
	// TrustedProxies are the only ones whose X-Forwarded-For is believed. Forwarded
	// (RFC 7239) is never read: no two headers may tell where a client is.
	TrustedProxies []netip.Prefix

	Cookies CookieNames
	// CookieDomain shares the session cookies with sibling hosts, and never the attempt's; ""
	// is the strict __Host- form.
	CookieDomain string

	// CodesURL is the page that explains the error codes, one by one.
	CodesURL string

	// Budgets replace, by the name of a rate, how many events a row lets one network have.
	// What may come at once grows with it.
	Budgets map[string]int
	Limits  *ratelimit.Limiter
	Metrics *metrics.Metrics
	Log     *slog.Logger

	// Authenticate returns who holds an access token, after asking whether the session
	// still lives, each time. It refuses with unauthenticated or session_ended.
	Authenticate func(ctx context.Context, accessToken secret.Text, now time.Time) (*Actor, error)
	// CheckKey returns the name of a server key that has the scope. It refuses with
	// unauthenticated, or forbidden when the key lacks the scope.
	CheckKey func(ctx context.Context, key secret.Text, scope string, now time.Time) (name string, err error)
	// Renew refreshes the cookies of a page whose access cookie has run out; it calls
	// KeepGrant. Nil renews nothing.
	Renew func(c *Call) (*Actor, error)
	// RefusePage writes a refusal as HTML. The headers of the refusal are set already.
	RefusePage func(c *Call, f *fault.Fault, status int) error
	// Serving brackets every request that does not hash (see slots.Queue). Nil: nothing.
	Serving func() (done func())
	// Draining ends when the server is about to stop. Streams end with it, because they
	// never would by themselves; every other request finishes. Nil: streams end with
	// their client.
	Draining context.Context

	mux       *http.ServeMux
	rows      []*Row
	secure    bool
	origin    string // of PublicURL
	allowed   map[string]bool
	always    http.Header
	addresses addressWatch
	document  func() ([]byte, error)
}

// Open checks and registers the rows. It is called once, before the first request.
func (h *Hallway) Open(tables ...Table) error {
	if err := h.prepare(); err != nil {
		return err
	}
	h.mux = http.NewServeMux()
	var errs []error
	for _, t := range tables {
		for _, r := range t {
			if err := h.register(&r); err != nil {
				errs = append(errs, err)
			}
		}
	}
	slices.SortFunc(h.rows, func(a, b *Row) int {
		return strings.Compare(pathOf(a.Pattern)+" "+a.Pattern, pathOf(b.Pattern)+" "+b.Pattern)
	})
	h.document = sync.OnceValues(h.describe)
	return errors.Join(append(errs, h.checkRates())...)
}

// checkRates refuses two rates of one name: they would share their counters and each
// measure them differently.
func (h *Hallway) checkRates() error {
	rates := map[string]ratelimit.Rate{}
	for _, r := range h.rows {
		rate := r.Limit.Rate
		if other, known := rates[rate.Name]; known && other != rate {
			return fmt.Errorf("web: row %q: the rate %q means two things", r.Pattern, rate.Name)
		}
		rates[rate.Name] = rate
	}
	return nil
}

func (h *Hallway) prepare() error {
	switch {
	case h.Now == nil || h.Log == nil || h.Limits == nil:
		return errors.New("web: Now, Log and Limits are required")
	case h.PublicURL == nil:
		return errors.New("web: PublicURL is required")
	}
	origin, ok := parseOrigin(h.PublicURL.Scheme + "://" + strings.ToLower(h.PublicURL.Host))
	if !ok {
		return fmt.Errorf("web: %q is no scheme and host", h.PublicURL)
	}
	h.origin, h.secure = origin, h.PublicURL.Scheme == "https"
	h.always = h.standing()
	h.allowed = map[string]bool{}
	for _, o := range h.AllowedOrigins {
		origin, ok := parseOrigin(o)
		if !ok {
			return fmt.Errorf("web: %q is no origin", o)
		}
		h.allowed[origin] = true
	}
	return h.checkCookies()
}

// register adds a row. ServeMux panics on patterns that conflict; that is an error here.
func (h *Hallway) register(r *Row) (err error) {
	if err := r.check(); err != nil {
		return err
	}
	if n := h.Budgets[r.Limit.Rate.Name]; n > 0 {
		r.Limit.Rate.Burst = max(1, r.Limit.Rate.Burst*n/r.Limit.Rate.Events)
		r.Limit.Rate.Events = n
	}
	if r.Guard == SignedIn && h.Authenticate == nil {
		return fmt.Errorf("web: row %q: nobody authenticates", r.Pattern)
	}
	if _, key := r.Guard.scope(); key && h.CheckKey == nil {
		return fmt.Errorf("web: row %q: nobody checks keys", r.Pattern)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("web: row %q: %v", r.Pattern, p)
		}
	}()
	h.mux.HandleFunc(r.Pattern, func(w http.ResponseWriter, req *http.Request) {
		rec := w.(*recorder) // ServeHTTP is the only caller of the mux
		rec.muted = false
		c := rec.call
		c.R, c.row = req, r
		if err := c.pass(); err != nil {
			c.refuse(err)
		}
	})
	h.rows = append(h.rows, r)
	return nil
}

// ServeHTTP takes a request through the hallway.
func (h *Hallway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := h.Now()
	c := &Call{
		R: r, Now: now, RequestID: secret.ID("req", now), hall: h, Delivery: session.Token,
		UserAgent: plainText(r.UserAgent(), maxUserAgent),
	}
	c.IP = h.clientAddress(r)
	c.status = &recorder{ResponseWriter: w, call: c}
	c.W = c.status
	h.headers(c)
	defer h.finish(c) // runs last: it sees what the last resort wrote
	defer h.lastResort(c)
	if err := h.admit(r); err != nil {
		c.refuse(err)
		return
	}
	if preflight(r) {
		h.answerPreflight(c)
		return
	}
	c.status.muted = true
	h.mux.ServeHTTP(c.W, r)
	if c.row == nil {
		c.status.muted = false
		h.unrouted(c)
	}
}

// pass takes the call past everything that its row demands, and to its handler.
func (c *Call) pass() error {
	r := c.row
	if err := c.readDelivery(); err != nil {
		return err
	}
	if !c.page() {
		c.allowOrigin()
	}
	if err := c.sameOrigin(); err != nil {
		return err
	}
	taken, err := c.takeLimit()
	if err != nil {
		return err
	}
	if !r.Hashes && r.Handle.style != styleStream && c.hall.Serving != nil {
		defer c.hall.Serving()()
	}
	if err := c.guard(); err != nil {
		return err
	}
	if r.Handle.style == styleStream {
		defer c.stream()()
	}
	if err := r.Handle.serve(c); err != nil {
		return err
	}
	if r.Limit.Refund && c.status.status < http.StatusBadRequest {
		taken.GiveBack(c.R.Context(), c.Now)
	}
	return nil
}

// stream frees the answer of the server's deadline and ties it to the server's life.
func (c *Call) stream() (done func()) {
	_ = http.NewResponseController(c.W).SetWriteDeadline(time.Time{})
	if c.hall.Draining == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(c.R.Context())
	c.R = c.R.WithContext(ctx)
	stop := context.AfterFunc(c.hall.Draining, cancel)
	return func() { stop(); cancel() }
}

// readDelivery reads the mode that the client names. Pages live on the same host and
// always use cookies.
func (c *Call) readDelivery() (err error) {
	if c.page() {
		c.Delivery = session.Cookie
		return nil
	}
	c.Delivery, err = session.ParseDelivery(c.R.Header.Get(headerDelivery))
	return err
}

func (c *Call) takeLimit() (*ratelimit.Taken, error) {
	if c.row.Limit.free || c.hall.Development && c.IP.IsLoopback() { // a developer's own tests
		return nil, nil
	}
	return c.hall.Limits.Take(c.R.Context(), c.Now, ratelimit.ByNetwork(c.row.Limit.Rate, "address:", c.IP)...)
}

// page reports whether the call is answered to a person: by its row or, without one, by
// the path and by what the client accepts.
func (c *Call) page() bool {
	if c.row != nil {
		return c.row.Handle.style == stylePage
	}
	path := c.R.URL.Path
	for _, api := range []string{"/v1/", "/admin/v1/", "/.well-known/"} {
		if strings.HasPrefix(path, api) {
			return false
		}
	}
	return strings.Contains(c.R.Header.Get("Accept"), "text/html")
}

func (c *Call) route() string {
	if c.row == nil {
		return "-"
	}
	return c.row.Pattern
}

// unrouted answers what no row wanted. ServeMux has written its own text, which the
// recorder kept back, and knows the methods that are allowed.
func (h *Hallway) unrouted(c *Call) {
	header := c.W.Header()
	allow := header.Get("Allow")
	for _, name := range []string{"Allow", "Location", "Content-Type", "X-Content-Type-Options"} {
		header.Del(name)
	}
	header.Set("X-Content-Type-Options", "nosniff")
	if allow == "" {
		c.refuse(fault.ErrNotFound)
		return
	}
	header.Set("Allow", allow)
	c.refuse(fault.ErrMethod)
}

// Routes prints what is exposed: pattern, guard, limit and exemption, one row a line.
func (h *Hallway) Routes() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, r := range h.rows {
		method, path, _ := strings.Cut(r.Pattern, " ")
		notes := r.Exempt
		if r.Hashes {
			notes = strings.TrimSpace("hashes " + notes)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", method, path, r.Guard, r.Limit, notes)
	}
	w.Flush()
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func pathOf(pattern string) string {
	_, path, _ := strings.Cut(pattern, " ")
	return path
}
