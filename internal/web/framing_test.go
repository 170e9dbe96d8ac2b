package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/web"
)

// TestFraming speaks HTTP/1.1 over a raw connection to the real server. Where a proxy and
// limen could disagree about the end of a request, the connection ends with its answer, so
// that nothing behind it is ever read as a request (RFC 9112 section 6.1, ASVS 4.2.1).
func TestFraming(t *testing.T) {
	var seen []string
	h := openHall(t, nil, web.Table{
		{Pattern: "POST /v1/echo", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(c *web.Call) error {
			body, err := io.ReadAll(c.R.Body)
			seen = append(seen, string(body))
			if err != nil {
				return err
			}
			return c.Write(http.StatusOK, "text/plain", body)
		})},
		{Pattern: "GET /v1/stolen", Guard: web.Anyone, Limit: web.Free(), Handle: web.Plain(func(c *web.Call) error {
			seen = append(seen, "smuggled")
			return c.Write(http.StatusOK, "text/plain", nil)
		})},
	})
	server := web.NewServer(h, h.Log)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { server.Close() })

	const next = "GET /v1/stolen HTTP/1.1\r\nHost: limen\r\n\r\n"
	const chunked = "3\r\nabc\r\n0\r\n\r\n"
	post := func(version string, headers ...string) string {
		return "POST /v1/echo HTTP/" + version + "\r\nHost: limen\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
	}
	for name, c := range map[string]struct {
		request string
		status  int
		body    string
		open    bool // the next request on the connection is answered, too
	}{
		"plain":                     {post("1.1", "Content-Length: 3") + "abc", 200, "abc", true},
		"both":                      {post("1.1", "Content-Length: 3", "Transfer-Encoding: chunked") + chunked, 200, "abc", false},
		"both, the other way round": {post("1.1", "Transfer-Encoding: chunked", "Content-Length: 3") + chunked, 200, "abc", false},
		"both, in other letters":    {post("1.1", "transfer-encoding: CHUNKED", "content-length:3") + chunked, 200, "abc", false},
		"both, unread":              {post("1.1", "Content-Length: 3", "Transfer-Encoding: chunked") + "3\r\nab", 0, "", false},
		"chunked alone":             {post("1.1", "Transfer-Encoding: chunked") + chunked, 200, "abc", false},
		"two encodings":             {post("1.1", "Transfer-Encoding: identity", "Transfer-Encoding: chunked") + chunked, 501, "", false},
		"an odd encoding":           {post("1.1", "Transfer-Encoding: xchunked") + chunked, 501, "", false},
		"a space before the colon":  {post("1.1", "Content-Length: 3", "Transfer-Encoding : chunked") + chunked, 400, "", false},
		"two lengths":               {post("1.1", "Content-Length: 3", "Content-Length: 4") + "abc", 400, "", false},
		"HTTP/1.0 with both":        {post("1.0", "Connection: keep-alive", "Content-Length: 3", "Transfer-Encoding: chunked") + "abc", 200, "abc", false},
	} {
		seen = nil
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // of a TCP connection
		if _, err := io.WriteString(conn, c.request+next); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite() //nolint:errcheck // as above
		r := bufio.NewReader(conn)
		first, err := http.ReadResponse(r, nil)
		if err != nil {
			if c.status != 0 {
				t.Errorf("%s: %v", name, err)
			}
		} else {
			body, _ := io.ReadAll(first.Body)
			if c.status != 0 && (first.StatusCode != c.status || c.body != "" && string(body) != c.body || first.Close == c.open) {
				t.Errorf("%s: got %d %q, closes %v", name, first.StatusCode, body, first.Close)
			}
		}
		second, err := http.ReadResponse(r, nil)
		if c.open != (err == nil) {
			t.Errorf("%s: the connection goes on: %v, want %v (%v, %v)", name, err == nil, c.open, second, err)
		}
		if smuggled := strings.Contains(strings.Join(seen, " "), "smuggled"); smuggled != c.open {
			t.Errorf("%s: the handlers saw %q", name, seen)
		}
		conn.Close()
	}
}
