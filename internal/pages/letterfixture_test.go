package pages_test

import (
	"strings"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/pages"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/text"
)

// letterFixtures are the screens around letters: waiting for one, and what its link leads
// to.
func letterFixtures(c *text.Catalogue, lang string) []fixture {
	at := func(path string) pages.Page { return page(c, lang, path) }
	code := at("/sign-in/code")
	code.Carry = []pages.Pair{{Name: "attempt", Value: "att_06bq3k4v9x8dtmz2w1_secret"}}
	link := at("/sign-in/link?token=lnk_06bq3k4v9x8dtmz2w1_secret")
	link.Carry = []pages.Pair{{Name: "token", Value: "lnk_06bq3k4v9x8dtmz2w1_secret"}}
	ended := func(state pages.OverState, purpose signin.Purpose, in bool) pages.Over {
		return pages.Over{Page: at("/sign-in"), SignInURL: "/sign-in", SignUpURL: "/sign-up", State: state, Purpose: purpose, SignedIn: in}
	}
	ask := func(purpose signin.Purpose) pages.Ask {
		return pages.Ask{Page: link, Purpose: purpose, Address: "m•••@studio.example"}
	}
	forgot := at("/recovery")
	invalid := fault.ErrInvalidRequest
	incorrect := fault.New(fault.Unauthenticated, "code_incorrect", "")
	return []fixture{
		{"code", pages.Code{Page: code, Action: "/sign-in/code", Attempt: "att_06bq3k4v9x8dtmz2w1_secret", SentTo: "m•••@studio.example", ExpiresIn: 10 * time.Minute, ResendIn: 30 * time.Second, ChangeURL: "/sign-up"}},
		{"code-anywhere", pages.Code{Page: code, Action: "/sign-in/code", Attempt: "att_06bq3k4v9x8dtmz2w1_secret", SentTo: "m•••@gmail.com", Match: "07", ExpiresIn: 10 * time.Minute,
			ResendIn: 30 * time.Second, ChangeURL: "/sign-in?prompt=login", Mailbox: &pages.Mailbox{Name: "Gmail", URL: "https://mail.google.com/mail/"}}},
		{"code-phone", pages.Code{Page: code, Action: "/sign-in/code", ByPhone: true, SentTo: "••••23", ExpiresIn: 10 * time.Minute, ResendIn: 30 * time.Second, ChangeURL: "/sign-in"}},
		{"code-refused", pages.Code{Page: code, Action: "/sign-in/code", SentTo: "m•••@studio.example", ExpiresIn: 9 * time.Minute, ChangeURL: "/sign-up", Problem: code.Problem(incorrect.Left(2), 8)}},
		{"code-resent", pages.Code{Page: code, Action: "/sign-in/code", SentTo: "m•••@studio.example", ExpiresIn: 10 * time.Minute, ResendIn: 29 * time.Second, Resent: true}},
		{"code-limited", pages.Code{Page: code, Action: "/sign-in/code", SentTo: "m•••@studio.example", ExpiresIn: 10 * time.Minute, ResendIn: 12 * time.Second,
			Problem: code.Problem(fault.ErrRateLimited.After(12*time.Second), 8)}},
		{"link", pages.Link{Page: link, Address: "m•••@studio.example", Here: true}},
		{"link-sign-up", pages.Link{Page: link, Address: "m•••@studio.example", Here: true, SignUp: true}},
		{"link-long", pages.Link{Page: link, Address: "m•••@" + strings.Repeat("abcdefghijkl", 5) + "." + strings.Repeat("mnopqrstuvwx", 5) + ".example", Here: true}},
		{"link-elsewhere", pages.Link{Page: link, Address: "m•••@studio.example"}},
		{"approval", pages.Approval{Page: link, Device: "Firefox, Linux", Place: "Lisbon, PT"}},
		{"approval-empty", pages.Approval{Page: link, Place: "2001:db8::17", Problem: link.Problem(fault.Invalidate("match", "required"), 8)}},
		{"over-approved", ended(pages.Approved, signin.SignIn, false)},
		{"over-denied", ended(pages.Denied, signin.SignIn, false)},
		{"over-mismatch", ended(pages.Mismatched, signin.SignIn, false)},
		{"over-elsewhere", ended(pages.Elsewhere, signin.SignIn, false)},
		{"over-expired", ended(pages.Expired, signin.SignIn, false)},
		{"over-used", ended(pages.Used, signin.SignIn, false)},
		{"over-used-in", ended(pages.Used, signin.SignIn, true)},
		{"recovery", pages.Recovery{Page: forgot, SignInURL: "/sign-in"}},
		{"recovery-refused", pages.Recovery{Page: forgot, SignInURL: "/sign-in", Email: "mara@studio", Problem: forgot.Problem(invalid.Field("email", "invalid"), 8)}},
		{"code-recovery", pages.Code{Page: code, Action: "/recovery/code", SentTo: "m•••@studio.example", ExpiresIn: 10 * time.Minute,
			ResendIn: 30 * time.Second, ChangeURL: "/recovery", Recovering: true, Secured: true}},
		{"new-password", pages.NewPassword{Page: link, Address: "m•••@studio.example", MinLength: 8}},
		{"new-password-refused", pages.NewPassword{Page: link, Address: "m•••@studio.example", MinLength: 8,
			Problem: link.Problem(invalid.Field("new_password", "breached"), 8)}},
		{"ask-not-me", ask(signin.NotMe)},
		{"ask-undo-change", ask(signin.UndoChange)},
		{"ask-undo-deletion", ask(signin.UndoDeletion)},
		{"ask-verify-email", ask(signin.VerifyEmail)},
		{"confirm-elsewhere", pages.ConfirmElsewhere{Page: link, Address: "m•••@studio.example", Account: "mara•••@a-rather-long-domain.studio.example"}},
		{"confirm-elsewhere-other", pages.ConfirmElsewhere{Page: link, Address: "m•••@studio.example", Account: "e•••@example.com", SignedInAs: "mara@studio.example"}},
		{"over-expired-recovery", ended(pages.Expired, signin.Recover, false)},
		{"over-expired-not-me", ended(pages.Expired, signin.NotMe, false)},
		{"over-expired-verify", ended(pages.Expired, signin.VerifyEmail, true)},
		{"over-used-recovery", ended(pages.Used, signin.Recover, false)},
		{"over-confirmed", ended(pages.Confirmed, signin.VerifyEmail, true)},
		{"over-secured", ended(pages.Secured, signin.NotMe, false)},
		{"review", pages.Review{Page: at("/recovery/review"), Next: "/recovery/code?attempt=att_1",
			Left:    []pages.ReviewRow{{ID: "eml_1", Text: "mara.old@studio.example"}, {ID: "phn_1", Text: "+41791234567"}},
			Removed: []pages.ReviewRow{{ID: "eml_2", Text: "mara@home.example"}}}},
		{"keep", pages.Keep{Page: at("/sign-in"), DeleteAt: noon.AddDate(0, 0, 7), Attempt: "att_1", SignInURL: "/sign-in"}},
		{"keep-senior-only", pages.Keep{Page: at("/sign-in"), DeleteAt: noon.AddDate(0, 0, 7), SignInURL: "/sign-in"}},
		{"over-kept", ended(pages.Kept, signin.UndoDeletion, false)},
	}
}
