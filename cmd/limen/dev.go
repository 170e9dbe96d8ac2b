package main

import "github.com/limenauth/limen/internal/app"

type devCommand struct{}

// Help returns the examples.
func (devCommand) Help() string {
	return `limen dev
limen dev --listen 127.0.0.1:8080 --data /tmp/try
limen dev --db postgres://localhost/limen_dev
limen dev --access-life 10s --dev-clock 2030-01-31T08:00:00Z`
}

// Run serves development until it is told to stop.
func (devCommand) Run(x *call) error { return x.serve(app.Development) }
