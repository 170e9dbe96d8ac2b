package main

import "github.com/limenauth/limen/internal/app"

type serveCommand struct{}

// Help returns the examples.
func (serveCommand) Help() string {
	return `limen serve --url https://auth.example.com
limen serve --url https://auth.example.com --trusted-proxies 10.0.0.7
LIMEN_ROOT_KEY_FILE=/run/secrets/root LIMEN_DB_FILE=/run/secrets/db limen serve --url https://auth.example.com`
}

// Run serves production until it is told to stop.
func (serveCommand) Run(x *call) error { return x.serve(app.Production) }

func (x *call) serve(mode app.Mode) error {
	cfg, err := x.settings(mode)
	if err != nil {
		return err
	}
	return app.Serve(x.ctx, cfg, mode, x.out)
}
