package main

import (
	"fmt"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (versionCommand) Help() string {
	return `limen version
limen version --json`
}

// Run prints what the build recorded about itself.
func (c versionCommand) Run(x *call) error {
	version, revision, built, dirty := "unknown", "", "", false
	toolchain := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version, toolchain = info.Main.Version, info.GoVersion
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.time":
				built = s.Value
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
	}
	if c.JSON {
		return x.printJSON(record{
			{"version", version}, {"revision", orNull(revision)}, {"revision_time", orNull(built)},
			{"modified", dirty}, {"go", toolchain},
		})
	}
	_, err := fmt.Fprintf(x.out, "limen %s %s\n", version, toolchain)
	return err
}
