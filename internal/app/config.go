package app

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/secret"
)

// Mode says which set of demands a configuration has to meet.
type Mode string

// The modes. Development binds loopback only and opens only a development database;
// Production opens only a production one; Operation is the command line working on
// either, without serving anything.
const (
	Development Mode = "dev"
	Production  Mode = "serve"
	Operation   Mode = "operate"
)

// Config is every setting of limen. The tags are the documentation: `limen serve
// --help`, docs/configuration.md and limen.example.toml are printed from them.
//
// A setting has one name. On the command line it is --access-life, in the environment
// LIMEN_ACCESS_LIFE, in limen.toml and limen.json access-life. The first of these
// that is present wins; then comes the default. A list is written with commas, or as
// an array in the file. A duration is written 90s, 15m, 24h or 30d.
//
// Tags beyond those of the flag parser: unset says what an empty value means, secret
// marks what no message may show and what a sibling *-file setting may hold instead.
//
// A Config is filled by Load or ConfigOf, and is not used before Check.
type Config struct {
	ConfigFile string `name:"config" group:"Files" placeholder:"FILE" unset:"limen.toml or limen.json in the working directory, if there is one" help:"The file that holds settings. Its keys are the names on this page."`

	URL            string   `name:"url" group:"Addresses" placeholder:"https://auth.example.com" unset:"in dev: http://localhost with the port of listen" help:"The address people and applications use. Every link, cookie and token is made from it, never from the Host of a request. It is scheme and host, without a path: limen takes a whole host."`
	Listen         []string `name:"listen" group:"Addresses" placeholder:"HOST:PORT" unset:"in dev: 127.0.0.1:4455 and [::1]:4455; in serve: :4455" help:"Where limen answers, in clear HTTP: in production a reverse proxy in front of it speaks TLS. dev accepts loopback addresses only."`
	OpsListen      string   `name:"ops-listen" group:"Addresses" default:"127.0.0.1:4456" placeholder:"HOST:PORT" unset:"off" help:"Where metrics and the detail of readiness are served. Anybody who reaches this address may read them. An empty value or off turns it off."`
	TrustedProxies []string `name:"trusted-proxies" group:"Addresses" placeholder:"PREFIX" unset:"none: X-Forwarded-For is ignored" help:"Addresses or prefixes of the reverse proxies whose X-Forwarded-For is believed, read from right to left. List exactly the proxies: a prefix that holds clients lets them choose their address and slip through every limit."`

	Data        string      `name:"data" group:"Storage" default:".limen" placeholder:"DIR" help:"The directory for the SQLite database and the generated root key. It is created with mode 0700."`
	DB          secret.Text `name:"db" group:"Storage" secret:"" placeholder:"PATH|postgres://..." unset:"limen.db in the data directory" help:"The database: a path for SQLite, or the URL of a PostgreSQL database."`
	DBFile      string      `name:"db-file" group:"Storage" placeholder:"FILE" help:"A file that holds the value of db, for URLs with a password."`
	Redis       secret.Text `name:"redis" group:"Storage" secret:"" placeholder:"redis://HOST:PORT/N" unset:"limits are counted in memory, by each process for itself" help:"A Redis server that shares rate limits between processes. It holds only what may be lost."`
	RedisFile   string      `name:"redis-file" group:"Storage" placeholder:"FILE" help:"A file that holds the value of redis, for URLs with a password."`
	RootKey     secret.Text `name:"root-key" group:"Storage" secret:"" kong:"-" unset:"generated at the first start into root.key in the data directory; with PostgreSQL it must be supplied" help:"The key that every other key is derived from: base64 of 32 random bytes (openssl rand -base64 32). Several keys, the current one first, are separated by white space. There is no such flag, because arguments are visible to every user of the machine."`
	RootKeyFile string      `name:"root-key-file" group:"Storage" placeholder:"FILE" help:"A file that holds the value of root-key. Keep it out of the backups of the database."`

	AppName        string   `name:"app-name" group:"Applications" default:"limen" help:"The name people read on pages and in letters."`
	Audience       string   `name:"audience" group:"Applications" unset:"the public URL" help:"The aud claim of access tokens: what your services expect."`
	AllowedOrigins []string `name:"allowed-origins" group:"Applications" placeholder:"ORIGIN" unset:"none but limen's own; in dev also http://localhost at any port" help:"Origins of browser applications that may call the API with cookies (CORS)."`
	RedirectAllow  []string `name:"redirect-allow" group:"Applications" placeholder:"ORIGIN|SCHEME:..." unset:"limen's own pages only; in dev also http://localhost at any port" help:"Where a completed sign-in may send the browser: origins, matched exactly, or the whole URL of a custom scheme."`

	CookieDomain  string `name:"cookie-domain" group:"Cookies" placeholder:"DOMAIN" unset:"the host of the public URL alone (__Host-)" help:"A parent domain whose hosts all receive the session cookies (__Secure- instead of __Host-). Every one of these hosts can then act as the signed-in person. The cookie of an attempt is never shared."`
	CookieAccess  string `name:"cookie-access" group:"Cookies" default:"limen_access" help:"Name of the access cookie, without its prefix."`
	CookieRefresh string `name:"cookie-refresh" group:"Cookies" default:"limen_refresh" help:"Name of the refresh cookie, without its prefix."`
	CookieAttempt string `name:"cookie-attempt" group:"Cookies" default:"limen_attempt" help:"Name of the cookie that holds an attempt, without its prefix."`
	CookieDevice  string `name:"cookie-device" group:"Cookies" default:"limen_device" help:"Name of the cookie that holds the device secret, without its prefix."`

	DeletionGrace  time.Duration `name:"deletion-grace" group:"People" default:"7d" unset:"an account is gone as soon as its person deletes it" help:"How long people can take back the deletion of their account, with the link of a letter. 0s deletes at once, and so does a server without a mail relay."`
	SignUp         string        `name:"sign-up" group:"People" default:"open" enum:"open,closed" help:"Whether strangers may sign up. When closed, accounts are made by limen user create, and limen user invite sends a letter as well: sign-up by invitation only."`
	SignUpDomains  []string      `name:"sign-up-domains" group:"People" placeholder:"DOMAIN" unset:"every domain" help:"The domains whose addresses alone may make an account: example.com, or *.example.com for all below it. Then a username or a number alone makes no account, and the last such address of an account cannot be removed. Who has an account keeps it."`
	BlockedDomains []string      `name:"blocked-domains" group:"People" placeholder:"DOMAIN" unset:"none" help:"Domains whose addresses may not make an account."`
	BlockedFile    string        `name:"blocked-domains-file" group:"People" placeholder:"FILE" help:"A file of more such domains, one in a line, as lists of disposable addresses are kept."`
	Enumeration    string        `name:"enumeration" group:"People" default:"strict" enum:"strict,off" help:"strict: no answer tells whether an address has an account. off: sign-up says that an address is taken."`
	PasswordMin    int           `name:"password-min" group:"People" default:"8" help:"The fewest code points of a password: 8 to 64."`
	PasswordMax    int           `name:"password-max" group:"People" default:"256" help:"The most code points of a password: 64 to 256."`
	PasswordPreset string        `name:"password-preset" group:"People" default:"none" enum:"none,nist" help:"nist raises password-min to 15, what NIST SP 800-63B-4 asks where the password is the only factor."`
	BreachedFile   string        `name:"breached-file" group:"People" placeholder:"FILE" unset:"the built-in list of common passwords alone" help:"A text file of further passwords that are refused, in UTF-8: one password or SHA-1 hash in each line. A file that is no text is refused at start."`

	HashAlgorithm string `name:"hash-algorithm" group:"Password hashing" default:"argon2id" enum:"argon2id,bcrypt" help:"How new passwords are hashed. Older hashes are upgraded when their owner signs in."`
	HashMemory    int    `name:"hash-memory" group:"Password hashing" default:"19456" placeholder:"KIB" help:"KiB of memory for one argon2id hash. limen doctor measures what this machine can bear."`
	HashTime      int    `name:"hash-time" group:"Password hashing" default:"2" help:"Passes of one argon2id hash."`
	HashCost      int    `name:"hash-cost" group:"Password hashing" default:"12" help:"Cost of one bcrypt hash."`
	HashWaiting   int    `name:"hash-waiting" group:"Password hashing" default:"512" help:"How many requests may wait for their turn to hash. One more is answered 503 with Retry-After."`

	AccessLife      time.Duration `name:"access-life" group:"Sessions" default:"15m" help:"Life of an access token. A service that checks tokens by signature alone accepts a signed-out person for this long."`
	RefreshIdle     time.Duration `name:"refresh-idle" group:"Sessions" default:"30d" help:"A session that is not refreshed for this long has ended."`
	RefreshAbsolute time.Duration `name:"refresh-absolute" group:"Sessions" default:"90d" help:"A session ends this long after its sign-in, used or not."`
	RefreshPolicy   string        `name:"refresh-policy" group:"Sessions" default:"resilient" enum:"resilient,strict" help:"resilient: a repeated refresh is answered with the same successor, so two tabs and lost answers sign nobody out. strict: every refresh token works once."`
	RefreshWindow   time.Duration `name:"refresh-window" group:"Sessions" default:"30s" help:"resilient: how long the previous refresh token is answered with its successor again."`
	StrictWindow    time.Duration `name:"strict-window" group:"Sessions" default:"10s" help:"strict: how long the previous refresh token is answered refresh_superseded instead of ending the session."`
	SessionCap      int           `name:"session-cap" group:"Sessions" default:"50" help:"How many live sessions one person may have. A new sign-in ends the one that was idle longest."`
	FreshLife       time.Duration `name:"fresh-life" group:"Sessions" default:"10m" help:"How long a proof counts as fresh for changing a password or deleting an account."`

	SigningAlg     string        `name:"signing-alg" group:"Signing keys" default:"ES256" enum:"ES256,EdDSA,RS256" help:"The algorithm of new signing keys. A change takes effect with the next rotation."`
	SigningKeyLife time.Duration `name:"signing-key-life" group:"Signing keys" default:"90d" help:"How long one key signs before the next one takes over."`
	SigningOverlap time.Duration `name:"signing-overlap" group:"Signing keys" default:"24h" help:"How long the next key is published before it signs, so that no service meets an unknown kid. It must be longer than services cache the key set."`

	CodeLife     time.Duration `name:"code-life" group:"Codes" default:"10m" help:"Life of a six-digit code, at most 10m."`
	ResendAfter  time.Duration `name:"resend-after" group:"Codes" default:"30s" help:"How long one waits before asking for another letter."`
	HandoverLife time.Duration `name:"handover-life" group:"Codes" default:"1m" help:"Life of the one-time code that an application on another origin exchanges for its tokens."`

	LimitTries     int `name:"limit-tries" group:"Limits" default:"60" help:"How many calls of one network that try a password, a code or a link, or change an account, may fail in 10 minutes. A network is a /24 of IPv4 or a /64 of IPv6; a /48 of IPv6 has five times as much of each of these limits. Raise them where many people share one address. In dev they do not apply to loopback addresses."`
	LimitMessages  int `name:"limit-messages" group:"Limits" default:"60" help:"How many calls of one network that may send a message, such as sign-up, sign-in by email and recovery, are answered in an hour; half of them at once."`
	LimitRefreshes int `name:"limit-refreshes" group:"Limits" default:"300" help:"How many refreshes and sign-outs of one network may fail in 10 minutes."`
	LimitPolls     int `name:"limit-polls" group:"Limits" default:"120" help:"How often screens of one network may ask in a minute how their attempts stand."`

	OutboxSenders int `name:"outbox-senders" group:"Letters" default:"16" help:"How many letters that people wait for are handed over at once; half as many letters of campaigns beside them. The relay must allow as many connections: 24 with the default."`
	OutboxRate    int `name:"outbox-rate" group:"Letters" default:"0" placeholder:"N" help:"The most letters by e-mail in a second, by each process: what the relay allows. Campaigns are slowed down to keep it; letters that people wait for are counted and never wait. 0 is no bound."`

	LetterTemplates string `name:"letter-templates" group:"Letters" placeholder:"DIR" unset:"letters look as limen makes them" help:"A directory of templates that replace the looks of letters: letter.html for all of them, sign_in.html and sign_in.txt for one. They are read and tried once, at the start; limen mail preview shows what comes out. docs/letters.md tells what may stand in them."`

	SMTP        secret.Text `name:"smtp" group:"Mail" secret:"" placeholder:"smtp://USER:PASSWORD@HOST:587" unset:"no letter leaves; in dev they are kept in the inbox" help:"The mail relays, separated by commas: the first that is well takes the letter. smtp:// demands STARTTLS, smtps:// speaks TLS from the start, smtp+insecure:// encrypts nothing and is for this machine alone. Special characters of the password are percent-encoded."`
	SMTPFile    string      `name:"smtp-file" group:"Mail" placeholder:"FILE" help:"A file that holds the value of smtp, one relay in a line."`
	MailFrom    string      `name:"mail-from" group:"Mail" placeholder:"NAME <ADDRESS>" unset:"no-reply at the host of the public URL" help:"Whom letters come from: an address, or a name and an address. The relay must be allowed to send for its domain (SPF, DKIM, DMARC)."`
	MailReplyTo string      `name:"mail-reply-to" group:"Mail" placeholder:"NAME <ADDRESS>" unset:"answers go to mail-from" help:"Where answers to letters go."`

	SMS                secret.Text `name:"sms" group:"SMS" secret:"" placeholder:"PROVIDER://..." unset:"no message leaves; in dev they are kept in the inbox" help:"Who carries messages to phones, separated by commas: the first that is well takes the message. twilio://SID:TOKEN@?from=+15005550006, sns://KEY:SECRET@eu-central-1?sender=NAME, vonage://KEY:SECRET@?from=NAME, messagebird://KEY@?from=NAME, or webhook+https://sms.example.com/send?secret=SECRET for a program of your own. Special characters are percent-encoded."`
	SMSFile            string      `name:"sms-file" group:"SMS" placeholder:"FILE" help:"A file that holds the value of sms, one provider in a line."`
	SMSCountries       []string    `name:"sms-countries" group:"SMS" placeholder:"CODE" unset:"none: no message is sent to any number" help:"The countries whose numbers may be sent to, by their ISO 3166 codes: CH,DE. Whoever earns from calls to a range of numbers makes others send there, so list only where your people are."`
	SMSVoice           string      `name:"sms-voice" group:"SMS" default:"off" enum:"on,off" help:"on: a code that cannot be sent as a text is read out over a call. It needs a provider that calls: twilio from a number, messagebird, or a webhook."`
	SMSPerNumber       int         `name:"sms-per-number" group:"SMS" default:"5" help:"The most messages to one number in an hour. Half of each of these budgets can be used up at once, the rest over the hour or the day."`
	SMSPerNumberDaily  int         `name:"sms-per-number-daily" group:"SMS" default:"10" help:"The most messages to one number in a day."`
	SMSPerNetwork      int         `name:"sms-per-network" group:"SMS" default:"20" help:"The most messages that one network (/24 of IPv4, /64 of IPv6) causes in an hour."`
	SMSPerNetworkDaily int         `name:"sms-per-network-daily" group:"SMS" default:"50" help:"The most messages that one network causes in a day."`
	SMSPerPrefix       int         `name:"sms-per-prefix" group:"SMS" default:"200" help:"The most messages in an hour to numbers that begin alike: with the calling code and two more digits, in North America with the area code."`
	SMSPerPrefixDaily  int         `name:"sms-per-prefix-daily" group:"SMS" default:"1000" help:"The most messages in a day to numbers that begin alike."`
	SMSDaily           int         `name:"sms-daily" group:"SMS" default:"2000" help:"The most messages in a day, all together: what a day may cost."`
	SMSBreaker         int         `name:"sms-breaker" group:"SMS" default:"30" help:"How many messages to numbers that begin alike are too few to judge them by. When this many were sent within six hours and fewer than one in ten codes came back, such numbers are answered sms_paused."`

	EventRetention time.Duration `name:"event-retention" group:"Operation" default:"365d" help:"How long the record of what happened is kept."`
	LogFormat      string        `name:"log-format" group:"Operation" default:"text" enum:"text,json" help:"The form of everything on standard output. With json every line is one JSON object, from the start to the end."`
	LogLevel       string        `name:"log-level" group:"Operation" default:"info" enum:"debug,info,warn,error" help:"The least important line that is logged."`
	ShutdownGrace  time.Duration `name:"shutdown-grace" group:"Operation" default:"15s" help:"How long running requests may take to finish after a signal to stop."`
	DevClock       string        `name:"dev-clock" group:"Operation" placeholder:"INSTANT|DURATION" unset:"the time of the machine" help:"dev only: where the development clock starts, as an RFC 3339 instant or as a distance from now."`

	from map[string]string // where each value came from, for messages; nil when filled by hand
}

