package letters

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limenauth/limen/internal/store"
)

// lane sends the letters of one lane of the outbox. One goroutine claims, some send, one
// notes; they share nothing but what stands below mu. So a letter that the relay is slow
// to take holds up its own sender alone, and a new letter is claimed while others are
// being sent.
type lane struct {
	post    *Post
	number  int
	senders int
	wake    chan struct{}

	mu    sync.Mutex // guards hand, for look-ups only
	hand  map[string]bool
	freed chan struct{} // told when hand has shrunk
}

// held is a letter that was claimed and whose outcome is not noted yet.
type held struct {
	store.Message
	notice   *notice      // what its campaign says, nil for no campaign
	late     *atomic.Bool // set when it must not be begun any more
	to       string       // where it went, so that its outcome can be told without it
	fallback string       // where a code goes that cannot be sent as a text
	provider string       // who took it, "" where the sender does not tell
	outcome  error
}

func newLane(p *Post, number, senders int) *lane {
	return &lane{
		post: p, number: number, senders: senders, wake: make(chan struct{}, 1),
		hand: map[string]bool{}, freed: make(chan struct{}, 1),
	}
}

func (l *lane) name() string {
	if l.number == LaneInteractive {
		return "interactive"
	}
	return "campaign"
}

// run works until ctx has ended and the hand is empty. Working ends later than ctx: then
// what is being sent is broken off.
func (l *lane) run(ctx, working context.Context) {
	work, ended := make(chan *held), make(chan *held)
	var senders, noter sync.WaitGroup
	for range l.senders {
		senders.Go(func() {
			for h := range work {
				h.outcome = l.post.send(working, h)
				ended <- h
			}
		})
	}
	noter.Go(func() { l.noteAll(working, ended) })
	l.dispatch(ctx, working, work, ended)
	close(work)
	senders.Wait()
	close(ended)
	noter.Wait()
}

// dispatch claims letters and gives them to the senders.
func (l *lane) dispatch(ctx, working context.Context, work, ended chan<- *held) {
	var unsent []*held
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop, look := ctx.Done(), true
	for {
		if stop == nil && (l.number != LaneInteractive || working.Err() != nil) {
			look = false
			for _, h := range unsent { // to the outbox, for another process
				h.outcome = errLate
				ended <- h
			}
			unsent = nil
		}
		if look && len(unsent) <= l.senders {
			more, pause := l.claim(working)
			unsent = append(unsent, more...)
			look = pause == 0
			timer.Reset(max(pause, time.Millisecond))
		}
		if stop == nil && !look && l.holds() == 0 {
			return
		}
		var to chan<- *held
		var next *held
		if len(unsent) > 0 {
			to, next = work, unsent[0]
		}
		select {
		case to <- next:
			unsent = unsent[1:]
		case <-l.freed:
		case <-l.wake:
			look = true
		case <-timer.C:
			look = look || l.due(working, timer)
		case <-stop:
			stop, look = nil, true // one more look, for what has committed by now
		}
	}
}

// claim takes what is due, as much as there is room for, and says when to look again: 0
// means as soon as the senders have less to do.
func (l *lane) claim(ctx context.Context) ([]*held, time.Duration) {
	room := min(batch-l.holds(), l.post.pace.portion(l.number))
	if room <= 0 {
		return nil, idle // or when the hand is freed and somebody wakes
	}
	claimed, err := l.take(ctx, room)
	switch {
	case err != nil && ctx.Err() == nil:
		l.post.Log.Error("outbox: letters could not be claimed; it will be tried again", "lane", l.name(), "error", err)
		return nil, idle
	case err == nil && len(claimed) == room:
		return claimed, 0
	}
	return claimed, l.pause(ctx)
}

// pause is how long it takes until the next letter is due, or idle.
func (l *lane) pause(ctx context.Context) time.Duration {
	now := l.post.Now()
	due, err := l.post.Store.NextDue(ctx, l.number, now)
	if err != nil || due.IsZero() {
		return idle
	}
	return min(idle, max(due.Sub(now), 10*time.Millisecond))
}

