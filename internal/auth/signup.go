package auth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/factor"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// ErrEmailTaken is told only where the enumeration mode is off.
var ErrEmailTaken = fault.New(fault.Conflict, "email_taken", "There already is an account with this address. Sign in instead.")

// ErrUsernameTaken is told in both modes: usernames are public.
var ErrUsernameTaken = store.ErrUsernameTaken

// SignUp is what a new person asks for. Roles, verified flags and other metadata are not
// theirs to choose.
type SignUp struct {
	Email    string
	Phone    string // proven instead of an address where there is none
	Username string
	Password string
	Profile  account.Profile
}

// SignUp begins an account. With an address it answers what must be proven first; the
// account comes into being with that proof, and until then nothing is claimed. Without
// an address, a username and password make the account at once.
//
// In strict mode a taken address is answered like a free one, by an attempt that leads
// nowhere, and its owner gets a letter. It refuses with invalid_request,
// username_taken, email_taken (mode off), sign_up_closed, rate_limited or unavailable.
func (a *Auth) SignUp(ctx context.Context, in SignUp, b session.Browser) (Outcome, error) {
	if a.Rules.Closed {
		return Outcome{}, signin.ErrSignUpClosed
	}
	wish, err := a.checkSignUp(in, true)
	if err != nil {
		return Outcome{}, err
	}
	if wish.username.Key != "" {
		taken, err := a.Store.UsernameTaken(ctx, wish.username.Key)
		if err != nil {
			return Outcome{}, err
		}
		if taken {
			return Outcome{}, store.ErrUsernameTaken
		}
	}
	switch {
	case wish.channel == account.ByPhone:
		err = a.mayTextOwner(ctx, wish.phone, b)
	case wish.address.Key == "":
		return a.signUpByUsername(ctx, in.Password, wish, b)
	case !a.Post.Ready():
		err = errNoRelay
	default:
		err = a.mayEmailOwner(ctx, signin.SignUp, wish.address.Key, b)
	}
	if err != nil {
		return Outcome{}, err
	}
	if in.Password != "" {
		if wish.candidate.PasswordHash, err = a.hash(ctx, in.Password); err != nil {
			return Outcome{}, err
		}
	}
	return a.signUpByProof(ctx, wish, b)
}

// wish is a sign-up that passed its checks.
type wish struct {
	channel   account.Channel
	address   account.Address // or the number, where that is proven
	phone     account.Phone
	username  account.Username
	candidate signin.Candidate
}

