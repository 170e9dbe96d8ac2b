package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/app"
)

// TestOpenAPI keeps openapi.json equal to what a production server answers, byte for
// byte, and holds it to what its readers need.
func TestOpenAPI(t *testing.T) {
	hallway := house(t, app.Production).Handler
	document, err := hallway.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../openapi.json", string(document))
	complaints := lint(t, document, codes(t))
	for _, complaint := range complaints {
		t.Error(complaint)
	}
	for line := range strings.Lines(hallway.Routes()) {
		f := strings.Fields(line)
		if len(f) > 1 && strings.HasPrefix(f[1], "/v1/") && !strings.Contains(string(document), fmt.Sprintf("%q: {", f[1])) {
			t.Errorf("%s %s is not described", f[0], f[1])
		}
	}
}

// spec is as much of OpenAPI 3.1 as the lint looks at.
type spec struct {
	OpenAPI    string `json:"openapi"`
	Tags       []struct{ Name string }
	Paths      map[string]map[string]operation
	Components struct {
		Schemas         map[string]schema
		SecuritySchemes map[string]any
	}
}

type operation struct {
	OperationID, Summary string
	Tags                 []string
	Parameters           []struct {
		Name, In string
		Required bool
		Schema   schema
	}
	RequestBody *struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema schema }
		Headers     map[string]any
		Codes       []string `json:"x-codes"`
	}
	Security []map[string][]string
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	OneOf      []schema
	Items      *schema
	Properties map[string]schema
	Required   []string
}

// lint complains of what a reader of the document would stumble over. declared are the
// codes with their status.
func lint(t *testing.T, document []byte, declared map[string]code) (complaints []string) {
	t.Helper()
	var s spec
	if err := json.Unmarshal(document, &s); err != nil {
		t.Fatal(err)
	}
	l := &linter{spec: s, codes: declared, ids: map[string]bool{}, used: map[string]bool{}}
	l.refs(document)
	if s.OpenAPI != "3.1.0" || len(s.Paths) < 10 {
		l.say("this is no OpenAPI 3.1 of %d paths", len(s.Paths))
	}
	for path, operations := range s.Paths {
		for method, op := range operations {
			l.operation(strings.ToUpper(method)+" "+path, path, op)
		}
	}
	for name, schema := range s.Components.Schemas {
		l.schema(name, schema)
		if !l.used[name] {
			l.say("the schema %s is used by nothing", name)
		}
	}
	slices.Sort(l.complaints)
	return l.complaints
}

type linter struct {
	spec
	codes      map[string]code
	ids, used  map[string]bool
	complaints []string
}

func (l *linter) say(format string, args ...any) {
	l.complaints = append(l.complaints, fmt.Sprintf(format, args...))
}

var ref = regexp.MustCompile(`"#/components/schemas/([^"]*)"`)

func (l *linter) refs(document []byte) {
	for _, m := range ref.FindAllSubmatch(document, -1) {
		name := string(m[1])
		if l.used[name] = true; l.Components.Schemas[name].Type == nil && l.Components.Schemas[name].OneOf == nil {
			l.say("the schema %s is referred to and does not exist", name)
		}
	}
}

var word = regexp.MustCompile(`^[a-z]+([A-Z][a-z]*)+$`)

func (l *linter) operation(name, path string, op operation) {
	if !word.MatchString(op.OperationID) || l.ids[op.OperationID] {
		l.say("%s: the id %q is no single word or is taken", name, op.OperationID)
	}
	l.ids[op.OperationID] = true
	if op.Summary == "" || strings.HasSuffix(op.Summary, ".") {
		l.say("%s: the summary is one line without a full stop: %q", name, op.Summary)
	}
	if len(op.Tags) != 1 || !slices.ContainsFunc(l.Tags, func(t struct{ Name string }) bool { return t.Name == op.Tags[0] }) {
		l.say("%s: the tags are %v", name, op.Tags)
	}
	for _, demand := range op.Security {
		for scheme := range demand {
			if l.Components.SecuritySchemes[scheme] == nil {
				l.say("%s: there is no security scheme %s", name, scheme)
			}
		}
	}
	var inPath []string
	for _, p := range op.Parameters {
		l.schema(name+" "+p.Name, p.Schema)
		if p.In == "path" {
			inPath = append(inPath, "{"+p.Name+"}")
			if !p.Required {
				l.say("%s: %s is part of the path and not required", name, p.Name)
			}
		}
	}
	if in := regexp.MustCompile(`\{\w+\}`).FindAllString(path, -1); !slices.Equal(in, inPath) {
		l.say("%s: describes %v", name, inPath)
	}
	if op.RequestBody != nil {
		if op.RequestBody.Content["application/json"].Schema.Ref == "" || strings.HasPrefix(name, "GET ") {
			l.say("%s: the body is %v", name, op.RequestBody.Content)
		}
	}
	l.responses(name, op)
}

