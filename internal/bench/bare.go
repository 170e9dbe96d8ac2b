package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// rotateText is the least that a refresh can do: move the generation of a session that
// lives, and learn what the access token has to say.
const rotateText = `UPDATE session SET generation = generation + 1, rotated_at = $1
	WHERE id = $2 AND generation = $3 AND ended_at IS NULL AND expires_at > $1
	RETURNING generation, account_id,
	(SELECT a.roles FROM account a WHERE a.id = session.account_id),
	(SELECT e.address FROM email e WHERE e.account_id = session.account_id AND e.is_primary)`

// rotating is a session of the bare loop.
type rotating struct {
	id         string
	generation int64
}

// bareSessions are as many as the active ones, beside them in the table.
func (h *house) bareSessions() []*rotating {
	all := h.people * sessionsEach
	step := all / len(h.sessions)
	out := make([]*rotating, len(h.sessions))
	for i := range out {
		out[i] = &rotating{id: ident("ses", i*step+min(1, step-1)), generation: 1}
	}
	return out
}

// bareRotation is a loop without HTTP, rules or rows of its own design: one durable
// UPDATE and one ES256 signature. On SQLite those who wait share a commit, as they must:
// a disk does not flush thousands of times in a second. On PostgreSQL the pool is as
// large as limen's.
func bareRotation(ctx context.Context, d *database, sessions []*rotating) (_ work, stop func() error, err error) {
	key, err := newBareKey()
	if err != nil {
		return nil, nil, err
	}
	rotate, stop, err := d.rotator(ctx)
	if err != nil {
		return nil, nil, err
	}
	next := make([]int, clients)
	return func(client int) error {
		s := sessions[turn(client, clients, next[client], len(sessions))]
		next[client]++
		r := rotation{session: s, now: time.Now().UnixMicro(), done: make(chan error, 1)}
		if err := rotate(&r); err != nil {
			return err
		}
		s.generation = r.generation
		return key.sign(&r)
	}, stop, nil
}

// rotation is one turn of the loop and what it learns.
type rotation struct {
	session               *rotating
	now, generation       int64
	account, roles, email string
	done                  chan error
}

func (r *rotation) into() []any { return []any{&r.generation, &r.account, &r.roles, &r.email} }

func (d *database) rotator(ctx context.Context) (rotate func(*rotation) error, stop func() error, err error) {
	if d.engine == sqlite {
		return d.groupCommits(ctx)
	}
	c, err := pgxpool.ParseConfig(d.address)
	if err != nil {
		return nil, nil, err
	}
	c.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	rotate = func(r *rotation) error {
		return pool.QueryRow(ctx, rotateText, r.now, r.session.id, r.session.generation).Scan(r.into()...)
	}
	return rotate, func() error { pool.Close(); return nil }, nil
}

// groupCommits owns a connection of SQLite and commits for all who wait.
func (d *database) groupCommits(ctx context.Context) (rotate func(*rotation) error, stop func() error, err error) {
	db, err := d.open("&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	statements := map[string]*sql.Stmt{}
	for _, text := range []string{"BEGIN IMMEDIATE", rotateText, "COMMIT"} {
		if statements[text], err = conn.PrepareContext(ctx, text); err != nil {
			return nil, nil, errors.Join(err, conn.Close(), db.Close())
		}
	}
	begin, update, commit := statements["BEGIN IMMEDIATE"], statements[rotateText], statements["COMMIT"]
	line := make(chan *rotation, clients)
	var writer sync.WaitGroup
	writer.Go(func() {
		for first := range line {
			_, err := begin.Exec()
			batch := []*rotation{}
			for r := first; r != nil; r = waiting(line) {
				if err == nil {
					err = update.QueryRow(r.now, r.session.id, r.session.generation).Scan(r.into()...)
				}
				batch = append(batch, r)
			}
			if err == nil {
				_, err = commit.Exec()
			}
			for _, r := range batch {
				r.done <- err
			}
		}
	})
	rotate = func(r *rotation) error {
		line <- r
		return <-r.done
	}
	return rotate, func() error {
		close(line)
		writer.Wait()
		return errors.Join(conn.Close(), db.Close())
	}, nil
}

func waiting(line chan *rotation) *rotation {
	select {
	case r := <-line:
		return r
	default:
		return nil
	}
}

// bareKey signs with the standard library alone.
type bareKey struct{ private *ecdsa.PrivateKey }

func newBareKey() (bareKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return bareKey{private}, err
}

// sign makes an access token of what the rotation learnt.
func (k bareKey) sign(r *rotation) error {
	payload := fmt.Sprintf(`{"iss":"https://auth.bench.example","aud":"https://auth.bench.example","sub":%q,"sid":%q,`+
		`"iat":%d,"exp":%d,"email":%q,"roles":%s}`, r.account, r.session.id, r.now/1e6, r.now/1e6+900, r.email, r.roles)
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"bench"}`))
	signed := head + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	x, y, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return err
	}
	var raw [64]byte
	x.FillBytes(raw[:32])
	y.FillBytes(raw[32:])
	if token := signed + "." + base64.RawURLEncoding.EncodeToString(raw[:]); strings.Count(token, ".") != 2 {
		return errors.New("no token")
	}
	return nil
}
