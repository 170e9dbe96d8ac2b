package web

import (
	"net/http"
	"strings"
)

// The lists of api.md section 0.
const (
	corsHeaders = "Authorization, Content-Type, Limen-Delivery, Limen-Device, Idempotency-Key"
	corsExposed = "Request-Id, Retry-After"
	corsMaxAge  = "600" // seconds; an origin that is taken off the list is out soon
)

// allowOrigin lets scripts of an allowed origin read the answer. It names that origin,
// never *, since credentials are allowed.
func (c *Call) allowOrigin() {
	h := c.W.Header()
	h.Add("Vary", "Origin") // also when there is none: caches must not mix the two
	origin, many := single(c.R.Header, "Origin")
	if origin == "" || many || c.row.Guard == Development || !c.hall.allows(origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", corsExposed)
}

// AnyOrigin lets scripts of every origin read the answer, without credentials: for public
// documents that are the same for everybody.
func (c *Call) AnyOrigin() {
	h := c.W.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Del("Access-Control-Allow-Credentials") // never * with credentials
}

// preflight reports whether r asks, for a script, whether another request may be sent.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) > 0 && len(r.Header["Origin"]) > 0
}

// answerPreflight answers for the row that the announced request would reach. Pages and
// development tools have no answer: no script of another origin calls them.
func (h *Hallway) answerPreflight(c *Call) {
	c.W.Header()["Vary"] = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	origin, _ := single(c.R.Header, "Origin")
	method, many := single(c.R.Header, "Access-Control-Request-Method")
	row := h.match(c.R, method)
	if many || row == nil || row.Handle.style == stylePage || row.Guard == Development || !h.allows(origin) {
		c.refuse(ErrCrossOrigin)
		return
	}
	header := c.W.Header()
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Allow-Methods", h.methods(c.R))
	header.Set("Access-Control-Allow-Headers", corsHeaders)
	header.Set("Access-Control-Max-Age", corsMaxAge)
	c.W.WriteHeader(http.StatusNoContent)
}

// match returns the row that a request with another method would reach.
func (h *Hallway) match(r *http.Request, method string) *Row {
	other := *r
	other.Method = method
	_, pattern := h.mux.Handler(&other)
	for _, row := range h.rows {
		if row.Pattern == pattern {
			return row
		}
	}
	return nil
}

// methods lists what the path of r answers to.
func (h *Hallway) methods(r *http.Request) string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if h.match(r, m) != nil {
			out = append(out, m)
		}
	}
	return strings.Join(out, ", ")
}
