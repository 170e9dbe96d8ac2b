package mail_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/mail"
)

var update = flag.Bool("update", false, "write the golden letters")

func TestComposeGolden(t *testing.T) {
	full := mail.Message{
		ID: "msg_01k3c5x5s1f7s8z0v7m1w2q3r4", Channel: "email", To: "ann@bücher.example", From: `"Halcyon, Inc." <no-reply@auth.example.com>`,
		ReplyTo: "Hilfe für alle <help@example.com>", Unsubscribe: "https://auth.example.com/unsubscribe?t=abc",
		Subject: "012345 · Dein Code für die Anmeldung bei Halcyon, der freundlichsten Bücherei der Stadt",
		Text:    "Dein Code: 012345\n\nEr gilt zehn Minuten.\n.\nFrom hier an ist alles = gut.\n",
		HTML:    "<p>Dein Code: <b>012345</b></p>\n", SentAt: time.Date(2026, 3, 14, 16, 9, 26, 0, time.FixedZone("CET", 3600)),
	}
	plain := full
	plain.HTML, plain.ReplyTo, plain.Unsubscribe, plain.From, plain.To = "", "", "", "no-reply@auth.example.com", "ann@example.com"
	for name, m := range map[string]mail.Message{"full": full, "plain": plain} {
		got, err := mail.Compose(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := mail.Compose(m)
		if err != nil || !bytes.Equal(got, again) {
			t.Errorf("%s: the same message gives two letters: %v", name, err)
		}
		path := filepath.Join("testdata", name+".eml.golden")
		text := bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(text, want) {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
	}
}

// TestMessageIDIsStable: a letter that is tried again has the same Message-ID, two
// letters never do, and no id breaks out of it.
func TestMessageIDIsStable(t *testing.T) {
	id := func(m mail.Message) string {
		t.Helper()
		raw, err := mail.Compose(m)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Header.Get("Message-Id")
	}
	m := letter("msg_1")
	first := id(m)
	m.SentAt = m.SentAt.Add(time.Hour)
	if got := id(m); got != first || got != "<msg_1@auth.example.com>" {
		t.Errorf("%s, then %s", first, got)
	}
	seen := map[string]bool{}
	for _, odd := range []string{"", "msg_2", "a@b", "x>\r\nBcc: eve@example.com", "msg 2", strings.Repeat("x", 65)} {
		m.ID = odd
		got := id(m)
		if seen[got] || !regexp.MustCompile(`^<[A-Za-z0-9_-]{1,64}@auth\.example\.com>$`).MatchString(got) {
			t.Errorf("%q gives %s", odd, got)
		}
		seen[got] = true
	}
}

func TestComposeRefuses(t *testing.T) {
	for name, edit := range map[string]func(*mail.Message){
		"no recipient":          func(m *mail.Message) { m.To = "" },
		"two recipients":        func(m *mail.Message) { m.To = "a@example.com, b@example.com" },
		"a name":                func(m *mail.Message) { m.To = "Ann <ann@example.com>" },
		"a new line":            func(m *mail.Message) { m.To = "ann@example.com\r\nBcc: eve@example.com" },
		"a new line, bare":      func(m *mail.Message) { m.To = "ann@example.com\nX: y" },
		"a return":              func(m *mail.Message) { m.To = "ann\r@example.com" },
		"NUL":                   func(m *mail.Message) { m.To = "ann\x00@example.com" },
		"a bracket":             func(m *mail.Message) { m.To = "ann@example.com> NOTIFY=SUCCESS" },
		"a quoted local part":   func(m *mail.Message) { m.To = `"ann\r\nx"@example.com` },
		"a comment":             func(m *mail.Message) { m.To = "ann(x)@example.com" },
		"a route":               func(m *mail.Message) { m.To = "@evil.example:ann@example.com" },
		"an address literal":    func(m *mail.Message) { m.To = "ann@[127.0.0.1]" },
		"a space":               func(m *mail.Message) { m.To = "ann lee@example.com" },
		"a no-break space":      func(m *mail.Message) { m.To = "ann\u00a0lee@example.com" },
		"turned writing":        func(m *mail.Message) { m.To = "ann\u202e@example.com" },
		"a line separator":      func(m *mail.Message) { m.To = "ann\u2028@example.com" },
		"broken UTF-8":          func(m *mail.Message) { m.To = "ann\xff@example.com" },
		"an encoded word":       func(m *mail.Message) { m.To = "=?utf-8?q?ann=40evil.example=3e=00?=@example.com" },
		"dots":                  func(m *mail.Message) { m.To = "ann..lee@example.com" },
		"no domain":             func(m *mail.Message) { m.To = "ann@" },
		"a domain of dots":      func(m *mail.Message) { m.To = "ann@example..com" },
		"an underscored domain": func(m *mail.Message) { m.To = "ann@exa_mple.com" },
		"a megabyte":            func(m *mail.Message) { m.To = strings.Repeat("a", 1<<20) + "@example.com" },
		"a sender with lines":   func(m *mail.Message) { m.From = "Halcyon\r\nBcc: e@example.com <a@example.com>" },
		"no sender":             func(m *mail.Message) { m.From = "Halcyon" },
		"two senders":           func(m *mail.Message) { m.From = "a@example.com, b@example.com" },
		"a reply with lines":    func(m *mail.Message) { m.ReplyTo = "a@example.com\nBcc: e@example.com" },
		"unsubscribe by http":   func(m *mail.Message) { m.Unsubscribe = "http://example.com/u" },
		"unsubscribe by script": func(m *mail.Message) { m.Unsubscribe = "javascript:alert(1)" },
		"unsubscribe, lines":    func(m *mail.Message) { m.Unsubscribe = "https://example.com/u\r\nBcc: e@example.com" },
		"unsubscribe, brackets": func(m *mail.Message) { m.Unsubscribe = "https://example.com/>,<mailto:e@example.com" },
		"unsubscribe, endless":  func(m *mail.Message) { m.Unsubscribe = "https://example.com/" + strings.Repeat("a", 1000) },
	} {
		m := letter("msg_1")
		edit(&m)
		raw, err := mail.Compose(m)
		if !errors.Is(err, mail.ErrRefused) {
			t.Errorf("%s: %v\n%s", name, err, raw)
		} else if strings.Contains(err.Error(), "ann") || strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: the error quotes the address: %v", name, err)
		}
	}
}

func TestSubjectsAreOneLineOfText(t *testing.T) {
	for subject, want := range map[string]string{
		"Hello\r\nBcc: eve@example.com":       "Hello  Bcc: eve@example.com",
		"a\x00b\x7fc\u0085d\u2028e":           "a b c d e",
		"=?utf-8?q?=0D=0ABcc:_eve?=":          "= ?utf-8?q?=0D=0ABcc:_eve?=",
		"moc.elpmaxe \u202eexample.com\u2066": "moc.elpmaxe example.com",
		"  ":                                  "",
		"broken \xff\xfe":                     "broken \ufffd",
		strings.Repeat("長い", 500):             strings.Repeat("長い", 100),
		"كود \u200fالدخول 012345":             "كود \u200fالدخول 012345",
	} {
		m := letter("msg_1")
		m.Subject = subject
		checkLetter(t, m)
		raw, err := mail.Compose(m)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := (&mime.WordDecoder{}).DecodeHeader(parsed.Header.Get("Subject")); err != nil || got != want {
			t.Errorf("%q becomes %q (%v), want %q", subject, got, err, want)
		}
	}
}

// headers are all that a letter may have, and no letter has one of them twice.
var headers = []string{
	"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "List-Unsubscribe", "List-Unsubscribe-Post",
	"Message-ID", "MIME-Version", "Reply-To", "Subject", "To",
}

// checkLetter composes a message and demands what holds for every letter, whoever filled
// it.
func checkLetter(t *testing.T, m mail.Message) {
	t.Helper()
	raw, err := mail.Compose(m)
	if err != nil {
		if !errors.Is(err, mail.ErrRefused) {
			t.Errorf("an error that is no refusal: %v", err)
		}
		return
	}
	if bytes.ContainsRune(raw, 0) {
		t.Errorf("NUL in\n%q", raw)
	}
	if bare := bytes.ReplaceAll(raw, []byte("\r\n"), nil); bytes.ContainsAny(bare, "\r\n") {
		t.Errorf("a bare line end in\n%q", raw)
	}
	head, _, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("no end of the header in\n%q", raw)
	}
	seen := map[string]bool{}
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
		if strings.HasPrefix(line, " ") {
			continue
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok || !slices.Contains(headers, name) || seen[name] {
			t.Errorf("the header line %q in\n%s", line, head)
		}
		seen[name] = true
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in\n%q", err, raw)
	}
	for _, name := range []string{"To", "From"} {
		all, err := parsed.Header.AddressList(name)
		if err != nil || len(all) != 1 || strings.ContainsFunc(all[0].Name+all[0].Address, unicode.IsControl) {
			t.Fatalf("%s: %v %v in\n%s", name, all, err, head)
		}
		local, _, _ := strings.Cut(m.To, "@")
		if name == "To" && !strings.HasPrefix(all[0].Address, local+"@") {
			t.Errorf("to %q instead of %q", all[0].Address, m.To)
		}
	}
	subject, err := (&mime.WordDecoder{}).DecodeHeader(parsed.Header.Get("Subject"))
	if err != nil || strings.ContainsFunc(subject, unicode.IsControl) || !utf8.ValidString(subject) {
		t.Errorf("the subject %q, %v", subject, err)
	}
	checkParts(t, m, parsed)
}

