package app

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/limenauth/limen/internal/secret"
)

// TestRootKeyIsGeneratedOnce races the first start of several processes: all of them must
// end with the same key.
func TestRootKeyIsGeneratedOnce(t *testing.T) {
	c := &Config{Data: filepath.Join(t.TempDir(), "data")}
	checks := make(chan string, 8)
	var starts sync.WaitGroup
	for range cap(checks) {
		starts.Go(func() {
			ring, err := c.rootKeys(Production, true)
			if err != nil {
				t.Error(err)
				return
			}
			checks <- ring.Check()
		})
	}
	starts.Wait()
	close(checks)
	first := <-checks
	for check := range checks {
		if check != first {
			t.Fatal("two processes have two keys")
		}
	}
	info, err := os.Stat(c.GeneratedRootKey())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Data, "root-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRootKeyIsDemanded(t *testing.T) {
	c := &Config{Data: t.TempDir(), DB: "postgres://localhost/x"}
	if _, err := c.rootKeys(Production, true); err == nil || !strings.Contains(err.Error(), "root-key") {
		t.Errorf("production on PostgreSQL generated its own key: %v", err)
	}
	if _, err := os.Stat(c.GeneratedRootKey()); err == nil {
		t.Error("a key was written")
	}
	c.RootKey = "not a key"
	if _, err := c.rootKeys(Production, true); err == nil || strings.Contains(err.Error(), "not a key") {
		t.Errorf("%v", err)
	}
	c.RootKey = secret.NewRoot()
	if _, err := c.rootKeys(Production, true); err != nil {
		t.Error(err)
	}
}

// TestRootKeyIsNotInvented: a database that was made under a key must not be opened under
// a new one, so work on it makes none.
func TestRootKeyIsNotInvented(t *testing.T) {
	c := &Config{Data: t.TempDir()}
	if _, err := c.rootKeys(Operation, false); err == nil || !strings.Contains(err.Error(), "root-key") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(c.GeneratedRootKey()); err == nil {
		t.Error("a key was written")
	}
}