// Database says where truth is kept.
type Database struct {
	Postgres bool
	URL      secret.Text // PostgreSQL only
	Path     string      // SQLite only
}

// Database reads the setting db. Check has refused what is neither.
func (c *Config) Database() Database {
	db := c.DB.Reveal()
	if isPostgres(db) {
		return Database{Postgres: true, URL: c.DB}
	}
	path := strings.TrimPrefix(db, "sqlite:")
	if path == "" {
		path = filepath.Join(c.Data, "limen.db")
	}
	return Database{Path: path}
}

func isPostgres(db string) bool {
	return strings.HasPrefix(db, "postgres://") || strings.HasPrefix(db, "postgresql://")
}

// GeneratedRootKey is the file that a root key is generated into when none is supplied.
func (c *Config) GeneratedRootKey() string { return filepath.Join(c.Data, "root.key") }

// Listens are the addresses to bind in mode.
func (c *Config) Listens(mode Mode) []string {
	switch {
	case len(c.Listen) > 0:
		return slices.Clone(c.Listen)
	case mode == Production:
		return []string{":4455"}
	default:
		return []string{"127.0.0.1:4455", "[::1]:4455"}
	}
}

// Ops is the address for metrics and detail, or nothing when it is off.
func (c *Config) Ops() string {
	if c.OpsListen == "off" {
		return ""
	}
	return c.OpsListen
}

