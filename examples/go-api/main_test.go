package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen"
	limenauth "github.com/limenauth/limen/sdk/go"
)

// start serves a real limen on a free port.
func start(t *testing.T) (address string, server *limen.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = "http://localhost" + l.Addr().String()[strings.LastIndex(l.Addr().String(), ":"):]
	server, err = limen.New(t.Context(), limen.Config{URL: address, Development: true, Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	jobs := make(chan struct{})
	go func() { server.Run(ctx); close(jobs) }()
	web := &httptest.Server{Listener: l, Config: &http.Server{Handler: server}}
	web.Start()
	t.Cleanup(func() {
		web.Close()
		stop()
		<-jobs
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return address, server
}

func post(t *testing.T, target string, body map[string]string) map[string]any {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(target, "application/json", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out := map[string]any{}
	if answer.StatusCode == http.StatusNoContent {
		return out
	}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// signUp makes a person; addresses under .test have a known code.
func signUp(t *testing.T, address, email string) map[string]any {
	t.Helper()
	owed := post(t, address+"/v1/sign-up", map[string]string{"email": email, "password": "a threshold of stone"})
	attempt, _ := owed["attempt"].(string)
	grant := post(t, address+"/v1/sign-in/code", map[string]string{"attempt": attempt, "code": "424242"})
	if grant["status"] != "complete" {
		t.Fatalf("no grant: %v", grant)
	}
	return grant
}

func get(t *testing.T, client *http.Client, method, target, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestRoutes(t *testing.T) {
	address, _ := start(t)
	a := limenauth.New(address)
	t.Cleanup(func() { a.Close() })
	app := httptest.NewServer(routes(a))
	t.Cleanup(app.Close)
	grant := signUp(t, address, "ann@example.test")
	token, _ := grant["access_token"].(string)

	for _, test := range []struct {
		method, path, token string
		status              int
		body                string
	}{
		{"GET", "/hello", "", http.StatusUnauthorized, "unauthenticated"},
		{"GET", "/hello", token, http.StatusOK, "hello ann@example.test"},
		{"GET", "/hello", token + "x", http.StatusUnauthorized, "unauthenticated"},
		{"GET", "/admin", token, http.StatusForbidden, "forbidden"},
		{"POST", "/transfer", token, http.StatusOK, "done"},
	} {
		status, body := get(t, app.Client(), test.method, app.URL+test.path, test.token)
		if status != test.status || !strings.Contains(body, test.body) {
			t.Errorf("%s %s: %d %s", test.method, test.path, status, body)
		}
	}
	refresh, _ := grant["refresh_token"].(string)
	post(t, address+"/v1/sign-out", map[string]string{"refresh_token": refresh})
	if status, body := get(t, app.Client(), "POST", app.URL+"/transfer", token); status != http.StatusUnauthorized || !strings.Contains(body, "session_ended") {
		t.Errorf("after sign-out a live route answers %d %s", status, body)
	}
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// TestBrowserSignIn walks through the hosted pages as a browser without script does, and
// comes back with a session of the application's own.
func TestBrowserSignIn(t *testing.T) {
	address, _ := start(t)
	signUp(t, address, "bea@example.test")
	a := limenauth.New(address)
	t.Cleanup(func() { a.Close() })
	app := httptest.NewUnstartedServer(routes(a))
	app.Start()
	t.Cleanup(app.Close)
	base := "http://localhost" + app.URL[strings.LastIndex(app.URL, ":"):]

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	r, err := http.NewRequestWithContext(t.Context(), "GET", base+"/hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	page, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if page.Request.URL.Path != "/sign-in" || !strings.HasPrefix(page.Request.URL.String(), address) {
		t.Fatalf("landed on %s", page.Request.URL)
	}
	markup, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"identifier": {"bea@example.test"}, "password": {"a threshold of stone"}}
	for _, field := range hiddenField.FindAllStringSubmatch(string(markup), -1) {
		if field[1] != "return_to" { // that one belongs to the language switch
			form.Set(field[1], strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(field[2]))
		}
	}
	back, err := browser.PostForm(address+"/sign-in", form)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Body.Close()
	body, err := io.ReadAll(back.Body)
	if err != nil {
		t.Fatal(err)
	}
	if back.StatusCode != http.StatusOK || string(body) != "hello bea@example.test\n" || back.Request.URL.String() != base+"/hello" {
		t.Errorf("%s: %d %s", back.Request.URL, back.StatusCode, body)
	}
}
