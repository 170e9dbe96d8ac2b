package api_test

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// race runs n calls at once and counts those that report true.
func race(n int, call func() bool) int {
	var won atomic.Int64
	var start, done sync.WaitGroup
	start.Add(1)
	for range n {
		done.Go(func() {
			start.Wait()
			if call() {
				won.Add(1)
			}
		})
	}
	start.Done()
	done.Wait()
	return int(won.Load())
}

func toText(v any) string { return fmt.Sprint(v) }
