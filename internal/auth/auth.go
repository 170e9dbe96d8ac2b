// Package auth holds the deeds around people: sign up, sign in, prove oneself again,
// change or end what one has. One file per capability, one exported method per thing
// that can be done.
//
// A deed reads like a paragraph: take the cost of a try, read, judge outside, then one
// transaction that locks the account row first, loads or consumes, asks a pure rule,
// writes the change, its event and its letters. The rule's refusal is a value: a wrong
// code commits its counter and its evidence, and only the deed's last line turns the
// refusal into an error. An error aborts and leaves nothing behind.
//
// No hashing, signing, network or waiting happens inside a transaction. A password is
// read, judged outside, and the transaction demands that the credential version is still
// the one that was judged.
//
// Threats. What a caller learns from a refusal is the same whether a person exists or
// not: same words, same status, same statements, same hash (ASVS 6.3.8). Every single-use
// thing is spent in one statement. The caller is an argument, never taken from a context.
package auth

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/metrics"
	"github.com/limenauth/limen/internal/oauth"
	"github.com/limenauth/limen/internal/ratelimit"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/slots"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
)

// Rules are the settings that the deeds obey.
type Rules struct {
	// Strict answers the same for known and unknown addresses (D2).
	Strict bool
	// Closed refuses new accounts.
	Closed bool
	// Domains are those whose addresses may make an account.
	Domains     account.Domains
	Passwords   factor.Rules
	Lifetimes   session.Lifetimes
	SessionCap  int
	CodeLife    time.Duration
	ResendAfter time.Duration
	// FreshFor is how long a proof allows changes to the account.
	FreshFor     time.Duration
	HandoverLife time.Duration
	Redirects    oauth.AllowList
	// PublicURL is scheme and host of limen itself.
	PublicURL string
	// DeletionGrace is how long a deletion can be taken back; 0 deletes at once.
	DeletionGrace time.Duration
	// DefaultLocale is the language of letters to people who named none.
	DefaultLocale string
	// TestCodes gives addresses under .test the code 424242. Development only.
	TestCodes bool
}

// Auth is the room of deeds. Every field but Texts and Watching is required.
type Auth struct {
	Store   *store.Store
	Limits  *ratelimit.Limiter
	Queue   *slots.Queue
	Hashing factor.Hashing
	Post    *letters.Post
	// Texts guards messages to phones; nil where they go to the development inbox only.
	Texts *sms.Guard
	// Spray remembers wrong passwords for a while, to tell when one is tried for many.
	Spray *ratelimit.Spread
	// Counts receives what operators watch; nil counts nothing.
	Counts *metrics.Metrics
	Rules  Rules
	Keys   Keys
	Now    func() time.Time
	Log    *slog.Logger

	Watching Watching
}

// Keys are the keyed hashes of the room, one per purpose.
type Keys struct {
	Devices      *secret.Hasher // MACs inside device secrets
	DeviceHashes *secret.Hasher // device secrets at rest
	Browsers     *secret.Hasher // MACs inside attempt cookies
	Attempts     *secret.Hasher // attempt secrets and attempt cookies at rest
	Codes        *secret.Hasher
	Addresses    *secret.Hasher // addresses in budgets and limits
	Handovers    *secret.Hasher
	Links        *secret.Hasher
	Candidates   *secret.Sealer
	LinkData     *secret.Sealer
}

// NewKeys derives the room's keys from the ring.
func NewKeys(r *secret.Ring) Keys {
	return Keys{
		Devices: r.Hasher("device secret"), DeviceHashes: r.Hasher("device hash"), Browsers: r.Hasher("attempt secret"), Attempts: r.Hasher("attempt"),
		Codes: r.Hasher("code"), Addresses: r.Hasher("address"), Handovers: r.Hasher("handover"),
		Links: r.Hasher("link"), Candidates: r.Sealer("candidate"), LinkData: r.Sealer("link data"),
	}
}

// Outcome is how a sign-up or sign-in goes on: with a grant, or with a proof that is
// still owed.
type Outcome struct {
	Granted session.Granted
	Owed    *Verification
}

// Verification tells what the person must prove, and with what.
type Verification struct {
	Attempt   secret.Text
	Channel   string
	SentTo    string
	ExpiresIn time.Duration
	ResendIn  time.Duration
	// Browser is the value of the attempt cookie.
	Browser secret.Text
	// Match is the two digits that the waiting screen shows, where there is one.
	Match string
}

// Actor is the signed-in person behind a request, as read when the request came in. Its
// session is as the presented access token proves it. A deed reads again what it depends
// on.
type Actor struct {
	Account account.Account
	Session session.Session
}

// hash runs a password hash in the bounded queue.
func (a *Auth) hash(ctx context.Context, password string) (hashed string, err error) {
	lined := a.Queue.Do(ctx, func() { hashed, err = a.Hashing.Hash(password) })
	if lined != nil {
		return "", lined
	}
	return hashed, err
}

