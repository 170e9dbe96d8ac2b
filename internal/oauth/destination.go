package oauth

import "net/url"

// Destination is where a sign-in leads in the end, with what its application is given
// back. The zero value leads to the person's own account. Only AllowList.Destination
// makes another one, so what has this type was judged.
type Destination struct {
	redirectTo, state, challenge string
	own                          bool
}

// Destination judges where a request wants its sign-in to lead: it is the one rule of the
// API and the pages. A target on limen's own origin needs no challenge, because its
// cookies are enough. It refuses with redirect_not_allowed or invalid_request, fields
// state and code_challenge. Without redirectTo the rest means nothing and is dropped.
func (l AllowList) Destination(redirectTo, state, challenge string) (Destination, error) {
	if redirectTo == "" {
		return Destination{}, nil
	}
	if err := CheckState(state); err != nil {
		return Destination{}, err
	}
	own, ok := l.judge(redirectTo)
	if !ok {
		return Destination{}, ErrRedirectNotAllowed
	}
	if !own {
		if err := CheckChallenge(challenge); err != nil {
			return Destination{}, err
		}
	}
	return Destination{redirectTo: redirectTo, state: state, challenge: challenge, own: own}, nil
}

// Recall reads what Encode wrote and judges it again: what was allowed when a sign-in
// began and is no more leads to the person's own account.
func (l AllowList) Recall(s string) Destination {
	values, err := url.ParseQuery(s)
	if err != nil {
		return Destination{}
	}
	d, err := l.Destination(values.Get(paramRedirectTo), values.Get(paramState), values.Get(paramChallenge))
	if err != nil {
		return Destination{}
	}
	return d
}

const paramRedirectTo, paramState, paramChallenge = "redirect_to", "state", "code_challenge"

// Encode is the destination as the query of an address, "" for the zero value.
func (d Destination) Encode() string {
	q := url.Values{}
	for name, value := range d.Values() {
		q.Set(name, value)
	}
	return q.Encode()
}

// Values are the parameters that carry the destination along, in a stable order; those
// that are empty are left out.
func (d Destination) Values() func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, p := range [][2]string{{paramRedirectTo, d.redirectTo}, {paramState, d.state}, {paramChallenge, d.challenge}} {
			if p[1] != "" && !yield(p[0], p[1]) {
				return
			}
		}
	}
}

// RedirectTo is the target, "" for the person's own account.
func (d Destination) RedirectTo() string { return d.redirectTo }

// Challenge is the challenge of an application that fetches its own session.
func (d Destination) Challenge() string { return d.challenge }

// Elsewhere reports whether an application on another origin waits for a code.
func (d Destination) Elsewhere() bool { return d.redirectTo != "" && !d.own }

// Origin is the origin of an application elsewhere as a browser writes it
// ("https://app.example.com"); of a custom scheme, the scheme and its colon; else "".
func (d Destination) Origin() string {
	if !d.Elsewhere() {
		return ""
	}
	return originOf(d.redirectTo)
}

// With is the target with a code, and the state that belongs to it, in its query.
func (d Destination) With(code string) (string, error) {
	to, err := url.Parse(d.redirectTo)
	if err != nil {
		return "", err
	}
	q := to.Query()
	q.Set("code", code)
	if d.state != "" {
		q.Set(paramState, d.state)
	}
	to.RawQuery = q.Encode()
	return to.String(), nil
}
