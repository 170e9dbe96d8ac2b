package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

const durableFile = "LIMEN_TEST_DURABLE"

// An acknowledged write survives the sudden death of the process. (That it survives
// the death of the machine is synchronous=FULL's promise, measured for standards D10.)
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limen.db")
	var acknowledged []string
	for life := range 6 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), durableFile+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 40+25*life && lines.Scan(); n++ { // die in another place each time
			acknowledged = append(acknowledged, lines.Text())
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // told before it died
			acknowledged = append(acknowledged, lines.Text())
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		raw, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		var state string
		if err := raw.QueryRow(`PRAGMA integrity_check`).Scan(&state); err != nil || state != "ok" {
			t.Fatalf("life %d: the file is %q, %v", life, state, err)
		}
		kept := map[string]bool{}
		rows, err := raw.Query(`SELECT id FROM scratch`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			kept[id] = true
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(acknowledged, func(id string) bool { return !kept[id] }); i >= 0 {
			t.Fatalf("life %d: %s was acknowledged and is lost", life, acknowledged[i])
		}
	}
	t.Logf("%d acknowledged writes in 6 lives, none lost", len(acknowledged))
}

// TestMain lets the same binary be the process that dies.
func TestMain(m *testing.M) {
	if path := os.Getenv(durableFile); path != "" {
		err := writeUntilKilled(path)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled is the process that dies: 8 writers, each telling its row's id on
// standard output as soon as it is acknowledged.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	ring, err := secret.ParseRing("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=")
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{SQLite: path, Ring: ring, Kind: store.Development, Now: db.NewClock().Now})
	if err != nil {
		return err
	}
	err = s.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE IF NOT EXISTS scratch (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)`)
		return err
	})
	if err != nil {
		return err
	}
	failed := make(chan error, 8)
	for w := range cap(failed) {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := s.Tx(ctx, insert(id)); err != nil {
					failed <- err
					return
				}
				os.Stdout.WriteString(id + "\n") // one write, so whole or not at all
			}
		}()
	}
	return <-failed
}
