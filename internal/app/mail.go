package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/secret"
)

// probePatience is how long an operator waits for one relay.
const probePatience = 20 * time.Second

// sender is who letters come from: mail-from, or an address at the public host.
func (c *Config) sender(public string) string {
	if c.MailFrom != "" {
		return c.MailFrom
	}
	u, err := url.Parse(public)
	if err != nil || u.Hostname() == "" {
		return "no-reply@localhost"
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "no-reply@localhost" // an address has no mailboxes
	}
	return "no-reply@" + u.Hostname()
}

// relays are the senders that the setting smtp names, or nil when it names none.
func (c *Config) relays(public string, now func() time.Time, log *slog.Logger) (*mail.Relays, error) {
	all, err := mail.ParseRelays(c.SMTP.Reveal())
	if err != nil {
		return nil, Problems{{Key: "smtp", From: c.from["smtp"], Text: err.Error()}}
	}
	if len(all) == 0 {
		return nil, nil
	}
	hello := ""
	if u, err := url.Parse(public); err == nil {
		hello = u.Hostname()
	}
	out := &mail.Relays{ReplyTo: c.MailReplyTo, Now: now, Log: log}
	for _, r := range all {
		out.Senders = append(out.Senders, &mail.SMTP{Relay: r, Hello: hello, Connections: c.OutboxSenders + (c.OutboxSenders+1)/2})
	}
	return out, nil
}

// mailer is what letters are handed to: the relays in production, the inbox in
// development, and both where development has a relay. It is nil where letters cannot
// leave.
func (a *App) mailer() (mail.Sender, error) {
	relays, err := a.Config.relays(a.URL, a.Clock.Now, a.Log)
	if err != nil {
		return nil, err
	}
	a.relays = relays
	if a.Mode == Development {
		a.Inbox = &mail.Inbox{}
	}
	switch {
	case a.Inbox != nil && relays != nil:
		return mail.Copy{Inbox: a.Inbox, Sender: relays}, nil
	case a.Inbox != nil:
		return a.Inbox, nil
	case relays != nil:
		return relays, nil
	}
	return nil, nil
}

// checkRelays connects to each relay and signs in, as for a letter.
func (a *App) checkRelays(ctx context.Context) []Check {
	var all []Check
	for _, s := range a.relays.Senders {
		c := Check{Name: "mail relay", Outcome: Healthy, Detail: s.Relay.String() + " answers over " + string(s.Relay.Security)}
		if s.Relay.User != "" {
			c.Detail += " and accepts the password"
		}
		ctx, cancel := context.WithTimeout(ctx, probePatience)
		err := s.Probe(ctx)
		cancel()
		if err != nil {
			c.Outcome, c.Detail, c.Fix = Failed, err.Error(), "Correct the setting smtp, or let this machine reach the relay."
		}
		all = append(all, c)
	}
	return all
}

// TestLetter is what one relay answered to a letter.
type TestLetter struct {
	Relay  string
	Answer string // the relay's own words; it may quote the address
	Taken  bool
}

// SendTest sends one letter to an address over the first relay that takes it, and tells
// what each relay that was asked answered: a plain one, or one of the templates with
// made-up contents. It needs no database.
func SendTest(ctx context.Context, cfg *Config, address, template, locale string) ([]TestLetter, error) {
	if cfg.MailFrom == "" && cfg.URL == "" {
		return nil, Problems{{Key: "mail-from", Text: "nobody knows whom letters come from; set mail-from, or url, whose host is then used"}}
	}
	clock := &MachineClock{}
	public := cfg.PublicURL(Operation)
	relays, err := cfg.relays(public, clock.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if relays == nil {
		return nil, Problems{{Key: "smtp", Text: "there is no relay to try; set it, like smtp://user:password@host:587"}}
	}
	letter := mail.Message{
		ID: secret.ID("msg", clock.Now()), Channel: "email", To: address, From: cfg.sender(public), ReplyTo: cfg.MailReplyTo,
		SentAt: clock.Now(),
	}
	if err := cfg.fill(&letter, template, locale); err != nil {
		return nil, err
	}
	var tried []TestLetter
	for _, s := range relays.Senders {
		answer, failure := s.Deliver(ctx, letter)
		f, ok := errors.AsType[*mail.Failure](failure)
		if ok && f.Stage == mail.StageCompose {
			err = fmt.Errorf("the letter cannot be written: %w", failure)
			break
		}
		one := TestLetter{Relay: s.Relay.String(), Answer: answer, Taken: failure == nil}
		if failure != nil {
			one.Answer = failure.Error()
			if ok && f.Said() != "" {
				one.Answer = string(f.Stage) + ": " + f.Said()
			}
		}
		tried = append(tried, one)
		if one.Taken || ctx.Err() != nil || errors.Is(failure, mail.ErrRefused) {
			break
		}
	}
	return tried, errors.Join(err, relays.Close())
}
