package auth

import (
	"context"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
)

// UpdateProfile changes what the actor says of themselves. It refuses with
// invalid_request naming every bad field, username_taken or session_ended.
func (a *Auth) UpdateProfile(ctx context.Context, actor Actor, p account.Profile, b session.Browser) (account.Account, error) {
	p, err := p.Check()
	if err != nil {
		return account.Account{}, err
	}
	var key string
	if p.Username != nil && *p.Username != "" {
		name, err := account.ParseUsername(*p.Username)
		if err != nil {
			return account.Account{}, err
		}
		key = name.Key
	}
	var who account.Account
	var refusal error
	err = a.Store.Tx(ctx, func(tx *store.Tx) error {
		var live bool
		if who, live, err = a.lockActor(ctx, tx, actor); err != nil {
			return err
		}
		if refusal = stale(live, true); refusal != nil {
			return nil
		}
		renamed := p.Username != nil && *p.Username != who.Username
		if renamed {
			if refusal, err = a.mayRename(ctx, tx, who, key); err != nil || refusal != nil {
				return err
			}
		} else if who.Username != "" {
			name, err := account.ParseUsername(who.Username)
			if err != nil {
				return err
			}
			key = name.Key
		}
		apply(&who, p)
		who.UpdatedAt = tx.Now
		if err := tx.UpdateProfile(ctx, who, key); err != nil {
			return err
		}
		kind := audit.ProfileChanged
		if renamed {
			kind = audit.UsernameChanged
		}
		return tx.Record(ctx, a.eventBy(kind, actor, b))
	})
	return who, orRefusal(err, refusal)
}

// mayRename refuses a username that somebody else has, and the removal of the only name
// by which a person can sign in.
func (a *Auth) mayRename(ctx context.Context, tx *store.Tx, who account.Account, key string) (refusal, err error) {
	if key == "" {
		if who.Email == "" || !who.EmailVerified { // an address is a way in once it is proven
			return ErrLastCredential, nil
		}
		return nil, nil
	}
	holder, found, err := tx.AccountByUsername(ctx, key)
	if err != nil {
		return nil, err
	}
	if found && holder.ID != who.ID {
		return store.ErrUsernameTaken, nil
	}
	return nil, nil
}

func apply(who *account.Account, p account.Profile) {
	set := func(field *string, value *string) {
		if value != nil {
			*field = *value
		}
	}
	set(&who.FirstName, p.FirstName)
	set(&who.LastName, p.LastName)
	set(&who.Username, p.Username)
	set(&who.Locale, p.Locale)
	set(&who.Picture, p.Picture)
	if p.UnsafeMetadata != nil {
		who.UnsafeMetadata = p.UnsafeMetadata
	}
}
