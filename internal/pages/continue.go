package pages

// Continue asks a person who is signed in already whether to go on to the application
// that sent them.
type Continue struct {
	Page
	Identifier string // who is signed in
	OtherURL   string // where somebody else can sign in
}

// Screen names the template.
func (Continue) Screen() string { return "continue" }
