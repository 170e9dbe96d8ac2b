package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// measureOutbox: letters a minute from the outbox to a relay on this machine, beside the
// same letters handed to the same relay without any outbox; and what a claim takes when
// the outbox is small and when it is large. It has a database of its own.
func measureOutbox(ctx context.Context, o Options, h *house, t *table) (_ time.Duration, err error) {
	d, err := newDatabase(ctx, o, h.database.engine)
	if err != nil {
		return 0, err
	}
	own := &house{database: d}
	defer func() { err = errors.Join(err, own.close()) }()
	if err := own.build(ctx, app.Production, d.address); err != nil {
		return 0, err
	}
	relay, err := openRelay()
	if err != nil {
		return 0, err
	}
	defer relay.close()
	n := max(100, int(3000*o.Slice.Seconds()))
	var pairs []pair
	for range o.Rounds {
		bare, err := relay.bare(ctx, n)
		if err != nil {
			return 0, err
		}
		ours, err := own.sendAll(ctx, relay, n)
		if err != nil {
			return 0, err
		}
		pairs = append(pairs, pair{ours: ours, bare: bare})
	}
	perMinute := func(side func(pair) sample) float64 {
		return 60 * median(pairs, func(p pair) float64 { return side(p).rate() })
	}
	ours, bare := perMinute(pair.left), perMinute(pair.right)
	t.row(fmt.Sprintf("outbox to a local relay, %d senders | the relay alone", outboxSenders),
		fmt.Sprintf("%.0f letters/min", ours), fmt.Sprintf("%.0f letters/min", bare), percent(ours/bare), ">= 5000/min", ours >= 5000)
	return 0, own.claims(ctx, o, t)
}

// outboxSenders is the default of the setting.
const outboxSenders = 16

