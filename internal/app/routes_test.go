package app_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/limenauth/limen/internal/app"
)

// house builds a whole limen on a database of its own. Nothing is served.
func house(t *testing.T, mode app.Mode) *app.App {
	t.Helper()
	settings := map[string]string{"data": t.TempDir()}
	if mode == app.Production {
		settings["url"] = "https://auth.example.com"
	}
	cfg, err := app.ConfigOf(settings, mode)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Build(t.Context(), cfg, mode, &app.MachineClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// golden compares got with a committed file, or writes it under -update.
func golden(t *testing.T, path string, got string) {
	t.Helper()
	path = filepath.FromSlash(path)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the source says; look at the difference, then run make docs (-file +source):\n%s", path, diff)
	}
}

// TestRoutes prints what is exposed, to whom and how often: whoever reviews a change of it
// reads one diff.
func TestRoutes(t *testing.T) {
	golden(t, "testdata/routes.golden", "PRODUCTION\n"+house(t, app.Production).Handler.Routes()+
		"\nDEVELOPMENT\n"+house(t, app.Development).Handler.Routes())
}
