package pages

import (
	"maps"
	"slices"
	"time"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/text"
)

// View is what a screen is made of. Every screen has one type, and every type one
// screen, so a view cannot meet the wrong template.
type View interface {
	// Screen is the name of the template, such as "sign-in".
	Screen() string
}

// Page is what all screens share. Every view embeds it.
type Page struct {
	T         text.Messages
	Languages []text.Language // the language menu; fewer than two hide it
	AppName   string          // what the person is signing in to
	Host      string          // of the public URL, shown on every card
	Path      string          // where the language switch returns to: a path of ours
	RequestID string          // shown on the error page
	Theme     string          // "light" or "dark"; "" follows the device
	Dev       bool            // shows the development strip
	Now       time.Time       // relative times count from here

	// Links of the footer; "" leaves one out.
	HelpURL, PrivacyURL, TermsURL string

	// Carry is sent along as hidden fields by the screen's forms: where to return to,
	// the attempt that a code belongs to.
	Carry []Pair
}

// Pair is a hidden field.
type Pair struct{ Name, Value string }

// Lang is the language of the page.
func (p Page) Lang() string { return p.T.Lang() }

// Dir is its direction.
func (p Page) Dir() string { return p.T.Dir() }

// Problem is why a form came back. A nil Problem means it did not.
type Problem struct {
	// Text is the summary above the form.
	Text string
	// Fields maps the name of a field to the sentence that stands beside it.
	Fields map[string]string
}

// Problem puts a fault into words. minLength is the least length of a password, which
// some of the words mention.
func (p Page) Problem(f *fault.Fault, minLength int) *Problem {
	out := &Problem{Text: p.T.Fault(f), Fields: map[string]string{}}
	for field, code := range f.Fields {
		out.Fields[field] = p.T.Field(field, code, "n", minLength)
	}
	switch f.Code {
	case "username_taken":
		out.Fields["username"] = out.Text
	case "email_taken":
		out.Fields["email"] = out.Text
	case "code_incorrect":
		out.Fields["code"] = out.Text
	}
	return out
}

// fieldOrder is the order in which fields stand on the screens.
var fieldOrder = []string{"identifier", "email", "first_name", "last_name", "username", "locale", "current_password", "password", "new_password", "code", "match", "confirm"}

// Names returns the fields whose problem the summary does not tell, as they are read.
func (p *Problem) Names() []string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(p.Fields)), func(name string) bool { return p.Fields[name] == p.Text })
	slices.SortStableFunc(names, func(a, b string) int { return slices.Index(fieldOrder, a) - slices.Index(fieldOrder, b) })
	return names
}

// Only returns the field that alone has a problem, or "": then its sentence is the
// summary.
func (p *Problem) Only() string {
	if names := p.Names(); len(names) == 1 {
		return names[0]
	}
	return ""
}

// SignIn asks for an identifier and a password.
type SignIn struct {
	Page
	Problem    *Problem
	Identifier string // what was typed before, or a login hint
	SignUpURL  string // "" where accounts cannot be made here
	Ended      bool   // says that the session has ended
	Changed    bool   // says that the password was changed
	ForgotURL  string // "" where nothing can be sent
	NoLetters  bool   // nothing can be sent, so no link is offered
	Phones     bool   // messages to phones can leave
}

// Screen names the template.
func (SignIn) Screen() string { return "sign-in" }

// SignUp asks for what an account needs.
type SignUp struct {
	Page
	Problem         *Problem
	Email, Username string // what was typed before
	AskUsername     bool
	NoLetters       bool // nothing can be sent, so no link is offered
	MinLength       int
	SignInURL       string
}

// Screen names the template.
func (SignUp) Screen() string { return "sign-up" }

// Farewell is what a SignedOut page says goodbye after.
type Farewell int

// The farewells.
const (
	OutHere Farewell = iota
	OutEverywhere
	Deleted
	Closed // deleted, unless its person takes that back
)

// SignedOut says goodbye.
type SignedOut struct {
	Page
	After     Farewell
	SignInURL string
	SignUpURL string // offered after a deletion; "" offers nothing
}

// Screen names the template.
func (SignedOut) Screen() string { return "signed-out" }

// Everywhere reports whether every session has ended.
func (v SignedOut) Everywhere() bool { return v.After == OutEverywhere }

// Deleted reports whether the account is gone, Closed whether it will be.
func (v SignedOut) Deleted() bool { return v.After == Deleted }
func (v SignedOut) Closed() bool  { return v.After == Closed }

