package web

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// kind is what a member of a request may be.
type kind uint8

const (
	kindText kind = iota + 1
	kindFlag
	kindNumber
	kindObject
	kindList
	kindRaw
)

// shape says how a JSON value becomes a Go value. It is made once per row.
type shape struct {
	kind       kind
	pointer    bool
	objectOnly bool // of kindRaw: Object
	members    map[string]*member
	required   []*member
	element    *shape
}

type member struct {
	name  string
	index []int
	shape *shape
	bit   uint64
}

// param is a field that comes from the path or the query.
type param struct {
	name     string
	inPath   bool
	required bool
	index    []int
	typ      reflect.Type
	field    reflect.StructField
	min, max int64 // whole numbers only
	fallback int64
}

// plan says how a request becomes an In.
type plan struct {
	typ    reflect.Type
	body   *shape
	params []param
}

// Object is a JSON object that the hallway checks and passes on as it was written.
type Object []byte

// MarshalJSON writes the object itself; the zero Object is {}.
func (o Object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("{}"), nil
	}
	return o, nil
}

// planOf reads the fields of t, which must be a struct. Every field says where it comes
// from: `json:"name"` (with omitempty: may be absent), `path:"name"` or `query:"name"`.
func planOf(t reflect.Type) (*plan, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("web: %v is no struct", t)
	}
	p := &plan{typ: t, body: &shape{kind: kindObject, members: map[string]*member{}}}
	return p, p.fields(t, nil)
}

func (p *plan) fields(t reflect.Type, at []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, at...), i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		var err error
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Tag == "":
			err = p.fields(f.Type, index)
		case f.Tag.Get("path") != "":
			err = p.param(f, f.Tag.Get("path"), index)
		case f.Tag.Get("query") != "":
			err = p.param(f, f.Tag.Get("query"), index)
		case name != "" && name != "-":
			err = p.body.add(f, name, index)
		default:
			err = fmt.Errorf("web: %v.%s does not say where it comes from", t, f.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) param(f reflect.StructField, name string, index []int) error {
	a := param{name: name, inPath: f.Tag.Get("path") != "", index: index, typ: f.Type, field: f}
	a.required = a.inPath || f.Tag.Get("required") == "true"
	switch {
	case f.Type.Kind() == reflect.String:
	case f.Type.Kind() == reflect.Int && !a.inPath:
		var bad error
		for tag, to := range map[string]*int64{"minimum": &a.min, "maximum": &a.max, "default": &a.fallback} {
			n, err := strconv.ParseInt(f.Tag.Get(tag), 10, 64)
			if err != nil {
				bad = fmt.Errorf("web: query %q needs a number as %s", name, tag)
			}
			*to = n
		}
		if bad != nil {
			return bad
		}
	default:
		return fmt.Errorf("web: %q cannot be read into %v", name, f.Type)
	}
	if f.Tag.Get("json") != "-" {
		return fmt.Errorf(`web: %q needs json:"-" too, or it would be documented as a member`, name)
	}
	p.params = append(p.params, a)
	return nil
}

func (sh *shape) add(f reflect.StructField, name string, index []int) error {
	inner, err := shapeOf(f.Type)
	if err != nil {
		return fmt.Errorf("%w (member %q)", err, name)
	}
	if len(sh.members) == 64 {
		return fmt.Errorf("web: more than 64 members at %q", name)
	}
	m := &member{name: name, index: index, shape: inner, bit: 1 << len(sh.members)}
	if sh.members[name] != nil {
		return fmt.Errorf("web: two members are called %q", name)
	}
	sh.members[name] = m
	if tag := f.Tag.Get("json"); !strings.Contains(tag, ",omitempty") && !strings.Contains(tag, ",omitzero") {
		sh.required = append(sh.required, m)
	}
	return nil
}

func shapeOf(t reflect.Type) (*shape, error) {
	if t.Kind() == reflect.Pointer {
		sh, err := shapeOf(t.Elem())
		if err != nil || sh.pointer {
			return nil, fmt.Errorf("web: cannot read %v", t)
		}
		sh.pointer = true
		return sh, nil
	}
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return &shape{kind: kindRaw}, nil
	case reflect.TypeFor[Object]():
		return &shape{kind: kindRaw, objectOnly: true}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return &shape{kind: kindText}, nil
	case reflect.Bool:
		return &shape{kind: kindFlag}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float64:
		return &shape{kind: kindNumber}, nil
	case reflect.Slice:
		element, err := shapeOf(t.Elem())
		return &shape{kind: kindList, element: element}, err
	case reflect.Struct:
		p, err := planOf(t)
		if err != nil {
			return nil, err
		}
		if len(p.params) > 0 {
			return nil, fmt.Errorf("web: %v takes parameters from within a body", t)
		}
		return p.body, nil
	}
	return nil, fmt.Errorf("web: cannot read %v", t)
}
