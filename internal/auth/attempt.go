package auth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// newAttempt begins an attempt at a browser. It returns the row, the value that the
// client will present and, where a browser keeps it, the value of the attempt cookie:
// the browser's own, which its tabs share, or a new one in place of a value that limen
// did not make.
func (a *Auth) newAttempt(now time.Time, purpose signin.Purpose, b session.Browser) (try signin.Attempt, value, cookie secret.Text) {
	id, value := signin.NewAttemptValue(now)
	try = signin.Attempt{
		ID: id, SecretHash: a.Keys.Attempts.Sum([]byte(value)), Purpose: purpose,
		Channel: account.ByEmail, Delivery: b.Delivery, Locale: a.Rules.DefaultLocale,
		CreatedAt: now, ExpiresAt: now.Add(a.Rules.CodeLife),
	}
	if b.Delivery == session.Token {
		return try, value, ""
	}
	cookie = a.attemptCookie(b)
	try.BrowserHash = a.browserHash(cookie)
	return try, value, cookie
}

// attemptCookie is the value of a browser's attempt cookie, which its tabs share: made now
// if it has none, or one that limen did not make. There is none in token mode.
func (a *Auth) attemptCookie(b session.Browser) secret.Text {
	switch {
	case b.Delivery == session.Token:
		return ""
	case session.OpenAttemptSecret(a.Keys.Browsers, b.Attempt.Reveal()):
		return b.Attempt
	}
	return session.NewAttemptSecret(a.Keys.Browsers)
}

// browserHash is the attempt cookie of a browser at rest.
func (a *Auth) browserHash(cookie secret.Text) []byte {
	return a.Keys.Attempts.Sum([]byte("cookie"), []byte(cookie))
}

func (a *Auth) owe(try signin.Attempt, value, cookie secret.Text, now time.Time) *Verification {
	return &Verification{
		Attempt: value, Channel: string(try.Channel), SentTo: masked(try), Browser: cookie, Match: try.Match,
		ExpiresIn: try.ExpiresAt.Sub(now), ResendIn: try.ResendIn(now, a.Rules.ResendAfter),
	}
}

// masked is where the code went, as a person recognises it and nobody learns it.
func masked(try signin.Attempt) string {
	if try.Channel == account.ByPhone {
		return account.MaskPhone(try.Address.Text)
	}
	return account.Mask(try.Address.Text)
}

// belongTo makes an attempt one of a signed-in person's session: it ends with it.
func belongTo(try *signin.Attempt, who account.Account, s session.ID) {
	try.Account, try.CredentialVersion, try.Session, try.Epoch = who.ID, who.CredentialVersion, s, who.Epoch
}

// displace makes room for one more attempt for an address: beyond the limit the newest
// unproven one of its kind yields, never one from a device that the address's owner has
// signed in with. The caller holds the address's lock, so a race cannot make room for more.
func (a *Auth) displace(ctx context.Context, tx *store.Tx, try signin.Attempt, b session.Browser) error {
	rivals, err := tx.LiveAttempts(ctx, try.Address.Key)
	if err != nil {
		return err
	}
	kind := signin.KindOf(try.Purpose, try.CodeHash != nil)
	if kind == signin.Recovery { // the limit of its emails bounds them; each lives its whole life
		return nil
	}
	rivals = slices.DeleteFunc(rivals, func(r store.Rival) bool { return r.Kind != kind })
	excess := len(rivals) - signin.LivePerAddress + 1
	for _, r := range rivals {
		if excess <= 0 {
			return nil
		}
		if r.KnownDevice {
			continue
		}
		if _, err := tx.EndAttempt(ctx, r.ID, signin.OutcomeDisplaced); err != nil {
			return err
		}
		e := event(audit.AttemptDisplaced, "", b)
		e.Attempt = string(r.ID)
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		excess--
	}
	return nil
}

// holds reports whether the caller holds the attempt: its secret, and in the cookie modes
// the cookie of the browser that began it.
func (a *Auth) holds(try signin.Attempt, value secret.Text, b session.Browser) bool {
	if !a.Keys.Attempts.Fits(try.SecretHash, []byte(value)) {
		return false
	}
	return try.BrowserHash == nil || a.Keys.Attempts.Fits(try.BrowserHash, []byte("cookie"), []byte(b.Attempt))
}

// opened is an attempt that is locked for change, with what else its deed holds: always
// in this order, so that no two deeds wait for each other.
type opened struct {
	who     account.Account
	session session.Session
	budgets
	signin.Attempt
}

