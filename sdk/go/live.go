package limenauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

var errNotLive = errors.New("the server says that the token is not active")

// askLive asks the server about one token. An answer that is neither yes nor no is
// 503: a route that demands a live session is closed while nobody can say.
func (a *Auth) askLive(ctx context.Context, e *entry) *Problem {
	if a.serverKey == "" {
		return a.askMe(ctx, e)
	}
	const path = "/v1/token/introspect"
	got, err := a.wire.call(ctx, http.MethodPost, path, http.Header{
		"Authorization": {"Bearer " + a.serverKey},
		"Content-Type":  {"application/x-www-form-urlencoded"},
		"Accept":        {"application/json"},
	}, []byte(url.Values{"token": {e.token}}.Encode()), answerLimit)
	if err != nil {
		return unavailable(err)
	}
	if got.status != http.StatusOK {
		return unavailable(got.refusal(path))
	}
	var said struct {
		Active bool   `json:"active"`
		Sub    string `json:"sub"`
	}
	if err := json.Unmarshal(got.body, &said); err != nil {
		return unavailable(err)
	}
	// RFC 7662 does not say why a token is inactive, so the client is told to refresh
	// once; the server then tells it whether the session is over.
	if !said.Active || said.Sub != "" && said.Sub != e.person.ID {
		return unauthenticated(errNotLive)
	}
	return nil
}

// askMe asks in the person's name.
func (a *Auth) askMe(ctx context.Context, e *entry) *Problem {
	const path = "/v1/me"
	got, err := a.wire.call(ctx, http.MethodGet, path, http.Header{
		"Authorization": {"Bearer " + e.token},
		"Accept":        {"application/json"},
	}, nil, answerLimit)
	if err != nil {
		return unavailable(err)
	}
	switch {
	case got.status == http.StatusOK:
		var said struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(got.body, &said); err != nil || said.ID != e.person.ID {
			return unavailable(errors.New(path + " answered about somebody else"))
		}
		return nil
	case got.status == http.StatusUnauthorized && got.code() == CodeSessionEnded:
		return sessionEnded(errNotLive)
	case got.status == http.StatusUnauthorized, got.status == http.StatusForbidden:
		return unauthenticated(errNotLive)
	}
	return unavailable(got.refusal(path))
}
