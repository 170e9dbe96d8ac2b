package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/fault"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"limen": main})
}

// TestScripts runs the program as its users do. Each script has a directory of its own
// and a free port in $PORT.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			port, err := freePort()
			env.Setenv("PORT", port)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "until": until, "post": post, "jsonenv": jsonenv, "equal": equal, "exits": exits,
		},
	})
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// exits runs limen and demands its exit status: exits 3 serve --url http://x
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits STATUS [args]")
	}
	want := args[0]
	err := ts.Exec("limen", args[1:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != want {
		ts.Fatalf("limen %s: exit status %s, want %s", strings.Join(args[1:], " "), got, want)
	}
}

// await waits until URL answers 200: await URL
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await URL")
	}
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		res, err := http.Get(args[0])
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("%s does not answer", args[0])
}

// until asks with the bearer token in FILE until the status is as named, for the ten seconds
// that any news may take to reach a running server: until STATUS URL FILE
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: until STATUS URL FILE")
	}
	r, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.ReadFile(args[2]))
	got := ""
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res, err := http.DefaultClient.Do(r)
		ts.Check(err)
		res.Body.Close()
		if got = fmt.Sprint(res.StatusCode); got == args[0] {
			return
		}
	}
	ts.Fatalf("%s answers %s for ten seconds, want %s", args[1], got, args[0])
}

// equal compares two texts: equal A B
func equal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || args[0] != args[1] {
		ts.Fatalf("%q are not equal", args)
	}
}

// post sends a JSON body, demands the status and keeps the answer: post URL BODY STATUS FILE
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: post URL BODY STATUS FILE")
	}
	res, err := http.Post(args[0], "application/json", strings.NewReader(args[1]))
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if fmt.Sprint(res.StatusCode) != args[2] {
		ts.Fatalf("%s answers %d, want %s: %s", args[0], res.StatusCode, args[2], body)
	}
	ts.Check(writeFile(ts, args[3], body))
}

// jsonenv sets a variable from a member of a JSON file and, if a file is named, writes
// its text there: jsonenv NAME FILE path.to.0.member [OUT]
func jsonenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: jsonenv NAME FILE PATH [OUT]")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &v))
	for step := range strings.SplitSeq(args[2], ".") {
		var i int
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			_, err := fmt.Sscan(step, &i)
			ts.Check(err)
			if i >= len(at) {
				ts.Fatalf("%s has only %d rows", args[1], len(at))
			}
			v = at[i]
		}
	}
	ts.Setenv(args[0], fmt.Sprint(v))
	if len(args) == 4 {
		ts.Check(writeFile(ts, args[3], fmt.Append(nil, v)))
	}
}

func writeFile(ts *testscript.TestScript, name string, data []byte) error {
	return os.WriteFile(ts.MkAbs(name), data, 0o600)
}

// TestReport holds the exit statuses and what people read beside them.
func TestReport(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		want string
	}{
		{nil, exitDone, ""},
		{usageError("say it"), exitUsage, "limen: say it\n"},
		{app.Problems{{Key: "url", Text: "no"}}, exitRefused, "limen: a setting needs another look:\n  url: no\n"},
		{fmt.Errorf("start: %w", app.Problems{{Key: "db", Text: "no"}}), exitRefused, "limen: a setting needs another look:\n  db: no\n"},
		{fault.Invalidate("password", "too_short"), exitFailed, "limen: " + fault.ErrInvalidRequest.Detail + "\n  password: too short\n"},
		{errors.New("no disk"), exitFailed, "limen: no disk\n"},
	} {
		var b bytes.Buffer
		if code := report(&b, test.err); code != test.code || b.String() != test.want {
			t.Errorf("%v: %d %q, want %d %q", test.err, code, b.String(), test.code, test.want)
		}
	}
}

// TestTablesAreInert keeps a user agent from writing to the operator's terminal.
func TestTablesAreInert(t *testing.T) {
	var b bytes.Buffer
	x := &call{out: &b}
	table := x.table("DEVICE")
	table.row("\x1b[2Jbad\tworse\n\u202eevil")
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\u202e") || strings.Count(b.String(), "\n") != 2 {
		t.Errorf("%q", b.String())
	}
}
