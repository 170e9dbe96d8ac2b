package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/session"
)

const (
	problemJSON = "application/problem+json"
	schemaRefs  = "#/components/schemas/"
)

// OpenAPI is the document (OpenAPI 3.1) of all rows that have a Doc: generated from the
// same types that the JSON edge reads and writes, the same bytes each time.
func (h *Hallway) OpenAPI() ([]byte, error) { return h.document() }

// describe builds the document. The schema library panics on types it cannot describe;
// that is an error here.
func (h *Hallway) describe() (document []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("web: openapi: %v", p)
		}
	}()
	d := describer{hall: h, schemas: huma.NewMapRegistry(schemaRefs, huma.DefaultSchemaNamer)}
	api := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "limen", Version: "1",
			Description: "The native HTTP API of limen, a self-hosted authentication server.",
			License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Components: &huma.Components{Schemas: d.schemas, SecuritySchemes: h.securitySchemes()},
	}
	d.schema(reflect.TypeFor[Problem](), "")
	tags := map[string]bool{}
	for _, row := range h.rows {
		if row.Doc.Summary != "" {
			op, err := d.operation(row)
			if err != nil {
				return nil, err
			}
			api.AddOperation(op)
			tags[row.Doc.Tag] = row.Doc.Tag != ""
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if tags[name] {
			api.Tags = append(api.Tags, &huma.Tag{Name: name})
		}
	}
	d.complete()
	compact, err := json.Marshal(api)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, compact, "", "  ")
	out.WriteByte('\n')
	return out.Bytes(), err
}

func (h *Hallway) securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		"accessToken": {
			Type: "http", Scheme: "bearer", BearerFormat: "JWT",
			Description: "The access token of a session in token or memory mode.",
		},
		"accessCookie": {
			Type: "apiKey", In: "cookie", Name: "__Host-" + h.Cookies.Access,
			Description: "The access token of a session in cookie mode. The name is a setting; over plain http on loopback it has no prefix.",
		},
		"serverKey": {
			Type: "http", Scheme: "bearer",
			Description: "A server key, lsk_..., with the scope that the operation names. It is never a person.",
		},
	}
}

// relax says of a schema what is true of this API: unknown members are ignored, and a
// list is never null.
func relax(s *huma.Schema) {
	if s == nil {
		return
	}
	if _, closed := s.AdditionalProperties.(bool); closed {
		s.AdditionalProperties = nil
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	relax(s.Items)
	for _, p := range s.Properties {
		relax(p)
	}
	for _, p := range s.OneOf {
		relax(p)
	}
}

type describer struct {
	hall    *Hallway
	schemas huma.Registry
}

// schema describes t; hint names it when it has no name of its own.
func (d describer) schema(t reflect.Type, hint string) *huma.Schema {
	s := d.schemas.Schema(t, true, hint)
	relax(s)
	return s
}

// complete adds to every schema what the schema library leaves out, and relaxes it.
func (d describer) complete() {
	for done := 0; done < len(d.schemas.Map()); {
		done = len(d.schemas.Map())
		for _, name := range slices.Sorted(maps.Keys(d.schemas.Map())) {
			d.adopt(d.schemas.Map()[name], d.schemas.TypeFromRef(schemaRefs+name))
			relax(d.schemas.Map()[name])
		}
	}
}

// adopt adds the members of embedded unexported structs, which are on the wire like all
// others and which the schema library leaves out.
func (d describer) adopt(s *huma.Schema, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.Anonymous || f.IsExported() || f.Type.Kind() != reflect.Struct {
			continue
		}
		if s.Properties == nil {
			s.Properties = map[string]*huma.Schema{}
		}
		inner := huma.SchemaFromType(d.schemas, f.Type)
		d.adopt(inner, f.Type)
		for name, p := range inner.Properties {
			s.Properties[name] = p
		}
		for _, name := range inner.Required {
			if !slices.Contains(s.Required, name) {
				s.Required = append(s.Required, name)
			}
		}
	}
}

