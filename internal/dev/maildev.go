package dev

import (
	"bytes"
	"fmt"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/web"
)

// maildevEmail is a letter as maildev tells of it. A letter of limen has no attachments and is
// never marked as read.
type maildevEmail struct {
	ID            string            `json:"id"`
	Time          time.Time         `json:"time"`
	Read          bool              `json:"read"`
	From          []mailbox         `json:"from"`
	To            []mailbox         `json:"to"`
	Cc            []mailbox         `json:"cc"`
	Bcc           []mailbox         `json:"bcc"`
	CalculatedBcc []mailbox         `json:"calculatedBcc"`
	ReplyTo       []mailbox         `json:"replyTo"`
	Subject       string            `json:"subject"`
	Date          time.Time         `json:"date"`
	MessageID     string            `json:"messageId"`
	Priority      string            `json:"priority"`
	Text          string            `json:"text"`
	HTML          string            `json:"html"`
	Headers       map[string]string `json:"headers" doc:"Every header of the letter, its name in lower case."`
	Attachments   []string          `json:"attachments"`
	Envelope      mailEnvelope      `json:"envelope"`
	Size          int               `json:"size"`
	SizeHuman     string            `json:"sizeHuman"`
}

type mailbox struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

type mailEnvelope struct {
	From          envelopeAddress   `json:"from"`
	To            []envelopeAddress `json:"to"`
	Host          string            `json:"host"`
	RemoteAddress string            `json:"remoteAddress"`
}

type envelopeAddress struct {
	Address string `json:"address"`
	Args    bool   `json:"args"`
}

func (d *Dev) emails(*web.Call, web.None) ([]maildevEmail, error) {
	out := []maildevEmail{}
	for _, m := range slices.Backward(d.Inbox.Messages("", byEmail)) {
		out = append(out, asEmail(m))
	}
	return out, nil
}

type oneEmail struct {
	ID string `json:"-" path:"id"`
}

func (d *Dev) email(_ *web.Call, in oneEmail) (maildevEmail, error) {
	for _, m := range d.Inbox.Messages("", byEmail) {
		if m.ID == in.ID {
			return asEmail(m), nil
		}
	}
	return maildevEmail{}, fault.ErrNotFound
}

// forgetEmails answers true, as maildev does.
func (d *Dev) forgetEmails(*web.Call, web.None) (bool, error) {
	d.Inbox.Remove(func(m mail.Message) bool { return m.Channel == byEmail })
	return true, nil
}

func (d *Dev) forgetEmail(_ *web.Call, in oneEmail) (bool, error) {
	gone := d.Inbox.Remove(func(m mail.Message) bool { return m.Channel == byEmail && m.ID == in.ID })
	if gone == 0 {
		return false, fault.ErrNotFound
	}
	return true, nil
}

// asEmail tells of a letter as it would have arrived: its headers are those that a relay
// would have been handed.
func asEmail(m mail.Message) maildevEmail {
	to := mailbox{Address: m.To}
	e := maildevEmail{
		ID: m.ID, Time: m.SentAt.UTC().Truncate(time.Millisecond), Date: m.SentAt.UTC().Truncate(time.Second), Subject: m.Subject, Priority: "normal", Text: m.Text, HTML: m.HTML,
		From: []mailbox{}, To: []mailbox{to}, Cc: []mailbox{}, Bcc: []mailbox{}, CalculatedBcc: []mailbox{}, ReplyTo: []mailbox{},
		Headers: map[string]string{}, Attachments: []string{},
	}
	var words mime.WordDecoder
	raw, err := mail.Compose(m)
	if err != nil {
		return e // what no relay could carry has no headers either
	}
	read, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return e
	}
	for name, values := range read.Header {
		value := strings.Join(values, ", ")
		if decoded, err := words.DecodeHeader(value); err == nil {
			value = decoded
		}
		e.Headers[strings.ToLower(name)] = value
	}
	e.From, e.ReplyTo = mailboxes(read.Header, "From"), mailboxes(read.Header, "Reply-To")
	e.MessageID = strings.Trim(read.Header.Get("Message-Id"), "<>")
	e.Size, e.SizeHuman = len(raw), fmt.Sprintf("%.1f KB", float64(len(raw))/1024)
	for _, from := range e.From {
		e.Envelope.From = envelopeAddress{Address: from.Address}
	}
	e.Envelope.To = []envelopeAddress{{Address: m.To}}
	e.Envelope.Host, e.Envelope.RemoteAddress = "localhost", "127.0.0.1"
	return e
}

func mailboxes(h netmail.Header, name string) []mailbox {
	out := []mailbox{}
	list, err := h.AddressList(name)
	if err != nil {
		return out
	}
	for _, a := range list {
		out = append(out, mailbox{Address: a.Address, Name: a.Name})
	}
	return out
}
