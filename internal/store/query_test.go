package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/store"
	"github.com/limenauth/limen/internal/testkit/db"
)

// smallTables never grow with the number of people: to scan them is right.
var smallTables = []string{"meta", "signing_key", "server_key", "campaign"}

// scansAllowed are statements that may walk through a table that grows, each with its
// reason.
var scansAllowed = map[string]string{
	"sqlAccountsOldest": "the first row of the primary key: LIMIT 1 ends the walk at once",
}

// TestStatements prepares every SQL text of the package on both engines and refuses
// plans that read a whole table which grows.
func TestStatements(t *testing.T) {
	texts := sqlTexts(t)
	if len(texts) < 10 {
		t.Fatalf("found only %d statements: has their naming changed?", len(texts))
	}
	unused := maps.Clone(scansAllowed)
	db.EachDB(t, func(t *testing.T, d *db.DB) {
		conn, err := d.SQL(t).Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		scans := scansOnSQLite
		if d.Engine == store.Postgres {
			scans = scansOnPostgres
			for _, q := range []string{`SET enable_seqscan = off`, `SET plan_cache_mode = force_generic_plan`} {
				if _, err := conn.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			scanned, err := scans(t.Context(), conn, texts[name])
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, texts[name])
			}
			scanned = slices.DeleteFunc(scanned, func(table string) bool { return slices.Contains(smallTables, table) })
			if len(scanned) == 0 {
				continue
			}
			if scansAllowed[name] == "" {
				t.Errorf("%s reads all of %v:\n%s", name, scanned, texts[name])
			}
			delete(unused, name)
		}
	})
	for name := range unused {
		t.Errorf("%s scans nothing, or does not exist: drop it from the list", name)
	}
}

// sqlTexts evaluates the package's constants named sqlSomething, which may be built
// from other constants.
func sqlTexts(t *testing.T) map[string]string {
	t.Helper()
	pkg, err := constants{}.check("store", ".")
	if err != nil {
		t.Fatal(err)
	}
	texts, named := map[string]string{}, regexp.MustCompile(`^sql[A-Z]`)
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok && named.MatchString(name) {
			texts[name] = constant.StringVal(c.Val())
		}
	}
	return texts
}

// constants evaluates the constants of a package and of those of ours that it imports.
// Other imports are left out and their errors with them: the constants need none.
type constants struct{}

func (c constants) check(name, dir string) (*types.Package, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	files, fset := []*ast.File{}, token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	config := types.Config{Error: func(error) {}, Importer: c}
	pkg, _ := config.Check(name, fset, files, nil)
	return pkg, nil
}

// Import implements types.Importer.
func (c constants) Import(path string) (*types.Package, error) {
	name, ours := strings.CutPrefix(path, "github.com/limenauth/limen/internal/")
	if !ours {
		return nil, errors.New("left out")
	}
	return c.check(name, filepath.Join("..", name))
}

var (
	sqliteScan = regexp.MustCompile(`^SCAN (\w+)`)
	tableAlias = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?`)
	parameter  = regexp.MustCompile(`\$(\d+)`)
)

// scansOnSQLite returns the tables that the plan of q walks through, by the table or
// by an index.
func scansOnSQLite(ctx context.Context, conn *sql.Conn, q string) (tables []string, err error) {
	q = store.SQLiteText(q)
	st, err := conn.PrepareContext(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	aliases := map[string]string{}
	for _, m := range tableAlias.FindAllStringSubmatch(q, -1) {
		aliases[m[1]], aliases[m[2]] = m[1], m[1]
	}
	rows, err := conn.QueryContext(ctx, "EXPLAIN QUERY PLAN "+q, make([]any, parameters(q))...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return nil, err
		}
		if m := sqliteScan.FindStringSubmatch(step); m != nil && aliases[m[1]] != "" {
			tables = append(tables, aliases[m[1]])
		}
	}
	return tables, rows.Err()
}

// node is a step of a PostgreSQL plan.
type node struct {
	Type  string `json:"Node Type"`
	Table string `json:"Relation Name"`
	Index string `json:"Index Name"`
	Cond  string `json:"Index Cond"`
	Plans []node
}

// scansOnPostgres is the same for the generic plan of q: the one that serves whatever
// the parameters are. Sequential scans are priced out, so that one which remains has
// no index to replace it; an index that is read without a condition is read whole.
func scansOnPostgres(ctx context.Context, conn *sql.Conn, q string) (tables []string, err error) {
	if _, err := conn.ExecContext(ctx, "PREPARE q AS "+q); err != nil {
		return nil, err
	}
	defer func() {
		_, dealloc := conn.ExecContext(ctx, "DEALLOCATE q")
		err = errors.Join(err, dealloc)
	}()
	execute := "EXECUTE q"
	if n := parameters(q); n > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	var text string
	if err := conn.QueryRowContext(ctx, "EXPLAIN (FORMAT JSON) "+execute).Scan(&text); err != nil {
		return nil, err
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		return nil, err
	}
	var walk func(n node)
	walk = func(n node) {
		whole := n.Type == "Seq Scan" || n.Cond == "" && n.Table != "" && strings.HasPrefix(n.Type, "Index")
		if whole {
			tables = append(tables, n.Table)
		}
		if n.Type == "Bitmap Index Scan" && n.Cond == "" {
			tables = append(tables, "the table of "+n.Index)
		}
		for _, below := range n.Plans {
			walk(below)
		}
	}
	for _, p := range plans {
		walk(p.Plan)
	}
	return tables, nil
}

// parameters returns the highest $N, and a text that misses one is an error on
// PostgreSQL: every parameter is used.
func parameters(q string) (n int) {
	for _, m := range parameter.FindAllStringSubmatch(q, -1) {
		var i int
		fmt.Sscan(m[1], &i)
		n = max(n, i)
	}
	return n
}
