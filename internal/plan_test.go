// Package internal_test holds the plan of the house as a test: which room may know which,
// what no room may do and why, and how large things may grow. ARCHITECTURE.md says the
// same in words. It reads the source itself, every file of every system and build tag,
// and looks at direct imports only: what a room imports is what it knows.
package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/limenauth/limen"

// The floors of the house, from the ground up.
var (
	// knowledge knows itself to its left only.
	knowledge = []string{"account", "factor", "risk", "session", "signin", "oauth", "audit"}
	tools     = []string{"text", "ratelimit", "secret", "fault", "breach", "slots", "metrics", "mail", "sms", "upstream", "geo"}
	deeds     = []string{"auth", "issuer", "letters"}
	doors     = []string{"api", "pages", "dev", "oidc", "dashboard", "adminapi", "compat"}
)

// arrows names, for every room, the rooms it may import. A room that is missing here may
// not exist: put it on its floor first, and into ARCHITECTURE.md.
func arrows() map[string][]string {
	may := map[string][]string{}
	for i, room := range knowledge {
		may[room] = append([]string{"secret", "fault"}, knowledge[:i]...)
	}
	for _, room := range tools {
		may[room] = []string{"secret", "fault"}
	}
	may["sms"] = append(may["sms"], "ratelimit") // what a message costs is told in rates
	may["fault"], may["secret"] = nil, nil
	may["store"] = append([]string{"fault", "secret"}, knowledge...)
	for _, room := range deeds {
		may[room] = slices.Concat([]string{"store"}, knowledge, tools)
	}
	may["auth"] = append(may["auth"], "letters") // a deed writes its letter in its own transaction
	may["web"] = slices.Concat(deeds, knowledge, tools)
	for _, room := range doors {
		// secret: a password is a secret.Text from the form to the hash. ratelimit: a row of
		// the route table names its limit.
		may[room] = slices.Concat([]string{"web", "fault", "text", "secret", "ratelimit"}, deeds, knowledge)
	}
	may["dev"] = append(may["dev"], "mail") // it shows the inbox that the sender fills
	everything := slices.Concat([]string{"store", "web"}, deeds, doors, knowledge, tools)
	may["app"] = everything
	may["testkit"] = append(everything, "app")
	may["cmd"] = slices.Concat([]string{"app", "fault", "secret"}, knowledge)
	may["limen"] = []string{"app"}
	may["bench"] = append(everything, "app", "testkit")
	return may
}

// bannedImports are packages that only some rooms may import, and why.
var bannedImports = []struct {
	pattern string // of the import path; ... at the end stands for anything
	rooms   []string
	why     string
}{
	{"database/sql", []string{"store", "testkit", "bench"}, "all SQL lives in store, so both databases and every query plan are tested in one place"},
	{"github.com/jackc/pgx/...", []string{"store", "testkit", "bench"}, "drivers belong to store"},
	{"modernc.org/...", []string{"store", "testkit", "bench"}, "drivers belong to store"},
	{"github.com/pressly/goose/...", []string{"store"}, "there is one migration history, and store keeps it"},
	{"net/http", slices.Concat([]string{"app", "web", "metrics", "mail", "sms", "upstream", "testkit", "bench", "cmd", "limen"}, doors), "rules that know HTTP cannot be reached from another door"},
	{"github.com/danielgtaylor/huma/...", append([]string{"web", "app", "testkit"}, doors...), "only doors speak the API's language"},
	{"github.com/redis/...", nil, "a client of every command of Redis is ten megabytes; ratelimit uses redigo, which is small"},
	{"github.com/alecthomas/kong", []string{"app", "cmd"}, "settings and commands are read at the top"},
	{"math/rand...", nil, "randomness comes from secret, or a token can be guessed"},
	{"crypto/rand", []string{"secret", "issuer", "testkit", "bench"}, "randomness comes from secret; issuer hands the reader to key generation"},
	{"os/exec", []string{"testkit", "bench"}, "limen starts no programs"},
	{"log", nil, "log/slog carries levels and hides secrets"},
	{"unsafe", nil, "nothing here is worth it"},
}

