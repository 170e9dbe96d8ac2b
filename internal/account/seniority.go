package account

import "time"

// SeniorityPeriod is how long a contact must have been verified before it is trusted
// against younger ones, how long a change can be undone, and how long a remedy keeps
// younger contacts from making another. It is one period on purpose: whatever somebody
// who held the account for a moment brings into it stays junior for as long as the owner
// has a link that removes it.
const SeniorityPeriod = 72 * time.Hour

// Remedy is the newest remedy of an account: when it was made, and the proof time of the
// contact that made it. The zero Remedy is none.
type Remedy struct {
	At       time.Time
	ProvenAt time.Time
}

// Standing is what the seniority of an account's contacts is decided from. Removals are
// those that the person made in the last SeniorityPeriod; what a remedy removed is not
// among them.
type Standing struct {
	CreatedAt time.Time
	Contacts  []Contact
	Removals  []Removal
	Remedy    Remedy
}

// SeniorProof is the latest proof time that is senior at an instant: every contact that
// was verified then or earlier is senior, every other one is junior.
//
// A contact is senior if it was verified SeniorityPeriod ago, or if no older one is
// verified or was removed by its person in the last SeniorityPeriod. For SeniorityPeriod
// after a remedy, only contacts at least as old as the one that made it are senior.
func (s Standing) SeniorProof(at time.Time) time.Time {
	settled := at.Add(-SeniorityPeriod)
	var oldest time.Time
	older := func(c Contact) {
		if c.Verified() && (oldest.IsZero() || c.VerifiedAt.Before(oldest)) {
			oldest = c.VerifiedAt
		}
	}
	for _, c := range s.Contacts {
		older(c)
	}
	for _, r := range s.Removals {
		if at.Before(r.RemovedAt.Add(SeniorityPeriod)) {
			older(r.Contact)
		}
	}
	latest := settled
	if oldest.After(settled) {
		latest = oldest
	}
	if !s.Remedy.At.IsZero() && at.Before(s.Remedy.At.Add(SeniorityPeriod)) && s.Remedy.ProvenAt.Before(latest) {
		latest = s.Remedy.ProvenAt
	}
	return latest
}

// Senior reports whether a contact is senior at an instant.
func (s Standing) Senior(c Contact, at time.Time) bool {
	return c.Verified() && !c.VerifiedAt.After(s.SeniorProof(at))
}

// Change is what an undo reverses: the ids of the contact that was removed and of the one
// that was primary before; "" for none. The zero Change is none.
type Change struct {
	Removed string `json:"removed,omitempty"`
	Was     string `json:"was,omitempty"`
}

// Purge is what a remedy does to an account's contacts.
type Purge struct {
	// Suspects lose their place: the remedy removes them, a recovery makes them unverified.
	Suspects []Contact
	// Primary become the primary contact of their channel.
	Primary []Contact
	// Left can still be used to sign in and are younger than the contact that made the
	// remedy, in the order in which they were verified.
	Left []Contact
	// Removed were removed by the person lately and are no suspects: they can be put back.
	// Forgotten are the suspects among those: they can not.
	Removed, Forgotten []Contact
}

