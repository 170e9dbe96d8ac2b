// Package oauth knows the rules by which an application on another origin receives a
// sign-in: where a browser may be sent, what proves that the application which began is
// the one that ends, and how long its state may be. It is pure: no I/O, no clock.
//
// Redirects. There is one rule for all who take a destination, the API and the pages:
// AllowList.Destination. A redirect that an attacker chooses hands them the code (RFC 9700 sections
// 4.1 and 4.11). So a target is first held to a narrow form, before any parser's
// opinion of it is asked, and then compared exactly: by origin for http and https, as
// the whole string for other schemes. Nothing is decoded, normalised or repaired: a
// target that needs it is refused. An empty list allows nothing.
//
// What is refused, and where it was once accepted: user information
// ("https://app@evil", CVE-2026-28512), more than one @ (CVE-2026-7504), backslashes and
// control characters, which browsers read as slashes and drop (CVE-2020-11053),
// percent signs in the host, fragments, and suffixes or prefixes of an allowed host
// (CVE-2021-21291). The path and the query belong to the application.
//
// PKCE is RFC 7636 with S256 alone: plain is never accepted (decision D1).
//
// Limits. Matching by origin trusts every page of that origin, an open redirector on it
// included; the code is then still bound to the exact redirect and to the challenge.
package oauth

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/limenauth/limen/internal/fault"
)

// MaxRedirect is the longest redirect target, in bytes.
const MaxRedirect = 2048

// ErrRedirectNotAllowed is told for every target that is not on the list or not in form.
var ErrRedirectNotAllowed = fault.New(fault.Invalid, "redirect_not_allowed", "This server may not send a sign-in to that address.").Field("redirect_to", "not_allowed")

// AllowList is where a completed sign-in may send the browser. The zero value allows
// nothing. It is never changed after it was parsed.
type AllowList struct {
	own     origin // limen's own; the zero origin fits no target
	origins []origin
	exact   []string
}

type origin struct {
	scheme, host string
	port         string // always written out; "*" in an entry for any port of the loopback
}

// ParseAllowList reads limen's own origin, to which a sign-in may always lead, and the
// entries of a setting: an origin of http or https
// ("https://app.example.com", without path), or the whole URL of a custom scheme
// ("com.example.app:/signed-in"). Plain http is for loopback hosts alone, whose port may
// be * (RFC 8252 section 7.3). An error names the entry.
func ParseAllowList(own string, entries []string) (AllowList, error) {
	var l AllowList
	if scheme, rest, ok := cutScheme(strings.ToLower(own)); ok {
		l.own, _, _ = parseOrigin(scheme, rest, false) // one that has no such form fits nothing
	}
	for _, entry := range entries {
		scheme, rest, ok := cutScheme(entry)
		if !ok {
			return AllowList{}, fault.Invalidate("redirect_to", "invalid").Saying("The redirect " + strconv.Quote(entry) + " is not an origin like https://app.example.com or a URL of a custom scheme.")
		}
		if scheme != "http" && scheme != "https" {
			l.exact = append(l.exact, entry)
			continue
		}
		o, tail, ok := parseOrigin(scheme, rest, true)
		if !ok || tail != "" {
			return AllowList{}, fault.Invalidate("redirect_to", "invalid").Saying("The redirect " + strconv.Quote(entry) + " is not a plain origin: scheme, host and port, without a path.")
		}
		if !o.loopback() && (scheme == "http" || o.port == "*") {
			return AllowList{}, fault.Invalidate("redirect_to", "invalid").Saying("The redirect " + strconv.Quote(entry) + " must be https with a fixed port: only loopback hosts may differ.")
		}
		l.origins = append(l.origins, o)
	}
	return l, nil
}

// judge reports whether the browser may be sent to target, and whether that is a page of
// limen's own.
func (l AllowList) judge(target string) (own, ok bool) {
	scheme, rest, ok := cutScheme(target)
	if !ok {
		return false, false
	}
	if scheme != "http" && scheme != "https" {
		return false, slices.Contains(l.exact, target)
	}
	o, _, ok := parseOrigin(scheme, rest, false)
	if !ok {
		return false, false
	}
	own = o == l.own
	return own, own || slices.ContainsFunc(l.origins, o.fits)
}