// bannedCalls are calls that only some rooms may make, and why.
var bannedCalls = []struct {
	call  string
	rooms []string
	why   string
}{
	{"time.Now", []string{"app", "cmd", "testkit", "bench"}, "time is an argument: one deed has one instant, and tests move it"},
	{"time.Since", []string{"app", "cmd", "testkit", "bench"}, "it reads the clock"},
	{"time.Until", []string{"app", "cmd", "testkit", "bench"}, "it reads the clock"},
	{"os.Getenv", []string{"testkit", "bench"}, "the environment is read by app.Sources alone, which knows every name"},
	{"os.LookupEnv", []string{"testkit", "bench"}, "the environment is read by app.Sources alone"},
	{"os.Environ", []string{"cmd", "app", "testkit", "bench"}, "the environment is read by app.Sources alone"},
	{"os.Exit", []string{"cmd", "bench", "testkit"}, "what stops the program must come back as an error first"},
	{"http.DefaultClient", nil, "it has no time limit"},
	{"factor.TestHashing", []string{"testkit"}, "such hashes protect nothing"},
	{"slog.SetDefault", []string{"app", "cmd"}, "a package that changes the log for everybody cannot be mounted elsewhere"},
}

// badNames are names of packages that say nothing and therefore attract everything.
var badNames = []string{"util", "utils", "common", "types", "model", "models", "helper", "helpers", "x", "base", "misc"}

// Sizes count every line of a file that is neither a test nor generated.
const (
	maxFile     = 500
	maxFunction = 80
	maxRoom     = 3000
)

var roomSizes = map[string]int{"auth": 6000, "store": 8000, "pages": 4000, "app": 4000} // app: every setting with its checks

// exceptions is where a limit does not fit: a file, a room, or "file function", the limit
// it has instead, and the reason. One line each.
var exceptions = map[string]exception{
	"web": {4000, "it carries the JSON edge and the OpenAPI document, which every door would otherwise repeat"},
}

type exception struct {
	limit int
	why   string
}

// limit is what holds for name, which would be usual without an exception.
func limit(name string, usual int) int {
	if e, ok := exceptions[name]; ok {
		return e.limit
	}
	return usual
}

// file is one parsed file of the house.
type file struct {
	path  string // with slashes, from the root of the repository
	room  string
	dir   string
	test  bool
	lines int
	set   *token.FileSet
	tree  *ast.File
}

// roomOf tells which room a file belongs to: the first folder below internal.
func roomOf(name string) string {
	parts := strings.Split(name, "/")
	switch {
	case len(parts) > 2 && parts[0] == "internal":
		return parts[1]
	case parts[0] == "internal":
		return "plan"
	case len(parts) > 1:
		return parts[0]
	}
	return "limen"
}

func parse(name, source string) (file, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, source, parser.ParseComments)
	if err != nil {
		return file{}, err
	}
	return file{
		path: name, room: roomOf(name), dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(source, "\n"), set: set, tree: tree,
	}, nil
}

