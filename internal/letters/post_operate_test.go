package letters_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// TestOperatorSeesNoSecret: what an operator is shown of a letter, from its making to its
// end, and what can be hastened.
func TestOperatorSeesNoSecret(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		var answer error
		p := post(t, d, &counter{do: func(context.Context, mail.Message) error { return answer }})
		enqueue(t, d, p, code("ann@example.com"))
		all, err := p.Messages(t.Context(), store.Queued, 10)
		if err != nil || len(all) != 1 || all[0].To != "a•••@example.com" || all[0].Lane != "interactive" || all[0].Held {
			t.Fatalf("%+v %v", all, err)
		}
		id := all[0].ID
		if err := p.RetryMessage(t.Context(), id); !errors.Is(err, letters.ErrNotWaiting) {
			t.Errorf("a letter that is due was hastened: %v", err)
		}
		answer = errors.New("421 later")
		if _, err := p.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := p.SendDue(t.Context()); n != 0 || err != nil {
			t.Fatalf("no pause: %d %v", n, err)
		}
		if err := p.RetryMessage(t.Context(), id); err != nil {
			t.Error(err)
		}
		if n, err := p.SendDue(t.Context()); n != 1 || err != nil {
			t.Errorf("it was not hastened: %d %v", n, err)
		}
		if n, err := p.RetryMessages(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("%d %v", n, err)
		}
		answer = mail.ErrRefused
		if n, err := p.SendDue(t.Context()); n != 1 || err != nil {
			t.Errorf("%d %v", n, err)
		}
		gone, err := p.Messages(t.Context(), store.Dead, 10)
		if err != nil || len(gone) != 1 || gone[0].To != "" || gone[0].Tries != 3 || gone[0].Reason == "" || gone[0].FinishedAt.IsZero() {
			t.Errorf("%+v %v", gone, err)
		}
		if err := p.RetryMessage(t.Context(), id); !errors.Is(err, letters.ErrNotWaiting) {
			t.Errorf("a dead letter was hastened: %v", err)
		}
		if n, err := p.RetryMessages(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("%d %v", n, err)
		}
		for state, want := range map[string]int{store.Queued: 0, store.Sent: 0, store.Dead: 1, "": 1} {
			if found, err := p.Messages(t.Context(), state, 10); err != nil || len(found) != want {
				t.Errorf("%q: %d %v", state, len(found), err)
			}
		}
		if _, err := p.Messages(t.Context(), "lost", 10); !errors.Is(err, fault.ErrInvalidRequest) {
			t.Errorf("%v", err)
		}
		for _, ref := range []string{"", "msg_", "msg_0000000000000000000000000z", "usr_00000000000000000000000000"} {
			if _, err := p.Message(t.Context(), ref); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("%q: %v", ref, err)
			}
		}
	})
}

// TestRetryReachesBehindALongLine: what waits for its next try is found behind any number
// of letters that are due.
func TestRetryReachesBehindALongLine(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		p := post(t, d, &relay{fail: 1})
		enqueue(t, d, p, code("ann@example.com"))
		if _, err := p.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		waiting(t, d, letters.LaneInteractive, 50)
		if n, err := p.RetryMessages(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("%d %v", n, err)
		}
	})
}

// TestOutcomesAreCountedAndLogged: without an address.
func TestOutcomesAreCountedAndLogged(t *testing.T) {
	d := db.SQLite(t)
	var log strings.Builder
	answer := errors.New("421 <ann@example.com> later")
	p := post(t, d, &counter{do: func(context.Context, mail.Message) error { return answer }})
	p.Counts, p.Log = metrics.New(), slog.New(slog.NewTextHandler(&log, nil))
	send := func(after error) {
		t.Helper()
		answer = after
		enqueue(t, d, p, code("ann@example.com"))
		if n, err := p.SendDue(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	send(answer)
	send(nil)
	send(fmt.Errorf("550 <ann@example.com> unknown: %w", mail.ErrRefused))
	w := httptest.NewRecorder()
	p.Counts.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, outcome := range []string{"sent", "retried", "dead"} {
		if want := `limen_letters_total{lane="interactive",outcome="` + outcome + `"} 1`; !strings.Contains(w.Body.String(), want) {
			t.Errorf("no line %s", want)
		}
	}
	if text := log.String(); !strings.Contains(text, "given up") || !strings.Contains(text, "550") || strings.Contains(text, "ann@") {
		t.Errorf("%s", text)
	}
}

func TestBacklogs(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		p := post(t, d, &relay{})
		waiting(t, d, letters.LaneCampaign, 7)
		d.Clock.Advance(3 * time.Second)
		enqueue(t, d, p, code("ann@example.com"))
		d.Clock.Advance(time.Second)
		got, err := p.Backlogs(t.Context())
		want := []letters.Backlog{{Lane: "interactive", Waiting: 1, Oldest: time.Second}, {Lane: "campaign", Waiting: 7, Oldest: 4 * time.Second}}
		if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%+v %v", got, err)
		}
	})
}
