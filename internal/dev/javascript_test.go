package dev_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestJavaScriptHelper runs the tests of sdk/js/testing against this server.
func TestJavaScriptHelper(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is not here")
		}
		t.Skip("node is not here: the helper for JavaScript is not tested")
	}
	s := app.SQLite(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { // the worker: letters leave soon after they were written
		defer close(done)
		for ctx.Err() == nil {
			if _, err := s.Post.SendDue(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	defer func() { stop(); <-done }()
	run := exec.CommandContext(ctx, node, "--test", ".")
	run.Dir, run.Env = "../../sdk/js/testing", append(os.Environ(), "LIMEN_URL="+s.URL)
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
