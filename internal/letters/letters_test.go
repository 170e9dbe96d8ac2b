package letters_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
	"github.com/limenauth/limen/internal/text"
)

// relay is a sender that fails as often as it is told to.
type relay struct {
	mail.Inbox
	mu   sync.Mutex
	fail int
	sent int
}

func (r *relay) Send(ctx context.Context, m mail.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail > 0 {
		r.fail--
		return errors.New("421 try later")
	}
	r.sent++
	return r.Inbox.Send(ctx, m)
}

func post(t *testing.T, d *db.DB, sender mail.Sender) *letters.Post {
	t.Helper()
	catalogue, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	renderer, err := letters.NewRenderer(catalogue, "Halcyon", "https://auth.example.com", "auth.example.com", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return (&letters.Post{
		Store: d.Store, Sender: sender, Sealer: d.Ring.Sealer("outbox"), Render: renderer, From: "no-reply@auth.example.com",
		Now: d.Clock.Now, Log: slog.New(slog.DiscardHandler),
	}).Open()
}

func enqueue(t *testing.T, d *db.DB, p *letters.Post, l letters.Letter) {
	t.Helper()
	l.NotAfter = d.Clock.Now().Add(10 * time.Minute)
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error { return p.Enqueue(t.Context(), tx, l) })
	if err != nil {
		t.Fatal(err)
	}
}

// row reads what the outbox holds of its only message.
func row(t *testing.T, d *db.DB) (state string, sealed []byte, reason string) {
	t.Helper()
	var why *string
	if err := d.SQL(t).QueryRow(`SELECT state, sealed, reason FROM outbox`).Scan(&state, &sealed, &why); err != nil {
		t.Fatal(err)
	}
	if why != nil {
		reason = *why
	}
	return state, sealed, reason
}

func TestLetterLeavesAndIsErased(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &relay{}
		p := post(t, d, sender)
		enqueue(t, d, p, letters.Letter{Template: letters.Code, Locale: "en", To: "ann@example.com", Code: "012345"})
		_, sealed, _ := row(t, d)
		if strings.Contains(string(sealed), "012345") || strings.Contains(string(sealed), "ann@") {
			t.Error("the row carries its secrets in the clear")
		}
		if n, err := p.SendDue(t.Context()); n != 1 || err != nil {
			t.Fatalf("%d %v", n, err)
		}
		got := sender.Messages("ann@example.com", "email")
		if len(got) != 1 || got[0].Code != "012345" || !strings.HasPrefix(got[0].Subject, "012345") || !strings.Contains(got[0].HTML, "012345") || !strings.Contains(got[0].Text, "012345") {
			t.Fatalf("%+v", got)
		}
		if state, sealed, _ := row(t, d); state != store.Sent || sealed != nil {
			t.Errorf("state %s, sealed %v", state, sealed)
		}
		if n, err := p.SendDue(t.Context()); n != 0 || err != nil {
			t.Errorf("sent again: %d %v", n, err)
		}
	})
}

func TestRolledBackDeedSendsNothing(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &relay{}
		p := post(t, d, sender)
		stop := errors.New("stop")
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			return errors.Join(p.Enqueue(t.Context(), tx, letters.Letter{Template: letters.Code, To: "a@b.co", Code: "1", NotAfter: tx.Now.Add(time.Hour)}), stop)
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if n, err := p.SendDue(t.Context()); n != 0 || err != nil || sender.sent != 0 {
			t.Errorf("%d %v, %d sent", n, err, sender.sent)
		}
	})
}

func TestFailureIsRetriedWithPauses(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &relay{fail: 2}
		p := post(t, d, sender)
		enqueue(t, d, p, letters.Letter{Template: letters.Code, Locale: "en", To: "ann@example.com", Code: "012345"})
		for try := range 3 {
			if n, err := p.SendDue(t.Context()); n != 1 || err != nil {
				t.Fatalf("try %d: %d %v", try, n, err)
			}
			if n, _ := p.SendDue(t.Context()); n != 0 {
				t.Fatal("no pause after a failure")
			}
			d.Clock.Advance(5 * time.Second)
		}
		if state, _, _ := row(t, d); state != store.Sent || sender.sent != 1 {
			t.Errorf("state %s, sent %d", state, sender.sent)
		}
	})
}

