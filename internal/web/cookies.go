package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
)

const (
	maxCookie  = 4096 // bytes of name and value together (RFC 6265bis section 5.6)
	deviceLife = 400 * 24 * time.Hour
	// attemptLife is how long a new attempt cookie waits for the first attempt of its own.
	attemptLife = 10 * time.Minute
	cookieClear = time.Duration(0)
)

// CookieNames are the names of limen's cookies, without their prefix.
type CookieNames struct{ Access, Refresh, Attempt, Device string }

// checkCookies refuses names that are no tokens, that repeat or that bring a prefix of
// their own, and a domain that people would not reach us under.
func (h *Hallway) checkCookies() error {
	seen := map[string]bool{}
	for _, name := range []string{h.Cookies.Access, h.Cookies.Refresh, h.Cookies.Attempt, h.Cookies.Device} {
		if !cookieToken(name) || strings.HasPrefix(name, "__") || seen[name] {
			return fmt.Errorf("web: %q cannot be the name of a cookie, or is the name of two", name)
		}
		seen[name] = true
	}
	if h.CookieDomain == "" {
		return nil
	}
	if !h.secure {
		return errors.New("web: a cookie domain needs an https public URL")
	}
	host := strings.ToLower(h.PublicURL.Hostname())
	if host != h.CookieDomain && !strings.HasSuffix(host, "."+h.CookieDomain) {
		return fmt.Errorf("web: the cookie domain %q does not hold %q", h.CookieDomain, host)
	}
	return nil
}

func cookieToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// cookie is one of limen's own: its name without prefix, and whether sibling hosts share
// it where the settings name a cookie domain.
type cookie struct {
	name   string
	shared bool
}

func (h *Hallway) accessCookie() cookie  { return cookie{h.Cookies.Access, true} }
func (h *Hallway) refreshCookie() cookie { return cookie{h.Cookies.Refresh, true} }
func (h *Hallway) deviceCookie() cookie  { return cookie{h.Cookies.Device, true} }

// attemptCookie says which browser began an attempt. Such a cookie is never shared (D7):
// a sibling host that could plant one would bind what its victim begins to a browser of
// its own, even with a value that limen made.
func (h *Hallway) attemptCookie() cookie { return cookie{h.Cookies.Attempt, false} }

// wireName is the name on the wire (RFC 6265bis section 4.1.3, D7): __Host- binds the
// cookie to this very host, so no sibling can plant one.
func (h *Hallway) wireName(k cookie) string {
	switch {
	case !h.secure:
		return k.name // loopback: browsers refuse the prefixes without Secure
	case h.domainOf(k) != "":
		return "__Secure-" + k.name
	}
	return "__Host-" + k.name
}

func (h *Hallway) domainOf(k cookie) string {
	if !k.shared {
		return ""
	}
	return h.CookieDomain
}

// setCookie writes one of our cookies. Setting and clearing differ in value and age
// only: a browser that sees other attributes keeps the old cookie.
func (c *Call) setCookie(k cookie, value secret.Text, life time.Duration) error {
	h := c.hall
	full := h.wireName(k)
	if len(full)+len(value) > maxCookie {
		return fmt.Errorf("web: cookie %s does not fit", full) // browsers would drop it in silence
	}
	var b strings.Builder
	b.WriteString(full)
	b.WriteByte('=')
	b.WriteString(value.Reveal())
	b.WriteString("; Path=/")
	if domain := h.domainOf(k); domain != "" {
		b.WriteString("; Domain=")
		b.WriteString(domain)
	}
	b.WriteString("; Max-Age=")
	b.WriteString(strconv.FormatInt(max(0, int64(life/time.Second)), 10))
	b.WriteString("; HttpOnly")
	if h.secure {
		b.WriteString("; Secure")
	}
	b.WriteString("; SameSite=Lax")
	// The last word on a cookie is the only one (RFC 6265 section 4.1.1): a page that
	// renewed a session on its way may end it.
	header := c.W.Header()
	kept := slices.DeleteFunc(header["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, full+"=") })
	header["Set-Cookie"] = append(kept, b.String())
	return nil
}

// KeepAttempt sets the attempt cookie. An attempt that no browser keeps has no value for
// it.
func (c *Call) KeepAttempt(value secret.Text, life time.Duration) error {
	if value == "" {
		return nil
	}
	return c.setCookie(c.hall.attemptCookie(), value, life)
}

// changeAttempt gives the attempt cookie a new value, or clears it where there is none:
// the old one is gone in any case.
func (c *Call) changeAttempt(value secret.Text) error {
	if value == "" {
		return c.setCookie(c.hall.attemptCookie(), "", cookieClear)
	}
	return c.setCookie(c.hall.attemptCookie(), value, attemptLife)
}

// DropSession clears the session's cookies and the attempt's. The device secret stays:
// it tells a known device from a new one, signed in or not.
func (c *Call) DropSession() {
	for _, k := range []cookie{c.hall.accessCookie(), c.hall.refreshCookie(), c.hall.attemptCookie()} {
		_ = c.setCookie(k, "", cookieClear) // an empty value fits
	}
	if c.hall.secure {
		// No more than the cache: "cookies" would forget the device and wipe a host
		// application (D11).
		c.W.Header().Set("Clear-Site-Data", `"cache"`)
	}
}

// cookieValue returns the value of the cookie called name: "" when there is none. Two of
// that name, or a value that is no token of ours, are refused and never a pass: which of
// two a browser means is not ours to guess (RFC 6265 section 4.2.2).
func cookieValue(headers []string, name string) (secret.Text, error) {
	var value string
	found := false
	for _, rest := range headers {
		for rest != "" {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			pair = strings.Trim(pair, " \t")
			n, v, _ := strings.Cut(pair, "=")
			if strings.TrimRight(n, " \t") != name {
				continue
			}
			if found {
				return "", fault.Invalidate(name, codeDuplicate)
			}
			found, value = true, v
		}
	}
	if found && !credential(value) {
		return "", fault.Invalidate(name, "invalid")
	}
	return secret.Text(value), nil
}

// LocaleCookie returns the value of a cookie that is no secret, or "" when it is absent,
// repeated or odd: what it says is a preference and nothing rests on it.
func (c *Call) LocaleCookie(name string) string {
	if c.authorized() {
		return ""
	}
	cookies := c.R.CookiesNamed(name)
	if len(cookies) != 1 || !cookieToken(cookies[0].Value) {
		return ""
	}
	return cookies[0].Value
}

// SetLocaleCookie remembers a preference for a year. Scripts may not read it.
func (c *Call) SetLocaleCookie(name, value string) {
	http.SetCookie(c.W, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: c.hall.secure, SameSite: http.SameSiteLaxMode,
	})
}
