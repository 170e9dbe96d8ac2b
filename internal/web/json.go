package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/fault"
)

// maxBody is the largest body of a request (api.md section 0).
const maxBody = 64 << 10

// read fills in from the request's path, query and body.
func (c *Call) read(p *plan, in reflect.Value) error {
	if err := c.readParams(p, in); err != nil {
		return err
	}
	if safe(c.R.Method) {
		return nil
	}
	body, err := c.Body("application/json")
	if err != nil {
		return err
	}
	if body == nil {
		body = []byte("{}") // the same rules: what is required is missing
	}
	return decode(body, p.body, in)
}

// Body reads the whole body, which must be of one of the media types. It returns nil
// when there is none. It refuses with unsupported_media_type or payload_too_large.
func (c *Call) Body(mediaTypes ...string) ([]byte, error) {
	if c.R.ContentLength > maxBody {
		return nil, fault.ErrTooLarge
	}
	body, err := readUpTo(c.R.Body, c.R.ContentLength, maxBody)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, nil
	}
	if !accepted(c.R.Header, mediaTypes) {
		return nil, fault.ErrMediaType
	}
	return body, nil
}

// readUpTo reads at most limit bytes; announced is the announced length or -1.
func readUpTo(r io.Reader, announced int64, limit int) ([]byte, error) {
	if r == nil || r == http.NoBody {
		return nil, nil
	}
	size := limit
	if announced >= 0 {
		size = int(announced)
	}
	buf := make([]byte, 0, min(size+1, 4096))
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > limit {
			return nil, fault.ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, fault.ErrMalformedJSON.Because(err) // cut off, or badly framed
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// accepted reports whether the one Content-Type is among mediaTypes, in UTF-8 and not
// compressed.
func accepted(h http.Header, mediaTypes []string) bool {
	types := h["Content-Type"]
	if len(types) != 1 || len(h["Content-Encoding"]) > 0 {
		return false
	}
	if len(mediaTypes) == 1 && types[0] == mediaTypes[0] {
		return true // what nearly every client sends
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil {
		return false
	}
	if charset, said := params["charset"]; said && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	for _, t := range mediaTypes {
		if media == t {
			return true
		}
	}
	return false
}

// Form reads a body of type application/x-www-form-urlencoded. A parameter that repeats,
// or that is no clean text, is invalid_request.
func (c *Call) Form() (map[string]string, error) {
	body, err := c.Body("application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	return parseForm(string(body))
}

// Query reads the query under the rules of Form.
func (c *Call) Query() (map[string]string, error) { return parseForm(c.R.URL.RawQuery) }

func parseForm(encoded string) (map[string]string, error) {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, fault.ErrMalformedJSON.Saying("The parameters are not well encoded.")
	}
	out := make(map[string]string, len(values))
	bad := fault.ErrInvalidRequest
	for name, all := range values {
		switch {
		case len(all) > 1:
			bad = bad.Field(shown(name), codeDuplicate)
		case !utf8.ValidString(all[0]):
			bad = bad.Field(shown(name), codeUTF8)
		case strings.IndexByte(all[0], 0) >= 0:
			bad = bad.Field(shown(name), codeNUL)
		}
		out[name] = all[0]
	}
	if len(bad.Fields) > 0 {
		return nil, bad
	}
	return out, nil
}

// shown is a foreign name, fit to be said back.
func shown(name string) string { return plainText(name, maxShown) }

func (c *Call) readParams(p *plan, in reflect.Value) error {
	if len(p.params) == 0 {
		return nil
	}
	query, err := c.Query()
	if err != nil {
		return err
	}
	bad := fault.ErrInvalidRequest
	for _, a := range p.params {
		value, given := query[a.name]
		if a.inPath {
			value = c.R.PathValue(a.name)
			given = true
		}
		if code := a.set(in.FieldByIndex(a.index), value, given && value != ""); code != "" {
			bad = bad.Field(a.name, code)
		}
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// set writes one parameter into its field and tells what is wrong with it.
func (a param) set(field reflect.Value, value string, given bool) (code string) {
	switch {
	case !given && a.required:
		return codeRequired
	case field.Kind() == reflect.String:
		if !utf8.ValidString(value) {
			return codeUTF8
		}
		if strings.IndexByte(value, 0) >= 0 {
			return codeNUL
		}
		field.SetString(value)
	case !given:
		field.SetInt(a.fallback)
	default:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return codeType
		}
		if n < a.min || n > a.max {
			return "out_of_range"
		}
		field.SetInt(n)
	}
	return ""
}

// answer writes what a JSON handler returned.
func (c *Call) answer(out any) error {
	switch o := out.(type) {
	case Writer:
		return o.WriteAnswer(c)
	case reply:
		return c.JSON(o.reply())
	}
	return c.JSON(http.StatusOK, out)
}

// JSON writes body with status; a nil body is none. The body is encoded before anything
// is written, so an error leaves the answer untouched.
func (c *Call) JSON(status int, body any) error {
	if body == nil {
		c.W.WriteHeader(status)
		return nil
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.Write(status, "application/json", append(encoded, '\n'))
}

// Write writes a complete body. A client that has gone is no error.
func (c *Call) Write(status int, contentType string, body []byte) error {
	h := c.W.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.W.WriteHeader(status)
	_, _ = c.W.Write(body) // the connection is the client's to close
	return nil
}
