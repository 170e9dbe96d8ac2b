package account

import "time"

// Contact is an email address or a phone number of an account.
type Contact struct {
	ID      string // eml_... or phn_...
	Channel Channel
	// Address is what the contact is: for a phone number both forms are E.164.
	Address Address
	Primary bool
	// VerifiedAt is the contact's proof time, zero while nobody has verified it.
	VerifiedAt time.Time
	CreatedAt  time.Time
}

// Verified reports whether somebody has shown that the contact reaches them.
func (c Contact) Verified() bool { return !c.VerifiedAt.IsZero() }

// Masked is the contact as its owner recognises it and nobody else learns it.
func (c Contact) Masked() string {
	if c.Channel == ByPhone {
		return MaskPhone(c.Address.Text)
	}
	return Mask(c.Address.Text)
}

// Removal is a verified contact that its person removed.
type Removal struct {
	Contact
	RemovedAt time.Time
}
