package sms_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/sms"
)

var update = flag.Bool("update", false, "write the requests of testdata anew")

func fixed() time.Time { return time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC) }

// TestExchanges plays every exchange of testdata: the request must be the recorded one,
// byte by byte, and the answer must come out as it says there. No error shows the number,
// the text, or a secret.
func TestExchanges(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) != 6 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, address, found := strings.Cut(string(archive.Comment), "\naddress ")
			if !found {
				t.Fatal("no address")
			}
			address = strings.TrimSpace(address)
			for i := 0; i+3 < len(archive.Files); i += 4 {
				name, _, _ := strings.Cut(archive.Files[i].Name, "/")
				t.Run(name, func(t *testing.T) {
					request := exchange(t, address, archive.Files[i].Data, archive.Files[i+2].Data, strings.TrimSpace(string(archive.Files[i+3].Data)))
					if want := archive.Files[i+1].Data; !*update && string(want) != string(request) {
						t.Errorf("it asked\n%s\nwant\n%s", request, want)
					}
					archive.Files[i+1].Data = request
				})
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// exchange sends one message to a server that answers as told, compares the outcome, and
// returns what the server was asked.
func exchange(t *testing.T, address string, message, response []byte, outcome string) []byte {
	t.Helper()
	var asked bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		print(t, &asked, r)
		answer(t, w, response)
	}))
	defer server.Close()
	p, err := sms.Parse(secret.Text(local(address, server.URL)), fixed)
	if err != nil {
		t.Fatal(err)
	}
	m := read(t, message)
	err = p.Sender.Send(t.Context(), m)
	if got := said(err); got != outcome {
		t.Errorf("%s (%v), want %s", got, err, outcome)
	}
	if err != nil {
		for _, hidden := range []string{m.To, m.To[1:], m.Text, "token-of-", "secret-of-", "key-of-", "wJalr", "AC000", "abcd1234", "AKIDEX", "123456", server.URL[7:]} {
			if strings.Contains(err.Error(), hidden) || strings.Contains(fmt.Sprintf("%+v", err), hidden) {
				t.Errorf("%q shows %q", err, hidden)
			}
		}
	}
	return asked.Bytes()
}

// local directs an address to a server of the test.
func local(address, server string) string {
	if strings.HasPrefix(address, "webhook") {
		return strings.Replace(address, "HOST", strings.TrimPrefix(server, "http://"), 1)
	}
	joint := "&"
	if !strings.Contains(address, "?") {
		joint = "?"
	}
	return address + joint + "endpoint=" + server
}

func read(t *testing.T, text []byte) sms.Message {
	t.Helper()
	m := sms.Message{ID: "msg_01k3c5x5s1f7s8z0v7m1w2q3r4"}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "to":
			m.To = value
		case "text":
			m.Text = strings.ReplaceAll(value, `\n`, "\n")
		case "voice":
			m.Voice, m.Locale = true, value
		default:
			t.Fatalf("a message with %q", line)
		}
	}
	return m
}

// print writes a request without what says nothing: the host, and the credential's own
// parts that a signature depends on stay.
func print(t *testing.T, w io.Writer, r *http.Request) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	fmt.Fprintf(w, "%s %s\n", r.Method, r.URL.RequestURI())
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := strings.Join(r.Header[name], ", ")
		if before, _, found := strings.Cut(value, "Signature="); found {
			value = before + "Signature=..." // the port of the server is signed too
		}
		fmt.Fprintf(w, "%s: %s\n", name, value)
	}
	fmt.Fprintf(w, "\n%s\n", strings.ReplaceAll(string(body), "&", "\n&"))
}

// answer writes a recorded response.
func answer(t *testing.T, w http.ResponseWriter, response []byte) {
	t.Helper()
	in := bufio.NewScanner(bytes.NewReader(response))
	status := 0
	for in.Scan() {
		line := in.Text()
		if code, found := strings.CutPrefix(line, "HTTP "); found {
			status, _ = strconv.Atoi(code)
			continue
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		w.Header().Set(name, value)
	}
	if status == 0 {
		t.Error("it should not have asked")
		status = 500
	}
	w.WriteHeader(status)
	for in.Scan() {
		fmt.Fprintln(w, in.Text())
	}
}

// said puts an outcome into words.
func said(err error) string {
	if err == nil {
		return "taken"
	}
	f, ok := errors.AsType[*sms.Failure](err)
	if !ok {
		return err.Error()
	}
	what := "failed"
	switch {
	case errors.Is(err, sms.ErrRefused):
		what = "refused"
	case errors.Is(err, sms.ErrNotHere):
		what = "not carried"
	}
	if f.Code != "" {
		what += " (" + f.Code + ")"
	}
	if f.RetryAfter > 0 {
		what += ", again after " + f.RetryAfter.String()
	}
	return what
}
