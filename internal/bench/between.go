package bench

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
)

// between stands between limen and PostgreSQL and counts how often limen waits for an
// answer: once for each Sync and each simple query.
type between struct {
	url      string
	trips    atomic.Int64
	listener net.Listener
	server   string
	mu       sync.Mutex // guards conns
	conns    []net.Conn
}

func listenBetween(address string) (*between, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &between{listener: l, server: u.Host}
	u.Host = l.Addr().String()
	b.url = u.String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go b.pass(c)
		}
	}()
	return b, nil
}

func (b *between) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.Close()
	}
}

// pass forwards both ways until either side hangs up. The first message of a client has
// no type, every other one a byte that names it.
func (b *between) pass(client net.Conn) {
	server, err := net.Dial("tcp", b.server)
	if err != nil {
		_ = client.Close()
		return
	}
	b.mu.Lock()
	b.conns = append(b.conns, client, server)
	b.mu.Unlock()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	defer server.Close()
	in, out := bufio.NewReader(client), bufio.NewWriter(server)
	for head := make([]byte, 4); ; head = make([]byte, 5) {
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		if len(head) == 5 && (head[0] == 'S' || head[0] == 'Q') {
			b.trips.Add(1)
		}
		_, _ = out.Write(head) // an error stays until Flush
		rest := int64(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
		if _, err := io.CopyN(out, in, rest); err != nil {
			return
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}
