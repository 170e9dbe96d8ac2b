package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// The longest that people may write into a header.
const (
	maxSubject     = 200
	maxUnsubscribe = 900 // a line of a letter has at most 998 bytes
)

// envelope is a letter in the form in which it travels.
type envelope struct {
	from, to      mailbox
	international bool // it can only travel over SMTPUTF8
	raw           []byte
}

// Compose writes a message as a relay is handed it: headers, text and HTML. The same
// message gives the same bytes. An error wraps ErrRefused: the message can never be sent.
func Compose(m Message) ([]byte, error) {
	e, err := compose(m)
	if err != nil {
		return nil, err
	}
	return e.raw, nil
}

func compose(m Message) (envelope, error) {
	refuse := func(what string, err error) (envelope, error) {
		return envelope{}, &Failure{Stage: StageCompose, permanent: true, cause: fmt.Errorf("%s: %w", what, err)}
	}
	to, err := parseMailbox(m.To)
	if err != nil {
		return refuse("the recipient", err)
	}
	name, from, err := parseNamed(m.From)
	if err != nil {
		return refuse("the sender", err)
	}
	e := envelope{from: from, to: to, international: from.international() || to.international()}
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	letter.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, from.named(name))
	letter.SetAddrHeaderFromMailAddress(gomail.HeaderTo, to.named(""))
	if m.ReplyTo != "" {
		name, reply, err := parseNamed(m.ReplyTo)
		if err != nil {
			return refuse("the reply address", err)
		}
		e.international = e.international || reply.international()
		letter.SetAddrHeaderFromMailAddress(gomail.HeaderReplyTo, reply.named(name))
	}
	if m.Unsubscribe != "" {
		if err := checkUnsubscribe(m.Unsubscribe); err != nil {
			return refuse("the address to unsubscribe", err)
		}
		letter.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+m.Unsubscribe+">")
		letter.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	letter.Subject(clean(m.Subject, maxSubject))
	letter.SetMessageIDWithValue(messageID(m, from.domain))
	letter.SetDateWithValue(m.SentAt.UTC())
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	body(letter, m)
	var raw bytes.Buffer
	if _, err := letter.WriteTo(&raw); err != nil {
		return refuse("the letter", err)
	}
	e.raw = raw.Bytes()
	return e, nil
}

func body(letter *gomail.Msg, m Message) {
	tidy := func(s string) string { return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\ufffd") }
	text, html := tidy(m.Text), tidy(m.HTML)
	switch {
	case html == "":
		letter.SetBodyString(gomail.TypeTextPlain, text)
	case text == "":
		letter.SetBodyString(gomail.TypeTextHTML, html)
	default:
		// Nobody who fills the letter can know its id, so nothing in it ends a part.
		letter.SetBoundary("limen-" + digest("boundary", m.ID, m.Subject, text, html))
		letter.SetBodyString(gomail.TypeTextPlain, text)
		letter.AddAlternativeString(gomail.TypeTextHTML, html)
	}
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// messageID stays the same over all tries of a message, so that a second copy can be
// told.
func messageID(m Message, domain string) string {
	id := m.ID
	if !plainID.MatchString(id) {
		id = digest("message-id", m.ID, m.To, m.Subject, m.Text)
	}
	return id + "@" + domain
}

func digest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))[:40]
}

// checkUnsubscribe demands what RFC 8058 does: https, except on this machine.
func checkUnsubscribe(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || len(s) > maxUnsubscribe:
		return errors.New("it is not an https address")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return errors.New("it is not an https address")
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '<' || c == '>' {
			return errors.New("it holds characters that must be escaped")
		}
	}
	return nil
}
