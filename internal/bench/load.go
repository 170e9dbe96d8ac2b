package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// work is one request, or whatever a bare limit does instead, by one client.
type work func(client int) error

// sample is what one slice of load came to.
type sample struct {
	ops   int
	took  time.Duration
	cpu   time.Duration // of this process, client included
	waits []time.Duration
}

func (s sample) rate() float64 { return float64(s.ops) / s.took.Seconds() }

// perOp is the CPU that one operation cost.
func (s sample) perOp() time.Duration { return s.cpu / time.Duration(max(s.ops, 1)) }

// within is how long the given share of operations took at most.
func (s sample) within(share float64) time.Duration {
	if len(s.waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.waits))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// turn picks which of all things a client uses the n-th time: each client has its own
// share, so that no two ever use the same one at once.
func turn(client, clients, n, all int) int {
	return client%all + clients*(n%max(all/clients, 1))%all
}

// crowd runs clients that do the same without pause until their context ends.
type crowd struct {
	mu   sync.Mutex // guards the rest
	sum  sample
	errs []error
	done sync.WaitGroup
}

func start(ctx context.Context, clients int, do work) *crowd {
	c := &crowd{}
	for n := range clients {
		c.done.Go(func() { c.run(ctx, n, do) })
	}
	return c
}

func (c *crowd) run(ctx context.Context, client int, do work) {
	var waits []time.Duration
	var err error
	for ctx.Err() == nil && err == nil {
		began := time.Now()
		if err = do(client); err == nil && ctx.Err() == nil {
			waits = append(waits, time.Since(began))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.ops += len(waits)
	c.sum.waits = append(c.sum.waits, waits...)
	c.errs = append(c.errs, err)
}

func (c *crowd) wait() (sample, error) {
	c.done.Wait()
	return c.sum, errors.Join(c.errs...)
}

// press loads for one slice. Operations that end after the slice are not counted; so
// that those of a slow kind are not lost at its beginning as well, callers warm up.
func press(ctx context.Context, slice time.Duration, clients int, do work) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, slice)
	defer cancel()
	cpu, began := cpuTime(), time.Now()
	c := start(ctx, clients, do)
	<-ctx.Done()
	took, used := time.Since(began), cpuTime()-cpu
	s, err := c.wait()
	s.took, s.cpu = took, used
	return s, err
}

// pair is a figure and its limit, measured one after the other.
type pair struct{ ours, bare sample }

// duel runs a figure and its limit in turns. The first round warms both up and is left
// out.
func duel(ctx context.Context, o Options, clients int, ours, bare work) ([]pair, error) {
	var pairs []pair
	for round := range o.Rounds + 1 {
		b, err := press(ctx, o.Slice, clients, bare)
		if err != nil {
			return nil, err
		}
		s, err := press(ctx, o.Slice, clients, ours)
		if err != nil {
			return nil, err
		}
		if round > 0 {
			pairs = append(pairs, pair{ours: s, bare: b})
		}
	}
	return pairs, ctx.Err()
}

// median is the middle of what of says of each element.
func median[T any](all []T, of func(T) float64) float64 {
	if len(all) == 0 {
		return 0
	}
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = of(v)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
