package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// ErrLinkElsewhere is told to a browser that opens the link of a sign-up which another
// one began: what was typed there may not be its owner's.
var ErrLinkElsewhere = fault.New(fault.Conflict, "link_elsewhere", "This sign-up was begun in another browser. Start again here.")

// ErrNotApproved is told to a waiting browser that asks too early.
var ErrNotApproved = fault.New(fault.Conflict, "not_approved", "This sign-in hasn't been approved yet. Use the link in the letter.")

// newLink makes the link of an attempt's newest letter; the older ones are dead from then
// on. A message to a phone has one only where it was asked for, and a step-up has none.
func (a *Auth) newLink(tx *store.Tx, try signin.Attempt) (secret.Text, error) {
	if paths[try.Purpose] == "" || try.Channel == account.ByPhone && try.Match == "" {
		return "", nil
	}
	id, token := signin.NewLinkToken(tx.Now)
	return token, tx.InsertLink(signin.Link{
		ID: id, SecretHash: a.Keys.Links.Sum([]byte(token)), Purpose: try.Purpose, Attempt: try.ID, Account: try.Account,
		CreatedAt: tx.Now, ExpiresAt: try.CodeExpires,
	})
}

// LinkOutcome is how a link goes on: with the outcome of its attempt or, in a browser that
// did not begin it, with the question whether to let the other one in.
type LinkOutcome struct {
	Outcome
	Approval *Approval
}

// Approval tells what waits for whoever opened a link: a browser at a place.
type Approval struct{ Place, Device string }

// RedeemLink opens the link of a sign-in or sign-up. The browser that began the attempt,
// shown by its cookie or by the attempt itself, is granted what it asked for. Another one
// may approve a sign-in, at most three times for one link; a sign-up it may only begin
// anew. It refuses with link_expired, link_used, link_elsewhere or account_banned.
func (a *Auth) RedeemLink(ctx context.Context, token, attempt secret.Text, b session.Browser) (LinkOutcome, error) {
	out, err := a.redeemLink(ctx, token, attempt, b, a.completeSignUp)
	if errors.Is(err, errAddressLost) {
		out, err = a.redeemLink(ctx, token, attempt, b, func(context.Context, *store.Tx, signin.Attempt, signin.Method, session.Browser) (session.Granted, error) {
			return session.Granted{}, signin.ErrLinkExpired
		})
	}
	return out, err
}

func (a *Auth) redeemLink(ctx context.Context, token, attempt secret.Text, b session.Browser, signUp completion) (LinkOutcome, error) {
	var out LinkOutcome
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		out = LinkOutcome{}
		link, try, why, err := a.openLink(ctx, tx, token, b, signin.SignIn, signin.SignUp)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		if refusal = a.mayComplete(try.Attempt, b); refusal != nil {
			return nil
		}
		switch {
		case a.holdsByLink(try.Attempt, attempt, b):
			out.Granted, refusal, err = a.spendLink(ctx, tx, link, try, b, signUp)
		case try.Purpose == signin.SignUp:
			refusal = ErrLinkElsewhere
		default:
			var shown bool
			if shown, err = tx.ShowLink(ctx, link.ID, signin.ShowingsPerLink); err == nil && !shown {
				refusal = signin.ErrLinkExpired
				return tx.Record(ctx, refusedLink(link, try.Attempt, b, "shown_too_often"))
			}
			out.Approval = &Approval{Place: try.Place, Device: try.Device}
		}
		return err
	})
	return out, orRefusal(err, refusal)
}

// linkOf finds the link of a token, if it has one of the purposes. byID is LinkByID of the
// store or of a transaction.
func (a *Auth) linkOf(ctx context.Context, byID func(context.Context, signin.LinkID) (signin.Link, bool, error), token secret.Text, purposes ...signin.Purpose) (link signin.Link, found bool, err error) {
	id, ok := signin.ParseLinkToken(token.Reveal())
	if !ok {
		return link, false, nil
	}
	link, found, err = byID(ctx, id)
	if err != nil || !found || !a.Keys.Links.Fits(link.SecretHash, []byte(token)) || !slices.Contains(purposes, link.Purpose) {
		return signin.Link{}, false, err
	}
	return link, true, nil
}

