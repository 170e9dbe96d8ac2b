package main

import (
	"fmt"
	"strings"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/secret"
)

type userCommand struct {
	Create      userCreate      `cmd:"" help:"Make an account. The password is asked for, or read from standard input."`
	Invite      userInvite      `cmd:"" help:"Make an account without a password, and write to its address."`
	List        userList        `cmd:"" help:"List accounts, the oldest first."`
	Show        userShow        `cmd:"" help:"Show one account and its sessions."`
	Ban         userBan         `cmd:"" help:"Close an account and end its sessions at once."`
	Unban       userUnban       `cmd:"" help:"Open a closed account again."`
	SetPassword userSetPassword `cmd:"" name:"set-password" help:"Give an account a new password and end its sessions."`
	Delete      userDelete      `cmd:"" help:"Delete an account for good."`
}

// Help returns the examples.
func (userCommand) Help() string {
	return `limen user create --email ada@example.com
limen user list
limen user ban mallory@example.com`
}

type userCreate struct {
	Email      string   `help:"Address to sign in with." placeholder:"ADDRESS"`
	Username   string   `help:"Name to sign in with." placeholder:"NAME"`
	FirstName  string   `help:"First name." placeholder:"TEXT"`
	LastName   string   `help:"Last name." placeholder:"TEXT"`
	Role       []string `help:"A role beside user, which everybody has. May be given several times." placeholder:"NAME"`
	Unverified bool     `help:"Do not vouch for the address: its owner has to prove it before signing in with it."`
	NoPassword bool     `help:"Make the account without a password."`
	JSON       bool     `help:"Print JSON."`
}

// Help returns the examples.
func (userCreate) Help() string {
	return `limen user create --email ada@example.com --first-name Ada
limen user create --username ada --role admin < password.txt
openssl rand -base64 18 | tee /dev/tty | limen user create --email ada@example.com --json`
}

// Run makes the account and prints it.
func (c userCreate) Run(x *call) error {
	if c.Email == "" && c.Username == "" {
		return usageError("a user needs --email or --username")
	}
	var password secret.Text
	if !c.NoPassword {
		var err error
		if password, err = x.newPassword("use --no-password for an account without one"); err != nil {
			return err
		}
	}
	return x.operate(func(o *app.Operator) error {
		a, err := o.CreateUser(x.ctx, app.NewUser{
			Email: c.Email, Username: c.Username, Password: password,
			FirstName: c.FirstName, LastName: c.LastName, Roles: c.Role, Verified: !c.Unverified,
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return x.printJSON(userRecord(a))
		}
		_, err = fmt.Fprintln(x.out, a.ID)
		return err
	})
}

type userInvite struct {
	Email     string   `arg:"" help:"Address to invite." placeholder:"ADDRESS"`
	FirstName string   `help:"First name." placeholder:"TEXT"`
	LastName  string   `help:"Last name." placeholder:"TEXT"`
	Role      []string `help:"A role beside user, which everybody has. May be given several times." placeholder:"NAME"`
	JSON      bool     `help:"Print JSON."`
}

// Help returns the examples.
func (userInvite) Help() string {
	return `limen user invite ada@example.com --first-name Ada
limen serve --url https://auth.example.com --sign-up closed   # by invitation only`
}

// Run makes the account and puts the letter into the outbox.
func (c userInvite) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		a, err := o.CreateUser(x.ctx, app.NewUser{
			Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Roles: c.Role, Verified: true, Invite: true,
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return x.printJSON(userRecord(a))
		}
		_, err = fmt.Fprintln(x.out, a.ID)
		return err
	})
}

type userList struct {
	Query string `help:"Only the account with this id, address or username." placeholder:"USER"`
	Limit int    `help:"At most this many, 1 to 1000." default:"20" placeholder:"N"`
	After string `help:"Continue after this cursor, the next of an earlier list." placeholder:"CURSOR"`
	JSON  bool   `help:"Print JSON."`
}

// Help returns the examples.
func (userList) Help() string {
	return `limen user list
limen user list --limit 100
limen user list --query ada@example.com
limen user list --json | jq -r '.data[].email'`
}

