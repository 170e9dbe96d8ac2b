package api

import (
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/web"
)

// sessions are the devices on which a person is signed in.
func (a *API) sessions() web.Table {
	return web.Table{
		{Pattern: "GET /v1/sessions", Guard: web.SignedIn, Limit: web.Free(), Handle: web.JSON(a.listSessions), Doc: web.Doc{
			Tag: "Sessions", Summary: "List the sessions that can still be used",
		}},
		{Pattern: "DELETE /v1/sessions/{id}", Guard: web.SignedIn, Limit: web.Free(), Handle: from(a.endSession), Doc: web.Doc{
			Tag: "Sessions", Summary: "End one session", Faults: []*fault.Fault{fault.ErrNotFound},
		}},
		{Pattern: "DELETE /v1/sessions", Guard: web.SignedIn, Limit: web.Free(), Handle: from(a.endOtherSessions), Doc: web.Doc{
			Tag: "Sessions", Summary: "End all other sessions",
		}},
	}
}

// listSessions answers a page of the person's sessions; the cap on sessions bounds what
// is read.
func (a *API) listSessions(c *web.Call, in web.Paging) (web.List[web.Session], error) {
	all, err := a.Auth.Sessions(c.R.Context(), actor(c))
	if err != nil {
		return web.List[web.Session]{}, err
	}
	data, next := []web.Session{}, ""
	for _, s := range all {
		if in.After != "" && string(s.ID) >= in.After { // newest first
			continue
		}
		if len(data) == in.Limit {
			next = string(data[len(data)-1].ID)
			break
		}
		data = append(data, web.SessionOf(s, c.Actor.Session.ID))
	}
	return web.ListOf(data, next), nil
}

type sessionPath struct {
	ID string `json:"-" path:"id"`
}

func (a *API) endSession(c *web.Call, b session.Browser, in sessionPath) (web.NoContent, error) {
	err := a.Auth.EndSession(c.R.Context(), actor(c), session.ID(in.ID), b)
	if err == nil && session.ID(in.ID) == c.Actor.Session.ID {
		c.DropSession()
	}
	return web.NoContent{}, err
}

func (a *API) endOtherSessions(c *web.Call, b session.Browser, _ web.None) (web.NoContent, error) {
	return web.NoContent{}, a.Auth.EndOtherSessions(c.R.Context(), actor(c), b)
}