// originOf is the origin of a target as a browser writes it.
func originOf(target string) string {
	scheme, rest, ok := cutScheme(target)
	if !ok {
		return ""
	}
	if scheme != "http" && scheme != "https" {
		return scheme + ":"
	}
	o, _, ok := parseOrigin(scheme, rest, false)
	if !ok {
		return ""
	}
	if o.port == defaultPort(scheme) {
		return scheme + "://" + o.host
	}
	return scheme + "://" + o.host + ":" + o.port
}

// fits compares a target with an entry.
func (o origin) fits(entry origin) bool {
	return o.scheme == entry.scheme && o.host == entry.host && (o.port == entry.port || entry.port == "*")
}

func (o origin) loopback() bool {
	if ip, err := netip.ParseAddr(strings.Trim(o.host, "[]")); err == nil {
		return ip.IsLoopback()
	}
	return o.host == "localhost"
}

// cutScheme holds the whole text to its form (RFC 3986 without what only confuses) and
// parts the scheme, which is lower case already: a target that says HTTPS was not
// written by an application that read its own configuration.
func cutScheme(s string) (scheme, rest string, ok bool) {
	if len(s) > MaxRedirect {
		return "", "", false
	}
	for i := range len(s) {
		// Spaces, controls, all but ASCII, fragments, and what browsers rewrite.
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("\"#<>\\^`{|}", s[i]) >= 0 {
			return "", "", false
		}
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return "", "", false // parsers disagree about it, and we must add a query later
		}
	}
	scheme, rest, ok = strings.Cut(s, ":")
	if !ok || scheme == "" || scheme[0] < 'a' || scheme[0] > 'z' || rest == "" {
		return "", "", false
	}
	for i := range len(scheme) {
		if c := scheme[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return "", "", false
		}
	}
	switch scheme {
	case "javascript", "data", "vbscript", "blob", "file", "about", "view-source", "filesystem", "ws", "wss", "ftp", "mailto", "tel", "intent":
		return "", "", false // these are no applications: some of them run as a page of ours
	}
	return scheme, rest, true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// parseOrigin reads "//host[:port]" and leaves what follows in tail: nothing, or what
// begins with a slash or a question mark.
func parseOrigin(scheme, s string, entry bool) (o origin, tail string, ok bool) {
	s, ok = strings.CutPrefix(s, "//")
	if !ok {
		return o, "", false
	}
	authority := s
	if i := strings.IndexAny(s, "/?"); i >= 0 {
		authority, tail = s[:i], s[i:]
	}
	host, port := authority, defaultPort(scheme)
	if end := strings.LastIndexByte(authority, ']'); strings.LastIndexByte(authority, ':') > end {
		i := strings.LastIndexByte(authority, ':')
		host, port = authority[:i], authority[i+1:]
		if !validPort(port) && (!entry || port != "*") {
			return o, "", false
		}
	}
	if !validHost(host) {
		return o, "", false
	}
	return origin{scheme: scheme, host: host, port: port}, tail, true
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// validPort accepts 1 to 65535 as programs write it: no sign, no leading zero.
func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0' && s[0] != '+'
}

// validHost accepts a lower-case name of letters, digits and hyphens, an IPv4 address in
// the one form that every parser reads alike, and an IPv6 address in brackets without a
// zone. International names come in their ASCII form.
func validHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6() && ip.Zone() == "" && ip.String() == inner
	}
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	// A last label that begins with a digit makes browsers read the host as a number, in
	// any of its many spellings (0x7f.1, 2130706433): only the plain one is let through.
	if last := labels[len(labels)-1]; '0' <= last[0] && last[0] <= '9' {
		ip, err := netip.ParseAddr(s)
		return err == nil && ip.Is4()
	}
	return true
}
