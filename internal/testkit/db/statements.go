package db

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Statements stands between a store and PostgreSQL and keeps which statements run, in
// their order: the texts, without their values.
type Statements struct {
	// URL is where the store finds the server.
	URL string

	server string
	mu     sync.Mutex
	ran    []string
	conns  []net.Conn
}

// Listen stands before the database at an address until the test is over.
func Listen(t testing.TB, address string) *Statements {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Statements{server: u.Host}
	u.Host = l.Addr().String()
	s.URL = u.String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			go s.pass(client)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			_ = c.Close()
		}
	})
	return s
}

// Take returns what ran since it was asked last.
func (s *Statements) Take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ran := s.ran
	s.ran = nil
	return ran
}

// pass forwards both ways until either side hangs up.
func (s *Statements) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.server)
	if err != nil {
		return
	}
	defer server.Close()
	s.mu.Lock()
	s.conns = append(s.conns, client, server)
	s.mu.Unlock()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	named := map[string]string{} // the prepared statements of this connection
	for first := true; ; first = false {
		message, err := next(client, first)
		if err != nil {
			return
		}
		s.note(message, first, named)
		if _, err := server.Write(message); err != nil {
			return
		}
	}
}

// next reads one message of a client. The first one has no type, every other one a byte
// that names it.
func next(in io.Reader, first bool) ([]byte, error) {
	n := 5
	if first {
		n = 4
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(head[n-4:])) - 4
	if length < 0 || length > 1<<24 {
		return nil, errors.New("no message of PostgreSQL")
	}
	message := append(head, make([]byte, length)...)
	_, err := io.ReadFull(in, message[n:])
	return message, err
}

// note keeps the text of a statement when values are bound to it: preparing it happens
// once for a connection and says nothing.
func (s *Statements) note(message []byte, first bool, named map[string]string) {
	if first {
		return
	}
	texts := bytes.SplitN(message[5:], []byte{0}, 3)
	text := ""
	switch message[0] {
	case 'P': // name, statement
		named[string(texts[0])] = string(texts[1])
		return
	case 'B': // portal, name
		text = named[string(texts[1])]
	case 'Q':
		text = string(texts[0])
	default:
		return
	}
	if text == idlePing {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = append(s.ran, text)
}

// idlePing is what the pool sends over a connection that was idle for a second: it says
// how slow the machine is, and nothing about the operation.
const idlePing = "-- ping"
