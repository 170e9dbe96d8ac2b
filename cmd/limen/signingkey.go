package main

import (
	"fmt"

	"github.com/limenauth/limen/internal/app"
)

type signingKeyCommand struct {
	List   signingKeyList   `cmd:"" help:"List the signing keys."`
	Rotate signingKeyRotate `cmd:"" help:"Let the next key sign from now on. Tokens of the old key stay valid until they expire."`
}

// Help returns the examples.
func (signingKeyCommand) Help() string {
	return `limen signing-key list
limen signing-key rotate`
}

type signingKeyList struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (signingKeyList) Help() string {
	return `limen signing-key list
limen signing-key list --json`
}

// Run prints the keys.
func (c signingKeyList) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		keys, err := o.SigningKeys(x.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			var rows []record
			for _, k := range keys {
				rows = append(rows, signingKeyRecord(k))
			}
			return x.printList(rows, "")
		}
		t := x.table("KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM", "RETIRED")
		for _, k := range keys {
			t.row(k.ID, k.Alg, string(k.State), when(k.CreatedAt), when(k.ActiveAt), when(k.RetiredAt))
		}
		return t.flush()
	})
}

func signingKeyRecord(k app.KeyInfo) record {
	return record{
		{"id", k.ID}, {"alg", k.Alg}, {"state", k.State}, {"created_at", instant(k.CreatedAt)},
		{"active_at", instant(k.ActiveAt)}, {"retired_at", instant(k.RetiredAt)}, {"removed_at", instant(k.RemovedAt)},
	}
}

type signingKeyRotate struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (signingKeyRotate) Help() string { return `limen signing-key rotate` }

// Run rotates and prints the key that signs now.
func (c signingKeyRotate) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		key, err := o.RotateSigningKey(x.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return x.printJSON(signingKeyRecord(key))
		}
		_, err = fmt.Fprintln(x.out, key.ID)
		return err
	})
}
