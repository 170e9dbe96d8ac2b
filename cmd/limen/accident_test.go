package main_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/limenauth/limen/internal/testkit/db"
)

// look reads one column of the database in dir, joined by commas.
func look(t *testing.T, dir, query string) string {
	t.Helper()
	raw, err := sql.Open("sqlite", filepath.Join(dir, "data", "limen.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rows, err := raw.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, ",")
}

const rootKey = "LIMEN_ROOT_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="

// onPostgres starts a production server on a PostgreSQL database.
func (b binary) onPostgres(t *testing.T, database string) *process {
	t.Helper()
	return b.launch(t, t.TempDir(), "serve", "--url", "https://auth.example.com", "--db", database, "--root-key-file", keyFile(t))
}

func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	writeFile(t, path, strings.TrimPrefix(rootKey, "LIMEN_ROOT_KEY="))
	return path
}

// testTwoAtOnce: two processes start at the same moment on an empty PostgreSQL database.
// Both serve, and what one has done the other knows.
func testTwoAtOnce(t *testing.T, b binary) {
	database := db.Empty(t)
	one, two := b.onPostgres(t, database), b.onPostgres(t, database)
	one.await(t)
	two.await(t)
	one.want(t, http.StatusOK, "POST", "/v1/sign-up", M{"username": "ada", "password": password})
	grant := two.want(t, http.StatusOK, "POST", "/v1/sign-in/password", M{"identifier": "ada", "password": password})
	one.want(t, http.StatusOK, "GET", "/v1/me", nil, "Authorization", "Bearer "+grant.text("access_token"))
	two.want(t, http.StatusNoContent, "POST", "/v1/sign-out", M{}, "Authorization", "Bearer "+grant.text("access_token"))
	if out := one.want(t, http.StatusUnauthorized, "GET", "/v1/me", nil, "Authorization", "Bearer "+grant.text("access_token")); out.text("code") != "session_ended" {
		t.Errorf("%v", out)
	}
	for _, p := range []*process{one, two} {
		if status := p.stop(t); status != 0 {
			t.Errorf("status %d", status)
		}
	}
}

// testRotation: while clients call and refresh without pause, the signing key changes, and a
// second process starts meanwhile. Both change at the instant that the operator was told,
// and not one call is answered 401.
func testRotation(t *testing.T, b binary) {
	database := db.Empty(t)
	old := b.onPostgres(t, database)
	old.await(t)
	old.want(t, http.StatusOK, "POST", "/v1/sign-up", M{"username": "ada", "password": password})

	status, out := b.run(t, t.TempDir(), "", "signing-key", "rotate", "--db", database, "--root-key-file", keyFile(t), "--json")
	if status != 0 {
		t.Fatalf("%d %s", status, out)
	}
	var told struct {
		Signing, Next struct {
			ID       string    `json:"id"`
			ActiveAt time.Time `json:"active_at"`
		}
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	change := told.Next.ActiveAt
	if ahead := time.Until(change); ahead < 0 || ahead > 15*time.Second {
		t.Errorf("the change is %v ahead", ahead)
	}
	young := b.onPostgres(t, database)
	young.await(t)

	var calls, refused atomic.Int64
	processes := []*process{old, young}
	var clients sync.WaitGroup
	for n := range processes {
		clients.Go(func() {
			_, grant := old.do("POST", "/v1/sign-in/password", M{"identifier": "ada", "password": password})
			signed := map[string]int{} // by kid and process
			for turn := n; time.Since(change) < 3*time.Second; turn++ {
				for _, p := range processes {
					status, out := p.do("GET", "/v1/me", nil, "Authorization", "Bearer "+grant.text("access_token"))
					if calls.Add(1); status == http.StatusUnauthorized {
						refused.Add(1)
						t.Errorf("/v1/me: %v", out)
					}
				}
				asked := time.Now()
				status, next := processes[turn%2].do("POST", "/v1/token/refresh", M{"refresh_token": grant.text("refresh_token")})
				if status == http.StatusUnauthorized {
					refused.Add(1)
					t.Errorf("refresh: %v", next)
					return
				}
				if status != http.StatusOK {
					continue
				}
				grant = next
				kid := kidOf(t, grant.text("access_token"))
				signed[fmt.Sprint(kid, turn%2)]++
				if kid == told.Next.ID && time.Now().Before(change) || kid == told.Signing.ID && asked.After(change) {
					t.Errorf("%s signed %v after the change", kid, asked.Sub(change))
				}
			}
			if len(signed) != 4 {
				t.Errorf("each process signs with each key: %v", signed)
			}
		})
	}
	clients.Wait()
	t.Logf("%d calls during a rotation, %d answered 401", calls.Load(), refused.Load())
}

// kidOf is the key that signed a token.
func kidOf(t *testing.T, token string) string {
	head, _, _ := strings.Cut(token, ".")
	var h struct {
		KeyID string `json:"kid"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil {
		t.Error(err)
	}
	return h.KeyID
}

// life is what one client knows of its session when the server dies.
type life struct {
	name          string
	spent, newest string // refresh tokens; spent was acknowledged to be spent
}

// testKill: the server is killed in the middle of sign-ups and refreshes, again and again.
// Whoever was told that they signed up can sign in, and no refresh token that was
// acknowledged as spent works again. The policy is strict, where every token works once.
func testKill(t *testing.T, b binary) {
	dir := t.TempDir()
	args := []string{"--refresh-policy", "strict", "--strict-window", "5m", "--trusted-proxies", "127.0.0.1"}
	var mu sync.Mutex // guards people and lives
	var people []string
	var lives []*life
	var network atomic.Int64
	from := func() []string { // each request from a network of its own: limits are not the point
		n := network.Add(1)
		return []string{"X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", n>>8&255, n&255)}
	}
	for round := range 5 {
		p := b.start(t, dir, args...)
		for _, name := range people {
			p.want(t, http.StatusOK, "POST", "/v1/sign-in/password", M{"identifier": name, "password": password}, from()...)
		}
		for _, l := range lives {
			// The newest token works, unless its successor was on the way when the server died.
			status, out := p.do("POST", "/v1/token/refresh", M{"refresh_token": l.newest}, from()...)
			if status != http.StatusOK && out.text("code") != "refresh_superseded" {
				t.Errorf("round %d: a refresh of %s that was acknowledged is lost: %d %v", round, l.name, status, out)
			}
			if l.spent == "" {
				continue
			}
			if status, out := p.do("POST", "/v1/token/refresh", M{"refresh_token": l.spent}, from()...); status == http.StatusOK {
				t.Errorf("round %d: a spent refresh token of %s lives again: %v", round, l.name, out)
			}
		}
		people, lives = nil, nil
		var clients sync.WaitGroup
		for worker := range 4 {
			clients.Go(func() {
				for n := 0; ; n++ {
					name := fmt.Sprintf("p%d-%d-%d", round, worker, n)
					status, grant := p.do("POST", "/v1/sign-up", M{"username": name, "password": password}, from()...)
					if status != http.StatusOK {
						return
					}
					l := &life{name: name, newest: grant.text("refresh_token")}
					mu.Lock()
					people, lives = append(people, name), append(lives, l)
					mu.Unlock()
					for range n % 4 {
						status, next := p.do("POST", "/v1/token/refresh", M{"refresh_token": l.newest}, from()...)
						if status != http.StatusOK {
							return
						}
						mu.Lock()
						l.spent, l.newest = l.newest, next.text("refresh_token")
						mu.Unlock()
					}
				}
			})
		}
		for { // die in another place each time
			mu.Lock()
			n := len(people)
			mu.Unlock()
			if n >= 12+5*round {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.done
		clients.Wait()
		if got := look(t, dir, "PRAGMA integrity_check"); got != "ok" {
			t.Fatalf("round %d: the file is %q", round, got)
		}
	}
	p := b.start(t, dir, args...)
	for _, name := range people {
		p.want(t, http.StatusOK, "POST", "/v1/sign-in/password", M{"identifier": name, "password": password}, from()...)
	}
	if status := p.stop(t); status != 0 {
		t.Errorf("status %d", status)
	}
}
