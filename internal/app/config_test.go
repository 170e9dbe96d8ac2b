package app_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/app"
)

// load reads a configuration from files in a new directory, an environment and flags.
func load(t *testing.T, files map[string]string, environ []string, args ...string) (*app.Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range environ {
		environ[i] = strings.ReplaceAll(environ[i], "$DIR", dir)
	}
	return app.Load(args, environ, dir)
}

func TestDefaultsParseAndPass(t *testing.T) {
	c := app.Defaults()
	if err := c.Check(app.Development); err != nil {
		t.Fatal(err)
	}
	if c.AccessLife != 15*time.Minute || c.RefreshIdle != 30*24*time.Hour || c.RefreshAbsolute != 90*24*time.Hour {
		t.Errorf("lifetimes: %v %v %v", c.AccessLife, c.RefreshIdle, c.RefreshAbsolute)
	}
	if c.Enumeration != "strict" || c.RefreshPolicy != "resilient" || len(c.AllowedOrigins) != 0 || len(c.RedirectAllow) != 0 {
		t.Errorf("the defaults are not the strict ones: %+v", c)
	}
	c.URL = "https://auth.example.com"
	if err := c.Check(app.Production); err != nil {
		t.Errorf("serve needs more than a URL: %v", err)
	}
}

func TestNearestSourceWins(t *testing.T) {
	toml := map[string]string{"limen.toml": "access-life = \"3m\"\nallowed-origins = [\"https://a.example\", \"https://b.example\"]\nsession-cap = 7\n"}
	for _, test := range []struct {
		name    string
		files   map[string]string
		environ []string
		args    []string
		want    time.Duration
	}{
		{"default", nil, nil, nil, 15 * time.Minute},
		{"file over default", toml, nil, nil, 3 * time.Minute},
		{"environment over file", toml, []string{"LIMEN_ACCESS_LIFE=2m"}, nil, 2 * time.Minute},
		{"flag over environment", toml, []string{"LIMEN_ACCESS_LIFE=2m"}, []string{"--access-life", "1m"}, time.Minute},
		{"json", map[string]string{"limen.json": `{"access-life":"4m"}`}, nil, nil, 4 * time.Minute},
		{"named by variable", map[string]string{"other.json": `{"access-life":"5m"}`}, []string{"LIMEN_CONFIG=$DIR/other.json"}, nil, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := load(t, test.files, test.environ, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if c.AccessLife != test.want {
				t.Errorf("access-life is %v, want %v", c.AccessLife, test.want)
			}
			if test.files["limen.toml"] != "" && (fmt.Sprint(c.AllowedOrigins) != "[https://a.example https://b.example]" || c.SessionCap != 7) {
				t.Errorf("allowed-origins %q, session-cap %d", c.AllowedOrigins, c.SessionCap)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	toml := func(s string) map[string]string { return map[string]string{"limen.toml": s} }
	for _, test := range []struct {
		name    string
		files   map[string]string
		environ []string
		want    []string
	}{
		{"misspelt key", toml(`acces-life = "1m"`), nil, []string{`acces-life (from limen.toml): there is no such setting; did you mean "access-life"?`}},
		{"underscores", toml(`access_life = "1m"`), nil, []string{`did you mean "access-life"?`}},
		{"another program's word", toml(`jwt_secret = "x"`), nil, []string{`did you mean "root-key"?`}},
		{"nothing near", toml(`zebra = 1`), nil, []string{"zebra (from limen.toml): there is no such setting"}},
		{"a file naming a file", toml(`config = "x"`), nil, []string{"config (from limen.toml): there is no such setting"}},
		{"tables", toml("[session]\naccess-life = \"1m\""), nil, []string{"session (from limen.toml): there is no such setting"}},
		{"twice in TOML", toml("app-name = \"a\"\napp-name = \"b\""), nil, []string{"config: limen.toml: key app-name is already defined"}},
		{"broken TOML", toml("app-name = \"a\"\nsession-cap = ?"), nil, []string{"config: limen.toml: line 2, column 15: "}},
		{"twice in JSON", map[string]string{"limen.json": `{"app-name":"a","app-name":"b"}`}, nil, []string{`"app-name" occurs twice`}},
		{"two files", map[string]string{"limen.json": `{}`, "limen.toml": ""}, nil, []string{"both limen.toml and limen.json are here"}},
		{"no file", nil, []string{"LIMEN_CONFIG=$DIR/none.toml"}, []string{"none.toml cannot be read: no such file"}},
		{"misspelt variable", nil, []string{"LIMEN_ACESS_LIFE=1m"}, []string{`LIMEN_ACESS_LIFE (from the environment): there is no such setting; did you mean "LIMEN_ACCESS_LIFE"?`}},
		{"port", nil, []string{"LIMEN_PORT=8080"}, []string{`did you mean "LIMEN_LISTEN"?`}},
		{"no unit", nil, []string{"LIMEN_CODE_LIFE=600"}, []string{`code-life (from LIMEN_CODE_LIFE): "600" has no unit; write 600s, 600m, 600h or 600d`}},
		{"no choice", toml(`enumeration = "stritc"`), nil, []string{`enumeration (from limen.toml): "stritc" is not one of strict, off; did you mean "strict"?`}},
		{"no number", nil, []string{"LIMEN_SESSION_CAP=many"}, []string{`"many" is not a whole number`}},
		{"all at once", toml("acces-life = \"1m\"\nenumeration = \"no\""), []string{"LIMEN_CODE_LIFE=x", "LIMEN_DTA=y"},
			[]string{"4 settings need another look", "acces-life", "enumeration", "code-life", "LIMEN_DTA"}},
		{"secret twice", nil, []string{"LIMEN_ROOT_KEY=a", "LIMEN_ROOT_KEY_FILE=b"}, []string{"both root-key and root-key-file are set; keep one of them"}},
		{"no secret file", nil, []string{"LIMEN_DB_FILE=$DIR/none"}, []string{"db-file (from LIMEN_DB_FILE): cannot be read: no such file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.files, test.environ)
			if _, ok := errors.AsType[app.Problems](err); !ok {
				t.Fatalf("error is %v, want Problems", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in:\n%v", want, err)
				}
			}
		})
	}
}

func TestVariablesOfOthersAreLeftAlone(t *testing.T) {
	_, err := load(t, nil, []string{
		"LIMEN_SERVICE_HOST=10.0.0.1", "LIMEN_SERVICE_PORT=4455", "LIMEN_SERVICE_PORT_HTTP=4455",
		"LIMEN_PORT=tcp://10.0.0.1:4455", "LIMEN_PORT_4455_TCP=tcp://10.0.0.1:4455", "LIMEN_PORT_4455_TCP_ADDR=10.0.0.1",
		"LIMEN_REDIS_SERVICE_HOST=10.0.0.2", "LIMEN_TEST_POSTGRES=x", "HOME=/", "SLIMEN_X=1",
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSecretsComeByFile(t *testing.T) {
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	files := map[string]string{"key": key + "\n", "db": "postgres://a:b@h/n\r\n", "limen.toml": "root-key = \"from the file\"\n", "smtp": "smtp://a:b@h:587\nsmtps://h\n"}
	c, err := load(t, files, []string{"LIMEN_ROOT_KEY_FILE=$DIR/key", "LIMEN_DB_FILE=$DIR/db", "LIMEN_SMTP_FILE=$DIR/smtp"})
	if err != nil {
		t.Fatal(err)
	}
	if c.RootKey.Reveal() != key {
		t.Error("root-key-file in the environment does not win over root-key in limen.toml")
	}
	if !c.Database().Postgres || c.Database().URL.Reveal() != "postgres://a:b@h/n" {
		t.Error("db-file is not read, or keeps its line end")
	}
	if c.SMTP.Reveal() != "smtp://a:b@h:587\nsmtps://h" || c.Check(app.Operation) != nil {
		t.Error("smtp-file is not read")
	}
	if _, err := load(t, nil, nil, "--root-key", key); err == nil || !strings.Contains(err.Error(), "--root-key-file") {
		t.Errorf("a root key on the command line: %v", err)
	}
}

func TestProblemsHideSecrets(t *testing.T) {
	const password = "correct-horse"
	c := app.Defaults()
	c.SMTP = "smtp://u:" + password + "@relay.example.com/path"
	c.RootKey, c.DB, c.Redis = password, "postgres://u:"+password+"%zz@h/n", "http://"+password
	err := c.Check(app.Production)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v", c, c, c)} {
		if strings.Contains(text, password) {
			t.Errorf("shows a secret: %s", text)
		}
	}
}

// TestCheck breaks one rule at a time and expects one problem that names the setting
// and says what to do.
func TestCheck(t *testing.T) {
	type edit = func(*app.Config)
	for _, test := range []struct {
		mode app.Mode
		edit edit
		key  string
		want string
	}{
		{app.Production, func(c *app.Config) { c.URL = "" }, "url", "set --url https://"},
		{app.Production, func(c *app.Config) { c.URL = "http://auth.example.com" }, "url", "https://auth.example.com"},
		{app.Production, func(c *app.Config) { c.URL = "https://auth.example.com/base" }, "url", "scheme and host alone"},
		{app.Production, func(c *app.Config) { c.URL = "https://u:p@auth.example.com" }, "url", "scheme and host alone"},
		{app.Production, func(c *app.Config) { c.URL = "https://*.example.com" }, "url", "scheme and host alone"},
		{app.Development, func(c *app.Config) { c.URL = "https://auth.example.com" }, "url", "limen serve"},
		{app.Development, func(c *app.Config) { c.URL = "http://localhost.example.com" }, "url", "limen serve"},
		{app.Development, func(c *app.Config) { c.Listen = []string{"0.0.0.0:4455"} }, "listen", "127.0.0.1:4455"},
		{app.Development, func(c *app.Config) { c.Listen = []string{":4455"} }, "listen", "127.0.0.1:4455"},
		{app.Development, func(c *app.Config) { c.OpsListen = ":4456" }, "ops-listen", "127.0.0.1:4456"},
		{app.Production, func(c *app.Config) { c.Listen = []string{"4455"} }, "listen", "host:port"},
		{app.Production, func(c *app.Config) { c.OpsListen = ":4455" }, "ops-listen", "port of its own"},
		{app.Production, func(c *app.Config) { c.TrustedProxies = []string{"*"} }, "trusted-proxies", "list your proxies"},
		{app.Production, func(c *app.Config) { c.TrustedProxies = []string{"::/0"} }, "trusted-proxies", "list your proxies"},
		{app.Production, func(c *app.Config) { c.TrustedProxies = []string{"nginx"} }, "trusted-proxies", "10.0.0.7"},
		{app.Production, func(c *app.Config) { c.DB = "postgres://h/n" }, "root-key", "openssl rand -base64 32"},
		{app.Operation, func(c *app.Config) { c.DB = "mysql://h/n" }, "db", "postgres://"},
		{app.Operation, func(c *app.Config) { c.DB = "host=h dbname=n" }, "db", "postgres://"},
		{app.Operation, func(c *app.Config) { c.Redis = "localhost:6379" }, "redis", "redis://"},
		{app.Operation, func(c *app.Config) { c.RootKey = "short" }, "root-key", "openssl rand -base64 32"},
		{app.Operation, func(c *app.Config) { c.Enumeration = "" }, "enumeration", "strict, off"},
		{app.Operation, func(c *app.Config) { c.PasswordMin = 7 }, "password-min", "8 to 64"},
		{app.Operation, func(c *app.Config) { c.PasswordMax = 63 }, "password-max", "64 to 256"},
		{app.Production, func(c *app.Config) { c.HashTime = 1 }, "hash-memory", "19456 with hash-time 2"},
		{app.Production, func(c *app.Config) { c.HashAlgorithm = "bcrypt"; c.HashCost = 9 }, "hash-cost", "use 10 to 14"},
		{app.Development, func(c *app.Config) { c.HashAlgorithm = "bcrypt"; c.HashCost = 15 }, "hash-cost", "use 10 to 14"},
		{app.Development, func(c *app.Config) { c.HashMemory, c.HashTime = 7168, 5 }, "hash-memory", "use at least 12288"},
		{app.Operation, func(c *app.Config) { c.HashMemory = -1 }, "hash-memory", "outside 1 to"},
		{app.Operation, func(c *app.Config) { c.SessionCap = 0 }, "session-cap", "1 to"},
		{app.Operation, func(c *app.Config) { c.AccessLife = 999 * time.Millisecond }, "access-life", "1s to 1d"},
		{app.Operation, func(c *app.Config) { c.RefreshIdle = 10 * time.Minute }, "access-life", "outlive its session"},
		{app.Operation, func(c *app.Config) { c.RefreshAbsolute = 29 * 24 * time.Hour }, "refresh-idle", "could never be met"},
		{app.Operation, func(c *app.Config) { c.SigningKeyLife = time.Hour }, "signing-overlap", "shorten signing-overlap"},
		{app.Production, func(c *app.Config) { c.AppName = "a\nb" }, "app-name", "without line breaks"},
		{app.Production, func(c *app.Config) { c.AllowedOrigins = []string{"*"} }, "allowed-origins", "list the origins"},
		{app.Production, func(c *app.Config) { c.AllowedOrigins = []string{"null"} }, "allowed-origins", "is not an origin"},
		{app.Production, func(c *app.Config) { c.AllowedOrigins = []string{"https://*.example.com"} }, "allowed-origins", "is not an origin"},
		{app.Production, func(c *app.Config) { c.AllowedOrigins = []string{"http://app.example.com"} }, "allowed-origins", "use https://"},
		{app.Production, func(c *app.Config) { c.RedirectAllow = []string{"https://app.example.com/back"} }, "redirect-allow", "write https://app.example.com"},
		{app.Production, func(c *app.Config) { c.RedirectAllow = []string{"http://app.example.com"} }, "redirect-allow", "use https://"},
		{app.Production, func(c *app.Config) { c.RedirectAllow = []string{"javascript:alert(1)"} }, "redirect-allow", "com.example.app:"},
		{app.Production, func(c *app.Config) { c.RedirectAllow = []string{"*"} }, "redirect-allow", "list each of them"},
		{app.Production, func(c *app.Config) { c.CookieAccess = "__Host-x" }, "cookie-access", "leave it away"},
		{app.Production, func(c *app.Config) { c.CookieAccess = "a;b" }, "cookie-access", "letters"},
		{app.Production, func(c *app.Config) { c.CookieRefresh = c.CookieAccess }, "cookie-refresh", "cookie-access"},
		{app.Production, func(c *app.Config) { c.CookieDomain = "other.com" }, "cookie-domain", "parent of auth.example.com"},
		{app.Production, func(c *app.Config) { c.CookieDomain = "xample.com" }, "cookie-domain", "parent of auth.example.com"},
		{app.Production, func(c *app.Config) { c.CookieDomain = "com" }, "cookie-domain", "your own domain"},
		{app.Production, func(c *app.Config) { c.CookieDomain = ".example.com" }, "cookie-domain", "without a dot"},
		{app.Operation, func(c *app.Config) { c.SMTP = "smtp+insecure://relay.example.com" }, "smtp", "use smtp:// (STARTTLS)"},
		{app.Production, func(c *app.Config) { c.SMTP = "relay.example.com:587" }, "smtp", "smtp://user:password@host:587"},
		{app.Production, func(c *app.Config) { c.MailFrom = "Example" }, "mail-from", "no-reply@example.com"},
		{app.Production, func(c *app.Config) { c.MailFrom = "a@example.com\r\nBcc: b@example.com" }, "mail-from", "no-reply@example.com"},
		{app.Operation, func(c *app.Config) { c.MailReplyTo = "a@example.com, b@example.com" }, "mail-reply-to", "is not one address"},
		{app.Production, func(c *app.Config) { c.DevClock = "1d" }, "dev-clock", "use limen dev"},
		{app.Development, func(c *app.Config) { c.DevClock = "soon" }, "dev-clock", "2030-01-31"},
	} {
		c := app.Defaults()
		if test.mode == app.Production {
			c.URL = "https://auth.example.com"
		}
		test.edit(&c)
		problems, _ := errors.AsType[app.Problems](c.Check(test.mode))
		if len(problems) != 1 || problems[0].Key != test.key || !strings.Contains(problems[0].Text, test.want) {
			t.Errorf("want one problem of %s with %q, got %v", test.key, test.want, problems)
		}
	}
}

func TestCheckAccepts(t *testing.T) {
	c := app.Defaults()
	c.URL = "https://auth.example.com"
	c.CookieDomain = "example.com"
	c.AllowedOrigins = []string{"https://app.example.com", "http://localhost:3000", "https://app.example.com:8443"}
	c.RedirectAllow = []string{"https://app.example.com", "com.example.app:/signed-in"}
	c.TrustedProxies = []string{"10.0.0.7", "10.1.0.0/24", "2001:db8::/32"}
	c.OpsListen = "off"
	if err := c.Check(app.Production); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(c.Proxies()); got != "[10.0.0.7/32 10.1.0.0/24 2001:db8::/32]" {
		t.Errorf("proxies %s", got)
	}
	if c.Ops() != "" {
		t.Error("off is not off")
	}
}

// TestLifetimesReachOneSecond is decision D9: a test can watch every lifetime end.
func TestLifetimesReachOneSecond(t *testing.T) {
	c := app.Defaults()
	for _, d := range []*time.Duration{
		&c.AccessLife, &c.RefreshIdle, &c.RefreshAbsolute, &c.RefreshWindow, &c.StrictWindow, &c.FreshLife,
		&c.SigningKeyLife, &c.SigningOverlap, &c.CodeLife, &c.ResendAfter, &c.HandoverLife,
		&c.EventRetention, &c.ShutdownGrace,
	} {
		*d = time.Second
	}
	if err := c.Check(app.Development); err != nil {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	c := app.Defaults()
	if got := fmt.Sprint(c.Listens(app.Development), c.Listens(app.Production)) + " " + c.PublicURL(app.Development); got != "[127.0.0.1:4455 [::1]:4455] [:4455] http://localhost:4455" {
		t.Error(got)
	}
	c.Listen = []string{"127.0.0.1:8080"}
	if got := c.PublicURL(app.Development); got != "http://localhost:8080" {
		t.Error(got)
	}
	c.URL = "https://auth.example.com/"
	if got := c.PublicURL(app.Production); got != "https://auth.example.com" {
		t.Error(got)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90s": 90 * time.Second, "15m": 15 * time.Minute, "30d": 720 * time.Hour,
		"1d12h": 36 * time.Hour, "0": 0, "0s": 0, "250ms": 250 * time.Millisecond, "0d": 0,
	} {
		if got, err := app.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "15", "1.5", "d", "-1d", "1d-2h", "1.5d", "99999999d", "1w", "soon", "1d1", "1h1d"} {
		if got, err := app.ParseDuration(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestDurationsSurviveTheirText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 3650*24*3600).Draw(t, "seconds")) * time.Second
		if got, err := app.ParseDuration(app.FormatDuration(d)); err != nil || got != d {
			t.Fatalf("%v is written %q and read as %v, %v", d, app.FormatDuration(d), got, err)
		}
	})
}

func TestDevClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": now, "31d": now.AddDate(0, 0, 31), "-1h": now.Add(-time.Hour),
		"2030-01-31T08:00:00Z": time.Date(2030, 1, 31, 8, 0, 0, 0, time.UTC),
	} {
		c := app.Config{DevClock: text}
		if got, err := c.Clock(now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}
