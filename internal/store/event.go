package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/secret"
)

const eventColumns = `id, at, type, outcome, account_id, actor, session_id, attempt_id, request_id, ip, user_agent, data`

const (
	sqlEventInsert = `INSERT INTO event (` + eventColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	// The newest first, before the given id.
	sqlEventsOf   = `SELECT ` + eventColumns + ` FROM event WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`
	sqlEventPrune = `DELETE FROM event WHERE id IN (SELECT p.id FROM event p WHERE p.at < $1 LIMIT $2)`
)

// maxUserAgent is as much of a user agent as is kept.
const maxUserAgent = 256

// Record writes an event in the deed's transaction, so that nothing happens without a
// trace and no trace tells of what did not happen. It fills the id and the time.
func (tx *Tx) Record(ctx context.Context, e audit.Event) error {
	e.ID, e.At, e.UserAgent = secret.ID("evt", tx.Now), tx.Now, audit.Clean(e.UserAgent, maxUserAgent)
	if err := e.Check(); err != nil {
		return err
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return err
	}
	if e.Data == nil {
		data = []byte("{}")
	}
	err = tx.post(sqlEventInsert, e.ID, when(e.At), string(e.Type), string(e.Outcome), null(string(e.Account)), null(e.Actor),
		null(string(e.Session)), null(e.Attempt), null(e.RequestID), null(e.IP), null(e.UserAgent), string(data))
	return err
}

// EventsOf lists what happened to a person, newest first, before the given event; the
// empty id begins with the newest.
func (r reader) EventsOf(ctx context.Context, id account.ID, before string, limit int) ([]audit.Event, error) {
	if before == "" {
		before = "evt_~" // sorts after every id
	}
	rows, err := r.query(ctx, sqlEventsOf, string(id), before, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (audit.Event, error) {
		var e audit.Event
		var data string
		err := scan(&e.ID, stamp(&e.At), &e.Type, &e.Outcome, optional(&e.Account), optional(&e.Actor), optional(&e.Session),
			optional(&e.Attempt), optional(&e.RequestID), optional(&e.IP), optional(&e.UserAgent), &data)
		if err != nil {
			return e, err
		}
		return e, json.Unmarshal([]byte(data), &e.Data)
	})
}

// PruneEvents deletes up to limit events older than before.
func (tx *Tx) PruneEvents(ctx context.Context, before time.Time, limit int) (int64, error) {
	return tx.exec(sqlEventPrune, when(before), limit)
}
