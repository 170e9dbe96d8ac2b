package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/account"
)

var birth = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func hours(n int) time.Time { return birth.Add(time.Duration(n) * time.Hour) }

// contactAt is a contact that was added and verified so many hours after the account was made.
func contactAt(name string, n int) account.Contact {
	return account.Contact{ID: name, Channel: account.ByEmail, VerifiedAt: hours(n), CreatedAt: hours(n)}
}

func TestSenior(t *testing.T) {
	removed := func(name string, verified, at int) account.Removal {
		return account.Removal{Contact: contactAt(name, verified), RemovedAt: hours(at)}
	}
	for name, c := range map[string]struct {
		contacts []account.Contact
		removals []account.Removal
		remedy   account.Remedy
		at       int
		senior   string
	}{
		"the only one, a moment old":           {contacts: []account.Contact{contactAt("a", 0)}, at: 0, senior: "a"},
		"a younger one":                        {contacts: []account.Contact{contactAt("a", 0), contactAt("b", 100)}, at: 171, senior: "a"},
		"a younger one, 72 hours on":           {contacts: []account.Contact{contactAt("a", 0), contactAt("b", 100)}, at: 172, senior: "a b"},
		"equally old":                          {contacts: []account.Contact{contactAt("a", 5), contactAt("b", 5)}, at: 6, senior: "a b"},
		"unverified is never senior":           {contacts: []account.Contact{{ID: "a"}, contactAt("b", 9)}, at: 10, senior: "b"},
		"the older one was removed lately":     {contacts: []account.Contact{contactAt("b", 100)}, removals: []account.Removal{removed("a", 0, 101)}, at: 102},
		"the older one was removed long since": {contacts: []account.Contact{contactAt("b", 150)}, removals: []account.Removal{removed("a", 0, 101)}, at: 173, senior: "b"},
		"a younger one was removed":            {contacts: []account.Contact{contactAt("a", 100)}, removals: []account.Removal{removed("b", 101, 102)}, at: 103, senior: "a"},
		"after a remedy by the older one": {
			contacts: []account.Contact{contactAt("a", 0), contactAt("b", 50)}, remedy: account.Remedy{At: hours(200), ProvenAt: hours(0)}, at: 271, senior: "a"},
		"72 hours after that remedy": {
			contacts: []account.Contact{contactAt("a", 0), contactAt("b", 50)}, remedy: account.Remedy{At: hours(200), ProvenAt: hours(0)}, at: 272, senior: "a b"},
		"after a remedy by the younger one": {
			contacts: []account.Contact{contactAt("a", 0), contactAt("b", 50)}, remedy: account.Remedy{At: hours(200), ProvenAt: hours(50)}, at: 201, senior: "a b"},
	} {
		s := account.Standing{CreatedAt: birth, Contacts: c.contacts, Removals: c.removals, Remedy: c.remedy}
		var senior []string
		for _, one := range c.contacts {
			if s.Senior(one, hours(c.at)) {
				senior = append(senior, one.ID)
			}
		}
		if got := strings.Join(senior, " "); got != c.senior {
			t.Errorf("%s: %q are senior, want %q", name, got, c.senior)
		}
	}
}

// TestSeniorByTheLetter compares the threshold with the sentence of the standard, one
// contact at a time.
func TestSeniorByTheLetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, at := standing(t)
		for _, c := range s.Contacts {
			older := func(o account.Contact) bool { return o.Verified() && o.VerifiedAt.Before(c.VerifiedAt) }
			first := !slices.ContainsFunc(s.Contacts, older) && !slices.ContainsFunc(s.Removals, func(r account.Removal) bool {
				return older(r.Contact) && at.Sub(r.RemovedAt) < account.SeniorityPeriod
			})
			want := c.Verified() && (first || at.Sub(c.VerifiedAt) >= account.SeniorityPeriod)
			if !s.Remedy.At.IsZero() && at.Sub(s.Remedy.At) < account.SeniorityPeriod && c.VerifiedAt.After(s.Remedy.ProvenAt) {
				want = false
			}
			if got := s.Senior(c, at); got != want {
				t.Fatalf("%s at %v: %v, want %v in %+v", c.ID, at, got, want, s)
			}
		}
	})
}

