package auth

import (
	"context"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/letters"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/store"
)

// The events and messages of changed contacts, by channel.
var (
	primaryEvents    = map[account.Channel]audit.Type{account.ByEmail: audit.EmailPrimary, account.ByPhone: audit.PhonePrimary}
	removalEvents    = map[account.Channel]audit.Type{account.ByEmail: audit.EmailRemoved, account.ByPhone: audit.PhoneRemoved}
	primaryTemplates = map[account.Channel]letters.Template{account.ByEmail: letters.EmailChanged, account.ByPhone: letters.PhoneChanged}
	removalTemplates = map[account.Channel]letters.Template{account.ByEmail: letters.EmailRemoved, account.ByPhone: letters.PhoneRemoved}
)

// setPrimary makes a verified contact of the actor the primary one of its channel.
func (a *Auth) setPrimary(ctx context.Context, actor Actor, channel account.Channel, id string, withoutUndo bool, b session.Browser) error {
	return a.changeContact(ctx, actor, channel, id, func(tx *store.Tx, who account.Account, s account.Standing, c account.Contact) (refusal, err error) {
		switch {
		case !c.Verified():
			return ErrNotVerified, nil
		case withoutUndo && actor.Session.AAL < 2:
			return fault.ErrForbidden, nil
		case c.Primary:
			return nil, nil
		}
		was := ""
		for _, old := range s.Contacts {
			if old.Channel == channel && old.Primary {
				was = old.ID
			}
		}
		if err := tx.SetPrimaryContact(who.ID, c); err != nil {
			return nil, err
		}
		if err := tx.Record(ctx, a.eventBy(primaryEvents[channel], actor, b)); err != nil {
			return nil, err
		}
		n := notification{template: primaryTemplates[channel], change: account.Change{Was: was}, numbersToo: true, about: c}
		if !withoutUndo {
			n.undo = signin.UndoChange
		}
		return nil, a.notify(ctx, tx, who, n, b)
	})
}

// removeContact removes a contact of the actor.
func (a *Auth) removeContact(ctx context.Context, actor Actor, channel account.Channel, id string, b session.Browser) error {
	return a.changeContact(ctx, actor, channel, id, func(tx *store.Tx, who account.Account, s account.Standing, c account.Contact) (refusal, err error) {
		if !c.Verified() {
			if err := tx.DropContact(who.ID, c); err != nil {
				return nil, err
			}
			return nil, tx.Record(ctx, a.eventBy(removalEvents[channel], actor, b))
		}
		if channel == account.ByEmail && !a.Rules.Domains.MayGo(c.Address, s.AddressesBut(c)) {
			return ErrLastCredential, nil
		}
		if s.Last(c) && (who.Username == "" || who.PasswordHash == "") {
			return ErrLastCredential, nil
		}
		if err := tx.RemoveContact(who.ID, c); err != nil {
			return nil, err
		}
		n := notification{
			template: removalTemplates[channel], undo: signin.UndoChange, change: account.Change{Removed: c.ID},
			also: []account.Contact{c}, about: c,
		}
		if heir, ok := s.Heir(c); ok {
			if err := tx.SetPrimaryContact(who.ID, heir); err != nil {
				return nil, err
			}
			n.change.Was = c.ID
			n.numbersToo = true // the primary one has changed
		}
		if err := tx.Record(ctx, a.eventBy(removalEvents[channel], actor, b)); err != nil {
			return nil, err
		}
		return nil, a.notify(ctx, tx, who, n, b)
	})
}

// changeContact locks the actor with a contact of theirs and changes it.
func (a *Auth) changeContact(ctx context.Context, actor Actor, channel account.Channel, id string, do func(*store.Tx, account.Account, account.Standing, account.Contact) (refusal, err error)) error {
	return a.freshly(ctx, actor, func(tx *store.Tx, who account.Account) (refusal, err error) {
		s, err := tx.Standing(ctx, who.ID)
		if err != nil {
			return nil, err
		}
		c, found := findContact(s.Contacts, id)
		if !found || c.Channel != channel {
			return fault.ErrNotFound, nil
		}
		return do(tx, who, s, c)
	})
}