// checkParts demands that the parts are those of the message, and that nothing in one of
// them ends it.
func checkParts(t *testing.T, m mail.Message, parsed *netmail.Message) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	tidy := func(s string) string {
		s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\ufffd")
		return strings.NewReplacer("\r", "", "\n", "").Replace(s)
	}
	if tidy(m.Text) == "" || tidy(m.HTML) == "" {
		return
	}
	if kind != "multipart/alternative" {
		t.Fatalf("the letter is %s", kind)
	}
	parts := multipart.NewReader(parsed.Body, params["boundary"])
	for _, want := range []string{m.Text, m.HTML} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p)
		// Line ends may change their form; what is before and after them may not.
		if err != nil || strings.NewReplacer("\r", "", "\n", "").Replace(string(got)) != tidy(want) {
			t.Errorf("a part is %q, want %q (%v)", got, want, err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("there is a third part: %v", err)
	}
}

// FuzzHeaders fills every field that people or operators fill with anything at all.
func FuzzHeaders(f *testing.F) {
	f.Add("ann@example.com", "Halcyon <no-reply@example.com>", "Your code", "text\n", "<p>html</p>", "help@example.com", "https://example.com/u", "msg_1")
	f.Add("a@b\r\nBcc: c@d", "x\r\ny <a@b>", "s\r\n\r\nbody", "\r\n.\r\n", "--limen-", "a@b\n", "https://x/\r\n", ">\r\nX: y")
	f.Add("a@b.co", `"\"x\\" <a@b.co>`, "=?utf-8?q?=0D=0A?=", "\x00", "\xff", "=?utf-8?q?x?= <a@b.co>", "http://localhost/", "")
	f.Add("jörg@bücher.example", "Jörg\u202e <a@bücher.example>", strings.Repeat("長 ", 300), "a\rb", "a", "", "", "a b")
	f.Fuzz(func(t *testing.T, to, from, subject, text, html, reply, unsubscribe, id string) {
		m := mail.Message{
			ID: id, To: to, From: from, Subject: subject, Text: text, HTML: html, ReplyTo: reply, Unsubscribe: unsubscribe,
			SentAt: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
		}
		checkLetter(t, m)
		// Each field alone, beside fields that pass: else one that is refused hides the rest.
		for _, edit := range []func(*mail.Message){
			func(m *mail.Message) { m.To = to }, func(m *mail.Message) { m.From = from }, func(m *mail.Message) { m.ReplyTo = reply },
			func(m *mail.Message) { m.Subject = subject }, func(m *mail.Message) { m.Text, m.HTML = text, html },
			func(m *mail.Message) { m.From = subject + " <no-reply@example.com>" },
			func(m *mail.Message) { m.ID, m.Unsubscribe = id, unsubscribe },
		} {
			m := letter("msg_1")
			edit(&m)
			checkLetter(t, m)
		}
	})
}
