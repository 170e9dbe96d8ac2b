package sms

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// twilio speaks the 2010-04-01 API: Messages for texts, Calls with a document to read out
// for voice. It has no idempotency key for either.
type twilio struct {
	caller
	base       string
	sid, token string
	from       string // a number, a sender name, or a messaging service (MG...)
	voiceFrom  string // a number; "" makes no calls
}

// What Twilio refuses because of the number, whoever sends: not a number, opted out, not
// mobile, a landline (twilio.com/docs/api/errors).
var twilioRefused = []int{21211, 21217, 21610, 21614, 21635}

// What is wrong with the account: credentials, suspension, too many requests at once.
var twilioSick = []int{20003, 20005, 20006, 20429, 30001, 30002}

func (t *twilio) Send(ctx context.Context, m Message) error {
	if err := t.check(m); err != nil {
		return err
	}
	fields, to := url.Values{"To": {m.To}}, t.base+"/2010-04-01/Accounts/"+url.PathEscape(t.sid)
	if m.Voice {
		say, ok := twilioVoices.of(m.Locale)
		if t.voiceFrom == "" || !ok {
			return t.notHere("voice")
		}
		fields.Set("From", t.voiceFrom)
		fields.Set("Twiml", twiml(say, m.Text))
		to += "/Calls.json"
	} else {
		key := "From"
		if strings.HasPrefix(t.from, "MG") {
			key = "MessagingServiceSid"
		}
		fields.Set(key, t.from)
		fields.Set("Body", m.Text)
		to += "/Messages.json"
	}
	a, err := t.form(ctx, to, fields, func(r *http.Request) { r.SetBasicAuth(t.sid, t.token) })
	if err != nil || a.ok() {
		return err
	}
	var said struct {
		Code int `json:"code"`
	}
	_ = json.Unmarshal(a.body, &said) // without a code the status speaks
	code := ""
	if said.Code > 0 {
		code = strconv.Itoa(said.Code)
	}
	switch {
	case slices.Contains(twilioRefused, said.Code):
		return t.refused(code)
	case slices.Contains(twilioSick, said.Code):
		return t.sick(a, code)
	}
	return t.unwell(a, code)
}

// twiml is a document that is read out twice: who picks up misses the beginning.
func twiml(language, text string) string {
	var b strings.Builder
	b.WriteString(`<Response><Say language="` + language + `" loop="2">`)
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	b.WriteString(`</Say></Response>`)
	return b.String()
}

// voices maps our languages to a provider's names of the voices that speak them.
type voices map[string]string

var twilioVoices = voices{
	"en": "en-US", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "pt": "pt-BR", "it": "it-IT",
	"nl": "nl-NL", "pl": "pl-PL", "ja": "ja-JP", "zh": "zh-CN", "ko": "ko-KR",
}

// of finds the voice for a locale; a text is not read out by a voice of another language.
// Without a locale the text is English.
func (v voices) of(locale string) (string, bool) {
	language, _, _ := strings.Cut(strings.ToLower(locale), "-")
	if language == "" {
		language = "en"
	}
	name, ok := v[language]
	return name, ok
}
