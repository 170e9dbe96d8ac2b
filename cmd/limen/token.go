package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/secret"
)

type tokenCommand struct {
	Inspect tokenInspect `cmd:"" help:"Decode a token and say whether it is accepted now. The token is read from a prompt or standard input."`
}

// Help returns the examples.
func (tokenCommand) Help() string {
	return `limen token inspect < token.txt`
}

type tokenInspect struct {
	Token string `arg:"" optional:"" hidden:""`
	JSON  bool   `help:"Print JSON."`
}

// Help returns the examples.
func (tokenInspect) Help() string {
	return `limen token inspect
limen token inspect --json < token.txt`
}

// Run decodes the token here and, if the database opens, asks whether it is accepted. The
// token itself is never printed.
func (c tokenInspect) Run(x *call) error {
	if c.Token != "" {
		return usageError("a token on the command line is visible to every user of this machine; pipe it, or paste it at the prompt")
	}
	token, err := x.secretLine("Paste the token (it stays hidden): ")
	if err != nil {
		return err
	}
	if token == "" {
		return usageError("there is no token on standard input")
	}
	found, err := decodeToken(token)
	if err != nil {
		return err
	}
	if _, err := x.settings(app.Operation); err != nil {
		return err
	}
	verdict := map[string]any{}
	if err := x.operate(func(o *app.Operator) error {
		verdict, err = o.InspectToken(x.ctx, token)
		return err
	}); err != nil {
		verdict = map[string]any{"accepted": nil, "reason": "the database could not be asked: " + err.Error()}
	}
	if c.JSON {
		return x.printJSON(append(found.record(), member{"verification", verdict}))
	}
	return x.showToken(found, verdict)
}

// decoded is what a token says of itself, believed by nobody yet.
type decoded struct {
	kind   string
	header map[string]any
	claims map[string]any
}

func (d decoded) record() record {
	return record{{"kind", d.kind}, {"header", d.header}, {"claims", d.claims}}
}

// decodeToken tells the kinds apart by their prefix and reads what can be read without a
// key. It verifies nothing.
func decodeToken(token secret.Text) (decoded, error) {
	text := token.Reveal()
	for prefix, kind := range map[string]string{
		"lrt_": "refresh token", "lds_": "device secret", "lsk_": "server key", "att_": "attempt",
	} {
		if strings.HasPrefix(text, prefix) {
			return decoded{kind: kind}, nil
		}
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(text) > 16<<10 {
		return decoded{}, errors.New("this is no token that limen makes: neither a signed token of three parts nor one of its prefixes")
	}
	d := decoded{kind: "signed token"}
	for i, into := range []*map[string]any{&d.header, &d.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return decoded{}, fmt.Errorf("part %d of the token is not JSON in base64url", i+1)
		}
	}
	if d.header["typ"] == "at+jwt" {
		d.kind = "access token"
	}
	return d, nil
}

func (x *call) showToken(d decoded, verdict map[string]any) error {
	t := x.table("KIND", d.kind)
	for _, name := range slices.Sorted(maps.Keys(d.header)) {
		t.row("header "+name, claim(name, d.header[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(d.claims)) {
		t.row(name, claim(name, d.claims[name]))
	}
	switch verdict["accepted"] {
	case true:
		t.row("ACCEPTED", "yes")
	case false:
		t.row("ACCEPTED", "no")
	default:
		t.row("ACCEPTED", "not known")
	}
	for _, name := range slices.Sorted(maps.Keys(verdict)) {
		if name != "accepted" && name != "kind" {
			t.row(strings.ToUpper(name), claim(name, verdict[name]))
		}
	}
	return t.flush()
}

// claim writes a value for people; the times of RFC 7519 are numbers in the token.
func claim(name string, v any) string {
	if n, ok := v.(float64); ok && slices.Contains([]string{"exp", "iat", "nbf", "auth_time"}, name) {
		return fmt.Sprintf("%.0f (%s)", n, when(time.Unix(int64(n), 0)))
	}
	switch v := v.(type) {
	case string:
		return v
	case time.Time:
		return when(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
