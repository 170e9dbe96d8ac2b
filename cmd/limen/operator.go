package main

import (
	"errors"

	"github.com/limenauth/limen/internal/app"
)

// operate opens the configured database for one deed.
func (x *call) operate(deed func(o *app.Operator) error) error {
	cfg, err := x.settings(app.Operation)
	if err != nil {
		return err
	}
	o, err := app.OpenOperator(x.ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(deed(o), o.Close())
}
