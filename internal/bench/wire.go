package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// wire is one keep-alive connection that speaks as little HTTP/1.1 as the server allows.
// A full client would cost more than the server that it measures.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

// dial connects from a loopback network of its own, where the system has them: limits
// are counted by network.
func dial(address string, network int) (*wire, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 1, byte(network), 1)}
	conn, err := (&net.Dialer{LocalAddr: from}).Dial("tcp4", address)
	if err != nil {
		if conn, err = net.Dial("tcp4", address); err != nil {
			return nil, err
		}
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}, nil
}

func (w *wire) close() error { return w.conn.Close() }

// get asks with a bearer token.
func (w *wire) get(path, token string) (status int, body []byte, err error) {
	w.out = append(w.out[:0], "GET "...)
	w.out = append(w.out, path...)
	w.out = append(w.out, " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: limen-bench\r\nAccept: application/json\r\n"...)
	if token != "" {
		w.out = append(w.out, "Authorization: Bearer "...)
		w.out = append(w.out, token...)
		w.out = append(w.out, '\r', '\n')
	}
	w.out = append(w.out, '\r', '\n')
	return w.exchange()
}

// post sends JSON.
func (w *wire) post(path, token, json string) (status int, body []byte, err error) {
	w.out = append(w.out[:0], "POST "...)
	w.out = append(w.out, path...)
	w.out = append(w.out, " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: limen-bench\r\nAccept: application/json\r\n"...)
	if token != "" {
		w.out = append(w.out, "Authorization: Bearer "...)
		w.out = append(w.out, token...)
		w.out = append(w.out, '\r', '\n')
	}
	w.out = append(w.out, "Content-Type: application/json\r\nContent-Length: "...)
	w.out = strconv.AppendInt(w.out, int64(len(json)), 10)
	w.out = append(w.out, "\r\n\r\n"...)
	w.out = append(w.out, json...)
	return w.exchange()
}

var errAnswer = errors.New("this is no HTTP/1.1 answer with a length")

// exchange sends the request and reads the answer. The body is valid until the next one.
func (w *wire) exchange() (status int, body []byte, err error) {
	if _, err := w.conn.Write(w.out); err != nil {
		return 0, nil, err
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errAnswer
	}
	length := 0
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, errAnswer
			}
		}
	}
	w.body = append(w.body[:0], make([]byte, length)...)
	_, err = io.ReadFull(w.in, w.body)
	return status, w.body, err
}

// member cuts a text member out of a JSON answer: enough for tokens, whose characters
// need no escapes.
func member(body []byte, name string) (string, error) {
	mark := []byte(`"` + name + `":"`)
	_, rest, found := bytes.Cut(body, mark)
	if !found {
		return "", fmt.Errorf("no %s in %s", name, body)
	}
	value, _, found := bytes.Cut(rest, []byte{'"'})
	if !found {
		return "", errAnswer
	}
	return string(value), nil
}

// expect turns an answer of another status into an error.
func expect(want, status int, body []byte, err error) error {
	if err == nil && status != want {
		err = fmt.Errorf("answered %d instead of %d: %s", status, want, body)
	}
	return err
}
