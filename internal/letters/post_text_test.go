package letters_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// telephone is a provider that refuses texts, calls or both.
type telephone struct {
	mu          sync.Mutex
	texts       error
	calls       error
	text, voice []sms.Message // what was taken
	tries       int
}

func (p *telephone) Send(_ context.Context, m sms.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	if m.Voice {
		if p.calls == nil {
			p.voice = append(p.voice, m)
		}
		return p.calls
	}
	if p.texts == nil {
		p.text = append(p.text, m)
	}
	return p.texts
}

// TestCodeTakesAnotherWay: a code that cannot be sent as a text is read out over a call,
// and else goes to the address that is known to be the person's; without either its row
// waits or dies, as the provider says.
func TestCodeTakesAnotherWay(t *testing.T) {
	down := errors.New("http_503")
	for _, c := range []struct {
		name         string
		texts, calls error
		voice        bool
		fallback     string
		rounds       int
		want         string // text, call, mail, waits or dead
	}{
		{"a text", nil, nil, true, "ann@example.com", 1, "text"},
		{"the provider is down: it waits", down, nil, true, "ann@example.com", 1, "waits"},
		{"still down: a call", down, nil, true, "ann@example.com", 2, "call"},
		{"not carried: a call at once", sms.ErrNotHere, nil, true, "ann@example.com", 1, "call"},
		{"refused: a call at once", sms.ErrRefused, nil, true, "ann@example.com", 1, "call"},
		{"refused, and calls too: a letter", sms.ErrRefused, sms.ErrRefused, true, "ann@example.com", 1, "mail"},
		{"refused, and no calls here: a letter", sms.ErrRefused, nil, false, "ann@example.com", 1, "mail"},
		{"refused, and nothing else is known", sms.ErrRefused, sms.ErrRefused, true, "", 1, "dead"},
		{"down, and nothing else is known", down, down, true, "", 2, "waits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := db.SQLite(t)
			mail, phone := &relay{}, &telephone{texts: c.texts, calls: c.calls}
			p := post(t, d, mail)
			p.Phones, p.Voice = phone, c.voice
			enqueue(t, d, p, letters.Letter{
				Template: letters.SignIn, Channel: account.ByPhone, Locale: "en", To: "+12015550123", Code: "012345", Fallback: c.fallback,
			})
			for range c.rounds {
				if _, err := p.SendDue(t.Context()); err != nil {
					t.Fatal(err)
				}
				d.Clock.Advance(10 * time.Second)
			}
			state, sealed, _ := row(t, d)
			got := map[bool]string{true: "dead", false: "waits"}[state == store.Dead]
			switch {
			case len(phone.text) == 1:
				got = "text"
				if m := phone.text[0]; m.To != "+12015550123" || !strings.HasSuffix(m.Text, "\n@auth.example.com #012345") {
					t.Errorf("%+v", m)
				}
			case len(phone.voice) == 1:
				got = "call"
				if m := phone.voice[0]; strings.Contains(m.Text, "012345") || !strings.Contains(m.Text, "0") || m.Locale != "en" {
					t.Errorf("%+v", m)
				}
			case mail.sent == 1:
				got = "mail"
				if m := mail.Messages("ann@example.com", "email"); len(m) != 1 || m[0].Code != "012345" || strings.Contains(m[0].Text, "+1201") {
					t.Errorf("%+v", m)
				}
			}
			if got != c.want {
				t.Errorf("%s, want %s; state %s after %d tries", got, c.want, state, phone.tries)
			}
			if (sealed == nil) != (state != store.Queued) {
				t.Errorf("state %s with secrets %v", state, sealed != nil)
			}
		})
	}
}
