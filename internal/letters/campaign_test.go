package letters_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// people makes n accounts. Every tenth has not verified the address, every third is an
// admin, every second reads French; odd ones have signed in an hour ago.
func people(t *testing.T, d *db.DB, n int) {
	t.Helper()
	err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			a := account.Account{ID: person(i), FirstName: fmt.Sprintf("Name%d", i), Roles: []string{"user"}, CreatedAt: tx.Now, UpdatedAt: tx.Now}
			if i%3 == 0 {
				a.Roles = append(a.Roles, "admin")
			}
			if i%2 == 0 {
				a.Locale = "fr-CA"
			} else {
				a.LastSignInAt = tx.Now.Add(-time.Hour)
			}
			if _, err := tx.InsertAccount(t.Context(), a, ""); err != nil {
				return err
			}
			address, err := account.ParseAddress(fmt.Sprintf("person%d@example.com", i))
			if err != nil {
				return err
			}
			e := store.Email{ID: account.EmailID(fmt.Sprintf("eml_%026d", i)), Account: a.ID, Address: address, Primary: true, CreatedAt: tx.Now}
			if i%10 != 9 {
				e.VerifiedAt = tx.Now
			}
			if _, err := tx.InsertEmail(t.Context(), e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func person(i int) account.ID { return account.ID(fmt.Sprintf("usr_%026d", i)) }

func breach() letters.Campaign {
	return letters.Campaign{
		Name: "Breach 2026-03", Segment: "all", Subject: "About your {app} account, {first_name|friend}",
		Text: "Hello {first_name|friend},\n\nplease read this.\n\nYours, {app}",
	}
}

func begin(t *testing.T, p *letters.Post, c letters.Campaign) string {
	t.Helper()
	info, err := p.StartCampaign(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	return info.ID
}

// TestCampaignReachesEverybodyOnce: several processes write and send at once, one after
// the other of them ends in the middle, and everybody with a verified address gets one
// letter. The outbox stays small the whole time.
func TestCampaignReachesEverybodyOnce(t *testing.T) {
	const all = 2345
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		people(t, d, all)
		sender := &counter{}
		p := post(t, d, sender)
		id := begin(t, p, breach())
		watch, most := d.SQL(t), 0
		look := func() {
			var n int
			if err := watch.QueryRow(`SELECT count(*) FROM outbox WHERE state = 'queued'`).Scan(&n); err != nil {
				t.Error(err)
			}
			most = max(most, n)
		}
		for sender.count() < all*9/10-300 {
			var workers sync.WaitGroup
			ctx, stop := context.WithCancel(t.Context())
			for range 3 {
				workers.Go(func() { post(t, d, sender).Run(ctx) })
			}
			for end := sender.count() + 400; sender.count() < end && sender.count() < all*9/10-300; time.Sleep(time.Millisecond) {
				look()
			}
			stop()
			workers.Wait()
		}
		stop := run(t, p)
		until(t, "the campaign is over", func() bool {
			c, err := p.Campaign(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return c.Over()
		})
		stop()
		c, err := p.Campaign(t.Context(), id)
		if err != nil || c.State != store.CampaignDone || c.Queued != all-all/10 || c.Skipped != all/10 || c.FinishedAt.IsZero() {
			t.Errorf("%+v %v", c, err)
		}
		if len(sender.came) != all-all/10 || sender.count() != all-all/10 {
			t.Errorf("%d letters to %d people", sender.count(), len(sender.came))
		}
		if most > letters.WaitingMost {
			t.Errorf("%d letters waited in the outbox", most)
		}
		if m := sender.all[0]; !strings.HasPrefix(m.Subject, "About your Halcyon account, Name") || !strings.Contains(m.Text, "Hello Name") || m.HTML == "" {
			t.Errorf("%+v", m)
		}
	})
}

// TestPageIsWrittenOnce: processes that race for the same page write it once.
func TestPageIsWrittenOnce(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		people(t, d, 300)
		p := post(t, d, &counter{})
		begin(t, p, breach())
		var racing sync.WaitGroup
		for range 8 {
			racing.Go(func() {
				if _, err := p.WriteCampaigns(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		racing.Wait()
		if got := states(t, d); got[store.Queued] != 270 {
			t.Errorf("%v", got)
		}
		c, err := p.Campaigns(t.Context(), 10)
		if err != nil || len(c) != 1 || c[0].Queued != 270 || c[0].Skipped != 30 || c[0].Waiting != 270 {
			t.Errorf("%+v %v", c, err)
		}
	})
}

func TestLetterIDsOfCampaigns(t *testing.T) {
	const one, other = "cmp_01k3c5x5s1f7s8z0v7m1w2q3r4", "cmp_01k3c5x5s1f7s8z0v7m1w2q3r5"
	seen := map[string]bool{}
	for i := range 1000 {
		seen[letters.LetterID(one, person(i))], seen[letters.LetterID(other, person(i))] = true, true
	}
	if len(seen) != 2000 {
		t.Errorf("%d ids", len(seen))
	}
	if a, b := letters.LetterID(one, person(1)), letters.LetterID(one, person(1)); a != b || !strings.HasPrefix(a, "msg_01k3c5x5s") {
		t.Errorf("%s %s", a, b)
	}
}

func TestSegments(t *testing.T) {
	d := db.SQLite(t)
	people(t, d, 60)
	p := post(t, d, &counter{})
	for segment, want := range map[string]int{
		"all": 54, "role:admin": 18, "role:root": 0, "locale:fr": 30, "locale:FR-ca": 30, "locale:f": 0,
		"signed-in-since:2h": 24, "signed-in-since:1d": 24, "signed-in-since:30m": 0,
	} {
		c := breach()
		c.Segment = segment
		looked := 0
		got, err := p.Rehearse(t.Context(), c, func(n int) { looked = n })
		if err != nil || got.Total != want || looked != 60 {
			t.Errorf("%s: %d, want %d, %d looked at, %v", segment, got.Total, want, looked, err)
		}
	}
	for _, segment := range []string{"", "everybody", "all:x", "role:", "role", "locale:", "signed-in-since:", "signed-in-since:soon",
		"signed-in-since:-1d", "signed-in-since:0d", "signed-in-since:99999999999d", "role:" + strings.Repeat("x", 65)} {
		if _, err := letters.ParseSegment(segment); !errors.Is(err, fault.ErrInvalidRequest) {
			t.Errorf("%q: %v", segment, err)
		}
	}
}

func TestRehearsalWritesNothing(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		people(t, d, letters.PageSize+100)
		p := post(t, d, &counter{})
		got, err := p.Rehearse(t.Context(), breach(), func(int) {})
		if err != nil || got.Total != 540 || got.Skipped != 60 || len(got.Examples) != 3 {
			t.Fatalf("%+v %v", got, err)
		}
		if e := got.Examples[1]; e.To != "p•••@example.com" || e.Subject != "About your Halcyon account, Name1" || !strings.Contains(e.Text, "Hello Name1") {
			t.Errorf("%+v", e)
		}
		if got := states(t, d); len(got) != 0 {
			t.Errorf("%v", got)
		}
		if c, err := p.Campaigns(t.Context(), 10); err != nil || len(c) != 0 {
			t.Errorf("%v %v", c, err)
		}
	})
}

// TestPauseResumeCancel: each is known to every process at once, as it is read with every
// claim.
func TestPauseResumeCancel(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		people(t, d, 700)
		sender := &counter{}
		p := post(t, d, sender)
		id := begin(t, p, breach())
		if _, err := p.WriteCampaigns(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c, err := p.PauseCampaign(t.Context(), id); err != nil || c.State != store.CampaignPaused || c.Waiting != 450 {
			t.Fatalf("%+v %v", c, err)
		}
		if _, err := p.PauseCampaign(t.Context(), id); err == nil {
			t.Error("it was paused twice")
		}
		stop := run(t, post(t, d, sender)) // another process
		enqueue(t, d, p, code("ann@example.com"))
		until(t, "a person's letter", func() bool { return sender.count() > 0 })
		raw := d.SQL(t)
		until(t, "the lane has seen the pause", func() bool {
			var due int
			if err := raw.QueryRow(`SELECT count(*) FROM outbox WHERE lane = 1 AND due_at <= $1`, d.Clock.Now().UnixMicro()).Scan(&due); err != nil {
				t.Fatal(err)
			}
			return due == 0
		})
		stop()
		if sender.count() != 1 {
			t.Errorf("%d letters left", sender.count())
		}
		d.Clock.Advance(time.Minute)
		if c, err := p.ResumeCampaign(t.Context(), id); err != nil || c.State != store.CampaignRunning {
			t.Fatalf("%+v %v", c, err)
		}
		stop = run(t, p)
		until(t, "the first page has left", func() bool { return sender.count() >= 300 })
		stop()
		before := sender.count()
		if c, err := p.CancelCampaign(t.Context(), id); err != nil || c.State != store.CampaignCancelled || c.Waiting != 0 {
			t.Fatalf("%+v %v", c, err)
		}
		stop = run(t, p)
		enqueue(t, d, p, code("bob@example.com"))
		until(t, "another letter", func() bool { return !sender.when("bob@example.com").IsZero() })
		stop()
		if sender.count() != before+1 {
			t.Errorf("%d letters left after the end", sender.count()-before-1)
		}
		if got := states(t, d); got[store.Queued] != 0 {
			t.Errorf("%v", got)
		}
		var moves int
		if err := raw.QueryRow(`SELECT count(*) FROM event WHERE type = 'campaign.moved' AND actor = 'operator'`).Scan(&moves); err != nil || moves != 4 {
			t.Errorf("%d moves are on record, %v", moves, err)
		}
		for _, act := range []func(context.Context, string) (letters.CampaignInfo, error){p.PauseCampaign, p.ResumeCampaign, p.CancelCampaign} {
			if _, err := act(t.Context(), id); err == nil {
				t.Error("a campaign that was cancelled moved")
			}
			if _, err := act(t.Context(), "cmp_0"); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestCampaignKeepsItsRate: what is written follows the clock of the database.
func TestCampaignKeepsItsRate(t *testing.T) {
	d := db.SQLite(t)
	people(t, d, 400)
	p := post(t, d, &counter{})
	c := breach()
	c.Rate = 10
	begin(t, p, c)
	for second, want := range []int{0, 10, 20, 30} {
		for range 5 {
			if _, err := p.WriteCampaigns(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := states(t, d); got[store.Queued] != want {
			t.Errorf("after %d s: %v", second, got)
		}
		d.Clock.Advance(time.Second)
	}
}

// TestNoticeIsInert: what a person calls themselves cannot become markup, a header or
// another direction of writing.
func TestNoticeIsInert(t *testing.T) {
	d := db.SQLite(t)
	people(t, d, 1)
	if _, err := d.SQL(t).Exec(`UPDATE account SET first_name = $1`, "<img src=x>\r\nBcc: a@b.co\u202e{app}"); err != nil {
		t.Fatal(err)
	}
	sender := &counter{}
	p := post(t, d, sender)
	c := breach()
	begin(t, p, c)
	c.HTML = `<p>Hello {first_name|friend}</p>`
	begin(t, p, c)
	stop := run(t, p)
	until(t, "both letters", func() bool { return sender.count() == 2 })
	stop()
	for _, m := range sender.all {
		if strings.ContainsAny(m.Subject, "\r\n\u202e") || strings.Contains(m.HTML, "<img") || strings.Contains(m.Text, "\u202e") || strings.Contains(m.HTML, "\u202e") {
			t.Errorf("%q\n%s\n%s", m.Subject, m.Text, m.HTML)
		}
		if !strings.Contains(m.Subject, "{app}") {
			t.Errorf("a name is read as a placeholder: %q", m.Subject)
		}
	}
	if sender.all[0].ID == sender.all[1].ID {
		t.Error("two campaigns share an id")
	}
}

func TestCampaignIsChecked(t *testing.T) {
	d := db.SQLite(t)
	p := post(t, d, &counter{})
	for field, spoil := range map[string]func(*letters.Campaign){
		"name":            func(c *letters.Campaign) { c.Name = " " },
		"name long":       func(c *letters.Campaign) { c.Name = strings.Repeat("x", 101) },
		"name lines":      func(c *letters.Campaign) { c.Name = "a\nb" },
		"segment":         func(c *letters.Campaign) { c.Segment = "some" },
		"subject":         func(c *letters.Campaign) { c.Subject = "" },
		"subject lines":   func(c *letters.Campaign) { c.Subject = "a\r\nBcc: b@c.de" },
		"subject long":    func(c *letters.Campaign) { c.Subject = strings.Repeat("x", 201) },
		"subject unknown": func(c *letters.Campaign) { c.Subject = "{fist_name}" },
		"text":            func(c *letters.Campaign) { c.Text = "\n" },
		"text NUL":        func(c *letters.Campaign) { c.Text = "a\x00" },
		"text bytes":      func(c *letters.Campaign) { c.Text = "a\xff" },
		"text long":       func(c *letters.Campaign) { c.Text = strings.Repeat("x", 1<<20) },
		"html long":       func(c *letters.Campaign) { c.HTML = strings.Repeat("x", 1<<20) },
		"rate":            func(c *letters.Campaign) { c.Rate = -1 },
	} {
		c := breach()
		spoil(&c)
		field, _, _ := strings.Cut(field, " ")
		_, err := p.StartCampaign(t.Context(), c, 1)
		if f := fault.Of(err); !errors.Is(err, fault.ErrInvalidRequest) || f.Fields[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestCampaignContentIsSealed: the database does not show what is written to everybody,
// and a person's row not to whom.
func TestCampaignContentIsSealed(t *testing.T) {
	d := db.SQLite(t)
	people(t, d, 1)
	p := post(t, d, &counter{})
	begin(t, p, breach())
	if _, err := p.WriteCampaigns(t.Context()); err != nil {
		t.Fatal(err)
	}
	var content string
	var sealed []byte
	if err := d.SQL(t).QueryRow(`SELECT c.content, o.sealed FROM campaign c, outbox o`).Scan(&content, &sealed); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(content, "read") || strings.Contains(string(sealed), "person0") {
		t.Errorf("%q %q", content, sealed)
	}
}
