// Package app gives tests a whole limen: every room on a real database, behind a real
// listener, with a clock that stands still until the test moves it.
//
// Each runs a test on both engines. A Client is a program or a browser that talks to the
// server: it keeps cookies, names a delivery and an origin if asked to, and its answers
// are easy to look into. Scenario is a table of single requests.
//
// The package is for tests only.
package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/db"
)

// RootKey is the root key of every test server.
const RootKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="

// Password is good enough for every rule.
const Password = "a threshold of stone"

// Server is a limen under test.
type Server struct {
	*app.App
	URL  string
	HTTP *httptest.Server
	Log  *Log
	t    testing.TB
}

// Settings change the configuration of a test server, by the names of the settings.
type Settings map[string]string

// Each runs a test once on each engine, as the subtests "sqlite" and "postgres".
func Each(t *testing.T, s Settings, test func(t *testing.T, s *Server)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t, s)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t, s)) })
}

// SQLite returns a server on a database file of the test's own.
func SQLite(t testing.TB, s Settings) *Server {
	t.Helper()
	return Open(t, s, filepath.Join(t.TempDir(), "limen.db"), NewClock())
}

// Postgres returns a server on a PostgreSQL database of the test's own.
func Postgres(t testing.TB, s Settings) *Server {
	t.Helper()
	return Open(t, s, db.Postgres(t).Config().Postgres, NewClock())
}

// Open returns a server on the given database: a second one on the same database stands
// for a second process.
func Open(t testing.TB, s Settings, database string, clock app.Clock) *Server {
	t.Helper()
	server := &Server{Log: &Log{}, t: t}
	// The address is known before the handler is: the public URL depends on it.
	server.HTTP = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.Handler.ServeHTTP(w, r)
	}))
	port := server.HTTP.Listener.Addr().String()[strings.LastIndex(server.HTTP.Listener.Addr().String(), ":"):]
	server.URL = "http://localhost" + port
	settings := map[string]string{
		"url": server.URL, "data": t.TempDir(), "db": database, "root-key": RootKey, "log-format": "json", "log-level": "debug",
		// The cheapest hash that the rules allow: tests sign in a lot.
		"hash-memory": "19456", "hash-time": "2",
	}
	for name, value := range s {
		settings[name] = value
	}
	cfg, err := app.ConfigOf(settings, app.Development)
	if err != nil {
		t.Fatal(err)
	}
	server.App, err = app.Build(context.Background(), cfg, app.Development, clock, cfg.Logger(server.Log))
	if err != nil {
		t.Fatal(err)
	}
	server.HTTP.Start()
	// No jobs run: a test sends letters (CodeFor) and sweeps when it wants to.
	t.Cleanup(func() {
		server.HTTP.Close()
		if err := server.App.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		server.Log.check(t)
	})
	return server
}

// Clock stands still until a test moves it.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	start time.Time
}

// NewClock returns a clock that shows an ordinary moment.
func NewClock() *Clock {
	at := time.Date(2026, time.March, 14, 15, 9, 26, 0, time.UTC)
	return &Clock{now: at, start: at}
}

// Now is the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Offset is how far the clock was moved.
func (c *Clock) Offset() time.Duration { return c.Now().Sub(c.start) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set puts the clock at t, or back to where it began.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now = t; t.IsZero() {
		c.now = c.start
	}
}

// Log keeps what the server logs and, when the test is over, fails it if one of the
// secrets that the test saw stands in it.
type Log struct {
	mu      sync.Mutex
	text    strings.Builder
	secrets map[string]bool
}

// Write keeps a line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is what was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Secret remembers a value that must never be logged.
func (l *Log) Secret(values ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secrets == nil {
		l.secrets = map[string]bool{}
	}
	for _, v := range values {
		if len(v) >= 6 {
			l.secrets[v] = true
		}
	}
}

// words are what the lines say, without their numbers: a duration may well look like a code.
func words(lines string) string {
	var out strings.Builder
	for line := range strings.Lines(lines) {
		fields := map[string]any{}
		if json.Unmarshal([]byte(line), &fields) != nil {
			out.WriteString(line)
			continue
		}
		delete(fields, "time")
		for name, value := range fields {
			if _, number := value.(float64); !number {
				fmt.Fprintf(&out, "%s=%v\n", name, value)
			}
		}
	}
	return out.String()
}

func (l *Log) check(t testing.TB) {
	text := words(l.String())
	l.mu.Lock()
	defer l.mu.Unlock()
	for v := range l.secrets {
		if strings.Contains(text, v) {
			t.Errorf("the log carries a secret: %.12s…", v)
		}
	}
	if os.Getenv("LIMEN_TEST_LOG") != "" {
		t.Log(text)
	}
}

var _ slog.LogValuer = secret.Text("") // secrets hide themselves from the log
