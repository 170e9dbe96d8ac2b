package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// link is one connection to a relay. One goroutine at a time uses it.
type link struct {
	smtp    *SMTP
	conn    *bounded
	client  *smtp.Client
	letters int
	broken  bool // what comes next on it is not known
}

// maxReplies bounds what a relay may say before, and then for, one letter.
const maxReplies = 256 << 10

// bounded is a connection over which no more than left bytes are read.
type bounded struct {
	net.Conn
	left int
}

var errTalkative = errors.New("the relay says too much")

// Read is part of net.Conn.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTalkative
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// within runs a conversation that ends after d at the latest, or with ctx. An error that
// ctx caused is ctx's own.
func (l *link) within(ctx context.Context, d time.Duration, talk func() error) error {
	bound, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return l.until(ctx, bound, talk)
}

// until is within for a bound that began earlier.
func (l *link) until(ctx, bound context.Context, talk func() error) error {
	stop := context.AfterFunc(bound, func() {
		_ = l.conn.SetDeadline(time.Unix(1, 0)) // every read and write ends now
	})
	l.conn.left = maxReplies
	err := talk()
	if !stop() {
		l.broken = true
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if bound.Err() != nil {
		if f, ok := errors.AsType[*Failure](err); ok && f.Code == 0 {
			f.cause = errSilent
		}
	}
	return err
}

var errSilent = errors.New("no answer in time")

// dial connects, encrypts and signs in.
func (s *SMTP) dial(ctx context.Context) (*link, error) {
	bound, cancel := context.WithTimeout(ctx, or(s.Connect, defaultConnect))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(bound, "tcp", s.Relay.String())
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, s.failed(StageConnect, err)
	}
	l := &link{smtp: s, conn: &bounded{Conn: conn}}
	if err := l.until(ctx, bound, l.begin); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return l, nil
}

// begin is everything before the first letter.
func (l *link) begin() error {
	s := l.smtp
	config := &tls.Config{ServerName: s.Relay.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	conn := net.Conn(l.conn)
	if s.Relay.Security == TLS {
		secured := tls.Client(l.conn, config)
		if err := secured.Handshake(); err != nil {
			return s.failed(StageTLS, err)
		}
		conn = secured
	}
	var err error
	if l.client, err = smtp.NewClient(conn, s.Relay.Host); err != nil {
		return s.failed(StageConnect, err)
	}
	hello := s.Hello
	if hello == "" {
		hello = "localhost"
	}
	if err := l.client.Hello(hello); err != nil {
		return s.failed(StageConnect, err)
	}
	if s.Relay.Security == StartTLS {
		if offered, _ := l.client.Extension("STARTTLS"); !offered {
			return s.failed(StageTLS, errNoStartTLS)
		}
		if err := l.client.StartTLS(config); err != nil {
			return s.failed(StageTLS, err)
		}
	}
	return l.signIn()
}

var (
	errNoStartTLS  = errors.New("the relay offers no STARTTLS; use smtps:// if it speaks TLS from the start, or another relay")
	errNoAuth      = errors.New("the relay asks for no password on this connection; remove user and password, or use the port for submission")
	errNoMechanism = errors.New("the relay offers none of SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN and LOGIN")
	errNoSMTPUTF8  = errors.New("the relay cannot carry addresses with letters beyond ASCII")
)

// signIn uses the strongest way that the relay offers.
func (l *link) signIn() error {
	s := l.smtp
	if s.Relay.User == "" {
		return nil
	}
	ok, offered := l.client.Extension("AUTH")
	if !ok {
		return s.failed(StageAuth, errNoAuth)
	}
	user, password, host := s.Relay.User, s.Relay.Password.Reveal(), s.Relay.Host
	insecure := s.Relay.Security == Plain // and then the relay is this machine
	mechanisms := strings.Fields(strings.ToUpper(offered))
	for _, way := range []struct {
		name string
		auth func() smtp.Auth
	}{
		{"SCRAM-SHA-256", func() smtp.Auth { return smtp.ScramSHA256Auth(user, password) }},
		{"SCRAM-SHA-1", func() smtp.Auth { return smtp.ScramSHA1Auth(user, password) }},
		{"CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(user, password) }},
		{"PLAIN", func() smtp.Auth { return smtp.PlainAuth("", user, password, host, insecure) }},
		{"LOGIN", func() smtp.Auth { return smtp.LoginAuth(user, password, host, insecure) }},
	} {
		if !slices.Contains(mechanisms, way.name) {
			continue
		}
		if err := l.client.Auth(way.auth()); err != nil {
			return s.failed(StageAuth, err)
		}
		return nil
	}
	return s.failed(StageAuth, errNoMechanism)
}

// reset readies a kept connection for another letter, or finds that it is gone.
func (l *link) reset(ctx context.Context) error {
	return l.within(ctx, resetWithin, l.client.Reset)
}

// deliver sends one letter. After a refusal by the relay the connection stays good; after
// anything else it is broken.
func (l *link) deliver(ctx context.Context, e envelope) (answer string, err error) {
	s := l.smtp
	l.letters++
	err = l.within(ctx, or(s.Patience, defaultPatience), func() error {
		var failure error
		answer, failure = l.talk(e)
		return failure
	})
	f, ok := errors.AsType[*Failure](err)
	if err != nil && (!ok || f.Code == 421 || f.Code == 0 && !f.elsewhere) {
		l.broken = true
	}
	return answer, err
}

func (l *link) talk(e envelope) (string, error) {
	s := l.smtp
	if utf8, _ := l.client.Extension("SMTPUTF8"); e.international && !utf8 {
		f := s.failed(StageRcpt, errNoSMTPUTF8)
		f.permanent, f.elsewhere, f.blame = true, true, false
		return "", f
	}
	l.client.SkipSMTPUTF8(!e.international)
	if err := l.client.Mail("<" + e.from.String() + ">"); err != nil {
		return "", s.failed(StageSender, err)
	}
	if err := l.client.Rcpt("<" + e.to.String() + ">"); err != nil {
		return "", s.failed(StageRcpt, err)
	}
	w, err := l.client.Data()
	if err != nil {
		return "", s.failed(StageRcpt, err) // nothing of the content has been seen yet
	}
	if _, err := w.Write(e.raw); err != nil {
		return "", s.failed(StageContent, err)
	}
	if err := w.Close(); err != nil {
		return "", s.failed(StageContent, err)
	}
	answer := "250"
	if data, ok := w.(*smtp.DataCloser); ok {
		answer = clean("250 "+data.ServerResponse(), 500)
	}
	return answer, nil
}

// quit says goodbye, which the relay may take a second to hear.
func (l *link) quit() {
	_ = l.within(context.Background(), time.Second, l.client.Quit)
	l.drop()
}

func (l *link) drop() { _ = l.conn.Close() }
