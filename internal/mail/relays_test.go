package mail_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/testkit/smtp"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// two are a first and a second relay, and the sender over both.
func two(t *testing.T, o smtp.Options) (first, second *smtp.Server, relays *mail.Relays, c *clock, log *bytes.Buffer) {
	t.Helper()
	first, second = smtp.Start(t, o), smtp.Start(t, smtp.Options{})
	c, log = &clock{now: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)}, &bytes.Buffer{}
	relays = &mail.Relays{
		Senders: []*mail.SMTP{sender(t, first), sender(t, second)}, Now: c.Now, Log: slog.New(slog.NewTextHandler(log, nil)),
		ReplyTo: "Help <help@example.com>",
	}
	return first, second, relays, c, log
}

func taken(servers ...*smtp.Server) string {
	var counts []string
	for _, s := range servers {
		counts = append(counts, fmt.Sprint(len(s.Letters())))
	}
	return strings.Join(counts, " ")
}

func TestRelaysFailOverAndRecover(t *testing.T) {
	first, second, relays, c, log := two(t, smtp.Options{})
	send := func(want string) {
		t.Helper()
		if err := relays.Send(t.Context(), letter("msg_1")); err != nil {
			t.Fatal(err)
		}
		if got := taken(first, second); got != want {
			t.Fatalf("the relays have taken %s letters, want %s", got, want)
		}
	}
	send("1 0")
	if got := first.Letters()[0].Header.Get("Reply-To"); got != `"Help" <help@example.com>` {
		t.Errorf("Reply-To: %s", got)
	}
	first.Misbehave(smtp.Sender, smtp.Fault{Code: 421, Enhanced: "4.3.2"}, 2)
	send("1 1") // 421: the second takes it
	before, _ := first.Connections()
	send("1 2") // the first rests and is not asked
	if after, _ := first.Connections(); after != before {
		t.Error("a relay that rests was asked")
	}
	c.advance(time.Second)
	send("1 3") // it is asked, and fails again: the rest doubles
	c.advance(time.Second)
	send("1 4")
	c.advance(time.Second)
	send("2 4") // well again
	send("3 4")
	for _, want := range []string{"rests after a failure", "works again", "421 4.3.2"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "ann.lee") {
		t.Errorf("the log holds an address:\n%s", log)
	}
}

