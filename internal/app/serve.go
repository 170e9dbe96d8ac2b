package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/web"
)

// Serve runs limen until ctx ends: it builds the house, listens, says on out where it can
// be found, and on the way down lets running requests finish and the last letters leave.
func Serve(ctx context.Context, cfg *Config, mode Mode, out io.Writer) error {
	clock := &MachineClock{}
	started := clock.Now()
	if mode == Development && cfg.DevClock != "" {
		at, err := cfg.Clock(started)
		if err != nil {
			return fmt.Errorf("dev-clock: %w", err)
		}
		clock.Set(at)
	}
	log := cfg.Logger(out)
	a, err := Build(ctx, cfg, mode, clock, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := a.Close(); err != nil {
			log.Error("the database was not closed in order", "error", err)
		}
	}()
	var people []Person
	if mode == Development {
		if people, err = a.seed(ctx); err != nil {
			return err
		}
	}
	listeners, err := listen(ctx, cfg.Listens(mode))
	if err != nil {
		return err
	}
	ops, err := a.listenOps(ctx)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	a.announce(out, listeners, people, time.Since(started))
	return a.serve(ctx, listeners, ops)
}

// listen binds every address, or none. Of the two loopback addresses one may be missing
// from the machine.
func listen(ctx context.Context, addresses []string) ([]net.Listener, error) {
	var all []net.Listener
	var failed []error
	for _, address := range addresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			failed = append(failed, fmt.Errorf("listen: %s cannot be bound (is another limen running? choose another port with --listen): %w", address, err))
			continue
		}
		all = append(all, l)
	}
	lone := len(failed) == 1 && len(all) == 1 && addresses[1] == "[::1]:4455" && isMissingIPv6(failed[0])
	if len(failed) > 0 && !lone {
		return nil, errors.Join(append(failed, closeAll(all))...)
	}
	return all, nil
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// serve answers until ctx ends, then drains: no new connections, running requests finish
// within the grace, then the jobs make their last round.
func (a *App) serve(ctx context.Context, listeners []net.Listener, ops net.Listener) error {
	server := web.NewServer(a.Handler, a.Log)
	failed := make(chan error, len(listeners)+1)
	answer := func(s *http.Server, l net.Listener) {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}
	for _, l := range listeners {
		go answer(server, l)
	}
	operations := web.NewServer(a.operations(), a.Log)
	if ops != nil {
		go answer(operations, ops)
	}
	jobsCtx, stopJobs := context.WithCancel(context.WithoutCancel(ctx))
	var jobs sync.WaitGroup
	jobs.Go(func() { a.Run(jobsCtx) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.Log.Info("stopping: running requests may finish", "grace", a.Config.ShutdownGrace)
	a.drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Config.ShutdownGrace)
	defer cancel()
	if late := server.Shutdown(grace); late != nil {
		a.Log.Warn("some requests did not finish in time", "error", late)
		_ = server.Close()
	}
	stopJobs()
	jobs.Wait()
	return errors.Join(err, operations.Close())
}

func (a *App) listenOps(ctx context.Context) (net.Listener, error) {
	if a.Config.Ops() == "" {
		return nil, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.Config.Ops())
	if err != nil && a.Mode == Development {
		a.Log.Warn("ops-listen: the address is taken, so there are no metrics", "address", a.Config.Ops())
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ops-listen: %s cannot be bound (choose another address, or off): %w", a.Config.Ops(), err)
	}
	return l, nil
}

// operations answers on the address for operators: metrics and the detail of readiness.
func (a *App) operations() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.Metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"status":"ok"}`) })
	mux.HandleFunc("GET /readyz", a.readiness)
	return mux
}

func (a *App) readiness(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	queue := a.Queue.Stats()
	status, word := http.StatusOK, "ready"
	if err := a.Ready(r.Context()); err != nil {
		status, word = http.StatusServiceUnavailable, "unavailable"
		a.Log.Error("not ready", "error", err)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%q,"database":%q,"letters":%t,"hashing":{"running":%d,"waiting":%d}}`+"\n",
		word, a.Store.Engine(), a.Post.Ready(), queue.Running, queue.Waiting)
}
