package ratelimit

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"math"
	"time"

	"github.com/gomodule/redigo/redis"
)

var (
	//go:embed take.lua
	takeScript string
	//go:embed giveback.lua
	giveBackScript string
)

// redisPrefix begins every key. What stands in braces decides the node of a cluster.
const redisPrefix = "limen:{limits}:"

// Redis counts in Redis, for all processes that share it.
type Redis struct {
	pool *redis.Pool
	// The scripts are called by their hash and, where Redis does not know them yet, by
	// their text. How many keys they take is told with each call.
	take, giveBack *redis.Script
}

// NewRedis returns a counter in the Redis at address. It does not connect yet. It stores
// only what may be lost.
func NewRedis(address RedisAddress) *Redis {
	return &Redis{pool: address.pool(), take: redis.NewScript(-1, takeScript), giveBack: redis.NewScript(-1, giveBackScript)}
}

// Ping reports whether Redis answers.
func (r *Redis) Ping(ctx context.Context) error {
	conn, err := r.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = redis.DoContext(conn, ctx, "PING")
	return err
}

// Close ends the connections. What is counted afterwards fails.
func (r *Redis) Close() { _ = r.pool.Close() }

// run calls a script with its keys and arguments.
func (r *Redis) run(ctx context.Context, script *redis.Script, keys []string, args []int64) (any, error) {
	conn, err := r.pool.GetContext(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	all := redis.Args{len(keys)}.AddFlat(keys).AddFlat(args)
	return script.DoContext(ctx, conn, all...)
}

// Take implements Counter with one script, so one round trip. It fails when Redis does,
// and with ErrRate.
func (r *Redis) Take(ctx context.Context, now time.Time, needs ...Need) (Decision, error) {
	cs, err := charges(needs)
	if err != nil {
		return Decision{}, err
	}
	at := now.UnixMicro()
	if len(cs) == 0 {
		return newVerdict(0).decision(at), nil
	}
	args := []int64{at}
	for _, c := range cs {
		args = append(args, flag(c.window), flag(c.optional), c.interval, c.limit, c.cost)
	}
	answer, err := redis.Int64s(r.run(ctx, r.take, redisKeys(cs), args))
	if err != nil {
		return Decision{}, fmt.Errorf("take in redis: %w", err)
	}
	if len(answer) != 3+len(cs) || answer[0] < 0 || answer[1] < 0 || answer[1] > int64(len(cs)) {
		return Decision{}, fmt.Errorf("take in redis: answer %v", answer)
	}
	v := verdict{wait: answer[0], remaining: int(answer[2])}
	if v.wait > 0 && answer[1] > 0 {
		v.refused = cs[answer[1]-1].name
	}
	for i, fits := range answer[3:] {
		if fits == 1 {
			v.charged = append(v.charged, cs[i])
		} else {
			v.spent = true
		}
	}
	if len(v.charged) == 0 {
		v.remaining = math.MaxInt
	}
	return v.decision(at), nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// GiveBack implements Counter with one script. It fails when Redis does.
func (r *Redis) GiveBack(ctx context.Context, now time.Time, d Decision) error {
	if len(d.charges) == 0 {
		return nil
	}
	args := []int64{now.UnixMicro(), d.at}
	for _, c := range d.charges {
		args = append(args, flag(c.window), c.interval, c.cost)
	}
	if _, err := r.run(ctx, r.giveBack, redisKeys(d.charges), args); err != nil {
		return fmt.Errorf("give back in redis: %w", err)
	}
	return nil
}

func redisKeys(cs []charge) []string {
	keys := make([]string, len(cs))
	for i, c := range cs {
		keys[i] = redisPrefix + c.name + ":" + c.key.String()
	}
	return keys
}
