package limenauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

var (
	errScheme    = errors.New("the Authorization header is not one Bearer token")
	errTooManyIn = errors.New("the Authorization header was sent twice")
)

// stepUpPause keeps a person whose fresh sign-in still does not satisfy a route from
// being sent in circles.
const stepUpPause = time.Minute

// againPause keeps a browser whose newest cookie never came from being sent in circles.
const againPause = 10 * time.Second

const warnPause = 10 * time.Second // between two warnings about refused requests

// Require lets a request through to h when it carries a valid access token, as
// "Authorization: Bearer" or in this application's own session cookie, and meets the
// needs. [User] then tells h who it is. If there is an Authorization header, cookies
// are not read at all.
//
// Otherwise a program gets problem+json (401, 403 or 503) and a browser that
// navigates is sent to sign in (303), which needs [Auth.Callback] mounted. An unsafe
// request with the cookie must come from the application's own pages.
//
// Wrap the handler, not a path: what Require protects is h, however a request gets
// there.
func (a *Auth) Require(h http.Handler, list ...Need) http.Handler {
	n := gather(list)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, problem := a.admit(w, r, &n)
		if problem != nil {
			a.turnAway(w, r, problem)
			return
		}
		h.ServeHTTP(w, r.WithContext(withPerson(r.Context(), p)))
	})
}

