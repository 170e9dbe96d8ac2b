package api_test

import (
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/testkit/app"
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

// actor is a client as the deeds see it, read now.
type actor struct {
	auth.Actor
	browser session.Browser
}

// actorOf reads who is behind a client's access token: what a request holds that came in
// before something else happened.
func actorOf(t *testing.T, s *app.Server, c *app.Client) actor {
	t.Helper()
	who, err := s.Issuer.Authenticate(t.Context(), secret.Text(c.Access))
	if err != nil {
		t.Fatal(err)
	}
	return actor{auth.Actor{Account: who.Account, Session: who.Session}, session.Browser{IP: "192.0.2.1", Delivery: session.Token}}
}

func escape(s string) string { return url.QueryEscape(s) }