// Purge decides what a remedy by a contact against an incident does. A suspect is a
// contact that was verified after the contact and after the SeniorityPeriod before the
// incident, but never one that the account was created with or that is brought back by
// undoing its removal. Where a channel is left without a primary contact, the contact that
// makes the remedy becomes it or, in the other channel, the oldest one. What was primary
// before the change that is undone becomes primary again unless it is a suspect.
func (s Standing) Purge(by Contact, incident time.Time, undone Change) Purge {
	since := incident.Add(-SeniorityPeriod)
	if by.VerifiedAt.After(since) {
		since = by.VerifiedAt
	}
	suspect := func(c Contact) bool {
		return c.Verified() && c.ID != by.ID && c.ID != undone.Removed && c.VerifiedAt.After(since) && c.CreatedAt.After(s.CreatedAt)
	}
	var p Purge
	heirs, held := map[Channel]Contact{by.Channel: by}, map[Channel]bool{}
	for _, c := range s.Contacts {
		switch {
		case !c.Verified():
		case suspect(c):
			p.Suspects = append(p.Suspects, c)
		default:
			held[c.Channel] = held[c.Channel] || c.Primary
			if heir, ok := heirs[c.Channel]; c.Channel != by.Channel && (!ok || c.VerifiedAt.Before(heir.VerifiedAt)) {
				heirs[c.Channel] = c
			}
			if c.VerifiedAt.After(by.VerifiedAt) {
				p.Left = insertByProof(p.Left, c)
			}
		}
	}
	for _, c := range s.Contacts {
		if c.ID == undone.Was && c.Verified() && !suspect(c) {
			heirs[c.Channel], held[c.Channel] = c, false
		}
	}
	for _, channel := range []Channel{ByEmail, ByPhone} {
		if heir, ok := heirs[channel]; ok && !held[channel] && !heir.Primary {
			p.Primary = append(p.Primary, heir)
		}
	}
	for _, r := range s.Removals {
		if suspect(r.Contact) {
			p.Forgotten = append(p.Forgotten, r.Contact)
		} else if r.ID != by.ID {
			p.Removed = insertByProof(p.Removed, r.Contact)
		}
	}
	return p
}

// Younger lists the verified contacts that are younger than another one, in the order in
// which they were verified.
func (s Standing) Younger(than Contact) (younger []Contact) {
	for _, c := range s.Contacts {
		if c.Verified() && c.VerifiedAt.After(than.VerifiedAt) {
			younger = insertByProof(younger, c)
		}
	}
	return younger
}

// Primary returns the primary contact of a channel.
func (s Standing) Primary(channel Channel) (Contact, bool) {
	for _, c := range s.Contacts {
		if c.Channel == channel && c.Primary {
			return c, true
		}
	}
	return Contact{}, false
}

// Heir is the contact that becomes primary when another one goes: the oldest verified one
// of its channel. There is none unless the other one is primary.
func (s Standing) Heir(gone Contact) (heir Contact, ok bool) {
	for _, c := range s.Contacts {
		if gone.Primary && c.ID != gone.ID && c.Channel == gone.Channel && c.Verified() && (!ok || c.VerifiedAt.Before(heir.VerifiedAt)) {
			heir, ok = c, true
		}
	}
	return heir, ok
}

func insertByProof(all []Contact, c Contact) []Contact {
	at := len(all)
	for at > 0 && all[at-1].VerifiedAt.After(c.VerifiedAt) {
		at--
	}
	all = append(all, Contact{})
	copy(all[at+1:], all[at:])
	all[at] = c
	return all
}

// Informed lists the contacts that a security message goes to: every verified address,
// and every verified number where there is no address or the message is for numbers too.
func (s Standing) Informed(numbersToo bool) []Contact {
	var emails, phones []Contact
	for _, c := range s.Contacts {
		switch {
		case !c.Verified():
		case c.Channel == ByPhone:
			phones = append(phones, c)
		default:
			emails = append(emails, c)
		}
	}
	if len(emails) == 0 || numbersToo {
		return append(emails, phones...)
	}
	return emails
}

// Find returns the verified contact with an address.
func (s Standing) Find(channel Channel, key string) (Contact, bool) {
	for _, c := range s.Contacts {
		if c.Channel == channel && c.Address.Key == key && c.Verified() {
			return c, true
		}
	}
	return Contact{}, false
}

// Last reports whether no other contact is verified.
func (s Standing) Last(c Contact) bool {
	for _, other := range s.Contacts {
		if other.ID != c.ID && other.Verified() {
			return false
		}
	}
	return true
}

// AddressesBut lists the verified email addresses but one.
func (s Standing) AddressesBut(but Contact) (all []Address) {
	for _, c := range s.Contacts {
		if c.Channel == ByEmail && c.Verified() && c.ID != but.ID {
			all = append(all, c.Address)
		}
	}
	return all
}
