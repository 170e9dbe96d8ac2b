package letters_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
	"github.com/limenauth/limen/internal/testkit/smtp"
)

const (
	killSenders = 8
	workerIn    = "LETTERS_TEST_WORKER" // the database, the relay and how far the clock is ahead
)

// TestWorkerProcess is the process that TestKill kills; it is nothing by itself.
func TestWorkerProcess(t *testing.T) {
	what := strings.Fields(os.Getenv(workerIn))
	if len(what) != 4 {
		return
	}
	ahead, err := time.ParseDuration(what[3])
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.ParseRing(strings.Repeat("A", 42) + "E=")
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Now().Add(ahead) }
	c := store.Config{Kind: store.Development, Ring: ring, Now: now, SQLite: what[1]}
	if what[0] == "postgres" {
		c.SQLite, c.Postgres = "", what[1]
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	address, err := mail.ParseRelay(what[2])
	if err != nil {
		t.Fatal(err)
	}
	p := (&letters.Post{
		Store: s, Sender: &mail.SMTP{Relay: address, Connections: 2 * killSenders}, Sealer: ring.Sealer("outbox"), Render: renderer(t), From: "no-reply@auth.example.com",
		Now: now, Log: slog.New(slog.DiscardHandler), Senders: killSenders,
	}).Open()
	p.Run(t.Context()) // until it is killed
}

// TestKill: a process is killed again and again while it sends. No letter is lost, and
// after each kill no more letters come twice than were in its senders' hands: two for
// each sender. Both copies have the same Message-ID.
func TestKill(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		const all, kills = 600, 3
		d.Clock.Set(time.Now())
		p := post(t, d, nil)
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			for i := range all {
				l := code(fmt.Sprintf("person%d@example.com", i))
				l.NotAfter = tx.Now.Add(24 * time.Hour)
				if err := p.Enqueue(t.Context(), tx, l); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s := smtp.Start(t, smtp.Options{Security: "plain"})
		address := d.Config().SQLite
		if d.Engine == store.Postgres {
			address = d.Config().Postgres
		}
		for kill := range kills + 1 {
			ahead := time.Duration(kill) * 2 * letters.Lease // what a killed worker held is free again
			worker := exec.Command(os.Args[0], "-test.run=^TestWorkerProcess$")
			worker.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %s", workerIn, d.Engine, address, s.URL(), ahead))
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = worker.Process.Kill() })
			goal := (kill + 1) * 100
			s.Await(t, goal)
			if kill == kills {
				until(t, "all letters are sent", func() bool {
					left, err := d.Store.Waiting(t.Context(), letters.LaneInteractive, 1)
					return left == 0 && err == nil
				})
			}
			if err := worker.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = worker.Wait() // it was killed
		}
		came := map[string]int{}
		for _, l := range s.Letters() {
			came[l.Header.Get("Message-ID")]++
		}
		if len(came) != all {
			t.Errorf("%d letters came, of %d", len(came), all)
		}
		if twice := len(s.Letters()) - all; twice > kills*2*killSenders {
			t.Errorf("%d letters came twice after %d kills of %d senders", twice, kills, killSenders)
		} else {
			t.Logf("%d letters came twice after %d kills", twice, kills)
		}
	})
}
