// Package limen is the library face of the authentication server: it mounts the whole
// server inside another Go program.
//
//	server, err := limen.New(ctx, limen.Config{URL: "https://auth.example.com"})
//	if err != nil {
//		return err
//	}
//	defer server.Close()
//	go server.Run(ctx)
//	http.ListenAndServe(":4455", server)
//
// A mounted limen takes a whole host, because its cookies (__Host-) and its documents
// (/.well-known) belong to one: give it a host of its own, and route by Host, not by path.
// The program that mounts it owns the process: limen reads no environment and no
// arguments here, starts no listener, and stops when Run's context ends.
package limen

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/limenauth/limen/internal/app"
)

// Config is every setting, as documented in docs/configuration.md. The zero value of a
// field means its default.
type Config struct {
	// URL is the public address: https://auth.example.com, or with Development a loopback
	// address.
	URL string
	// Development opens a development database, keeps letters in an inbox and answers to
	// loopback names only.
	Development bool
	// Data is the directory of the SQLite database and the generated root key.
	Data string
	// Database is a SQLite path or a postgres:// URL; "" is limen.db in Data.
	Database string
	// RootKey is what every other key derives from; PostgreSQL needs one.
	RootKey string
	// Redis shares limits between processes.
	Redis string
	// AppName is what people read on pages.
	AppName string
	// AllowedOrigins may call the API from a browser.
	AllowedOrigins []string
	// RedirectAllow says where a sign-in may lead.
	RedirectAllow []string
	// Settings are any further settings by their name in docs/configuration.md.
	Settings map[string]string
	// Log receives log lines; nil discards them.
	Log io.Writer
}

// Server is a mounted limen. It is an http.Handler.
type Server struct{ app *app.App }

// New builds a server: it opens the database and migrates it. It fails with every problem
// of the configuration at once, each naming the setting and the fix.
func New(ctx context.Context, c Config) (*Server, error) {
	mode := app.Production
	if c.Development {
		mode = app.Development
	}
	settings, err := app.ConfigOf(c.settings(), mode)
	if err != nil {
		return nil, err
	}
	log := c.Log
	if log == nil {
		log = io.Discard
	}
	a, err := app.Build(ctx, settings, mode, &app.MachineClock{}, settings.Logger(log))
	if err != nil {
		return nil, err
	}
	return &Server{app: a}, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.app.Handler.ServeHTTP(w, r) }

// Run sends letters, tends keys and sweeps until the context ends. One call per server.
// Open streams of revocations end with the context too, so that a server which shuts
// down need not wait for them.
func (s *Server) Run(ctx context.Context) { s.app.Run(ctx) }

// Close lets the database go. Let requests and Run finish first.
func (s *Server) Close() error { return s.app.Close() }

// settings are the fields by the names of the settings.
func (c Config) settings() map[string]string {
	all := map[string]string{
		"url": c.URL, "data": c.Data, "db": c.Database, "root-key": c.RootKey, "redis": c.Redis, "app-name": c.AppName,
		"allowed-origins": strings.Join(c.AllowedOrigins, ","), "redirect-allow": strings.Join(c.RedirectAllow, ","),
	}
	for name, value := range c.Settings {
		all[name] = value
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}