// house parses every Go file of the main module.
func house(t *testing.T) []file {
	t.Helper()
	var files []file
	root := ".."
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, other := os.Stat(filepath.Join(name, "go.mod"))
			if name != root && (other == nil || d.Name() == "testdata" || d.Name() == "deps" || strings.HasPrefix(d.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := parse(filepath.ToSlash(rel), string(source))
		if err != nil {
			return err
		}
		if !ast.IsGenerated(f.tree) {
			files = append(files, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d files found", len(files))
	}
	return files
}

func TestPlan(t *testing.T) {
	files := house(t)
	for name, rule := range map[string]func(file) []string{
		"arrows": brokenArrows, "bans": brokenBans, "globals": brokenGlobals(files), "functions": longFunctions,
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range files {
				for _, s := range rule(f) {
					t.Error(s)
				}
			}
		})
	}
	t.Run("sizes", func(t *testing.T) {
		for _, s := range tooLarge(files) {
			t.Error(s)
		}
	})
	t.Run("essays", func(t *testing.T) {
		for _, s := range missingEssays(files) {
			t.Error(s)
		}
	})
}

func imports(f file) []string {
	var out []string
	for _, spec := range f.tree.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func (f file) at(pos token.Pos) string { return fmt.Sprintf("%s:%d", f.path, f.set.Position(pos).Line) }

func brokenArrows(f file) (broken []string) {
	if f.room == "examples" || f.room == "plan" {
		return nil
	}
	may, known := arrows()[f.room]
	if !known {
		return []string{f.path + ": the room " + f.room + " is not in the plan"}
	}
	for _, p := range imports(f) {
		target, ours := strings.CutPrefix(p, module+"/internal/")
		target, _, _ = strings.Cut(target, "/")
		switch {
		case !ours || target == f.room:
		case target == "testkit" && f.test && strings.HasSuffix(f.tree.Name.Name, "_test"):
			// external tests start the whole program
		case f.test && strings.HasSuffix(f.tree.Name.Name, "_test"):
			// an external test may look at whatever it needs to judge its room
		case !slices.Contains(may, target):
			broken = append(broken, fmt.Sprintf("%s: %s may not know %s", f.path, f.room, target))
		}
	}
	return broken
}

func brokenBans(f file) (broken []string) {
	if slices.Contains(badNames, f.tree.Name.Name) {
		broken = append(broken, f.path+": a package called "+f.tree.Name.Name+" says nothing about what is in it")
	}
	if f.test || f.room == "examples" {
		return broken
	}
	for _, p := range imports(f) {
		for _, ban := range bannedImports {
			prefix, wild := strings.CutSuffix(ban.pattern, "...")
			if (p == ban.pattern || wild && (strings.HasPrefix(p, prefix) || p == strings.TrimSuffix(prefix, "/"))) && !slices.Contains(ban.rooms, f.room) {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", f.path, p, ban.why))
			}
		}
	}
	for _, decl := range f.tree.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
			broken = append(broken, f.at(fn.Pos())+": init() runs for everybody who imports the package")
		}
	}
	ast.Inspect(f.tree, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if !ok || pkg.Obj != nil { // a local variable of that name
			return true
		}
		for _, ban := range bannedCalls {
			if pkg.Name+"."+sel.Sel.Name == ban.call && !slices.Contains(ban.rooms, f.room) {
				broken = append(broken, fmt.Sprintf("%s uses %s: %s", f.at(sel.Pos()), ban.call, ban.why))
			}
		}
		return true
	})
	return broken
}

// brokenGlobals finds package variables that change: assignments to them anywhere in
// their package, and variables whose type exists to be changed.
func brokenGlobals(files []file) func(file) []string {
	vars := map[string]map[string]bool{} // by folder
	for _, f := range files {
		if f.test {
			continue
		}
		for _, decl := range f.tree.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.VAR {
				for _, spec := range gen.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						if vars[f.dir] == nil {
							vars[f.dir] = map[string]bool{}
						}
						vars[f.dir][name.Name] = true
					}
				}
			}
		}
	}
	return func(f file) (broken []string) {
		if f.test {
			return nil
		}
		for _, decl := range f.tree.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.VAR {
				for _, spec := range gen.Specs {
					if mutable(spec.(*ast.ValueSpec).Type) {
						broken = append(broken, f.at(spec.Pos())+": a package variable that exists to change makes two servers in one program one")
					}
				}
			}
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			var targets []ast.Expr
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					targets = n.Lhs
				}
			case *ast.IncDecStmt:
				targets = []ast.Expr{n.X}
			}
			for _, target := range targets {
				id := root(target)
				if id == nil || !vars[f.dir][id.Name] || id.Name == "_" {
					continue
				}
				if id.Obj != nil {
					spec, ok := id.Obj.Decl.(*ast.ValueSpec)
					if !ok || !topLevel(f.tree, spec) {
						continue // a local variable of the same name
					}
				}
				broken = append(broken, fmt.Sprintf("%s changes the package variable %s", f.at(target.Pos()), id.Name))
			}
			return true
		})
		return broken
	}
}

