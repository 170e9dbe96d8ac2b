package api_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/app"
)

// proof is what a letter or a message carries.
type proof struct{ attempt, code, token string }

// use presents a proof somewhere; it reports what came of it.
type use struct {
	name string
	// for are the purposes that it serves.
	serves []string
	// by is what of the proof it takes.
	by  string
	try func(p proof) (ok bool)
}

func (u use) takes(p proof) bool {
	return u.by == "attempt" && p.attempt != "" || u.by == "code" && p.code != "" || u.by == "token" && p.token != ""
}

// proofs collects one proof of every purpose.
func proofs(t *testing.T, s *app.Server, ann *app.Client) map[string]proof {
	t.Helper()
	all := map[string]proof{}
	stranger := s.Client(t, "token")
	keep := func(purpose, attempt, to string, link bool) {
		p := proof{attempt: attempt, code: s.CodeFor(t, to)}
		if link {
			p.token = s.TokenFor(t, to)
		}
		all[purpose] = p
		s.Clock.Advance(time.Second)
	}
	keep("sign_in", asked(stranger, "ann@example.com", nil).Text("attempt"), "ann@example.com", true)
	keep("recover", recovering(stranger, "ann@example.com"), "ann@example.com", true)
	keep("sign_up", asked(stranger, "new@example.com", app.M{"create": true}).Text("attempt"), "new@example.com", true)
	_, attempt := added(ann, "two@example.com")
	keep("verify_email", attempt, "two@example.com", true)
	keep("reauthenticate", begin(ann, "email_code"), "ann@example.com", false)
	attempt = ann.Do("POST", "/v1/me/phones", app.M{"phone": annsPhone}).Want(http.StatusCreated).Text("attempt")
	keep("verify_phone", attempt, annsPhone, false)
	return all
}

// undoings are the tokens of the letters that take something back.
func undoings(t *testing.T, s *app.Server) map[string]proof {
	t.Helper()
	cyd := signedIn(t, s, "cyd@example.com", "")
	s.Clock.Advance(time.Second)
	id := proven(t, s, cyd, "cyd2@example.com")
	notMe := s.TokenFor(t, "cyd@example.com")
	s.Clock.Advance(time.Second)
	cyd.Do("POST", "/v1/me/emails/"+id+"/primary", app.M{}).Want(http.StatusNoContent)
	undoChange := s.TokenFor(t, "cyd@example.com")
	signedIn(t, s, "bob@example.com", "").Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
	return map[string]proof{
		"not_me": {token: notMe}, "undo_change": {token: undoChange}, "undo_deletion": {token: s.TokenFor(t, "bob@example.com")},
	}
}

// uses are all the places that take a proof.
func uses(t *testing.T, s *app.Server, ann *app.Client) []use {
	c := s.Client(t, "token")
	post := func(client *app.Client, path string, body func(p proof) app.M) func(proof) bool {
		return func(p proof) bool {
			got := client.Do("POST", path, body(p))
			if got.Status == http.StatusTooManyRequests || got.Status >= 500 {
				t.Errorf("%s is answered %d", path, got.Status)
			}
			return got.Status < 300
		}
	}
	deed := func(do func(secret.Text) error) func(proof) bool {
		return func(p proof) bool { return do(secret.Text(p.token)) == nil }
	}
	return []use{
		{"code", []string{"sign_in", "sign_up"}, "code", post(c, "/v1/sign-in/code", func(p proof) app.M { return app.M{"attempt": p.attempt, "code": p.code} })},
		{"approve", []string{"sign_in"}, "token", post(c, "/v1/sign-in/link/approve", func(p proof) app.M { return app.M{"token": p.token, "match": "00", "decision": "deny"} })},
		{"link", []string{"sign_in", "sign_up"}, "token", post(c, "/v1/sign-in/link", func(p proof) app.M { return app.M{"token": p.token, "attempt": p.attempt} })},
		{"complete", nil, "attempt", func(p proof) bool {
			return c.Do("POST", "/v1/sign-in/attempts/"+p.attempt+"/complete", nil).Status < 300
		}},
		{"reauthenticate", []string{"reauthenticate"}, "code", post(ann, "/v1/me/reauthenticate", func(p proof) app.M {
			return app.M{"attempt": p.attempt, "type": "email_code", "code": p.code}
		})},
		{"confirm by code", []string{"verify_email"}, "code", post(c, "/v1/email/confirm", func(p proof) app.M { return app.M{"attempt": p.attempt, "code": p.code} })},
		{"confirm by link", []string{"verify_email"}, "token", post(ann, "/v1/email/confirm", func(p proof) app.M { return app.M{"token": p.token} })},
		{"recover by code", []string{"recover"}, "code", post(c, "/v1/recovery/confirm", func(p proof) app.M {
			return app.M{"attempt": p.attempt, "code": p.code, "password": newPassword}
		})},
		{"recover by link", []string{"recover"}, "token", post(c, "/v1/recovery/confirm", func(p proof) app.M { return app.M{"token": p.token, "password": newPassword} })},
		{"undo a change", []string{"undo_change"}, "token", deed(func(v secret.Text) error { _, err := s.Auth.UndoChange(t.Context(), v, elsewhere); return err })},
		{"undo deletion", []string{"undo_deletion"}, "token", deed(func(v secret.Text) error { return s.Auth.UndoDeletion(t.Context(), v, elsewhere) })},
		{"not me", []string{"not_me"}, "token", deed(func(v secret.Text) error { _, err := s.Auth.NotMe(t.Context(), v, elsewhere); return err })},
	}
}

