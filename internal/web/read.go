package web

import "reflect"

// Read reads the JSON body of a Plain row into a T, under the rules of JSON.
func Read[T any](c *Call) (T, error) {
	var in T
	p, err := planOf(reflect.TypeFor[T]())
	if err != nil {
		return in, err
	}
	return in, c.read(p, reflect.ValueOf(&in).Elem())
}
