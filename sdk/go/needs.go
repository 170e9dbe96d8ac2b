package limenauth

import (
	"slices"
	"time"
)

// A Need is what a route demands beyond a valid token.
type Need func(*needs)

type needs struct {
	maxAge time.Duration // 0 = any
	roles  [][]string    // one of each
	aal    int
	live   bool
}

// Fresh demands that the person has proved who they are within the last d: for what
// should not happen on a screen that was left alone. Refreshing a token does not
// count. Otherwise: 403 reauthentication_required.
func Fresh(d time.Duration) Need {
	return func(n *needs) {
		// The strictest of several counts. Fresh(0) cannot be met: it closes the route.
		d = max(d, 1)
		if n.maxAge == 0 || d < n.maxAge {
			n.maxAge = d
		}
	}
}

// Role demands one of the named roles; several Role needs must all be met. Role()
// without a name admits nobody. Otherwise: 403 forbidden.
func Role(anyOf ...string) Need {
	return func(n *needs) { n.roles = append(n.roles, anyOf) }
}

// MFA demands a session with a second factor (aal2). Otherwise: 403
// reauthentication_required.
func MFA() Need {
	return func(n *needs) { n.aal = 2 }
}

// Live asks the server at every request whether the session still lives: one call
// over the network, a few milliseconds, nothing cached. With a server key of scope
// introspect the call is POST /v1/token/introspect, without one GET /v1/me in the
// person's name. When the server cannot be asked the answer is 503.
func Live() Need {
	return func(n *needs) { n.live = true }
}

func gather(list []Need) needs {
	if len(list) == 0 {
		return needs{} // the common case costs no allocation
	}
	n := new(needs)
	for _, need := range list {
		need(n)
	}
	return *n
}

// met holds a person against the needs that the token itself can answer.
func (n *needs) met(p *Person, now time.Time) *Problem {
	for _, anyOf := range n.roles {
		if !slices.ContainsFunc(anyOf, p.HasRole) {
			return forbidden()
		}
	}
	weak := p.AAL < n.aal
	old := n.maxAge > 0 && (p.AuthenticatedAt.IsZero() || now.Sub(p.AuthenticatedAt) > n.maxAge)
	if !weak && !old {
		return nil
	}
	detail := "Confirm that it is you, then try again."
	if weak {
		detail = "Sign in with a second factor, then try again."
	}
	problem := newProblem(403, CodeReauthentication, "Confirm that it is you", detail, nil)
	if old {
		problem.MaxAge = max(int(n.maxAge/time.Second), 1)
	}
	if weak {
		problem.ACR = "aal2"
	}
	return problem
}
