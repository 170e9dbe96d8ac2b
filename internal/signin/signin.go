package signin

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// Purpose is what an attempt is for. A proof given for one purpose is worth nothing for
// another.
type Purpose string

// The purposes.
const (
	SignUp         Purpose = "sign_up"
	SignIn         Purpose = "sign_in"
	Reauthenticate Purpose = "reauthenticate"
	// Recover proves an address in order to choose a new password; it grants nothing.
	Recover Purpose = "recover"
	// VerifyEmail and VerifyPhone add a proven address or number to an account.
	VerifyEmail Purpose = "verify_email"
	VerifyPhone Purpose = "verify_phone"
	// Keep cancels the deletion of an account whose owner has just proven who they are.
	Keep Purpose = "keep"
	// Review removes contacts that a remedy has left, and puts removed ones back, in the
	// browser that made the remedy.
	Review Purpose = "review"
	// Links alone have these: they take back what somebody else may have done.
	UndoChange   Purpose = "undo_change"
	UndoDeletion Purpose = "undo_deletion"
	NotMe        Purpose = "not_me"
)

// Method names a way of proving who one is.
type Method string

// The methods of this release.
const (
	Password  Method = "password"
	EmailCode Method = "email_code"
	EmailLink Method = "email_link"
	PhoneCode Method = "phone_code"
	PhoneLink Method = "phone_link"
	// NewAccount stands for a sign-up without an address, where there is nothing to
	// prove yet: the credential was chosen a moment ago.
	NewAccount Method = "new_account"
)

// ParseMethods reads what JoinMethods wrote.
func ParseMethods(list string) []Method {
	var out []Method
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			out = append(out, Method(name))
		}
	}
	return out
}

// JoinMethods writes methods as one text, separated by commas.
func JoinMethods(methods []Method) string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return strings.Join(names, ",")
}

// AMR returns the authentication method reference of RFC 8176 for the access token.
func (m Method) AMR() string {
	switch m {
	case Password, NewAccount:
		return "pwd"
	case EmailCode, EmailLink:
		return "otp"
	case PhoneCode, PhoneLink:
		return "sms" // RFC 8176 section 2
	}
	return string(m)
}

