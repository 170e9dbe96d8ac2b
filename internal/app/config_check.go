package app

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/secret"
)

// checker collects problems. Its methods hold one rule each, so that a test can break
// one rule and expect one problem.
type checker struct {
	*Config
	mode     Mode
	problems Problems
}

// Check refuses what is impossible or unsafe in mode. The error is of type Problems and
// tells everything at once; each problem names the setting and the fix.
func (c *Config) Check(mode Mode) error {
	k := &checker{Config: c, mode: mode}
	k.storage()
	k.choices()
	k.numbers()
	k.lifetimes()
	k.mail()
	k.sms()
	if mode == Operation {
		return k.problems.err()
	}
	k.url()
	k.addresses()
	k.proxies()
	k.applications()
	k.cookies()
	k.clock()
	return k.problems.err()
}

func (k *checker) refuse(key, format string, args ...any) {
	k.problems = append(k.problems, Problem{Key: key, From: k.from[key], Text: fmt.Sprintf(format, args...)})
}

func (k *checker) url() {
	if k.URL == "" {
		if k.mode == Production {
			k.refuse("url", "serve needs the address that people and applications use; set --url https://auth.example.com")
		}
		return
	}
	u, ok := origin(k.URL)
	switch {
	case !ok || (u.Scheme != "http" && u.Scheme != "https") || strings.Contains(u.Host, "*"):
		k.refuse("url", "%q is not scheme and host alone; write it like https://auth.example.com", k.URL)
	case k.mode == Development && !loopback(u.Hostname()):
		k.refuse("url", "dev has test people and an open inbox, so it serves this machine alone; use http://localhost:4455, or limen serve for %s", u.Host)
	case k.mode == Production && u.Scheme != "https":
		k.refuse("url", "serve sends passwords and tokens over it, so it must be https; set https://%s and let the reverse proxy speak TLS", u.Host)
	}
}

func (k *checker) addresses() {
	for _, addr := range k.Listens(k.mode) {
		k.address("listen", addr)
	}
	ops := k.Ops()
	if ops == "" {
		return
	}
	k.address("ops-listen", ops)
	_, port, _ := net.SplitHostPort(ops)
	if slices.ContainsFunc(k.Listens(k.mode), func(a string) bool { return port != "0" && strings.HasSuffix(a, ":"+port) }) {
		k.refuse("ops-listen", "%s has the port of listen, where anybody may call; give it a port of its own, or turn it off", ops)
	}
}

func (k *checker) address(key, addr string) {
	host, port, err := net.SplitHostPort(addr)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		k.refuse(key, "%q is not host:port; write it like 127.0.0.1:4455 or :4455", addr)
		return
	}
	if k.mode == Development && !loopback(host) {
		k.refuse(key, "%s can be reached from other machines, and dev has test people and an open inbox; use 127.0.0.1:%s, or limen serve", addr, port)
	}
}

func (k *checker) proxies() {
	for _, s := range k.TrustedProxies {
		p, err := parsePrefix(s)
		switch {
		case s == "*" || (err == nil && p.Bits() == 0):
			k.refuse("trusted-proxies", "%s believes X-Forwarded-For from everybody, so everybody chooses the address that limits count; list your proxies, like 10.0.0.7 or 10.1.0.0/24", s)
		case err != nil:
			k.refuse("trusted-proxies", "%q is neither an address nor a prefix; write it like 10.0.0.7 or 10.1.0.0/24", s)
		}
	}
}

