// Package dev is the door of development mode: the letters and the messages to phones
// that limen would have sent, and its clock. The routes do not exist in production; there
// is no switch to add them.
//
// The inbox speaks two languages: limen's own under /dev/messages, and under /dev/email
// that of maildev, so that tests written for maildev read it with a changed base URL.
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
	// ForgetLimits is called when the clock was moved: what was counted belongs to another
	// time.
	ForgetLimits func()
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
			Tag: "Development", Summary: "The letters and messages that were sent, newest first",
		}},
		{Pattern: "DELETE /dev/messages", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.forgetMessages), Doc: web.Doc{
			Tag: "Development", Summary: "Empty the inbox",
		}},
		{Pattern: "GET /dev/email", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.emails), Doc: web.Doc{
			Tag: "Development", Summary: "The letters that were sent, oldest first, as maildev tells of them",
		}},
		{Pattern: "GET /dev/email/{id}", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.email), Doc: web.Doc{
			Tag: "Development", Summary: "One letter, as maildev tells of it",
		}},
		{Pattern: "DELETE /dev/email/all", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.forgetEmails), Doc: web.Doc{
			Tag: "Development", Summary: "Forget the letters, as maildev does",
		}},
		{Pattern: "DELETE /dev/email/{id}", Guard: web.Development, Limit: web.Free(), Handle: web.JSON(d.forgetEmail), Doc: web.Doc{
			Tag: "Development", Summary: "Forget one letter, as maildev does",
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
	d.ForgetLimits()
	return d.face(), nil
}

func (d *Dev) resetClock(*web.Call, web.None) (clockFace, error) {
	d.Clock.Set(time.Time{})
	d.ForgetLimits()
	return d.face(), nil
}
