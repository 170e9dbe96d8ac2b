package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/audit"
	"github.com/limenauth/limen/internal/secret"
)

const (
	who   = "usr_01kq3v5y8xe7q8w9m2n4p6r8t0"
	where = "ses_01kq3v5y8xe7q8w9m2n4p6r8t0"
	try   = "att_01kq3v5y8xe7q8w9m2n4p6r8t0"

	request = "req_01kq3v5y8xe7q8w9m2n4p6r8t0"
)

// Every constant is in the list, and the list holds nothing else.
func TestEveryTypeHasASpec(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[audit.Type]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Type" {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil || declared[audit.Type(name)] {
				t.Errorf("%s: %v", name, err)
			}
			declared[audit.Type(name)] = true
		}
		return true
	})
	if len(declared) < 30 {
		t.Errorf("found %d constants only", len(declared))
	}
	for name := range declared {
		if _, ok := audit.Types[name]; !ok {
			t.Errorf("%s has no spec", name)
		}
	}
	form, key := regexp.MustCompile(`^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$`), regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for name, spec := range audit.Types {
		if !declared[name] || !form.MatchString(string(name)) {
			t.Errorf("%s is no declared name", name)
		}
		if spec.Outcome != audit.Success && spec.Outcome != audit.Refused && spec.Outcome != "" {
			t.Errorf("%s has the outcome %q", name, spec.Outcome)
		}
		if !strings.HasSuffix(spec.Meaning, ".") || strings.Count(spec.Meaning, "\n") > 0 || len(spec.Meaning) > 120 {
			t.Errorf("%s: the meaning is one sentence: %q", name, spec.Meaning)
		}
		for i, k := range spec.Data {
			if !key.MatchString(k) || slices.Contains(spec.Data[:i], k) {
				t.Errorf("%s: data key %q", name, k)
			}
			for _, word := range []string{"password", "secret", "token", "code", "cookie"} {
				if k == word {
					t.Errorf("%s: a key %q invites a secret", name, k)
				}
			}
		}
		if spec.Session && !spec.Account {
			t.Errorf("%s: a session without its account", name)
		}
	}
}

func full(name audit.Type) audit.Event {
	outcome := audit.Types[name].Outcome
	if outcome == "" {
		outcome = audit.Refused
	}
	e := audit.Event{Type: name, Outcome: outcome, Account: who, Session: where, Attempt: try, Actor: audit.Operator, RequestID: request, IP: "2001:db8::1", UserAgent: "curl/8", Data: map[string]string{}}
	for _, k := range audit.Types[name].Data {
		e.Data[k] = "value"
	}
	return e
}

