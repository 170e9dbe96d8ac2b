package letters_test

import (
	"errors"
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

// TestKill: a process is killed again and again while it sends, and while it writes a
// campaign. No letter is lost, nobody is written to twice by the campaign, and after each
// kill no more letters come twice than were in its senders' hands: two for each sender.
// Both copies have the same Message-ID.
func TestKill(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		const persons, addressees, kills = 600, 1000, 3
		const all = persons + addressees*9/10
		d.Clock.Set(time.Now())
		people(t, d, addressees)
		p := post(t, d, nil)
		campaign := begin(t, p, breach())
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			for i := range persons {
				l := code(fmt.Sprintf("waiting%d@example.com", i))
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
			goal := (kill + 1) * 300
			s.Await(t, goal)
			if kill == kills {
				until(t, "all letters are sent", func() bool {
					left, err := d.Store.Waiting(t.Context(), letters.LaneInteractive, 1)
					c, failed := p.Campaign(t.Context(), campaign)
					return left == 0 && c.Over() && errors.Join(err, failed) == nil
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
		if twice := len(s.Letters()) - all; twice > kills*2*(killSenders+killSenders/2) {
			t.Errorf("%d letters came twice after %d kills of %d senders", twice, kills, killSenders)
		} else {
			t.Logf("%d letters came twice after %d kills", twice, kills)
		}
		if c, err := p.Campaign(t.Context(), campaign); err != nil || c.Queued != addressees*9/10 || c.Skipped != addressees/10 {
			t.Errorf("%+v %v", c, err)
		}
	})
}
