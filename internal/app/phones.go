package app

import (
	"context"
	"encoding/base64"
	"log/slog"
	"regexp"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/sms"
)

// texts is what carries messages to phones, and what guards them: providers behind the
// guard in production, the inbox in development, and both where development has
// providers. The sender is nil where no message can leave.
func (a *App) texts(keys auth.Keys) (sms.Sender, *sms.Guard, error) {
	providers, err := a.Config.SMSProviders(a.Clock.Now)
	if err != nil {
		return nil, nil, err
	}
	inbox := inboxTexts{inbox: a.Inbox, now: a.Clock.Now}
	if providers == nil {
		if a.Inbox == nil {
			return nil, nil, nil
		}
		return inbox, nil, nil
	}
	providers.Told = a.toldOfText
	guard := a.Config.SMSGuard(func(number string) string {
		return base64.RawURLEncoding.EncodeToString(keys.Addresses.Sum([]byte(number))[:16])
	})
	guard.Development = a.Mode == Development
	guard.OnRefused = func(reason string) { a.Metrics.TextRefused(reason) }
	if a.Inbox == nil {
		return providers, guard, nil
	}
	return copiedTexts{inbox: inbox, sender: providers}, guard, nil
}

func (a *App) toldOfText(provider, outcome string, err error) {
	a.Metrics.Text(provider, outcome)
	if err != nil {
		a.Log.LogAttrs(context.Background(), slog.LevelWarn, "sms: a provider did not take a message",
			slog.String("provider", provider), slog.String("outcome", outcome), slog.Any("error", err))
	}
}

// inboxTexts keeps messages for the developer.
type inboxTexts struct {
	inbox *mail.Inbox
	now   func() time.Time
}

var (
	// boundCode is the last line of a message with a code (WebOTP).
	boundCode = regexp.MustCompile(`#(\d+)$`)
	linkedTo  = regexp.MustCompile(`https?://\S+`)
	codeAlone = regexp.MustCompile(`\b\d{6}\b`)
)

func (t inboxTexts) Send(ctx context.Context, m sms.Message) error {
	out := mail.Message{ID: m.ID, Channel: "sms", To: m.To, Text: m.Text, Links: linkedTo.FindAllString(m.Text, -1), SentAt: t.now()}
	if bound := boundCode.FindStringSubmatch(m.Text); bound != nil {
		out.Code = bound[1]
	} else {
		out.Code = codeAlone.FindString(linkedTo.ReplaceAllString(m.Text, ""))
	}
	return t.inbox.Send(ctx, out)
}

// copiedTexts keeps messages for the developer and sends them as well, but for the numbers
// that are kept for fiction.
type copiedTexts struct {
	inbox  inboxTexts
	sender sms.Sender
}

func (t copiedTexts) Send(ctx context.Context, m sms.Message) error {
	if account.FictionalPhone(account.Phone{Key: m.To}) {
		return t.inbox.Send(ctx, m)
	}
	if err := t.sender.Send(ctx, m); err != nil {
		return err
	}
	return t.inbox.Send(ctx, m)
}
