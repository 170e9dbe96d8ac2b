package limenauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	signInPath   = "/sign-in"
	exchangePath = "/v1/sign-in/exchange"
	stateLen     = 26 // of rand.Text
)

var (
	errNoFlow   = errors.New("this browser did not start the sign-in, or more than ten minutes ago")
	errNoState  = errors.New("the answer has no state or code, or has one twice")
	errNoGrant  = errors.New("the server's answer is not a complete sign-in")
	errDeclined = errors.New("the sign-in was not completed at the server")
)

// SignIn sends the browser to the server's sign-in page. It comes back through
// [Auth.Callback], and then to the path in the query parameter return_to, "/" by
// default; only a path on this origin is followed.
//
// What the browser must bring back is kept in a sealed cookie that lives ten minutes,
// one per sign-in, so that several tabs do not spoil each other's.
func (a *Auth) SignIn(w http.ResponseWriter, r *http.Request) {
	a.beginSignIn(w, r, safePath(r.URL.Query().Get("return_to")), nil)
}

// beginSignIn may name a problem that signing in is to solve.
func (a *Auth) beginSignIn(w http.ResponseWriter, r *http.Request, returnTo string, why *Problem) {
	now, problem := a.ready()
	if problem != nil {
		a.turnDown(w, r, problem)
		return
	}
	var random [32]byte
	rand.Read(random[:])
	verifier := base64.RawURLEncoding.EncodeToString(random[:]) // RFC 7636: 43 characters
	challenge := sha256.Sum256([]byte(verifier))
	state := rand.Text()

	a.dropOldFlows(w, r)
	sealed := a.browser.flows.seal([]byte(state), []byte(verifier), []byte(returnTo), packTime(now))
	if err := a.browser.write(w, r, flowPart(state), sealed, flowLife); err != nil {
		a.turnDown(w, r, unavailable(err))
		return
	}
	query := url.Values{
		"redirect_to":    {a.redirectTo(r)},
		"state":          {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])},
	}
	if why != nil && why.Code == CodeReauthentication {
		// The words of OpenID Connect Core, section 3.1.2.1: ask again, although the
		// browser may be signed in.
		query.Set("prompt", "login")
		if why.MaxAge > 0 {
			query.Set("max_age", strconv.Itoa(why.MaxAge))
		}
		if why.ACR != "" {
			query.Set("acr_values", why.ACR)
		}
	}
	seeOther(w, a.pages+signInPath+"?"+query.Encode())
}

func (a *Auth) redirectTo(r *http.Request) string {
	return a.browser.origin(r) + a.browser.callback
}

// flowPart names a sign-in's cookie after its state, so the callback finds it.
func flowPart(state string) string { return "flow_" + state[:8] }

// dropOldFlows keeps the number of started sign-ins small: a page that sends the
// browser here again and again must not fill its cookies. Browsers send the oldest
// cookie first (RFC 6265, section 5.4).
func (a *Auth) dropOldFlows(w http.ResponseWriter, r *http.Request) {
	prefix, suffix, _ := a.browser.cookieStem(r)
	var parts []string
	for _, c := range r.Cookies() {
		part, ours := strings.CutPrefix(c.Name, prefix)
		if !ours || !strings.HasPrefix(part, "flow_") {
			continue
		}
		if part, ours = strings.CutSuffix(part, suffix); ours {
			parts = append(parts, part)
		}
	}
	for len(parts) >= maxFlows {
		a.browser.clear(w, r, parts[0])
		parts = parts[1:]
	}
}

// Callback is the handler for the path that the server sends the browser back to:
//
//	mux.Handle("/auth/callback", a.Callback())
//
// It accepts an answer only from the browser that began the sign-in, exchanges the
// code, checks the token as any other, sets the session cookie and sends the browser
// to where it wanted to go.
func (a *Auth) Callback() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A HEAD must not spend the code.
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			a.turnDown(w, r, wrongMethod())
			return
		}
		w.Header().Set("Referrer-Policy", "no-referrer") // the address holds a code
		returnTo, problem := a.finishSignIn(w, r)
		if problem != nil {
			a.turnDown(w, r, problem)
			return
		}
		seeOther(w, returnTo)
	})
}

func (a *Auth) finishSignIn(w http.ResponseWriter, r *http.Request) (returnTo string, problem *Problem) {
	now, problem := a.ready()
	if problem != nil {
		return "", problem
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["state"]) != 1 || len(query["state"][0]) != stateLen {
		return "", attemptExpired("This address is not a sign-in in progress. Start again.", errNoState)
	}
	state := query["state"][0]
	part := flowPart(state)
	sealed, err := a.browser.read(r, part)
	if err != nil || sealed == "" {
		return "", attemptExpired("This sign-in was not started in this browser, or too long ago. Start again.", errors.Join(errNoFlow, err))
	}
	fields, err := a.browser.flows.open(sealed, 4)
	if err == nil && subtle.ConstantTimeCompare(fields[0], []byte(state)) != 1 {
		err = errNoFlow
	}
	if err == nil && now.Sub(unpackTime(fields[3])) > flowLife {
		err = errNoFlow
	}
	if err != nil {
		return "", attemptExpired("This sign-in was not started in this browser, or too long ago. Start again.", err)
	}
	// From here on the sign-in is over, whatever comes of it.
	a.browser.clear(w, r, part)
	if len(query["code"]) != 1 || query.Has("error") {
		return "", attemptExpired("The sign-in was not completed. Nothing was changed.", errDeclined)
	}
	s, problem := a.exchange(r.Context(), query["code"][0], string(fields[1]), a.redirectTo(r))
	if problem != nil {
		return "", problem
	}
	// The server's word is checked like a stranger's: issuer, audience, life.
	e, problem := a.check(r.Context(), s.access, now)
	if problem != nil {
		return "", problem
	}
	s.id, s.since = e.person.SessionID, now
	if err := a.writeSession(w, r, s, now); err != nil {
		return "", unavailable(err)
	}
	return safePath(string(fields[2])), nil
}

// A grant is the server's answer to a completed sign-in or refresh.
type grant struct {
	Status       string `json:"status"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	DeviceSecret string `json:"device_secret"`
	Session      struct {
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"session"`
}

func readGrant(body []byte) (grant, error) {
	var g grant
	if err := json.Unmarshal(body, &g); err != nil {
		return grant{}, err
	}
	if g.Status != "complete" || g.AccessToken == "" || g.RefreshToken == "" {
		return grant{}, errNoGrant
	}
	return g, nil
}

// exchange trades the code for a session. The verifier proves that the one who asks
// is the one who began (RFC 7636).
func (a *Auth) exchange(ctx context.Context, code, verifier, redirectTo string) (session, *Problem) {
	got, err := a.wire.post(ctx, exchangePath, http.Header{"Limen-Delivery": {"token"}}, map[string]string{
		"code": code, "code_verifier": verifier, "redirect_to": redirectTo,
	})
	if err != nil {
		return session{}, unavailable(err)
	}
	if got.status >= 500 || got.status == http.StatusTooManyRequests {
		return session{}, unavailable(got.refusal(exchangePath))
	}
	if got.status != http.StatusOK {
		return session{}, attemptExpired("This sign-in cannot be completed any more. Start again.", got.refusal(exchangePath))
	}
	g, err := readGrant(got.body)
	if err != nil {
		return session{}, unavailable(err)
	}
	return session{
		access: g.AccessToken, refresh: g.RefreshToken, device: g.DeviceSecret,
		expires: g.Session.ExpiresAt,
	}, nil
}

// seeOther answers 303. http.Redirect is not used: it rewrites paths.
func seeOther(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