func (l *linter) responses(name string, op operation) {
	well := 0
	for status, r := range op.Responses {
		if r.Description == "" {
			l.say("%s: the answer %s is not described", name, status)
		}
		if status[0] == '2' {
			well++
			if (status == "204") != (len(r.Content) == 0) {
				l.say("%s: the answer %s has %d media types", name, status, len(r.Content))
			}
			for _, media := range r.Content {
				l.schema(name+" "+status, media.Schema)
			}
			continue
		}
		if len(r.Content) != 1 || r.Content["application/problem+json"].Schema.Ref != "#/components/schemas/Problem" || len(r.Codes) == 0 {
			l.say("%s: the answer %s is no problem with codes", name, status)
		}
		for _, c := range r.Codes {
			if l.codes[c].status != status {
				l.say("%s: the code %s is answered with %s, declared with %q", name, c, status, l.codes[c].status)
			}
		}
		for status1, header := range map[string]string{"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"} {
			if status == status1 && r.Headers[header] == nil {
				l.say("%s: the answer %s carries no %s", name, status, header)
			}
		}
	}
	if well != 1 || op.Responses["500"].Codes == nil {
		l.say("%s: the answers are %v", name, slices.Sorted(maps.Keys(op.Responses)))
	}
}

func (l *linter) schema(where string, s schema) {
	if s.Ref == "" && s.Type == nil && s.OneOf == nil {
		l.say("%s: a schema says nothing", where)
	}
	for _, name := range s.Required {
		if _, known := s.Properties[name]; !known {
			l.say("%s: %s is required and not described", where, name)
		}
	}
	for name, p := range s.Properties {
		l.schema(where+"."+name, p)
	}
	for _, p := range s.OneOf {
		l.schema(where, p)
	}
	if s.Items != nil {
		l.schema(where, *s.Items)
	} else if s.Type == "array" {
		l.say("%s: an array of anything", where)
	}
}

// TestLintBites breaks each rule once.
func TestLintBites(t *testing.T) {
	const good = `{"operationId":"getMe","summary":"Who","tags":["A"],"responses":{"200":{"description":"OK","content":{"application/json":{"schema":{"$ref":"#/components/schemas/S"}}}},` +
		`"500":{"description":"x","x-codes":["internal_error"],"content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}}}`
	wrap := func(path, op string) []byte {
		return []byte(`{"openapi":"3.1.0","tags":[{"name":"A"}],"paths":{"` + path + `":{"get":` + op + `}},` +
			`"components":{"schemas":{"S":{"type":"object"},"Problem":{"type":"object"}}}}`)
	}
	declared := map[string]code{"internal_error": {status: "500"}}
	for _, test := range []struct{ path, old, new, want string }{
		{"/me", "getMe", "get-me", "no single word"},
		{"/me", "Who", "", "the summary"},
		{"/me", `["A"]`, `["B"]`, "the tags"},
		{"/me", `["A"]`, `[]`, "the tags"},
		{"/me/{id}", "", "", "describes []"},
		{"/me", `"tags"`, `"security":[{"x":[]}],"tags"`, "no security scheme x"},
		{"/me", "schemas/S", "schemas/T", "does not exist"},
		{"/me", "schemas/S", "schemas/Problem", "used by nothing"},
		{"/me", `"200"`, `"404"`, "no problem with codes"},
		{"/me", "internal_error", "other_error", "declared with"},
		{"/me", `"$ref":"#/components/schemas/S"`, `"type":"array"`, "an array of anything"},
		{"/me", `"$ref":"#/components/schemas/S"`, `"required":["a"]`, "a is required"},
		{"/me", `"500"`, `"503"`, "no Retry-After"},
	} {
		complaints := strings.Join(lint(t, wrap(test.path, strings.Replace(good, test.old, test.new, 1)), declared), "\n")
		if !strings.Contains(complaints, test.want) {
			t.Errorf("%s -> %s: want %q, got %q", test.old, test.new, test.want, complaints)
		}
	}
	if complaints := lint(t, wrap("/me", good), declared); len(complaints) != 1 || !strings.Contains(complaints[0], "of 1 paths") {
		t.Errorf("%q", complaints)
	}
}