// sendAll writes n letters into the outbox and measures how long it takes until the last
// is noted as sent.
func (h *house) sendAll(ctx context.Context, relay *relay, n int) (sample, error) {
	smtp := relay.sender()
	defer smtp.Close()
	h.Post.Sender = smtp
	for at := 0; at < n; at += 500 {
		err := h.Store.Tx(ctx, func(tx *store.Tx) error {
			for i := at; i < min(n, at+500); i++ {
				l := letters.Letter{Template: letters.Code, Locale: "en", To: identifier(i), Code: "012345", NotAfter: tx.Now.Add(time.Hour)}
				if err := h.Post.Enqueue(ctx, tx, l); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return sample{}, err
		}
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	cpu, began := cpuTime(), time.Now()
	var worker sync.WaitGroup
	worker.Go(func() { h.Post.Run(working) })
	for {
		left, err := h.Store.Waiting(ctx, letters.LaneInteractive, 1)
		if err != nil || left == 0 {
			took, used := time.Since(began), cpuTime()-cpu
			stop()
			worker.Wait()
			return sample{ops: n, took: took, cpu: used}, err
		}
		time.Sleep(time.Millisecond)
	}
}

// claims measures a claim with a thousand rows and with ten for each person of the
// largest size.
func (h *house) claims(ctx context.Context, o Options, t *table) error {
	const at, times = 50, 15
	few, many := 1000, 10*o.People[len(o.People)-1]
	var took []time.Duration
	for _, rows := range []int{few, many} {
		if err := h.fillOutbox(ctx, rows); err != nil {
			return err
		}
		one, err := h.claimTimes(ctx, at, times)
		if err != nil {
			return err
		}
		took = append(took, one)
	}
	ratio := float64(took[1]) / float64(took[0])
	// A claim is a durable commit: what is flat within the noise of a disk is flat.
	t.row(fmt.Sprintf("claim of %d, %d rows wait | %d rows wait", at, many, few), perOperation(took[1]), perOperation(took[0]),
		fmt.Sprintf("%.2fx", ratio), "<= 2x", ratio <= 2)
	return nil
}

// fillOutbox empties the outbox and writes that many letters of the campaign lane.
func (h *house) fillOutbox(ctx context.Context, rows int) (err error) {
	db, err := h.database.open("&_synchronous=OFF")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	now := time.Now()
	settle := "PRAGMA wal_checkpoint(TRUNCATE)"
	if h.database.engine == postgres {
		settle = "VACUUM ANALYZE outbox"
	}
	for _, text := range []string{
		`DELETE FROM outbox`,
		fmt.Sprintf(`INSERT INTO outbox (id, lane, channel, template, locale, state, tries, due_at, locked_until, not_after, created_at)
			WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < %d)
			SELECT %s, 1, 'email', 'campaign', 'en', 'queued', 0, %d + n, 0, %d, %d FROM number`,
			rows, identSQL("msg", "n"), now.Add(-time.Hour).UnixMicro(), now.Add(time.Hour).UnixMicro(), now.UnixMicro()),
		settle,
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("filling the outbox: %w", err)
		}
	}
	return nil
}

// claimTimes is the median of what claims take. What was claimed is sent, as in life.
func (h *house) claimTimes(ctx context.Context, at, times int) (time.Duration, error) {
	var all []time.Duration
	for range times {
		var claimed []store.Message
		began := time.Now()
		err := h.Store.Tx(ctx, func(tx *store.Tx) (err error) {
			claimed, err = tx.ClaimMessages(ctx, letters.LaneCampaign, at, time.Minute)
			return err
		})
		all = append(all, time.Since(began))
		if err == nil {
			err = h.Store.Tx(ctx, func(tx *store.Tx) error {
				for _, m := range claimed {
					if err := tx.MarkSent(ctx, m, ""); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err != nil {
			return 0, err
		}
	}
	return time.Duration(median(all, func(d time.Duration) float64 { return float64(d) })), nil
}

// relay takes letters over SMTP and forgets them: as little as a client needs to be told.
type relay struct{ net.Listener }

func openRelay() (*relay, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go talk(c)
		}
	}()
	return r, nil
}

func (r *relay) close() { _ = r.Close() }

func (r *relay) sender() *mail.SMTP {
	to := r.Addr().(*net.TCPAddr)
	return &mail.SMTP{
		Relay:       mail.Relay{Host: "127.0.0.1", Port: to.Port, Security: mail.Plain},
		Connections: outboxSenders + outboxSenders/2,
	}
}

// talk is one conversation.
func talk(c net.Conn) {
	defer c.Close()
	in := bufio.NewScanner(c)
	say := func(line string) { fmt.Fprint(c, line+"\r\n") }
	say("220 bench ESMTP")
	letter := false
	for in.Scan() {
		line := in.Text()
		if letter {
			if line == "." {
				letter = false
				say("250 2.0.0 taken")
			}
			continue
		}
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			say("250-bench\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
		case "DATA":
			letter = true
			say("354 go on")
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

// bare hands n letters to the relay with as many clients as limen has senders.
func (r *relay) bare(ctx context.Context, n int) (sample, error) {
	smtp := r.sender()
	defer smtp.Close()
	work := make(chan int)
	var mu sync.Mutex // guards errs
	var errs []error
	var senders sync.WaitGroup
	cpu, began := cpuTime(), time.Now()
	for range outboxSenders {
		senders.Go(func() {
			for i := range work {
				now := time.Now()
				err := smtp.Send(ctx, mail.Message{
					ID: secret.ID("msg", now), Channel: "email", To: identifier(i), From: "no-reply@auth.bench.example", Subject: "012345 · Your code",
					Text: strings.Repeat("Here is your code.\n", 15), HTML: strings.Repeat("<p>Here is your code.</p>\n", 80), SentAt: now,
				})
				if err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	senders.Wait()
	return sample{ops: n, took: time.Since(began), cpu: cpuTime() - cpu}, errors.Join(errs...)
}
