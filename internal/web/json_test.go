package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/web"
)

type profile struct {
	Name string `json:"name"`
	Age  int8   `json:"age,omitempty"`
}

type everything struct {
	Password secret.Text     `json:"password"`
	Nick     *string         `json:"nick,omitempty"`
	Create   bool            `json:"create,omitempty"`
	Others   *bool           `json:"others,omitempty"`
	Count    int             `json:"count,omitempty"`
	Ratio    float64         `json:"ratio,omitempty"`
	Tags     []string        `json:"tags,omitempty"`
	Profile  *profile        `json:"profile,omitempty"`
	Metadata web.Object      `json:"metadata,omitempty"`
	Raw      json.RawMessage `json:"raw,omitempty"`
}

type seen struct {
	Password string      `json:"password"`
	Nick     *string     `json:"nick,omitempty"`
	Create   bool        `json:"create,omitempty"`
	Others   *bool       `json:"others,omitempty"`
	Count    int         `json:"count,omitempty"`
	Ratio    float64     `json:"ratio,omitempty"`
	Tags     []string    `json:"tags,omitempty"`
	Profile  *profile    `json:"profile,omitempty"`
	Metadata *web.Object `json:"metadata,omitempty"`
	Raw      *web.Object `json:"raw,omitempty"`
}

func echo(_ *web.Call, in everything) (seen, error) {
	s := seen{
		Password: in.Password.Reveal(), Nick: in.Nick, Create: in.Create, Others: in.Others, Count: in.Count,
		Ratio: in.Ratio, Tags: in.Tags, Profile: in.Profile,
	}
	if in.Metadata != nil {
		s.Metadata = &in.Metadata
	}
	if in.Raw != nil {
		s.Raw = (*web.Object)(&in.Raw)
	}
	return s, nil
}

func echoTable() web.Table {
	return web.Table{{Pattern: "POST /v1/echo", Guard: web.Anyone, Limit: web.Free(), Handle: web.JSON(echo), Doc: doc}}
}

