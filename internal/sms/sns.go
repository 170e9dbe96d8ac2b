package sms

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// sns speaks the query API of Amazon SNS, version 2010-03-31: Publish to a number. It
// does not call, and has no idempotency key for messages to phones.
type sns struct {
	caller
	base   string
	sign   signer
	sender string // a name or a number; "" leaves it to the account
	now    func() time.Time
}

// What is wrong with our request as a whole, or with the account, although the status is
// the one of a bad message.
var snsSick = []string{
	"Throttling", "Throttled", "ThrottlingException", "RequestExpired", "IncompleteSignature", "InvalidSecurity",
	"MissingAuthenticationToken", "OptInRequired", "MalformedQueryString", "InvalidAction",
}

func (s *sns) Send(ctx context.Context, m Message) error {
	if err := s.check(m); err != nil {
		return err
	}
	if m.Voice {
		return s.notHere("voice")
	}
	fields := url.Values{
		"Action": {"Publish"}, "Version": {"2010-03-31"}, "PhoneNumber": {m.To}, "Message": {m.Text},
		"MessageAttributes.entry.1.Name":              {"AWS.SNS.SMS.SMSType"},
		"MessageAttributes.entry.1.Value.DataType":    {"String"},
		"MessageAttributes.entry.1.Value.StringValue": {"Transactional"},
	}
	if s.sender != "" {
		name := "AWS.SNS.SMS.SenderID"
		if strings.Trim(s.sender, "+0123456789") == "" {
			name = "AWS.MM.SMS.OriginationNumber"
		}
		fields.Set("MessageAttributes.entry.2.Name", name)
		fields.Set("MessageAttributes.entry.2.Value.DataType", "String")
		fields.Set("MessageAttributes.entry.2.Value.StringValue", s.sender)
	}
	body := []byte(fields.Encode())
	a, err := s.post(ctx, s.base+"/", "application/x-www-form-urlencoded", body, func(r *http.Request) { s.sign.dress(r, body, s.now()) })
	if err != nil || a.ok() {
		return err
	}
	var said struct {
		Error struct {
			Code, Message string
		}
	}
	_ = xml.Unmarshal(a.body, &said) // without a code the status speaks
	switch code := said.Error.Code; {
	case code == "OptedOut", code == "InvalidParameter" && strings.Contains(said.Error.Message, "PhoneNumber"):
		return s.refused(code)
	case slices.Contains(snsSick, code):
		return s.sick(a, code)
	default:
		return s.unwell(a, code)
	}
}
