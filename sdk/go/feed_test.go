package limenauth_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

const feedCall = "GET /v1/revocations"

// A ledger is the server's list of revocations. A full page ends in an exact cursor;
// any other ends in a time, from which the next page looks back 30 seconds.
type ledger struct {
	mu      sync.Mutex
	entries []claims
	at      []time.Time
	page    int // entries per page
	stream  bool
	alive   time.Duration // between comments on a stream; 0 = none
	changed chan struct{}
}

func newLedger(l *limen) *ledger {
	b := &ledger{page: 100, changed: make(chan struct{})}
	l.on(feedCall, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+serverKey {
			answerProblem(w, 401, "unauthenticated")
			return
		}
		after := r.URL.Query().Get("after")
		if after == "" && r.URL.Query().Has("after") {
			answerProblem(w, 422, "invalid_request")
			return
		}
		b.mu.Lock()
		stream := b.stream && strings.Contains(r.Header.Get("Accept"), "text/event-stream")
		b.mu.Unlock()
		if stream {
			b.serveStream(w, r, after)
			return
		}
		data, next, _ := b.since(after)
		answerJSON(w, 200, claims{"data": data, "next": next})
	})
	return b
}

func (b *ledger) since(after string) (data []claims, next string, changed chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := 0
	if at, ok := strings.CutPrefix(after, "t"); ok {
		nanos, _ := strconv.ParseInt(at, 10, 64)
		for from < len(b.at) && !b.at[from].After(time.Unix(0, nanos).Add(-30*time.Second)) {
			from++
		}
	} else if after != "" {
		from, _ = strconv.Atoi(after)
	}
	to := min(from+b.page, len(b.entries))
	next = strconv.Itoa(to)
	if to-from < b.page {
		next = "t" + strconv.FormatInt(time.Now().UnixNano(), 10)
	}
	return append([]claims{}, b.entries[from:to]...), next, b.changed
}

func (b *ledger) serveStream(w http.ResponseWriter, r *http.Request, after string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.WriteHeader(200)
	told := map[any]bool{}
	io.WriteString(w, ": here\n\n")
	for {
		data, next, changed := b.since(after)
		after = next
		for _, entry := range data {
			if !told[entry["id"]] {
				told[entry["id"]] = true
				fmt.Fprintf(w, "event: revocation\r\nid: %s\r\ndata: %s\r\n\r\n", next, encode(entry))
			}
		}
		if len(data) == b.page {
			continue
		}
		var beat <-chan time.Time
		if b.alive > 0 {
			beat = time.After(b.alive)
		}
		select {
		case <-changed:
		case <-beat:
			if _, err := io.WriteString(w, ": here\n\n"); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

func (b *ledger) add(entry claims) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry["id"] = fmt.Sprintf("rev_%d", len(b.entries))
	b.entries, b.at = append(b.entries, entry), append(b.at, time.Now())
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *ledger) endSession(id string) {
	now := time.Now()
	b.add(claims{"kind": "session", "session_id": id, "user_id": "usr_mina", "at": now, "until": now.Add(15 * time.Minute), "reason": "sign_out"})
}

func (b *ledger) recall(user string) {
	now := time.Now()
	b.add(claims{"kind": "user", "session_id": nil, "user_id": user, "at": now, "until": now.Add(15 * time.Minute), "reason": "banned"})
}

func (b *ledger) revokeKey(kid string) {
	now := time.Now()
	b.add(claims{"kind": "key", "session_id": nil, "user_id": nil, "kid": kid, "at": now, "until": now.Add(7 * 24 * time.Hour), "reason": "key_revoked"})
}

func feedTest(t *testing.T, onStale limenauth.OnStale, run func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(token string) string)) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%v", stream), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimen(t)
				b := newLedger(l)
				b.stream, b.alive = stream, 10*time.Second
				a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(onStale))
				if err := a.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if a.Status().Feed.Streaming != stream {
					t.Errorf("streaming = %v", !stream)
				}
				run(t, l, b, a, func(token string) string {
					t.Helper()
					_, err := a.Verify(t.Context(), token)
					return codeOf(t, err)
				})
				a.Close()
			})
		})
	}
}

