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
	"sync"
	"testing"

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
		child := exec.Command(os.Args[0], "-test.run=^TestDurableChild$", "-test.count=1")
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

// TestDurableChild is the process that dies: 8 writers, each telling its row's id on
// standard output as soon as it is acknowledged.
func TestDurableChild(t *testing.T) {
	path := os.Getenv(durableFile)
	if path == "" {
		t.Skip("runs as a child of TestKilledProcessLosesNothingAcknowledged")
	}
	ctx := context.Background()
	c := store.Config{SQLite: path, Ring: ringOf(t, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="), Kind: store.Development, Now: db.NewClock().Now}
	s, err := store.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE IF NOT EXISTS scratch (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := s.Tx(ctx, insert(id)); err != nil {
					t.Error(err)
					return
				}
				os.Stdout.WriteString(id + "\n") // one write, so whole or not at all
			}
		})
	}
	writers.Wait()
}