// fits judges a password in the bounded queue. Where there is no hash, or none that can be
// read, it costs as much as where there is one.
func (a *Auth) fits(ctx context.Context, hash, password string) (ok bool, err error) {
	lined := a.Queue.Do(ctx, func() { ok, err = a.Hashing.Verify(hash, password) })
	if lined != nil {
		return false, lined
	}
	if errors.Is(err, factor.ErrHashUnreadable) {
		a.Log.Error("a stored password hash cannot be read; it was answered as a wrong password", "error", err)
		return false, nil
	}
	return ok, err
}

// terms prepare what a new session needs besides the proof: its id, the device secret of
// this browser, made now if it has none, and the next value of its attempt cookie: what
// anybody knew before the sign-in binds nothing to the browser after it.
func (a *Auth) terms(b session.Browser, now time.Time) signin.Terms {
	t := signin.Terms{ID: session.ID(secret.ID("ses", now)), Lifetimes: a.Rules.Lifetimes, Now: now}
	device := b.Device
	if !session.CurrentDeviceSecret(a.Keys.Devices, device.Reveal()) {
		device = session.NewDeviceSecret(a.Keys.Devices)
		t.NewDevice = device
	}
	t.DeviceHash = a.Keys.DeviceHashes.Sum([]byte(device))
	if b.Delivery != session.Token {
		t.NewAttempt = session.NewAttemptSecret(a.Keys.Browsers)
	}
	return t
}

// begin writes the session of a grant, keeps the person's sessions under the cap, records
// the sign-in and tells the person if its device is new. The caller holds the account's lock.
func (a *Auth) begin(ctx context.Context, tx *store.Tx, g session.Granted, b session.Browser, attempt signin.AttemptID) error {
	who, s := g.Account(), g.Session()
	live, err := tx.LiveSessions(ctx, who.ID, tx.Now)
	if err != nil {
		return err
	}
	unseen, err := a.newDevice(ctx, tx, who, s, live)
	if err != nil {
		return err
	}
	for _, id := range session.Excess(live, s.ID, a.Rules.SessionCap, tx.Now) {
		if err := a.end(ctx, tx, who.ID, id, session.EndedByCap, b); err != nil {
			return err
		}
	}
	if err := tx.InsertSession(ctx, s); err != nil {
		return err
	}
	if err := tx.MarkSignedIn(ctx, who.ID); err != nil {
		return err
	}
	if attempt != "" && g.Attempt() != "" { // so that the tab which waits learns how it ended
		if err := tx.RebindAttempt(attempt, a.browserHash(g.Attempt())); err != nil {
			return err
		}
	}
	e := event(audit.SignInSucceeded, who.ID, b)
	e.Session, e.Attempt = s.ID, string(attempt)
	e.Data = map[string]string{"method": s.AuthenticatedBy, "delivery": string(s.Delivery)}
	if err := tx.Record(ctx, e); err != nil || !unseen {
		return err
	}
	return a.notify(ctx, tx, who, notification{template: letters.NewDevice}, b)
}

// end ends one session with its evidence and its revocation.
func (a *Auth) end(ctx context.Context, tx *store.Tx, owner account.ID, id session.ID, reason string, b session.Browser) error {
	ended, err := tx.EndSession(ctx, owner, id, reason, a.tokensUntil(tx))
	if err != nil || !ended {
		return err
	}
	e := event(audit.SessionEnded, owner, b)
	e.Session, e.Data = id, map[string]string{"reason": reason}
	if reason == session.EndedByCap {
		e.Type, e.Data = audit.SessionCap, map[string]string{"limit": strconv.Itoa(a.Rules.SessionCap)}
	}
	return tx.Record(ctx, e)
}

// tokensUntil is when the last access token issued by now has expired everywhere.
func (a *Auth) tokensUntil(tx *store.Tx) time.Time {
	return tx.Now.Add(a.Rules.Lifetimes.Access + session.VerifierLeeway)
}

// event begins an event about a person at a browser.
func event(t audit.Type, who account.ID, b session.Browser) audit.Event {
	e := audit.At(t, b)
	e.Account, e.Actor = who, string(who)
	return e
}

func refused(t audit.Type, who account.ID, b session.Browser, reason string) audit.Event {
	e := event(t, who, b)
	e.Outcome, e.Actor = audit.Refused, ""
	e.Data = map[string]string{"reason": reason}
	return e
}

// orRefusal is a deed's last line: the transaction's error, else the rule's refusal.
func orRefusal(err, refusal error) error {
	if err != nil {
		return err
	}
	return refusal
}

var errNoRelay = fault.ErrUnavailable.Saying("No mail relay is configured here, so no letter can be sent.")
