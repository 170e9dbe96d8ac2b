package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// hall is an open hallway with its log.
type hall struct {
	*web.Hallway
	log *bytes.Buffer
}

// openHall opens a production hallway at https://auth.example.com; change adjusts it.
func openHall(t testing.TB, change func(*web.Hallway), tables ...web.Table) hall {
	t.Helper()
	h := newHall(t, change)
	if err := h.Open(tables...); err != nil {
		t.Fatal(err)
	}
	return h
}

func newHall(t testing.TB, change func(*web.Hallway)) hall {
	t.Helper()
	log := new(bytes.Buffer)
	h := &web.Hallway{
		Now:       func() time.Time { return noon },
		PublicURL: &url.URL{Scheme: "https", Host: "auth.example.com"},
		Cookies:   web.CookieNames{Access: "limen_access", Refresh: "limen_refresh", Attempt: "limen_attempt", Device: "limen_device"},
		CodesURL:  "https://docs.example.com/error-codes",
		Limits:    &ratelimit.Limiter{Counter: ratelimit.NewMemory(1000)},
		Metrics:   metrics.New(),
		Log:       slog.New(slog.NewJSONHandler(log, nil)),
		Authenticate: func(_ context.Context, token secret.Text, _ time.Time) (*web.Actor, error) {
			switch token {
			case "good":
				return &web.Actor{Account: account.Account{ID: "usr_1"}, Session: session.Session{ID: "ses_1"}}, nil
			case "ended":
				return nil, session.ErrEnded
			case "nobody":
				return nil, nil
			}
			return nil, web.ErrUnauthenticated
		},
		CheckKey: func(_ context.Context, key secret.Text, scope string, _ time.Time) (string, error) {
			switch {
			case key == "lsk_1" && scope == "introspect":
				return "key_1", nil
			case key == "lsk_1":
				return "", fault.ErrForbidden
			}
			return "", web.ErrUnauthenticated
		},
	}
	if change != nil {
		change(h)
	}
	return hall{h, log}
}

func overHTTP(h *web.Hallway) {
	h.PublicURL = &url.URL{Scheme: "http", Host: "localhost:4455"}
	h.Development = true
}

// ask sends a request through the hallway. Headers are "Name: value" lines.
func (h hall) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = h.PublicURL.Host
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// problem reads a refusal, after checking what every refusal must be.
func problem(t testing.TB, w *httptest.ResponseRecorder) web.Problem {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if p.Status != w.Code {
		t.Errorf("problem says %d, the status line %d", p.Status, w.Code)
	}
	if p.RequestID == "" || p.RequestID != w.Header().Get("Request-Id") {
		t.Errorf("request_id %q, Request-Id %q", p.RequestID, w.Header().Get("Request-Id"))
	}
	if p.Type != "https://docs.example.com/error-codes#"+p.Code {
		t.Errorf("type = %q", p.Type)
	}
	return p
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update and read the diff):\n%s", path, got)
	}
}

func fields(p web.Problem) string {
	b, _ := json.Marshal(p.Errors)
	return string(b)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var doc = web.Doc{Tag: "Test", Summary: "A test."}

func faults(f ...*fault.Fault) []*fault.Fault { return f }

func nothing(c *web.Call) error { return c.JSON(http.StatusOK, struct{}{}) }

var prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

var rate = ratelimit.Rate{Name: "test", Events: 3, Per: time.Minute, Burst: 3}
