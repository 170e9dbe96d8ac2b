package limentest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/sdk/go/limentest"
)

// limen starts the real program in development mode and returns its address.
func limen(t *testing.T) string {
	t.Helper()
	source := filepath.Join("..", "..", "..", "cmd", "limen")
	if _, err := os.Stat(source); err != nil {
		t.Skip("the source of limen is not here")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "limen")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var log bytes.Buffer
	dev := exec.Command(program, "dev", "--listen", addr, "--ops-listen", "off", "--data", filepath.Join(dir, "data"))
	dev.Dir, dev.Env = dir, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	dev.Stdout, dev.Stderr = &log, &log
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dev.Process.Signal(os.Interrupt)
		_ = dev.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	url := "http://" + strings.Replace(addr, "127.0.0.1", "localhost", 1)
	for deadline := time.Now().Add(30 * time.Second); ; {
		answer, err := http.Get(url + "/dev/clock")
		if err == nil {
			answer.Body.Close()
			return url
		}
		if time.Now().After(deadline) {
			t.Fatalf("limen does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func post(t *testing.T, url string, body map[string]string) map[string]any {
	t.Helper()
	raw, _ := json.Marshal(body)
	answer, err := http.Post(url, "application/json", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAgainstLimen signs people up against the real program, with the codes and links that
// the inbox gives out.
func TestAgainstLimen(t *testing.T) {
	url := limen(t)
	ctx := t.Context()
	inbox, err := limentest.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	signUp := func(email string) string {
		attempt, _ := post(t, url+"/v1/sign-up", map[string]string{"email": email, "password": "nine lovely otters"})["attempt"].(string)
		return attempt
	}
	confirm := func(attempt, code string) any {
		return post(t, url+"/v1/sign-in/code", map[string]string{"attempt": attempt, "code": code})["status"]
	}
	first := signUp("ada@example.com")
	code, err := inbox.WaitForCode(ctx, "ada@example.com")
	if err != nil || len(code) != 6 {
		t.Fatalf("%q %v", code, err)
	}
	// The letter was given out, so nothing comes until there is another one.
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if again, err := inbox.WaitForCode(short, "ada@example.com"); !errors.Is(err, context.DeadlineExceeded) || again != "" {
		t.Errorf("%q %v", again, err)
	}
	if status := confirm(first, code); status != "complete" {
		t.Fatalf("%v", status)
	}

	if err := inbox.AdvanceClock(ctx, time.Minute); err != nil {
		t.Fatal(err)
	}
	second := signUp("tess@people.test")
	if code, err = inbox.WaitForCode(ctx, "tess@people.test"); err != nil || code != "424242" {
		t.Fatalf("%q %v", code, err)
	}
	if err := inbox.AdvanceClock(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if status := confirm(second, code); status == "complete" {
		t.Error("the clock did not move: the code still works")
	}
	if err := inbox.ResetClock(ctx); err != nil {
		t.Fatal(err)
	}

	post(t, url+"/v1/sign-in/email", map[string]string{"email": "ada@example.com"})
	link, err := inbox.WaitForLink(ctx, "ada@example.com")
	if err != nil || !strings.HasPrefix(link, url+"/") {
		t.Errorf("%q %v", link, err)
	}
	if code, err := inbox.WaitForCode(ctx, "ada@example.com"); err != nil || len(code) != 6 {
		t.Errorf("the letter with the link has the code %q, %v", code, err)
	}
	all, err := inbox.Messages(ctx, "ADA@example.com")
	if err != nil || len(all) < 2 || all[0].Channel != "email" || all[0].Text == "" || all[0].SentAt.IsZero() {
		t.Errorf("%+v %v", all, err)
	}
	if err := inbox.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err := inbox.Messages(ctx, ""); err != nil || len(all) != 0 {
		t.Errorf("%+v %v", all, err)
	}
}

// shelf is an inbox that a test fills.
type shelf struct {
	mu  sync.Mutex
	all []limentest.Message // newest first
}

func (s *shelf) put(m limentest.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append([]limentest.Message{m}, s.all...)
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []limentest.Message{}
	for _, m := range s.all {
		if to := r.URL.Query().Get("to"); to == "" || to == m.To {
			out = append(out, m)
		}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// TestOldLettersNeverCount: what was there before the mark is not given out, whichever
// letter comes in between, and neither is what a newer letter has superseded.
func TestOldLettersNeverCount(t *testing.T) {
	s := &shelf{}
	server := httptest.NewServer(s)
	defer server.Close()
	letter := func(id, code string) limentest.Message {
		return limentest.Message{ID: id, To: "a@b.test", Code: code, Links: []string{"http://x/" + code}}
	}
	s.put(letter("1", "111111"))
	inbox := &limentest.Inbox{URL: server.URL + "/"} // marks at its first use
	code := make(chan string)
	wait := func() {
		got, err := inbox.WaitForCode(t.Context(), "a@b.test")
		if err != nil {
			t.Error(err)
		}
		code <- got
	}
	if err := inbox.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	go wait()
	s.put(limentest.Message{ID: "other", To: "c@d.test", Code: "999999"})
	s.put(limentest.Message{ID: "bare", To: "a@b.test"})
	s.put(letter("2", "222222"))
	if got := <-code; got != "222222" {
		t.Errorf("got %s", got)
	}
	s.put(letter("3", "333333"))
	s.put(letter("4", "444444"))
	go wait()
	if got := <-code; got != "444444" {
		t.Errorf("got %s", got)
	}
	go wait() // must not fall back to 333333
	s.put(letter("5", "555555"))
	if got := <-code; got != "555555" {
		t.Errorf("got %s", got)
	}
	if link, err := inbox.WaitForLink(t.Context(), "a@b.test"); err != nil || link != "http://x/555555" {
		t.Errorf("%s %v", link, err)
	}
	// A letter that was waiting before a mark is old after it.
	s.put(letter("6", "666666"))
	if err := inbox.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if got, err := inbox.WaitForCode(short, "a@b.test"); err == nil {
		t.Errorf("got %s", got)
	}
}

// TestErrorsSayWhatToDo: no limen, a limen in production, and one that refuses.
func TestErrorsSayWhatToDo(t *testing.T) {
	for want, handler := range map[string]http.HandlerFunc{
		"only limen dev has one": func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"answered 403: no":       func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"invalid character":      func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>") },
	} {
		server := httptest.NewServer(handler)
		if _, err := limentest.Open(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		server.Close()
		if _, err := limentest.Open(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), "is limen dev running?") {
			t.Error(err)
		}
	}
}
