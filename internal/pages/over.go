package pages

import "github.com/limenauth/limen/internal/signin"

// OverState is how a link ended.
type OverState int

// The ends of links.
const (
	Approved   OverState = iota // the other device is in
	Denied                      // it was turned away on request
	Mismatched                  // it was turned away for a wrong number
	Elsewhere                   // a sign-up that another browser began
	Expired
	Used
	Confirmed // the address is
	Secured   // every session and the password are gone, and no message can be sent
	Kept      // the account is
)

// Over tells that a link has done what it could.
type Over struct {
	Page
	State     OverState
	Purpose   signin.Purpose
	SignedIn  bool   // decides where the way out leads
	SignInURL string // where a new beginning is
	SignUpURL string // "" where accounts cannot be made here
}

// Screen names the template.
func (Over) Screen() string { return "over" }

// overWords are the keys of what the page says, before "_title" and "_lede".
var overWords = map[OverState]string{
	Approved: "over.approved", Denied: "over.denied", Mismatched: "over.mismatch", Elsewhere: "over.elsewhere",
	Expired: "over.expired", Used: "over.used", Confirmed: "over.confirmed", Secured: "over.secured", Kept: "over.kept",
}

// Heading says what happened.
func (v Over) Heading() string { return v.T.Text(overWords[v.State] + "_title") }

// Lede says what to do next.
func (v Over) Lede() string {
	switch {
	case v.State == Used && v.Purpose != signin.SignIn:
		return v.T.Text("over.done_lede")
	case v.State == Expired && v.Purpose == signin.VerifyEmail:
		return v.T.Text("over.unconfirmed_lede")
	case v.late():
		return v.T.Text("over.late_lede")
	}
	return v.T.Text(overWords[v.State] + "_lede")
}

// late reports whether something can no longer be taken back.
func (v Over) late() bool {
	return v.State == Expired && (v.Purpose == signin.NotMe || v.Purpose == signin.UndoChange || v.Purpose == signin.UndoDeletion)
}

// Asks reports whether the page has a form for another letter, and Recovers whether it
// leads to where another letter of its kind comes from.
func (v Over) Asks() bool     { return v.State == Expired && v.Purpose == signin.SignIn }
func (v Over) Recovers() bool { return v.State == Expired && v.Purpose == signin.Recover }

// Begins reports whether an account can be made instead, Secures whether the account may
// be in danger, and Closes that there is nowhere to go on to.
func (v Over) Begins() bool  { return v.State == Elsewhere && v.SignUpURL != "" }
func (v Over) Secures() bool { return v.State == Used || v.late() }
func (v Over) Closes() bool  { return v.State == Approved }

// Forgets reports whether the link is of no use any more, so that a reload does not need
// its token. One that was opened elsewhere is still good where it belongs.
func (v Over) Forgets() bool { return v.State != Elsewhere }

// Icon goes with the heading.
func (v Over) Icon() string {
	switch v.State {
	case Approved, Confirmed, Secured, Kept:
		return "check"
	case Expired:
		return "clock"
	case Elsewhere:
		return "laptop"
	}
	return "shield"
}
