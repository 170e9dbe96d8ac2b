package store_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// reasons are all for which a session can end, and whether its device stays a known one.
var reasons = map[string]bool{
	session.EndedByReuse: false, session.EndedByFuture: false, session.EndedByNoDevice: false, session.EndedByWrongDevice: false,
	session.EndedByLateTwice: false, session.EndedByLateOften: false, session.EndedByOperator: false, session.EndedByPassword: false,
	session.EndedByRemedy: false, session.EndedByBan: false,
	session.EndedByIdle: true, session.EndedByAge: true, session.EndedByEpoch: true, session.EndedBySignOut: true,
	session.EndedByPerson: true, session.EndedByCap: true, session.EndedByDeletion: true,
}

// TestDeviceUsed: a device is known by a session that was not ended because somebody else
// may have had it, and not known any more once one was, until it signs in again.
func TestDeviceUsed(t *testing.T) {
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		now := d.Clock.Now().Truncate(time.Microsecond)
		number := 0
		signedIn := func(owner account.ID, device string, at, ended time.Time, reason string) {
			number++
			id := session.ID("ses_" + strings.Repeat("0", 6-len(strconv.Itoa(number))) + strconv.Itoa(number))
			err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				return tx.InsertSession(t.Context(), session.Session{
					ID: id, Account: owner, Client: "default", Generation: 1, RotatedAt: at,
					DeviceHash: []byte(device), Delivery: session.Token, Epoch: 1, Methods: []string{"pwd"}, AAL: 1,
					IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour), EndedAt: ended, EndReason: reason,
					CreatedAt: at, LastSeenAt: at, AuthenticatedAt: at, AuthenticatedBy: "pwd",
				})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		person := func(id account.ID) account.ID {
			err := d.Store.Tx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.InsertAccount(t.Context(), account.Account{ID: id, Roles: []string{account.RoleUser}, Epoch: 1, CreatedAt: now, UpdatedAt: now}, "")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		want := func(what string, owner account.ID, device string, known bool) {
			t.Helper()
			if got, err := d.Store.DeviceUsed(t.Context(), owner, []byte(device)); err != nil || got != known {
				t.Errorf("%s: known %v, want %v; %v", what, got, known, err)
			}
		}
		ann, bob := person("usr_01"), person("usr_02")
		signedIn(ann, "live", now, time.Time{}, "")
		want("a live session", ann, "live", true)
		want("somebody else's", bob, "live", false)
		want("nobody's", "", "live", false)
		for reason, known := range reasons {
			signedIn(ann, reason, now, now.Add(time.Minute), reason)
			want(reason, ann, reason, known)
			// Another session of the device, which began before that and lives.
			signedIn(ann, reason, now.Add(time.Second), time.Time{}, "")
			want(reason+", with another session", ann, reason, known)
			signedIn(ann, reason, now.Add(2*time.Minute), time.Time{}, "")
			want(reason+", and signed in again", ann, reason, true)
		}
	})
}