// The forms of the account page, as Account.Section names them.
const (
	ProfileForm  = "profile"
	PasswordForm = "password"
	SessionsForm = "sessions"
	DeleteForm   = "delete"
)

// Account is a person's own page.
type Account struct {
	Page
	// Problem belongs to the form that Section names; the other forms are as stored.
	Problem *Problem
	Section string
	// Saved says what has just been done: "profile", "password", "session", "sessions" or
	// "confirmed". It travels in an address, so anything else says nothing.
	Saved string

	Person    Person
	Password  PasswordState
	Sessions  []SessionRow // the present one first
	Activity  []ActivityRow
	DeleteAsk string // what must be typed to delete the account: its address or username
	Keeps     bool   // a deletion can be taken back for a while
}

// Screen names the template.
func (Account) Screen() string { return "account" }

// In returns the problem if it belongs to the form.
func (v Account) In(form string) *Problem {
	if v.Section != form {
		return nil
	}
	return v.Problem
}

// Notice is the sentence for what has been done, or "".
func (v Account) Notice() string {
	switch v.Saved {
	case "profile":
		return v.T.Text("account.saved.profile")
	case "password":
		return v.T.Text("account.saved.password")
	case "session":
		return v.T.Text("account.saved.session")
	case "sessions":
		return v.T.Text("account.saved.sessions")
	case "confirmed":
		return v.T.Text("account.saved.confirmed")
	}
	return ""
}

// Others reports whether any session but the present one lives.
func (v Account) Others() bool {
	return slices.ContainsFunc(v.Sessions, func(s SessionRow) bool { return !s.Current })
}

// Person is the profile, as stored or as typed.
type Person struct {
	Email               string
	EmailVerified       bool
	Username            string
	FirstName, LastName string
	Locale              string
}

// Name is how the person is greeted.
func (p Person) Name() string {
	for _, s := range []string{p.Email, p.Username} {
		if s != "" {
			return s
		}
	}
	return p.FirstName
}

// PasswordState is what the password form depends on.
type PasswordState struct {
	Set        bool // the account has one
	AskCurrent bool // the old one must be given
	ChangedAt  time.Time
	MinLength  int
}

// SessionRow is one session of the list.
type SessionRow struct {
	ID       string
	Device   string // "" is shown as an unknown device
	Kind     string // of session.Device; decides the icon
	Place    string
	IP       string
	Since    time.Time
	LastSeen time.Time
	Current  bool
}

// ActivityRow is one line of the security activity.
type ActivityRow struct {
	Text    string // from text.Messages.Event
	At      time.Time
	Refused bool
	Device  string
	Place   string
	IP      string
}

// ConfirmStep is what the step-up page asks for.
type ConfirmStep int

// The steps.
const (
	AskPassword ConfirmStep = iota // type the password
	OfferCode                      // no password: a button that sends a code
	AskCode                        // type the code that was sent
)

// Confirm asks a signed-in person to prove again who they are.
type Confirm struct {
	Page
	Problem              *Problem
	Step                 ConfirmStep
	Identifier           string // for the password manager
	CanPassword, CanCode bool
	SentTo               string // masked
	ExpiresIn            time.Duration
	ResendIn             time.Duration
	Resent               bool
	// PasswordURL shows this page with the password's form.
	PasswordURL string
}

// Screen names the template.
func (Confirm) Screen() string { return "confirm" }

// Password reports whether the password is asked for.
func (v Confirm) Password() bool { return v.Step == AskPassword }

// Offer reports whether a code is offered.
func (v Confirm) Offer() bool { return v.Step == OfferCode }

// Error tells that something went wrong outside any form.
type Error struct {
	Page
	Fault    *fault.Fault
	SignedIn bool // decides where the way out leads
}

// Screen names the template.
func (Error) Screen() string { return "error" }

// Ours reports whether the failure is ours, so that the page shows the reference first.
func (v Error) Ours() bool { return v.Fault.Kind == fault.Internal }

// Heading is the title for the kind of fault.
func (v Error) Heading() string {
	switch v.Fault.Kind {
	case fault.Internal:
		return v.T.Text("error.title.internal")
	case fault.NotFound:
		return v.T.Text("error.title.not_found")
	case fault.Denied:
		return v.T.Text("error.title.denied")
	case fault.Limited:
		return v.T.Text("error.title.limited")
	case fault.Unavailable:
		return v.T.Text("error.title.unavailable")
	}
	return v.T.Text("error.title.request")
}

// Lede says what to do next.
func (v Error) Lede() string {
	if v.Ours() {
		return v.T.Text("error.lede.internal") // the heading has said the rest
	}
	return v.T.Fault(v.Fault)
}
