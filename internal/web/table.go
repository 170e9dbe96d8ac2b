package web

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/ratelimit"
)

// Row is one thing that is exposed. Pattern, Guard, Limit and Handle are required: a row
// that forgot one does not open.
type Row struct {
	// Pattern is "METHOD /path" as http.ServeMux reads it.
	Pattern string
	Guard   Guard
	Limit   Limit
	Handle  Handler
	// Doc describes the row in openapi.json. JSON rows need one, pages have none.
	Doc Doc
	// Exempt names the reason why this row may be called across origins without
	// Authorization: what guards it instead. Such a row sees no session cookie.
	Exempt string
	// Hashes says that the row may hash a password. It is not counted as a request
	// that waits for the processor while others hash.
	Hashes bool
}

// Table is what a door exposes.
type Table []Row

// Guard says who may pass. The zero Guard lets nobody pass and opens no row.
type Guard string

// The guards that need no scope.
const (
	// Anyone lets everybody pass.
	Anyone Guard = "anyone"
	// SignedIn demands a live session and fills Call.Actor. On pages an access cookie
	// that has run out is renewed on the way.
	SignedIn Guard = "signed in"
	// Development is for the tools of development mode: no other origin may even read.
	Development Guard = "development"
)

const serverKeyGuard = "server key: "

// ServerKey demands a server key with that scope. A server key is never a person.
func ServerKey(scope string) Guard { return Guard(serverKeyGuard + scope) }

// scope returns the scope of a ServerKey guard.
func (g Guard) scope() (string, bool) {
	scope, ok := strings.CutPrefix(string(g), serverKeyGuard)
	return scope, ok && scope != ""
}

func (g Guard) known() bool {
	_, key := g.scope()
	return key || g == Anyone || g == SignedIn || g == Development
}

// Limit is how often one network (ratelimit.ByNetwork) may use the rows that share it. In
// development loopback is no network.
type Limit struct {
	Rate ratelimit.Rate
	// Refund gives the cost back when the row succeeds, so only failures add up.
	Refund bool
	free   bool
}

// Limited takes the cost of rate before any work.
func Limited(rate ratelimit.Rate) Limit { return Limit{Rate: rate} }

// Refunded is Limited, and a success costs nothing.
func Refunded(rate ratelimit.Rate) Limit { return Limit{Rate: rate, Refund: true} }

// Free is for rows that cost no more than the limit itself would.
func Free() Limit { return Limit{free: true} }

func (l Limit) String() string {
	if l.free {
		return "-"
	}
	s := fmt.Sprintf("%s %d/%s", l.Rate.Name, l.Rate.Events, short(l.Rate.Per.String()))
	if l.Rate.Burst != l.Rate.Events {
		s += fmt.Sprintf(" burst %d", l.Rate.Burst)
	}
	if l.Refund {
		s += " refund"
	}
	return s
}

func short(duration string) string {
	for _, zero := range []string{"m0s", "h0m"} {
		if rest, ok := strings.CutSuffix(duration, zero); ok {
			duration = rest + zero[:1]
		}
	}
	return duration
}

// Doc describes a row for openapi.json.
type Doc struct {
	Tag     string
	Summary string // one line
	Detail  string // optional sentences
	// Request is a zero value of what a Plain row reads; JSON rows know it.
	Request any
	// Query is a zero value of the query parameters that a Plain row reads.
	Query any
	// Form says that the request may be a form as well.
	Form bool
	// Media is the type of the first answer when it is not application/json.
	Media string
	// Stream says that the answer may be an event stream as well.
	Stream bool
	// Answers are zero values of the bodies by status, nil for none. A JSON row knows
	// its first one.
	Answers map[int]any
	// Faults are the refusals of the deed; those of the hallway are added.
	Faults []*fault.Fault
}

// Handler is what a row does. It is made by JSON, Plain, Page or Stream.
type Handler struct {
	serve  func(*Call) error
	style  style
	plan   *plan        // of JSON: how the request is read
	out    reflect.Type // of JSON: the body of the answer, nil for none
	status int          // of JSON
	err    error        // why the types cannot be used
}

type style uint8

const (
	styleNone style = iota
	styleJSON
	stylePlain
	stylePage
	styleStream
)

