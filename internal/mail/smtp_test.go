package mail_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/testkit/smtp"
)

const recipient = "ann.lee@people.example"

func letter(id string) mail.Message {
	return mail.Message{
		ID: id, Channel: "email", To: recipient, From: "Halcyon <no-reply@auth.example.com>", Subject: "012345 · Your code",
		Text: "Your code: 012345\n", HTML: "<p>Your code: <b>012345</b></p>", SentAt: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
	}
}

// sender returns a sender to a server, with short patience.
func sender(t *testing.T, s *smtp.Server) *mail.SMTP {
	t.Helper()
	r, err := mail.ParseRelay(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	out := &mail.SMTP{Relay: r, Roots: s.Roots, Hello: "auth.example.com", Connect: 5 * time.Second, Patience: 5 * time.Second}
	t.Cleanup(func() {
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
	return out
}

// failure demands a Failure at a stage and looks for what must not be in its text.
func failure(t *testing.T, err error, stage mail.Stage, refused bool) *mail.Failure {
	t.Helper()
	f, ok := errors.AsType[*mail.Failure](err)
	if !ok || f.Stage != stage || errors.Is(err, mail.ErrRefused) != refused {
		t.Fatalf("got %v (%+v), want a failure at %s, refused %t", err, f, stage, refused)
	}
	for _, secret := range []string{"ann.lee", "people.example", "hunter"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes %s: %v", secret, err)
		}
	}
	return f
}

func TestSMTPSecurity(t *testing.T) {
	for _, security := range []string{"starttls", "tls", "plain"} {
		t.Run(security, func(t *testing.T) {
			server := smtp.Start(t, smtp.Options{Security: security})
			answer, err := sender(t, server).Deliver(t.Context(), letter("msg_1"))
			if err != nil || !strings.HasPrefix(answer, "250 2.0.0") {
				t.Fatalf("%q %v", answer, err)
			}
			got := server.Await(t, 1)[0]
			if got.TLS != (security != "plain") || got.To != recipient || got.From != "no-reply@auth.example.com" || got.Hello != "auth.example.com" || got.UTF8 {
				t.Errorf("%+v", got)
			}
			if got.Subject != "012345 · Your code" || got.Text != "Your code: 012345\r\n" && got.Text != "Your code: 012345\n" || !strings.Contains(got.HTML, "<b>012345</b>") {
				t.Errorf("%q %q %q", got.Subject, got.Text, got.HTML)
			}
		})
	}
}

// TestSMTPTrust: a relay that cannot prove its name, or that offers no encryption, is
// told nothing.
func TestSMTPTrust(t *testing.T) {
	for name, test := range map[string]struct {
		options smtp.Options
		scheme  string
		roots   bool
	}{
		"another host, STARTTLS": {smtp.Options{WrongHost: true, User: "u", Password: "hunter"}, "smtp", true},
		"another host, TLS":      {smtp.Options{Security: "tls", WrongHost: true, User: "u", Password: "hunter"}, "smtps", true},
		"unknown authority":      {smtp.Options{User: "u", Password: "hunter"}, "smtp", false},
		"STARTTLS stripped":      {smtp.Options{Security: "plain", User: "u", Password: "hunter"}, "smtp", true},
	} {
		t.Run(name, func(t *testing.T) {
			server := smtp.Start(t, test.options)
			r, err := mail.ParseRelay(fmt.Sprintf("%s://u:hunter@localhost:%d", test.scheme, server.Port))
			if err != nil {
				t.Fatal(err)
			}
			s := &mail.SMTP{Relay: r, Connect: 5 * time.Second}
			if test.roots {
				s.Roots = server.Roots
			}
			defer s.Close()
			failure(t, s.Send(t.Context(), letter("msg_1")), mail.StageTLS, false)
			server.AwaitClosed(t)
			if len(server.Letters()) != 0 || len(server.Ways()) != 0 {
				t.Error("a relay that proved nothing was told something")
			}
		})
	}
}

func TestSMTPAuth(t *testing.T) {
	for _, ways := range [][]string{{"SCRAM-SHA-256", "PLAIN"}, {"CRAM-MD5", "PLAIN"}, {"PLAIN", "LOGIN"}, {"LOGIN"}} {
		for _, security := range []string{"starttls", "tls", "plain"} {
			t.Run(ways[0]+" "+security, func(t *testing.T) {
				server := smtp.Start(t, smtp.Options{Security: security, User: "limen", Password: "hunter", Ways: ways})
				if err := sender(t, server).Send(t.Context(), letter("msg_1")); err != nil {
					t.Fatal(err)
				}
				if got := server.Await(t, 1)[0]; got.User != "limen" || server.Ways()[0] != ways[0] {
					t.Errorf("%q signed in by %v", got.User, server.Ways())
				}
				wrong := sender(t, server)
				wrong.Relay.Password = "hunter3"
				if f := failure(t, wrong.Send(t.Context(), letter("msg_2")), mail.StageAuth, false); f.Code != 535 {
					t.Errorf("%v", f)
				}
				failure(t, wrong.Probe(t.Context()), mail.StageAuth, false)
			})
		}
	}
	t.Run("no password asked for", func(t *testing.T) {
		server := smtp.Start(t, smtp.Options{})
		s := sender(t, server)
		s.Relay.User, s.Relay.Password = "u", "hunter"
		failure(t, s.Send(t.Context(), letter("msg_1")), mail.StageAuth, false)
	})
	t.Run("no way in common", func(t *testing.T) {
		server := smtp.Start(t, smtp.Options{User: "u", Password: "hunter", Ways: []string{"GSSAPI"}})
		failure(t, sender(t, server).Send(t.Context(), letter("msg_1")), mail.StageAuth, false)
	})
	t.Run("password forgotten", func(t *testing.T) {
		server := smtp.Start(t, smtp.Options{User: "u", Password: "hunter"})
		s := sender(t, server)
		s.Relay.User = ""
		failure(t, s.Send(t.Context(), letter("msg_1")), mail.StageSender, false)
	})
}

// TestSMTPMisbehaviour: whatever a relay does, the letter is refused for good only where
// the relay said so of the letter, and the next letter goes through.
func TestSMTPMisbehaviour(t *testing.T) {
	stall, drop := smtp.Fault{Stall: true}, smtp.Fault{Drop: true}
	code := func(n int, enhanced string) smtp.Fault {
		return smtp.Fault{Code: n, Enhanced: enhanced, Text: "<" + recipient + ">: no"}
	}
	for name, test := range map[string]struct {
		at      smtp.Stage
		fault   smtp.Fault
		stage   mail.Stage
		refused bool
	}{
		"accepts and closes":       {smtp.Connect, drop, mail.StageConnect, false},
		"accepts and is silent":    {smtp.Connect, stall, mail.StageConnect, false},
		"silent after the name":    {smtp.Hello, stall, mail.StageConnect, false},
		"421 to the name":          {smtp.Hello, code(421, "4.3.2"), mail.StageConnect, false},
		"454 to the password":      {smtp.Auth, code(454, "4.7.0"), mail.StageAuth, false},
		"silent to the password":   {smtp.Auth, stall, mail.StageAuth, false},
		"421 to the sender":        {smtp.Sender, code(421, "4.7.0"), mail.StageSender, false},
		"451 to the sender":        {smtp.Sender, code(451, "4.3.0"), mail.StageSender, false},
		"550 to the sender":        {smtp.Sender, code(550, "5.7.1"), mail.StageSender, false},
		"silent to the sender":     {smtp.Sender, stall, mail.StageSender, false},
		"450 to the recipient":     {smtp.Rcpt, code(450, "4.2.0"), mail.StageRcpt, false},
		"550 to the recipient":     {smtp.Rcpt, code(550, "5.1.1"), mail.StageRcpt, true},
		"550, no enhanced code":    {smtp.Rcpt, code(550, ""), mail.StageRcpt, true},
		"530 to the recipient":     {smtp.Rcpt, code(530, "5.7.0"), mail.StageRcpt, false},
		"relay access denied":      {smtp.Rcpt, code(554, "5.7.1"), mail.StageRcpt, false},
		"silent to the recipient":  {smtp.Rcpt, stall, mail.StageRcpt, false},
		"drops inside the letter":  {smtp.Content, drop, mail.StageContent, false},
		"silent inside the letter": {smtp.Content, stall, mail.StageContent, false},
		"451 to the letter":        {smtp.End, code(451, "4.3.0"), mail.StageContent, false},
		"554 to the letter":        {smtp.End, code(554, "5.7.1"), mail.StageContent, true},
		"552 to the letter":        {smtp.End, code(552, "5.3.4"), mail.StageContent, true},
		"drops after the letter":   {smtp.End, drop, mail.StageContent, false},
		"silent after the letter":  {smtp.End, stall, mail.StageContent, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := smtp.Start(t, smtp.Options{User: "limen", Password: "hunter"})
			s := sender(t, server)
			if test.fault.Stall {
				s.Connect, s.Patience = 500*time.Millisecond, 500*time.Millisecond
			}
			times := 1
			if test.at == smtp.Hello && test.fault.Code != 0 {
				times = 2 // EHLO, and HELO after it
			}
			server.Misbehave(test.at, test.fault, times)
			f := failure(t, s.Send(t.Context(), letter("msg_1")), test.stage, test.refused)
			if f.Code != test.fault.Code || f.Enhanced != test.fault.Enhanced {
				t.Errorf("codes %d %q, want %d %q", f.Code, f.Enhanced, test.fault.Code, test.fault.Enhanced)
			}
			if test.fault.Code != 0 && test.at != smtp.Hello && !strings.Contains(f.Said(), recipient) {
				t.Errorf("an operator who asks is told %q", f.Said())
			}
			s.Connect, s.Patience = 10*time.Second, 10*time.Second
			if err := s.Send(t.Context(), letter("msg_1")); err != nil {
				t.Fatalf("the next letter: %v", err)
			}
			if got := server.Letters(); len(got) != 1 {
				t.Errorf("%d letters", len(got))
			}
		})
	}
}

// TestSMTPLies: a relay that says yes and then nothing more, or hangs up, costs the next
// letter one look and no more.
func TestSMTPLies(t *testing.T) {
	for name, f := range map[string]smtp.Fault{"silent": {Stall: true}, "gone": {Drop: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := smtp.Start(t, smtp.Options{})
			server.Misbehave(smtp.After, f, 1)
			s := sender(t, server)
			for n := range 2 {
				if err := s.Send(t.Context(), letter(fmt.Sprint("msg_", n))); err != nil {
					t.Fatalf("letter %d: %v", n, err)
				}
			}
			if got := server.Await(t, 2); got[0].Connection != 1 || got[1].Connection != 2 {
				t.Errorf("connections %d and %d", got[0].Connection, got[1].Connection)
			}
		})
	}
}

