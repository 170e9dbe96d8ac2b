package auth

import (
	"context"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
)

// recentSessions is how far back a sign-in looks for the device that it comes from.
const recentSessions = 50

// newDevice reports whether a session comes from a device that its person has not used
// lately: neither with this device secret, nor with the same browser and system from the
// same network, which is how programs come that keep no secret. live are the person's
// sessions that are read already.
func (a *Auth) newDevice(ctx context.Context, tx *store.Tx, who account.Account, s session.Session, live []session.Session) (bool, error) {
	if !who.CreatedAt.Before(tx.Now) {
		return false, nil // the account is as new as its device
	}
	seen := func(all []session.Session) bool {
		for _, old := range all {
			if len(old.DeviceHash) == 0 {
				continue // a remedy has made its device an unknown one
			}
			if string(old.DeviceHash) == string(s.DeviceHash) || old.Device == s.Device && network(old.IP) == network(s.IP) {
				return true
			}
		}
		return false
	}
	if seen(live) {
		return false, nil
	}
	older, err := tx.SessionsOf(ctx, who.ID, recentSessions)
	return err == nil && !seen(older), err
}