// JSON makes a handler of a function with a typed request and a typed answer. In is a
// struct whose fields are tagged json, path or query; see planOf for what they may be.
// A member without omitempty is required. Out is written as JSON with status 200, unless
// it is Accepted, Created or NoContent, or writes itself (Writer).
func JSON[In, Out any](fn func(*Call, In) (Out, error)) Handler {
	p, err := planOf(reflect.TypeFor[In]())
	h := Handler{style: styleJSON, plan: p, err: err, status: http.StatusOK, out: reflect.TypeFor[Out]()}
	if r, ok := any(*new(Out)).(reply); ok {
		h.status, h.out = r.describe()
	}
	h.serve = func(c *Call) error {
		var in In
		if err := c.read(p, reflect.ValueOf(&in).Elem()); err != nil {
			return err
		}
		out, err := fn(c, in)
		if err != nil {
			return err
		}
		return c.answer(out)
	}
	return h
}

// Plain makes a handler that reads and writes for itself: forms, documents, redirects.
// Its refusals are problem+json.
func Plain(fn func(*Call) error) Handler { return Handler{style: stylePlain, serve: fn} }

// Stream is Plain without a deadline for the answer.
func Stream(fn func(*Call) error) Handler { return Handler{style: styleStream, serve: fn} }

// Page makes a handler of hosted pages. Its refusals are HTML.
func Page(fn func(*Call) error) Handler { return Handler{style: stylePage, serve: fn} }

// None is the In of a row that reads nothing.
type None struct{}

// reply is an Out that says its status.
type reply interface {
	describe() (status int, body reflect.Type)
	reply() (status int, body any)
}

// Writer is an Out that writes itself.
type Writer interface {
	WriteAnswer(*Call) error
}

// Accepted answers 202.
type Accepted[T any] struct{ Body T }

func (Accepted[T]) describe() (int, reflect.Type) { return http.StatusAccepted, reflect.TypeFor[T]() }
func (a Accepted[T]) reply() (int, any)           { return http.StatusAccepted, a.Body }

// Created answers 201.
type Created[T any] struct{ Body T }

func (Created[T]) describe() (int, reflect.Type) { return http.StatusCreated, reflect.TypeFor[T]() }
func (a Created[T]) reply() (int, any)           { return http.StatusCreated, a.Body }

// NoContent answers 204.
type NoContent struct{}

func (NoContent) describe() (int, reflect.Type) { return http.StatusNoContent, nil }
func (NoContent) reply() (int, any)             { return http.StatusNoContent, nil }

// check tells what a row lacks.
func (r Row) check() error {
	method, path, found := strings.Cut(r.Pattern, " ")
	var why string
	switch {
	case !found || method == "" || method != strings.ToUpper(method) || !strings.HasPrefix(path, "/"):
		why = `has no pattern of the form "METHOD /path"`
	case method == http.MethodOptions || method == http.MethodConnect || method == http.MethodTrace:
		why = "uses a method that the hallway answers itself"
	case !r.Guard.known():
		why = "has no guard"
	case !r.Limit.free && (r.Limit.Rate.Name == "" || r.Limit.Rate.Events <= 0 || r.Limit.Rate.Per <= 0):
		why = "has no limit; say Free if it needs none"
	case r.Handle.serve == nil:
		why = "has no handler"
	case r.Handle.style == styleJSON && r.Doc.Summary == "":
		why = "is not documented"
	case r.Exempt != "" && safe(method):
		why = "is exempt from a rule that does not concern it"
	case r.Exempt != "" && r.Guard == Development:
		why = "is exempt and of development at once"
	}
	if why != "" {
		return fmt.Errorf("web: row %q %s", r.Pattern, why)
	}
	if r.Handle.err != nil {
		return fmt.Errorf("web: row %q: %w", r.Pattern, r.Handle.err)
	}
	return r.checkPath(path)
}

// checkPath compares the wildcards of the pattern with those the handler reads.
func (r Row) checkPath(path string) error {
	if r.Handle.plan == nil {
		return nil
	}
	var errs []error
	for _, p := range r.Handle.plan.params {
		if p.inPath && !strings.Contains(path, "{"+p.name+"}") {
			errs = append(errs, fmt.Errorf("web: row %q has no {%s}", r.Pattern, p.name))
		}
	}
	return errors.Join(errs...)
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
