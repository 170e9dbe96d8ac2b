package ratelimit_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/limenauth/limen/internal/ratelimit"
)

func TestParseRedis(t *testing.T) {
	for _, url := range []string{
		"redis://localhost", "redis://localhost:6380/2", "rediss://user:pass@cache.example.com", "redis://:pass@[::1]:6379", "unix:///run/redis.sock?db=3",
	} {
		if _, err := ratelimit.ParseRedis(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"", "localhost:6379", "http://localhost", "redis://", "redis:///1", "redis://localhost/one", "redis://localhost/-1", "redis://hunter2@localhost",
		"redis://localhost?master_set=a", "unix://run/redis.sock", "redis://user:hunter2@local host", "redis://localhost/#hunter2",
	} {
		_, err := ratelimit.ParseRedis(url)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRedisIntroducesItself(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireUserAuth("limen", "over the threshold")
	take(t, redisAt(t, "redis://limen:over%20the%20threshold@"+server.Addr()+"/4"), noon, need("sign-in", "ada"))
	if got := server.DB(4).Keys(); len(got) != 1 {
		t.Errorf("keys %v", got)
	}
	for _, url := range []string{"redis://" + server.Addr(), "redis://limen:wrong@" + server.Addr()} {
		if err := redisAt(t, url).Ping(t.Context()); err == nil || strings.Contains(err.Error(), "wrong@") {
			t.Errorf("%s: %v", url, err)
		}
	}
	other := miniredis.RunT(t)
	other.RequireAuth("secret")
	if err := redisAt(t, "redis://:secret@"+other.Addr()).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// rediss:// speaks TLS, and only to a server that can prove its name.
func TestRedisChecksCertificates(t *testing.T) {
	own := httptest.NewTLSServer(nil)
	t.Cleanup(own.Close)
	server := miniredis.NewMiniRedis()
	if err := server.StartTLS(own.TLS); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	err := redisAt(t, "rediss://"+server.Addr()).Ping(t.Context())
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); !untrusted {
		t.Errorf("%v", err)
	}
}

// A connection that was closed while nobody spoke costs no request.
func TestRedisReconnects(t *testing.T) {
	server := miniredis.RunT(t)
	c := dial(t, server.Addr())
	take(t, c, noon, need("sign-in", "ada"))
	server.Close()
	if err := c.Ping(t.Context()); err == nil {
		t.Fatal("a Redis that is away answers")
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("Redis is back: %v", err)
	}
	c.Close()
	if err := c.Ping(t.Context()); err == nil {
		t.Error("a closed counter answers")
	}
}

// Answers find those who asked, also when some of them leave.
func TestRedisAnswersFindTheirWay(t *testing.T) {
	c := dial(t, miniredis.RunT(t).Addr())
	var all sync.WaitGroup
	var gone atomic.Int64
	for i := range 200 {
		all.Go(func() {
			n := ratelimit.Need{Rate: ratelimit.Rate{Name: "r", Events: 1, Per: 1e9, Burst: i + 2}, Key: strings.Repeat("k", i+1)}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			d, err := c.Take(ctx, noon, n)
			switch {
			case errors.Is(err, context.Canceled):
				gone.Add(1)
			case err != nil:
				t.Error(err)
			case d.Remaining != i+1:
				t.Errorf("%d was answered %d", i+1, d.Remaining)
			}
		})
	}
	all.Wait()
	t.Logf("%d of 200 left", gone.Load())
}

// A node of a cluster that does not hold our keys says who does.
func TestRedisFollowsTheCluster(t *testing.T) {
	holder := miniredis.RunT(t)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	var asked atomic.Int64
	go func() {
		for {
			conn, err := front.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			go func() {
				r := bufio.NewReader(conn)
				if _, err := r.ReadString('\n'); err == nil {
					conn.Write([]byte("-MOVED 42 " + holder.Addr() + "\r\n"))
				}
			}()
		}
	}()
	c := dial(t, front.Addr().String())
	for left := 1; left >= 0; left-- {
		if d := take(t, c, noon, need("sign-in", "ada")); !d.Allowed || d.Remaining != left {
			t.Errorf("%+v", d)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the wrong node was asked %d times", asked.Load())
	}
}
