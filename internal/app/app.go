package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/api"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/breach"
	"github.com/limenauth/limen/internal/dev"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/pages"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/slots"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/text"
	"github.com/limenauth/limen/internal/web"
)

// App is a limen that has been built and not been started: Handler answers, Run does the
// jobs, Close lets go.
type App struct {
	Config  *Config
	Mode    Mode
	URL     string
	Clock   Clock
	Log     *slog.Logger
	Store   *store.Store
	Limits  *ratelimit.Limiter
	Queue   *slots.Queue
	Auth    *auth.Auth
	Issuer  *issuer.Issuer
	Post    *letters.Post
	Inbox   *mail.Inbox // development only
	Metrics *metrics.Metrics
	Handler *web.Hallway

	catalogue *text.Catalogue
	redis     *ratelimit.Redis
	relays    *mail.Relays // nil when no relay is set
	draining  context.Context
	drain     context.CancelFunc // tells streams to end
}

// maxCounters bounds the addresses and accounts that limits are counted for in memory.
const maxCounters = 200_000

// redisPatience is how long a start waits for Redis.
const redisPatience = 5 * time.Second

// Build makes every room of a checked configuration. It opens the database and migrates
// it; what it opened is closed again when it fails.
func Build(ctx context.Context, cfg *Config, mode Mode, clock Clock, log *slog.Logger) (_ *App, err error) {
	a := &App{Config: cfg, Mode: mode, URL: cfg.PublicURL(mode), Clock: clock, Log: log, Metrics: metrics.New()}
	a.draining, a.drain = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	database := cfg.store(mode, clock, log)
	if mode == Operation {
		if database.Kind, err = kindOf(ctx, cfg, database); err != nil {
			return nil, err
		}
	}
	ring, err := cfg.rootKeys(mode, mode != Operation)
	if err != nil {
		return nil, err
	}
	database.Ring = ring
	if a.Store, err = store.Open(ctx, database); err != nil {
		return nil, asProblem(err)
	}
	if a.catalogue, err = text.Load(); err != nil {
		return nil, err
	}
	if err := a.buildTools(ctx); err != nil {
		return nil, err
	}
	if err := a.buildDeeds(ctx, ring); err != nil {
		return nil, err
	}
	if mode != Operation {
		err = a.buildDoors()
	}
	return a, err
}

// kindOf is what an existing database was born as: the command line works on either kind.
func kindOf(ctx context.Context, cfg *Config, c store.Config) (store.Kind, error) {
	kind, err := store.KindOf(ctx, c)
	if err != nil || kind != "" {
		return kind, err
	}
	where := c.SQLite
	if where == "" {
		where = "that address"
	}
	return "", Problems{{Key: "db", From: cfg.from["db"], Text: "there is no database of limen at " + where +
		" yet; limen dev makes one for development, limen serve or limen migrate up one for production. If there should be one, name it by data or db"}}
}

// asProblem tells what is wrong with a database in the words of the settings.
func asProblem(err error) error {
	for cause, setting := range map[error]string{
		store.ErrKind: "db", store.ErrRootKey: "root-key", store.ErrNewerSchema: "db",
	} {
		if errors.Is(err, cause) {
			return Problems{{Key: setting, Text: err.Error()}}
		}
	}
	return err
}

// store says which database to open; the ring is still missing.
func (c *Config) store(mode Mode, clock Clock, log *slog.Logger) store.Config {
	db := c.Database()
	kind := store.Production
	if mode == Development {
		kind = store.Development
	}
	s := store.Config{Kind: kind, Now: clock.Now, Log: log}
	if db.Postgres {
		s.Postgres = db.URL.Reveal()
	} else {
		s.SQLite = db.Path
	}
	return s
}

func (a *App) buildTools(ctx context.Context) error {
	a.Queue = slots.New(runtime.GOMAXPROCS(0), a.Config.HashWaiting, time.Now)
	a.Metrics.WatchQueue(func() metrics.Queue {
		q := a.Queue.Stats()
		return metrics.Queue{Running: q.Running, Waiting: q.Waiting, Done: int64(q.Done), Refused: int64(q.Refused)}
	})
	memory := ratelimit.NewMemory(maxCounters)
	a.Limits = &ratelimit.Limiter{Counter: memory}
	if a.Config.Redis == "" {
		return nil
	}
	address, err := ratelimit.ParseRedis(a.Config.Redis.Reveal())
	if err != nil {
		return Problems{{Key: "redis", From: a.Config.from["redis"], Text: err.Error()}}
	}
	a.redis = ratelimit.NewRedis(address)
	if a.Mode == Operation {
		return nil // an operator counts nothing, and can ban somebody while Redis is away
	}
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	if err := a.redis.Ping(ctx); err != nil {
		return fmt.Errorf("redis: the server does not answer (start it, or remove the setting to count in memory): %w", err)
	}
	a.Limits = &ratelimit.Limiter{Counter: a.redis, Fallback: memory, OnFailure: a.fellBack}
	return nil
}

