package app

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Look runs a query behind the server's back and returns its rows as text; NULL is "".
// It is for reading: what a test must find, or must not find, at rest.
func (s *Server) Look(t testing.TB, query string, args ...any) [][]string {
	t.Helper()
	where, driver := s.Config.Database(), "sqlite"
	address := where.Path
	if where.Postgres {
		driver, address = "pgx", where.URL.Reveal()
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		values := make([]any, len(names))
		targets := make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(names))
		for i, v := range values {
			switch v := v.(type) {
			case nil:
			case []byte:
				row[i] = string(v)
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Tables are the tables whose rows a deed can leave.
func Tables() []string {
	return []string{"account", "email", "phone", "session", "attempt", "link", "code_budget", "handover", "event", "revocation", "outbox",
		"removed_contact", "sms_notice"}
}

// Count returns how many rows each table holds.
func (s *Server) Count(t testing.TB) map[string]int {
	t.Helper()
	var counts []string
	for _, table := range Tables() {
		counts = append(counts, "(SELECT count(*) FROM "+table+")")
	}
	out := map[string]int{}
	for i, text := range s.Look(t, "SELECT "+strings.Join(counts, ", "))[0] {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		out[Tables()[i]] = n
	}
	return out
}
