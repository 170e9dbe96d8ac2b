package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

// house is a whole limen on a seeded database, behind a listener.
type house struct {
	*app.App
	people   int
	database *database
	address  string
	server   *http.Server
	log      *os.File
	sessions []*held
}

// held is a session whose tokens a client of the bench holds.
type held struct {
	id              session.ID
	access, refresh string
}

// active is how many sessions are in use at once. They lie evenly over the whole table.
const active = 1000

// openHouse builds limen as serve does, seeds its database and fetches tokens for the
// active sessions.
func openHouse(ctx context.Context, o Options, engine string, people int) (_ *house, err error) {
	h := &house{people: people}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if h.database, err = newDatabase(ctx, o, engine); err != nil {
		return nil, err
	}
	if err := h.build(ctx, app.Production, h.database.address); err != nil {
		return nil, err
	}
	if err := h.database.seed(ctx, people, time.Now()); err != nil {
		return nil, err
	}
	return h, h.hold()
}

// build builds and serves limen on the database at that address.
func (h *house) build(ctx context.Context, mode app.Mode, database string) error {
	url := "https://auth.bench.example"
	if mode == app.Development {
		url = "http://localhost"
	}
	cfg, err := app.ConfigOf(map[string]string{
		"url": url, "data": h.database.dir, "db": database, "root-key": secret.NewRoot().Reveal(),
	}, mode)
	if err != nil {
		return err
	}
	// The null device takes a system call for each line, as a log does.
	if h.log, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
		return err
	}
	if h.App, err = app.Build(ctx, cfg, mode, &app.MachineClock{}, cfg.Logger(h.log)); err != nil {
		return err
	}
	h.server, h.address, err = serve(h.Handler, h.App)
	return err
}

// serve answers on a free port with the server that limen uses.
func serve(handler http.Handler, a *app.App) (*http.Server, string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	s := web.NewServer(handler, a.Log)
	go func() { _ = s.Serve(l) }() // it ends with Close
	return s, l.Addr().String(), nil
}

func (h *house) close() error {
	var errs []error
	if h.server != nil {
		errs = append(errs, h.server.Close())
	}
	if h.App != nil {
		errs = append(errs, h.App.Close())
	}
	if h.log != nil {
		errs = append(errs, h.log.Close())
	}
	if h.database != nil {
		errs = append(errs, h.database.close())
	}
	return errors.Join(errs...)
}

// hold fetches tokens for the active sessions, by refreshing each once.
func (h *house) hold() error {
	all := h.people * sessionsEach
	n := min(active, all/2)
	for i := range n {
		id := session.ID(ident("ses", i*(all/n)))
		h.sessions = append(h.sessions, &held{
			id: id, refresh: session.SealRefreshToken(h.Issuer.Keys.Refresh, id, 1).Reveal(),
		})
	}
	w, err := dial(h.address, 0)
	if err != nil {
		return err
	}
	defer w.close()
	for _, s := range h.sessions {
		if err := s.renew(w); err != nil {
			return fmt.Errorf("session %s: %w", s.id, err)
		}
		status, body, err := w.get("/v1/me", s.access) // once, so that its signature is known
		if err := expect(http.StatusOK, status, body, err); err != nil {
			return err
		}
	}
	return nil
}

// renew refreshes a session, as an application does.
func (s *held) renew(w *wire) error {
	status, body, err := w.post("/v1/token/refresh", "", `{"refresh_token":"`+s.refresh+`"}`)
	if err := expect(http.StatusOK, status, body, err); err != nil {
		return err
	}
	if s.access, err = member(body, "access_token"); err != nil {
		return err
	}
	s.refresh, err = member(body, "refresh_token")
	return err
}

// dialAll opens a connection for each client.
func dialAll(address string, clients int) (all []*wire, hangUp func() error, err error) {
	hangUp = func() error {
		var errs []error
		for _, w := range all {
			errs = append(errs, w.close())
		}
		return errors.Join(errs...)
	}
	for n := range clients {
		w, err := dial(address, n+1)
		if err != nil {
			return nil, nil, errors.Join(err, hangUp())
		}
		all = append(all, w)
	}
	return all, hangUp, nil
}