// PublicURL is the public URL in mode, without a trailing slash.
func (c *Config) PublicURL(mode Mode) string {
	if c.URL != "" || mode == Production {
		return strings.TrimSuffix(c.URL, "/")
	}
	_, port, err := net.SplitHostPort(c.Listens(mode)[0])
	if err != nil || port == "" {
		port = "4455"
	}
	return "http://localhost:" + port
}

// Proxies are the trusted proxies. What does not parse is left out; Check refuses it.
func (c *Config) Proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range c.TrustedProxies {
		if p, err := parsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// ShortestPassword is password-min after the preset.
func (c *Config) ShortestPassword() int {
	if c.PasswordPreset == "nist" {
		return max(c.PasswordMin, 15)
	}
	return c.PasswordMin
}

// Clock is where the development clock stands when the machine's clock shows now.
func (c *Config) Clock(now time.Time) (time.Time, error) {
	if c.DevClock == "" {
		return now, nil
	}
	if at, err := time.Parse(time.RFC3339, c.DevClock); err == nil {
		return at, nil
	}
	d, err := ParseDuration(c.DevClock)
	return now.Add(d), err
}

// Notes are what an operator should know about a configuration that is allowed.
func (c *Config) Notes(mode Mode) []string {
	var notes []string
	if mode != Production {
		return nil
	}
	if c.SMTP == "" {
		notes = append(notes, "smtp is empty, so no letter leaves: sign-up by e-mail and recovery answer 503. Name a mail relay, or make accounts by limen user create.")
	}
	if c.SMS != "" && len(c.SMSCountries) == 0 {
		notes = append(notes, "sms-countries is empty, so no message is sent to any number. List the countries of your people, like CH,DE.")
	}
	if len(c.TrustedProxies) == 0 {
		notes = append(notes, "trusted-proxies is empty: behind a reverse proxy every client has the proxy's address, and limits hit all of them together.")
	}
	if c.Redis == "" && c.Database().Postgres {
		notes = append(notes, "redis is empty: if you run several processes, each of them counts limits for itself.")
	}
	return notes
}

// origin reads s as a bare origin: scheme, host and port, nothing more.
func origin(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	ok := err == nil && u.Host != "" && u.Hostname() != "" && u.User == nil && u.Opaque == "" &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" && !u.ForceQuery && !strings.HasSuffix(s, "#")
	return u, ok
}

// loopback reports whether host names this machine only.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
