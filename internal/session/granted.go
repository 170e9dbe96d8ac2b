package session

import (
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
)

// Browser is what a request tells of the place it comes from. The secrets in it have
// been checked for form only.
type Browser struct {
	// RequestID is what the answer and the log call the request.
	RequestID string
	IP        string
	UserAgent string
	Location  string
	Delivery  Delivery
	// Asked is the delivery that the client named, "" if it named none.
	Asked Delivery
	// Client is the application that asks; "" means the default one.
	Client string
	// Device is the device secret that was presented, "" if none was. Only its form has
	// been checked.
	Device secret.Text
	// Attempt is the value of the attempt cookie; "" if there is none.
	Attempt secret.Text
}

// Granted is a completed sign-in: an account, its session, and the secrets that only
// this answer may carry. Its fields are closed and only package signin builds one (the
// plan test holds that), so no door can hand out tokens that no proof stands behind.
type Granted struct {
	account account.Account
	session Session
	device  secret.Text
	attempt secret.Text
	again   bool
}

// Grant builds a Granted. Only package signin may call it.
//
// device is the device secret to hand out, "" when the browser already holds it; attempt
// is the new value of the attempt cookie, "" where no sign-in was completed in a browser;
// again says that an existing session was proven afresh rather than a new one begun.
func Grant(a account.Account, s Session, device, attempt secret.Text, again bool) Granted {
	return Granted{account: a, session: s, device: device, attempt: attempt, again: again}
}

// Account returns the person who signed in.
func (g Granted) Account() account.Account { return g.account }

// Session returns the session that the sign-in began or renewed.
func (g Granted) Session() Session { return g.session }

// Device returns the device secret to hand out, or "".
func (g Granted) Device() secret.Text { return g.device }

// Attempt returns the value that the attempt cookie has from now on, or "".
func (g Granted) Attempt() secret.Text { return g.attempt }

// Again reports whether an existing session was proven afresh.
func (g Granted) Again() bool { return g.again }

// Zero reports whether nothing was granted.
func (g Granted) Zero() bool { return g.session.ID == "" }

// Fresh reports whether the session's last proof is younger than within.
func (s Session) Fresh(within time.Duration, now time.Time) bool {
	return now.Before(s.AuthenticatedAt.Add(within))
}

// As returns the same browser with another delivery: an attempt's delivery was chosen
// when it began.
func (b Browser) As(d Delivery) Browser {
	b.Delivery = d
	return b
}

// VerifierLeeway outlives the clock difference that verifiers of access tokens forgive:
// a revocation is published that much longer than the tokens it concerns can live.
const VerifierLeeway = 2 * time.Minute

// Issued is what an application receives for a grant or a refresh.
type Issued struct {
	Account         account.Account // only the id, the roles and the address after a refresh
	Session         Session
	AccessToken     secret.Text
	AccessExpiresAt time.Time
	RefreshToken    secret.Text
	Device          secret.Text // the device secret to hand out, or ""
	Attempt         secret.Text // the new value of the attempt cookie, or ""
}