// checkSignUp checks everything that was asked for. A person who names no address must
// choose a password, for there is no other way in; an operator may leave it for later.
func (a *Auth) checkSignUp(in SignUp, wayIn bool) (w wish, err error) {
	bad := fault.ErrInvalidRequest
	note := func(err error) {
		if err != nil {
			for field, code := range fault.Of(err).Fields {
				bad = bad.Field(field, code)
			}
		}
	}
	if in.Email != "" {
		w.address, err = account.ParseAddress(in.Email)
		note(err)
		if err == nil && wayIn && !a.Rules.Domains.Admits(w.address) {
			bad = bad.Field("email", "domain_not_allowed")
		}
	}
	if in.Phone != "" {
		w.phone, err = account.ParsePhone(in.Phone, "")
		note(err)
		if in.Email == "" {
			w.channel, w.address = account.ByPhone, account.Address{Text: w.phone.Text, Key: w.phone.Key}
		}
	}
	if in.Username != "" {
		w.username, err = account.ParseUsername(in.Username)
		note(err)
	}
	if in.Email == "" && in.Phone == "" && in.Username == "" {
		bad = bad.Field("email", "required")
	}
	if wayIn && in.Email == "" && a.Rules.Domains.Restricted() {
		bad = bad.Field("email", "required")
	}
	profile, err := in.Profile.Check()
	note(err)
	if wayIn && in.Email == "" && in.Phone == "" && in.Password == "" {
		bad = bad.Field("password", "required")
	}
	if in.Password != "" {
		note(a.Rules.Passwords.Judge("password", in.Password, in.Email, in.Username))
	}
	if len(bad.Fields) > 0 {
		return wish{}, bad
	}
	w.candidate = signin.Candidate{
		Username: w.username.Text, FirstName: value(profile.FirstName), LastName: value(profile.LastName),
		Locale: value(profile.Locale), UnsafeMetadata: profile.UnsafeMetadata,
	}
	if in.Email != "" {
		w.candidate.Phone = w.phone.Key
	}
	return w, nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// claimant finds who owns what a sign-up wants to prove, and how they wrote it.
func (a *Auth) claimant(ctx context.Context, tx *store.Tx, w wish) (owner account.ID, stored string, taken bool, err error) {
	if w.channel == account.ByPhone {
		owner, taken, err = tx.PhoneOwner(ctx, w.address.Key)
		return owner, "", taken, err
	}
	return tx.EmailOwner(ctx, w.address.Key)
}

// signUpByProof writes the attempt, real or decoy, with the same statements.
func (a *Auth) signUpByProof(ctx context.Context, w wish, b session.Browser) (Outcome, error) {
	sealed, err := json.Marshal(w.candidate)
	if err != nil {
		return Outcome{}, err
	}
	var owed *Verification
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.LockBudget(ctx, a.addressHash(w.address.Key)); err != nil {
			return err
		}
		owner, stored, taken, err := a.claimant(ctx, tx, w)
		if err != nil {
			return err
		}
		if refusal = nil; taken && !a.Rules.Strict && w.channel != account.ByPhone {
			refusal = ErrEmailTaken
			return nil
		}
		if w.channel == account.ByPhone {
			if err := a.countText(ctx, tx, w.phone, !taken); err != nil {
				return err
			}
		}
		try, value, cookie := a.newAttempt(tx.Now, signin.SignUp, b)
		try.Address, try.Decoy, try.Locale = w.address, taken, a.locale(w.candidate.Locale)
		if w.channel != "" {
			try.Channel = w.channel
		}
		try.Candidate = a.Keys.Candidates.Seal(string(try.ID), sealed)
		if try.KnownDevice, err = a.knows(ctx, tx.DeviceUsed, owner, b); err != nil {
			return err
		}
		code := a.newCode(&try, tx.Now)
		if err := a.displace(ctx, tx, try, b); err != nil {
			return err
		}
		if err := tx.InsertAttempt(ctx, try); err != nil {
			return err
		}
		token, err := a.newLink(tx, try)
		if err != nil {
			return err
		}
		e := event(audit.SignUpRequested, "", b)
		e.Attempt = string(try.ID)
		if taken {
			e.Type, e.Outcome, e.Account = audit.SignUpAddressTaken, audit.Refused, owner
		}
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		owed = a.owe(try, value, cookie, tx.Now)
		return a.Post.Enqueue(ctx, tx, letterFor(try, code, token, owner, stored))
	})
	if err = orRefusal(err, refusal); err != nil {
		return Outcome{}, err
	}
	return Outcome{Owed: owed}, nil
}

// templates are the letters that carry the code of an attempt.
var templates = map[signin.Purpose]letters.Template{
	signin.SignUp: letters.SignUp, signin.SignIn: letters.SignIn, signin.Reauthenticate: letters.Code,
	signin.Recover: letters.Recover, signin.VerifyEmail: letters.VerifyEmail, signin.VerifyPhone: letters.Code,
}

// paths are where the links of these letters lead. A page there shows what the link would
// do; only its form does it.
var paths = map[signin.Purpose]string{
	signin.SignUp: "/sign-in/link", signin.SignIn: "/sign-in/link", signin.Recover: "/recovery/new-password",
	signin.VerifyEmail: "/email/confirm",
}