// due looks whether there is anything to claim, which costs a read and no write, and sets
// the timer where there is not.
func (l *lane) due(ctx context.Context, timer *time.Timer) bool {
	now := l.post.Now()
	due, err := l.post.Store.NextDue(ctx, l.number, now)
	if err == nil && !due.IsZero() && !due.After(now) {
		return true
	}
	pause := idle
	if err == nil && !due.IsZero() {
		pause = min(idle, max(due.Sub(now), 10*time.Millisecond))
	}
	timer.Reset(pause)
	return false
}

// take claims up to limit letters. A letter that this process holds already, because the
// clock was moved over the end of its lease, is left out.
func (l *lane) take(ctx context.Context, limit int) ([]*held, error) {
	late := &atomic.Bool{}
	begin := time.AfterFunc(beginWithin, func() { late.Store(true) })
	var claimed []store.Message
	err := l.post.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		claimed, err = tx.ClaimMessages(ctx, l.number, limit, lease)
		return err
	})
	if err != nil || len(claimed) == 0 {
		begin.Stop()
		return nil, err
	}
	notices, err := l.post.notices(ctx, claimed)
	if err != nil {
		return nil, err // their leases run out, and they are claimed again
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken []*held
	for _, m := range claimed {
		if !l.hand[m.ID] {
			l.hand[m.ID] = true
			taken = append(taken, &held{Message: m, notice: notices[m.Campaign], late: late})
		}
	}
	return taken, nil
}

func (l *lane) holds() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.hand)
}

func (l *lane) drop(done []*held) {
	l.mu.Lock()
	for _, h := range done {
		delete(l.hand, h.ID)
	}
	l.mu.Unlock()
	nudge(l.freed)
	if l.number == LaneCampaign {
		nudge(l.post.fill)
	}
}

// noteAll notes outcomes, all that wait in one transaction. Senders wait for it, so that
// no more letters are sent than can be noted: what is sent and not noted when the process
// dies is sent again, and that is at most two letters for each sender.
func (l *lane) noteAll(working context.Context, ended <-chan *held) {
	for h := range ended {
		done := []*held{h}
		for more := true; more && len(done) < batch; {
			select {
			case h, more = <-ended:
				if more {
					done = append(done, h)
				}
			default:
				more = false
			}
		}
		l.noteSurely(working, done)
		l.drop(done)
	}
}

const (
	noteTries = 20
	notePause = 500 * time.Millisecond
	noteTime  = 5 * time.Second
)

// noteSurely goes on while the database fails: a letter that was sent and is not noted is
// sent once more. It uses a time of its own, since what was sent while the program stops
// is to be noted as well.
func (l *lane) noteSurely(working context.Context, done []*held) {
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), noteTime)
		err := l.note(ctx, done)
		cancel()
		if err == nil {
			return
		}
		l.post.Log.Error("outbox: what came of letters could not be noted", "letters", len(done), "try", try, "error", err)
		if try == noteTries || working.Err() != nil {
			return
		}
		select {
		case <-time.After(notePause):
		case <-working.Done():
		}
	}
}

// note writes down what came of letters, in one transaction.
func (l *lane) note(ctx context.Context, done []*held) error {
	now := l.post.Now()
	verdicts := make([]verdict, len(done))
	for i, h := range done {
		verdicts[i] = judge(h, now)
	}
	err := l.post.Store.Tx(ctx, func(tx *store.Tx) error {
		for i, h := range done {
			if err := verdicts[i].write(ctx, tx, h); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, h := range done {
		v := verdicts[i]
		if v.fate == released {
			continue
		}
		l.post.Counts.Letter(l.name(), string(v.fate))
		if v.fate == dead {
			l.post.Log.Warn("outbox: a letter was given up", "message", h.ID, "template", h.Template, "tries", h.Tries, "reason", v.reason)
		}
	}
	return nil
}