func has(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// TestProofsServeTheirOwnPurpose presents the proof of every purpose in every other place,
// and the parts of one proof with those of another: nothing works, nothing is spent and
// nothing is counted. Then each works where it belongs.
func TestProofsServeTheirOwnPurpose(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		all := undoings(t, s)
		s.Clock.Advance(time.Hour)
		ann := signedIn(t, s, "ann@example.com", "")
		maps.Copy(all, proofs(t, s, ann))
		places := uses(t, s, ann)
		sessions := s.Count(t)["session"]
		for purpose, p := range all {
			for _, u := range places {
				if u.name == "not me" && strings.HasPrefix(purpose, "undo_") {
					continue // whoever can undo something can report it instead
				}
				if u.takes(p) && !has(u.serves, purpose) && u.try(p) {
					t.Errorf("a proof for %s is taken by %s", purpose, u.name)
				}
			}
			s.Clock.Advance(time.Second) // and with it the tries of one network
		}
		if n := s.Count(t)["session"]; n != sessions {
			t.Errorf("%d sessions came of it", n-sessions)
		}
		for _, row := range s.Look(t, "SELECT purpose, tries FROM attempt WHERE ended_at IS NULL AND tries > 0") {
			t.Errorf("tries were counted for %s: %s", row[0], row[1])
		}
		for _, row := range s.Look(t, "SELECT in_row FROM code_budget WHERE in_row > 0") {
			t.Errorf("%s wrong codes were counted", row[0])
		}
		s.Clock.Advance(5 * time.Second)
		order := []string{"reauthenticate", "verify_email", "sign_up", "sign_in", "recover", "undo_change", "undo_deletion"}
		for _, purpose := range order {
			for _, u := range places {
				if !has(u.serves, purpose) || !u.takes(all[purpose]) || u.name == "approve" {
					continue
				}
				if !u.try(all[purpose]) {
					t.Errorf("a proof for %s is worth nothing to %s after that", purpose, u.name)
				}
				break
			}
		}
	})
}

// TestMixedProofs: the parts of two good proofs make none.
func TestMixedProofs(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		signedIn(t, s, "ann@example.com", "")
		signedIn(t, s, "eve@example.com", "")
		s.Clock.Advance(time.Hour)
		anns, eves := s.Client(t, "cookie"), s.Client(t, "cookie")
		a, e := asked(anns, "ann@example.com", nil), asked(eves, "eve@example.com", nil)
		annsCode := s.CodeFor(t, "ann@example.com")
		for annsCode == s.CodeFor(t, "eve@example.com") { // one in a million
			s.Clock.Advance(31 * time.Second)
			eves.Do("POST", "/v1/sign-in/attempts/"+e.Text("attempt")+"/resend", nil).Want(http.StatusAccepted)
		}
		annsToken, evesToken := s.TokenFor(t, "ann@example.com"), s.TokenFor(t, "eve@example.com")
		no := func(got *app.Answer) {
			t.Helper()
			if got.Status == http.StatusOK && got.Text("status") != "needs_approval" {
				t.Errorf("granted: %s", got.Body)
			}
		}
		// Eve has her own browser, attempt and letter, and has come by Ann's link or code.
		no(eves.Do("POST", "/v1/sign-in/link", app.M{"token": annsToken, "attempt": e.Text("attempt")}))
		no(eves.Do("POST", "/v1/sign-in/link", app.M{"token": annsToken, "attempt": a.Text("attempt")})) // without Ann's cookie
		no(eves.Do("POST", "/v1/sign-in/link", app.M{"token": annsToken}))
		no(eves.Do("POST", "/v1/sign-in/code", app.M{"attempt": e.Text("attempt"), "code": annsCode}))
		no(eves.Do("POST", "/v1/sign-in/code", app.M{"attempt": a.Text("attempt"), "code": annsCode}))
		no(eves.Do("POST", "/v1/sign-in/link/approve", app.M{"token": evesToken, "match": "x", "decision": "maybe"}))
		no(eves.Do("POST", "/v1/sign-in/attempts/"+a.Text("attempt")+"/complete", nil))
		swapped := e.Text("attempt")[:30] + a.Text("attempt")[30:]
		no(eves.Do("POST", "/v1/sign-in/code", app.M{"attempt": swapped, "code": annsCode}))
		eves.Do("GET", "/v1/sign-in/attempts/"+a.Text("attempt"), nil).Want(http.StatusUnauthorized, "attempt_expired")
		eves.Do("POST", "/v1/sign-in/attempts/"+a.Text("attempt")+"/resend", nil).Want(http.StatusUnauthorized, "attempt_expired")
		// A bearer's cookies are not read: the attempt is not held then.
		anns.Do("GET", "/v1/sign-in/attempts/"+a.Text("attempt"), nil, "Authorization", "Bearer x").Want(http.StatusUnauthorized)
		// The delivery is the one that was begun with; another is refused and spends nothing.
		for _, other := range []string{"token", "memory"} {
			anns.Do("POST", "/v1/sign-in/link", app.M{"token": annsToken}, "Limen-Delivery", other).Want(http.StatusUnprocessableEntity, "invalid_request")
			anns.Do("POST", "/v1/sign-in/code", app.M{"attempt": a.Text("attempt"), "code": annsCode}, "Limen-Delivery", other).Want(http.StatusUnprocessableEntity, "invalid_request")
		}
		got := anns.Do("POST", "/v1/sign-in/link", app.M{"token": annsToken}, "Limen-Delivery", "").Want(http.StatusOK)
		if got.Text("access_token") != "" || got.Text("refresh_token") != "" || anns.Cookies()["limen_access"] == "" {
			t.Errorf("the delivery chosen at the beginning was not kept: %s", got.Body)
		}
		// Eve's own proof is still good.
		eves.Do("POST", "/v1/sign-in/link", app.M{"token": evesToken}).Want(http.StatusOK)
	})
}