func TestAnEndedSessionIsRefusedWithinASecond(t *testing.T) {
	feedTest(t, limenauth.Deny, func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(string) string) {
		seen := l.key.token(mina(time.Now()))
		other := l.key.token(mina(time.Now()).with("sid", "ses_2"))
		if code(seen) != "" || code(other) != "" {
			t.Fatal("good tokens are refused")
		}
		for range 20 { // at any moment of the polling
			time.Sleep(77 * time.Millisecond)
		}
		b.endSession("ses_1")
		time.Sleep(time.Second)
		unseen := l.key.token(mina(time.Now()))
		if c := code(seen); c != "session_ended" {
			t.Errorf("from memory: %q", c)
		}
		if c := code(unseen); c != "session_ended" {
			t.Errorf("by signature: %q", c)
		}
		if c := code(other); c != "" {
			t.Errorf("the person's other session: %q", c)
		}
		if n := a.Status().Feed.Entries; n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}

// TestAWaveOfSignOuts: more than fits a page, while the pages before it are known.
func TestAWaveOfSignOuts(t *testing.T) {
	feedTest(t, limenauth.Deny, func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(string) string) {
		for wave := range 5 {
			for i := range 300 {
				b.endSession(fmt.Sprintf("ses_%d_%d", wave, i))
			}
			time.Sleep(time.Second)
			if n := a.Status().Feed.Entries; n != 300*(wave+1) {
				t.Errorf("a second after wave %d: %d entries", wave, n)
			}
		}
	})
}

func TestARecalledPersonNeedsANewerToken(t *testing.T) {
	feedTest(t, limenauth.Deny, func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(string) string) {
		before := l.key.token(mina(time.Now()))
		time.Sleep(5 * time.Second)
		same := l.key.token(mina(time.Now()))
		b.recall("usr_mina")
		time.Sleep(time.Second)
		after := l.key.token(mina(time.Now()))
		other := l.key.token(mina(time.Now().Add(-time.Minute)).with("sub", "usr_noor"))
		if c := code(before); c != "unauthenticated" {
			t.Errorf("issued before: %q", c)
		}
		if c := code(same); c != "unauthenticated" {
			t.Errorf("issued in the same second: %q", c)
		}
		if c := code(after); c != "" {
			t.Errorf("issued after: %q", c)
		}
		if c := code(other); c != "" {
			t.Errorf("another person: %q", c)
		}
		// A second recall moves the line.
		time.Sleep(time.Minute)
		b.recall("usr_mina")
		time.Sleep(time.Second)
		if c := code(after); c != "unauthenticated" {
			t.Errorf("after the second recall: %q", c)
		}
	})
}

// TestARevokedKeyIsRefused, with tokens of any age, from memory and by signature, while
// the key set still holds it and long after its tokens have expired.
func TestARevokedKeyIsRefused(t *testing.T) {
	feedTest(t, limenauth.Deny, func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(string) string) {
		next := newEdDSA("k2")
		l.publish(l.key, next)
		time.Sleep(10 * time.Second)
		long := func(k *issuer) string {
			return k.token(mina(time.Now()).with("exp", time.Now().Add(240*time.Hour).Unix()))
		}
		seen, other := long(l.key), long(next)
		if code(seen) != "" || code(other) != "" {
			t.Fatal("good tokens are refused")
		}
		b.revokeKey("k1")
		time.Sleep(time.Second)
		for range 6 {
			if c := code(seen); c != limenauth.CodeUnauthenticated {
				t.Errorf("from memory: %q", c)
			}
			if c := code(long(l.key)); c != limenauth.CodeUnauthenticated {
				t.Errorf("by signature, younger than the revocation: %q", c)
			}
			if c := code(other); c != "" {
				t.Errorf("of another key: %q", c)
			}
			time.Sleep(10 * time.Minute)
		}
		if n := a.Status().Feed.Entries; n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestRequestsCostNoLookup(t *testing.T) {
	feedTest(t, limenauth.Deny, func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(string) string) {
		token := l.key.token(mina(time.Now()))
		before := l.asked(feedCall)
		for range 1000 {
			code(token)
		}
		if n := l.asked(feedCall) - before; n != 0 {
			t.Errorf("1000 requests asked %d times", n)
		}
		time.Sleep(10 * time.Second)
		n := l.asked(feedCall) - before
		if stream := b.stream; stream && n != 0 || !stream && (n < 18 || n > 22) {
			t.Errorf("%d questions in 10 s, stream=%v", n, stream)
		}
	})
}

func TestEntriesGoWhenTheirTokensHaveExpired(t *testing.T) {
	feedTest(t, limenauth.Deny, func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(string) string) {
		for i := range 500 {
			b.endSession(fmt.Sprintf("ses_%d", i))
		}
		b.recall("usr_x")
		time.Sleep(time.Second)
		if n := a.Status().Feed.Entries; n != 501 {
			t.Fatalf("%d entries", n)
		}
		token := l.key.token(mina(time.Now()).with("sid", "ses_7"))
		// A minute longer than the server says: the leeway lets tokens count that long.
		for range 15*60 + 50 {
			time.Sleep(time.Second)
			if c := code(token); c == "" {
				t.Fatal("an ended session came back")
			}
		}
		time.Sleep(30 * time.Second)
		b.recall("usr_y") // tidying happens when something arrives
		time.Sleep(time.Second)
		if n := a.Status().Feed.Entries; n != 1 {
			t.Errorf("%d entries after all tokens have expired", n)
		}
	})
}

