package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/limenauth/limen/internal/secret"
)

// measureMe: GET /v1/me with a bearer token, the session read each time, beside a
// handler that writes the same bytes.
func measureMe(ctx context.Context, o Options, h *house, t *table) (_ time.Duration, err error) {
	least := map[string]float64{sqlite: .25, postgres: .10}[h.database.engine]
	ours, hangUp, err := h.checking(clients)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hangUp()) }()
	body, err := h.answerOfMe()
	if err != nil {
		return 0, err
	}
	server, address, err := serve(bareHandler(body), h.App)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	wires, hangUpBare, err := dialAll(address, clients)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hangUpBare()) }()
	bare := func(client int) error {
		status, body, err := wires[client].get("/v1/me", h.sessions[client].access)
		return expect(http.StatusOK, status, body, err)
	}
	pairs, err := duel(ctx, o, clients, ours, bare)
	if err != nil {
		return 0, err
	}
	t.duel(fmt.Sprintf("GET /v1/me, %d clients | net/http", clients), pairs, least)
	return costOf(pairs), nil
}

// checking is the work of clients that check their sessions, one after the other.
func (h *house) checking(clients int) (work, func() error, error) {
	wires, hangUp, err := dialAll(h.address, clients)
	if err != nil {
		return nil, nil, err
	}
	next := make([]int, clients)
	return func(client int) error {
		s := h.sessions[turn(client, clients, next[client], len(h.sessions))]
		next[client]++
		status, body, err := wires[client].get("/v1/me", s.access)
		return expect(http.StatusOK, status, body, err)
	}, hangUp, nil
}

// answerOfMe is the body that the bare handler will write.
func (h *house) answerOfMe() ([]byte, error) {
	w, err := dial(h.address, 0)
	if err != nil {
		return nil, err
	}
	defer w.close()
	status, body, err := w.get("/v1/me", h.sessions[0].access)
	return body, expect(http.StatusOK, status, body, err)
}

func bareHandler(body []byte) http.Handler {
	length := strconv.Itoa(len(body))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(body)
	})
	return mux
}

// costOf is the time that one operation took, all clients together.
func costOf(pairs []pair) time.Duration {
	return time.Duration(float64(time.Second) / median(pairs, func(p pair) float64 { return p.ours.rate() }))
}

// measureRefresh: POST /v1/token/refresh beside the bare rotation.
func measureRefresh(ctx context.Context, o Options, h *house, t *table) (_ time.Duration, err error) {
	wires, hangUp, err := dialAll(h.address, clients)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hangUp()) }()
	next := make([]int, clients)
	ours := func(client int) error {
		s := h.sessions[turn(client, clients, next[client], len(h.sessions))]
		next[client]++
		return s.renew(wires[client])
	}
	bare, stop, err := bareRotation(ctx, h.database, h.bareSessions())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	pairs, err := duel(ctx, o, clients, ours, bare)
	if err != nil {
		return 0, err
	}
	t.duel(fmt.Sprintf("refresh, %d clients | bare rotation and signature", clients), pairs, .50)
	return costOf(pairs), nil
}

// measureSignIn: 64 clients and nobody else, beside argon2id on every core.
func measureSignIn(ctx context.Context, o Options, h *house, t *table) (_ time.Duration, err error) {
	ours, hangUp, err := h.signingIn()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hangUp()) }()
	o.Slice *= 3 // a hash takes long
	var pairs []pair
	for range o.Rounds {
		b, err := press(ctx, o.Slice, runtime.GOMAXPROCS(0), bareHash())
		if err != nil {
			return 0, err
		}
		s, err := press(ctx, o.Slice, stormers, ours)
		if err != nil {
			return 0, err
		}
		pairs = append(pairs, pair{ours: s, bare: b})
	}
	t.duel(fmt.Sprintf("sign-in alone, %d clients | argon2id on %d cores", stormers, runtime.GOMAXPROCS(0)), pairs, .95)
	return costOf(pairs), ctx.Err()
}

// The sign-in storm of the issue.
const (
	stormers = 64
	checkers = 4
)

// signingIn is the work of clients that sign in, each time somebody else.
func (h *house) signingIn() (work, func() error, error) {
	wires, hangUp, err := dialAll(h.address, stormers)
	if err != nil {
		return nil, nil, err
	}
	next := make([]int, stormers)
	return func(client int) error {
		n := turn(client, stormers, next[client], h.people)
		next[client]++
		status, body, err := wires[client].post("/v1/sign-in/password", "", `{"identifier":"`+identifier(n)+`","password":"`+password+`"}`)
		return expect(http.StatusOK, status, body, err)
	}, hangUp, nil
}

func bareHash() work {
	return func(int) error {
		argon2.IDKey([]byte(password), secret.Bytes(16), 2, 19456, 1, 32)
		return nil
	}
}

// measureStorm: what clients that check sessions notice of 64 that sign in.
func measureStorm(ctx context.Context, o Options, h *house, t *table) (_ time.Duration, err error) {
	check, hangUp, err := h.checking(checkers)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hangUp()) }()
	signIn, hangUpStorm, err := h.signingIn()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hangUpStorm()) }()
	var pairs []pair
	for range o.Rounds {
		quiet, err := press(ctx, o.Slice, checkers, check)
		if err != nil {
			return 0, err
		}
		storm, stop := context.WithCancel(ctx)
		crowd := start(storm, stormers, signIn)
		if _, err = press(ctx, o.Slice/2, checkers, check); err == nil { // until the line stands
			var s sample
			s, err = press(ctx, 2*o.Slice, checkers, check)
			pairs = append(pairs, pair{ours: s, bare: quiet})
		}
		stop()
		if _, late := crowd.wait(); err != nil || late != nil {
			return 0, errors.Join(err, late)
		}
	}
	p99 := time.Duration(median(pairs, func(p pair) float64 { return float64(p.ours.within(.99)) }))
	t.duel(fmt.Sprintf("storm of %d sign-ins, %d check | quiet", stormers, checkers), pairs, .30)
	t.row("storm, p99 of a check", short(p99), "", "", "<= 10ms", p99 <= 10*time.Millisecond)
	return 0, ctx.Err()
}
