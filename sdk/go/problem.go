package limenauth

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

// The codes of the problems this package raises. They mean what they mean in the
// server's own API, so a client needs one table for both.
const (
	CodeUnauthenticated  = "unauthenticated"           // 401: refresh once and try again
	CodeSessionEnded     = "session_ended"             // 401: final, sign in again
	CodeReauthentication = "reauthentication_required" // 403: the sign-in is too old or too weak
	CodeForbidden        = "forbidden"                 // 403: the person lacks a role
	CodeCrossOrigin      = "cross_origin"              // 403: an unsafe request from a foreign page
	CodeAttemptExpired   = "attempt_expired"           // 401: a sign-in that this browser did not start, or too late
	CodeMethodNotAllowed = "method_not_allowed"        // 405
	CodeUnavailable      = "unavailable"               // 503: it cannot be judged now; nobody is signed out
)

const problemPages = "https://github.com/limenauth/limen/blob/main/docs/error-codes.md#"

// A Problem is a refusal as a client sees it (RFC 9457). Its cause is for the log:
// Error and Unwrap tell it, the JSON form does not.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`

	// MaxAge (seconds) and ACR say what a reauthentication must reach (RFC 9470).
	MaxAge int    `json:"max_age,omitempty"`
	ACR    string `json:"acr_values,omitempty"`

	retryAfter time.Duration
	presented  bool // a token was presented: the challenge says that it was the fault
	noRedirect bool // signing in again was tried a moment ago and did not help
	superseded bool // the session has a newer token, which the browser holds by now or soon
	cause      error
}

// Error names the code and the hidden cause; it never holds a token.
func (p *Problem) Error() string {
	if p.cause != nil {
		return "limenauth: " + p.Code + ": " + p.cause.Error()
	}
	return "limenauth: " + p.Code
}

// Unwrap returns the hidden cause.
func (p *Problem) Unwrap() error { return p.cause }

func newProblem(status int, code, title, detail string, cause error) *Problem {
	return &Problem{Type: problemPages + code, Title: title, Status: status, Code: code, Detail: detail, cause: cause}
}

// noCredentials is the plain 401: nothing was presented, nothing is wrong with it.
func noCredentials() *Problem {
	return newProblem(http.StatusUnauthorized, CodeUnauthenticated,
		"Sign-in needed", "Sign in to continue.", nil)
}

func unauthenticated(cause error) *Problem {
	p := newProblem(http.StatusUnauthorized, CodeUnauthenticated,
		"Sign-in needed", "The access token is not accepted. Refresh it or sign in again.", cause)
	p.presented = true
	return p
}

func sessionEnded(cause error) *Problem {
	p := newProblem(http.StatusUnauthorized, CodeSessionEnded,
		"Signed out", "This session has ended. Sign in again.", cause)
	p.presented = true
	return p
}

func forbidden() *Problem {
	return newProblem(http.StatusForbidden, CodeForbidden,
		"Not allowed", "You may not do this.", nil)
}

func crossOrigin() *Problem {
	return newProblem(http.StatusForbidden, CodeCrossOrigin,
		"Request from another site", "This request did not come from this site's own pages.", nil)
}

func attemptExpired(detail string, cause error) *Problem {
	return newProblem(http.StatusUnauthorized, CodeAttemptExpired,
		"Sign-in not completed", detail, cause)
}

func wrongMethod() *Problem {
	return newProblem(http.StatusMethodNotAllowed, CodeMethodNotAllowed,
		"Method not allowed", "This address does not answer that method.", nil)
}

func unavailable(cause error) *Problem {
	p := newProblem(http.StatusServiceUnavailable, CodeUnavailable,
		"Not available", "Sign-in cannot be checked right now. Try again in a moment.", cause)
	p.retryAfter = time.Second
	return p
}

// challenge is the WWW-Authenticate value: RFC 6750, section 3, and RFC 9470.
func (p *Problem) challenge() string {
	c := `Bearer realm="limen"`
	switch {
	case p.Code == CodeReauthentication:
		c += `, error="insufficient_user_authentication"`
		if p.ACR != "" {
			c += `, acr_values="` + p.ACR + `"`
		}
		if p.MaxAge > 0 {
			c += ", max_age=" + strconv.Itoa(p.MaxAge)
		}
	case p.Status == http.StatusUnauthorized && p.presented:
		c += `, error="invalid_token"`
	case p.Status != http.StatusUnauthorized:
		return ""
	}
	return c
}

// headers writes what a client needs to know whatever form the body takes.
func (p *Problem) headers(h http.Header) {
	if c := p.challenge(); c != "" {
		h.Set("WWW-Authenticate", c)
	}
	if p.retryAfter > 0 {
		seconds := (p.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// ServeHTTP writes the problem as application/problem+json. It is there for those
// who replace the error writer with [WithErrorWriter] and want the usual form for
// some requests.
func (p *Problem) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.headers(w.Header())
	body, err := json.Marshal(p)
	if err != nil {
		http.Error(w, p.Code, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	w.Write(append(body, '\n'))
}

// writeProblem is the default error writer: a small page for a person in front of a
// browser, problem+json for every program.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	if !isPage(r) {
		p.ServeHTTP(w, r)
		return
	}
	p.headers(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.WriteHeader(p.Status)
	problemPage.Execute(w, p)
}

var problemPage = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<main>
<h1>{{.Title}}</h1>
<p>{{.Detail}}</p>
<p><a href="/">Back to the start</a></p>
</main>
</html>
`))
