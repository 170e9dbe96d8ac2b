// Package smtp gives tests a relay: a real SMTP server on a port of this machine that
// keeps what it is handed and misbehaves on demand.
//
// At each Stage it can refuse with any code, fall silent or hang up, for the next n times
// or for good. It counts connections, speaks STARTTLS, TLS or neither, with a certificate
// that is right or of another host, and asks for a password by PLAIN, LOGIN, CRAM-MD5 or
// SCRAM-SHA-256.
//
// The package is for tests only.
package smtp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Stage is a moment at which a server can misbehave.
type Stage string

// The stages.
const (
	Connect Stage = "connect" // before the greeting: a code has no meaning, it hangs up
	Hello   Stage = "hello"
	Auth    Stage = "auth"
	Sender  Stage = "sender"
	Rcpt    Stage = "recipient"
	Content Stage = "content" // in the middle of the letter
	End     Stage = "end"     // after the last line of the letter
	After   Stage = "after"   // after the letter was kept and acknowledged
)

// Fault is what happens at a stage.
type Fault struct {
	Stall    bool // say nothing any more
	Drop     bool // hang up
	Code     int  // refuse with this code
	Enhanced string
	Text     string
}

// Options make a server. The zero value demands STARTTLS and no password.
type Options struct {
	Security  string // "starttls" (also ""), "tls" or "plain"
	User      string // "": nobody is asked for a password
	Password  string
	Ways      []string // of signing in; empty means PLAIN and LOGIN
	WrongHost bool     // the certificate belongs to another host
	ASCII     bool     // no SMTPUTF8
}

// Server is a relay under test.
type Server struct {
	Host  string // localhost
	Port  int
	Roots *x509.CertPool // believe in its certificate

	options Options
	server  *smtp.Server
	ending  chan struct{}

	mu          sync.Mutex // guards what follows
	changed     chan struct{}
	faults      map[Stage]*fault
	letters     []Letter
	connections int
	open        int
	resets      int
	ways        []string
}

type fault struct {
	Fault
	times int // that are left; below 0 stands for ever
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	config, roots, err := certificate(o.WrongHost)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Host: "localhost", Roots: roots, options: o, ending: make(chan struct{}),
		changed: make(chan struct{}), faults: map[Stage]*fault{},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if s.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	s.server = smtp.NewServer(smtp.BackendFunc(s.session))
	s.server.Domain, s.server.ErrorLog = "relay.test", silence{}
	s.server.EnableSMTPUTF8, s.server.AllowInsecureAuth = !o.ASCII, o.Security == "plain"
	s.server.MaxMessageBytes = 16 << 20
	listener := net.Listener(&door{Listener: l, server: s})
	switch o.Security {
	case "", "starttls":
		s.server.TLSConfig = config
	case "tls":
		listener = tls.NewListener(listener, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.server.Serve(listener)
	}()
	t.Cleanup(func() {
		close(s.ending)
		_ = s.server.Close()
		_ = l.Close() // a server that was never used may not know its listener yet
		<-done
	})
	return s
}

// silence is the log of a server whose mishaps are ordered.
type silence struct{}

func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}

// URL is the setting that leads to the server.
func (s *Server) URL() string {
	scheme := map[string]string{"": "smtp", "starttls": "smtp", "tls": "smtps", "plain": "smtp+insecure"}[s.options.Security]
	user := ""
	if s.options.User != "" {
		user = s.options.User + ":" + s.options.Password + "@"
	}
	return fmt.Sprintf("%s://%s%s:%d", scheme, user, s.Host, s.Port)
}

// Misbehave makes the server act out f at a stage for the next n times; below 0 is until
// Behave.
func (s *Server) Misbehave(at Stage, f Fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[at] = &fault{Fault: f, times: n}
}

// Behave ends all misbehaviour that is still to come.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// Letters are the letters that the server took, oldest first.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

// Await waits until the server has taken n letters.
func (s *Server) Await(t testing.TB, n int) []Letter {
	t.Helper()
	s.await(t, func() bool { return len(s.letters) >= n }, fmt.Sprintf("%d letters", n))
	return s.Letters()
}

// AwaitFault waits until the misbehaviour that was ordered at a stage has begun for the
// last time.
func (s *Server) AwaitFault(t testing.TB, at Stage) {
	t.Helper()
	s.await(t, func() bool { return s.faults[at] != nil && s.faults[at].times == 0 }, "misbehaviour")
}

// AwaitClosed waits until nobody is connected.
func (s *Server) AwaitClosed(t testing.TB) {
	t.Helper()
	s.await(t, func() bool { return s.open == 0 }, "no connection")
}

// await waits until a condition holds, which is looked at under the lock.
func (s *Server) await(t testing.TB, holds func() bool, what string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		done, changed := holds(), s.changed
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the relay waited in vain for %s", what)
		}
	}
}

// Connections counts the connections since the start, and those that are open now.
func (s *Server) Connections() (all, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections, s.open
}

// Resets counts how often a client ended or abandoned a letter.
func (s *Server) Resets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resets
}

// Ways are the mechanisms by which clients signed in, in order.
func (s *Server) Ways() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ways)
}

// note changes what the lock guards and tells those who wait.
func (s *Server) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// due takes the misbehaviour that is due at a stage.
func (s *Server) due(at Stage) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults[at]
	if f == nil || f.times == 0 {
		return Fault{}, false
	}
	if f.times > 0 {
		f.times--
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return f.Fault, true
}

// door counts connections and misbehaves at them.
type door struct {
	net.Listener
	server *Server
}

// Accept is part of net.Listener.
func (d *door) Accept() (net.Conn, error) {
	for {
		raw, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, server: d.server, closed: make(chan struct{})}
		d.server.note(func() { d.server.connections++; d.server.open++ })
		f, ok := d.server.due(Connect)
		if !ok {
			return c, nil
		}
		if f.Stall {
			go c.wait()
			continue
		}
		_ = c.Close()
	}
}

// conn is a connection that can fall silent.
type conn struct {
	net.Conn
	server *Server
	once   sync.Once
	closed chan struct{}

	mu           sync.Mutex // guards what follows
	mute, hangUp bool
}

// wait holds the connection open and silent until the client or the test ends.
func (c *conn) wait() {
	go func() {
		_, _ = io.Copy(io.Discard, c.Conn)
		_ = c.Close()
	}()
	select {
	case <-c.closed:
	case <-c.server.ending:
		_ = c.Close()
	}
}

var errMute = errors.New("the connection has fallen silent")

// Read is part of net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	mute, hangUp := c.mute, c.hangUp
	c.mu.Unlock()
	if mute && hangUp {
		_ = c.Close()
		return 0, errMute
	}
	if mute {
		c.wait()
		return 0, errMute
	}
	return c.Conn.Read(p)
}

// Close is part of net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		close(c.closed)
		c.server.note(func() { c.server.open-- })
	})
	return err
}