func (k *checker) storage() {
	db := k.DB.Reveal()
	scheme, _, hasScheme := strings.Cut(db, "://")
	switch {
	case isPostgres(db):
		if _, err := url.Parse(db); err != nil {
			k.refuse("db", "the URL does not parse; write postgres://user:password@host:5432/name and escape special characters of the password")
		}
		if k.mode == Production && k.RootKey == "" {
			k.refuse("root-key", "with PostgreSQL the key must be supplied, or each process would make its own; run openssl rand -base64 32 once and set LIMEN_ROOT_KEY or root-key-file")
		}
	case hasScheme:
		k.refuse("db", "%s:// is not a database that limen knows; use a path for SQLite, or postgres://...", scheme)
	case strings.Contains(db, "host=") || strings.Contains(db, "dbname="):
		k.refuse("db", "this looks like a PostgreSQL keyword string; write it as postgres://user:password@host:5432/name")
	}
	if r := k.Redis.Reveal(); r != "" {
		if _, err := ratelimit.ParseRedis(r); err != nil {
			k.refuse("redis", "%v; write it like redis://host:6379/0 or rediss://user:password@host:6379/0", err)
		}
	}
	if k.RootKey != "" {
		if _, err := secret.ParseRing(k.RootKey.Reveal()); err != nil {
			k.refuse("root-key", "%v", err)
		}
	}
	if k.Data == "" {
		k.refuse("data", "a directory is missing; the default is .limen")
	}
}

func (k *checker) mail() {
	if _, err := account.ParseDomains(k.SignUpDomains, nil); err != nil {
		k.refuse("sign-up-domains", "%v", err)
	}
	if _, err := account.ParseDomains(nil, k.BlockedDomains); err != nil {
		k.refuse("blocked-domains", "%v", err)
	}
	if _, err := mail.ParseRelays(k.SMTP.Reveal()); err != nil {
		k.refuse("smtp", "%v", err)
	}
	for _, a := range []struct{ key, value string }{{"mail-from", k.MailFrom}, {"mail-reply-to", k.MailReplyTo}} {
		if a.value != "" && mail.CheckAddress(a.value) != nil {
			k.refuse(a.key, "%q is not one address; write it like no-reply@example.com or Example <no-reply@example.com>", a.value)
		}
	}
}

// choices repeats what the parser demands, for a Config that was filled by hand.
func (k *checker) choices() {
	for _, c := range []struct{ key, value string }{
		{"sign-up", k.SignUp}, {"enumeration", k.Enumeration}, {"password-preset", k.PasswordPreset},
		{"hash-algorithm", k.HashAlgorithm}, {"refresh-policy", k.RefreshPolicy},
		{"signing-alg", k.SigningAlg}, {"log-format", k.LogFormat}, {"log-level", k.LogLevel}, {"sms-voice", k.SMSVoice},
	} {
		i := slices.IndexFunc(Settings(), func(s Setting) bool { return s.Name == c.key })
		if err := Settings()[i].check(c.value); err != nil {
			k.refuse(c.key, "%v", err)
		}
	}
}

func (k *checker) between(key string, value, least, most int, why string) {
	if value < least || value > most {
		k.refuse(key, "%d is outside %d to %d%s", value, least, most, why)
	}
}

func (k *checker) numbers() {
	k.between("password-min", k.PasswordMin, 8, 64, "; shorter passwords are guessed, longer demands make people write them down")
	k.between("password-max", k.PasswordMax, 64, 256, "; password managers need 64, and hashing has to end")
	k.between("session-cap", k.SessionCap, 1, 10_000, "")
	k.between("hash-waiting", k.HashWaiting, 1, 100_000, "")
	k.between("limit-tries", k.LimitTries, 1, 1_000_000, "; 1000000 is as good as none")
	k.between("limit-messages", k.LimitMessages, 1, 1_000_000, "; 1000000 is as good as none")
	k.between("limit-refreshes", k.LimitRefreshes, 1, 1_000_000, "; 1000000 is as good as none")
	k.between("limit-polls", k.LimitPolls, 1, 1_000_000, "; 1000000 is as good as none")
	k.between("outbox-senders", k.OutboxSenders, 1, 256, "")
	k.between("outbox-rate", k.OutboxRate, 0, 100_000, "")
	k.hashes()
}

