package web

import (
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
)

// User is a person on the wire: for themselves and for the applications they use. No
// hash and no private metadata.
type User struct {
	ID             account.ID `json:"id"`
	Email          *string    `json:"email"`
	EmailVerified  bool       `json:"email_verified"`
	Phone          *string    `json:"phone"`
	PhoneVerified  bool       `json:"phone_verified"`
	Username       *string    `json:"username"`
	FirstName      *string    `json:"first_name"`
	LastName       *string    `json:"last_name"`
	Picture        *string    `json:"picture"`
	Locale         *string    `json:"locale"`
	Roles          []string   `json:"roles"`
	PublicMetadata Object     `json:"public_metadata" doc:"Written by operators."`
	UnsafeMetadata Object     `json:"unsafe_metadata" doc:"Written by the person: never trust it."`
	HasPassword    bool       `json:"has_password"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	LastSignInAt   *time.Time `json:"last_sign_in_at"`
}

// UserOf is a on the wire.
func UserOf(a account.Account) User {
	u := User{
		ID: a.ID, Email: known(a.Email), EmailVerified: a.EmailVerified, Phone: known(a.Phone), PhoneVerified: a.Phone != "", Username: known(a.Username),
		FirstName: known(a.FirstName), LastName: known(a.LastName), Picture: known(a.Picture), Locale: known(a.Locale),
		Roles: a.Roles, PublicMetadata: Object(a.PublicMetadata), UnsafeMetadata: Object(a.UnsafeMetadata),
		HasPassword: a.PasswordHash != "", CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
		LastSignInAt: happened(a.LastSignInAt),
	}
	if u.Roles == nil {
		u.Roles = []string{}
	}
	return u
}

// Session is a session on the wire.
type Session struct {
	ID              session.ID `json:"id"`
	UserID          account.ID `json:"user_id"`
	CreatedAt       time.Time  `json:"created_at"`
	LastSeenAt      time.Time  `json:"last_seen_at"`
	ExpiresAt       time.Time  `json:"expires_at" doc:"When it ends unless it is used again: the nearer of idle and absolute expiry."`
	IP              *string    `json:"ip"`
	Location        *string    `json:"location"`
	Device          Device     `json:"device"`
	Methods         []string   `json:"methods"`
	AAL             int        `json:"aal"`
	AuthenticatedAt time.Time  `json:"authenticated_at"`
	Current         bool       `json:"current" doc:"Whether it is the session of this request."`
}

// Device is what a user agent says it is.
type Device struct {
	Name    *string `json:"name"`
	OS      *string `json:"os"`
	Browser *string `json:"browser"`
	Kind    string  `json:"kind" enum:"desktop,mobile,tablet,bot,cli,other"`
}

// SessionOf is s on the wire; current is the session of the request.
func SessionOf(s session.Session, current session.ID) Session {
	w := Session{
		ID: s.ID, UserID: s.Account, CreatedAt: s.CreatedAt.UTC(), LastSeenAt: s.LastSeenAt.UTC(),
		ExpiresAt: expiry(s).UTC(), IP: known(s.IP), Location: known(s.Location),
		Device: Device{
			Name: known(s.Device.Name), OS: known(s.Device.OS), Browser: known(s.Device.Browser), Kind: s.Device.Kind,
		},
		Methods: s.Methods, AAL: s.AAL, AuthenticatedAt: s.AuthenticatedAt.UTC(), Current: s.ID == current,
	}
	if w.Device.Kind == "" {
		w.Device.Kind = session.KindOther
	}
	if w.Methods == nil {
		w.Methods = []string{}
	}
	return w
}

func expiry(s session.Session) time.Time {
	if s.IdleExpiresAt.Before(s.ExpiresAt) {
		return s.IdleExpiresAt
	}
	return s.ExpiresAt
}

// Grant is a completed sign-in on the wire.
type Grant struct {
	Status       string    `json:"status" enum:"complete"`
	User         *User     `json:"user,omitempty" doc:"Absent after a refresh."`
	Session      Session   `json:"session"`
	TokenType    string    `json:"token_type" enum:"Bearer"`
	AccessToken  string    `json:"access_token,omitempty" doc:"Absent where the mode keeps it in a cookie."`
	ExpiresIn    int64     `json:"expires_in" doc:"Seconds of life of the access token."`
	ExpiresAt    time.Time `json:"expires_at"`
	RefreshToken string    `json:"refresh_token,omitempty" doc:"In token mode only."`
	DeviceSecret string    `json:"device_secret,omitempty" doc:"In token mode, once: send it back as Limen-Device."`
}

// NeedsVerification says that an address must be proven first.
type NeedsVerification struct {
	Status    string `json:"status" enum:"needs_verification"`
	Attempt   string `json:"attempt"`
	Channel   string `json:"channel" enum:"email,phone"`
	SentTo    string `json:"sent_to" doc:"Masked."`
	ExpiresIn int64  `json:"expires_in"`
	ResendIn  int64  `json:"resend_in"`

	// Cookie is the value of the attempt cookie, "" for none.
	Cookie secret.Text `json:"-"`
}

// NeedsApproval says that the link began elsewhere: whoever opened it may let the browser
// that waits there in.
type NeedsApproval struct {
	Status string `json:"status" enum:"needs_approval"`
	Place  string `json:"place" doc:"Where the waiting browser is."`
	Device string `json:"device" doc:"What it is."`
}

// NeedsFactor says that another proof is needed.
type NeedsFactor struct {
	Status    string   `json:"status" enum:"needs_factor"`
	Attempt   string   `json:"attempt"`
	Factors   []Factor `json:"factors"`
	ExpiresIn int64    `json:"expires_in"`

	// Cookie is the value of the attempt cookie, "" for none.
	Cookie secret.Text `json:"-"`
}

// Factor is a proof that would do.
type Factor struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
	Hint string `json:"hint,omitempty"`
}

// Seconds is a duration on the wire: whole seconds, rounded up, so that who waits them
// has waited long enough.
func Seconds(d time.Duration) int64 { return max(0, int64((d+time.Second-1)/time.Second)) }

// known is s, or null where it is unknown.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// happened is t, or null where it never was.
func happened(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