// openLink finds the link of a token and locks what it leads to. The refusal is a value:
// its evidence is to be committed.
func (a *Auth) openLink(ctx context.Context, tx *store.Tx, token secret.Text, b session.Browser, purposes ...signin.Purpose) (link signin.Link, try opened, refusal, err error) {
	refusal = signin.ErrLinkExpired
	link, found, err := a.linkOf(ctx, tx.LinkByID, token, purposes...)
	if err != nil || !found {
		return link, try, refusal, err
	}
	row, found, err := tx.AttemptByID(ctx, link.Attempt)
	if err != nil || !found {
		return link, try, refusal, err
	}
	try, live, err := a.lockOpen(ctx, tx, row)
	if err != nil {
		return link, try, refusal, err
	}
	if link, found, err = tx.LinkByID(ctx, link.ID); err != nil || !found { // again, under the locks
		return link, try, refusal, err
	}
	refusal = link.Refusal(tx.Now)
	if refusal == nil && !live {
		if refusal = signin.ErrLinkExpired; try.Outcome == signin.OutcomeComplete {
			refusal = signin.ErrLinkUsed
		}
	}
	if refusal == nil {
		if refusal, err = a.overtaken(ctx, tx, try); err != nil {
			return link, try, refusal, err
		}
	}
	if refusal != nil {
		return link, try, refusal, tx.Record(ctx, refusedLink(link, row, b, fault.Of(refusal).Code))
	}
	return link, try, nil, nil
}

// overtaken refuses a link whose ground has moved: another password, an address that the
// person has given up.
func (a *Auth) overtaken(ctx context.Context, tx *store.Tx, try opened) (refusal, err error) {
	if try.Purpose == signin.SignUp || try.Purpose == signin.VerifyEmail {
		return nil, nil
	}
	var owner account.ID
	var found bool
	if try.Channel == account.ByPhone {
		owner, found, err = tx.PhoneOwner(ctx, try.Address.Key)
	} else {
		owner, _, found, err = tx.EmailOwner(ctx, try.Address.Key)
	}
	if err != nil {
		return nil, err
	}
	if !found || owner != try.Account || try.who.CredentialVersion != try.CredentialVersion {
		return signin.ErrLinkExpired, nil
	}
	return nil, nil
}

// holdsByLink reports whether the browser that opens a link began its attempt: by the
// attempt's cookie, which no letter carries, or by the attempt itself.
func (a *Auth) holdsByLink(try signin.Attempt, value secret.Text, b session.Browser) bool {
	if try.BrowserHash != nil && value == "" {
		return a.Keys.Attempts.Fits(try.BrowserHash, []byte("cookie"), []byte(b.Attempt))
	}
	return a.holds(try, value, b)
}

// spendLink uses a link for the browser that asked for it, and completes its attempt.
func (a *Auth) spendLink(ctx context.Context, tx *store.Tx, link signin.Link, try opened, b session.Browser, signUp completion) (granted session.Granted, refusal, err error) {
	used, err := tx.UseLink(ctx, link.ID)
	if err != nil || !used {
		return granted, signin.ErrLinkUsed, err
	}
	if err := a.endRuns(ctx, tx, try.Attempt); err != nil {
		return granted, nil, err
	}
	if err := a.countVerified(ctx, tx, try.Attempt); err != nil {
		return granted, nil, err
	}
	return a.complete(ctx, tx, try, byLink(try.Channel), b, signUp)
}

// byLink is the proof that the link of an attempt gives.
func byLink(c account.Channel) signin.Method {
	if c == account.ByPhone {
		return signin.PhoneLink
	}
	return signin.EmailLink
}

