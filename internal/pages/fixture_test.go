package pages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/pages"
	"github.com/limenauth/limen/internal/text"
)

// noon is when every fixture is looked at.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// fixture is a screen in one of its states.
type fixture struct {
	name string
	view pages.View
}

func catalogue(t testing.TB) *text.Catalogue {
	t.Helper()
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func renderer(t testing.TB) *pages.Renderer {
	t.Helper()
	r, err := pages.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func page(c *text.Catalogue, lang, path string) pages.Page {
	return pages.Page{
		T: c.For(lang), Languages: c.Languages(), AppName: "Halcyon", Host: "auth.halcyon.example",
		Path: path, RequestID: "req_06bq3k4v9x8dtmz2w1", Now: noon,
		HelpURL: "https://halcyon.example/help", PrivacyURL: "https://halcyon.example/privacy", TermsURL: "https://halcyon.example/terms",
	}
}

// fixtures returns every screen in every state that looks different.
func fixtures(c *text.Catalogue, lang string) []fixture {
	at := func(path string) pages.Page { return page(c, lang, path) }
	in, up, out := at("/sign-in"), at("/sign-up"), at("/signed-out")
	in.Carry = []pages.Pair{{Name: "redirect_to", Value: "https://app.halcyon.example/back?a=1&b=2"}, {Name: "state", Value: `"><b>`}}
	code := at("/sign-in/code")
	code.Carry = []pages.Pair{{Name: "attempt", Value: "att_06bq3k4v9x8dtmz2w1_secret"}}
	dev := at("/dev/inbox")
	dev.Dev, dev.AppName, dev.Host = true, "limen", "localhost:4455"
	dev.HelpURL, dev.PrivacyURL, dev.TermsURL = "", "", ""
	devIn := dev
	devIn.Path = "/sign-in"
	dark := at("/sign-in")
	dark.Theme = "dark"

	invalid := fault.ErrInvalidRequest
	wrong := fault.New(fault.Unauthenticated, "invalid_credentials", "")
	return append(append(letterFixtures(c, lang), addressFixtures(c, lang)...), []fixture{
		{"sign-in", pages.SignIn{Page: in, SignUpURL: "/sign-up?state=x", ForgotURL: "/recovery"}},
		{"sign-in-refused", pages.SignIn{Page: in, SignUpURL: "/sign-up", Identifier: "mara@studio.example", Problem: in.Problem(wrong, 8)}},
		{"sign-in-empty", pages.SignIn{Page: in, Problem: in.Problem(invalid.Field("identifier", "required").Field("password", "required"), 8)}},
		{"sign-in-limited", pages.SignIn{Page: in, Identifier: "mara", Problem: in.Problem(fault.ErrRateLimited.After(45*time.Second), 8)}},
		{"sign-in-changed", pages.SignIn{Page: in, SignUpURL: "/sign-up", ForgotURL: "/recovery", Changed: true}},
		{"sign-in-phones", pages.SignIn{Page: in, SignUpURL: "/sign-up", Phones: true}},
		{"sign-in-mute", pages.SignIn{Page: in, NoLetters: true}},
		{"sign-in-dev", pages.SignIn{Page: devIn, SignUpURL: "/sign-up", Ended: true}},
		{"sign-in-dark", pages.SignIn{Page: dark, Identifier: "mara@studio.example"}},
		{"continue", pages.Continue{Page: in, Identifier: "mara@studio.example", OtherURL: "/sign-in?prompt=login"}},
		{"sign-up", pages.SignUp{Page: up, MinLength: 8, SignInURL: "/sign-in"}},
		{"sign-up-refused", pages.SignUp{Page: up, MinLength: 15, SignInURL: "/sign-in", AskUsername: true, Email: "mara@studio", Username: "mara",
			Problem: up.Problem(invalid.Field("email", "invalid").Field("password", "too_short").Field("username", "reserved"), 15)}},
		{"signed-out", pages.SignedOut{Page: out, SignInURL: "/sign-in"}},
		{"signed-out-everywhere", pages.SignedOut{Page: out, SignInURL: "/sign-in", After: pages.OutEverywhere}},
		{"deleted", pages.SignedOut{Page: out, SignUpURL: "/sign-up", After: pages.Deleted}},
		{"closed", pages.SignedOut{Page: out, SignInURL: "/sign-in", After: pages.Closed}},
		{"account", account(at("/account"))},
		{"account-refused", refusedAccount(at("/account"))},
		{"account-bare", bareAccount(at("/account"))},
		{"confirm", pages.Confirm{Page: at("/account/confirm"), CanPassword: true, CanCode: true, Identifier: "mara@studio.example"}},
		{"confirm-refused", pages.Confirm{Page: at("/account/confirm"), CanPassword: true, Identifier: "mara@studio.example",
			Problem: in.Problem(invalid.Field("password", "incorrect"), 8)}},
		{"confirm-offer", pages.Confirm{Page: code, Step: pages.OfferCode, CanCode: true, SentTo: "m•••@studio.example"}},
		{"confirm-code", pages.Confirm{Page: code, Step: pages.AskCode, CanCode: true, CanPassword: true, SentTo: "m•••@studio.example",
			ExpiresIn: 10 * time.Minute, ResendIn: 30 * time.Second, Resent: true, PasswordURL: "/account/confirm?with=password"}},
		{"error-internal", pages.Error{Page: at("/account"), Fault: fault.ErrInternal}},
		{"error-not-found", pages.Error{Page: at("/nowhere"), Fault: fault.ErrNotFound, SignedIn: true}},
		{"error-limited", pages.Error{Page: at("/sign-in"), Fault: fault.ErrRateLimited.After(5 * time.Minute)}},
		{"inbox", inbox(dev)},
		{"inbox-empty", pages.Inbox{Page: dev}},
	}...)
}

func account(p pages.Page) pages.Account {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	const day = 24 * time.Hour
	return pages.Account{
		Page: p, Saved: "profile", Keeps: true, DeleteAsk: "mara@studio.example",
		Person:   pages.Person{Email: "mara@studio.example", EmailVerified: true, Username: "mara", FirstName: "Mara", LastName: "Keller", Locale: "fr"},
		Password: pages.PasswordState{Set: true, AskCurrent: true, ChangedAt: ago(253 * day), MinLength: 8},
		Sessions: []pages.SessionRow{
			{ID: "ses_1", Device: "Firefox, Linux", Kind: "desktop", Place: "Lisbon, PT", IP: "203.0.113.7", Since: ago(3 * day), LastSeen: noon, Current: true},
			{ID: "ses_2", Device: "Safari, iPhone", Kind: "mobile", Place: "Berlin, DE", IP: "2001:db8::17", Since: ago(40 * day), LastSeen: ago(2 * time.Hour)},
			{ID: "ses_3", Device: "curl", Kind: "cli", IP: "198.51.100.23", Since: ago(9 * day), LastSeen: ago(6 * day)},
			{ID: "ses_4", LastSeen: ago(26 * day), Since: ago(26 * day), Kind: "other", IP: "198.51.100.99"},
		},
		Activity: []pages.ActivityRow{
			{Text: p.T.Event("sign_in.succeeded"), At: ago(3 * time.Minute), Device: "Firefox, Linux", Place: "Lisbon, PT", IP: "203.0.113.7"},
			{Text: p.T.Event("sign_in.failed"), At: ago(5 * time.Hour), Refused: true, Device: "Chrome, Windows", Place: "Lagos, NG", IP: "192.0.2.44"},
			{Text: p.T.Event("password.changed"), At: ago(253 * day), Device: "Safari, iPhone", IP: "2001:db8::17"},
			{Text: p.T.Event("nobody.knows"), At: time.Date(2025, 3, 1, 9, 30, 0, 0, time.UTC)},
		},
	}
}

func refusedAccount(p pages.Page) pages.Account {
	v := account(p)
	v.Saved, v.Section = "", pages.DeleteForm
	v.Problem = p.Problem(fault.ErrInvalidRequest.Field("confirm", "mismatch"), 8)
	return v
}

func bareAccount(p pages.Page) pages.Account {
	v := account(p)
	v.Saved, v.Section = "nonsense", pages.PasswordForm
	v.Person = pages.Person{Username: "mara"}
	v.Password = pages.PasswordState{MinLength: 8}
	v.Sessions, v.Activity = v.Sessions[:1], nil
	v.DeleteAsk = "mara"
	v.Problem = p.Problem(fault.ErrInvalidRequest.Field("new_password", "breached"), 8)
	return v
}

func inbox(p pages.Page) pages.Inbox {
	return pages.Inbox{Page: p, Older: true, Letters: []pages.LetterRow{
		{ID: "msg_4", HTML: "<p>409133</p>", To: "mara@studio.example", Subject: p.T.Text("letter.code.subject", "app", "limen"), Code: "409133", SentAt: noon.Add(-20 * time.Second),
			Text: strings.Join([]string{p.T.Text("letter.code.lead", "app", "limen"), "409133", p.T.Text("letter.valid", "n", 10), p.T.Text("letter.code.note")}, "\n\n")},
		{ID: "msg_3", SMS: true, To: "+12025550123", Code: "424242", SentAt: noon.Add(-40 * time.Minute),
			Text: p.T.Text("sms.code", "app", "limen", "code", "424242") + "\n\n@localhost #424242"},
		{ID: "msg_2", To: "dev.raman@lumen.example", Subject: p.T.Text("letter.address_taken.subject"), SentAt: noon.Add(-90 * time.Minute),
			Links: []string{"http://localhost:4455/sign-in"},
			Text:  strings.Join([]string{p.T.Text("letter.address_taken.lead", "app", "limen"), p.T.Text("letter.address_taken.action"), "http://localhost:4455/sign-in"}, "\n\n")},
		{ID: "msg_1", To: "x@y.example", Subject: "<script>alert(1)</script>", Text: "</div><script>alert(2)</script>", Links: []string{"javascript:alert(3)"}, SentAt: noon.Add(-48 * time.Hour)},
	}}
}