func TestDenyWhenStale(t *testing.T) {
	feedTest(t, limenauth.Deny, func(t *testing.T, l *limen, b *ledger, a *limenauth.Auth, code func(string) string) {
		token := l.key.token(mina(time.Now()).with("exp", time.Now().Add(time.Hour).Unix()))
		if c := code(token); c != "" {
			t.Fatal(c)
		}
		went := time.Now()
		l.down.Store(true)
		b.mu.Lock()
		b.stream = false
		b.mu.Unlock()
		l.on(feedCall, func(http.ResponseWriter, *http.Request) {})
		breakStream(b)
		for time.Since(went) < 29*time.Second {
			if c := code(token); c != "" {
				t.Fatalf("refused %v after the last contact: %s", time.Since(went), c)
			}
			time.Sleep(time.Second)
		}
		for time.Since(went) < 42*time.Second { // a quiet stream is noticed after a while
			time.Sleep(time.Second)
		}
		if c := code(token); c != "unavailable" {
			t.Errorf("stale feed: %q", c)
		}
		if s := a.Status().Feed; !s.Stale || s.Err == nil {
			t.Errorf("status %+v", s)
		}
		l.down.Store(false)
		fresh := newLedger(l)
		fresh.endSession("ses_2")
		time.Sleep(6 * time.Second)
		if c := code(token); c != "" {
			t.Errorf("after contact came back: %q", c)
		}
		if c := code(l.key.token(mina(time.Now()).with("sid", "ses_2"))); c != "session_ended" {
			t.Errorf("what ended meanwhile: %q", c)
		}
	})
}

// breakStream wakes a stream's handler, whose pipe then has no reader.
func breakStream(b *ledger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alive = time.Hour
}

func TestAllowWhenStaleReportsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		b := newLedger(l)
		var mu sync.Mutex
		var reports []limenauth.FeedStatus
		a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Allow),
			limenauth.WithFeedReport(func(s limenauth.FeedStatus) {
				mu.Lock()
				defer mu.Unlock()
				reports = append(reports, s)
			}))
		defer a.Close()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.endSession("ses_gone")
		time.Sleep(time.Second)
		went := time.Now()
		l.down.Store(true)
		token := l.key.token(mina(time.Now()).with("exp", time.Now().Add(time.Hour).Unix()))
		for range 120 {
			if _, err := a.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()).with("sid", "ses_gone"))); codeOf(t, err) != "session_ended" {
			t.Error("what was known is forgotten")
		}
		l.down.Store(false)
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(reports) != 2 || !reports[0].Stale || reports[1].Stale || reports[0].Err == nil {
			t.Fatalf("reports %+v", reports)
		}
		if gap := reports[1].LastContact.Sub(went); gap < 2*time.Minute {
			t.Errorf("contact came back after %v", gap)
		}
	})
}

func TestTheStaleReportComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		newLedger(l)
		l.down.Store(true)
		began := time.Now()
		var told time.Duration
		a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny),
			limenauth.WithFeedReport(func(s limenauth.FeedStatus) { told = time.Since(began) }))
		time.Sleep(time.Minute)
		a.Close()
		if told < 30*time.Second || told > 36*time.Second {
			t.Errorf("told after %v", told)
		}
	})
}

// TestDenyUntilTheFirstContact: a process that has just started does not know who
// signed out a minute ago.
func TestDenyUntilTheFirstContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		b := newLedger(l)
		b.endSession("ses_1")
		b.page = 1
		for i := range 20 {
			b.endSession(fmt.Sprintf("ses_x%d", i))
		}
		gate := make(chan struct{})
		inner := l.with[feedCall]
		l.on(feedCall, func(w http.ResponseWriter, r *http.Request) {
			<-gate
			inner(w, r)
		})
		a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
		defer a.Close()
		if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); codeOf(t, err) != "unavailable" {
			t.Errorf("before the first contact: %v", err)
		}
		close(gate)
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		// All pages are read before the first answer.
		for _, sid := range []string{"ses_1", "ses_x0", "ses_x19"} {
			if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()).with("sid", sid))); codeOf(t, err) != "session_ended" {
				t.Errorf("%s: %v", sid, err)
			}
		}
	})
}

func TestAStreamWithoutASignOfLifeIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		b := newLedger(l)
		b.stream = true // and never a comment
		a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
		defer a.Close()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		token := l.key.token(mina(time.Now()).with("exp", time.Now().Add(time.Hour).Unix()))
		for range 100 {
			if _, err := a.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := l.asked(feedCall); n < 10 || n > 18 {
			t.Errorf("%d connections in 100 s", n)
		}
	})
}

// TestAStreamThatDoesNotBegin: a proxy that keeps the stream back, or a server that has
// too many. The next page comes at the pace of polling.
func TestAStreamThatDoesNotBegin(t *testing.T) {
	for name, refuse := range map[string]http.HandlerFunc{
		"no answer": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no word": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(200)
			<-r.Context().Done()
		},
		"too many":       func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 503, "unavailable") },
		"not acceptable": func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", http.StatusNotAcceptable) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimen(t)
				b := newLedger(l)
				pages := l.with[feedCall]
				streams := 0
				l.on(feedCall, func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
						streams++
						refuse(w, r)
						return
					}
					pages(w, r)
				})
				a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
				defer a.Close()
				if err := a.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				for i := range 60 {
					sid := fmt.Sprintf("ses_%d", i)
					b.endSession(sid)
					time.Sleep(time.Second)
					if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()).with("sid", sid))); codeOf(t, err) != "session_ended" {
						t.Fatalf("%s: %v", sid, err)
					}
				}
				if s := a.Status().Feed; streams != 1 || s.Streaming || s.Stale {
					t.Errorf("%d streams, %+v", streams, s)
				}
				time.Sleep(20 * time.Minute)
				if streams != 3 {
					t.Errorf("%d streams in 20 minutes", streams)
				}
			})
		})
	}
}

func TestACursorTheServerForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		b := newLedger(l)
		a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
		defer a.Close()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		inner := l.with[feedCall]
		l.on(feedCall, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("after") {
				answerProblem(w, 422, "invalid_request")
				return
			}
			inner(w, r)
		})
		b.endSession("ses_1")
		time.Sleep(3 * time.Second)
		if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); codeOf(t, err) != "session_ended" {
			t.Error(err)
		}
	})
}

