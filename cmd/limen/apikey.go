package main

import (
	"fmt"
	"strings"

	"github.com/limenauth/limen/internal/app"
)

type apikeyCommand struct {
	Create apikeyCreate `cmd:"" help:"Make a server key. It is shown once."`
	List   apikeyList   `cmd:"" help:"List server keys, without their secrets."`
	Revoke apikeyRevoke `cmd:"" help:"Revoke a server key at once."`
}

// Help returns the examples.
func (apikeyCommand) Help() string {
	return `limen apikey create --name gateway --scope introspect --scope revocations
limen apikey list`
}

type apikeyCreate struct {
	Name  string   `help:"What the key is for." default:"server key" placeholder:"TEXT"`
	Scope []string `help:"What it may do: introspect, revocations or metrics. May be given several times." required:"" enum:"introspect,revocations,metrics" placeholder:"SCOPE"`
	JSON  bool     `help:"Print JSON."`
}

// Help returns the examples.
func (apikeyCreate) Help() string {
	return `limen apikey create --name billing --scope introspect
limen apikey create --name gateway --scope introspect --scope revocations > gateway.key`
}

// Run makes the key and prints its secret, the only time.
func (c apikeyCreate) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		key, text, err := o.CreateServerKey(x.ctx, c.Name, c.Scope)
		if err != nil {
			return err
		}
		if c.JSON {
			return x.printJSON(append(serverKeyRecord(key), member{"secret", text.Reveal()}))
		}
		fmt.Fprintf(x.err, "The key %s (%s). It is shown this once:\n", key.ID, strings.Join(key.Scopes, ", "))
		_, err = fmt.Fprintln(x.out, text.Reveal())
		return err
	})
}

func serverKeyRecord(k app.ServerKeyInfo) record {
	return record{
		{"id", k.ID}, {"name", k.Name}, {"scopes", k.Scopes},
		{"created_at", instant(k.CreatedAt)}, {"revoked_at", instant(k.RevokedAt)},
	}
}

type apikeyList struct {
	JSON bool `help:"Print JSON."`
}

// Help returns the examples.
func (apikeyList) Help() string {
	return `limen apikey list
limen apikey list --json`
}

// Run prints the keys.
func (c apikeyList) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		keys, err := o.ServerKeys(x.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			var rows []record
			for _, k := range keys {
				rows = append(rows, serverKeyRecord(k))
			}
			return x.printList(rows, "")
		}
		t := x.table("KEY", "NAME", "SCOPES", "CREATED", "REVOKED")
		for _, k := range keys {
			t.row(k.ID, k.Name, strings.Join(k.Scopes, ","), when(k.CreatedAt), when(k.RevokedAt))
		}
		return t.flush()
	})
}

type apikeyRevoke struct {
	Key string `arg:"" help:"Id of the key."`
}

// Help returns the examples.
func (apikeyRevoke) Help() string { return `limen apikey revoke lsk_01k3c5x5s1f7s8z0v7m1w2q3r4` }

// Run revokes the key.
func (c apikeyRevoke) Run(x *call) error {
	return x.operate(func(o *app.Operator) error { return o.RevokeServerKey(x.ctx, c.Key) })
}
