package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestProcess starts the real program, built once as it is shipped, and treats it as
// operators, clients and accidents do.
func TestProcess(t *testing.T) {
	b := build(t)
	for name, test := range map[string]func(*testing.T, binary){
		"dev": testDev, "refusals": testRefusals, "terminate": testTerminate, "kinds": testKinds,
		"two at once": testTwoAtOnce, "rotation": testRotation, "kill": testKill, "log": testLog,
		"log in JSON": testLogInJSON, "framing": testFraming, "breached file": testBreachedFile,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// binary is the path of the built program.
type binary string

func build(t *testing.T) binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "limen")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("the program has %.1f MB", float64(info.Size())/1e6); info.Size() > 30e6 {
		t.Error("it is larger than 30 MB: look for what came in (go tool nm -size -sort size, without -s)")
	}
	return binary(path)
}

// run runs a command to its end, in dir, with a clean environment and input on stdin.
func (b binary) run(t *testing.T, dir, input string, args ...string) (status int, out string) {
	t.Helper()
	cmd := b.command(dir, args...)
	cmd.Stdin = strings.NewReader(input)
	raw, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(raw)
}

func (b binary) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(string(b), args...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// process is a running server.
type process struct {
	URL  string
	Addr string
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has ended
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs limen dev on a free port with its data in dir/data, and waits until it says
// that it is ready.
func (b binary) start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := b.launch(t, dir, append([]string{"dev"}, args...)...)
	p.await(t)
	return p
}

// launch starts a server and does not wait for it.
func (b binary) launch(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	addr := freeAddr(t)
	p := &process{URL: "http://" + addr, Addr: addr, out: &output{}, done: make(chan struct{})}
	p.cmd = b.command(dir, append(args, "--listen", addr, "--ops-listen", "off", "--data", filepath.Join(dir, "data"))...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(p.cmd.Args[1:], " "), p.out)
		}
	})
	return p
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits until the server says that it is ready.
func (p *process) await(t *testing.T) {
	t.Helper()
	for range 3000 {
		if strings.Contains(p.out.String(), "limen is ready") {
			return
		}
		select {
		case <-p.done:
			t.Fatalf("it ended with status %d:\n%s", p.cmd.ProcessState.ExitCode(), p.out)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("it is not ready:\n%s", p.out)
}

// stop asks the server to stop and returns its exit status.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.wait(t)
}

func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not end:\n%s", p.out)
		return 0
	}
}

// M is a JSON object.
type M map[string]any

func (m M) text(name string) string { s, _ := m[name].(string); return s }

// do sends one request. What does not answer has the status 0.
func (p *process) do(method, path string, body any, header ...string) (int, M) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequest(method, p.URL+path, reader)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := (&http.Client{Timeout: 20 * time.Second}).Do(r)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil
	}
	out := M{}
	if json.Unmarshal(raw, &out) != nil {
		out = M{"raw": string(raw)}
	}
	return res.StatusCode, out
}

// want is do that fails the test on another status.
func (p *process) want(t *testing.T, status int, method, path string, body any, header ...string) M {
	t.Helper()
	got, out := p.do(method, path, body, header...)
	if got != status {
		t.Fatalf("%s %s: %d %v, want %d", method, path, got, out, status)
	}
	return out
}

const password = "nine lovely otters"

// testDev: it says where it is and whom to try with, and that is true; also the second time.
func testDev(t *testing.T, b binary) {
	dir := t.TempDir()
	for life := range 2 {
		p := b.start(t, dir)
		for _, line := range []string{"/sign-in", "/dev/inbox", "/.well-known/jwks.json", "/openapi.json", p.Addr, "(dev, SQLite)"} {
			if !strings.Contains(p.out.String(), line) {
				t.Errorf("life %d: it does not say %s:\n%s", life, line, p.out)
			}
		}
		people := regexp.MustCompile(`(?m)^  (Ada|Grace) +(\S+) / (.+)$`).FindAllStringSubmatch(p.out.String(), -1)
		if len(people) != 2 {
			t.Fatalf("life %d: no people to try with:\n%s", life, p.out)
		}
		for _, who := range people {
			grant := p.want(t, http.StatusOK, "POST", "/v1/sign-in/password", M{"identifier": who[2], "password": who[3]})
			p.want(t, http.StatusOK, "GET", "/v1/me", nil, "Authorization", "Bearer "+grant.text("access_token"))
		}
		for _, path := range []string{"/sign-in", "/dev/inbox", "/.well-known/jwks.json", "/openapi.json", "/healthz", "/readyz"} {
			p.want(t, http.StatusOK, "GET", path, nil)
		}
		for _, host := range []string{"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80"} {
			if out := p.want(t, http.StatusForbidden, "GET", "/healthz", nil, "Host", host); out.text("code") != "host_not_allowed" {
				t.Errorf("Host %s: %v", host, out)
			}
		}
		if status := p.stop(t); status != 0 {
			t.Errorf("life %d: it stopped with status %d", life, status)
		}
		left, err := filepath.Glob(filepath.Join(dir, "data", "*"))
		if err != nil || len(left) != 2 { // the database and the root key
			t.Errorf("life %d: %v, %v", life, left, err)
		}
	}
}