// complete ends a proven attempt with its grant, or with the refusal that only its proof
// may reveal.
func (a *Auth) complete(ctx context.Context, tx *store.Tx, try opened, by signin.Method, b session.Browser, signUp completion) (granted session.Granted, refusal, err error) {
	b = b.As(try.Delivery)
	outcome := signin.OutcomeComplete
	if try.Purpose == signin.SignUp {
		granted, err = signUp(ctx, tx, try.Attempt, by, b)
		if fault.Of(err).Is(signin.ErrCodeIncorrect) || fault.Of(err).Is(signin.ErrLinkExpired) {
			refusal, outcome, err = err, signin.OutcomeRefused, tx.Record(ctx, wrongCode(audit.CodeWrong, try.Attempt, b))
		}
	} else {
		granted, refusal, err = a.completeSignIn(ctx, tx, try, by, b)
		if refusal != nil {
			outcome = signin.OutcomeRefused
		}
	}
	if err != nil {
		return granted, refusal, err
	}
	_, err = tx.EndAttempt(ctx, try.ID, outcome)
	return granted, refusal, err
}

// completeSignIn grants a session to the person of a proven attempt.
func (a *Auth) completeSignIn(ctx context.Context, tx *store.Tx, try opened, by signin.Method, b session.Browser) (granted session.Granted, refusal, err error) {
	state := signin.State{Purpose: signin.SignIn, Account: try.who, Proofs: []signin.Method{by}, Browser: b}
	if granted, refusal = signin.Next(state, a.terms(b, tx.Now)); refusal != nil {
		e := refused(audit.SignInFailed, try.who.ID, b, fault.Of(refusal).Code)
		e.Attempt = string(try.ID)
		if err := tx.Record(ctx, e); err != nil {
			return granted, nil, err
		}
		if fault.Of(refusal).Is(signin.ErrAccountDeleting) {
			refusal, err = a.offerKeeping(ctx, tx, try, by, b)
		}
		return granted, refusal, err
	}
	return granted, nil, a.begin(ctx, tx, granted, b, try.ID)
}

func refusedLink(link signin.Link, try signin.Attempt, b session.Browser, reason string) audit.Event {
	e := refused(audit.LinkRefused, link.Account, b, reason)
	e.Attempt = string(try.ID)
	e.Data["purpose"] = string(link.Purpose)
	return e
}

// Decision is what the person who opened a link elsewhere decides.
type Decision string

// The decisions of api.md section 2.
const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
)

// ApproveLink lets the waiting browser in, or turns it away: on request, or because the
// two digits are not those on its screen. It reports whether it was let in. Nobody is
// signed in by it here. It refuses with link_expired or link_used.
func (a *Auth) ApproveLink(ctx context.Context, token secret.Text, match string, decision Decision, b session.Browser) (approved bool, err error) {
	if decision != Approve && decision != Deny {
		return false, fault.Invalidate("decision", "invalid")
	}
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		approved = false
		link, try, why, err := a.openLink(ctx, tx, token, b, signin.SignIn)
		if refusal = why; err != nil || refusal != nil {
			return err
		}
		used, err := tx.UseLink(ctx, link.ID)
		if refusal = nil; err != nil || !used {
			refusal = signin.ErrLinkUsed
			return err
		}
		e := event(audit.LinkApproved, try.who.ID, b)
		e.Attempt = string(try.ID)
		if read, ok := factor.ReadDigits(match, factor.MatchDigits); decision == Approve && ok && read == try.Match {
			if approved, err = tx.ApproveAttempt(ctx, try.ID); err != nil {
				return err
			}
			return tx.Record(ctx, e)
		}
		e.Type, e.Outcome, e.Data = audit.LinkDenied, audit.Refused, map[string]string{"reason": "denied"}
		if decision == Approve {
			e.Data["reason"] = "wrong_match"
		}
		if _, err := tx.EndAttempt(ctx, try.ID, signin.OutcomeDenied); err != nil {
			return err
		}
		return tx.Record(ctx, e)
	})
	return approved, orRefusal(err, refusal)
}

