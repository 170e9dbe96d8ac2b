// Package dev is the door of development mode: the letters that limen would have sent,
// and its clock. The routes do not exist in production; there is no switch to add them.
//
// Threats. What stands here signs people in, so the guard lets no other origin read it,
// not even another page on localhost, and the hallway answers loopback names only.
package dev

import (
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/web"
)

// Dev is the door. Every field is required.
type Dev struct {
	Inbox *mail.Inbox
	Clock Clock
	// ParseDuration reads "31d", "12h" and the like.
	ParseDuration func(string) (time.Duration, error)
}

// Clock is the development clock.
type Clock interface {
	Now() time.Time
	Offset() time.Duration
	Advance(time.Duration)
	Set(time.Time)
}

// Table lists what the door exposes.
func (d *Dev) Table() web.Table {
	return web.Table{
		{Pattern: "GET /dev/messages", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.messages), Doc: web.Doc{
			Tag: "Development", Summary: "The letters that were sent, newest first",
		}},
		{Pattern: "DELETE /dev/messages", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.forgetMessages), Doc: web.Doc{
			Tag: "Development", Summary: "Empty the inbox",
		}},
		{Pattern: "GET /dev/clock", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.readClock), Doc: web.Doc{
			Tag: "Development", Summary: "What time it is here",
		}},
		{Pattern: "POST /dev/clock", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.moveClock), Doc: web.Doc{
			Tag: "Development", Summary: "Move the clock",
		}},
		{Pattern: "DELETE /dev/clock", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.resetClock), Doc: web.Doc{
			Tag: "Development", Summary: "Set the clock back to the machine's",
		}},
	}
}

type search struct {
	To      string `json:"-" query:"to" doc:"An address."`
	Channel string `json:"-" query:"channel" doc:"email or sms."`
}

type message struct {
	ID      string    `json:"id"`
	Channel string    `json:"channel"`
	To      string    `json:"to"`
	From    string    `json:"from"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	Links   []string  `json:"links"`
	Code    string    `json:"code"`
	SentAt  time.Time `json:"sent_at"`
}

func (d *Dev) messages(_ *web.Call, in search) ([]message, error) {
	out := []message{}
	for _, m := range d.Inbox.Messages(in.To, in.Channel) {
		one := message{
			ID: m.ID, Channel: m.Channel, To: m.To, From: m.From, Subject: m.Subject, Text: m.Text, HTML: m.HTML,
			Links: m.Links, Code: m.Code, SentAt: m.SentAt,
		}
		if one.Links == nil {
			one.Links = []string{}
		}
		out = append(out, one)
	}
	return out, nil
}

func (d *Dev) forgetMessages(*web.Call, web.None) (web.NoContent, error) {
	d.Inbox.Forget()
	return web.NoContent{}, nil
}

type clockFace struct {
	Now    time.Time `json:"now"`
	Offset int64     `json:"offset" doc:"Seconds ahead of the machine's clock."`
}

func (d *Dev) face() clockFace {
	return clockFace{Now: d.Clock.Now(), Offset: int64(d.Clock.Offset() / time.Second)}
}

func (d *Dev) readClock(*web.Call, web.None) (clockFace, error) { return d.face(), nil }

type move struct {
	Advance string `json:"advance,omitempty" doc:"A duration, such as 31d or 15m."`
	Set     string `json:"set,omitempty" doc:"An instant (RFC 3339)."`
}

func (d *Dev) moveClock(_ *web.Call, in move) (clockFace, error) {
	switch {
	case in.Advance != "" && in.Set == "":
		by, err := d.ParseDuration(in.Advance)
		if err != nil {
			return clockFace{}, fault.Invalidate("advance", "invalid")
		}
		d.Clock.Advance(by)
	case in.Set != "" && in.Advance == "":
		at, err := time.Parse(time.RFC3339, in.Set)
		if err != nil {
			return clockFace{}, fault.Invalidate("set", "invalid")
		}
		d.Clock.Set(at)
	default:
		return clockFace{}, fault.Invalidate("advance", "required").Saying("Send advance or set, one of them.")
	}
	return d.face(), nil
}

func (d *Dev) resetClock(*web.Call, web.None) (clockFace, error) {
	d.Clock.Set(time.Time{})
	return d.face(), nil
}