// Run prints one page of accounts.
func (c userList) Run(x *call) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usageError("--limit must be 1 to 1000")
	}
	return x.operate(func(o *app.Operator) error {
		people, next, err := o.Users(x.ctx, c.Query, c.Limit, c.After)
		if err != nil {
			return err
		}
		if c.JSON {
			var rows []record
			for _, a := range people {
				rows = append(rows, userRecord(a))
			}
			return x.printList(rows, next)
		}
		t := x.table("ID", "EMAIL", "USERNAME", "ROLES", "CREATED", "LAST SIGN-IN", "STATE")
		for _, a := range people {
			state := "open"
			if a.Banned() {
				state = "banned"
			}
			t.row(string(a.ID), a.Email, a.Username, strings.Join(a.Roles, ","), when(a.CreatedAt), when(a.LastSignInAt), state)
		}
		if err := t.flush(); err != nil || next == "" {
			return err
		}
		_, err = fmt.Fprintf(x.out, "\nThere are more: --after %s\n", next)
		return err
	})
}

type userShow struct {
	User string `arg:"" help:"Id, address or username."`
	JSON bool   `help:"Print JSON."`
}

// Help returns the examples.
func (userShow) Help() string {
	return `limen user show ada@example.com
limen user show ada --json`
}

// Run prints the account and its sessions.
func (c userShow) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		a, sessions, err := o.User(x.ctx, c.User)
		if err != nil {
			return err
		}
		if c.JSON {
			rows := []record{}
			for _, s := range sessions {
				rows = append(rows, sessionRecord(s))
			}
			return x.printJSON(append(userRecord(a), member{"sessions", rows}))
		}
		verified := "not verified"
		if a.EmailVerified {
			verified = "verified"
		}
		if a.Email == "" {
			verified = ""
		}
		t := x.table("ID", string(a.ID))
		t.row("EMAIL", strings.TrimSpace(a.Email+" "+verified))
		t.row("USERNAME", a.Username)
		t.row("NAME", strings.TrimSpace(a.FirstName+" "+a.LastName))
		t.row("ROLES", strings.Join(a.Roles, ", "))
		t.row("PASSWORD", map[bool]string{true: "yes", false: "no"}[a.PasswordHash != ""])
		t.row("CREATED", when(a.CreatedAt))
		t.row("LAST SIGN-IN", when(a.LastSignInAt))
		t.row("BANNED", when(a.BannedAt))
		if err := t.flush(); err != nil || len(sessions) == 0 {
			return err
		}
		fmt.Fprintln(x.out)
		return x.sessionTable(sessions)
	})
}

type userBan struct {
	User string `arg:"" help:"Id, address or username."`
}

// Help returns the examples.
func (userBan) Help() string { return `limen user ban mallory@example.com` }

// Run closes the account.
func (c userBan) Run(x *call) error {
	return x.operate(func(o *app.Operator) error { return o.Ban(x.ctx, c.User) })
}

type userUnban struct {
	User string `arg:"" help:"Id, address or username."`
}

// Help returns the examples.
func (userUnban) Help() string { return `limen user unban mallory@example.com` }

// Run opens the account.
func (c userUnban) Run(x *call) error {
	return x.operate(func(o *app.Operator) error { return o.Unban(x.ctx, c.User) })
}

type userSetPassword struct {
	User string `arg:"" help:"Id, address or username."`
}

// Help returns the examples.
func (userSetPassword) Help() string {
	return `limen user set-password ada@example.com
limen user set-password ada < password.txt`
}

// Run sets the password.
func (c userSetPassword) Run(x *call) error {
	password, err := x.newPassword("")
	if err != nil {
		return err
	}
	return x.operate(func(o *app.Operator) error { return o.SetPassword(x.ctx, c.User, password) })
}

type userDelete struct {
	User string `arg:"" help:"Id, address or username."`
	Yes  bool   `help:"Do not ask."`
}

// Help returns the examples.
func (userDelete) Help() string {
	return `limen user delete ada@example.com
limen user delete usr_01k3c5x5s1f7s8z0v7m1w2q3r4 --yes`
}

// Run asks, then deletes.
func (c userDelete) Run(x *call) error {
	return x.operate(func(o *app.Operator) error {
		a, sessions, err := o.User(x.ctx, c.User)
		if err != nil {
			return err
		}
		if !c.Yes {
			name := a.Email
			if name == "" {
				name = a.Username
			}
			if name == "" {
				name = string(a.ID)
			}
			question := fmt.Sprintf("This deletes %s and ends %d sessions, for good. Type %s to go on: ", a.ID, len(sessions), printable(name))
			if err := x.confirm(question, name); err != nil {
				return err
			}
		}
		return o.DeleteUser(x.ctx, string(a.ID))
	})
}
