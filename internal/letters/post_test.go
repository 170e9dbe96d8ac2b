package letters_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
	"github.com/limenauth/limen/internal/text"
)

// counter is a relay of which a test decides what it does with each letter, and which
// remembers when each letter came.
type counter struct {
	mu   sync.Mutex
	came map[string]time.Time // by address
	all  []mail.Message
	do   func(context.Context, mail.Message) error
}

func (c *counter) Send(ctx context.Context, m mail.Message) error {
	if c.do != nil {
		if err := c.do(ctx, m); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.came == nil {
		c.came = map[string]time.Time{}
	}
	c.came[m.To] = time.Now()
	c.all = append(c.all, m)
	return nil
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

func (c *counter) when(to string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.came[to]
}

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// run starts the workers; stop ends them and waits until they have ended.
func run(t *testing.T, p *letters.Post) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func code(to string) letters.Letter {
	return letters.Letter{Template: letters.Code, Locale: "en", To: to, Code: "012345"}
}

// waiting writes rows into a lane without waking anybody.
func waiting(t *testing.T, d *db.DB, lane, n int) {
	t.Helper()
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			id := fmt.Sprintf("msg_%026d", i)
			err := tx.Enqueue(t.Context(), store.Message{
				ID: id, Lane: lane, Channel: "email", Template: "code", Locale: "en", DueAt: tx.Now, NotAfter: tx.Now.Add(time.Hour), CreatedAt: tx.Now,
				Sealed: d.Ring.Sealer("outbox").Seal(id, fmt.Appendf(nil, `{"to":"row%d@example.com","code":"111111"}`, i)),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func states(t *testing.T, d *db.DB) map[string]int {
	t.Helper()
	rows, err := d.SQL(t).Query(`SELECT state, count(*) FROM outbox GROUP BY state`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			t.Fatal(err)
		}
		out[state] = n
	}
	return out
}

// A letter that is begun as late as it may be, and takes as long as it may, has time left
// to be noted before somebody else may claim it.
func TestLeaseOutlivesTheSending(t *testing.T) {
	if left := letters.Lease - letters.BeginWithin - letters.Patience; left < 5*time.Second {
		t.Errorf("%s are left to note what came of a letter", left)
	}
}

type refusal struct{ error }

func (refusal) Permanent() bool { return true }

func TestRefusedLetterDiesAtOnce(t *testing.T) {
	for name, err := range map[string]error{
		"own": fmt.Errorf("relay: %w", refusal{errors.New("550 5.1.1 <ann@example.com> unknown")}), "mail": fmt.Errorf("550: %w", mail.ErrRefused),
	} {
		t.Run(name, func(t *testing.T) {
			db.EachDB(t, func(t *testing.T, d *db.DB) {
				p := post(t, d, &counter{do: func(context.Context, mail.Message) error { return err }})
				enqueue(t, d, p, code("ann@example.com"))
				if _, err := p.SendDue(t.Context()); err != nil {
					t.Fatal(err)
				}
				state, sealed, reason := row(t, d)
				if state != store.Dead || sealed != nil || !strings.Contains(reason, "550") || strings.Contains(reason, "ann@") {
					t.Errorf("state %s, sealed %v, reason %q", state, sealed, reason)
				}
			})
		})
	}
}

func TestLetterIsGivenUpAfterTwelveTries(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &relay{fail: 1000}
		p := post(t, d, sender)
		l := code("ann@example.com")
		err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
			l.NotAfter = tx.Now.Add(1000 * time.Hour)
			return p.Enqueue(t.Context(), tx, l)
		})
		if err != nil {
			t.Fatal(err)
		}
		tries := 0
		for range 40 {
			n, err := p.SendDue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tries += n
			d.Clock.Advance(5 * time.Hour)
		}
		if state, sealed, reason := row(t, d); state != store.Dead || sealed != nil || tries != letters.MaxTries || !strings.Contains(reason, "421") {
			t.Errorf("state %s after %d tries, sealed %v, reason %q", state, tries, sealed, reason)
		}
	})
}