// lockAttempt opens an attempt for change. Found is false unless the caller holds it and
// it lives, and with it the session that it belongs to.
func (a *Auth) lockAttempt(ctx context.Context, tx *store.Tx, value secret.Text, b session.Browser) (o opened, found bool, err error) {
	id, ok := signin.ParseAttemptValue(value.Reveal())
	if !ok {
		return o, false, nil
	}
	try, found, err := tx.AttemptByID(ctx, id)
	if err != nil || !found || !a.holds(try, value, b) {
		return o, false, err
	}
	return a.lockOpen(ctx, tx, try)
}

// lockOpen locks an attempt with what its deed holds. Found is false unless it lives, and
// with it the session that it belongs to; o.Attempt is the attempt in any case. An attempt
// that leads nowhere, or to an account yet to be made, looks for one all the same: it costs
// what the others cost.
func (a *Auth) lockOpen(ctx context.Context, tx *store.Tx, try signin.Attempt) (o opened, found bool, err error) {
	o.Attempt = try
	nobodys := try.Decoy || try.Purpose == signin.SignUp
	if o.who, found, err = tx.LockAccount(ctx, try.Account); err != nil || !found && !nobodys {
		return o, false, err
	}
	if closed(o.who, try.Purpose) {
		return o, false, nil
	}
	if try.Session != "" {
		o.session, _, err = tx.LockSession(ctx, try.Session)
		if err != nil || try.Orphaned(o.session, o.who.Epoch, tx.Now) {
			return o, false, err
		}
	}
	if try.Address.Key != "" {
		if o.budgets, err = a.lockBudgets(ctx, tx, try); err != nil {
			return o, false, err
		}
	}
	o.Attempt, found, err = tx.LockAttempt(ctx, try.ID)
	if err == nil && found && o.Expired(tx.Now) {
		err = tx.ExpireAttempt(try.ID)
	}
	return o, found && o.Live(tx.Now), err
}

// closed reports whether an attempt leads nowhere any more. Somebody who signs in learns
// after the proof that the account is banned or being deleted; one that is being deleted
// can be recovered, reviewed after that, and kept.
func closed(who account.Account, p signin.Purpose) bool {
	if who.Banned() {
		return p != signin.SignIn
	}
	switch p {
	case signin.SignIn, signin.Recover, signin.Review, signin.Keep:
		return false
	}
	return who.Deleting()
}

// held reads an attempt, over or not, for whoever holds it. One that belongs to a session
// is gone with it.
func (a *Auth) held(ctx context.Context, value secret.Text, b session.Browser) (signin.Attempt, error) {
	id, ok := signin.ParseAttemptValue(value.Reveal())
	if !ok {
		return signin.Attempt{}, signin.ErrAttemptExpired
	}
	try, found, err := a.Store.AttemptByID(ctx, id)
	if err != nil {
		return signin.Attempt{}, err
	}
	if !found || !a.holds(try, value, b) {
		return signin.Attempt{}, signin.ErrAttemptExpired
	}
	orphaned, err := a.orphaned(ctx, try)
	if err != nil {
		return signin.Attempt{}, err
	}
	if orphaned {
		return signin.Attempt{}, signin.ErrAttemptExpired
	}
	return try, a.expire(ctx, try, a.Now())
}

// expire stores the end of an attempt that is about to be refused as expired.
func (a *Auth) expire(ctx context.Context, try signin.Attempt, now time.Time) error {
	if !try.Expired(now) {
		return nil
	}
	return a.Store.Tx(ctx, func(tx *store.Tx) error { return tx.ExpireAttempt(try.ID) })
}

// orphaned reports whether the session that an attempt belongs to has ended. An attempt
// of no session is never orphaned, and costs no statement.
func (a *Auth) orphaned(ctx context.Context, try signin.Attempt) (bool, error) {
	if try.Session == "" {
		return false, nil
	}
	s, who, _, err := a.Store.SessionView(ctx, try.Session)
	return try.Orphaned(s, who.Epoch, a.Now()), err
}

// AttemptStatus tells the waiting screen how an attempt stands: pending, complete or
// expired. It refuses with attempt_expired for whoever does not hold it.
func (a *Auth) AttemptStatus(ctx context.Context, value secret.Text, b session.Browser) (string, error) {
	try, err := a.held(ctx, value, b)
	if err != nil {
		return "", err
	}
	return try.Status(a.Now()), nil
}