// letterFor is the letter of an attempt: code and link or, for a decoy, a word to whoever
// owns the address that somebody claimed, or to an address that nobody has. Stored is how
// its owner wrote it: who has an account is written there, never to what somebody typed.
func letterFor(try signin.Attempt, code, token secret.Text, owner account.ID, stored string) letters.Letter {
	l := letters.Letter{
		Template: templates[try.Purpose], Channel: try.Channel, Account: owner, Locale: try.Locale, To: try.Address.Text,
		NotAfter: try.CodeExpires,
	}
	claims := try.Purpose == signin.SignUp || try.Purpose == signin.VerifyEmail
	switch {
	case try.Decoy && claims && stored != "":
		l.Template, l.To, l.Path = letters.AddressTaken, stored, "/sign-in"
	case try.Decoy && !claims && stored == "" && try.Channel == account.ByEmail:
		l.Template, l.Path = letters.NoAccount, "/sign-up"
	case try.Decoy: // nobody to tell, or a message that would cost money
		l.Template = letters.Nothing
	default:
		l.Code = code
		if entry := try.Purpose == signin.SignIn || try.Purpose == signin.Recover; entry && try.Channel == account.ByEmail {
			if l.To = stored; stored == "" { // given up since
				l.Template = letters.Nothing
			}
		}
		if try.Channel == account.ByPhone && try.Purpose == signin.SignIn {
			l.Fallback = stored // to whom the account belongs; a number itself is proven by itself alone
		}
		if path := paths[try.Purpose]; path != "" && token != "" {
			l.Path, l.Token = path, token
		}
	}
	return l
}

func (a *Auth) locale(wanted string) string {
	if wanted == "" {
		return a.Rules.DefaultLocale
	}
	return wanted
}

// signUpByUsername makes an account that has no address to prove.
func (a *Auth) signUpByUsername(ctx context.Context, password string, w wish, b session.Browser) (Outcome, error) {
	hashed, err := a.hash(ctx, password)
	if err != nil {
		return Outcome{}, err
	}
	w.candidate.PasswordHash = hashed
	var granted session.Granted
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		who := newAccount(w.candidate, tx.Now)
		inserted, err := tx.InsertAccount(ctx, who, w.username.Key)
		if err != nil {
			return err
		}
		if !inserted {
			return store.ErrUsernameTaken
		}
		granted, err = a.welcome(ctx, tx, who, signin.NewAccount, b, "")
		return err
	})
	return Outcome{Granted: granted}, err
}

// welcome grants the first session of an account that was inserted in this transaction.
func (a *Auth) welcome(ctx context.Context, tx *store.Tx, who account.Account, by signin.Method, b session.Browser, attempt signin.AttemptID) (session.Granted, error) {
	e := event(audit.SignUpCompleted, who.ID, b)
	e.Attempt, e.Data = string(attempt), map[string]string{"method": string(by)}
	if err := tx.Record(ctx, e); err != nil {
		return session.Granted{}, err
	}
	granted, err := signin.Next(signin.State{
		Purpose: signin.SignUp, Account: who, Proofs: []signin.Method{by}, Browser: b,
	}, a.terms(b, tx.Now))
	if err != nil {
		return session.Granted{}, err
	}
	return granted, a.begin(ctx, tx, granted, b, attempt)
}

func newAccount(c signin.Candidate, now time.Time) account.Account {
	who := account.Account{
		ID: account.ID(secret.ID("usr", now)), Username: c.Username, FirstName: c.FirstName, LastName: c.LastName,
		Locale: c.Locale, Roles: []string{account.RoleUser}, PublicMetadata: json.RawMessage("{}"),
		UnsafeMetadata: json.RawMessage("{}"), PrivateMetadata: json.RawMessage("{}"), PasswordHash: c.PasswordHash,
		CredentialVersion: 1, Epoch: 1, CreatedAt: now, UpdatedAt: now, LastSignInAt: now,
	}
	if len(c.UnsafeMetadata) > 0 {
		who.UnsafeMetadata = c.UnsafeMetadata
	}
	if c.PasswordHash != "" {
		who.PasswordChangedAt = now
	}
	return who
}

