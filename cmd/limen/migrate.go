package main

import (
	"fmt"

	"github.com/limenauth/limen/internal/app"
)

type migrateCommand struct {
	Status migrateStatus `cmd:"" help:"Show which steps have been applied."`
	Up     migrateUp     `cmd:"" help:"Apply the steps that are pending. limen serve does it too, when it starts."`
}

// Help returns the examples.
func (migrateCommand) Help() string {
	return `limen migrate status
limen migrate up`
}

type migrateStatus struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (migrateStatus) Help() string {
	return `limen migrate status
limen migrate status --db postgres://limen@db/limen --json`
}

// Run prints the steps.
func (c migrateStatus) Run(x *call) error {
	cfg, err := x.settings(app.Operation)
	if err != nil {
		return err
	}
	schema, err := app.MigrateStatus(x.ctx, cfg)
	if err != nil {
		return err
	}
	return x.showSchema(schema, c.JSON)
}

type migrateUp struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (migrateUp) Help() string { return `limen migrate up` }

// Run applies the steps and prints them.
func (c migrateUp) Run(x *call) error {
	cfg, err := x.settings(app.Operation)
	if err != nil {
		return err
	}
	schema, err := app.MigrateUp(x.ctx, cfg)
	if err != nil {
		return err
	}
	return x.showSchema(schema, c.JSON)
}

func (x *call) showSchema(schema app.Schema, json bool) error {
	if json {
		steps := []record{}
		for _, s := range schema.Steps {
			steps = append(steps, record{{"version", s.Version}, {"name", s.Name}, {"applied_at", instant(s.AppliedAt)}})
		}
		return x.printJSON(record{
			{"engine", schema.Engine}, {"kind", orNull(schema.Kind)},
			{"current", schema.Current}, {"newest", schema.Newest}, {"steps", steps},
		})
	}
	kind := schema.Kind
	if kind == "" {
		kind = "empty"
	}
	fmt.Fprintf(x.out, "%s, %s: schema %d of %d\n\n", schema.Engine, kind, schema.Current, schema.Newest)
	t := x.table("STEP", "NAME", "APPLIED")
	for _, s := range schema.Steps {
		applied := "pending"
		if !s.AppliedAt.IsZero() {
			applied = when(s.AppliedAt)
		}
		t.row(fmt.Sprint(s.Version), s.Name, applied)
	}
	return t.flush()
}
