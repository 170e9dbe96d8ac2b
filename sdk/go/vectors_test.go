package limenauth_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

// A vector of testdata/tokens.json is a change to a good token and what a verifier says to
// it. The server reads the same file: a token that one of the two refuses must not open
// anything at the other.
type vector struct {
	Name          string   `json:"name"`
	Accept        bool     `json:"accept"`
	Header        claims   `json:"header"`
	HeaderWithout []string `json:"header_without"`
	HeaderText    string   `json:"header_text"` // members as they stand, behind the others
	Claims        claims   `json:"claims"`      // {"now": n} is the time in n seconds
	ClaimsWithout []string `json:"claims_without"`
	ClaimsText    string   `json:"claims_text"`
}

func readVectors(t *testing.T) (all []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/tokens.json")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) < 50 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

// apply returns the JSON object m with a vector's changes.
func apply(m, changes claims, without []string, text string, now time.Time) string {
	out := maps.Clone(m)
	for name, value := range changes {
		if at, ok := value.(map[string]any); ok && at["now"] != nil {
			value = now.Unix() + int64(at["now"].(float64))
		}
		out[name] = value
	}
	object := encode(out.without(without...))
	if text != "" {
		object = strings.TrimSuffix(object, "}") + "," + text + "}"
	}
	return object
}

func TestTokenVectors(t *testing.T) {
	now := time.Now()
	l := newLimen(t)
	a := l.auth()
	for _, v := range readVectors(t) {
		token := l.key.raw(apply(l.key.header(), v.Header, v.HeaderWithout, v.HeaderText, now), apply(mina(now), v.Claims, v.ClaimsWithout, v.ClaimsText, now))
		want := ""
		if !v.Accept {
			want = limenauth.CodeUnauthenticated
		}
		u, err := a.Verify(t.Context(), token)
		if code := codeOf(t, err); code != want {
			t.Errorf("%s: code %q (%v), want %q", v.Name, code, err, want)
		}
		if v.Accept && (u == nil || u.ID != "usr_mina") {
			t.Errorf("%s: %+v", v.Name, u)
		}
	}
}