// AttemptOwed tells the holder of a live attempt what it still owes: where the letter
// went, masked, and how long until another may be sent.
func (a *Auth) AttemptOwed(ctx context.Context, value secret.Text, b session.Browser) (Verification, error) {
	try, err := a.held(ctx, value, b)
	if err != nil {
		return Verification{}, err
	}
	now := a.Now()
	if !try.Live(now) {
		return Verification{}, signin.ErrAttemptExpired
	}
	return *a.owe(try, value, kept(try, b), now), nil
}

// kept is the attempt cookie of the browser that holds an attempt, "" where none is
// needed. The browser keeps it as long as the attempt lives.
func kept(try signin.Attempt, b session.Browser) secret.Text {
	if try.BrowserHash == nil {
		return ""
	}
	return b.Attempt
}

// ResendCode sends another code for an attempt; the older one is dead from then on. It
// refuses with attempt_expired, rate_limited before the pause is over, and
// too_many_attempts when the attempt has sent its share.
func (a *Auth) ResendCode(ctx context.Context, value secret.Text, b session.Browser) (Verification, error) {
	held, err := a.held(ctx, value, b)
	if err != nil {
		return Verification{}, err
	}
	if err := a.mayResend(held, a.Now()); err != nil {
		return Verification{}, err
	}
	var cost *ratelimit.Taken
	switch {
	case held.Channel == account.ByPhone:
		err = a.textAgain(ctx, held, b)
	case !a.Post.Ready():
		err = errNoRelay
	default:
		cost, err = a.mayEmailAgain(ctx, held, b)
	}
	again := a.sendAgain
	if held.Purpose == signin.Recover && held.Channel == account.ByEmail && limited(err) {
		again, err = a.sendNothingAgain, nil
	}
	if err != nil {
		return Verification{}, err
	}
	var owed Verification
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		try, found, err := a.lockAttempt(ctx, tx, value, b)
		if err != nil {
			return err
		}
		if refusal = signin.ErrAttemptExpired; !found {
			return nil
		}
		if refusal = a.mayResend(try.Attempt, tx.Now); refusal != nil {
			return nil
		}
		if err := a.countAgain(ctx, tx, try.Attempt); err != nil {
			return err
		}
		owed, err = again(ctx, tx, try, value, b)
		return err
	})
	if err = orRefusal(err, refusal); err != nil && cost != nil {
		cost.GiveBack(ctx, a.Now()) // no letter has left
	}
	return owed, err
}

func (a *Auth) sendAgain(ctx context.Context, tx *store.Tx, try opened, value secret.Text, b session.Browser) (Verification, error) {
	_, stored, _, err := tx.EmailOwner(ctx, try.Address.Key)
	if err != nil {
		return Verification{}, err
	}
	code := a.newCode(&try.Attempt, tx.Now)
	if err := tx.SetCode(ctx, try.ID, try.CodeHash, try.CodeExpires); err != nil {
		return Verification{}, err
	}
	token, err := a.newLink(tx, try.Attempt)
	if err != nil {
		return Verification{}, err
	}
	e := event(audit.CodeSent, try.who.ID, b)
	e.Attempt = string(try.ID)
	if err := tx.Record(ctx, e); err != nil {
		return Verification{}, err
	}
	owed := *a.owe(try.Attempt, value, kept(try.Attempt, b), tx.Now)
	letter := letterFor(try.Attempt, code, token, try.who.ID, stored)
	return owed, a.Post.Enqueue(ctx, tx, letter)
}

func (a *Auth) mayResend(try signin.Attempt, now time.Time) error {
	wait := try.ResendIn(now, a.Rules.ResendAfter)
	switch {
	case !try.Live(now) || try.Address.Key == "":
		return signin.ErrAttemptExpired
	case wait > 0:
		return signin.ErrTooSoon.After(wait)
	case try.Sends >= signin.SendsPerAttempt:
		return signin.ErrTooManyAttempts.After(try.ExpiresAt.Sub(now))
	}
	return nil
}

func wrongCode(t audit.Type, try signin.Attempt, b session.Browser) audit.Event {
	e := refused(t, try.Account, b, "code_incorrect")
	e.Attempt = string(try.ID)
	return e
}

// underTest reports whether an address or number can belong to nobody (RFC 6761 section
// 6.2, and the numbers that North America keeps for fiction).
func underTest(addressKey string) bool {
	return strings.HasSuffix(addressKey, ".test") || account.FictionalPhone(account.Phone{Key: addressKey})
}