func TestCheck(t *testing.T) {
	for name, spec := range audit.Types {
		if err := full(name).Check(); err != nil {
			t.Error(err)
		}
		for what, strip := range map[string]struct {
			must bool
			do   func(*audit.Event)
		}{
			"account": {spec.Account, func(e *audit.Event) { e.Account = "" }},
			"session": {spec.Session, func(e *audit.Event) { e.Session = "" }},
			"attempt": {spec.Attempt, func(e *audit.Event) { e.Attempt = "" }},
			"data":    {false, func(e *audit.Event) { e.Data = nil }},
		} {
			e := full(name)
			strip.do(&e)
			if err := e.Check(); (err != nil) != strip.must {
				t.Errorf("%s without %s: %v", name, what, err)
			}
		}
		e := full(name)
		e.Data["anything"] = "else"
		if e.Check() == nil {
			t.Errorf("%s carries any key", name)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	long := strings.Repeat("x", 201)
	for name, change := range map[string]func(*audit.Event){
		"an unknown type":       func(e *audit.Event) { e.Type = "sign_in.dreamt" },
		"no type":               func(e *audit.Event) { e.Type = "" },
		"the other outcome":     func(e *audit.Event) { e.Outcome = audit.Success },
		"no outcome":            func(e *audit.Event) { e.Outcome = "" },
		"a false account":       func(e *audit.Event) { e.Account = "mara@example.com" },
		"a false session":       func(e *audit.Event) { e.Session = "lrt_abc" },
		"a false request":       func(e *audit.Event) { e.RequestID = "req_1\n" },
		"the whole attempt":     func(e *audit.Event) { e.Attempt = try + "_AAAAAAAAAAAAAAAAAAAAAA" },
		"a long actor":          func(e *audit.Event) { e.Actor = long },
		"a long ip":             func(e *audit.Event) { e.IP = long },
		"a long user agent":     func(e *audit.Event) { e.UserAgent = strings.Repeat("x", 513) },
		"a line in it":          func(e *audit.Event) { e.UserAgent = "a\nb" },
		"a long value":          func(e *audit.Event) { e.Data["reason"] = long },
		"a NUL":                 func(e *audit.Event) { e.Data["reason"] = "a\x00" },
		"a line break":          func(e *audit.Event) { e.Data["reason"] = "a\r\nb" },
		"an escape":             func(e *audit.Event) { e.Data["reason"] = "\x1b[31m" },
		"a line separator":      func(e *audit.Event) { e.Data["reason"] = "a\u2028b" },
		"a turned text":         func(e *audit.Event) { e.Data["reason"] = "a\u202eb" },
		"broken text":           func(e *audit.Event) { e.Data["reason"] = "a\xff" },
		"a refresh token":       func(e *audit.Event) { e.Data["reason"] = "token lrt_nvWpMwGd" },
		"a device secret":       func(e *audit.Event) { e.Data["reason"] = "lds_nvWpMwGd" },
		"a server key":          func(e *audit.Event) { e.Data["reason"] = "lsk_nvWpMwGd" },
		"an access token":       func(e *audit.Event) { e.Data["reason"] = "eyJhbGciOi" },
		"an attempt":            func(e *audit.Event) { e.Data["reason"] = try + "_AAAAAAAAAAAAAAAAAAAAAA" },
		"an address":            func(e *audit.Event) { e.Data["reason"] = "mara@example.com" },
		"an address beside one": func(e *audit.Event) { e.Data["device"] = "mara@example.com" },
	} {
		e := full(audit.SignInFailed)
		change(&e)
		err := e.Check()
		if err == nil {
			t.Errorf("%s is written down", name)
		} else if strings.Contains(err.Error(), "mara") || strings.Contains(err.Error(), "nvWp") {
			t.Errorf("%s: the error tells it: %v", name, err)
		}
	}
	e := full(audit.AttemptDisplaced)
	e.Data["by"] = try
	if err := e.Check(); err != nil {
		t.Errorf("the public part of an attempt: %v", err)
	}
	e = full(audit.CodeSent)
	for _, address := range []string{"mara@example.com", "مها@مثال.إختبار", "m@example.com"} {
		e.Data["address"] = account.Mask(address)
		if err := e.Check(); err != nil {
			t.Errorf("masked: %v", err)
		}
	}
}

func TestVisible(t *testing.T) {
	for _, operators := range []audit.Type{audit.SigningKeyRotated, audit.ServerKeyCreated, audit.ServerKeyRevoked, audit.CodeSent, audit.PasswordUpgraded} {
		if audit.Types[operators].Visible {
			t.Errorf("%s is shown to people", operators)
		}
	}
}

// Whatever a stranger sends, what Clean leaves can be written down.
func TestClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.OneOf(
			rapid.SliceOf(rapid.Byte()),
			rapid.Custom(func(t *rapid.T) []byte { return []byte(rapid.String().Draw(t, "text")) }),
		).Draw(t, "bytes"))
		limit := rapid.IntRange(0, 40).Draw(t, "limit")
		got := audit.Clean(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || audit.Clean(got, limit) != got {
			t.Fatalf("Clean(%q, %d) = %q", s, limit, got)
		}
		e := full(audit.SignInFailed)
		e.UserAgent = got
		if err := e.Check(); err != nil {
			t.Fatal(err)
		}
	})
	if got := audit.Clean("aé\u202e\nb", 3); got != "aé" {
		t.Errorf("%q", got)
	}
	if got := audit.Clean("aéé", 4); got != "aé" {
		t.Errorf("%q", got)
	}
	if secret.HasForm(who, "usr") != true {
		t.Error("the test's ids are not ids")
	}
}