func TestExpiredLetterIsNotSent(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &relay{fail: 1}
		p := post(t, d, sender)
		enqueue(t, d, p, letters.Letter{Template: letters.Code, Locale: "en", To: "ann@example.com", Code: "012345"})
		if _, err := p.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.Clock.Advance(11 * time.Minute)
		if _, err := p.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		state, sealed, reason := row(t, d)
		if state != store.Dead || sealed != nil || !strings.Contains(reason, "expired") || sender.sent != 0 {
			t.Errorf("state %s, sealed %v, reason %q, sent %d", state, sealed, reason, sender.sent)
		}
	})
}

// TestTwoWorkers: no letter is claimed twice while its lease lasts, and a dead worker's
// letters are found when it has run out.
func TestTwoWorkers(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &relay{}
		p := post(t, d, sender)
		for range 20 {
			enqueue(t, d, p, letters.Letter{Template: letters.Code, Locale: "en", To: "ann@example.com", Code: "012345"})
		}
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				if _, err := p.SendDue(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		workers.Wait()
		if sender.sent != 20 {
			t.Errorf("%d letters left, of 20", sender.sent)
		}
		// A worker claims and dies.
		enqueue(t, d, p, letters.Letter{Template: letters.Code, Locale: "en", To: "late@example.com", Code: "999999"})
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			claimed, err := tx.ClaimMessages(t.Context(), letters.LaneInteractive, 10, time.Minute)
			if len(claimed) != 1 {
				t.Errorf("%d claimed", len(claimed))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := p.SendDue(t.Context()); n != 0 {
			t.Error("a leased letter was claimed again")
		}
		d.Clock.Advance(61 * time.Second)
		if n, _ := p.SendDue(t.Context()); n != 1 {
			t.Error("a dead worker's letter is lost")
		}
	})
}

// TestRunIsWokenByTheCommit: the worker sends what a deed wrote, and what is left when it
// is told to stop.
func TestRunIsWokenByTheCommit(t *testing.T) {
	d := db.SQLite(t)
	sender := &relay{}
	p := post(t, d, sender)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	enqueue(t, d, p, letters.Letter{Template: letters.Code, Locale: "en", To: "ann@example.com", Code: "012345"})
	for deadline := time.Now().Add(10 * time.Second); len(sender.Messages("ann@example.com", "")) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody woke the worker")
		}
	}
	stop()
	<-done
	enqueue(t, d, p, letters.Letter{Template: letters.Code, Locale: "en", To: "last@example.com", Code: "012345"})
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(stopped)
	if len(sender.Messages("last@example.com", "")) != 1 {
		t.Error("what had committed did not leave on the way down")
	}
}

// key is what Messages.Text answers where it has no words.
var key = regexp.MustCompile(`(letter|sms)\.[a-z_]+(\.[a-z_]+)?\b`)

func TestLetterLanguages(t *testing.T) {
	catalogue, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	r, err := letters.NewRenderer(catalogue, `<b>Hal</b>`+"\r\nBcc: x", "https://auth.example.com", "auth.example.com", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for lang, dir := range map[string]string{"en": "ltr", "fr": "ltr", "ar": "rtl", "xx": "ltr", "": "ltr"} {
		for _, template := range letters.Templates {
			m, err := r.Preview(template, lang)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(m.HTML, `dir="`+dir+`"`) || strings.Contains(m.HTML, "<b>Hal") || strings.ContainsAny(m.Subject, "\r\n") {
				t.Errorf("%s %s: %q\n%s", lang, template, m.Subject, m.HTML)
			}
			if strings.Contains(m.HTML, "src=") || strings.Contains(m.HTML, "url(") {
				t.Errorf("%s %s loads something from elsewhere", lang, template)
			}
			for _, part := range []string{m.Subject, m.Text, m.HTML} {
				if missing := key.FindString(part); missing != "" {
					t.Errorf("%s %s: no words for %s", lang, template, missing)
				}
			}
			if len(m.Links) == 1 && (!strings.HasPrefix(m.Links[0], "https://auth.example.com/") || strings.Count(m.HTML, m.Links[0]) != 3 || !strings.Contains(m.Text, m.Links[0])) {
				t.Errorf("%s %s: link %q", lang, template, m.Links)
			}
		}
	}
	if _, err := r.Preview("poem", "en"); err == nil {
		t.Error("an unknown letter was written")
	}
}
