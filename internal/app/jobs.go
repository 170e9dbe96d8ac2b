package app

import (
	"context"
	"sync"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/issuer"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
)

const (
	tendEvery  = time.Minute
	sweepEvery = 10 * time.Minute
	// sweepBatch keeps each deletion short, so that it never holds up a sign-in.
	sweepBatch = 500
	// keepEnded is how long ended things stay as evidence.
	keepEnded   = 30 * 24 * time.Hour
	keepAttempt = 24 * time.Hour
	forgetBatch = 100
)

// Run does the jobs until the context ends: it sends letters, tends the signing keys and
// sweeps away what has expired. It returns when the last letter of the round has left.
// Streams of revocations end with it.
func (a *App) Run(ctx context.Context) {
	defer context.AfterFunc(ctx, a.drain)()
	var jobs sync.WaitGroup
	jobs.Go(func() { a.Post.Run(ctx) })
	jobs.Go(func() { a.every(ctx, issuer.KeysEvery, "signing keys: reading", a.Issuer.ReadSigningKeys) })
	jobs.Go(func() { a.every(ctx, tendEvery, "signing keys: tending", a.Issuer.TendKeys) })
	jobs.Go(func() { a.every(ctx, sweepEvery, "sweep", a.Sweep) })
	jobs.Wait()
}

// backlogs reads the outbox for whoever watches the numbers.
func (a *App) backlogs() []metrics.Lane {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	backlogs, err := a.Post.Backlogs(ctx)
	if err != nil {
		a.Log.Warn("outbox: it could not be counted", "error", err)
	}
	var lanes []metrics.Lane
	for _, b := range backlogs {
		lanes = append(lanes, metrics.Lane{Name: b.Lane, Waiting: b.Waiting, Oldest: b.Oldest})
	}
	return lanes
}

func (a *App) every(ctx context.Context, pause time.Duration, name string, do func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := do(ctx); err != nil && ctx.Err() == nil {
				a.Log.Error("a job failed and will be repeated", "job", name, "error", err)
			}
		}
	}
}

// Sweep deletes what nobody needs any more, a batch at a time, and forgets the people
// whose deletion is final.
func (a *App) Sweep(ctx context.Context) error {
	for {
		n, err := a.Auth.ForgetDue(ctx, forgetBatch)
		if err != nil {
			return err
		}
		if n < forgetBatch {
			break
		}
	}
	now := a.Clock.Now()
	sweeps := []struct {
		before time.Time
		prune  func(*store.Tx, context.Context, time.Time, int) (int64, error)
	}{
		{now.Add(-keepEnded), (*store.Tx).PruneSessions},
		{now.Add(-keepAttempt), (*store.Tx).PruneAttempts},
		{now.Add(-keepEnded), (*store.Tx).PruneBudgets},
		{now.Add(-2 * sms.Window), (*store.Tx).PruneSMSCounts},
		{now.Add(-keepAttempt), (*store.Tx).PruneHandovers},
		{now.Add(-keepAttempt), (*store.Tx).PruneLinks},
		{now.Add(-account.SeniorityPeriod), (*store.Tx).PruneRemovals},
		{now.Add(-session.VerifierLeeway), (*store.Tx).PruneRevocations},
		{now.Add(-keepEnded), (*store.Tx).PruneMessages},
		{now.Add(-a.Config.EventRetention), (*store.Tx).PruneEvents},
	}
	for _, s := range sweeps {
		for {
			var n int64
			err := a.Store.Tx(ctx, func(tx *store.Tx) (err error) {
				n, err = s.prune(tx, ctx, s.before, sweepBatch)
				return err
			})
			if err != nil {
				return err
			}
			if n < sweepBatch {
				break
			}
		}
	}
	return nil
}
