package explorer

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// signed sends a request of somebody signed in; when the access token has run out, it is
// renewed once, as every client does.
func (b *browser) signed(method, path string, in any) answer {
	a := b.do(method, path, in)
	if a.status == http.StatusUnauthorized && b.renew() {
		a = b.do(method, path, in)
	}
	return a
}

// renew exchanges the refresh token.
func (b *browser) renew() bool {
	in := body{}
	if !b.cookie {
		in["refresh_token"] = b.refresh
	}
	a := b.anonymous("POST", "/v1/token/refresh", in)
	if !a.grants() {
		b.authenticated = zero
	}
	return a.grants()
}

// entered notes a sign-in or a step-up.
func (b *browser) entered(a answer, method string) bool {
	if a.grants() {
		b.authenticated, b.method = b.w.now(), method
	}
	return a.grants()
}

// keeps cancels the deletion of the account, where the answer to a code or link offers it.
func (b *browser) keeps(a answer, contact string) bool {
	t := b.offered(a, contact)
	return t != nil && b.entered(b.keepAccount(t), "message")
}

// offered keeps the attempt with which an account that is being deleted may be kept.
func (b *browser) offered(a answer, contact string) *attempt {
	if a.status != http.StatusForbidden || a.text("code") != "account_deleting" {
		return nil
	}
	return b.begun(a, "keep", contact, "")
}

func (b *browser) keepAccount(t *attempt) answer {
	return b.holding(t).anonymous("POST", "/v1/sign-in/keep", body{"attempt": t.value})
}

func (b *browser) fresh() bool {
	return !b.authenticated.IsZero() && b.w.now().Sub(b.authenticated) < freshLife
}

func (b *browser) signInPassword(identifier, password string) bool {
	return b.entered(b.anonymous("POST", "/v1/sign-in/password", body{"identifier": identifier, "password": password}), "password")
}

// beginSignIn asks for a message to a contact.
func (b *browser) beginSignIn(label string) (*attempt, answer) {
	w := b.w
	a := answer{}
	if isPhone(label) {
		a = b.anonymous("POST", "/v1/sign-in/phone", body{"phone": w.values[label], "link": true})
	} else {
		a = b.anonymous("POST", "/v1/sign-in/email", body{"email": w.values[label]})
	}
	return b.begun(a, "sign-in", label, ""), a
}

func (b *browser) redeemCode(t *attempt) answer {
	return b.holding(t).anonymous("POST", "/v1/sign-in/code", body{"attempt": t.value, "code": t.code})
}

func (b *browser) redeemLink(t *attempt) answer {
	return b.holding(t).anonymous("POST", "/v1/sign-in/link", body{"token": t.token, "attempt": t.value})
}

// approve opens the link of an attempt in another browser, approves it and completes it.
func (b *browser) approve(t *attempt) answer {
	other := &browser{w: b.w, p: b.p, cookies: map[string]string{}}
	if !other.anonymous("POST", "/v1/sign-in/link/approve", body{"token": t.token, "match": t.match, "decision": "approve"}).ok() {
		return answer{}
	}
	return b.holding(t).anonymous("POST", "/v1/sign-in/attempts/"+t.value+"/complete", body{})
}

// holding gives the browser the attempt cookie that an attempt was begun with.
func (b *browser) holding(t *attempt) *browser {
	if t.cookie && b.cookie && t.cookies[attemptCookie] != "" {
		b.cookies[attemptCookie] = t.cookies[attemptCookie]
	}
	return b
}

func (b *browser) beginRecovery(label string) (*attempt, answer) {
	a := b.anonymous("POST", "/v1/recovery", body{"email": b.w.values[label]})
	return b.begun(a, "recovery", label, ""), a
}

// recover sets a new password with an attempt's code or, where link is set, its link.
func (b *browser) recover(t *attempt, password string, link bool) answer {
	in := body{"attempt": t.value, "code": t.code, "password": password}
	if link {
		in = body{"token": t.token, "password": password}
	}
	a := b.holding(t).anonymous("POST", "/v1/recovery/confirm", in)
	if a.ok() {
		b.p.passwords = append(b.p.passwords, password)
	}
	return a
}

// recoverOnPage does the same on the pages, which lead on to a review where there is
// something to review.
func (b *browser) recoverOnPage(t *attempt, password string, link bool) (review *attempt, ok bool) {
	in := form{"attempt": t.value, "code": t.code, "new_password": password}
	if link {
		in = form{"token": t.token, "new_password": password}
	}
	a := b.holding(t).anonymous("POST", "/recovery/new-password", in)
	to := a.header.Get("Location")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(to, "/recovery/review") && !strings.HasPrefix(to, "/sign-in?changed=1") {
		return nil, false
	}
	b.p.passwords = append(b.p.passwords, password)
	review, _ = b.landed(a, t.contact)
	return review, true
}

// listed is a contact that the page after a remedy lists.
type listed struct {
	id, label string
	removed   bool // lately, so it can be put back; else it is left
}

var reviewRow = regexp.MustCompile(`(?s)<bdi dir="ltr">([^<]+)</bdi>.*?name="id" value="([^"]+)">(<input type="hidden" name="restore" value="1">)?`)