// hashes asks the rule itself, so that no setting passes here and fails at the first
// sign-up.
func (k *checker) hashes() {
	before := len(k.problems)
	k.between("hash-memory", k.HashMemory, 1, 1<<20, " KiB")
	k.between("hash-time", k.HashTime, 1, 100, "")
	k.between("hash-cost", k.HashCost, 1, 100, "")
	if len(k.problems) > before || !slices.Contains([]string{factor.Argon2id, factor.Bcrypt}, k.HashAlgorithm) {
		return
	}
	if err := k.hashing().Check(); err != nil {
		key, usual := "hash-memory", "19456 with hash-time 2"
		if k.HashAlgorithm == factor.Bcrypt {
			key, usual = "hash-cost", "12"
		}
		k.refuse(key, "%v; the default is %s", err, usual)
	}
}

const day = 24 * time.Hour

func (k *checker) lifetimes() {
	for _, l := range []struct {
		key   string
		value time.Duration
		most  time.Duration
	}{
		{"access-life", k.AccessLife, day}, {"refresh-idle", k.RefreshIdle, 3650 * day},
		{"refresh-absolute", k.RefreshAbsolute, 3650 * day}, {"refresh-window", k.RefreshWindow, 10 * time.Minute},
		{"strict-window", k.StrictWindow, 10 * time.Minute}, {"fresh-life", k.FreshLife, day},
		{"signing-key-life", k.SigningKeyLife, 3650 * day}, {"signing-overlap", k.SigningOverlap, 365 * day},
		{"code-life", k.CodeLife, factor.CodeLife}, // ASVS 6.5.5
		{"resend-after", k.ResendAfter, time.Hour}, {"handover-life", k.HandoverLife, 10 * time.Minute},
		{"event-retention", k.EventRetention, 36500 * day}, {"shutdown-grace", k.ShutdownGrace, time.Hour},
	} {
		if l.value < time.Second || l.value > l.most {
			k.refuse(l.key, "%s is outside 1s to %s", FormatDuration(l.value), FormatDuration(l.most))
		}
	}
	if k.DeletionGrace != 0 && k.DeletionGrace < time.Second || k.DeletionGrace > 365*day {
		k.refuse("deletion-grace", "%s is neither 0s nor within 1s to %s", FormatDuration(k.DeletionGrace), FormatDuration(365*day))
	}
	k.ordered("access-life", k.AccessLife, "refresh-idle", k.RefreshIdle, "a token would outlive its session")
	k.ordered("refresh-idle", k.RefreshIdle, "refresh-absolute", k.RefreshAbsolute, "the idle limit could never be met")
	k.ordered("refresh-window", k.RefreshWindow, "refresh-idle", k.RefreshIdle, "an old token would outlive its session")
	k.ordered("signing-overlap", k.SigningOverlap, "signing-key-life", k.SigningKeyLife, "the next key would be due before it is published")
}

func (k *checker) ordered(key string, less time.Duration, other string, more time.Duration, harm string) {
	if less > more {
		k.refuse(key, "%s is longer than %s, which is %s: %s; shorten %s or lengthen %s",
			FormatDuration(less), other, FormatDuration(more), harm, key, other)
	}
}

func (k *checker) applications() {
	if n := utf8.RuneCountInString(k.AppName); n == 0 || n > 64 || strings.ContainsFunc(k.AppName, unicode.IsControl) {
		k.refuse("app-name", "it must have 1 to 64 characters, without line breaks")
	}
	for _, s := range k.AllowedOrigins {
		u, ok := origin(s)
		switch {
		case s == "*":
			k.refuse("allowed-origins", "* would let every page on the web act with the cookies of whoever visits it; list the origins of your applications")
		case !ok || (u.Scheme != "https" && u.Scheme != "http") || strings.Contains(u.Host, "*") || strings.HasSuffix(s, "/"):
			k.refuse("allowed-origins", "%q is not an origin; write it like https://app.example.com", s)
		case k.mode == Production && u.Scheme == "http" && !loopback(u.Hostname()):
			k.refuse("allowed-origins", "%s is not https, so anybody on the network can speak in its name; use https://%s", s, u.Host)
		}
	}
	for _, s := range k.RedirectAllow {
		k.redirect(s)
	}
}