func TestSMTPReusesConnections(t *testing.T) {
	server := smtp.Start(t, smtp.Options{User: "limen", Password: "hunter"})
	s := sender(t, server)
	s.Reuse = 4
	for n := range 8 {
		if n == 2 { // a refusal in between does not cost the connection
			server.Misbehave(smtp.Rcpt, smtp.Fault{Code: 550, Enhanced: "5.1.1"}, 1)
		}
		if err := s.Send(t.Context(), letter(fmt.Sprint("msg_", n))); (err != nil) != (n == 2) {
			t.Fatalf("letter %d: %v", n, err)
		}
	}
	if all, _ := server.Connections(); all != 2 || len(server.Letters()) != 7 {
		t.Errorf("%d connections for %d letters, want 2 for 7", all, len(server.Letters()))
	}
	if ways := server.Ways(); len(ways) != 2 {
		t.Errorf("signed in %d times", len(ways))
	}
	server.AwaitClosed(t) // each has had its four letters
}

func TestSMTPClosesIdleConnections(t *testing.T) {
	server := smtp.Start(t, smtp.Options{})
	s := sender(t, server)
	s.Idle = 20 * time.Millisecond
	if err := s.Send(t.Context(), letter("msg_1")); err != nil {
		t.Fatal(err)
	}
	server.AwaitClosed(t)
	if err := s.Send(t.Context(), letter("msg_2")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	server.AwaitClosed(t)
	if err := s.Send(t.Context(), letter("msg_3")); err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("a closed sender: %v", err)
	}
}

