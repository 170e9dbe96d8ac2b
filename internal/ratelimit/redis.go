package ratelimit

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"
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
	client         rueidis.Client
	take, giveBack *rueidis.Lua
}

// NewRedis returns a counter in the Redis behind client. It stores only what may be lost.
func NewRedis(client rueidis.Client) *Redis {
	return &Redis{client: client, take: rueidis.NewLuaScript(takeScript), giveBack: rueidis.NewLuaScript(giveBackScript)}
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
		return newVerdict().decision(at, cs), nil
	}
	args := []string{decimal(at)}
	for _, c := range cs {
		args = append(args, decimal(c.interval), decimal(c.limit), decimal(c.cost))
	}
	answer, err := r.take.Exec(ctx, r.client, redisKeys(cs), args).AsIntSlice()
	if err != nil {
		return Decision{}, fmt.Errorf("take in redis: %w", err)
	}
	if len(answer) != 3 || answer[0] < 0 || answer[1] < 0 || answer[1] > int64(len(cs)) {
		return Decision{}, fmt.Errorf("take in redis: answer %v", answer)
	}
	v := verdict{wait: answer[0], remaining: int(answer[2])}
	if v.wait > 0 && answer[1] > 0 {
		v.refused = cs[answer[1]-1].name
	}
	return v.decision(at, cs), nil
}

// GiveBack implements Counter with one script. It fails when Redis does.
func (r *Redis) GiveBack(ctx context.Context, now time.Time, d Decision) error {
	if len(d.charges) == 0 {
		return nil
	}
	args := []string{decimal(now.UnixMicro())}
	for _, c := range d.charges {
		args = append(args, decimal(c.undrained(d.at, now.UnixMicro())))
	}
	if err := r.giveBack.Exec(ctx, r.client, redisKeys(d.charges), args).Error(); err != nil {
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

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