func TestPurge(t *testing.T) {
	number := func(c account.Contact) account.Contact { c.Channel = account.ByPhone; return c }
	primary := func(c account.Contact) account.Contact { c.Primary = true; return c }
	created := account.Contact{ID: "made", Channel: account.ByEmail, VerifiedAt: birth, CreatedAt: birth}
	a, b, thief := contactAt("a", 0), contactAt("b", 10), contactAt("thief", 100)
	for name, c := range map[string]struct {
		contacts          []account.Contact
		removals          []account.Removal
		by                account.Contact
		incident          int
		was, restored     string
		suspects, primary string
		left, removed     string
		forgotten         string
	}{
		"a thief's address":       {contacts: []account.Contact{primary(a), thief}, by: a, incident: 101, suspects: "thief"},
		"that became primary":     {contacts: []account.Contact{a, primary(thief)}, by: a, incident: 101, suspects: "thief", primary: "a"},
		"a thief's number":        {contacts: []account.Contact{primary(a), primary(number(thief))}, by: a, incident: 101, suspects: "thief"},
		"an older one of mine":    {contacts: []account.Contact{primary(a), b, thief}, by: b, incident: 101, suspects: "thief"},
		"one from days before":    {contacts: []account.Contact{primary(a), b}, by: a, incident: 101, left: "b"},
		"just within three days":  {contacts: []account.Contact{primary(a), b}, by: a, incident: 81, suspects: "b"},
		"just without":            {contacts: []account.Contact{primary(a), b}, by: a, incident: 82, left: "b"},
		"equally old":             {contacts: []account.Contact{primary(a), contactAt("twin", 0)}, by: a, incident: 1},
		"what it began with":      {contacts: []account.Contact{primary(created), a, thief}, by: created, incident: 101, suspects: "thief"},
		"proven late, made with":  {contacts: []account.Contact{primary(a), {ID: "late", VerifiedAt: hours(99), CreatedAt: birth, Channel: account.ByEmail}}, by: a, incident: 101, left: "late"},
		"a change is undone":      {contacts: []account.Contact{a, primary(b)}, by: a, incident: 101, was: "a", primary: "a", left: "b"},
		"no primary one is there": {contacts: []account.Contact{a, b}, by: b, incident: 101, primary: "b"},
		"somebody else's change is undone": {
			contacts: []account.Contact{primary(contactAt("c", 12)), a, b}, by: a, incident: 101, was: "b", primary: "b", left: "b c"},
		"the one before is a suspect, too": {
			contacts: []account.Contact{a, thief, primary(contactAt("t2", 100))}, by: a, incident: 101, was: "thief", suspects: "thief t2", primary: "a"},
		"a number throws out the primary address": {
			contacts: []account.Contact{primary(number(a)), b, contactAt("c", 12), primary(thief)}, by: number(a), incident: 101,
			suspects: "thief", primary: "b", left: "b c"},
		"what an undo brings back": {
			contacts: []account.Contact{primary(a), thief}, by: a, incident: 101, restored: "thief", left: "thief"},
		"the only one of its channel is brought back": {
			contacts: []account.Contact{primary(number(a)), b}, by: b, incident: 101, primary: "b"},
		"unverified ones are left alone": {contacts: []account.Contact{primary(a), {ID: "q", Channel: account.ByEmail}}, by: a, incident: 101},
		"what was removed": {
			contacts: []account.Contact{primary(a)}, by: a, incident: 101, removed: "b", forgotten: "thief",
			removals: []account.Removal{{Contact: thief, RemovedAt: hours(101)}, {Contact: b, RemovedAt: hours(100)}}},
	} {
		s := account.Standing{CreatedAt: birth, Contacts: c.contacts, Removals: c.removals}
		p := s.Purge(c.by, hours(c.incident), account.Change{Was: c.was, Removed: c.restored})
		for what, pair := range map[string][2]string{
			"suspects": {names(p.Suspects), c.suspects}, "primary": {names(p.Primary), c.primary},
			"removed": {names(p.Removed), c.removed}, "forgotten": {names(p.Forgotten), c.forgotten}, "left": {names(p.Left), c.left},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s %q, want %q", name, what, pair[0], pair[1])
			}
		}
	}
}

