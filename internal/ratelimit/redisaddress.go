package ratelimit

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// RedisAddress says where a Redis is and as whom to call it.
type RedisAddress struct {
	network, address string
	user, password   string
	database         int
	tls              *tls.Config
}

var errRedisAddress = errors.New("the address is not of the form redis://user:password@host:port/number, rediss://... or unix:///path?db=number")

// ParseRedis reads redis://user:password@host:port/number; rediss:// is the same over
// TLS, unix:///path?db=number a socket of this machine. User, password, port and number
// may be left out. The error does not repeat the address.
func ParseRedis(address string) (RedisAddress, error) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return RedisAddress{}, errRedisAddress
	}
	a := RedisAddress{network: "tcp", user: u.User.Username()}
	a.password, _ = u.User.Password()
	database := u.Query().Get("db")
	for name := range u.Query() {
		if name != "db" {
			return RedisAddress{}, errRedisAddress
		}
	}
	switch {
	case (u.Scheme == "redis" || u.Scheme == "rediss") && u.Hostname() != "":
		port := u.Port()
		if port == "" {
			port = "6379"
		}
		a.address = net.JoinHostPort(u.Hostname(), port)
		if path := strings.Trim(u.Path, "/"); path != "" {
			database = path
		}
		if u.Scheme == "rediss" {
			a.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
		}
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		a.network, a.address = "unix", u.Path
	default:
		return RedisAddress{}, errRedisAddress
	}
	if database != "" {
		if a.database, err = strconv.Atoi(database); err != nil || a.database < 0 {
			return RedisAddress{}, errRedisAddress
		}
	}
	if a.user != "" && a.password == "" {
		return RedisAddress{}, errRedisAddress
	}
	return a, nil
}

const (
	dialPatience = 2 * time.Second
	// maxConns bounds the connections of one process; who comes later waits for one.
	maxConns = 64
	idleLife = 5 * time.Minute
)

func (a RedisAddress) pool() *redis.Pool {
	return &redis.Pool{
		MaxIdle: maxConns, MaxActive: maxConns, IdleTimeout: idleLife, Wait: true,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, a.network, a.address,
				redis.DialUsername(a.user), redis.DialPassword(a.password), redis.DialDatabase(a.database),
				redis.DialUseTLS(a.tls != nil), redis.DialTLSConfig(a.tls), redis.DialConnectTimeout(dialPatience))
		},
	}
}