func TestRelaysUnreachable(t *testing.T) {
	first, second, relays, c, _ := two(t, smtp.Options{})
	first.Misbehave(smtp.Connect, smtp.Fault{Drop: true}, -1)
	second.Misbehave(smtp.Connect, smtp.Fault{Drop: true}, -1)
	failure(t, relays.Send(t.Context(), letter("msg_1")), mail.StageConnect, false)
	if err := relays.Send(t.Context(), letter("msg_1")); !errors.Is(err, mail.ErrResting) || errors.Is(err, mail.ErrRefused) {
		t.Errorf("while all rest: %v", err)
	}
	// Rests grow to two minutes and no further.
	for range 12 {
		c.advance(2 * time.Minute)
		failure(t, relays.Send(t.Context(), letter("msg_1")), mail.StageConnect, false)
	}
	first.Behave()
	c.advance(2 * time.Minute)
	if err := relays.Send(t.Context(), letter("msg_1")); err != nil || taken(first, second) != "1 0" {
		t.Errorf("%v, %s", err, taken(first, second))
	}
	// A clock that is set back does not make a rest endless.
	first.Misbehave(smtp.Connect, smtp.Fault{Drop: true}, 1)
	relays.Senders[0].Reuse = 1
	second.Behave()
	for range 3 {
		if err := relays.Send(t.Context(), letter("msg_1")); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(-time.Hour)
	before := len(first.Letters())
	if err := relays.Send(t.Context(), letter("msg_1")); err != nil || len(first.Letters()) != before+1 {
		t.Errorf("%v, %s", err, taken(first, second))
	}
}

// TestRelaysRefusal: what was refused for good is not carried to the next relay, and the
// relay is not blamed.
func TestRelaysRefusal(t *testing.T) {
	for at, f := range map[smtp.Stage]smtp.Fault{
		smtp.Rcpt: {Code: 550, Enhanced: "5.1.1"}, smtp.End: {Code: 554, Enhanced: "5.7.1"},
	} {
		first, second, relays, _, _ := two(t, smtp.Options{})
		first.Misbehave(at, f, 1)
		if err := relays.Send(t.Context(), letter("msg_1")); !errors.Is(err, mail.ErrRefused) {
			t.Errorf("%s: %v", at, err)
		}
		if err := relays.Send(t.Context(), letter("msg_2")); err != nil || taken(first, second) != "1 0" {
			t.Errorf("%s: %v, %s", at, err, taken(first, second))
		}
	}
	// A letter that cannot be composed says nothing of the relay either.
	first, second, relays, _, _ := two(t, smtp.Options{})
	bad := letter("msg_1")
	bad.To = "ann@example.com>\r\nRCPT TO:<eve@example.com"
	failure(t, relays.Send(t.Context(), bad), mail.StageCompose, true)
	if all, _ := first.Connections(); all != 0 || taken(first, second) != "0 0" {
		t.Error("a relay was asked for it")
	}
}

// TestRelaysPutOff: a recipient's server that puts off every letter costs the relay its
// turn only when letters to others are put off as well.
func TestRelaysPutOff(t *testing.T) {
	first, second, relays, _, _ := two(t, smtp.Options{})
	slow := smtp.Fault{Code: 450, Enhanced: "4.2.0"}
	for range 3 { // each time, a letter in between goes through
		first.Misbehave(smtp.Rcpt, slow, 1)
		for range 2 {
			if err := relays.Send(t.Context(), letter("msg_1")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := taken(first, second); got != "3 3" {
		t.Fatalf("%s", got)
	}
	first.Misbehave(smtp.Rcpt, slow, -1)
	for range 4 {
		if err := relays.Send(t.Context(), letter("msg_1")); err != nil {
			t.Fatal(err)
		}
	}
	first.Behave()
	if err := relays.Send(t.Context(), letter("msg_1")); err != nil || taken(first, second) != "3 8" {
		t.Errorf("%v, %s: three in a row should rest the relay", err, taken(first, second))
	}
}

// TestRelaysProveOne: after its rest a relay gets one letter, not all that wait.
func TestRelaysProveOne(t *testing.T) {
	first, second, relays, c, _ := two(t, smtp.Options{})
	first.Misbehave(smtp.Connect, smtp.Fault{Drop: true}, -1)
	if err := relays.Send(t.Context(), letter("msg_1")); err != nil {
		t.Fatal(err)
	}
	before, _ := first.Connections()
	c.advance(time.Hour)
	var workers sync.WaitGroup
	for n := range 20 {
		workers.Go(func() {
			if err := relays.Send(t.Context(), letter(fmt.Sprint("msg_", n))); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if after, _ := first.Connections(); after != before+1 || len(second.Letters()) != 21 {
		t.Errorf("%d tries at the sick relay, %s", after-before, taken(first, second))
	}
}

func TestRelaysInternational(t *testing.T) {
	first, second, relays, _, _ := two(t, smtp.Options{ASCII: true})
	m := letter("msg_1")
	m.To = "jörg@example.org"
	if err := relays.Send(t.Context(), m); err != nil || taken(first, second) != "0 1" {
		t.Errorf("%v, %s", err, taken(first, second))
	}
	relays.Senders = relays.Senders[:1]
	failure(t, relays.Send(t.Context(), m), mail.StageRcpt, true)
	if err := (&mail.Relays{}).Send(t.Context(), m); !errors.Is(err, mail.ErrResting) {
		t.Errorf("no relay at all: %v", err)
	}
}

func TestCopy(t *testing.T) {
	server := smtp.Start(t, smtp.Options{})
	inbox := &mail.Inbox{}
	both := mail.Copy{Inbox: inbox, Sender: sender(t, server)}
	for n, to := range []string{"ann@people.org", "ann@example.test", "ann@localhost", "ann@example.com"} {
		m := letter(fmt.Sprint("msg_", n))
		m.To = to
		if err := both.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := both.Send(t.Context(), mail.Message{ID: "sms", Channel: "sms", To: "+15555550100"}); err != nil {
		t.Fatal(err)
	}
	if got := server.Letters(); len(got) != 1 || got[0].To != "ann@people.org" || len(inbox.Messages("", "")) != 5 {
		t.Errorf("%d letters left, %d kept", len(got), len(inbox.Messages("", "")))
	}
}

func TestParseRelays(t *testing.T) {
	got, err := mail.ParseRelays("smtp://user:p%40ss%2C@relay.example.com, smtps://Büro.example:8465\n smtp+insecure://127.0.0.1:2525,smtp+insecure://[::1]")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"relay.example.com:587 starttls user p@ss,", "xn--bro-hoa.example:8465 tls  ", "127.0.0.1:2525 plain  ", "[::1]:25 plain  "}
	for n, r := range got {
		if text := fmt.Sprintf("%s %s %s %s", r, r.Security, r.User, r.Password.Reveal()); text != want[n] {
			t.Errorf("%q, want %q", text, want[n])
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "p@ss") {
		t.Errorf("shows the password: %s", text)
	}
	for text, want := range map[string]string{
		"smtp+insecure://relay.example.com:25":                   "use smtp:// (STARTTLS)",
		"smtp+insecure://localhost.example.com":                  "use smtp:// (STARTTLS)",
		"smtp+insecure://u:hunter@10.0.0.1":                      "use smtp:// (STARTTLS)",
		"relay.example.com:587":                                  "smtp://user:password@host:587",
		"http://u:hunter@relay.example.com":                      "smtp://user:password@host:587",
		"smtp://u:hun#ter@relay.example.com":                     "escape special characters",
		"smtp://u:hun/ter@relay.example.com":                     "smtp://user:password@host:587",
		"smtp://u:hun%zzter@relay.example.com":                   "escape special characters",
		"smtp://u:hunter@relay.example.com/path":                 "escape special characters",
		"smtp://u:hunter@relay.example.com?tls=none":             "escape special characters",
		"smtp://u@relay.example.com":                             "a user needs a password",
		"smtp://:hunter@relay.example.com":                       "a user needs a password",
		"smtp://u:hun%0D%0Ater@relay.example.com":                "one line each",
		"smtp://relay.example.com:0":                             "outside 1 to 65535",
		"smtp://relay.example.com:99999":                         "outside 1 to 65535",
		"smtp://":                                                "the host is missing",
		"smtp://bad_host!":                                       "the host is missing",
		"smtp://a.example,smtp://b.example,smtp://a.example:587": "named twice",
	} {
		_, err := mail.ParseRelays(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "hun") {
			t.Errorf("shows the password: %v", err)
		}
	}
}