// TestPurgeSparesTheOld holds the two promises that every remedy makes: nothing that was
// verified three days before the incident goes, and nothing that is younger than both the
// contact and those three days stays.
func TestPurgeSparesTheOld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, at := standing(t)
		var verified []account.Contact
		for _, c := range s.Contacts {
			if c.Verified() {
				verified = append(verified, c)
			}
		}
		if len(verified) == 0 {
			t.Skip()
		}
		by := rapid.SampledFrom(verified).Draw(t, "by")
		p := s.Purge(by, at, account.Change{Was: rapid.SampledFrom(append(verified, account.Contact{})).Draw(t, "was").ID})
		gone := map[string]bool{}
		for _, c := range p.Suspects {
			gone[c.ID] = true
			if !c.VerifiedAt.After(by.VerifiedAt) || at.Sub(c.VerifiedAt) >= account.SeniorityPeriod || !c.CreatedAt.After(s.CreatedAt) {
				t.Fatalf("%s goes", c.ID)
			}
		}
		for _, c := range verified {
			late := c.VerifiedAt.After(by.VerifiedAt) && at.Sub(c.VerifiedAt) < account.SeniorityPeriod && c.CreatedAt.After(s.CreatedAt)
			if late && !gone[c.ID] {
				t.Fatalf("%s stays", c.ID)
			}
			if !gone[c.ID] && c.VerifiedAt.After(by.VerifiedAt) != slices.ContainsFunc(p.Left, func(l account.Contact) bool { return l.ID == c.ID }) {
				t.Fatalf("%s is not listed rightly", c.ID)
			}
		}
		for _, c := range p.Primary {
			if gone[c.ID] || !c.Verified() {
				t.Fatalf("%s becomes primary", c.ID)
			}
		}
	})
}

func standing(t *rapid.T) (account.Standing, time.Time) {
	s := account.Standing{CreatedAt: birth}
	hour := rapid.IntRange(0, 300)
	contact := func(i int) account.Contact {
		c := account.Contact{ID: fmt.Sprint("c", i), Channel: account.ByEmail, CreatedAt: hours(hour.Draw(t, "created"))}
		if rapid.Bool().Draw(t, "phone") {
			c.Channel = account.ByPhone
		}
		if rapid.IntRange(0, 4).Draw(t, "verified") > 0 {
			c.VerifiedAt = hours(hour.Draw(t, "proof"))
		}
		return c
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "contacts") {
		s.Contacts = append(s.Contacts, contact(i))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "removals") {
		c := contact(10 + i)
		c.VerifiedAt = hours(hour.Draw(t, "proof"))
		s.Removals = append(s.Removals, account.Removal{Contact: c, RemovedAt: hours(hour.Draw(t, "removed"))})
	}
	if rapid.Bool().Draw(t, "remedy") {
		s.Remedy = account.Remedy{At: hours(hour.Draw(t, "at")), ProvenAt: hours(hour.Draw(t, "by"))}
	}
	return s, hours(hour.Draw(t, "now"))
}

func names(all []account.Contact) string {
	var out []string
	for _, c := range all {
		out = append(out, c.ID)
	}
	return strings.Join(out, " ")
}

func TestInformed(t *testing.T) {
	mail, phone := contactAt("mail", 0), contactAt("phone", 1)
	phone.Channel = account.ByPhone
	both := account.Standing{Contacts: []account.Contact{phone, mail, {ID: "unverified"}}}
	only := account.Standing{Contacts: []account.Contact{phone, {ID: "unverified", Channel: account.ByEmail}}}
	if got := names(both.Informed(false)); got != "mail" {
		t.Error(got)
	}
	if got := names(both.Informed(true)); got != "mail phone" {
		t.Error(got)
	}
	if got := names(only.Informed(false)); got != "phone" {
		t.Error(got)
	}
}