func (a *App) fellBack(err error) {
	a.Metrics.FellBack()
	a.Log.Warn("limits: Redis failed, so this process counts for itself", "error", err)
}

func (c *Config) lifetimes() session.Lifetimes {
	return session.Lifetimes{
		Access: c.AccessLife, Idle: c.RefreshIdle, Absolute: c.RefreshAbsolute, Window: c.RefreshWindow, StrictWindow: c.StrictWindow,
	}
}

func (c *Config) hashing() factor.Hashing {
	if c.HashAlgorithm == factor.Bcrypt {
		return factor.Hashing{Algorithm: c.HashAlgorithm, Cost: c.HashCost}
	}
	return factor.Hashing{
		Algorithm: c.HashAlgorithm, MemoryKiB: uint32(c.HashMemory), Time: uint32(c.HashTime), Threads: 1, // the queue gives each hash one core
	}
}

func (a *App) buildDeeds(ctx context.Context, ring *secret.Ring) error {
	cfg := a.Config
	domains, err := cfg.domains()
	if err != nil {
		return err
	}
	breached := []*breach.Filter{breach.Builtin()}
	if cfg.BreachedFile != "" {
		more, err := breach.LoadFile(cfg.BreachedFile)
		if err != nil {
			return Problems{{Key: "breached-file", From: cfg.from["breached-file"], Text: err.Error() +
				"; name a text file with one password or SHA-1 hash in each line, or leave the setting away for the built-in list alone"}}
		}
		breached = append(breached, more)
	}
	renderer, err := cfg.renderer(a.catalogue, a.URL, a.Mode != Operation)
	if err != nil {
		return err
	}
	a.Post = (&letters.Post{
		Store: a.Store, Sealer: ring.Sealer("outbox"), Render: renderer, From: cfg.sender(a.URL), Now: a.Clock.Now, Log: a.Log,
		Counts: a.Metrics, Senders: cfg.OutboxSenders, Rate: float64(cfg.OutboxRate), Grace: cfg.ShutdownGrace,
	}).Open()
	if a.Post.Sender, err = a.mailer(); err != nil {
		return err
	}
	keys := auth.NewKeys(ring)
	phones, guard, err := a.texts(keys)
	if err != nil {
		return err
	}
	a.Post.Phones, a.Post.Voice = phones, cfg.SMSVoice == "on"
	a.Metrics.WatchOutbox(a.backlogs)
	redirects, err := oauth.ParseAllowList(a.URL, a.redirects())
	if err != nil {
		return fmt.Errorf("redirect-allow: %w", err)
	}
	a.Auth = &auth.Auth{
		Store: a.Store, Limits: a.Limits, Queue: a.Queue, Hashing: cfg.hashing(), Post: a.Post, Texts: guard, Spray: auth.NewSpray(),
		Counts: a.Metrics, Keys: keys,
		Now: a.Clock.Now, Log: a.Log,
		Rules: auth.Rules{
			Strict: cfg.Enumeration != "off", Closed: cfg.SignUp == "closed", Domains: domains,
			Passwords: factor.Rules{
				MinLength: cfg.ShortestPassword(), MaxLength: cfg.PasswordMax, Breached: breach.Any(breached...),
			},
			Lifetimes: cfg.lifetimes(), SessionCap: cfg.SessionCap, CodeLife: cfg.CodeLife, ResendAfter: cfg.ResendAfter,
			FreshFor: cfg.FreshLife, HandoverLife: cfg.HandoverLife, Redirects: redirects, PublicURL: a.URL, DeletionGrace: cfg.DeletionGrace,
			DefaultLocale: "en", TestCodes: a.Mode == Development,
		},
	}
	audience := cfg.Audience
	if audience == "" {
		audience = a.URL
	}
	a.Issuer = &issuer.Issuer{
		Store: a.Store, Keys: issuer.NewKeys(ring), Now: a.Clock.Now, Log: a.Log, Counts: a.Metrics,
		Reused: a.Auth.NotifyReuse,
		Terms: issuer.Terms{
			Issuer: a.URL, Audience: audience, Lifetimes: cfg.lifetimes(), Policy: session.Policy(cfg.RefreshPolicy),
			Algorithm: issuer.Algorithm(cfg.SigningAlg), KeyLife: cfg.SigningKeyLife, KeyOverlap: cfg.SigningOverlap,
		},
	}
	if a.Mode == Operation {
		return a.Issuer.OpenBeside(ctx)
	}
	return a.Issuer.Open(ctx)
}

