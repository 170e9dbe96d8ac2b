package sms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/testkit/db"
)

var message = sms.Message{ID: "msg_1", To: "+41791234567", Text: "Your code is 123456."}

// shop is a provider's server: a webhook that answers with the status it is told.
type shop struct {
	status atomic.Int64
	after  atomic.Int64
	calls  atomic.Int64
	*httptest.Server
}

func newShop(t *testing.T, status int) *shop {
	s := &shop{}
	s.status.Store(int64(status))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		if n := s.after.Load(); n > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(n, 10))
		}
		w.WriteHeader(int(s.status.Load()))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) provider(t *testing.T, name string) sms.Provider {
	t.Helper()
	p, err := sms.Parse(secret.Text("webhook+"+s.URL+"/?secret=secret-of-the-webhook"), fixed)
	if err != nil {
		t.Fatal(err)
	}
	p.Name = name
	return p
}

// texter is a provider that does not call.
func texter(t *testing.T, s *shop) sms.Provider {
	p := s.provider(t, "texter")
	p.Calls = false
	return p
}

func TestFailover(t *testing.T) {
	clock := db.NewClock()
	first, second := newShop(t, 200), newShop(t, 200)
	var told []string
	row := sms.NewProviders(clock.Now, first.provider(t, "first"), second.provider(t, "second"))
	row.Told = func(provider, outcome string, _ error) { told = append(told, provider+" "+outcome) }
	step := func(what string, want error, calls ...int64) {
		t.Helper()
		err := row.Send(t.Context(), message)
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Fatalf("%s: %v", what, err)
		}
		if got := []int64{first.calls.Swap(0), second.calls.Swap(0)}; !slices.Equal(got, calls) {
			t.Fatalf("%s: asked %v, want %v", what, got, calls)
		}
	}

	step("all is well", nil, 1, 0)
	first.status.Store(503)
	step("the first fails", nil, 1, 1)
	step("the first rests", nil, 0, 1)
	clock.Advance(time.Second)
	step("it is tried again", nil, 1, 1)
	clock.Advance(time.Second)
	step("it rests longer now", nil, 0, 1)
	clock.Advance(time.Second)
	first.status.Store(200)
	step("it is back", nil, 1, 0)
	first.status.Store(500)
	step("it fails anew", nil, 1, 1)
	clock.Advance(time.Second)
	first.status.Store(422)
	step("the number is refused: nobody else is asked", sms.ErrRefused, 1, 0)
	step("and the first is well", sms.ErrRefused, 1, 0)
	first.status.Store(401)
	step("its account is not: that is ill health", nil, 1, 1)
	step("so it rests", nil, 0, 1)
	if want := []string{"first sent", "first failed", "second sent"}; !slices.Equal(told[:3], want) {
		t.Errorf("told %q", told)
	}
}

// TestFailoverPauses: each failure in a row doubles the rest, up to five minutes; a
// provider may ask for more, up to ten; a clock that was set back wakes everybody.
func TestFailoverPauses(t *testing.T) {
	clock := db.NewClock()
	s := newShop(t, 503)
	row := sms.NewProviders(clock.Now, s.provider(t, "only"))
	wait := func() time.Duration {
		t.Helper()
		f, ok := errors.AsType[*sms.Failure](row.Send(t.Context(), message))
		if !ok || f.Code != "all_rest" || errors.Is(f, sms.ErrRefused) || errors.Is(f, sms.ErrNotHere) {
			t.Fatalf("%v", f)
		}
		return f.RetryAfter
	}
	fail := func() {
		t.Helper()
		if f, ok := errors.AsType[*sms.Failure](row.Send(t.Context(), message)); !ok || f.Code != "http_503" {
			t.Fatalf("%v", f)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		fail()
		if got := wait(); got != want*time.Second {
			t.Fatalf("it rests %v, want %v s", got, int(want))
		}
		clock.Advance(want*time.Second - time.Microsecond)
		if got := wait(); got != time.Microsecond {
			t.Fatalf("%v are left", got)
		}
		clock.Advance(time.Microsecond)
	}
	s.after.Store(86400)
	fail()
	if got := wait(); got != 10*time.Minute {
		t.Fatalf("it asked for a day and rests %v", got)
	}
	calls := s.calls.Load()
	clock.Set(clock.Now().Add(-24 * time.Hour))
	fail()
	if s.calls.Load() != calls+1 {
		t.Error("a clock that was set back kept it resting")
	}
}

// TestFailoverTogether: twenty messages that fail at once are one failure, and when the
// rest is over one of twenty tries while the others wait.
func TestFailoverTogether(t *testing.T) {
	clock := db.NewClock()
	var gate sync.WaitGroup
	gate.Add(20)
	var calls atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= 20 {
			gate.Done()
			gate.Wait() // all of them are under way
		}
		w.WriteHeader(500)
	}))
	defer slow.Close()
	p, err := sms.Parse(secret.Text("webhook+"+slow.URL+"/?secret=secret-of-the-webhook"), fixed)
	if err != nil {
		t.Fatal(err)
	}
	row := sms.NewProviders(clock.Now, p)
	burst := func() {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if row.Send(t.Context(), message) == nil {
					t.Error("sent")
				}
			})
		}
		wg.Wait()
	}
	burst()
	if f, _ := errors.AsType[*sms.Failure](row.Send(t.Context(), message)); f == nil || f.RetryAfter != time.Second {
		t.Errorf("twenty at once: %+v", f)
	}
	clock.Advance(time.Second)
	burst()
	if n := calls.Load(); n != 21 {
		t.Errorf("%d were asked after the rest", n-20)
	}
}

