package main

import (
	"strings"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/session"
)

type sessionCommand struct {
	List   sessionList   `cmd:"" help:"List the live sessions of a user."`
	Revoke sessionRevoke `cmd:"" help:"End one session at once."`
}

// Help returns the examples.
func (sessionCommand) Help() string {
	return `limen session list ada@example.com
limen session revoke ses_01k3c5x5s1f7s8z0v7m1w2q3r4`
}

type sessionList struct {
	User string `arg:"" help:"Id, address or username."`
	JSON bool   `help:"Print JSON."`
}

// Help returns the examples.
func (sessionList) Help() string {
	return `limen session list ada@example.com
limen session list ada --json`
}

// Run prints the sessions.
func (c sessionList) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		sessions, err := o.Sessions(x.ctx, c.User)
		if err != nil {
			return err
		}
		if !c.JSON {
			return x.sessionTable(sessions)
		}
		var rows []record
		for _, s := range sessions {
			rows = append(rows, sessionRecord(s))
		}
		return x.printList(rows, "")
	})
}

func (x *call) sessionTable(sessions []session.Session) error {
	t := x.table("SESSION", "DEVICE", "IP", "METHODS", "SIGNED IN", "LAST SEEN", "ENDS")
	for _, s := range sessions {
		ends := s.ExpiresAt
		if s.IdleExpiresAt.Before(ends) {
			ends = s.IdleExpiresAt
		}
		t.row(string(s.ID), s.Device.Name, s.IP, strings.Join(s.Methods, ","), when(s.CreatedAt), when(s.LastSeenAt), when(ends))
	}
	return t.flush()
}

type sessionRevoke struct {
	Session string `arg:"" help:"Id of the session."`
}

// Help returns the examples.
func (sessionRevoke) Help() string { return `limen session revoke ses_01k3c5x5s1f7s8z0v7m1w2q3r4` }

// Run ends the session.
func (c sessionRevoke) Run(x *call) error {
	return x.operate(func(o *app.Operator) error { return o.RevokeSession(x.ctx, session.ID(c.Session)) })
}
