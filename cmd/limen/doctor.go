package main

import (
	"errors"
	"fmt"

	"github.com/limenauth/limen/internal/app"
)

type doctorCommand struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (doctorCommand) Help() string {
	return `limen doctor
limen doctor --url https://auth.example.com --json
limen doctor --db postgres://limen@db/limen --redis redis://cache:6379`
}

// errUnwell makes the exit status say what the table says.
var errUnwell = errors.New("not all is well")

// Run prints every check and fails if one of them does. It goes on as far as it can: with
// bad settings, and with a database that does not open.
func (c doctorCommand) Run(x *call) error {
	checks := x.examine()
	failed := false
	var rows []record
	for _, check := range checks {
		failed = failed || check.Outcome == app.Failed
		rows = append(rows, record{{"name", check.Name}, {"outcome", check.Outcome}, {"detail", check.Detail}, {"fix", orNull(check.Fix)}})
	}
	if c.JSON {
		if err := x.printList(rows, ""); err != nil {
			return err
		}
	} else {
		t := x.table("STATE", "CHECK", "FOUND")
		for _, check := range checks {
			found := check.Detail
			if check.Fix != "" {
				found += " -> " + check.Fix
			}
			t.row(string(check.Outcome), check.Name, found)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if failed {
		return errUnwell
	}
	return nil
}

func (x *call) examine() []app.Check {
	mode := app.Operation
	if x.config.URL != "" {
		mode = app.Production // whoever gives a public URL means to serve it
	}
	cfg, err := x.settings(mode)
	var checks []app.Check
	if err != nil {
		return endedBy(checks, err)
	}
	checks = append(checks, app.Check{Name: "settings", Outcome: app.Healthy, Detail: source(cfg)})
	for _, note := range cfg.Notes(mode) {
		checks = append(checks, app.Check{Name: "settings", Outcome: app.Warning, Detail: note})
	}
	o, err := app.OpenOperator(x.ctx, cfg)
	if err != nil {
		return endedBy(checks, err)
	}
	defer o.Close()
	more, err := o.Doctor(x.ctx)
	if err != nil {
		more = append(more, app.Check{Name: "examination", Outcome: app.Failed, Detail: err.Error()})
	}
	return append(checks, more...)
}

// endedBy adds why the examination ends here, a line for each problem.
func endedBy(checks []app.Check, err error) []app.Check {
	problems, ok := errors.AsType[app.Problems](err)
	if !ok {
		return append(checks, app.Check{Name: "database", Outcome: app.Failed, Detail: err.Error()})
	}
	for _, p := range problems {
		checks = append(checks, app.Check{Name: "setting " + p.Key, Outcome: app.Failed, Detail: p.Text})
	}
	return checks
}

func source(cfg *app.Config) string {
	if cfg.ConfigFile == "" {
		return "from flags, environment and defaults; there is no file"
	}
	return fmt.Sprintf("from flags, environment, %s and defaults", cfg.ConfigFile)
}
