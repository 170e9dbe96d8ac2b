package sms

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// vonage speaks the SMS API. It answers 200 to everything that it understood; whether the
// message was taken stands in the body. Calls there need an application with a key pair of
// its own, so it does not call.
type vonage struct {
	caller
	base        string
	key, secret string
	from        string
}

func (v *vonage) Send(ctx context.Context, m Message) error {
	if err := v.check(m); err != nil {
		return err
	}
	if m.Voice {
		return v.notHere("voice")
	}
	fields := url.Values{
		"from": {strings.TrimPrefix(v.from, "+")}, "to": {strings.TrimPrefix(m.To, "+")},
		"text": {m.Text}, "client-ref": {clip(m.ID, 100)},
	}
	if _, unicode := Segments(m.Text); unicode {
		fields.Set("type", "unicode")
	}
	a, err := v.form(ctx, v.base+"/sms/json", fields, func(r *http.Request) { r.SetBasicAuth(v.key, v.secret) })
	if err != nil {
		return err
	}
	if !a.ok() {
		return v.unwell(a, "")
	}
	var said struct {
		Messages []struct {
			Status string `json:"status"`
		} `json:"messages"`
	}
	if json.Unmarshal(a.body, &said) != nil || len(said.Messages) == 0 {
		return v.sick(a, "no_status")
	}
	// A long text is several messages. If the first one was taken, trying again would send
	// it twice.
	switch code := said.Messages[0].Status; code {
	case "0":
		return nil
	case "7", "33": // barred, deactivated
		return v.refused(code)
	case "2", "3", "6", "12", "13", "15", "22", "23", "29": // this message, or this account's reach
		return v.notHere(code)
	default: // throttled, credentials, balance, their own trouble
		return v.sick(a, code)
	}
}

// clip shortens an id of ours to what a field takes.
func clip(s string, most int) string { return s[:min(len(s), most)] }