// AMRs returns the distinct references of methods, in order.
func AMRs(methods []string) []string {
	out := make([]string, 0, len(methods))
	for _, m := range methods {
		if ref := Method(m).AMR(); !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out
}

// The refusals of this room.
var (
	ErrInvalidCredentials = fault.New(fault.Unauthenticated, "invalid_credentials", "That sign-in and password don't match. Check both, or reset your password.")
	ErrAccountBanned      = fault.New(fault.Denied, "account_banned", "This account has been closed. Contact the people who run this site.")
	ErrAccountDeleting    = fault.New(fault.Denied, "account_deleting", "This account will be deleted. To keep it, sign in with a code or link.")
	ErrReauthenticate     = fault.New(fault.Denied, "reauthentication_required", "Confirm it's you, then try again.")
)

// State is what is known when a proof has just succeeded.
type State struct {
	Purpose Purpose
	Account account.Account
	Proofs  []Method
	Browser session.Browser
	// Current is the session that is proven afresh; only for Reauthenticate.
	Current session.Session
	// ProvenAt is when the proofs were given, if that was before now.
	ProvenAt time.Time
}

// Terms are what the house adds to make a session of a completed attempt.
type Terms struct {
	ID         session.ID
	Lifetimes  session.Lifetimes
	DeviceHash []byte
	// NewDevice is the device secret made for this browser; "" when it has one.
	NewDevice secret.Text
	// NewAttempt is the value that the attempt cookie has after a sign-in; "" for clients
	// that keep no cookies.
	NewAttempt secret.Text
	Now        time.Time
}

// Next decides. It returns the grant, or the refusal that tells why there is none.
func Next(s State, t Terms) (session.Granted, error) {
	if len(s.Proofs) == 0 || s.Account.ID == "" {
		return session.Granted{}, ErrInvalidCredentials
	}
	switch {
	case s.Account.Banned() && slices.Equal(s.Proofs, []Method{Password}):
		return session.Granted{}, ErrInvalidCredentials
	case s.Account.Banned():
		return session.Granted{}, ErrAccountBanned
	case s.Account.Deleting():
		return session.Granted{}, ErrAccountDeleting.WithDeletion(s.Account.DeleteAt, "")
	}
	if s.Purpose == Reauthenticate {
		return again(s, t)
	}
	return session.Grant(s.Account, begin(s, t), t.NewDevice, t.NewAttempt, false), nil
}

func begin(s State, t Terms) session.Session {
	client := s.Browser.Client
	if client == "" {
		client = DefaultClient
	}
	methods := names(s.Proofs)
	end := t.Now.Add(t.Lifetimes.Absolute)
	proven := t.Now
	if !s.ProvenAt.IsZero() {
		proven = s.ProvenAt
	}
	idle := t.Now.Add(t.Lifetimes.Idle)
	if idle.After(end) {
		idle = end
	}
	return session.Session{
		ID:              t.ID,
		Account:         s.Account.ID,
		Client:          client,
		Generation:      session.FirstGeneration,
		RotatedAt:       t.Now,
		ProofGeneration: session.FirstGeneration,
		DeviceHash:      t.DeviceHash,
		Bound:           s.Browser.Delivery != session.Token,
		Delivery:        s.Browser.Delivery,
		Epoch:           s.Account.Epoch,
		IdleExpiresAt:   idle,
		ExpiresAt:       end,
		CreatedAt:       t.Now,
		LastSeenAt:      t.Now,
		AuthenticatedAt: proven,
		AuthenticatedBy: methods[len(methods)-1],
		IP:              s.Browser.IP,
		Location:        s.Browser.Location,
		Device:          session.DeviceOf(s.Browser.UserAgent),
		Methods:         methods,
		AAL:             1,
	}
}

// again renews the proof of an existing session: same session, new generation, so the
// tokens from before the proof are spent (ASVS 7.2.4).
func again(s State, t Terms) (session.Granted, error) {
	cur := s.Current
	if cur.ID == "" || cur.Account != s.Account.ID || !cur.Live(t.Now, s.Account.Epoch) {
		return session.Granted{}, session.ErrEnded
	}
	return session.Grant(s.Account, cur.Proven(t.Lifetimes, names(s.Proofs), t.Now), "", "", true), nil
}

func names(methods []Method) []string {
	out := make([]string, len(methods))
	for i, m := range methods {
		out[i] = string(m)
	}
	return out
}

// PasswordChanged grants the session in which a person has changed the password: the
// same session with a new generation and a new device secret, so that whatever was copied
// before is worth nothing (see session.Refresh). It proves nothing afresh: the grant says
// what shown says, the session as the presented access token proves it. It refuses with
// session_ended.
func PasswordChanged(who account.Account, current, shown session.Session, t Terms) (session.Granted, error) {
	if current.Account != who.ID || current.ID != shown.ID || !current.Live(t.Now, who.Epoch) {
		return session.Granted{}, session.ErrEnded
	}
	next := current.CutOff(t.Lifetimes, t.DeviceHash, t.Now)
	next.AuthenticatedAt, next.AuthenticatedBy = shown.AuthenticatedAt, shown.AuthenticatedBy
	next.Methods, next.AAL = shown.Methods, shown.AAL
	return session.Grant(who, next, t.NewDevice, "", true), nil
}

// Shown is a session as an access token of it proves it. A proof that came after the
// token was issued is not the token's: the person's step-up must not freshen a copy that
// somebody else holds. authTime, acr and amr are the token's claims.
func Shown(s session.Session, authTime int64, acr string, amr []string) session.Session {
	s.Methods = slices.DeleteFunc(slices.Clone(s.Methods), func(m string) bool { return !slices.Contains(amr, Method(m).AMR()) })
	if level, err := strconv.Atoi(strings.TrimPrefix(acr, acrPrefix)); err == nil {
		s.AAL = min(s.AAL, level)
	} else {
		s.AAL = 0
	}
	if authTime != s.AuthenticatedAt.Unix() || !slices.Contains(s.Methods, s.AuthenticatedBy) {
		s.AuthenticatedBy = "" // the row does not tell how an older proof was given
	}
	if at := time.Unix(authTime, 0).UTC(); at.Before(s.AuthenticatedAt.Truncate(time.Second)) {
		s.AuthenticatedAt = at
	}
	return s
}

const acrPrefix = "aal"

// ACR names an assurance level in access tokens.
func ACR(level int) string { return acrPrefix + strconv.Itoa(level) }

// DefaultClient is the application that asks when none is named.
const DefaultClient = "default"

// Offers lists the proofs with which an account can show again who it is, best first.
func Offers(a account.Account) []string {
	var out []string
	if a.PasswordHash != "" {
		out = append(out, string(Password))
	}
	if a.Email != "" && a.EmailVerified {
		out = append(out, string(EmailCode))
	}
	if a.Phone != "" {
		out = append(out, string(PhoneCode))
	}
	return out
}