// reviewed lists what a remedy has left and what was removed lately.
func (b *browser) reviewed(t *attempt) (rows []listed) {
	a := b.holding(t).anonymous("GET", "/recovery/review?attempt="+url.QueryEscape(t.value), nil)
	for _, found := range reviewRow.FindAllStringSubmatch(string(a.raw), -1) {
		label := b.w.labels[strings.ToLower(html.UnescapeString(found[1]))]
		rows = append(rows, listed{id: found[2], label: label, removed: found[3] != ""})
	}
	return rows
}

// decide removes a contact that a remedy has left, or puts back one that was removed.
func (b *browser) decide(t *attempt, id string, restore bool) answer {
	in := form{"attempt": t.value, "id": id}
	if restore {
		in["restore"] = "1"
	}
	return b.holding(t).anonymous("POST", "/recovery/review", in)
}

// add adds a contact and keeps the attempt that proves it.
func (b *browser) add(label string) (*attempt, answer) {
	path, in := "/v1/me/emails", body{"email": b.w.values[label]}
	if isPhone(label) {
		path, in = "/v1/me/phones", body{"phone": b.w.values[label]}
	}
	a := b.signed("POST", path, in)
	return b.begun(a, "verify", label, a.text("id")), a
}

func kindOf(label string) string {
	if isPhone(label) {
		return "phones"
	}
	return "emails"
}

// The ways to prove an added contact.
const (
	byID      = "by id"
	byAttempt = "by attempt"
	byLink    = "by link"
)

// confirm proves an added contact.
func (b *browser) confirm(t *attempt, how string) answer {
	switch how {
	case byAttempt:
		return b.signed("POST", "/v1/email/confirm", body{"attempt": t.value, "code": t.code})
	case byLink:
		return b.signed("POST", "/v1/email/confirm", body{"token": t.token})
	}
	return b.signed("POST", "/v1/me/"+kindOf(t.contact)+"/"+t.subject+"/verify", body{"code": t.code})
}

// sendAgain asks for another message for a contact that is not proven yet.
func (b *browser) sendAgain(label, id string) answer {
	a := b.signed("POST", "/v1/me/"+kindOf(label)+"/"+id+"/send", nil)
	b.begun(a, "verify", label, id)
	return a
}

func (b *browser) resend(t *attempt) answer {
	a := b.holding(t).anonymous("POST", "/v1/sign-in/attempts/"+t.value+"/resend", body{})
	t.read(b, a)
	return a
}

func (b *browser) makePrimary(label, id string) answer {
	return b.signed("POST", "/v1/me/"+kindOf(label)+"/"+id+"/primary", body{})
}

func (b *browser) remove(label, id string) answer {
	return b.signed("DELETE", "/v1/me/"+kindOf(label)+"/"+id, nil)
}

func (b *browser) changePassword(current, next string) answer {
	a := b.signed("POST", "/v1/me/password", body{"current_password": current, "new_password": next})
	if a.ok() {
		b.p.passwords = append(b.p.passwords, next)
	}
	return a
}

// reauthenticate proves the person again, by the password or by a code.
func (b *browser) reauthenticate(method string) bool {
	a := b.signed("POST", "/v1/me/reauthenticate/begin", body{"type": method})
	t := b.begun(a, "reauthenticate", "", "")
	if t == nil {
		return false
	}
	in := body{"attempt": t.value, "type": method}
	if method == "password" {
		if len(b.p.passwords) == 0 {
			return false
		}
		in["password"] = b.p.passwords[len(b.p.passwords)-1]
	} else if in["code"] = t.code; t.code == "" {
		return false
	}
	by := "message"
	if method == "password" {
		by = method
	}
	return b.entered(b.signed("POST", "/v1/me/reauthenticate", in), by)
}

const redirectTo = "http://localhost:9999/callback"

// issueHandover asks for a code for an application on another origin.
func (b *browser) issueHandover(identifier, password string) bool {
	const verifier = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	sum := sha256.Sum256([]byte(verifier))
	in := form{
		"redirect_to": redirectTo, "state": "s", "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	path := "/sign-in/continue"
	if password != "" {
		path = "/sign-in"
		maps.Copy(in, form{"identifier": identifier, "password": password})
	}
	a := b.anonymous("POST", path, in)
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || !strings.HasPrefix(a.header.Get("Location"), redirectTo) || to.Query().Get("code") == "" {
		return false
	}
	if password != "" {
		b.authenticated, b.method = b.w.now(), "password"
	}
	b.p.handovers = append(b.p.handovers, handover{to.Query().Get("code"), verifier, redirectTo, b.w.now()})
	return true
}

func (b *browser) exchange(h handover) answer {
	return b.anonymous("POST", "/v1/sign-in/exchange", body{"code": h.code, "code_verifier": h.verifier, "redirect_to": h.redirect})
}

// follow presses the button on the page behind a link that takes something back.
func (b *browser) follow(l *link) answer {
	b.p.spend(l)
	return b.anonymous("POST", l.path, form{"token": l.token})
}

func (b *browser) signOut(scope string) answer {
	in := body{"scope": scope}
	if !b.cookie {
		in["refresh_token"] = b.refresh
	}
	return b.do("POST", "/v1/sign-out", in)
}
