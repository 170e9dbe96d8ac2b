package app_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/web"
)

// sources parses every file of the house that is not a test.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		files[filepath.ToSlash(path)] = file
		return err
	})
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// code is a declared refusal.
type code struct{ status, detail, where string }

var kinds = map[string]fault.Kind{
	"Internal": fault.Internal, "Malformed": fault.Malformed, "Invalid": fault.Invalid, "Unauthenticated": fault.Unauthenticated,
	"Denied": fault.Denied, "NotFound": fault.NotFound, "Conflict": fault.Conflict, "TooLarge": fault.TooLarge,
	"WrongType": fault.WrongType, "WrongMethod": fault.WrongMethod, "Limited": fault.Limited, "Unavailable": fault.Unavailable,
}

// codes reads every fault.New from the source.
func codes(t *testing.T) map[string]code {
	t.Helper()
	found := map[string]code{}
	for path, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 || name(call.Fun) != "fault.New" && !(name(call.Fun) == "New" && file.Name.Name == "fault") {
				return true
			}
			kind, known := kinds[strings.TrimPrefix(name(call.Args[0]), "fault.")]
			value, detail := text(call.Args[1]), text(call.Args[2])
			if !known || value == "" || detail == "" {
				t.Errorf("%s: a fault is declared in words that this test cannot read", path)
				return true
			}
			c := code{status: strconv.Itoa(web.StatusOf(&fault.Fault{Kind: kind})), detail: detail, where: path}
			if other, twice := found[value]; twice && other.status != c.status {
				t.Errorf("%s and %s declare %s with two statuses", path, other.where, value)
			}
			found[value] = c
			return true
		})
	}
	if len(found) < 20 {
		t.Fatalf("found %d codes only", len(found))
	}
	return found
}

// name is an identifier, or package and identifier.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return name(e.X) + "." + e.Sel.Name
	}
	return ""
}

// text is a literal text.
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

func page(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// compare tells what stands in one list and not in the other.
func compare(t *testing.T, declared, documented []string, where string) {
	t.Helper()
	for _, one := range declared {
		if !slices.Contains(documented, one) {
			t.Errorf("%s is not in %s", one, where)
		}
	}
	for _, one := range documented {
		if !slices.Contains(declared, one) {
			t.Errorf("%s says something about %s, which is not in the source", where, one)
		}
	}
}

// final are the codes after which a client has nothing to try (api.md section 0).
var final = []string{"session_ended", "refresh_reused"}

// TestEveryCodeIsDocumented compares docs/error-codes.md with the faults in the source:
// one heading, which is the anchor that type points to, the status, and a verdict.
func TestEveryCodeIsDocumented(t *testing.T) {
	declared := codes(t)
	codesPage, _, found := strings.Cut(page(t, "docs/error-codes.md"), "\n## What is wrong with a field")
	if !found {
		t.Fatal("the page has no part about fields")
	}
	var documented []string
	for _, section := range strings.Split(codesPage, "\n### `")[1:] {
		value, body, _ := strings.Cut(section, "`\n")
		documented = append(documented, value)
		status, body, _ := strings.Cut(strings.TrimSpace(body), ". ")
		if c, known := declared[value]; known && (status != "Status "+c.status) {
			t.Errorf("%s: %q, and it is answered with %s", value, status, c.status)
		}
		if !strings.Contains(body, "\n**Do:** ") {
			t.Errorf("%s: the page does not say what to do", value)
		}
		if got := strings.Contains(body, "**Final.**"); got != slices.Contains(final, value) {
			t.Errorf("%s: final is %v", value, got)
		}
	}
	if !slices.IsSorted(documented) {
		t.Error("the codes are not in order")
	}
	compare(t, slices.Collect(maps.Keys(declared)), documented, "docs/error-codes.md")
}

var fieldCode = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// TestEveryFieldCodeIsDocumented compares the table of field codes with the source: what
// is put on a field, the constants that are called code, and what the functions return
// that judge a field.
func TestEveryFieldCodeIsDocumented(t *testing.T) {
	declared := map[string]bool{}
	add := func(s string) {
		if fieldCode.MatchString(s) {
			declared[s] = true
		}
	}
	for path, file := range sources(t) {
		if strings.HasPrefix(path, "../testkit/") || strings.HasPrefix(path, "../app/") || strings.HasPrefix(path, "../bench/") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if fn := name(n.Fun); (fn == "fault.Invalidate" || strings.HasSuffix(fn, ".Field")) && len(n.Args) == 2 {
					add(text(n.Args[1]))
				} else if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Field" && len(n.Args) == 2 {
					add(text(n.Args[1]))
				}
			case *ast.ValueSpec:
				for i, id := range n.Names {
					if file.Name.Name == "pages" || file.Name.Name == "letters" {
						break // there a code is what comes in a letter
					}
					if lower := strings.ToLower(id.Name); strings.HasPrefix(lower, "code") && i < len(n.Values) {
						add(text(n.Values[i]))
					}
				}
			case *ast.AssignStmt:
				if len(n.Lhs) == 1 && name(n.Lhs[0]) == "code" {
					add(text(n.Rhs[0]))
				}
			case *ast.FuncDecl:
				if n.Body != nil && judges(n) {
					ast.Inspect(n.Body, func(in ast.Node) bool {
						if ret, ok := in.(*ast.ReturnStmt); ok && len(ret.Results) > 0 {
							add(text(ret.Results[len(ret.Results)-1]))
						}
						return true
					})
				}
			}
			return true
		})
	}
	_, fields, _ := strings.Cut(page(t, "docs/error-codes.md"), "\n## What is wrong with a field")
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(fields, -1) {
		documented = append(documented, m[1])
	}
	compare(t, slices.Collect(maps.Keys(declared)), documented, "docs/error-codes.md")
}