func nested(n int) string {
	return `{"password":"x","raw":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
}

func many(n int, last string) string {
	var b strings.Builder
	b.WriteString(`{"password":"x"`)
	for i := range n {
		b.WriteString(`,"k` + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + `":1`)
	}
	return b.String() + last + `}`
}

func TestJSONEdge(t *testing.T) {
	h := openHall(t, nil, echoTable())
	const missing = `422 {"password":"required"}`
	for _, c := range []struct{ name, body, want string }{
		{"all of it", `{"password":"p","nick":"n","create":true,"others":false,"count":-7,"ratio":1.5,"tags":["a","b"],"profile":{"name":"x","age":3},"metadata":{"a":[1]},"raw":[1]}`,
			`200 {"password":"p","nick":"n","create":true,"others":false,"count":-7,"ratio":1.5,"tags":["a","b"],"profile":{"name":"x","age":3},"metadata":{"a":[1]},"raw":[1]}`},
		{"white space", " \t\r\n{ \"password\" : \"p\" } \n", `200 {"password":"p"}`},
		{"unknown members are ignored", `{"password":"p","roles":["admin"]}`, `200 {"password":"p"}`},
		{"names are exact", `{"password":"p","Password":"q","PASSWORD":"r"}`, `200 {"password":"p"}`},
		{"names are exact, alone", `{"Password":"q"}`, missing},
		{"an escaped name is the name", `{"p\u0061ssword":"p"}`, `200 {"password":"p"}`},
		{"escapes", `{"password":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, `200 {"password":"\"\\/\b\f\n\r\té😀"}`},
		{"null is absent", `{"password":null}`, missing},
		{"null is absent for options", `{"password":"p","nick":null,"others":null,"raw":null,"metadata":null,"tags":null,"profile":null,"count":null}`, `200 {"password":"p"}`},
		{"empty text is not absent", `{"password":"","nick":""}`, `200 {"password":"","nick":""}`},
		{"required within", `{"password":"p","profile":{}}`, `422 {"profile.name":"required"}`},
		{"empty list", `{"password":"p","tags":[ ]}`, `200 {"password":"p"}`},

		{"no body", "", missing},
		{"empty object", "{}", missing},
		{"only white space", "  ", "400"},
		{"a list", "[]", "400"},
		{"text", `"a"`, "400"},
		{"null alone", "null", "400"},
		{"cut off", `{"password":"p"`, "400"},
		{"trailing garbage", `{"password":"p"}x`, "400"},
		{"two objects", `{"password":"p"}{}`, "400"},
		{"cut off within", `{"raw":[[`, "400"},
		{"cut off within an object", `{"raw":{"a":{`, "400"},
		{"trailing comma", `{"password":"p",}`, "400"},
		{"trailing comma in list", `{"password":"p","tags":["a",]}`, "400"},
		{"single quotes", `{'password':'p'}`, "400"},
		{"comment", `{"password":"p"/**/}`, "400"},
		{"byte order mark", "\uFEFF{}", "400"},
		{"leading zero", `{"count":01}`, "400"},
		{"plus", `{"count":+1}`, "400"},
		{"bare point", `{"ratio":1.}`, "400"},
		{"bare exponent", `{"ratio":1e}`, "400"},
		{"minus alone", `{"ratio":-}`, "400"},
		{"NaN", `{"ratio":NaN}`, "400"},
		{"bad literal", `{"create":tru}`, "400"},
		{"bad escape", `{"password":"\x"}`, "400"},
		{"bad hex", `{"password":"\u00zz"}`, "400"},
		{"escape at the end", `{"password":"\`, "400"},
		{"raw newline", "{\"password\":\"a\nb\"}", "400"},
		{"malformed wins over invalid", `{"password":1,"a":1,"a":2`, "400"},

		{"duplicate", `{"password":"a","password":"b"}`, `422 {"password":"duplicate"}`},
		{"duplicate by escape", `{"password":"a","p\u0061ssword":"b"}`, `422 {"password":"duplicate"}`},
		{"duplicate of null", `{"password":null,"password":"b"}`, `422 {"password":"duplicate"}`},
		{"duplicate unknown", `{"password":"a","x":1,"x":2}`, `422 {"x":"duplicate"}`},
		{"duplicate within", `{"password":"a","metadata":{"b":{"c":1,"c":2}}}`, `422 {"metadata.b.c":"duplicate"}`},
		{"duplicate in a list", `{"password":"a","raw":[{"c":1,"c":2}]}`, `422 {"raw.0.c":"duplicate"}`},
		{"the same name in two objects", `{"password":"a","metadata":{"b":{"c":1},"d":{"c":1}}}`, `200 {"password":"a","metadata":{"b":{"c":1},"d":{"c":1}}}`},
		{"many members", many(100, ""), `200 {"password":"x"}`},
		{"duplicate of the first among many", many(100, `,"ka":2`), `422 {"ka":"duplicate"}`},
		{"duplicate of the last among many", many(100, `,"kvxxx":2`), `422 {"kvxxx":"duplicate"}`},

		{"escaped NUL", `{"password":"a\u0000b"}`, `422 {"password":"nul"}`},
		{"raw NUL", "{\"password\":\"a\x00b\"}", `422 {"password":"nul"}`},
		{"NUL outside of text", "{\"password\":\x00\"p\"}", `400`},
		{"NUL in metadata", `{"password":"a","metadata":{"x":["\u0000"]}}`, `422 {"metadata.x.0":"nul"}`},
		{"NUL in a name", `{"password":"a","b\u0000":1}`, `422 {"b\u0000":"nul"}`},
		{"invalid UTF-8", "{\"password\":\"a\xff\"}", `422 {"password":"utf8"}`},
		{"invalid UTF-8 in a name", "{\"password\":\"a\",\"b\xff\":1}", `422 {"b` + "\uFFFD" + `":"utf8"}`},
		{"overlong NUL", "{\"password\":\"a\xc0\x80\"}", `422 {"password":"utf8"}`},
		{"half a pair", `{"password":"\ud83d"}`, `422 {"password":"utf8"}`},
		{"two first halves", `{"password":"\ud83d\ud83d"}`, `422 {"password":"utf8"}`},
		{"second half alone", `{"password":"\ude00"}`, `422 {"password":"utf8"}`},
		{"half a pair and a letter", `{"password":"\ud83d\u0041"}`, `422 {"password":"utf8"}`},

		{"number for text", `{"password":1}`, `422 {"password":"type"}`},
		{"list for text", `{"password":["p"]}`, `422 {"password":"type"}`},
		{"object for text", `{"password":{"x":1}}`, `422 {"password":"type"}`},
		{"text for a flag", `{"password":"p","create":"true"}`, `422 {"create":"type"}`},
		{"text for a number", `{"password":"p","count":"1"}`, `422 {"count":"type"}`},
		{"fraction for a whole number", `{"password":"p","count":1.5}`, `422 {"count":"type"}`},
		{"exponent for a whole number", `{"password":"p","count":1e2}`, `422 {"count":"type"}`},
		{"too large a number", `{"password":"p","count":99999999999999999999}`, `422 {"count":"type"}`},
		{"too large within", `{"password":"p","profile":{"name":"x","age":128}}`, `422 {"profile.age":"type"}`},
		{"text for a list", `{"password":"p","tags":"a"}`, `422 {"tags":"type"}`},
		{"null in a list", `{"password":"p","tags":["a",null]}`, `422 {"tags.1":"type"}`},
		{"number in a list", `{"password":"p","tags":["a",1]}`, `422 {"tags.1":"type"}`},
		{"list for metadata", `{"password":"p","metadata":[]}`, `422 {"metadata":"type"}`},
		{"text for an object", `{"password":"p","profile":"x"}`, `422 {"profile":"type"}`},
		{"a number nobody can hold", `{"password":"p","metadata":{"x":1e999}}`, `422 {"metadata.x":"number"}`},
		{"everything wrong is told", `{"password":1,"create":2,"nick":"\u0000"}`, `422 {"create":"type","nick":"nul","password":"type"}`},

		{"as deep as allowed", nested(31), `200 {"password":"x","raw":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`},
		{"too deep", nested(32), `422 {"raw` + strings.Repeat(".0", 31) + `":"too_deep"}`},
		{"a thousand open brackets", `{"password":"x","raw":` + strings.Repeat("[", 1000), `422 {"raw` + strings.Repeat(".0", 31) + `":"too_deep"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := h.ask("POST", "/v1/echo", c.body, "Content-Type: application/json")
			var got string
			switch w.Code {
			case http.StatusOK:
				got = "200 " + strings.TrimSpace(w.Body.String())
			case http.StatusBadRequest:
				if got = "400"; problem(t, w).Code != "malformed_json" {
					t.Errorf("code = %s", problem(t, w).Code)
				}
			default:
				p := problem(t, w)
				if got = "422 " + fields(p); p.Code != "invalid_request" || w.Code != 422 {
					t.Errorf("%d %s", w.Code, p.Code)
				}
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBodyMediaTypeAndSize(t *testing.T) {
	h := openHall(t, nil, echoTable())
	const good = `{"password":"p"}`
	for _, c := range []struct {
		name, body string
		headers    []string
		want       string
	}{
		{"json", good, []string{"Content-Type: application/json"}, ""},
		{"with charset", good, []string{"Content-Type: application/json; charset=UTF-8"}, ""},
		{"upper case", good, []string{"Content-Type: Application/JSON"}, ""},
		{"none", good, nil, "unsupported_media_type"},
		{"text", good, []string{"Content-Type: text/plain"}, "unsupported_media_type"},
		{"form", "password=p", []string{"Content-Type: application/x-www-form-urlencoded"}, "unsupported_media_type"},
		{"a type that begins alike", good, []string{"Content-Type: application/json-seq"}, "unsupported_media_type"},
		{"other charset", good, []string{"Content-Type: application/json; charset=utf-16"}, "unsupported_media_type"},
		{"two types", good, []string{"Content-Type: application/json", "Content-Type: text/plain"}, "unsupported_media_type"},
		{"compressed", good, []string{"Content-Type: application/json", "Content-Encoding: gzip"}, "unsupported_media_type"},
		{"just fits", `{"password":"` + strings.Repeat("p", 64<<10-15) + `"}`, []string{"Content-Type: application/json"}, ""},
		{"one too many", `{"password":"` + strings.Repeat("p", 64<<10-14) + `"}`, []string{"Content-Type: application/json"}, "payload_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := h.ask("POST", "/v1/echo", c.body, c.headers...)
			if c.want == "" {
				if w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				return
			}
			if p := problem(t, w); p.Code != c.want {
				t.Errorf("code = %s, want %s", p.Code, c.want)
			}
		})
	}
}

// The announced length is believed only when it is too large, and a body without one is
// measured as it is read.
func TestBodyOfUnknownLength(t *testing.T) {
	h := openHall(t, nil, echoTable())
	send := func(body io.Reader, length int64) int {
		r := httptest.NewRequest("POST", "/v1/echo", body)
		r.ContentLength = length
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	fits := `{"password":"` + strings.Repeat("p", 64<<10-15) + `"}`
	if got := send(strings.NewReader(fits), -1); got != http.StatusOK {
		t.Errorf("64 KiB in chunks: %d", got)
	}
	if got := send(strings.NewReader(fits+" "), -1); got != http.StatusRequestEntityTooLarge {
		t.Errorf("one byte more in chunks: %d", got)
	}
	if got := send(strings.NewReader(""), -1); got != http.StatusUnprocessableEntity {
		t.Errorf("nothing in chunks: %d", got)
	}
	if got := send(iotest.ErrReader(errors.New("it was read")), 64<<10+1); got != http.StatusRequestEntityTooLarge {
		t.Errorf("announced too large: %d", got)
	}
	if got := send(iotest.ErrReader(errors.New("cut off")), 10); got != http.StatusBadRequest {
		t.Errorf("cut off: %d", got)
	}
}

type listIn struct {
	web.Paging
	ID     string `json:"-" path:"id"`
	Filter string `json:"-" query:"filter"`
}

type listOut struct {
	Limit             int
	After, ID, Filter string
}

func TestParameters(t *testing.T) {
	h := openHall(t, nil, web.Table{{
		Pattern: "GET /v1/things/{id}", Guard: web.Anyone, Limit: web.Free(), Doc: doc,
		Handle: web.JSON(func(_ *web.Call, in listIn) (listOut, error) {
			return listOut{in.Limit, in.After, in.ID, in.Filter}, nil
		}),
	}})
	for _, c := range []struct{ target, want string }{
		{"/v1/things/a", `{"Limit":20,"After":"","ID":"a","Filter":""}`},
		{"/v1/things/a?limit=100&after=cur&filter=x+y", `{"Limit":100,"After":"cur","ID":"a","Filter":"x y"}`},
		{"/v1/things/a?unknown=1&unknown2=", `{"Limit":20,"After":"","ID":"a","Filter":""}`},
		{"/v1/things/a?limit=0", `{"limit":"out_of_range"}`},
		{"/v1/things/a?limit=101", `{"limit":"out_of_range"}`},
		{"/v1/things/a?limit=x", `{"limit":"type"}`},
		{"/v1/things/a?limit=1&limit=2", `{"limit":"duplicate"}`},
		{"/v1/things/a?filter=%00", `{"filter":"nul"}`},
		{"/v1/things/a?filter=%ff", `{"filter":"utf8"}`},
		{"/v1/things/a?filter=%zz", `null`},
		{"/v1/things/a?filter=a;b", `null`},
	} {
		w := h.ask("GET", c.target, "")
		got := strings.TrimSpace(w.Body.String())
		if w.Code != http.StatusOK {
			got = fields(problem(t, w))
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.target, got, c.want)
		}
	}
}

func TestListNeverNull(t *testing.T) {
	for _, c := range []struct {
		list web.List[int]
		want string
	}{
		{web.ListOf[int](nil, ""), `{"data":[],"next":null}`},
		{web.ListOf([]int{1}, "c"), `{"data":[1],"next":"c"}`},
	} {
		if got := string(must(json.Marshal(c.list))); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// FuzzJSON holds the edge to encoding/json where both must agree: on what is JSON, and
// on what the members say.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"password":"p"}`, `{"password":"p","tags":["a"],"profile":{"name":"x","age":1}}`, nested(31), nested(33),
		`{"password":"\ud83d\ude00","count":-1,"ratio":1.5e3,"create":true,"raw":null}`, `{"a":1,"a":2}`, `[`, `{"\u0000":1}`,
		many(30, ""), "{\"password\":\"\xff\"}", `{"password":"x","metadata":{"a":[{"b":[]}]}}`,
	} {
		f.Add([]byte(seed))
	}
	h := openHall(f, nil, echoTable())
	f.Fuzz(func(t *testing.T, body []byte) {
		h.log.Reset() // or it grows without end
		if len(body) == 0 || len(body) > 64<<10 || bytes.IndexByte(body, 0) >= 0 {
			return // no body; too large; a raw NUL, which is told by field
		}
		w := h.ask("POST", "/v1/echo", string(body), "Content-Type: application/json")
		trimmed := bytes.TrimLeft(body, " \t\r\n")
		valid := json.Valid(body) && trimmed[0] == '{'
		switch w.Code {
		case http.StatusOK:
			if !valid {
				t.Fatalf("accepted what is no JSON object: %q", body)
			}
			sameValues(t, body, w.Body.Bytes())
		case http.StatusBadRequest:
			if valid {
				t.Fatalf("called malformed what is not: %q", body)
			}
		case http.StatusUnprocessableEntity:
			p := problem(t, w)
			if !valid && !strings.Contains(fields(p), "too_deep") {
				t.Fatalf("called invalid what is malformed: %q", body)
			}
			if len(p.Errors) == 0 {
				t.Fatalf("no field is named: %q", body)
			}
		default:
			t.Fatalf("status %d for %q", w.Code, body)
		}
	})
}

// sameValues compares an accepted body with what encoding/json makes of it, member by
// member under its exact name.
func sameValues(t *testing.T, sent, echoed []byte) {
	t.Helper()
	var want, got map[string]any
	if err := json.Unmarshal(sent, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(echoed, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"password", "nick", "create", "others", "count", "ratio", "metadata", "raw"} {
		w, g := want[name], got[name]
		if w == false || w == 0.0 { // left out of the echo
			w = nil
		}
		if g == false || g == 0.0 {
			g = nil
		}
		if a, b := string(must(json.Marshal(w))), string(must(json.Marshal(g))); a != b {
			t.Fatalf("%s: sent %s, understood %s", name, a, b)
		}
	}
}
