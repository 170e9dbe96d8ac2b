package pages_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/browser"
)

// hostile is a letter that tries everything that HTML can try.
const hostile = `<!doctype html><html><head><style>p{color:rgb(1,2,3)}</style><meta http-equiv="refresh" content="1;url=/dev/clock"></head>
<body><p id="p">styled</p><script>document.title = "ran"; parent.postMessage("ran", "*")</script>
<img src="/dev/messages" onerror="document.title='ran'"><link rel="stylesheet" href="/static/x.css">
<form action="/dev/inbox/clear" method="post"><button id="b">x</button></form><a href="/sign-in">on</a></body></html>`

func arrive(t *testing.T, s *app.Server, m mail.Message) {
	t.Helper()
	m.SentAt, m.From = s.Clock.Now(), "no-reply@localhost"
	if err := s.Inbox.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// TestInboxInABrowser: what is sent appears by itself, what stands open stays open, and
// the HTML of a letter is shown without being trusted.
func TestInboxInABrowser(t *testing.T) {
	s := app.SQLite(t, nil)
	tab := browser.New(t).Tab(t)
	tab.Tolerate() // the browser tells of what it keeps the hostile letter from
	tab.Open(s.URL + "/dev/inbox")
	if tab.Count(".empty") != 1 {
		t.Error("the inbox is not empty")
	}
	arrive(t, s, mail.Message{ID: "msg_1", Channel: "email", To: "a@b.test", Subject: "Hostile", Text: "hello", HTML: hostile, Code: "012345", Links: []string{s.URL + "/sign-in"}})
	tab.Wait("#msg_1")
	if got := tab.Text("#msg_1 .code"); got != "012345" {
		t.Errorf("the code is %q", got)
	}
	tab.Click("#msg_1 details:first-of-type summary")
	tab.Until(`document.querySelector("#msg_1 iframe").offsetHeight > 100`)

	arrive(t, s, mail.Message{ID: "msg_2", Channel: "sms", To: "+12025550123", Text: "Your code is 424242.", Code: "424242"})
	tab.Wait("#msg_2")
	if tab.Count("#msg_1 details[open]") != 1 {
		t.Error("the open letter was shut")
	}
	if got := tab.Text("#msg_2"); !strings.Contains(got, "Your code is 424242.") || !strings.Contains(got, "SMS") {
		t.Errorf("%q", got)
	}
	tab.Axe("inbox with an open letter")
	if *screenshots != "" {
		tab.Screenshot(filepath.Join(*screenshots, "inbox-live.png"))
	}
	s.Inbox.Forget()
	tab.Wait(".empty")
	if strings.Contains(browser.Eval[string](tab, "document.title"), "ran") {
		t.Error("the letter's script ran")
	}
}

// TestLetterIsShownInert: opened by itself, a letter still runs and loads nothing.
func TestLetterIsShownInert(t *testing.T) {
	s := app.SQLite(t, nil)
	arrive(t, s, mail.Message{ID: "msg_1", Channel: "email", To: "a@b.test", Subject: "Hostile", Text: "hello", HTML: hostile})
	a := s.Client(t, "").Do("GET", "/dev/inbox/msg_1", nil).Want(http.StatusOK)
	csp := a.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "sandbox allow-popups allow-popups-to-escape-sandbox", "form-action 'none'", "frame-ancestors 'self'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "allow-scripts") || strings.Contains(csp, "allow-same-origin") || strings.Contains(csp, "script-src") {
		t.Errorf("%q lets scripts run", csp)
	}
	if !strings.Contains(string(a.Body), `<head><base target="_blank">`) {
		t.Error("its links would open in the frame")
	}
	s.Client(t, "").Do("GET", "/dev/inbox/msg_2", nil).Want(http.StatusNotFound)

	tab := browser.New(t).Tab(t)
	tab.Tolerate()
	tab.Open(s.URL + "/dev/inbox/msg_1")
	if got := browser.Eval[string](tab, `getComputedStyle(document.querySelector("#p")).color + document.title`); got != "rgb(1, 2, 3)" {
		t.Errorf("%q", got)
	}
	if got := browser.Eval[string](tab, `self.origin`); got != "null" {
		t.Errorf("its origin is %q", got)
	}
}

// TestInboxWithoutScripts: everything is on the page, and looking again is a link.
func TestInboxWithoutScripts(t *testing.T) {
	s := app.SQLite(t, nil)
	tab := browser.New(t).Tab(t)
	tab.Scripts(false)
	tab.Open(s.URL + "/dev/inbox")
	arrive(t, s, mail.Message{ID: "msg_1", Channel: "email", To: "a@b.test", Subject: "Hello", Text: "words", HTML: "<p>words</p>", Code: "012345"})
	tab.Go(".bar a.btn")
	if tab.Count("#msg_1 .code") != 1 || tab.Count("[data-copy]:not([hidden])") != 0 {
		t.Error("the letter is not there, or a button that needs a script is")
	}
	tab.Go(".bar form button")
	if tab.Count("#msg_1") != 0 || tab.Count(".empty") != 1 {
		t.Error("the inbox was not emptied")
	}
}