func (d describer) operation(r *Row) (*huma.Operation, error) {
	method, path, _ := strings.Cut(r.Pattern, " ")
	op := &huma.Operation{
		Method: method, Path: strings.NewReplacer("...}", "}", "{$}", "").Replace(path),
		OperationID: operationID(method, path), Summary: r.Doc.Summary, Description: r.Doc.Detail,
		Responses: map[string]*huma.Response{},
	}
	if r.Doc.Tag != "" {
		op.Tags = []string{r.Doc.Tag}
	}
	d.access(op, r)
	if err := d.parameters(op, r); err != nil {
		return nil, err
	}
	d.request(op, r)
	d.answers(op, r)
	d.refusals(op, r)
	return op, nil
}

func (d describer) access(op *huma.Operation, r *Row) {
	switch scope, key := r.Guard.scope(); {
	case r.Guard == SignedIn:
		op.Security = []map[string][]string{{"accessToken": {}}, {"accessCookie": {}}}
	case key:
		op.Security = []map[string][]string{{"serverKey": {scope}}}
	}
}

func (d describer) parameters(op *huma.Operation, r *Row) error {
	p := r.Handle.plan
	if p == nil && r.Doc.Query != nil {
		var err error
		if p, err = planOf(reflect.TypeOf(r.Doc.Query)); err != nil {
			return err
		}
	}
	if p != nil {
		for _, a := range p.params {
			op.Parameters = append(op.Parameters, d.param(a))
		}
	}
	for _, name := range wildcards(op.Path) {
		if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == name && p.In == "path" }) {
			op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
	if grants(r.Handle.out) {
		op.Parameters = append(op.Parameters,
			header(headerDelivery, "How the tokens travel. It is chosen at sign-in and never changes.", string(session.Token), string(session.Memory), string(session.Cookie)),
			header(headerDevice, "The device secret, in token mode."))
	}
	return nil
}

func (d describer) request(op *huma.Operation, r *Row) {
	body := requestType(r)
	if body == nil || safe(op.Method) {
		return
	}
	media := &huma.MediaType{Schema: d.schema(body, op.OperationID+"Request")}
	op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": media}}
	if p := r.Handle.plan; p != nil {
		op.RequestBody.Required = len(p.body.required) > 0
	}
	if r.Doc.Form {
		op.RequestBody.Content["application/x-www-form-urlencoded"] = media
	}
}

// requestType is what the row reads as a body, or nil.
func requestType(r *Row) reflect.Type {
	if r.Doc.Request != nil {
		return reflect.TypeOf(r.Doc.Request)
	}
	if p := r.Handle.plan; p != nil && len(p.body.members) > 0 {
		return p.typ
	}
	return nil
}

func (d describer) param(a param) *huma.Param {
	p := &huma.Param{Name: a.name, In: "query", Required: a.required, Description: a.field.Tag.Get("doc")}
	if a.inPath {
		p.In = "path"
	}
	p.Schema = huma.SchemaFromField(d.schemas, a.field, "")
	p.Schema.Description = ""
	return p
}

func header(name, description string, values ...string) *huma.Param {
	s := &huma.Schema{Type: huma.TypeString}
	for _, v := range values {
		s.Enum = append(s.Enum, v)
	}
	return &huma.Param{Name: name, In: "header", Description: description, Schema: s}
}

func (d describer) answers(op *huma.Operation, r *Row) {
	if r.Handle.style == styleJSON {
		d.answer(op, r, r.Handle.status, r.Handle.out)
	}
	for status, body := range r.Doc.Answers {
		var t reflect.Type
		if body != nil {
			t = reflect.TypeOf(body)
		}
		d.answer(op, r, status, t)
	}
}