// errAddressLost aborts a completion whose address somebody else proved a moment ago.
var errAddressLost = errors.New("the address was verified by another attempt")

// completeSignUp turns the candidate of a proven attempt into an account. It fails with
// errAddressLost when the address has found its owner meanwhile; nothing is left then.
func (a *Auth) completeSignUp(ctx context.Context, tx *store.Tx, try signin.Attempt, by signin.Method, b session.Browser) (session.Granted, error) {
	plain, err := a.Keys.Candidates.Open(string(try.ID), try.Candidate)
	if err != nil {
		return session.Granted{}, err
	}
	var c signin.Candidate
	if err := json.Unmarshal(plain, &c); err != nil {
		return session.Granted{}, err
	}
	who := newAccount(c, tx.Now)
	mine, err := a.insertProven(ctx, tx, &who, c, try)
	if err != nil {
		return session.Granted{}, err
	}
	if !mine {
		return session.Granted{}, errAddressLost
	}
	return a.welcome(ctx, tx, who, by, b, try.ID)
}

// insertProven inserts an account with the address or number that its attempt has proven.
// It reports false when that has found its owner meanwhile.
func (a *Auth) insertProven(ctx context.Context, tx *store.Tx, who *account.Account, c signin.Candidate, try signin.Attempt) (bool, error) {
	if try.Channel == account.ByPhone {
		who.Phone = try.Address.Key
		if err := a.insertNamed(ctx, tx, who); err != nil {
			return false, err
		}
		return tx.InsertPhone(ctx, store.Phone{
			ID: account.PhoneID(secret.ID("phn", tx.Now)), Account: who.ID, Number: try.Address.Key,
			Primary: true, VerifiedAt: tx.Now, CreatedAt: tx.Now,
		})
	}
	who.Email, who.EmailVerified = try.Address.Text, true
	if err := a.insertNamed(ctx, tx, who); err != nil {
		return false, err
	}
	if c.Phone != "" { // to be proven later
		row := store.Phone{ID: account.PhoneID(secret.ID("phn", tx.Now)), Account: who.ID, Number: c.Phone, CreatedAt: tx.Now}
		if _, err := tx.InsertPhone(ctx, row); err != nil {
			return false, err
		}
	}
	return tx.InsertEmail(ctx, store.Email{
		ID: account.EmailID(secret.ID("eml", tx.Now)), Account: who.ID, Address: try.Address,
		Primary: true, VerifiedAt: tx.Now, CreatedAt: tx.Now,
	})
}

// insertNamed inserts an account. If its username was taken while the person looked for
// the code, the account comes without one: the address is proven, so nothing may be lost.
func (a *Auth) insertNamed(ctx context.Context, tx *store.Tx, who *account.Account) error {
	key := ""
	if who.Username != "" {
		name, err := account.ParseUsername(who.Username)
		if err != nil {
			return err
		}
		key = name.Key
	}
	inserted, err := tx.InsertAccount(ctx, *who, key)
	if err != nil || inserted {
		return err
	}
	who.Username = ""
	_, err = tx.InsertAccount(ctx, *who, "")
	return err
}

// newCode sets a new code on the attempt and returns it. The caller writes the attempt.
func (a *Auth) newCode(try *signin.Attempt, now time.Time) secret.Text {
	code := secret.Digits(factor.CodeDigits)
	if a.Rules.TestCodes && underTest(try.Address.Key) {
		code = "424242"
	}
	try.CodeHash = a.Keys.Codes.Sum([]byte(code), []byte(try.ID), []byte(try.Purpose))
	try.SentAt, try.CodeExpires, try.Tries = now, now.Add(a.Rules.CodeLife), 0
	try.Sends++
	try.ExpiresAt = try.CodeExpires
	return code
}
