package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/store"
)

// announce says on out that limen is ready and where: as a text for people or, with
// log-format json, as lines of the log, so that a collector can parse whatever limen
// writes.
func (a *App) announce(out io.Writer, listeners []net.Listener, people []Person, took time.Duration) {
	if a.Config.LogFormat == "json" {
		a.announceJSON(out, listeners, people, took)
		return
	}
	a.announceText(out, listeners, people, took)
}

func (a *App) engine() string {
	if a.Store.Engine() == store.Postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}

// announceText writes in one piece: whoever reads the first line can read the last.
func (a *App) announceText(out io.Writer, listeners []net.Listener, people []Person, took time.Duration) {
	var text strings.Builder
	fmt.Fprintf(&text, "\n  limen is ready in %s (%s, %s)\n\n", took.Round(time.Millisecond), a.Mode, a.engine())
	line := func(name, value string) { fmt.Fprintf(&text, "  %-10s %s\n", name, value) }
	line("Sign in", a.URL+"/sign-in")
	if a.Mode == Development {
		line("Inbox", a.URL+"/dev/inbox")
	}
	line("Keys", a.URL+"/.well-known/jwks.json")
	line("API", a.URL+"/openapi.json")
	for _, l := range listeners {
		line("Listening", l.Addr().String())
	}
	if len(people) > 0 {
		fmt.Fprint(&text, "\n  People to try with\n")
		for _, p := range people {
			line(p.Name, fmt.Sprintf("%s / %s", p.Email, p.Password))
		}
		line("Anybody", "sign up with an address under .test: its code is always 424242")
	}
	for _, note := range a.Config.Notes(a.Mode) {
		fmt.Fprintf(&text, "\n  Note: %s\n", note)
	}
	fmt.Fprintf(out, "%s\n", text.String())
}

// announceJSON writes whatever the log level is, as the text would be. The line that says
// "limen is ready" is the last.
func (a *App) announceJSON(out io.Writer, listeners []net.Listener, people []Person, took time.Duration) {
	log := slog.New(slog.NewJSONHandler(out, nil))
	for _, note := range a.Config.Notes(a.Mode) {
		log.Warn("a note on the settings", "note", note)
	}
	for _, p := range people {
		log.Info("somebody to try with", "name", p.Name, "email", p.Email, "password", p.Password)
	}
	addresses := make([]string, len(listeners))
	for i, l := range listeners {
		addresses[i] = l.Addr().String()
	}
	attrs := []any{
		"took", took, "mode", string(a.Mode), "database", a.engine(), "sign_in", a.URL + "/sign-in",
		"keys", a.URL + "/.well-known/jwks.json", "api", a.URL + "/openapi.json", "listening", addresses,
	}
	if a.Mode == Development {
		attrs = append(attrs, "inbox", a.URL+"/dev/inbox")
	}
	log.Info("limen is ready", attrs...)
}