func (d describer) answer(op *huma.Operation, r *Row, status int, body reflect.Type) {
	response := &huma.Response{Description: http.StatusText(status)}
	switch media := cmp.Or(r.Doc.Media, "application/json"); {
	case body != nil:
		response.Content = map[string]*huma.MediaType{media: {Schema: d.schema(body, op.OperationID+"Answer")}}
		if r.Doc.Stream {
			response.Content["text/event-stream"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		}
	case r.Doc.Media != "":
		response.Content = map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	op.Responses[strconv.Itoa(status)] = response
}

// refusals lists the codes of the row by status.
func (d describer) refusals(op *huma.Operation, r *Row) {
	codes := map[int][]string{}
	for _, f := range append(hallwayFaults(r), r.Doc.Faults...) {
		status := StatusOf(f)
		if !slices.Contains(codes[status], f.Code) {
			codes[status] = append(codes[status], f.Code)
		}
	}
	for status, list := range codes {
		slices.Sort(list)
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: strings.Join(list, ", "),
			Content:     map[string]*huma.MediaType{problemJSON: {Schema: &huma.Schema{Ref: schemaRefs + "Problem"}}},
			Headers:     refusalHeader(status),
			Extensions:  map[string]any{"x-codes": list},
		}
	}
}

// refusalHeader is what a refusal of that status carries for machines.
func refusalHeader(status int) map[string]*huma.Header {
	switch status {
	case http.StatusUnauthorized:
		return map[string]*huma.Header{"WWW-Authenticate": {Description: "RFC 6750 section 3.", Schema: &huma.Schema{Type: huma.TypeString}}}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return map[string]*huma.Header{"Retry-After": {Description: "Seconds.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
	}
	return nil
}

// hallwayFaults are the refusals that a request can meet before it reaches the handler.
func hallwayFaults(r *Row) []*fault.Fault {
	method, _, _ := strings.Cut(r.Pattern, " ")
	out := []*fault.Fault{fault.ErrInternal, ErrCrossOrigin, fault.ErrInvalidRequest}
	if r.Guard != Anyone && r.Guard != Development {
		out = append(out, ErrUnauthenticated)
	}
	if r.Guard == SignedIn {
		out = append(out, session.ErrEnded)
	}
	if _, key := r.Guard.scope(); key {
		out = append(out, fault.ErrForbidden)
	}
	if !r.Limit.free {
		out = append(out, fault.ErrRateLimited)
	}
	if requestType(r) != nil && !safe(method) {
		out = append(out, fault.ErrMalformedJSON, fault.ErrMediaType, fault.ErrTooLarge)
	}
	return out
}

// grants reports whether an Out may be a Grant.
func grants(out reflect.Type) bool {
	return out == reflect.TypeFor[Step]() || out == reflect.TypeFor[Issued]()
}

// Schema shows a step as one of three, told apart by status.
func (Step) Schema(r huma.Registry) *huma.Schema {
	mapping := map[string]string{}
	var one []*huma.Schema
	for status, t := range map[string]reflect.Type{
		"complete":           reflect.TypeFor[Grant](),
		"needs_verification": reflect.TypeFor[NeedsVerification](),
		"needs_factor":       reflect.TypeFor[NeedsFactor](),
		"needs_approval":     reflect.TypeFor[NeedsApproval](),
	} {
		s := r.Schema(t, true, "")
		mapping[status] = s.Ref
		one = append(one, s)
	}
	slices.SortFunc(one, func(a, b *huma.Schema) int { return strings.Compare(a.Ref, b.Ref) })
	return &huma.Schema{OneOf: one, Discriminator: &huma.Discriminator{PropertyName: "status", Mapping: mapping}}
}

// Schema shows what is written: a Grant.
func (Issued) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[Grant](), true, "")
}

// Schema shows an object of any members.
func (Object) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeObject} }

// operationID is the method and the path in one word: postSignInPassword.
func operationID(method, path string) string {
	words := strings.FieldsFunc(strings.TrimPrefix(path, "/v1"), func(r rune) bool {
		return strings.ContainsRune("/-_.{}$", r)
	})
	var b strings.Builder
	b.WriteString(strings.ToLower(method))
	for _, w := range words {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

func wildcards(path string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		out = append(out, m[1])
	}
	return out
}