// TestPausesGrowAndScatter: letters that failed together do not come back together.
func TestPausesGrowAndScatter(t *testing.T) {
	spans := []time.Duration{
		2 * time.Second, 4 * time.Second, 16 * time.Second, 64 * time.Second, 256 * time.Second, 1024 * time.Second, 4096 * time.Second,
		4 * time.Hour, 4 * time.Hour, 4 * time.Hour, 4 * time.Hour, 4 * time.Hour,
	}
	if len(spans) != letters.MaxTries {
		t.Fatal("a span for each try")
	}
	for i, most := range spans {
		tries := i + 1
		var all []time.Duration
		for range 300 {
			pause := letters.Backoff(tries)
			if pause < 250*time.Millisecond || pause > most+250*time.Millisecond {
				t.Fatalf("%s after %d tries", pause, tries)
			}
			all = append(all, pause)
		}
		slices.Sort(all)
		if spread := all[270] - all[30]; spread < most*6/10 {
			t.Errorf("after %d tries 80%% lie within %s of %s", tries, spread, most)
		}
	}
}

// TestRestingRelayCostsNoTry: while every relay rests nobody is asked, and however long
// that lasts, the letter is not given up for it before its time.
func TestRestingRelayCostsNoTry(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		resting := true
		sender := &counter{do: func(context.Context, mail.Message) error {
			if resting {
				return fmt.Errorf("relays: %w", mail.ErrResting)
			}
			return nil
		}}
		p := post(t, d, sender)
		enqueue(t, d, p, code("ann@example.com"))
		for range 50 {
			if _, err := p.SendDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.Clock.Advance(6 * time.Second)
		}
		resting = false
		if _, err := p.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if state, _, reason := row(t, d); state != store.Sent {
			t.Errorf("state %s, reason %q", state, reason)
		}
		resting = true
		enqueue(t, d, p, code("bob@example.com"))
		for range 130 {
			if _, err := p.SendDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.Clock.Advance(5 * time.Second)
		}
		if got := states(t, d); got[store.Dead] != 1 {
			t.Errorf("%v: a letter outlived its end", got)
		}
	})
}

// TestLastTryComesBeforeTheEnd: the pause never carries a letter over its own end.
func TestLastTryComesBeforeTheEnd(t *testing.T) {
	d := db.SQLite(t)
	sender := &relay{fail: 3}
	p := post(t, d, sender)
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		l := code("ann@example.com")
		l.NotAfter = tx.Now.Add(700 * time.Millisecond)
		return p.Enqueue(t.Context(), tx, l)
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := p.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.Clock.Advance(350 * time.Millisecond)
	}
	state, _, reason := row(t, d)
	if state != store.Dead || !strings.Contains(reason, "expired") {
		t.Errorf("state %s, reason %q", state, reason)
	}
}

func TestReasonHidesTheAddress(t *testing.T) {
	for said, to := range map[string]string{
		"550 5.1.1 <Ann.Smith@example.com>: no":       "Ann.Smith@example.com",
		"550 no mailbox ann.smith@EXAMPLE.com here":   "Ann.Smith@example.com",
		"553 other@elsewhere.example and ann@x.co no": "ann@x.co",
		"550 bad\r\n\x1b[2J\x00line":                  "a@b.co",
		strings.Repeat("ä", 1000):                     "a@b.co",
	} {
		got := letters.Presentable(said, to)
		if strings.Contains(strings.ToLower(got), "ann.smith") || strings.Contains(got, "other@") || strings.ContainsAny(got, "\r\n\x1b\x00") || len(got) > 310 {
			t.Errorf("%q", got)
		}
	}
}

// TestStalledLetterHoldsUpNobody: while the relay does not answer for one letter, others
// leave within 100 ms of their commit.
func TestStalledLetterHoldsUpNobody(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		release := make(chan struct{})
		stalled := make(chan struct{}, 10)
		sender := &counter{do: func(ctx context.Context, m mail.Message) error {
			if strings.HasPrefix(m.To, "stall") {
				stalled <- struct{}{}
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return ctx.Err()
		}}
		p := post(t, d, sender)
		stop := run(t, p)
		for i := range 3 {
			enqueue(t, d, p, code(fmt.Sprintf("stall%d@example.com", i)))
			<-stalled
		}
		if took := promptly(t, d, p, sender); took > 100*time.Millisecond {
			t.Errorf("a letter leaves %s after its commit", took)
		}
		close(release)
		stop()
		if got := states(t, d); got[store.Sent] != 24 {
			t.Errorf("%v", got)
		}
	})
}

