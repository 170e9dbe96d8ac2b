package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/limenauth/limen/internal/testkit/explorer"
)

// breakRules builds this command once for each broken rule, with the broken file laid over
// the source (go build -overlay), and lets it explore until it finds something. It fails
// if one of them is not found within the runs.
func breakRules(ctx context.Context, o explorer.Options) error {
	dir, err := os.MkdirTemp("", "limen-broken-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	var missed []string
	for _, b := range brokenRules {
		first, err := b.explore(ctx, root, dir, o)
		if err != nil {
			first, missed = err.Error(), append(missed, b.rule)
		} else if first == "" {
			missed = append(missed, b.rule)
			first = "NOT FOUND"
		}
		fmt.Printf("%-10s %-70s %s\n", b.item, b.rule, first)
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d of %d broken rules are not found in %d runs: %s", len(missed), len(brokenRules), o.Runs, strings.Join(missed, "; "))
	}
	return nil
}

// moduleRoot is where limen's source is.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	file := strings.TrimSpace(string(out))
	if err == nil && filepath.Base(file) != "go.mod" {
		err = errors.New("run this inside limen's source")
	}
	return filepath.Dir(file), err
}

// lay writes the broken file and the overlay that puts it in place of the true one.
func (b broken) lay(root, dir string) (overlay string, err error) {
	path := filepath.Join(root, b.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := bytes.Count(source, []byte(b.was)); n != 1 {
		return "", fmt.Errorf("%s has %q %d times", b.file, b.was, n)
	}
	changed := filepath.Join(dir, "broken.go")
	if err := os.WriteFile(changed, bytes.Replace(source, []byte(b.was), []byte(b.now), 1), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// explore returns the seed and the kind of the first finding, "" if there is none.
func (b broken) explore(ctx context.Context, root, dir string, o explorer.Options) (string, error) {
	overlay, err := b.lay(root, dir)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "explorer")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", program, "./internal/testkit/explorer/cmd")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	run := exec.CommandContext(ctx, program, "-first", "-engine", o.Engine, "-runs", strconv.Itoa(o.Runs),
		"-seed", strconv.FormatUint(o.Seed, 10), "-dir", o.Dir, "-postgres", o.Postgres)
	run.Stderr = os.Stderr
	out, err := run.Output()
	return strings.TrimSpace(string(out)), err
}

// firstFinding explores one run after the other until one finds something, and prints its
// seed and its kind.
func firstFinding(ctx context.Context, o explorer.Options) error {
	o.Workers = 1
	o.First = func(f explorer.Finding) { fmt.Printf("seed %d: %s\n", f.Plan.Seed, f.Class()) }
	o.Progress = nil
	_, err := explorer.Explore(ctx, o)
	return err
}
