package auth

import (
	"context"
	"encoding/json"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/sms"
	"github.com/limenauth/limen/internal/store"
)

const (
	// undoLife is how long a message about a change can undo it.
	undoLife = account.SeniorityPeriod
	// smsNoticesPerDay bounds the notifications to somebody who has only phone numbers.
	smsNoticesPerDay = 5
)

// notification is a security message: it says what happened to an account, and carries a
// link with which its reader undoes or reports that.
type notification struct {
	template letters.Template
	// undo is what the links of senior contacts do; the others always report. "" sends
	// senior contacts a link that reports, too.
	undo signin.Purpose
	// change is what such a link undoes.
	change account.Change
	// until is how long the links work; zero means undoLife.
	until time.Time
	// numbersToo sends it to the numbers of accounts that have an address as well.
	numbersToo bool
	// seniorOnly sends it to nobody else.
	seniorOnly bool
	// except is the id of a contact that was verified a moment ago: the message is about it.
	except string
	// also are removed contacts that it goes to as well, if they are senior.
	also []account.Contact
	// about is the contact that was changed, for the text.
	about account.Contact
}

// report is what the link of a notification remembers.
type report struct {
	Contact string         `json:"contact"` // who was informed
	Senior  bool           `json:"senior"`  // and could undo the change
	At      time.Time      `json:"at"`      // of the incident
	Change  account.Change `json:"change"`
}

// notify queues a notification to every verified contact of an account (standards, D12).
// The caller has made the change and holds the account's lock.
func (a *Auth) notify(ctx context.Context, tx *store.Tx, who account.Account, n notification, b session.Browser) error {
	s, err := tx.Standing(ctx, who.ID)
	if err != nil {
		return err
	}
	facts := a.facts(tx, b)
	if n.about.ID != "" {
		facts.Address = n.about.Masked()
	}
	if n.until.IsZero() {
		n.until = tx.Now.Add(undoLife)
	} else {
		facts.Until = n.until
	}
	informed := s.Informed(n.numbersToo)
	for _, c := range n.also {
		if s.Senior(c, tx.Now) && (c.Channel == account.ByEmail || n.numbersToo || len(informed) == 0) {
			informed = append(informed, c)
		}
	}
	for _, c := range informed {
		senior := s.Senior(c, tx.Now)
		if c.ID == n.except || n.seniorOnly && !senior {
			continue
		}
		if reached, err := a.reaches(ctx, tx, who.ID, c, n); err != nil || !reached {
			if err != nil {
				return err
			}
			continue
		}
		if err := a.inform(ctx, tx, who, c, senior, n, facts); err != nil {
			return err
		}
	}
	return nil
}

// NotifyReuse tells a person that a spent refresh token of their session was used at b and
// that the session has ended.
func (a *Auth) NotifyReuse(ctx context.Context, tx *store.Tx, who account.Account, _ session.Session, b session.Browser) error {
	return a.notify(ctx, tx, who, notification{template: letters.RefreshReused}, b)
}

// reaches reports whether a notification can be sent to a contact, and counts it where
// that costs money. A deletion is always announced: somebody who has spent the day's
// notifications cannot delete an account in silence.
func (a *Auth) reaches(ctx context.Context, tx *store.Tx, owner account.ID, c account.Contact, n notification) (bool, error) {
	if c.Channel == account.ByEmail {
		return a.Post.Ready(), nil
	}
	if !a.canText(c) {
		return false, nil
	}
	if n.undo == signin.UndoDeletion {
		return true, nil
	}
	return tx.CountSMSNotice(ctx, owner, smsNoticesPerDay)
}

// canText reports whether an SMS can be sent to a verified number.
func (a *Auth) canText(c account.Contact) bool {
	phone, err := account.ParsePhone(c.Address.Key, "")
	if err != nil || !a.Post.CanText() {
		return false
	}
	return a.Texts == nil || a.Texts.Allow(sms.Target{Number: phone.Key, Prefix: phone.Prefix, Country: phone.Country}) == nil
}

// inform queues a notification to one contact.
func (a *Auth) inform(ctx context.Context, tx *store.Tx, who account.Account, c account.Contact, senior bool, n notification, facts letters.Facts) error {
	purpose := signin.NotMe
	if senior && n.undo != "" {
		purpose = n.undo
	}
	token, err := a.newReport(tx, who.ID, purpose, c, report{Contact: c.ID, Senior: senior, At: tx.Now, Change: n.change}, n.until)
	if err != nil {
		return err
	}
	m := letters.Letter{
		Template: n.template, Channel: c.Channel, Account: who.ID, Locale: a.locale(who.Locale), To: c.Address.Text,
		Path: undoPaths[purpose], Token: token, Facts: facts, NotAfter: n.until,
	}
	switch {
	case purpose == signin.UndoDeletion:
		m.ReportPath = undoPaths[signin.NotMe]
	case purpose == signin.NotMe && n.undo != "":
		m.Reports = true
	}
	return a.Post.Enqueue(ctx, tx, m)
}

// undoPaths are the pages of the links in notifications.
var undoPaths = map[signin.Purpose]string{
	signin.NotMe: "/not-me", signin.UndoChange: "/undo/change", signin.UndoDeletion: "/undo/deletion",
}

// newReport writes the link of a notification and returns its token. It belongs to no
// attempt, so a changed password does not end it.
func (a *Auth) newReport(tx *store.Tx, owner account.ID, purpose signin.Purpose, to account.Contact, r report, until time.Time) (secret.Text, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	id, token := signin.NewLinkToken(tx.Now)
	return token, tx.InsertLink(signin.Link{
		ID: id, SecretHash: a.Keys.Links.Sum([]byte(token)), Purpose: purpose, Account: owner, RecipientProof: to.VerifiedAt,
		Sealed: a.Keys.LinkData.Seal(string(id), data), CreatedAt: tx.Now, ExpiresAt: until,
	})
}

// facts are what a message says of the browser that did it.
func (a *Auth) facts(tx *store.Tx, b session.Browser) letters.Facts {
	f := letters.Facts{When: tx.Now, Device: session.DeviceOf(b.UserAgent).Label(), Place: b.Location}
	if f.Place == "" {
		f.Place = b.IP
	}
	return f
}
