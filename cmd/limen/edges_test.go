package main_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testLogInJSON reads every line that a server writes from its start to its end: with
// log-format json a collector parses each of them, at every level.
func testLogInJSON(t *testing.T, b binary) {
	for name, args := range map[string][]string{
		"dev": {"dev", "--log-format", "json"}, "dev, errors only": {"dev", "--log-format", "json", "--log-level", "error"},
		"serve": {"serve", "--log-format", "json", "--url", "https://auth.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.launch(t, t.TempDir(), args...)
			p.await(t)
			p.do("GET", "/nowhere", nil)
			if status := p.stop(t); status != 0 {
				t.Errorf("status %d", status)
			}
			var ready, notes, people int
			for line := range strings.Lines(p.out.String()) {
				var record M
				if err := json.Unmarshal([]byte(line), &record); err != nil || record.text("msg") == "" || record.text("time") == "" || record.text("level") == "" {
					t.Errorf("%v: %q", err, line)
				}
				switch record.text("msg") {
				case "limen is ready":
					ready++
					listening, _ := record["listening"].([]any)
					if !strings.HasSuffix(record.text("sign_in"), "/sign-in") || len(listening) != 1 || listening[0] != p.Addr || record.text("database") != "SQLite" {
						t.Errorf("it says: %s", line)
					}
				case "a note on the settings":
					notes++
				case "somebody to try with":
					people++
				}
			}
			wantNotes, wantPeople := 0, 2
			if strings.HasPrefix(name, "serve") {
				wantNotes, wantPeople = 2, 0
			}
			if ready != 1 || notes != wantNotes || people != wantPeople {
				t.Errorf("%d lines say that it is ready, %d are notes, %d people", ready, notes, people)
			}
		})
	}
}

// testFraming speaks to the shipped program over a raw connection: a request with two
// different ends (RFC 9112 section 6.1) is the last on its connection.
func testFraming(t *testing.T, b binary) {
	p := b.start(t, t.TempDir())
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "POST /v1/token/refresh HTTP/1.1\r\nHost: "+p.Addr+"\r\nContent-Type: application/json\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"2\r\n{}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: "+p.Addr+"\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	first, err := http.ReadResponse(r, nil)
	if err != nil || !first.Close {
		t.Fatalf("%v, %v", first, err)
	}
	if _, err := io.Copy(io.Discard, first.Body); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("a second answer came: %q, %v", rest, err)
	}
}

// A list of breached passwords that is no text is refused before anything listens.
func testBreachedFile(t *testing.T, b binary) {
	dir := t.TempDir()
	file := filepath.Join(dir, "list.gz")
	if err := os.WriteFile(file, []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\n\x2b\x48\nlist\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out := b.run(t, dir, "", "dev", "--listen", freeAddr(t), "--ops-listen", "off", "--data", filepath.Join(dir, "data"), "--breached-file", file)
	if status != 3 || !strings.Contains(out, "breached-file: ") || !strings.Contains(out, "it is no text") || !strings.Contains(out, "name a text file") {
		t.Errorf("status %d: %s", status, out)
	}
}
