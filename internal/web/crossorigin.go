package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/limenauth/limen/internal/session"
)

// sameOrigin is the rule against cross-site request forgery: an unsafe request that
// carries cookies or may be given some is same-origin or comes from an allowed origin, and
// a document frame of another site reads nothing of the API. Beside Authorization no
// cookie is read, and none is given unless the client asks for a cookie mode.
//
// It holds to http.CrossOriginProtection's order (Fetch Metadata first, Origin where
// there is none, and neither means no browser) without its patterns and its parsing:
// an Origin that is not exactly scheme, host and port is nobody's (golang/go#78563).
//
// An Origin of null is never allowed. A page under Referrer-Policy: no-referrer posts
// with Origin: null to its own host; Sec-Fetch-Site says same-origin then, and our pages
// use the policy same-origin for the browsers that do not send it.
func (c *Call) sameOrigin() error {
	if c.authorized() && c.Delivery == session.Token || c.row.Exempt != "" {
		return nil
	}
	site, many := single(c.R.Header, "Sec-Fetch-Site")
	if many {
		return ErrCrossOrigin
	}
	if safe(c.R.Method) {
		return c.notFramed(site)
	}
	origin, many := single(c.R.Header, "Origin")
	switch {
	case many:
		return ErrCrossOrigin
	case site == "same-origin" || site == "none":
		return nil
	case site == "" && origin == "":
		return nil // no browser; only a browser attaches cookies by itself
	case site == "" && c.isOwn(origin):
		return nil
	case !c.page() && c.hall.allows(origin):
		return nil
	}
	return ErrCrossOrigin
}

// notFramed keeps answers of the API out of frames and embeds of other sites. Pages say
// the same by Content-Security-Policy.
func (c *Call) notFramed(site string) error {
	if site == "" || site == "same-origin" || site == "none" || c.page() {
		return nil
	}
	switch c.R.Header.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "object", "embed":
		return ErrCrossOrigin
	}
	return nil
}

// ownOrigin is the stricter rule of development tools: whoever comes from another origin
// may follow a link to a page, and nothing else.
func (c *Call) ownOrigin() error {
	site, many := single(c.R.Header, "Sec-Fetch-Site")
	origin, more := single(c.R.Header, "Origin")
	switch {
	case many || more || origin != "" && !c.isOwn(origin):
		return ErrCrossOrigin
	case site == "" || site == "same-origin" || site == "none":
		return nil
	case c.R.Method == http.MethodGet && c.R.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		c.R.Header.Get("Sec-Fetch-Dest") == "document":
		return nil
	}
	return ErrCrossOrigin
}

// isOwn reports whether origin is ours: that of the public URL, or the host that this
// very request names.
func (c *Call) isOwn(origin string) bool {
	parsed, ok := parseOrigin(origin)
	if !ok {
		return false
	}
	here, ok := parseOrigin(c.hall.PublicURL.Scheme + "://" + strings.ToLower(c.R.Host))
	return parsed == c.hall.origin || ok && parsed == here
}

// allows reports whether browsers of that origin may call the API. Our own is not among
// them: whoever is same-origin needs no permission, and whoever only says so has none.
func (h *Hallway) allows(origin string) bool {
	parsed, ok := parseOrigin(origin)
	if !ok {
		return false
	}
	if h.allowed[parsed] {
		return true
	}
	rest, local := strings.CutPrefix(parsed, "http://localhost")
	return h.Development && local && (rest == "" || rest[0] == ':')
}

// parseOrigin reads a serialised origin (RFC 6454 section 6.2) and returns its one form:
// no default port. It accepts http and https with a lower-case host, nothing else.
func parseOrigin(s string) (string, bool) {
	scheme, host, found := strings.Cut(s, "://")
	if !found || scheme != "http" && scheme != "https" || !plainHost(host) {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Host != host || u.Hostname() == "" || strings.HasSuffix(host, ":") {
		return "", false
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || strconv.FormatUint(n, 10) != port {
			return "", false
		}
		if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
			host = strings.TrimSuffix(host, ":"+port)
		}
	}
	return scheme + "://" + host, true
}

// plainHost allows what a browser serialises: lower-case names, addresses, a port.
func plainHost(host string) bool {
	if rest, ok := strings.CutPrefix(host, "["); ok {
		inner, port, ok := strings.Cut(rest, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6() && addr.Zone() == "" && strings.Trim(port, ":0123456789") == ""
	}
	for i := range len(host) {
		c := host[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == ':') {
			return false
		}
	}
	return host != "" && strings.Count(host, ":") <= 1
}

// single returns the value of a header that must not repeat.
func single(h http.Header, name string) (value string, many bool) {
	values := h[name]
	if len(values) == 0 {
		return "", false
	}
	return values[0], len(values) > 1
}
