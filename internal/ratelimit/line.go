package ratelimit

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// RedisAddress says where a Redis is and as whom to call it.
type RedisAddress struct {
	network, address string
	user, password   string
	database         string // "" for 0
	tls              *tls.Config
}

var errRedisAddress = errors.New("the address is not of the form redis://user:password@host:port/number, rediss://... or unix:///path")

// ParseRedis reads redis://user:password@host:port/number; rediss:// is the same over
// TLS, unix:///path?db=number a socket of this machine. User, password, port and number
// may be left out. The error does not repeat the address.
func ParseRedis(address string) (RedisAddress, error) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return RedisAddress{}, errRedisAddress
	}
	a := RedisAddress{network: "tcp", user: u.User.Username(), database: u.Query().Get("db")}
	a.password, _ = u.User.Password()
	for name := range u.Query() {
		if name != "db" {
			return RedisAddress{}, fmt.Errorf("%w, and knows no parameter %q", errRedisAddress, name)
		}
	}
	switch u.Scheme {
	case "redis", "rediss":
		if u.Hostname() == "" {
			return RedisAddress{}, errRedisAddress
		}
		port := u.Port()
		if port == "" {
			port = "6379"
		}
		a.address = net.JoinHostPort(u.Hostname(), port)
		if path := strings.Trim(u.Path, "/"); path != "" {
			a.database = path
		}
		if u.Scheme == "rediss" {
			a.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
		}
	case "unix":
		if u.Host != "" || u.Path == "" {
			return RedisAddress{}, errRedisAddress
		}
		a.network, a.address = "unix", u.Path
	default:
		return RedisAddress{}, errRedisAddress
	}
	if n, err := strconv.Atoi(a.database); a.database != "" && (err != nil || n < 0) {
		return RedisAddress{}, errRedisAddress
	}
	if a.user != "" && a.password == "" {
		return RedisAddress{}, errRedisAddress
	}
	return a, nil
}

// greeting are the commands that begin a connection.
func (a RedisAddress) greeting() [][]string {
	var all [][]string
	switch {
	case a.user != "":
		all = append(all, []string{"AUTH", a.user, a.password})
	case a.password != "":
		all = append(all, []string{"AUTH", a.password})
	}
	if a.database != "" && a.database != "0" {
		all = append(all, []string{"SELECT", a.database})
	}
	return all
}

// maxUnanswered bounds the requests that are under way on one connection.
const maxUnanswered = 4096

var (
	errUnanswered = errors.New("too many requests wait for Redis")
	errLineClosed = errors.New("the connection to Redis was closed")
)

// line is the way to a Redis: one connection at a time.
type line struct {
	// turn is a lock that a request can stop waiting for. It guards wire, moved and
	// closed, and the order of what is written.
	turn    chan struct{}
	address RedisAddress
	moved   string // the node of a cluster that our keys live on, "" for address
	wire    *wire
	closed  bool
}

func newLine(address RedisAddress) *line {
	return &line{turn: make(chan struct{}, 1), address: address}
}

// do sends a command and waits for its answer. What Redis refuses is a redisError. It
// goes twice only to a node of a cluster that sends it elsewhere, and so has done nothing.
func (l *line) do(ctx context.Context, args ...string) (any, error) {
	answer, err := l.once(ctx, args)
	said, ok := errors.AsType[redisError](err)
	if !ok {
		return answer, err
	}
	words := strings.Fields(string(said))
	switch {
	case len(words) == 3 && words[0] == "MOVED":
		l.reconnect(ctx, words[2])
		return l.once(ctx, args)
	case len(words) > 0 && words[0] == "READONLY": // this one has become a replica
		l.reconnect(ctx, "")
	}
	return nil, err
}

func (l *line) once(ctx context.Context, args []string) (any, error) {
	w, answered, err := l.send(ctx, args)
	if err != nil {
		return nil, err
	}
	select {
	case answer := <-answered:
		if said, ok := answer.(redisError); ok {
			return nil, said
		}
		return answer, nil
	case <-w.ended:
		return nil, *w.why.Load()
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			w.end(errors.New("Redis did not answer in time")) // it may be gone without a word
		}
		return nil, ctx.Err()
	}
}

// send writes the command, over a new connection if there is none.
func (l *line) send(ctx context.Context, args []string) (*wire, chan any, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if l.closed {
		return nil, nil, errLineClosed
	}
	if l.wire == nil || l.wire.over() {
		address := l.address
		if l.moved != "" {
			address.address = l.moved
		}
		w, err := dial(ctx, address)
		if err != nil {
			l.moved = "" // the next one asks the address of the settings again
			return nil, nil, err
		}
		l.wire = w
	}
	answered := make(chan any, 1)
	return l.wire, answered, l.wire.write(ctx, args, answered)
}

// reconnect ends the connection; the next one goes to address, or to that of the settings.
func (l *line) reconnect(ctx context.Context, address string) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return
	}
	if l.wire != nil {
		l.wire.end(errLineClosed)
	}
	l.moved = address
}

func (l *line) close() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.closed = true; l.wire != nil {
		l.wire.end(errLineClosed)
	}
}

// wire is one connection: answers come in the order of the commands.
type wire struct {
	conn    net.Conn
	waiting chan chan any // who waits, in that order
	ended   chan struct{}
	why     atomic.Pointer[error] // set before ended is closed
}

// dial connects and introduces itself.
func dial(ctx context.Context, a RedisAddress) (*wire, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, a.network, a.address)
	if err != nil {
		return nil, err
	}
	if a.tls != nil {
		secured := tls.Client(conn, a.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secured
	}
	w := &wire{conn: conn, waiting: make(chan chan any, maxUnanswered), ended: make(chan struct{})}
	go w.read()
	for _, command := range a.greeting() {
		answered := make(chan any, 1)
		if err := w.write(ctx, command, answered); err != nil {
			return nil, err
		}
		select {
		case answer := <-answered:
			if said, ok := answer.(redisError); ok {
				w.end(said)
				return nil, fmt.Errorf("%s: %w", command[0], said)
			}
		case <-w.ended:
			return nil, *w.why.Load()
		case <-ctx.Done():
			w.end(ctx.Err())
			return nil, ctx.Err()
		}
	}
	return w, nil
}

// write sends a command. One goroutine at a time calls it.
func (w *wire) write(ctx context.Context, args []string, answered chan any) error {
	select {
	case w.waiting <- answered:
	default:
		return errUnanswered
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := w.conn.SetWriteDeadline(deadline); err != nil {
			return w.end(err)
		}
	}
	if _, err := w.conn.Write(appendCommand(nil, args)); err != nil {
		return w.end(err) // half a command may be out
	}
	return nil
}

// read hands the answers out until the connection ends.
func (w *wire) read() {
	r := bufio.NewReaderSize(w.conn, maxLine)
	for {
		answer, err := readAnswer(r)
		if err != nil {
			w.end(fmt.Errorf("the connection to Redis ended: %w", err))
			return
		}
		select {
		case answered := <-w.waiting:
			answered <- answer
		default:
			w.end(errAnswer) // an answer to nobody: all later ones would go astray
			return
		}
	}
}

// end closes the connection, because of err unless it has ended already, and returns why.
func (w *wire) end(err error) error {
	if w.why.CompareAndSwap(nil, &err) {
		close(w.ended)
		w.conn.Close()
	}
	return *w.why.Load()
}

func (w *wire) over() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}
