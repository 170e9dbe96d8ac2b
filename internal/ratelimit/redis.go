package ratelimit

import (
	"context"
	"crypto/sha1" // the name that Redis gives a script, not a secret
	_ "embed"     // the scripts
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed take.lua
	takeScript string
	//go:embed giveback.lua
	giveBackScript string
)

// redisPrefix begins every key. What stands in braces decides the node of a cluster.
const redisPrefix = "limen:{limits}:"

// Redis counts in Redis, for all processes that share it. It keeps one connection, over
// which all requests go one behind the other, and makes another one when that breaks.
type Redis struct {
	take, giveBack script
	line           *line
}

// NewRedis returns a counter in the Redis at address. It does not connect yet. It stores
// only what may be lost.
func NewRedis(address RedisAddress) *Redis {
	return &Redis{take: newScript(takeScript), giveBack: newScript(giveBackScript), line: newLine(address)}
}

// Ping reports whether Redis answers.
func (r *Redis) Ping(ctx context.Context) error {
	_, err := r.line.do(ctx, "PING")
	return err
}

// Close ends the connection. What is counted afterwards fails.
func (r *Redis) Close() { r.line.close() }

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
	answer, err := r.take.run(ctx, r.line, redisKeys(cs), args)
	if err != nil {
		return Decision{}, fmt.Errorf("take in redis: %w", err)
	}
	n, ok := answer.([]any)
	if !ok || len(n) != 3 {
		return Decision{}, fmt.Errorf("take in redis: answer %v", answer)
	}
	wait, ok1 := n[0].(int64)
	refused, ok2 := n[1].(int64)
	remaining, ok3 := n[2].(int64)
	if !ok1 || !ok2 || !ok3 || wait < 0 || refused < 0 || refused > int64(len(cs)) {
		return Decision{}, fmt.Errorf("take in redis: answer %v", answer)
	}
	v := verdict{wait: wait, remaining: int(remaining)}
	if wait > 0 && refused > 0 {
		v.refused = cs[refused-1].name
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
	if _, err := r.giveBack.run(ctx, r.line, redisKeys(d.charges), args); err != nil {
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

// script is a program that Redis keeps under the hash of its text.
type script struct{ text, hash string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text: text, hash: hex.EncodeToString(sum[:])}
}

// run calls the script by its hash and, where Redis does not know it yet, by its text.
func (s script) run(ctx context.Context, l *line, keys, args []string) (any, error) {
	command := append([]string{"EVALSHA", s.hash, strconv.Itoa(len(keys))}, keys...)
	command = append(command, args...)
	answer, err := l.do(ctx, command...)
	if said, ok := errors.AsType[redisError](err); ok && strings.HasPrefix(string(said), "NOSCRIPT") {
		command[0], command[1] = "EVAL", s.text
		return l.do(ctx, command...)
	}
	return answer, err
}