func mutable(t ast.Expr) bool {
	sel, ok := t.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && (pkg.Name == "sync" || pkg.Name == "atomic")
}

func root(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return nil
}

func topLevel(tree *ast.File, spec *ast.ValueSpec) bool {
	for _, decl := range tree.Decls {
		if gen, ok := decl.(*ast.GenDecl); ok && slices.Contains(gen.Specs, ast.Spec(spec)) {
			return true
		}
	}
	return false
}

// longFunctions counts from func to its last brace. Table literals are free: rows are
// read one at a time.
func longFunctions(f file) (broken []string) {
	if f.test {
		return nil
	}
	for _, decl := range f.tree.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		span := func(n ast.Node) int { return f.set.Position(n.End()).Line - f.set.Position(n.Pos()).Line + 1 }
		lines := span(fn)
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			switch lit.Type.(type) {
			case *ast.ArrayType, *ast.MapType:
				lines -= span(lit) - 1
				return false
			}
			return true
		})
		if most := limit(f.path+" "+fn.Name.Name, maxFunction); lines > most {
			broken = append(broken, fmt.Sprintf("%s: %s has %d lines, more than %d", f.at(fn.Pos()), fn.Name.Name, lines, most))
		}
	}
	return broken
}

func tooLarge(files []file) (broken []string) {
	rooms := map[string]int{}
	for _, f := range files {
		if f.test || f.room == "testkit" || f.room == "examples" {
			continue
		}
		rooms[f.room] += f.lines
		if most := limit(f.path, maxFile); f.lines > most {
			broken = append(broken, fmt.Sprintf("%s has %d lines, more than %d", f.path, f.lines, most))
		}
	}
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		usual := maxRoom
		if other, ok := roomSizes[room]; ok {
			usual = other
		}
		if most := limit(room, usual); rooms[room] > most {
			broken = append(broken, fmt.Sprintf("the room %s has %d lines, more than %d", room, rooms[room], most))
		}
	}
	return broken
}

// essayWords is how long an essay is at least: what, invariants, limits, threats.
const essayWords = 40

