package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/ratelimit"
)

// NewServer is the hardened http.Server: every phase of a connection has a deadline and
// headers are bounded. A Stream row lifts the deadline of its own answer.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second, // longer than any wait in the hash queue
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // handshakes and scans of strangers
	}
}

// standing are the headers that every answer carries and that never change. The slices
// are shared by all answers: a door that says otherwise sets new ones.
func (h *Hallway) standing() http.Header {
	s := http.Header{
		"Cache-Control":                {"no-store"},
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"no-referrer"},
		"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
	}
	if h.secure {
		s["Strict-Transport-Security"] = []string{"max-age=31536000"} // ASVS 3.4.1
	}
	return s
}

// headers sets what every answer carries.
func (h *Hallway) headers(c *Call) {
	header := c.W.Header()
	for name, values := range h.always {
		header[name] = values
	}
	header["Request-Id"] = []string{c.RequestID} // ours: one that came in is never trusted
	if looseFraming(c.R) {
		header["Connection"] = []string{"close"}
	}
}

// looseFraming reports whether a proxy on the way may have seen another end of the request
// than we did. Such a request is answered and ends its connection, so that nothing behind
// it is read as the next one (RFC 9112 section 6.1, request smuggling).
//
// That is every chunked request, because net/http drops a Content-Length next to
// Transfer-Encoding before anybody can see that there were both, and every request of
// HTTP/1.0, where it drops Transfer-Encoding. Clients know the length of what they send
// here and lose nothing.
func looseFraming(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)
}

// HTML writes a page under a Content-Security-Policy, which says what the page needs;
// the hallway adds what no page of a sign-in server may lack.
func (c *Call) HTML(status int, policy string, body []byte) error {
	h := c.W.Header()
	policy = strings.TrimSuffix(strings.TrimSpace(policy), ";")
	for _, directive := range []string{"object-src", "base-uri", "frame-ancestors"} {
		if !strings.Contains("; "+policy, "; "+directive+" ") {
			policy += "; " + directive + " 'none'" // ASVS 3.4.3, 3.4.6
		}
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if !c.Unreferred {
		h.Set("Referrer-Policy", "same-origin") // see sameOrigin for why not no-referrer
	}
	h.Set("X-Frame-Options", "DENY")
	return c.Write(status, "text/html; charset=utf-8", body)
}

// admit refuses what must not reach a row at all.
func (h *Hallway) admit(r *http.Request) error {
	if h.Development && !localHost(r.Host) {
		return ErrHost // a rebound name would be same-origin with its attacker
	}
	if !canonical(r) {
		return fault.ErrNotFound
	}
	return nil
}

// localHost reports whether host, with or without a port, names this machine.
func localHost(host string) bool {
	name := host
	if ap, err := netip.ParseAddrPort(host); err == nil {
		name = ap.Addr().String()
	} else if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		if strings.Trim(host[i+1:], "0123456789") != "" || i+1 == len(host) {
			return false
		}
		name = host[:i]
	}
	switch strings.ToLower(name) {
	case "localhost", "127.0.0.1", "::1", "[::1]":
		return true
	}
	return false
}

// canonical reports whether the path can be read in one way only. Whatever a proxy, a
// matcher and the router could take for different paths is nobody's (CVE-2026-41248):
// encoded slashes, dots and percent signs, backslashes, empty and dot segments, control
// characters.
func canonical(r *http.Request) bool {
	path := r.URL.Path
	if path == "" || path[0] != '/' || r.URL.Opaque != "" {
		return false
	}
	for _, odd := range []string{"//", "/./", "/../", "\\", "%", "\uFFFD"} {
		if strings.Contains(path, odd) {
			return false
		}
	}
	if strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..") || plainText(path, len(path)) != path {
		return false
	}
	escaped := r.URL.EscapedPath()
	for i := strings.IndexByte(escaped, '%'); i >= 0 && i+2 < len(escaped); {
		switch strings.ToLower(escaped[i+1 : i+3]) {
		case "2f", "2e": // every other one shows in the decoded path
			return false
		}
		next := strings.IndexByte(escaped[i+1:], '%')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return true
}

// lastResort turns a panic into a refusal that says nothing, and the server goes on.
func (h *Hallway) lastResort(c *Call) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { // somebody wants the connection cut
		panic(p)
	}
	h.Log.LogAttrs(c.R.Context(), slog.LevelError, "panic",
		slog.String("request_id", c.RequestID), slog.String("route", c.route()),
		slog.String("cause", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	c.status.muted = false
	c.refuse(fault.ErrInternal)
}

// finish writes the one line that the log has for each request, and counts it.
func (h *Hallway) finish(c *Call) {
	status, took := c.status.status, h.Now().Sub(c.Now)
	if c.refused != "" && c.gone() {
		status = statusClientGone
	}
	h.Metrics.Request(c.route(), status, took)
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable {
		level = slog.LevelError
	}
	ctx := c.R.Context()
	if !h.Log.Enabled(ctx, level) {
		return
	}
	h.Log.LogAttrs(ctx, level, "request",
		slog.String("request_id", c.RequestID), slog.String("method", shown(c.R.Method)), slog.String("route", c.route()),
		slog.Int("status", status), slog.String("code", c.refused), slog.Duration("took", took),
		slog.Int64("bytes", c.status.bytes), slog.String("address", ratelimit.Prefix(c.IP)))
}

// recorder knows what was answered. Muted, it keeps back what ServeMux writes for itself.
type recorder struct {
	http.ResponseWriter
	call   *Call
	status int
	bytes  int64
	began  bool
	muted  bool
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if r.muted {
		return
	}
	if status >= 200 && !r.began {
		r.began, r.status = true, status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (r *recorder) Write(b []byte) (int, error) {
	if r.muted {
		return len(b), nil
	}
	if !r.began {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
