package api_test

import (
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/app"
)

// until waits for something that other goroutines bring about, without sleeping.
func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for late := time.After(30 * time.Second); !reached(); runtime.Gosched() {
		select {
		case <-late:
			t.Fatalf("it never happens that %s", what)
		default:
		}
	}
}

// TestOldPasswordLosesToAChange: a password that was right when its sign-in began, and was
// changed while its hash waited in the queue, lets nobody in.
func TestOldPasswordLosesToAChange(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		owner := signedIn(t, s, "ann@example.com", "")
		hash, err := s.Auth.Hashing.Hash(newPassword)
		if err != nil {
			t.Fatal(err)
		}
		free := make(chan struct{})
		cores := s.Queue.Stats().Cores
		for range cores {
			go func() { _ = s.Queue.Do(t.Context(), func() { <-free }) }()
		}
		// Those in line before the sign-in go first, however many slots there are now.
		inLine := func() int { q := s.Queue.Stats(); return q.Running + q.Waiting }
		until(t, "the queue is full", func() bool { return inLine() == cores })

		answered := make(chan *app.Answer, 1)
		go func() {
			answered <- s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "ann@example.com", "password": app.Password})
		}()
		until(t, "the sign-in waits for its hash", func() bool { return inLine() == cores+1 })
		err = s.Store.Tx(t.Context(), func(tx *store.Tx) error {
			if _, _, err := tx.LockAccount(t.Context(), userID(owner)); err != nil {
				return err
			}
			return tx.SetPassword(t.Context(), userID(owner), hash)
		})
		if err != nil {
			t.Fatal(err)
		}
		close(free)
		(<-answered).Want(http.StatusUnauthorized, "invalid_credentials")
		if rows := s.Look(t, "SELECT outcome FROM event WHERE type = 'sign_in.failed'"); len(rows) != 1 {
			t.Errorf("the refusal left %d events", len(rows))
		}
		if rows := s.Look(t, "SELECT id FROM session"); len(rows) != 1 {
			t.Errorf("there are %d sessions", len(rows))
		}
		s.Client(t, "").Do("POST", "/v1/sign-in/password", app.M{"identifier": "ann@example.com", "password": newPassword}).Want(http.StatusOK)
	})
}
