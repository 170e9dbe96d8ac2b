package app_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/testkit/smtp"
)

// mailing builds a limen with settings and returns it with its log.
func mailing(t *testing.T, mode app.Mode, settings map[string]string) (*app.App, *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"data": dir, "db": filepath.Join(dir, "limen.db"), "url": "https://auth.example.com"}
	if mode == app.Development {
		all["url"] = "http://localhost:4455"
	}
	for name, value := range settings {
		all[name] = value
	}
	cfg, err := app.ConfigOf(all, mode)
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	a, err := app.Build(context.Background(), cfg, mode, &app.MachineClock{}, cfg.Logger(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, log
}

func letter(from string) mail.Message {
	return mail.Message{
		ID: "msg_1", Channel: "email", To: "ann@people.org", From: from, Subject: "Hello", Text: "Hello\n",
		SentAt: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
	}
}

// TestLettersLeave: what sends letters in each mode, with and without a relay.
func TestLettersLeave(t *testing.T) {
	server := smtp.Start(t, smtp.Options{Security: "plain", User: "limen", Password: "hunter"})
	relay := map[string]string{"smtp": server.URL(), "mail-from": "Halcyon <post@example.com>", "mail-reply-to": "help@example.com"}

	t.Run("production", func(t *testing.T) {
		a, log := mailing(t, app.Production, relay)
		if !a.Post.Ready() || a.Inbox != nil || a.Post.From != "Halcyon <post@example.com>" {
			t.Fatalf("ready %t, from %s", a.Post.Ready(), a.Post.From)
		}
		if err := a.Post.Sender.Send(t.Context(), letter(a.Post.From)); err != nil {
			t.Fatal(err)
		}
		got := server.Await(t, 1)[0]
		if got.Hello != "auth.example.com" || got.From != "post@example.com" || got.Header.Get("Reply-To") != "<help@example.com>" || got.User != "limen" {
			t.Errorf("%+v", got)
		}
		if strings.Contains(log.String(), "hunter") {
			t.Error("the log holds the password")
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		server.AwaitClosed(t)
	})
	t.Run("production without a relay", func(t *testing.T) {
		a, _ := mailing(t, app.Production, nil)
		if a.Post.Ready() || a.Post.From != "no-reply@auth.example.com" {
			t.Errorf("ready %t, from %s", a.Post.Ready(), a.Post.From)
		}
		if notes := strings.Join(a.Config.Notes(app.Production), "\n"); !strings.Contains(notes, "smtp is empty") {
			t.Error(notes)
		}
	})
	t.Run("development", func(t *testing.T) {
		a, _ := mailing(t, app.Development, nil)
		if err := a.Post.Sender.Send(t.Context(), letter(a.Post.From)); err != nil || len(a.Inbox.Messages("", "")) != 1 {
			t.Error(err)
		}
	})
	t.Run("development with a relay", func(t *testing.T) {
		before := len(server.Letters())
		a, _ := mailing(t, app.Development, relay)
		if err := a.Post.Sender.Send(t.Context(), letter(a.Post.From)); err != nil || len(a.Inbox.Messages("", "")) != 1 {
			t.Error(err)
		}
		server.Await(t, before+1)
	})
}

// operator opens the database of a for the command line, with settings of its own.
func operator(t *testing.T, a *app.App, settings map[string]string) (*app.Operator, *app.Config) {
	t.Helper()
	all := map[string]string{"data": a.Config.Data, "db": a.Config.DB.Reveal(), "url": "https://auth.example.com"}
	for name, value := range settings {
		all[name] = value
	}
	cfg, err := app.ConfigOf(all, app.Operation)
	if err != nil {
		t.Fatal(err)
	}
	o, err := app.OpenOperator(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o, cfg
}

func TestDoctorTriesTheRelays(t *testing.T) {
	well := smtp.Start(t, smtp.Options{Security: "plain", User: "limen", Password: "hunter"})
	a, _ := mailing(t, app.Production, nil)
	for name, test := range map[string]struct {
		smtp    string
		outcome app.Outcome
		want    string
	}{
		"well":           {well.URL(), app.Healthy, "accepts the password"},
		"wrong password": {strings.Replace(well.URL(), "hunter", "hunter2", 1), app.Failed, "auth failed: 535"},
		"nobody there":   {"smtp+insecure://localhost:1", app.Failed, "connect failed"},
		"no relay":       {"", app.Warning, "there is no mail relay"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := operator(t, a, map[string]string{"smtp": test.smtp})
			checks, err := o.Doctor(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks {
				if c.Name != "mail relay" && c.Name != "letters" {
					continue
				}
				if c.Outcome != test.outcome || !strings.Contains(c.Detail, test.want) || strings.Contains(c.Detail+c.Fix, "hunter") {
					t.Errorf("%+v", c)
				}
				return
			}
			t.Error("there is no check of letters")
		})
	}
	if got := well.Letters(); len(got) != 0 {
		t.Errorf("an examination sent %d letters", len(got))
	}
}

func TestSendTest(t *testing.T) {
	first, second := smtp.Start(t, smtp.Options{Security: "plain"}), smtp.Start(t, smtp.Options{Security: "plain"})
	settings := map[string]string{"url": "https://auth.example.com", "smtp": first.URL() + "," + second.URL(), "app-name": "Halcyon"}
	cfg, err := app.ConfigOf(settings, app.Operation)
	if err != nil {
		t.Fatal(err)
	}
	first.Misbehave(smtp.Sender, smtp.Fault{Code: 451, Enhanced: "4.3.0", Text: "full house"}, 1)
	tried, err := app.SendTest(t.Context(), cfg, "ann@people.org", "", "")
	if err != nil || len(tried) != 2 || tried[0].Taken || !strings.Contains(tried[0].Answer, "451 4.3.0 full house") ||
		!tried[1].Taken || !strings.Contains(tried[1].Answer, "250 2.0.0 OK") {
		t.Fatalf("%+v %v", tried, err)
	}
	if got := second.Await(t, 1)[0]; got.To != "ann@people.org" || got.From != "no-reply@auth.example.com" || got.Subject != "A test letter from Halcyon" {
		t.Errorf("%+v", got)
	}
	// A refusal for good ends it.
	first.Misbehave(smtp.Rcpt, smtp.Fault{Code: 550, Enhanced: "5.1.1", Text: "nobody"}, 1)
	if tried, err := app.SendTest(t.Context(), cfg, "ann@people.org", "", ""); err != nil || len(tried) != 1 || tried[0].Taken {
		t.Errorf("%+v %v", tried, err)
	}
	if tried, err := app.SendTest(t.Context(), cfg, "no address", "", ""); !errors.Is(err, mail.ErrRefused) || len(tried) != 0 {
		t.Errorf("%+v %v", tried, err)
	}
	for _, missing := range []string{"url", "smtp"} {
		bare := map[string]string{"url": settings["url"], "smtp": settings["smtp"]}
		delete(bare, missing)
		cfg, err := app.ConfigOf(bare, app.Operation)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.SendTest(t.Context(), cfg, "ann@people.org", "", ""); err == nil {
			t.Errorf("sent without %s", missing)
		} else if _, ok := errors.AsType[app.Problems](err); !ok {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}