// promptly returns the median of what 21 letters took from their commit to the relay.
func promptly(t *testing.T, d *db.DB, p *letters.Post, sender *counter) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range 21 {
		to := fmt.Sprintf("person%d@example.com", i)
		enqueue(t, d, p, code(to))
		committed := time.Now()
		until(t, "the letter to "+to+" comes", func() bool { return !sender.when(to).IsZero() })
		took = append(took, sender.when(to).Sub(committed))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// TestCampaignDelaysNoPerson: a full campaign lane behind a slow relay, and letters that
// people wait for leave within 100 ms all the same.
func TestCampaignDelaysNoPerson(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &counter{do: func(ctx context.Context, m mail.Message) error {
			if strings.HasPrefix(m.To, "row") {
				select {
				case <-time.After(20 * time.Millisecond):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		}}
		waiting(t, d, letters.LaneCampaign, 3000)
		p := post(t, d, sender)
		stop := run(t, p)
		until(t, "the campaign is being sent", func() bool { return sender.count() > 20 })
		if took := promptly(t, d, p, sender); took > 100*time.Millisecond {
			t.Errorf("a letter leaves %s after its commit", took)
		}
		stop()
		got := states(t, d)
		if got[store.Queued] < 500 {
			t.Errorf("%v: the campaign was over before anything was measured", got)
		}
		if got[store.Sent] != sender.count() {
			t.Errorf("%d letters left, the outbox says %v", sender.count(), got)
		}
	})
}

// TestStopGivesBack: what a worker holds and has not begun goes back at once, as untried
// as it was, and what people wait for still leaves.
func TestStopGivesBack(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		begun := make(chan struct{}, 100)
		release := make(chan struct{})
		sender := &counter{do: func(ctx context.Context, m mail.Message) error {
			if strings.HasPrefix(m.To, "row") {
				begun <- struct{}{}
				<-release
			}
			return nil
		}}
		waiting(t, d, letters.LaneCampaign, 100)
		p := post(t, d, sender)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.Run(ctx); close(done) }()
		for range 8 {
			<-begun
		}
		enqueue(t, d, p, code("last@example.com"))
		cancel()
		until(t, "the last letter leaves", func() bool { return !sender.when("last@example.com").IsZero() })
		close(release)
		<-done
		if got := states(t, d); got[store.Sent] != 9 || got[store.Queued] != 92 {
			t.Errorf("%v", got)
		}
		var touched int
		if err := d.SQL(t).QueryRow(`SELECT count(*) FROM outbox WHERE state = 'queued' AND (locked_until > 0 OR tries > 0)`).Scan(&touched); err != nil || touched != 0 {
			t.Errorf("%d letters are held by nobody, %v", touched, err)
		}
	})
}

// TestGraceEnds: a relay that never answers does not keep the program from stopping, and
// its letter is tried again later.
func TestGraceEnds(t *testing.T) {
	d := db.SQLite(t)
	begun := make(chan struct{})
	p := post(t, d, &counter{do: func(ctx context.Context, _ mail.Message) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}})
	p.Grace = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	enqueue(t, d, p, code("ann@example.com"))
	<-begun
	cancel()
	<-done
	var tries int
	var locked int64
	if err := d.SQL(t).QueryRow(`SELECT tries, locked_until FROM outbox WHERE state = 'queued'`).Scan(&tries, &locked); err != nil || tries != 1 || locked != 0 {
		t.Errorf("%d tries, locked until %d, %v", tries, locked, err)
	}
}

// TestRateSlowsCampaignsOnly: the relay takes 100 letters in a second; a person's letter
// leaves before the letters of a campaign that were there first.
func TestRateSlowsCampaignsOnly(t *testing.T) {
	d := db.SQLite(t)
	sender := &counter{}
	d.Clock.Set(time.Now())
	waiting(t, d, letters.LaneCampaign, 400)
	p := &letters.Post{
		Store: d.Store, Sender: sender, Sealer: d.Ring.Sealer("outbox"), Render: renderer(t), From: "no-reply@auth.example.com",
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Rate: 100,
	}
	p.Open()
	began := time.Now()
	stop := run(t, p)
	until(t, "the first second's letters", func() bool { return sender.count() >= 100 })
	if took := promptly(t, d, p, sender); took > 100*time.Millisecond {
		t.Errorf("a letter leaves %s after its commit", took)
	}
	until(t, "some more", func() bool { return sender.count() >= 200 })
	if took := time.Since(began); took < 850*time.Millisecond {
		t.Errorf("200 letters in %s at 100 in a second and one second's worth at once", took)
	}
	stop()
}

