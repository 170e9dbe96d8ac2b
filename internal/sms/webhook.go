package sms

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// SignatureHeader is what a webhook is signed with: t=<Unix seconds>,v1=<hex of
// HMAC-SHA256 over "t.body" under the shared secret>.
const SignatureHeader = "Limen-Signature"

// webhook posts the message to a program of the operator's own. Any 2xx means that it was
// taken. 401, 402, 403, 408, 429 and everything from 500 on mean that the program is not
// well; any other 4xx that the number is refused. The id makes it idempotent there.
type webhook struct {
	caller
	to     string
	secret string
	now    func() time.Time
}

func (w *webhook) Send(ctx context.Context, m Message) error {
	if err := w.check(m); err != nil {
		return err
	}
	channel := "sms"
	if m.Voice {
		channel = "voice"
	}
	body, err := json.Marshal(struct {
		ID      string `json:"id"`
		To      string `json:"to"`
		Text    string `json:"text"`
		Channel string `json:"channel"`
		Locale  string `json:"locale,omitempty"`
	}{m.ID, m.To, m.Text, channel, m.Locale})
	if err != nil {
		return w.broken(err)
	}
	a, err := w.post(ctx, w.to, "application/json", body, func(r *http.Request) {
		r.Header.Set(SignatureHeader, sign(w.secret, body, w.now()))
	})
	if err != nil || a.ok() {
		return err
	}
	switch code := a.status; {
	case code == http.StatusUnauthorized, code == http.StatusPaymentRequired, code == http.StatusForbidden,
		code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code < 400, code >= 500:
		return w.sick(a, "")
	}
	return w.refused("http_" + strconv.Itoa(a.status))
}

func sign(secret string, body []byte, now time.Time) string {
	t := strconv.FormatInt(now.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac([]byte(secret), t+"."+string(body)))
}
