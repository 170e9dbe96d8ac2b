package letters

import (
	"context"
	"errors"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/sms"
)

// otherWayAfter is how many tries a text message has before its code takes another way.
const otherWayAfter = 2

// CanText reports whether messages to phones can leave at all.
func (p *Post) CanText() bool { return p.Phones != nil }

// text hands a short message over. Where a code cannot be sent as a text, it is read out
// over a call or, to people whose address is known to be theirs, sent by e-mail.
func (p *Post) text(ctx context.Context, h *held, m mail.Message) error {
	if p.Phones == nil {
		return errNoPhones
	}
	message := sms.Message{ID: m.ID, To: m.To, Text: m.Text, Locale: h.Locale}
	err := p.Phones.Send(ctx, message)
	if err == nil || m.Code == "" || !final(err) && !errors.Is(err, sms.ErrNotHere) && h.Tries < otherWayAfter {
		return err
	}
	if p.Voice {
		message.Voice, message.Text = true, p.Render.spoken(h.Locale, m.Code)
		if p.Phones.Send(ctx, message) == nil {
			return nil
		}
	}
	if h.fallback == "" || p.Sender == nil {
		return err
	}
	letter, rendering := p.Render.letter(Template(h.Template), h.Locale, parts{Code: m.Code})
	if rendering != nil {
		return errors.Join(err, rendering)
	}
	letter.ID, letter.Channel, letter.To, letter.From, letter.SentAt = m.ID, "email", h.fallback, p.From, m.SentAt
	return p.Sender.Send(ctx, letter)
}

var errNoPhones = errors.New("no provider for messages to phones is configured")
