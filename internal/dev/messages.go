package dev

import (
	"strings"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/web"
)

type search struct {
	To      string `json:"-" query:"to" doc:"An address, or a number in any spelling with its country code."`
	Channel string `json:"-" query:"channel" doc:"email or sms."`
	Limit   int    `json:"-" query:"limit" default:"1000" minimum:"1" maximum:"1000" doc:"How many at most."`
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
	if in.Channel != "" && in.Channel != byEmail && in.Channel != bySMS {
		return nil, fault.Invalidate("channel", "invalid")
	}
	out := []message{}
	for _, m := range d.Inbox.Messages("", in.Channel) {
		if in.To != "" && !sameAddress(m, in.To) {
			continue
		}
		one := message{
			ID: m.ID, Channel: m.Channel, To: m.To, From: m.From, Subject: m.Subject, Text: m.Text, HTML: m.HTML,
			Links: m.Links, Code: m.Code, SentAt: m.SentAt,
		}
		if one.Links == nil {
			one.Links = []string{}
		}
		if out = append(out, one); len(out) == in.Limit {
			break
		}
	}
	return out, nil
}

// The channels, as messages name them.
const (
	byEmail = "email"
	bySMS   = "sms"
)

// sameAddress reports whether a message went to that address. Of a number only the digits
// count: the plus of a number that stands unescaped in an address arrives as a space.
func sameAddress(m mail.Message, to string) bool {
	if m.Channel == bySMS {
		wanted := digits(to)
		return wanted != "" && wanted == digits(m.To)
	}
	return strings.EqualFold(m.To, strings.TrimSpace(to))
}

func digits(s string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, s)
}
