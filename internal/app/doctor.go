package app

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/store"
)

// hashTarget is what one password hash should cost: long enough to slow a guesser,
// short enough that nobody waits.
const hashTarget = 50 * time.Millisecond

// Doctor examines the database, the keys and the machine. What it finds is in the
// checks; an error means that the examination itself failed.
func (o *Operator) Doctor(ctx context.Context) ([]Check, error) {
	a := o.app
	checks := []Check{a.checkDatabase(ctx), a.checkSchema(ctx), a.checkRootKey(), a.checkURL()}
	keys, err := a.checkSigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	checks = append(checks, keys, a.checkLimits(ctx))
	checks = append(checks, a.checkLetters(ctx)...)
	if a.Config.LetterTemplates != "" {
		checks = append(checks, a.checkTemplates())
	}
	return append(checks, a.checkHashing(), a.suggestHashing()), nil
}

func (a *App) checkLimits(ctx context.Context) Check {
	if a.redis == nil {
		return Check{Name: "limits", Outcome: Healthy, Detail: "counted in memory, by each process for itself"}
	}
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	if err := a.redis.Ping(ctx); err != nil {
		return Check{
			Name: "limits", Outcome: Failed, Detail: "Redis does not answer: " + err.Error(),
			Fix: "Start it, correct the setting redis, or remove it to count in memory.",
		}
	}
	return Check{Name: "limits", Outcome: Healthy, Detail: "counted in Redis, which answers"}
}

func (a *App) checkDatabase(ctx context.Context) Check {
	started := a.Clock.Now()
	if err := a.Store.Ping(ctx); err != nil {
		return Check{Name: "database", Outcome: Failed, Detail: err.Error(), Fix: "Start the database, or correct the setting db."}
	}
	kind, _, err := a.Store.Meta(ctx, "kind")
	if err != nil {
		return Check{Name: "database", Outcome: Failed, Detail: err.Error()}
	}
	took := a.Clock.Now().Sub(started).Round(10 * time.Microsecond)
	return Check{Name: "database", Outcome: Healthy, Detail: fmt.Sprintf("%s, %s, answered in %s", a.Store.Engine(), kind, took)}
}

func (a *App) checkSchema(ctx context.Context) Check {
	s, err := MigrateStatus(ctx, a.Config)
	if err != nil {
		return Check{Name: "schema", Outcome: Failed, Detail: err.Error()}
	}
	return Check{Name: "schema", Outcome: Healthy, Detail: fmt.Sprintf("version %d of %d", s.Current, s.Newest)}
}

func (a *App) checkRootKey() Check {
	c := Check{Name: "root key", Outcome: Healthy, Detail: "supplied, and it fits the database"}
	if a.Config.RootKey != "" {
		return c
	}
	path := a.Config.GeneratedRootKey()
	c.Detail = "generated in " + path + ", and it fits the database"
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		c.Outcome, c.Fix = Warning, "Other users of this machine can read it: chmod 600 "+path
	}
	return c
}

func (a *App) checkURL() Check {
	c := Check{Name: "public URL", Outcome: Healthy, Detail: a.URL}
	u, err := url.Parse(a.URL)
	if err != nil || u.Scheme != "https" {
		c.Outcome, c.Fix = Warning, "limen serve needs an https address: set LIMEN_URL."
	}
	return c
}

func (a *App) checkSigningKeys(ctx context.Context) (Check, error) {
	keys, err := a.Issuer.SigningKeys(ctx)
	if err != nil {
		return Check{}, err
	}
	c := Check{Name: "signing keys", Outcome: Healthy}
	published := 0
	for _, k := range keys {
		if k.State != "revoked" {
			published++
		}
	}
	c.Detail = fmt.Sprintf("%d published", published)
	for _, k := range keys {
		if k.State == "current" {
			c.Detail += fmt.Sprintf(", %s signs with %s since %s", k.ID, k.Algorithm, k.ActiveAt.Format(time.DateOnly))
		}
	}
	return c, nil
}

func (a *App) checkLetters(ctx context.Context) []Check {
	if a.relays != nil {
		return a.checkRelays(ctx)
	}
	kind, _, err := a.Store.Meta(ctx, "kind")
	if err == nil && kind == string(store.Development) {
		return []Check{{Name: "letters", Outcome: Healthy, Detail: "kept in the development inbox"}}
	}
	return []Check{{
		Name: "letters", Outcome: Warning, Detail: "there is no mail relay: sign-up by e-mail and recovery answer 503",
		Fix: "Set smtp, like smtp://user:password@host:587, or make accounts with limen user create.",
	}}
}

func (a *App) checkHashing() Check {
	h := a.Config.hashing()
	started := time.Now()
	if _, err := h.Hash("a password of common length"); err != nil {
		return Check{Name: "password hashing", Outcome: Failed, Detail: err.Error()}
	}
	took := time.Since(started)
	rate := float64(runtime.GOMAXPROCS(0)) * float64(time.Second) / float64(took)
	memory := h.Memory() * int64(runtime.GOMAXPROCS(0)) >> 20
	return Check{
		Name: "password hashing", Outcome: Healthy,
		Detail: fmt.Sprintf("%s, %s each, about %.0f a second with all cores, %d MiB at most", describe(h), took.Round(100*time.Microsecond), rate, memory),
	}
}

func (a *App) suggestHashing() Check {
	best := factor.Calibrate(hashTarget, time.Now)
	return Check{
		Name: "calibration", Outcome: Healthy,
		Detail: fmt.Sprintf("this machine can bear %s at %s a hash (hash-memory %d, hash-time %d)", describe(best), hashTarget, best.MemoryKiB, best.Time),
	}
}

func describe(h factor.Hashing) string {
	if h.Algorithm == "bcrypt" {
		return fmt.Sprintf("bcrypt cost %d", h.Cost)
	}
	return fmt.Sprintf("argon2id m=%d t=%d p=%d", h.MemoryKiB, h.Time, h.Threads)
}
