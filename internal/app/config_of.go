package app

import (
	"maps"
	"slices"

	"github.com/limenauth/limen/internal/secret"
)

// ConfigOf makes a checked configuration of settings by name, for programs that mount
// limen. It reads no environment and no file of settings.
func ConfigOf(settings map[string]string, mode Mode) (*Config, error) {
	settings = maps.Clone(settings)
	root := settings["root-key"]
	delete(settings, "root-key") // it has no flag
	var args []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+name+"="+settings[name])
	}
	c, err := Load(args, nil, "")
	if err != nil {
		return nil, err
	}
	if root != "" {
		c.RootKey = secret.Text(root)
	}
	return c, c.Check(mode)
}
