package smtp

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Letter is what the server was handed.
type Letter struct {
	From, To   string // of the envelope
	UTF8       bool   // SMTPUTF8 was asked for
	TLS        bool
	User       string // who signed in
	Connection int    // the number of the connection, from 1
	Hello      string // what the client called itself
	Raw        []byte

	Header  mail.Header
	Subject string // decoded
	Text    string
	HTML    string
}

type session struct {
	server   *Server
	conn     *smtp.Conn
	raw      *conn
	number   int
	user     string
	from, to string
	utf8     bool
}

func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	raw, _ := c.Conn().(*conn)
	if secured, ok := c.Conn().(*tls.Conn); ok {
		raw, _ = secured.NetConn().(*conn)
	}
	all, _ := s.Connections()
	x := &session{server: s, conn: c, raw: raw, number: all}
	return x, x.act(Hello)
}

// act misbehaves as ordered.
func (x *session) act(at Stage) error {
	f, ok := x.server.due(at)
	switch {
	case !ok:
		return nil
	case f.Stall:
		x.raw.wait()
		return errMute
	case f.Drop:
		_ = x.raw.Close()
		return errMute
	}
	refusal := &smtp.SMTPError{Code: f.Code, EnhancedCode: smtp.NoEnhancedCode, Message: f.Text}
	var e smtp.EnhancedCode
	if n, _ := fmt.Sscanf(f.Enhanced, "%d.%d.%d", &e[0], &e[1], &e[2]); n == 3 {
		refusal.EnhancedCode = e
	}
	return refusal
}

// Reset is part of smtp.Session.
func (x *session) Reset() { x.server.note(func() { x.server.resets++ }) }

// Logout is part of smtp.Session.
func (x *session) Logout() error { return nil }

// Mail is part of smtp.Session.
func (x *session) Mail(from string, o *smtp.MailOptions) error {
	if x.server.options.User != "" && x.user == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	x.from, x.utf8 = from, o != nil && o.UTF8
	return x.act(Sender)
}

// Rcpt is part of smtp.Session.
func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = to
	return x.act(Rcpt)
}

// Data is part of smtp.Session.
func (x *session) Data(r io.Reader) error {
	body := bufio.NewReader(r)
	first, err := body.ReadString('\n')
	if err != nil {
		return err
	}
	if err := x.act(Content); err != nil {
		return err
	}
	rest, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return x.keep(append([]byte(first), rest...))
}

func (x *session) keep(raw []byte) error {
	if err := x.act(End); err != nil {
		return err
	}
	_, secured := x.conn.TLSConnectionState()
	l := Letter{
		From: x.from, To: x.to, UTF8: x.utf8, TLS: secured, User: x.user, Connection: x.number, Hello: x.conn.Hostname(), Raw: raw,
	}
	if err := l.parse(); err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	x.server.note(func() { x.server.letters = append(x.server.letters, l) })
	if f, ok := x.server.due(After); ok {
		// The answer to this letter is still written; nothing is read any more.
		x.raw.mu.Lock()
		x.raw.mute, x.raw.hangUp = true, f.Drop
		x.raw.mu.Unlock()
	}
	return nil
}

// parse reads header, text and HTML.
func (l *Letter) parse() error {
	m, err := mail.ReadMessage(bytes.NewReader(l.Raw))
	if err != nil {
		return err
	}
	l.Header = m.Header
	if l.Subject, err = (&mime.WordDecoder{}).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return err
	}
	return l.part(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func (l *Letter) part(contentType, encoding string, body io.Reader) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := l.part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p); err != nil {
				return err
			}
		}
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	switch kind {
	case "text/plain":
		l.Text += string(text)
	case "text/html":
		l.HTML += string(text)
	}
	return nil
}

// AuthMechanisms is part of smtp.AuthSession.
func (x *session) AuthMechanisms() []string {
	switch {
	case x.server.options.User == "":
		return nil
	case len(x.server.options.Ways) == 0:
		return []string{sasl.Plain, sasl.Login}
	}
	return x.server.options.Ways
}

// Auth is part of smtp.AuthSession.
func (x *session) Auth(way string) (sasl.Server, error) {
	if err := x.act(Auth); err != nil {
		return nil, err
	}
	o := x.server.options
	enter := func(user, password string) error {
		if user != o.User || password != o.Password {
			return smtp.ErrAuthFailed
		}
		x.admit(way)
		return nil
	}
	switch way {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return enter(user, password) }), nil
	case sasl.Login:
		return &login{enter: enter}, nil
	case "CRAM-MD5":
		return &cram{session: x}, nil
	case "SCRAM-SHA-256":
		return &scram{session: x}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (x *session) admit(way string) {
	x.user = x.server.options.User
	x.server.note(func() { x.server.ways = append(x.server.ways, way) })
}
