package mail_test

import (
	"fmt"
	"testing"

	"github.com/limenauth/limen/internal/mail"
)

func TestInbox(t *testing.T) {
	var inbox mail.Inbox
	send := func(m mail.Message) {
		t.Helper()
		if err := inbox.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for n := range mail.InboxSize + 5 {
		send(mail.Message{ID: fmt.Sprint(n), To: "a@example.com", Channel: "email"})
	}
	send(mail.Message{ID: "sms", To: "+1", Channel: "sms"})
	all := inbox.Messages("", "")
	if len(all) != mail.InboxSize || all[0].ID != "sms" || all[1].ID != fmt.Sprint(mail.InboxSize+4) {
		t.Errorf("%d messages, newest %s", len(all), all[0].ID)
	}
	if got := inbox.Messages("A@EXAMPLE.COM", "email"); len(got) != mail.InboxSize-1 {
		t.Errorf("%d letters to the address", len(got))
	}
	// A second copy of the same message replaces the first.
	send(mail.Message{ID: "sms", To: "+2", Channel: "sms"})
	if got := inbox.Messages("", "sms"); len(got) != 1 || got[0].To != "+2" {
		t.Errorf("%+v", got)
	}
	inbox.Forget()
	if got := inbox.Messages("", ""); got == nil || len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
