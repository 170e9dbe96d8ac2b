package mail

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"
)

// ErrRefused says that a letter will never be taken: the recipient or the content was
// refused for good. Trying again, here or elsewhere, is useless.
var ErrRefused = errors.New("refused for good")

// ErrResting says that every relay rests after failures and nothing was tried.
var ErrResting = errors.New("every relay rests after failures")

// Stage is the part of a delivery that failed.
type Stage string

// The stages, in their order.
const (
	StageConnect Stage = "connect"
	StageTLS     Stage = "tls"
	StageAuth    Stage = "auth"
	StageCompose Stage = "compose"
	StageSender  Stage = "sender"
	StageRcpt    Stage = "recipient"
	StageContent Stage = "content"
)

// Failure is why one relay did not take a letter. Its text holds no address and nothing
// that the relay said beyond its codes, so it may be logged and stored.
type Failure struct {
	Relay    string // host:port
	Stage    Stage
	Code     int    // the relay's answer; 0: there was none
	Enhanced string // as in RFC 3463, like 5.1.1; "" where the relay has none

	said      string
	permanent bool // of the letter
	elsewhere bool // permanent here, while another relay may be able
	blame     bool // the relay itself is unwell
	cause     error
}

// Error tells the stage and the codes.
func (f *Failure) Error() string {
	var b strings.Builder
	if f.Relay != "" {
		b.WriteString(f.Relay + ": ")
	}
	b.WriteString(string(f.Stage))
	if f.permanent {
		b.WriteString(" refused for good")
	} else {
		b.WriteString(" failed")
	}
	if f.Code != 0 {
		fmt.Fprintf(&b, ": %d", f.Code)
		if f.Enhanced != "" {
			b.WriteString(" " + f.Enhanced)
		}
	} else if f.cause != nil {
		b.WriteString(": " + f.cause.Error())
	}
	return b.String()
}

// Unwrap gives ErrRefused where the letter is refused for good, and what went wrong on
// this side, if anything.
func (f *Failure) Unwrap() []error {
	var all []error
	if f.permanent {
		all = append(all, ErrRefused)
	}
	if f.cause != nil {
		all = append(all, f.cause)
	}
	return all
}

// Said is what the relay answered in its own words, on one line. It may quote the
// recipient: show it to the operator who asks, and never log or store it.
func (f *Failure) Said() string { return f.said }

var enhanced = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b`)

// failed makes a Failure of what happened at a stage.
func (s *SMTP) failed(stage Stage, err error) *Failure {
	f := &Failure{Relay: s.Relay.String(), Stage: stage}
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		f.cause, f.blame = bland{err}, true
		return f
	}
	f.Code, f.Enhanced = reply.Code, enhanced.FindString(reply.Msg)
	f.said = clean(fmt.Sprintf("%d %s", reply.Code, reply.Msg), 500)
	switch {
	case stage != StageRcpt && stage != StageContent, f.Code == 421:
		f.blame = true // a relay that refuses us refuses everybody's letters
	case f.Code >= 500:
		f.permanent = f.aboutTheLetter()
	}
	return f
}

// aboutTheLetter tells a refusal of this recipient or content from one of limen itself:
// a relay that wants a password, refuses to relay or did not understand would refuse
// every letter, and the operator can mend that while the letters wait.
func (f *Failure) aboutTheLetter() bool {
	switch f.Code {
	case 500, 502, 503, 504, 521, 523, 530, 534, 535, 538:
		return false
	}
	if f.Stage == StageContent {
		return true
	}
	for _, class := range []string{"5.3.", "5.5.", "5.7."} {
		if strings.HasPrefix(f.Enhanced, class) {
			return false
		}
	}
	return true
}

// bland keeps what a foreign error says about this machine and its network, and drops
// what it may quote of the conversation.
type bland struct{ error }

// Error is one line without addresses of people.
func (b bland) Error() string {
	words := strings.Fields(clean(b.error.Error(), 300))
	for i, word := range words {
		if strings.Contains(word, "@") {
			words[i] = "(address)"
		}
	}
	return strings.Join(words, " ")
}

// Unwrap leads to the error itself.
func (b bland) Unwrap() error { return b.error }
