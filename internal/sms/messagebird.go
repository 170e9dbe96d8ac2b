package sms

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// messagebird speaks the REST API: messages for texts, voicemessages for calls. The id of
// the message goes along as reference; it does not make a request idempotent.
type messagebird struct {
	caller
	base string
	key  string
	from string
}

var messagebirdVoices = voices{
	"en": "en-gb", "de": "de-de", "fr": "fr-fr", "es": "es-es", "pt": "pt-br", "it": "it-it",
	"nl": "nl-nl", "pl": "pl-pl", "ja": "ja-jp", "zh": "zh-cn", "ko": "ko-kr",
}

func (b *messagebird) Send(ctx context.Context, m Message) error {
	if err := b.check(m); err != nil {
		return err
	}
	to := []string{strings.TrimPrefix(m.To, "+")}
	path := "/messages"
	body := map[string]any{"recipients": to, "body": m.Text, "reference": clip(m.ID, 60), "originator": strings.TrimPrefix(b.from, "+")}
	if m.Voice {
		say, ok := messagebirdVoices.of(m.Locale)
		if !ok {
			return b.notHere("voice")
		}
		path = "/voicemessages"
		// A machine that picks up is told nothing: nobody knows who listens to it later.
		body["language"], body["repeat"], body["ifMachine"] = say, 2, "hangup"
		if strings.Trim(b.from, "+0123456789") != "" {
			delete(body, "originator") // a name is no caller
		}
	} else {
		body["datacoding"] = "plain"
		if _, unicode := Segments(m.Text); unicode {
			body["datacoding"] = "unicode"
		}
	}
	a, err := b.json(ctx, b.base+path, body, func(r *http.Request) {
		r.Header.Set("Authorization", "AccessKey "+b.key)
		r.Header.Set("Accept", "application/json")
	})
	if err != nil || a.ok() {
		return err
	}
	return b.judge(a)
}

type messagebirdError struct {
	Code      int    `json:"code"`
	Parameter string `json:"parameter"`
}

func (b *messagebird) judge(a answer) error {
	var said struct {
		Errors []messagebirdError `json:"errors"`
	}
	if json.Unmarshal(a.body, &said) != nil || len(said.Errors) == 0 {
		return b.unwell(a, "")
	}
	code := strconv.Itoa(said.Errors[0].Code)
	has := func(is func(messagebirdError) bool) bool { return slices.ContainsFunc(said.Errors, is) }
	switch {
	case has(func(e messagebirdError) bool { return e.Code == 2 || e.Code == 25 || e.Code >= 98 }): // key, balance, their trouble
		return b.sick(a, code)
	case has(func(e messagebirdError) bool {
		return (e.Code == 9 || e.Code == 10) && strings.HasPrefix(e.Parameter, "recipient")
	}):
		return b.refused(code)
	}
	return b.unwell(a, code)
}
