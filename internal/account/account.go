// Package account knows people and what identifies them: accounts, addresses,
// usernames and the profile a person may change. It is pure: no I/O, no clock.
//
// Two forms of every identifier. Text is what the person wrote, in Unicode NFC: it is
// what is shown and, for an address, where letters go. Key is what is compared and what
// the database keeps unique. The one rule that prevents account takeover by Unicode
// (CVE-2019-19844 and its kin): a look-up goes by Key, and a letter goes to the Text
// that is stored with the account that was found, never to the text that was typed.
//
// How a key is made. The local part of an address and a username are folded by Unicode
// NFKC and full case folding, repeated until nothing changes. The domain of an address
// is mapped by UTS 46, non-transitional, to its ASCII form (RFC 5891). What folding
// makes equal is the same key: A and a, the Kelvin sign and k, the long s and s, a
// fullwidth letter and its plain form, sharp s and ss. Nothing else is merged: dotless i
// is not i, Cyrillic a is not Latin a, and mail providers' habits (dots, +tags) are
// not ours to know. Only assigned, visible characters are accepted, because their
// folding never changes between editions of Unicode, so a stored key stays true.
//
// Look-alikes. Since nothing is merged by shape, two addresses may look the same. For
// addresses that is harmless: control of the mailbox decides. Usernames are shown to
// other people, so they keep to one script (UTS 39 section 5, with the usual
// combinations of Japanese, Korean and Chinese) and one set of digits. A whole word in
// one script that resembles a word in another is not detected.
//
// Limits. An address has at most 254 bytes, 64 of them before the @ (RFC 5321 section
// 4.5.3.1); a username 3 to 32 code points; a name 100; a picture's URL 2,048 bytes;
// unsafe_metadata 8 KiB. Every parser bounds its input before it looks at it.
//
// Not supported on purpose: quoted local parts, address literals, comments, lists and
// display names ("Bob <bob@example.com>"). Each of them has carried an attack
// (CVE-2022-35924: a comma made one address two).
package account

import (
	"encoding/json"
	"time"
)

// ID names an account: usr_ and a sortable id.
type ID string

// PhoneID names a number of an account: phn_ and a sortable id.
type PhoneID string

// EmailID names an address of an account: eml_ and a sortable id.
type EmailID string

// RoleUser is the role every account has.
const RoleUser = "user"

// Account is one person. Empty strings and zero times mean unknown or never.
type Account struct {
	ID ID

	Username  string
	FirstName string
	LastName  string
	Picture   string
	Locale    string

	Roles []string

	// The metadata are JSON objects and never nil: "{}" when empty. Public is written by
	// operators and read by all, Unsafe by the person, Private by operators alone.
	PublicMetadata  json.RawMessage
	UnsafeMetadata  json.RawMessage
	PrivateMetadata json.RawMessage

	PasswordHash      string
	PasswordChangedAt time.Time

	// CredentialVersion rises with every change of what proves the person: a deed that
	// judged a password outside its transaction checks it again inside.
	CredentialVersion int64
	// Epoch rises when every session must end at once; a session of an older epoch is dead.
	Epoch int64

	CreatedAt    time.Time
	UpdatedAt    time.Time
	LastSignInAt time.Time
	BannedAt     time.Time
	// DeleteAt is when a deletion that was asked for becomes final.
	DeleteAt time.Time

	// Email is the primary address as written, "" for none; the store joins it.
	Email         string
	EmailVerified bool
	// Phone is the primary number (E.164), "" for none; it has been proven.
	Phone string
}

// Barred reports whether nobody may come in: an operator has closed the account, or its
// person has asked for its deletion.
func (a Account) Barred() bool { return !a.BannedAt.IsZero() || !a.DeleteAt.IsZero() }

// Banned reports whether an operator has closed the account.
func (a Account) Banned() bool { return !a.BannedAt.IsZero() }

// Deleting reports whether the person has asked for the account's deletion.
func (a Account) Deleting() bool { return !a.DeleteAt.IsZero() }

// Channel is how a message reaches a person.
type Channel string

// The channels.
const (
	ByEmail Channel = "email"
	ByPhone Channel = "phone"
)