func missingEssays(files []file) (broken []string) {
	essays, homes := map[string]int{}, map[string]int{}
	for _, f := range files {
		if f.test {
			continue
		}
		homes[f.dir]++
		if f.tree.Doc == nil {
			continue
		}
		essays[f.dir]++
		text := f.tree.Doc.Text()
		opening := regexp.MustCompile(`^(Package ` + regexp.QuoteMeta(f.tree.Name.Name) + `|Command [a-z]+) `)
		if !opening.MatchString(text) || len(strings.Fields(text)) < essayWords {
			broken = append(broken, fmt.Sprintf("%s: the essay of %s says too little", f.path, f.dir))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(homes)) {
		if essays[dir] != 1 {
			broken = append(broken, fmt.Sprintf("%s has %d package comments; it needs one essay: what, invariants, limits, threats", dir, essays[dir]))
		}
	}
	return broken
}

// TestExceptionsAreNeeded keeps the list of exceptions short and explained.
func TestExceptionsAreNeeded(t *testing.T) {
	files := house(t)
	for name, e := range exceptions {
		if len(strings.Fields(e.why)) < 3 {
			t.Errorf("the exception %s has no reason", name)
		}
		where, _, _ := strings.Cut(name, " ")
		if !slices.ContainsFunc(files, func(f file) bool { return f.path == where || f.room == where }) {
			t.Errorf("the exception %s is about nothing", name)
		}
	}
}

// TestThePlanBites breaks each rule once, so that a rule that has gone blind is noticed.
func TestThePlanBites(t *testing.T) {
	const essay = "// Package p is here to have an essay of a decent length, so that only the rule that a line is meant to break is broken by it and nothing else is, which takes about forty words of text before it is long enough to pass.\n"
	for _, test := range []struct{ name, path, source, want string }{
		{"store from a door", "internal/api/a.go", `package api; import _ "` + module + `/internal/store"`, "api may not know store"},
		{"another door", "internal/api/a.go", `package api; import _ "` + module + `/internal/pages"`, "api may not know pages"},
		{"auth from issuer", "internal/issuer/a.go", `package issuer; import _ "` + module + `/internal/auth"`, "issuer may not know auth"},
		{"issuer from auth", "internal/auth/a.go", `package auth; import _ "` + module + `/internal/issuer"`, "auth may not know issuer"},
		{"upwards", "internal/store/a.go", `package store; import _ "` + module + `/internal/auth"`, "store may not know auth"},
		{"to the right", "internal/account/a.go", `package account; import _ "` + module + `/internal/session"`, "account may not know session"},
		{"testkit", "internal/auth/a.go", `package auth; import _ "` + module + `/internal/testkit/db"`, "auth may not know testkit"},
		{"testkit inside", "internal/auth/a_test.go", `package auth; import _ "` + module + `/internal/testkit/db"`, "auth may not know testkit"},
		{"unknown room", "internal/stuff/a.go", `package stuff`, "not in the plan"},
		{"SQL", "internal/auth/a.go", `package auth; import _ "database/sql"`, "all SQL lives in store"},
		{"driver", "internal/app/a.go", `package app; import _ "github.com/jackc/pgx/v5"`, "drivers belong to store"},
		{"HTTP", "internal/auth/a.go", `package auth; import _ "net/http"`, "another door"},
		{"rand", "internal/auth/a.go", `package auth; import _ "math/rand/v2"`, "guessed"},
		{"clock", "internal/auth/a.go", `package auth; import "time"; var x = time.Now`, "time is an argument"},
		{"environment", "internal/auth/a.go", `package auth; import "os"; func f() { os.Getenv("X") }`, "app.Sources"},
		{"init", "internal/auth/a.go", `package auth; func init() {}`, "init()"},
		{"name", "internal/auth/a.go", `package util`, "says nothing"},
		{"global", "internal/auth/a.go", "package auth; var n int; func f() { n = 1 }", "changes the package variable n"},
		{"global map", "internal/auth/a.go", "package auth; var m = map[int]int{}; func f() { m[1]++ }", "changes the package variable m"},
		{"global lock", "internal/auth/a.go", "package auth; import \"sync\"; var mu sync.Mutex", "exists to change"},
		{"function", "internal/auth/a.go", "package auth; func f() {" + strings.Repeat("\n_ = 1", 90) + "}", "has 91 lines"},
		{"file", "internal/auth/a.go", "package auth" + strings.Repeat("\n", 501), "501 lines"},
		{"room", "internal/auth/a.go", "package auth" + strings.Repeat("\n", 6001), "the room auth has 6001 lines"},
		{"no essay", "internal/auth/b.go", "package auth", "0 package comments"},
		{"short essay", "internal/auth/b.go", "// Package auth signs in.\npackage auth", "says too little"},
	} {
		f, err := parse(test.path, test.source)
		if err != nil {
			t.Fatal(test.name, err)
		}
		if got := strings.Join(slices.Concat(brokenArrows(f), brokenBans(f), brokenGlobals([]file{f})(f), longFunctions(f),
			tooLarge([]file{f}), missingEssays([]file{f})), "\n"); !strings.Contains(got, test.want) {
			t.Errorf("%s: want %q, got %q", test.name, test.want, got)
		}
	}
	for _, fine := range []string{
		essay + "package p\nvar n = 1\nfunc f() { n := 2; n = 3; _ = n }",
		essay + "package p\nvar table = []int{" + strings.Repeat("\n1,", 90) + "}",
		essay + "package p\nfunc f() { _ = []int{" + strings.Repeat("\n1,", 90) + "\n} }",
		essay + "package p\nimport \"time\"\nfunc f(time clock) { time.Now() }",
	} {
		f, err := parse("internal/auth/p.go", fine)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(brokenArrows(f), brokenBans(f), brokenGlobals([]file{f})(f), longFunctions(f), tooLarge([]file{f}), missingEssays([]file{f})); len(got) > 0 {
			t.Errorf("refused without need: %q", got)
		}
	}
}