// judges reports whether a function returns the code of a field, last: its result is
// called code, or it checks a part of a profile.
func judges(fn *ast.FuncDecl) bool {
	results := fn.Type.Results
	if results == nil || len(results.List) == 0 {
		return false
	}
	last := results.List[len(results.List)-1]
	if name(last.Type) != "string" {
		return false
	}
	for _, id := range last.Names {
		if id.Name == "code" {
			return true
		}
	}
	return strings.HasPrefix(fn.Name.Name, "check") || fn.Name.Name == "scanMembers"
}

// TestEvents prints docs/events.md from the list of events.
func TestEvents(t *testing.T) {
	golden(t, "../../docs/events.md", events())
}

// ofRequest reports whether a field of an event is one that only a request knows.
func ofRequest(field ast.Expr) bool {
	pair, ok := field.(*ast.KeyValueExpr)
	return ok && (name(pair.Key) == "IP" || name(pair.Key) == "UserAgent" || name(pair.Key) == "RequestID")
}

// TestEveryEventHappens looks for the deed behind every type.
func TestEveryEventHappens(t *testing.T) {
	var declared []string
	used := map[string]bool{}
	for path, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if path == "../audit/types.go" && name(n.Type) == "Type" {
					declared = append(declared, "audit."+n.Names[0].Name)
				}
			case *ast.SelectorExpr:
				used[name(n)] = true
			case *ast.CompositeLit:
				if name(n.Type) == "audit.Event" && slices.ContainsFunc(n.Elts, ofRequest) {
					t.Errorf("%s: what a request did begins with audit.At, which names the request", path)
				}
			}
			return true
		})
	}
	if len(declared) != len(audit.Types) {
		t.Errorf("%d constants, %d types", len(declared), len(audit.Types))
	}
	for _, constant := range declared {
		if !used[constant] {
			t.Errorf("no deed leaves %s", constant)
		}
	}
}

const eventsIntro = `<!-- Printed from internal/audit/types.go by make docs. Change it there. -->
# Events

Every deed leaves an event in its own transaction: there is no deed without a record, and no record without its deed. One
exception: a refresh that simply worked writes nothing, because the session is its record. Events are kept for
` + "`event-retention`" + ` (365 days).

An event says when, what, how it ended (` + "`success` or `refused`" + `), whom it concerns, who did it, in which request
(` + "`request_id`, which the answer carried as `Request-Id` and the log names" + `), and from which address and user agent. ` + "`GET /v1/me/events`" + ` shows people those that concern them; the others are for operators. No event holds
a password, a code, a token or a whole e-mail address: each type lists the only data it may carry, and what looks like a
secret is refused before it is written.

A type keeps its meaning for ever. Data may be absent, and more may be added.

Data keys: ` + "`method` is a proof (`password`, `email_code`), `reason` a stable word, `device` a name like *Firefox on\nLinux*, " +
	"`address` is masked, `count` and `limit` are numbers, `fields`, `scopes` and `methods` are lists with commas." + `
`

func events() string {
	var b strings.Builder
	b.WriteString(eventsIntro)
	for _, kind := range slices.Sorted(maps.Keys(audit.Types)) {
		spec := audit.Types[kind]
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n", kind, spec.Meaning)
		outcome := "`" + string(spec.Outcome) + "`"
		if spec.Outcome == "" {
			outcome = "`success` or `refused`"
		}
		fmt.Fprintf(&b, "- Outcome: %s\n", outcome)
		var must []string
		for what, always := range map[string]bool{"the account": spec.Account, "the session": spec.Session, "the attempt": spec.Attempt} {
			if always {
				must = append(must, what)
			}
		}
		if slices.Sort(must); len(must) > 0 {
			fmt.Fprintf(&b, "- Always names: %s\n", strings.Join(must, ", "))
		}
		if len(spec.Data) > 0 {
			fmt.Fprintf(&b, "- May carry: `%s`\n", strings.Join(slices.Sorted(slices.Values(spec.Data)), "`, `"))
		}
		if spec.Visible {
			b.WriteString("- Shown to its person\n")
		} else {
			b.WriteString("- For operators only\n")
		}
	}
	return b.String()
}

// TestEveryRouteIsDocumented compares docs/api.md with what is exposed in development,
// which is everything.
func TestEveryRouteIsDocumented(t *testing.T) {
	var exposed, documented []string
	for line := range strings.Lines(house(t, app.Development).Handler.Routes()) {
		if f := strings.Fields(line); len(f) > 1 {
			exposed = append(exposed, f[0]+" "+strings.TrimSuffix(f[1], "{$}"))
		}
	}
	for _, m := range regexp.MustCompile("`((?:GET|POST|PATCH|DELETE|PUT) /[^` ?]*)").FindAllStringSubmatch(page(t, "docs/api.md"), -1) {
		documented = append(documented, m[1])
	}
	compare(t, exposed, documented, "docs/api.md")
}