// TestOddFeedAnswers: a server that talks nonsense is a server without contact.
func TestOddFeedAnswers(t *testing.T) {
	until := time.Now().Add(time.Hour).Format(time.RFC3339)
	for name, tt := range map[string]struct {
		kind, body string
		contact    bool
	}{
		"empty page":         {"application/json", `{"data":[],"next":null}`, true},
		"unknown kind":       {"application/json", `{"data":[{"id":"e","kind":"planet","until":"` + until + `"}],"next":"1"}`, true},
		"no ids":             {"application/json", `{"data":[{"kind":"session"},{"kind":"user"},{"kind":"key"}],"next":"1"}`, true},
		"not JSON":           {"application/json", `<html>`, false},
		"bad time":           {"application/json", `{"data":[{"kind":"session","session_id":"s","until":"soon"}]}`, false},
		"nothing":            {"application/json", ``, false},
		"stream of nonsense": {"text/event-stream", "data: {\n\ndata: x\n\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimen(t)
				l.on(feedCall, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", tt.kind)
					io.WriteString(w, tt.body)
				})
				a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
				defer a.Close()
				time.Sleep(5 * time.Second)
				if s := a.Status().Feed; s.Stale == tt.contact || s.Entries != 0 {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// TestAnEntryWithoutAnEndIsKept: an entry that does not say how long it counts is not
// taken for one that has passed.
func TestAnEntryWithoutAnEndIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		b := newLedger(l)
		b.add(claims{"kind": "session", "session_id": "ses_1"})
		b.add(claims{"kind": "user", "user_id": "usr_noor"})
		a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
		defer a.Close()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()))); codeOf(t, err) != "session_ended" {
			t.Error(err)
		}
		if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()).with("sub", "usr_noor").with("sid", "ses_2"))); codeOf(t, err) != "unauthenticated" {
			t.Error(err)
		}
	})
}

// TestTheFeedIsBounded: more entries than fit are not dropped in silence.
func TestTheFeedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimen(t)
		until := time.Now().Add(15 * time.Minute).Format(time.RFC3339)
		const perPage = 25_000
		var pages []string
		for n := range 5 {
			var page strings.Builder
			page.WriteString(`{"data":[`)
			for i := range perPage {
				if n*perPage+i > 100_000 {
					break
				}
				if i > 0 {
					page.WriteByte(',')
				}
				fmt.Fprintf(&page, `{"id":"rev_%d_%d","kind":"session","session_id":"ses_%d_%d","until":"%s"}`, n, i, n, i, until)
			}
			fmt.Fprintf(&page, `],"next":"%d"}`, n+1)
			pages = append(pages, page.String())
		}
		var fits atomic.Bool
		l.on(feedCall, func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.URL.Query().Get("after"))
			switch {
			case fits.Load(), n == len(pages):
				fmt.Fprintf(w, `{"data":[],"next":"%d"}`, n)
			default:
				io.WriteString(w, pages[n])
			}
		})
		a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
		defer a.Close()
		for range 4 { // it is read again and again, and never fits
			time.Sleep(14 * time.Second)
			if s := a.Status().Feed; !s.Stale || s.Entries != 100_000 || s.Err == nil {
				t.Errorf("status %+v", s)
			}
			if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()).with("sid", "ses_x"))); codeOf(t, err) != "unavailable" {
				t.Error(err)
			}
		}
		fits.Store(true)
		time.Sleep(31 * time.Second)
		if s := a.Status().Feed; s.Stale || s.Err != nil {
			t.Errorf("when it fits again: %+v", s)
		}
		if _, err := a.Verify(t.Context(), l.key.token(mina(time.Now()).with("sid", "ses_3_7"))); codeOf(t, err) != "session_ended" {
			t.Error(err)
		}
		time.Sleep(16 * time.Minute)
		if n := a.Status().Feed.Entries; n != 0 {
			t.Errorf("%d entries after all tokens have expired", n)
		}
	})
}

func TestTheFeedUnderLoad(t *testing.T) {
	l := newLimen(t)
	l.key = newEdDSA("ed")
	l.publish(l.key)
	b := newLedger(l)
	b.stream = true
	a := l.auth(limenauth.WithServerKey(serverKey), limenauth.WithRevocationFeed(limenauth.Deny))
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		token := l.key.token(mina(time.Now()).with("sid", fmt.Sprintf("ses_%d", i)))
		wg.Go(func() {
			for {
				if _, err := a.Verify(t.Context(), token); codeOf(t, err) == "session_ended" {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 300 {
		b.endSession(fmt.Sprintf("ses_%d", i%100))
		a.Status()
	}
	wg.Wait()
}
