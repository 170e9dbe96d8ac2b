package ratelimit_test

import (
	"crypto/tls"
	"errors"
	"net/http/httptest"
	"strings"
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

// A Redis that comes back is found again.
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