// TestOtherProcessIsHeard: what another process wrote is found within a second or so,
// though nobody wakes this one.
func TestOtherProcessIsHeard(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &counter{}
		run(t, post(t, d, sender))
		other := post(t, d, nil)
		for i := range 3 {
			to := fmt.Sprintf("person%d@example.com", i)
			enqueue(t, d, other, code(to))
			began := time.Now()
			until(t, "the letter is found", func() bool { return !sender.when(to).IsZero() })
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		}
	})
}

// TestMovedClockSendsOnce: a clock that is moved over the end of a lease makes a worker
// claim what it is sending already.
func TestMovedClockSendsOnce(t *testing.T) {
	d := db.SQLite(t)
	begun, release := make(chan struct{}, 10), make(chan struct{})
	sender := &counter{do: func(context.Context, mail.Message) error {
		begun <- struct{}{}
		<-release
		return nil
	}}
	p := post(t, d, sender)
	stop := run(t, p)
	l := code("ann@example.com")
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		l.NotAfter = tx.Now.Add(time.Hour)
		return p.Enqueue(t.Context(), tx, l)
	})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	d.Clock.Advance(10 * time.Minute)
	if n, err := p.SendDue(t.Context()); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	close(release)
	stop()
	if sender.count() != 1 {
		t.Errorf("sent %d times", sender.count())
	}
}

func TestNothingIsSentByNotBeingSent(t *testing.T) {
	d := db.SQLite(t)
	sender := &counter{}
	p := post(t, d, sender)
	enqueue(t, d, p, letters.Letter{Template: letters.Nothing, To: "ann@example.com"})
	if n, err := p.SendDue(t.Context()); n != 1 || err != nil || sender.count() != 0 {
		t.Errorf("%d %v, %d sent", n, err, sender.count())
	}
	if state, sealed, _ := row(t, d); state != store.Sent || sealed != nil {
		t.Errorf("state %s, sealed %v", state, sealed)
	}
}

// TestBatchCostsFewCommits: one claim and one note for a batch; and workers whose letters
// end one by one share commits, too.
func TestBatchCostsFewCommits(t *testing.T) {
	d := db.SQLite(t)
	sender := &counter{}
	p := post(t, d, sender)
	waiting(t, d, letters.LaneInteractive, 500)
	before := d.Store.Stats()
	if n, err := p.SendDue(t.Context()); n != 500 || err != nil {
		t.Fatal(n, err)
	}
	if after := d.Store.Stats(); after.Closures-before.Closures != 2 {
		t.Errorf("%d transactions for one batch", after.Closures-before.Closures)
	}
	if _, err := d.SQL(t).Exec(`DELETE FROM outbox`); err != nil {
		t.Fatal(err)
	}
	waiting(t, d, letters.LaneInteractive, 480)
	var mu sync.Mutex
	inside, together := 0, make(chan struct{})
	sender.do = func(context.Context, mail.Message) error { // the relay answers all senders at once
		mu.Lock()
		mine := together
		if inside++; inside == 16 {
			inside, together = 0, make(chan struct{})
			close(mine)
		}
		mu.Unlock()
		<-mine
		return nil
	}
	before = d.Store.Stats()
	stop := run(t, p)
	until(t, "all have left", func() bool { return sender.count() == 980 })
	stop()
	if after := d.Store.Stats(); after.Commits-before.Commits > 480/4 {
		t.Errorf("%d commits for 480 letters", after.Commits-before.Commits)
	} else {
		t.Logf("%d commits for 480 letters", after.Commits-before.Commits)
	}
}

// TestEarlierLetterFirst: what became due first leaves first.
func TestEarlierLetterFirst(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		sender := &counter{}
		p := post(t, d, sender)
		for i := range 30 {
			enqueue(t, d, p, code(fmt.Sprintf("%02d@example.com", i)))
			d.Clock.Advance(time.Millisecond)
		}
		if _, err := p.SendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(sender.all, func(a, b mail.Message) int { return strings.Compare(a.To, b.To) }) || len(sender.all) != 30 {
			t.Error("letters overtook one another")
		}
	})
}

func renderer(t *testing.T) *letters.Renderer {
	t.Helper()
	catalogue, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	r, err := letters.NewRenderer(catalogue, "Halcyon", "https://auth.example.com", "auth.example.com", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