func TestFailoverOfOneMessage(t *testing.T) {
	clock := db.NewClock()
	text, call := newShop(t, 200), newShop(t, 200)
	row := sms.NewProviders(clock.Now, texter(t, text), call.provider(t, "caller"))
	voice := message
	voice.Voice = true
	if err := row.Send(t.Context(), voice); err != nil || text.calls.Load() != 0 || call.calls.Load() != 1 {
		t.Errorf("a call went to %d and %d: %v", text.calls.Load(), call.calls.Load(), err)
	}
	if !row.Calls() || sms.NewProviders(clock.Now, texter(t, text)).Calls() {
		t.Error("who calls is not told")
	}
	for _, none := range []*sms.Providers{sms.NewProviders(clock.Now), sms.NewProviders(clock.Now, texter(t, text))} {
		if err := none.Send(t.Context(), voice); !errors.Is(err, sms.ErrNotHere) || errors.Is(err, sms.ErrRefused) {
			t.Errorf("nobody calls: %v", err)
		}
	}

	// Whoever leaves says nothing about the provider.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := row.Send(ctx, message); !errors.Is(err, context.Canceled) {
		t.Errorf("gone: %v", err)
	}
	if err := row.Send(t.Context(), message); err != nil {
		t.Errorf("after somebody had gone: %v", err)
	}
}

// TestHostileProviders: a provider that stalls, drops, floods, sends elsewhere or lies
// costs its time limit and no more; nothing that it says is repeated.
func TestHostileProviders(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for name, handler := range map[string]http.HandlerFunc{
		"stalls": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // without it nobody notices that the caller has gone
			<-r.Context().Done()
		},
		"drops": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"floods": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			for { // until nobody listens any more
				if _, err := io.WriteString(w, strings.Repeat("+41791234567", 1000)); err != nil {
					return
				}
			}
		},
		"sends elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusPermanentRedirect)
		},
		"lies": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, `{"code":41791234567,"errors":[{"code":41791234567}],"message":"secret-of-the-webhook"}`)
		},
		"nests": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, strings.Repeat(`[`, 60_000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			for _, address := range []string{
				"webhook+" + server.URL + "/path-of-the-webhook?secret=secret-of-the-webhook",
				"twilio://AC1:secret-of-the-webhook@?from=+15005550006&endpoint=" + server.URL,
				"messagebird://secret-of-the-webhook@?from=Limen&endpoint=" + server.URL,
				"sns://AKID:secret-of-the-webhook@eu-central-1?endpoint=" + server.URL,
				"vonage://key:secret-of-the-webhook@?from=Limen&endpoint=" + server.URL,
			} {
				p, err := sms.Parse(secret.Text(address), fixed)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				err = p.Sender.Send(ctx, message)
				cancel()
				f, ok := errors.AsType[*sms.Failure](err)
				if !ok || errors.Is(err, sms.ErrRefused) {
					t.Errorf("%s: %v", p.Name, err)
					continue
				}
				if name == "floods" && f.Code != "http_500" {
					t.Errorf("%s: it read all of the flood: %v", p.Name, err)
				}
				for _, hidden := range []string{message.To[1:], "123456", "secret-of", "path-of"} {
					if strings.Contains(fmt.Sprintf("%v %+v", err, err), hidden) {
						t.Errorf("%s: %v shows %q", p.Name, err, hidden)
					}
				}
			}
		})
	}
	if elsewhere.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// TestNothingButNumbers: what is not E.164 never reaches a provider.
func TestNothingButNumbers(t *testing.T) {
	s := newShop(t, 200)
	for _, address := range []string{
		"webhook+" + s.URL + "/?secret=secret-of-the-webhook",
		"twilio://AC1:token@?from=+15005550006&endpoint=" + s.URL,
		"messagebird://key@?from=Limen&endpoint=" + s.URL,
		"sns://AKID:key@eu-central-1?endpoint=" + s.URL,
		"vonage://key:key@?from=Limen&endpoint=" + s.URL,
	} {
		p, err := sms.Parse(secret.Text(address), fixed)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"", "41791234567", "+", "+0791234567", "+41 79 123 45 67", "+41791234567\n", "whatsapp:+41791234567", "+41791234567,+41791234568", "+1234567890123456", "+417912\x0034567"} {
			m := message
			m.To = to
			if err := p.Sender.Send(t.Context(), m); !errors.Is(err, sms.ErrRefused) || to != "" && strings.Contains(err.Error(), to) && to != "+" {
				t.Errorf("%s to %q: %v", p.Name, to, err)
			}
		}
	}
	if s.calls.Load() != 0 {
		t.Error("somebody was asked")
	}
}