func (a *App) redirects() []string {
	allowed := a.Config.RedirectAllow
	if a.Mode == Development {
		allowed = append([]string{"http://localhost:*", "http://127.0.0.1:*"}, allowed...)
	}
	return allowed
}

func (a *App) buildDoors() error {
	public, err := url.Parse(a.URL)
	if err != nil {
		return err
	}
	a.Handler = &web.Hallway{
		Now: a.Clock.Now, PublicURL: public, Development: a.Mode == Development, AllowedOrigins: a.Config.AllowedOrigins,
		TrustedProxies: a.Config.Proxies(), CookieDomain: a.Config.CookieDomain,
		Cookies: web.CookieNames{
			Access: a.Config.CookieAccess, Refresh: a.Config.CookieRefresh, Attempt: a.Config.CookieAttempt, Device: a.Config.CookieDevice,
		},
		Budgets: map[string]int{
			"try": a.Config.LimitTries, "letter": a.Config.LimitMessages, "refresh": a.Config.LimitRefreshes, "poll": a.Config.LimitPolls,
		},
		CodesURL: CodesURL, Limits: a.Limits, Metrics: a.Metrics, Log: a.Log,
		Authenticate: a.authenticate, CheckKey: a.checkKey, Serving: a.Queue.Serving, Draining: a.draining,
	}
	door := &api.API{
		Auth: a.Auth, Issuer: a.Issuer, Client: a.client(), Ready: a.Ready, Document: a.Handler.OpenAPI,
		Metrics: a.Metrics.Handler(),
	}
	screens, err := a.pages(public)
	if err != nil {
		return err
	}
	a.Handler.Renew, a.Handler.RefusePage = screens.Renew, screens.Refuse
	tables := []web.Table{door.Table(), screens.Table()}
	if a.Mode == Development {
		development := &dev.Dev{Inbox: a.Inbox, Clock: a.Clock, ParseDuration: ParseDuration, ForgetLimits: a.Limits.Forget}
		tables = append(tables, development.Table())
	}
	return a.Handler.Open(tables...)
}

func (a *App) pages(public *url.URL) (*pages.Pages, error) {
	renderer, err := pages.NewRenderer()
	if err != nil {
		return nil, err
	}
	p := &pages.Pages{
		Auth: a.Auth, Issuer: a.Issuer, Renderer: renderer, Catalogue: a.catalogue, AppName: a.Config.AppName, PublicURL: public,
		MinLength: a.Config.ShortestPassword(), SignUp: a.Config.SignUp == "open",
	}
	if a.Mode == Development {
		p.Inbox, p.ForgetInbox = a.letterRows, a.Inbox.Forget
	}
	return p, nil
}

// CodesURL is the page that explains the error codes, one by one.
const CodesURL = "https://github.com/limenauth/limen/blob/main/docs/error-codes.md"

func (a *App) authenticate(ctx context.Context, token secret.Text, _ time.Time) (*web.Actor, error) {
	who, err := a.Issuer.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	return &web.Actor{Account: who.Account, Session: who.Session}, nil
}

func (a *App) checkKey(ctx context.Context, key secret.Text, scope string, _ time.Time) (string, error) {
	return a.Issuer.AuthorizeServerKey(ctx, key, scope)
}

// client is what a sign-in screen may know.
func (a *App) client() api.Client {
	c := api.Client{
		Name: a.Config.AppName, URL: a.URL, Enumeration: a.Config.Enumeration, SignUp: a.Config.SignUp == "open",
		Methods: []string{"password"}, Identifiers: []string{"email", "username"},
		Password:  api.PasswordRules{MinLength: a.Config.ShortestPassword(), MaxLength: a.Config.PasswordMax},
		Providers: []string{}, Branding: map[string]any{}, Features: map[string]bool{"letters": a.Post.Ready(), "texts": a.Post.CanText()},
	}
	if a.Post.Ready() {
		c.Methods = append(c.Methods, "email_link", "email_code")
	}
	if a.Post.CanText() {
		c.Methods, c.Identifiers = append(c.Methods, "phone_code", "phone_link"), append(c.Identifiers, "phone")
	}
	for _, l := range a.catalogue.Languages() {
		c.Locales = append(c.Locales, l.Tag)
	}
	return c
}

// Ready reports whether the server can do its work: the database answers.
func (a *App) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return a.Store.Ping(ctx)
}

// Close lets everything go that Build opened.
func (a *App) Close() error {
	a.drain()
	if a.redis != nil {
		a.redis.Close()
	}
	if a.relays != nil {
		_ = a.relays.Close() // it only says goodbye
	}
	if a.Store != nil {
		return a.Store.Close()
	}
	return nil
}

// Logger makes the log that the settings ask for.
func (c *Config) Logger(out interface{ Write([]byte) (int, error) }) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(c.LogLevel))); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