// Optional lets everybody through to h; [User] returns nil for those who are not
// signed in. A bearer token that is presented and not valid is still a 401, so that
// its owner refreshes it, and a request that cannot be judged a 503.
func (a *Auth) Optional(h http.Handler) http.Handler {
	n := gather(nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, problem := a.admit(w, r, &n)
		switch {
		case problem == nil:
			r = r.WithContext(withPerson(r.Context(), p))
		case problem.Status == http.StatusUnauthorized && !hasAuthorization(r):
		default:
			a.turnDown(w, r, problem)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func hasAuthorization(r *http.Request) bool { return len(r.Header["Authorization"]) > 0 }

// admit finds the token of a request, in the one place it may be, and judges it.
func (a *Auth) admit(w http.ResponseWriter, r *http.Request, n *needs) (*Person, *Problem) {
	now, problem := a.ready()
	if problem != nil {
		return nil, problem
	}
	if !hasAuthorization(r) {
		return a.admitCookie(w, r, n, now)
	}
	token, err := bearer(r.Header["Authorization"])
	if err != nil {
		return nil, unauthenticated(err)
	}
	e, problem := a.admitToken(r.Context(), token, n, now)
	if problem != nil {
		return nil, problem
	}
	return &e.person, nil
}

// bearer reads RFC 6750, section 2.1.
func bearer(values []string) (string, error) {
	if len(values) != 1 {
		return "", errTooManyIn
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", errScheme
	}
	return token, nil
}

// admitToken judges a token and the needs of the route, the network last.
func (a *Auth) admitToken(ctx context.Context, token string, n *needs, now time.Time) (*entry, *Problem) {
	e, problem := a.check(ctx, token, now)
	if problem != nil {
		return nil, problem
	}
	if problem := n.met(&e.person, now); problem != nil {
		return nil, problem
	}
	if n.live {
		if problem := a.askLive(ctx, e); problem != nil {
			return nil, problem
		}
	}
	return e, nil
}

// admitCookie judges the session in the browser's cookie, and renews it when its
// token is old or refused for anything but the end of the session.
func (a *Auth) admitCookie(w http.ResponseWriter, r *http.Request, n *needs, now time.Time) (*Person, *Problem) {
	s, err := a.readSession(r)
	if err != nil {
		a.browser.clear(w, r, "session")
		return nil, unauthenticated(err)
	}
	if s == nil {
		return nil, noCredentials()
	}
	if !a.browser.sameOrigin(r) {
		return nil, crossOrigin()
	}
	ctx := r.Context()
	e, problem := a.admitToken(ctx, s.access, n, now)
	switch {
	case problem == nil && e.due(now):
		waiting, cancel := context.WithTimeout(ctx, renewPatience)
		defer cancel()
		next, failed := a.renewInto(waiting, w, r, s, now, true)
		if failed != nil && failed.Code != CodeSessionEnded {
			break // the token at hand still counts
		}
		if failed != nil {
			return nil, failed
		}
		e, problem = a.admitToken(ctx, next.access, n, now)
	case problem != nil && problem.Code == CodeUnauthenticated:
		next, failed := a.renewInto(ctx, w, r, s, now, false)
		if failed != nil {
			return nil, failed
		}
		e, problem = a.admitToken(ctx, next.access, n, now)
		if problem != nil && errors.Is(problem, errTokenRecalled) {
			// The change and the new token fall into the same second, and a token tells
			// no more than seconds. The next one will do.
			problem = unavailable(errTokenRecalled)
		}
	case problem != nil && problem.Code == CodeSessionEnded:
		a.browser.clear(w, r, "session")
	}
	if problem != nil {
		if problem.Code == CodeReauthentication && now.Sub(s.since) < stepUpPause {
			problem.noRedirect = true
		}
		return nil, problem
	}
	return &e.person, nil
}

// renewInto renews the session and puts the outcome into the browser's cookie.
func (a *Auth) renewInto(ctx context.Context, w http.ResponseWriter, r *http.Request, s *session, now time.Time, early bool) (session, *Problem) {
	next, problem := a.renew(ctx, s, early)
	if problem != nil {
		if problem.Code == CodeSessionEnded {
			a.browser.clear(w, r, "session")
		}
		return session{}, problem
	}
	if err := a.writeSession(w, r, next, now); err != nil {
		return session{}, unavailable(err)
	}
	return next, nil
}

// turnAway sends a person to sign in where that helps, and else says why not.
func (a *Auth) turnAway(w http.ResponseWriter, r *http.Request, p *Problem) {
	if p.superseded && isPage(r) && !hasAuthorization(r) && a.onceMore(w, r) {
		a.note(r, p)
		return
	}
	helps := p.Code == CodeUnauthenticated || p.Code == CodeSessionEnded || p.Code == CodeReauthentication && !p.noRedirect
	if helps && isPage(r) && !hasAuthorization(r) {
		a.note(r, p)
		a.beginSignIn(w, r, safePath(r.URL.RequestURI()), p)
		return
	}
	a.turnDown(w, r, p)
}

// onceMore sends a browser back to the page that it asked for, once in a while: another
// process has renewed the session a moment ago, and the browser comes again with the
// newest cookie. It reports whether it did.
func (a *Auth) onceMore(w http.ResponseWriter, r *http.Request) bool {
	const part = "again"
	if been, err := a.browser.read(r, part); err != nil || been != "" {
		return false
	}
	if err := a.browser.write(w, r, part, "1", againPause); err != nil {
		return false
	}
	seeOther(w, safePath(r.URL.RequestURI()))
	return true
}

func (a *Auth) turnDown(w http.ResponseWriter, r *http.Request, p *Problem) {
	a.note(r, p)
	a.refuse(w, r, p)
}

// note logs why a request was refused, without anything that it carried. That nothing
// can be judged is for whoever runs the program, so it is said aloud, now and then.
func (a *Auth) note(r *http.Request, p *Problem) {
	if p.cause == nil {
		return
	}
	level := slog.LevelDebug
	if p.Code == CodeUnavailable {
		now, last := a.clock().UnixNano(), a.warned.Load()
		if now-last >= int64(warnPause) && a.warned.CompareAndSwap(last, now) {
			level = slog.LevelWarn
		}
	}
	a.log.Log(r.Context(), level, "limenauth: refused", "code", p.Code, "err", p.cause)
}

// isPage reports whether a browser is navigating its window: only then does a
// redirect reach a person. Fetch Metadata says so; without it, as on plain http
// outside localhost, the Accept header has to do.
func isPage(r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}