// CompleteAttempt grants, once, what another device approved to the browser that waits
// for it. It refuses with attempt_expired, not_approved or account_banned.
func (a *Auth) CompleteAttempt(ctx context.Context, value secret.Text, b session.Browser) (Outcome, error) {
	var granted session.Granted
	var refusal error
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		granted, refusal = session.Granted{}, signin.ErrAttemptExpired
		try, found, err := a.lockAttempt(ctx, tx, value, b)
		if err != nil || !found || !slices.Contains(signing, try.Purpose) {
			return err
		}
		if refusal = a.mayComplete(try.Attempt, b); refusal != nil {
			return nil
		}
		// A sign-up is never approved, and answered like a sign-in that nobody has approved:
		// which of the two it is tells whether the address has an account.
		if refusal = ErrNotApproved; try.ApprovedAt.IsZero() || try.Purpose != signin.SignIn {
			return nil
		}
		if refusal, err = a.overtaken(ctx, tx, try); err != nil || refusal != nil {
			return err
		}
		if err := a.endRuns(ctx, tx, try.Attempt); err != nil {
			return err
		}
		granted, refusal, err = a.complete(ctx, tx, try, byLink(try.Channel), b, nil)
		return err
	})
	return Outcome{Granted: granted}, orRefusal(err, refusal)
}

// LinkSubject tells the page behind a link what it would do, without doing it: the masked
// address and, for the browser that asked for it, that it is the one. GET and HEAD never
// consume a link. It refuses with link_expired or link_used.
func (a *Auth) LinkSubject(ctx context.Context, token secret.Text, b session.Browser, purposes ...signin.Purpose) (Subject, error) {
	link, found, err := a.linkOf(ctx, a.Store.LinkByID, token, purposes...)
	if err != nil {
		return Subject{}, err
	}
	if !found {
		return Subject{}, signin.ErrLinkExpired
	}
	refusal, s := link.Refusal(a.Now()), Subject{Purpose: link.Purpose}
	if link.Attempt == "" {
		return s, refusal
	}
	try, found, err := a.Store.AttemptByID(ctx, link.Attempt)
	if err == nil && found {
		err = a.expire(ctx, try, a.Now())
	}
	switch {
	case err != nil:
		return Subject{}, err
	case refusal != nil:
		return Subject{}, refusal
	case found && try.Outcome == signin.OutcomeComplete:
		return Subject{}, signin.ErrLinkUsed
	case !found || !try.Live(a.Now()):
		return Subject{}, signin.ErrLinkExpired
	}
	s.Address, s.Here, s.Onward = masked(try), a.holdsByLink(try, "", b), a.Rules.Redirects.Recall(try.Onward)
	if try.Session == "" {
		return s, nil
	}
	began, who, _, err := a.Store.SessionView(ctx, try.Session)
	if err != nil {
		return Subject{}, err
	}
	if try.Orphaned(began, who.Epoch, a.Now()) {
		return Subject{}, signin.ErrLinkExpired
	}
	s.Account, s.Name = who.ID, maskedName(who)
	return s, nil
}

// maskedName is what an account is called, so that its person recognises it and nobody
// else learns who it is.
func maskedName(who account.Account) string {
	switch {
	case who.Email != "" && who.EmailVerified:
		return account.Mask(who.Email)
	case who.Username != "":
		return account.MaskUsername(who.Username)
	case who.Phone != "":
		return account.MaskPhone(who.Phone)
	}
	return account.Mask(who.Email)
}

// Subject is what a link is about.
type Subject struct {
	Purpose signin.Purpose
	Address string // masked
	Here    bool   // this browser asked for it
	Onward  oauth.Destination
	// Account and Name say for whom a signed-in person asked; the name is masked.
	Account account.ID
	Name    string
}