func TestSMTPBoundsConnections(t *testing.T) {
	server := smtp.Start(t, smtp.Options{})
	s := sender(t, server)
	s.Connections = 3
	var workers sync.WaitGroup
	for n := range 30 {
		workers.Go(func() {
			if err := s.Send(t.Context(), letter(fmt.Sprint("msg_", n))); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if all, _ := server.Connections(); all > 3 || len(server.Letters()) != 30 {
		t.Errorf("%d connections, %d letters", all, len(server.Letters()))
	}
}

func TestSMTPHonoursContext(t *testing.T) {
	server := smtp.Start(t, smtp.Options{})
	s := sender(t, server)
	s.Connections, s.Connect, s.Patience = 1, time.Minute, time.Minute
	server.Misbehave(smtp.Rcpt, smtp.Fault{Stall: true}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- s.Send(ctx, letter("msg_1")) }()
	server.AwaitFault(t, smtp.Rcpt)
	// The only connection is taken, so the second waits for its turn and leaves with its
	// own context.
	impatient, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer leave()
	if err := s.Send(impatient, letter("msg_2")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second: %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	if err := s.Send(t.Context(), letter("msg_3")); err != nil {
		t.Error(err)
	}
}

func TestSMTPInternationalAddresses(t *testing.T) {
	m := letter("msg_1")
	m.To = "jörg@bücher.example"
	modern, old := smtp.Start(t, smtp.Options{}), smtp.Start(t, smtp.Options{ASCII: true})
	if err := sender(t, modern).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := modern.Await(t, 1)[0]; !got.UTF8 || got.To != "jörg@xn--bcher-kva.example" {
		t.Errorf("%+v", got)
	}
	s := sender(t, old)
	failure(t, s.Send(t.Context(), m), mail.StageRcpt, true)
	// Of the domain alone, ASCII is enough.
	m.To = "joerg@bücher.example"
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := old.Await(t, 1)[0]; got.UTF8 || got.To != "joerg@xn--bcher-kva.example" || got.Connection != 1 {
		t.Errorf("%+v", got)
	}
	if err := sender(t, old).Send(t.Context(), mail.Message{Channel: "sms", To: "+15555550100"}); err == nil {
		t.Error("a text message was sent as a letter")
	}
}
