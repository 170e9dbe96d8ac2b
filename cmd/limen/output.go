package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/session"
)

// record is a JSON object whose members keep their order, so that output can be compared.
type record []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (r record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", m.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// printJSON writes one indented JSON value.
func (x *call) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(x.out, "%s\n", text)
	return err
}

// printList writes the shape every list of limen has.
func (x *call) printList(rows []record, next string) error {
	if rows == nil {
		rows = []record{}
	}
	return x.printJSON(record{{"data", rows}, {"next", orNull(next)}})
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// when is a time as people read it in a table.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func userRecord(a account.Account) record {
	return record{
		{"id", a.ID}, {"email", orNull(a.Email)}, {"email_verified", a.EmailVerified},
		{"username", orNull(a.Username)}, {"first_name", orNull(a.FirstName)}, {"last_name", orNull(a.LastName)},
		{"picture", orNull(a.Picture)}, {"locale", orNull(a.Locale)}, {"roles", a.Roles},
		{"public_metadata", a.PublicMetadata}, {"unsafe_metadata", a.UnsafeMetadata}, {"private_metadata", a.PrivateMetadata},
		{"has_password", a.PasswordHash != ""},
		{"created_at", instant(a.CreatedAt)}, {"updated_at", instant(a.UpdatedAt)},
		{"last_sign_in_at", instant(a.LastSignInAt)}, {"banned_at", instant(a.BannedAt)},
	}
}

func sessionRecord(s session.Session) record {
	return record{
		{"id", s.ID}, {"user_id", s.Account}, {"client_id", s.Client},
		{"created_at", instant(s.CreatedAt)}, {"last_seen_at", instant(s.LastSeenAt)},
		{"expires_at", instant(s.ExpiresAt)}, {"idle_expires_at", instant(s.IdleExpiresAt)},
		{"ip", orNull(s.IP)}, {"location", orNull(s.Location)},
		{"device", record{{"name", orNull(s.Device.Name)}, {"os", orNull(s.Device.OS)}, {"browser", orNull(s.Device.Browser)}, {"kind", orNull(s.Device.Kind)}}},
		{"methods", s.Methods}, {"aal", s.AAL}, {"authenticated_at", instant(s.AuthenticatedAt)},
	}
}

// table prints aligned columns.
type table struct{ w *tabwriter.Writer }

func (x *call) table(heads ...string) *table {
	t := &table{tabwriter.NewWriter(x.out, 0, 0, 2, ' ', 0)}
	t.row(heads...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		if cells[i] = printable(c); cells[i] == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// printable keeps what strangers chose (names, user agents) from moving the cursor or
// colouring the operator's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
