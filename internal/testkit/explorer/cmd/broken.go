package main

// broken is a rule that is broken on purpose: in one file of limen, text is replaced. The
// explorer must find each of them.
type broken struct {
	item string // of the list of attacks, or the part of the rule
	rule string // that no longer holds
	file string
	was  string // occurs once in the file
	now  string
}

const (
	seniority = "internal/account/seniority.go"
	remedy    = "internal/auth/remedy.go"
	standing  = "internal/store/standing.go"
)

var brokenRules = []broken{
	{"1", "a remedy ends the links that were sent to younger contacts", remedy,
		"tx.EndLinksSentTo(who.ID, by.VerifiedAt)", "error(nil)"},
	{"1", "only senior contacts get links that undo", "internal/auth/notify.go",
		`if senior && n.undo != "" {`, `if n.undo != "" {`},
	{"2", "an attempt ends with its session", "internal/signin/attempt.go",
		`return a.Session != "" && (`, `return a.Session == "-" && (`},
	{"3", "removed contacts are told of a deletion", "internal/auth/deletion.go",
		"n.also = append(n.also, r.Contact)", "_ = r.Contact"},
	{"3", "an undo cancels a deletion that came after the change", remedy,
		"a.keepSince(ctx, tx, who, r.At, b)", "error(nil)"},
	{"3", "only a contact that was senior at the deletion keeps the account", "internal/auth/deletion.go",
		"if !found || c.VerifiedAt.After(seniorProof) {", "if !found || c.VerifiedAt.Before(seniorProof) && seniorProof.IsZero() {"},
	{"3", "a recovery works during the grace", "internal/auth/attempt.go",
		"case signin.SignIn, signin.Recover, signin.Review, signin.Keep:", "case signin.SignIn, signin.Review, signin.Keep:"},
	{"3", "the page after a recovery works during the grace", "internal/auth/attempt.go",
		"case signin.SignIn, signin.Recover, signin.Review, signin.Keep:", "case signin.SignIn, signin.Recover, signin.Keep:"},
	{"4", "a recovery unverifies what was verified lately", "internal/auth/recovery.go",
		"plan = s.Purge(by, tx.Now, account.Change{})", "plan = account.Purge{}"},
	{"4", "a recovery removes nothing", remedy,
		"demote, reason = tx.UnverifyContact, session.EndedByPassword", "demote, reason = tx.DropContact, session.EndedByPassword"},
	{"5", "a remedy ends every session", remedy,
		"err := a.endAll(ctx, tx, who.ID, reason, b); err != nil", `err := error(nil); err != nil || reason == ""`},
	{"5", "a remedy removes the password", remedy,
		"err := password(who.ID); err != nil", `err := error(nil); err != nil || password == nil`},
	{"6", "a step-up leaves older access tokens as they were", "internal/signin/signin.go",
		"		s.AuthenticatedAt = at\n", "		_ = at\n"},
	{"6", "a refresh token from before a step-up is worth nothing without the device", "internal/session/refresh.go",
		"p.Generation == row.ProofGeneration-1 &&", "p.Generation == row.ProofGeneration-2 &&"},
	{"7", "a changed password ends the access tokens before it", "internal/issuer/access.go",
		"if claims.IssuedAt < who.PasswordChangedAt.Unix() {", "if claims.IssuedAt < 0 {"},
	{"7", "a changed password ends the refresh tokens before it", "internal/session/refresh.go",
		"if 0 < p.Generation && p.Generation < row.CutGeneration {", "if 0 > p.Generation && p.Generation < row.CutGeneration {"},
	{"8", "limen makes the attempt cookie, and nobody else", "internal/auth/attempt.go",
		"case session.OpenAttemptSecret(a.Keys.Browsers, b.Attempt.Reveal()):", `case b.Attempt != "":`},
	{"8", "the attempt cookie changes with a sign-in", "internal/auth/auth.go",
		"t.NewAttempt = session.NewAttemptSecret(a.Keys.Browsers)", "t.NewAttempt = b.Attempt"},
	{"9", "a link adds an address only where its person is signed in", "internal/auth/email.go",
		"		return a.confirmByLink(ctx, actor, p.Token, b)\n",
		`		return a.confirmEmail(ctx, b, func(tx *store.Tx) (try opened, refusal, err error) {
			_, try, refusal, err = a.openLink(ctx, tx, p.Token, b, signin.VerifyEmail)
			return try, refusal, err
		})
`},
	{"seniority", "a contact is senior 72 h after its proof", seniority,
		"settled := at.Add(-SeniorityPeriod)", "settled := at.Add(-SeniorityPeriod / 2)"},
	{"seniority", "an older contact that was removed lately counts", seniority,
		"if at.Before(r.RemovedAt.Add(SeniorityPeriod)) {", "if at.Before(r.RemovedAt) {"},
	{"seniority", "equal times are equally old", seniority,
		"!c.VerifiedAt.After(s.SeniorProof(at))", "c.VerifiedAt.Before(s.SeniorProof(at))"},
	{"seniority", "what is as old as the contact of a remedy stays", seniority,
		"c.ID != undone.Removed && c.VerifiedAt.After(since)", "c.ID != undone.Removed && !c.VerifiedAt.Before(since)"},
	{"seniority", "after a remedy only contacts as old as its own are senior", seniority,
		"if !s.Remedy.At.IsZero() &&", "if s.Remedy.At.IsZero() &&"},
	{"remedy", "links to contacts older than that of a remedy live on", remedy,
		"tx.EndLinksSentTo(who.ID, by.VerifiedAt)", "tx.EndLinksSentTo(who.ID, by.VerifiedAt.AddDate(-9, 0, 0))"},
	{"remedy", "a recovery by a junior contact ends no link to an older one", "internal/auth/recovery.go",
		"tx.EndLinksSentTo(id, by.VerifiedAt)", "tx.EndLinksSentTo(id, by.VerifiedAt.AddDate(-9, 0, 0))"},
	{"remedy", "what the account was created with stays", seniority,
		" && c.CreatedAt.After(s.CreatedAt)", ""},
	{"remedy", "what was verified 72 h before the incident stays", seniority,
		"since := incident.Add(-SeniorityPeriod)", "since := incident.Add(-2 * SeniorityPeriod)"},
	{"remedy", "an undo does not remove what it brings back", seniority,
		"c.ID != undone.Removed && ", ""},
	{"remedy", "an undo makes primary again what was", seniority,
		"if c.ID == undone.Was &&", `if c.ID == undone.Was+"-" &&`},
	{"remedy", "what comes back has its old proof time", standing,
		"Address: c.Address, Primary: c.Primary,\n		VerifiedAt: c.VerifiedAt,", "Address: c.Address, Primary: c.Primary,\n		VerifiedAt: tx.Now,"},
	{"remedy", "the page after a remedy removes", "internal/auth/review.go",
		"err := tx.DropContact(who.ID, c); err != nil", "err := error(nil); err != nil"},
	{"remedy", "the page after a remedy restores", "internal/auth/review.go",
		"back, err := tx.RestoreContact(ctx, who.ID, c, s.Contacts)", "back, err := s.Contacts != nil, error(nil)"},
	{"messages", "a removed contact is told", "internal/auth/contact.go",
		"also: []account.Contact{c}, about: c,", "about: c,"},
}