// testRefusals: what is unsafe or unfinished is refused with the setting and the fix.
func testRefusals(t *testing.T, b binary) {
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"serve"}, []string{"url: ", "set --url https://auth.example.com"}},
		{[]string{"serve", "--url", "http://auth.example.com"}, []string{"url: ", "must be https", "set https://auth.example.com"}},
		{[]string{"serve", "--url", "https://auth.example.com", "--db", "postgres://limen:hunter2@127.0.0.1:1/limen"},
			[]string{"root-key: ", "openssl rand -base64 32", "LIMEN_ROOT_KEY"}},
		{[]string{"dev", "--listen", "0.0.0.0:0"}, []string{"listen: ", "limen serve"}},
		{[]string{"dev", "--listen", ":0"}, []string{"listen: ", "limen serve"}},
		{[]string{"dev", "--url", "http://auth.example.com"}, []string{"url: ", "http://localhost:4455"}},
	} {
		dir := t.TempDir()
		status, out := b.run(t, dir, "", test.args...)
		if status != 3 {
			t.Errorf("%v: status %d, want 3", test.args, status)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is not in %s", test.args, want, out)
			}
		}
		if strings.Contains(out, "hunter2") {
			t.Errorf("%v tells a password: %s", test.args, out)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%v leaves %v", test.args, left)
		}
	}
}

// testKinds: development and production never open each other's database.
func testKinds(t *testing.T, b binary) {
	dev, production := t.TempDir(), t.TempDir()
	if status := b.start(t, dev).stop(t); status != 0 {
		t.Fatal(status)
	}
	p := b.launch(t, production, "serve", "--url", "https://auth.example.com")
	p.await(t)
	if out := p.want(t, http.StatusServiceUnavailable, "POST", "/v1/sign-up", M{"email": "ada@example.com", "password": password}); out.text("code") != "unavailable" {
		t.Errorf("sign-up by e-mail without a relay: %v", out)
	}
	p.want(t, http.StatusNotFound, "GET", "/dev/messages", nil)
	if !strings.Contains(p.out.String(), "smtp is empty, so no letter leaves") {
		t.Errorf("start-up does not say so: %s", p.out)
	}
	if status := p.stop(t); status != 0 {
		t.Fatal(status)
	}
	for _, test := range []struct {
		dir  string
		args []string
		want string
	}{
		{production, []string{"dev"}, "this is a production database, and `limen dev` opens only development ones"},
		{dev, []string{"serve", "--url", "https://auth.example.com"}, "this is a development database, and `limen serve` opens only production ones"},
	} {
		status, out := b.run(t, test.dir, "", append(test.args, "--data", "data", "--listen", "127.0.0.1:0", "--ops-listen", "off")...)
		if status != 3 || !strings.Contains(out, "db: ") || !strings.Contains(out, test.want) {
			t.Errorf("%v: status %d, %s", test.args, status, out)
		}
	}
}

// testTerminate: a request that is under way finishes after SIGTERM, new ones are not let
// in, a stream ends, the letter that the request left is not lost, and the status is 0.
func testTerminate(t *testing.T, b binary) {
	dir := t.TempDir()
	p := b.start(t, dir)
	stream := follow(t, b, p, dir)
	body := fmt.Sprintf(`{"email":"late@example.com","password":%q}`, password)
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/sign-up HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", p.Addr, len(body))
	first := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, first); err != nil || !strings.HasPrefix(string(first), "HTTP/1.1 100") {
		t.Fatalf("%q, %v", first, err) // from here on the handler waits for the body
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until nobody listens any more
		other, err := net.Dial("tcp", p.Addr)
		if err != nil {
			break
		}
		other.Close()
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		t.Errorf("the stream was cut: %v", err)
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") || !strings.Contains(string(answer), "needs_verification") {
		t.Errorf("the request was not finished: %q, %v", answer, err)
	}
	if status := p.wait(t); status != 0 {
		t.Errorf("status %d:\n%s", status, p.out)
	}
	if got := look(t, dir, `SELECT state FROM outbox`); got != "sent" {
		t.Errorf("the letter is %q", got)
	}
}

// follow opens a stream of revocations that says that it is here.
func follow(t *testing.T, b binary, p *process, dir string) io.Reader {
	t.Helper()
	status, out := b.run(t, dir, "", "apikey", "create", "--data", "data", "--scope", "revocations", "--json")
	var key M
	if status != 0 || json.Unmarshal([]byte(out), &key) != nil {
		t.Fatalf("%d %s", status, out)
	}
	r, err := http.NewRequest("GET", p.URL+"/v1/revocations", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key.text("secret"))
	r.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", res.StatusCode, err)
	}
	return res.Body
}
