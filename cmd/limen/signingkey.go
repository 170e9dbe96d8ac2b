package main

import (
	"fmt"
	"time"

	"github.com/limenauth/limen/internal/app"
)

type signingKeyCommand struct {
	List   signingKeyList   `cmd:"" help:"List the signing keys."`
	Rotate signingKeyRotate `cmd:"" help:"Let the next key sign in 15 seconds. Tokens of the old key stay valid until they expire."`
	Revoke signingKeyRevoke `cmd:"" help:"End a key that has leaked. Its tokens are refused at once, and the next key signs."`
}

// Help returns the examples.
func (signingKeyCommand) Help() string {
	return `limen signing-key list
limen signing-key rotate
limen signing-key revoke sig_01k3c5x5s1f7s8z0v7m1w2q3r4`
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
		t := x.table("KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM", "SIGNS UNTIL", "REVOKED")
		for _, k := range keys {
			t.row(k.ID, k.Alg, string(k.State), when(k.CreatedAt), when(k.ActiveAt), when(k.RetiredAt), when(k.RevokedAt))
		}
		return t.flush()
	})
}

func signingKeyRecord(k app.KeyInfo) record {
	return record{
		{"id", k.ID}, {"alg", k.Alg}, {"state", k.State}, {"created_at", instant(k.CreatedAt)},
		{"active_at", instant(k.ActiveAt)}, {"retired_at", instant(k.RetiredAt)}, {"revoked_at", instant(k.RevokedAt)},
	}
}

type signingKeyRotate struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (signingKeyRotate) Help() string { return `limen signing-key rotate` }

// Run plans the change and prints the key that will sign.
func (c signingKeyRotate) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		signing, next, err := o.RotateSigningKey(x.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return x.printJSON(record{{"signing", signingKeyRecord(signing)}, {"next", signingKeyRecord(next)}})
		}
		fmt.Fprintf(x.err, "%s signs until %s, from then on:\n", signing.ID, next.ActiveAt.UTC().Format(time.TimeOnly+" MST"))
		_, err = fmt.Fprintln(x.out, next.ID)
		return err
	})
}

type signingKeyRevoke struct {
	Key  string `arg:"" help:"Id of the key: the kid in the header of its tokens."`
	JSON bool   `help:"Print JSON."`
}

// Help returns the examples.
func (signingKeyRevoke) Help() string {
	return `limen signing-key revoke sig_01k3c5x5s1f7s8z0v7m1w2q3r4
limen signing-key revoke sig_01k3c5x5s1f7s8z0v7m1w2q3r4 --json`
}

// Run revokes the key and prints the one that signs now.
func (c signingKeyRevoke) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		revoked, signing, next, err := o.RevokeSigningKey(x.ctx, c.Key)
		if err != nil {
			return err
		}
		if c.JSON {
			return x.printJSON(record{
				{"revoked", signingKeyRecord(revoked)}, {"signing", signingKeyRecord(signing)}, {"next", signingKeyRecord(next)},
			})
		}
		fmt.Fprintf(x.err, "%s is revoked: every server refuses its tokens within 10 seconds. This key signs:\n", revoked.ID)
		_, err = fmt.Fprintln(x.out, signing.ID)
		return err
	})
}