var cookieName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (k *checker) redirect(s string) {
	u, err := url.Parse(s)
	switch {
	case s == "*" || strings.Contains(s, "*"):
		k.refuse("redirect-allow", "%q: a sign-in may be sent to exact addresses only; list each of them", s)
	case err != nil || u.Scheme == "":
		k.refuse("redirect-allow", "%q is neither an origin like https://app.example.com nor the URL of a custom scheme like com.example.app:/signed-in", s)
	case u.Scheme == "http" || u.Scheme == "https":
		if _, ok := origin(s); !ok || strings.HasSuffix(s, "/") {
			k.refuse("redirect-allow", "%q is more than an origin; write https://%s, every path of it is allowed then", s, u.Host)
		} else if k.mode == Production && u.Scheme == "http" && !loopback(u.Hostname()) {
			k.refuse("redirect-allow", "%s is not https, so anybody on the network can read the code that is sent there; use https://%s", s, u.Host)
		}
	case !strings.Contains(u.Scheme, "."): // RFC 8252 section 7.1; also keeps javascript:, data: and their like out
		k.refuse("redirect-allow", "the scheme %s: can be claimed by any application; use one made from a domain of yours, like com.example.app:/signed-in", u.Scheme)
	}
}

func (k *checker) cookies() {
	names := map[string]string{}
	for _, c := range []struct{ key, name string }{
		{"cookie-access", k.CookieAccess}, {"cookie-refresh", k.CookieRefresh},
		{"cookie-attempt", k.CookieAttempt}, {"cookie-device", k.CookieDevice},
	} {
		switch {
		case strings.HasPrefix(strings.ToLower(c.name), "__host-") || strings.HasPrefix(strings.ToLower(c.name), "__secure-"):
			k.refuse(c.key, "limen adds the prefix where it belongs; leave it away")
		case !cookieName.MatchString(c.name):
			k.refuse(c.key, "%q is not a name of 1 to 64 letters, digits, dots, hyphens and underscores", c.name)
		case names[c.name] != "":
			k.refuse(c.key, "%q is already the name of %s; give each cookie its own", c.name, names[c.name])
		}
		names[c.name] = c.key
	}
	if k.CookieDomain != "" {
		k.cookieDomain()
	}
}

func (k *checker) cookieDomain() {
	domain := strings.ToLower(k.CookieDomain)
	u, err := url.Parse(k.PublicURL(k.mode))
	if err != nil {
		return // url has been refused already
	}
	host := strings.ToLower(u.Hostname())
	suffix, _ := publicsuffix.PublicSuffix(domain)
	switch {
	case strings.HasPrefix(domain, ".") || strings.ContainsAny(domain, "/:*@ "):
		k.refuse("cookie-domain", "%q is not a domain; write it like example.com, without a dot in front", k.CookieDomain)
	case suffix == domain:
		k.refuse("cookie-domain", "%s belongs to everybody who registers a name under it; use your own domain", domain)
	case isAddress(host) || (host != domain && !strings.HasSuffix(host, "."+domain)):
		k.refuse("cookie-domain", "%s is not a parent of %s, the host of url, so browsers would drop the cookies; use a parent of it, or leave it empty", domain, host)
	}
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func (k *checker) clock() {
	if k.DevClock == "" {
		return
	}
	if k.mode == Production {
		k.refuse("dev-clock", "a clock that can be set makes every expiry void; remove it, or use limen dev")
		return
	}
	if _, err := k.Clock(time.Time{}); err != nil {
		k.refuse("dev-clock", "%q is neither an instant like 2030-01-31T08:00:00Z nor a distance like 31d", k.DevClock)
	}
}
