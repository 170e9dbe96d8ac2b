package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/app"
)

// deed is one of those whose way to the database is counted.
type deed struct {
	name string
	do   func(*visitor) error
}

// visitor goes through a whole life, from sign-up to sign-out.
type visitor struct {
	wire                     *wire
	email                    string
	attempt, access, refresh string
}

var life = []deed{
	{"sign-up", (*visitor).signUp}, {"sign-up, the code", (*visitor).redeem}, {"sign-in", (*visitor).signIn},
	{"me", (*visitor).me}, {"refresh", (*visitor).renew}, {"sign-out", (*visitor).signOut},
}

func (v *visitor) ask(path, token, body string, want int) ([]byte, error) {
	status, answer, err := v.wire.post(path, token, body)
	return answer, expect(want, status, answer, err)
}

func (v *visitor) signUp() error {
	body, err := v.ask("/v1/sign-up", "", `{"email":"`+v.email+`","password":"`+password+`"}`, http.StatusOK)
	if err != nil {
		return err
	}
	v.attempt, err = member(body, "attempt")
	return err
}

// redeem uses the code of addresses that can belong to nobody, in development.
func (v *visitor) redeem() error {
	_, err := v.ask("/v1/sign-in/code", "", `{"attempt":"`+v.attempt+`","code":"424242"}`, http.StatusOK)
	return err
}

func (v *visitor) signIn() error {
	body, err := v.ask("/v1/sign-in/password", "", `{"identifier":"`+v.email+`","password":"`+password+`"}`, http.StatusOK)
	if err != nil {
		return err
	}
	return v.keep(body)
}

func (v *visitor) keep(body []byte) (err error) {
	if v.access, err = member(body, "access_token"); err != nil {
		return err
	}
	v.refresh, err = member(body, "refresh_token")
	return err
}

func (v *visitor) me() error {
	status, body, err := v.wire.get("/v1/me", v.access)
	return expect(http.StatusOK, status, body, err)
}

func (v *visitor) renew() error {
	body, err := v.ask("/v1/token/refresh", "", `{"refresh_token":"`+v.refresh+`"}`, http.StatusOK)
	if err != nil {
		return err
	}
	return v.keep(body)
}

func (v *visitor) signOut() error {
	_, err := v.ask("/v1/sign-out", v.access, `{}`, http.StatusNoContent)
	return err
}

// measureDeeds counts what one deed asks of the database: on PostgreSQL the round trips
// that are seen on the wire, on SQLite the closures that the writer was given. It needs
// a development server, whose codes are known, and so a database of its own.
func measureDeeds(ctx context.Context, o Options, h *house, t *table) (_ time.Duration, err error) {
	engine := h.database.engine
	d, err := newDatabase(ctx, o, engine)
	if err != nil {
		return 0, err
	}
	dev := &house{database: d}
	defer func() { err = errors.Join(err, dev.close()) }()
	address, trips, what := d.address, func() int64 { return dev.Store.Stats().Closures }, "durable writes"
	if engine == postgres {
		between, err := listenBetween(d.address)
		if err != nil {
			return 0, err
		}
		defer between.close()
		address, trips, what = between.url, between.trips.Load, "round trips"
	}
	if err := dev.build(ctx, app.Development, address); err != nil {
		return 0, err
	}
	w, err := dial(dev.address, 0)
	if err != nil {
		return 0, err
	}
	defer w.close()
	counts := map[string]int64{}
	for try := range 3 { // statements are prepared on the way the first time
		v := &visitor{wire: w, email: fmt.Sprintf("visitor%d@bench.test", try)}
		for _, d := range life {
			before := trips()
			if err := d.do(v); err != nil {
				return 0, fmt.Errorf("%s: %w", d.name, err)
			}
			counts[d.name] = trips() - before
		}
	}
	var all []string
	for _, d := range life {
		all = append(all, fmt.Sprintf("%s %d", d.name, counts[d.name]))
	}
	t.note(what + " per deed: " + strings.Join(all, ", "))
	return 0, nil
}
