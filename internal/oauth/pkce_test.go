package oauth_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/oauth"
)

// The example of RFC 7636 appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestPKCE(t *testing.T) {
	if oauth.Challenge(verifier) != challenge || !oauth.Verify(challenge, verifier) {
		t.Error("the example of RFC 7636 does not hold")
	}
	longest := strings.Repeat("a-._~Z09", 16)
	if !oauth.Verify(oauth.Challenge(longest), longest) {
		t.Error("128 characters are refused")
	}
	for _, c := range []struct{ name, challenge, verifier string }{
		{"another verifier", challenge, verifier[:42] + "l"},
		{"plain", verifier, verifier}, // the method plain is never accepted
		{"nothing asked, nothing shown", "", ""},
		{"nothing asked", "", verifier}, // the downgrade of RFC 9700 section 4.8.2
		{"nothing shown", challenge, ""},
		{"the challenge shown", challenge, challenge},
		{"padded", challenge + "=", verifier},
		{"42 characters", oauth.Challenge(verifier[:42]), verifier[:42]},
		{"129 characters", oauth.Challenge(longest + "a"), longest + "a"},
		{"a space", oauth.Challenge(verifier[:42] + " "), verifier[:42] + " "},
		{"a plus", oauth.Challenge(verifier[:42] + "+"), verifier[:42] + "+"},
		{"a letter beyond ASCII", oauth.Challenge(verifier[:41] + "é"), verifier[:41] + "é"},
		{"a line break", oauth.Challenge(verifier + "\n"), verifier + "\n"},
	} {
		if oauth.Verify(c.challenge, c.verifier) {
			t.Errorf("%s fits", c.name)
		}
	}
}

func TestCheckChallenge(t *testing.T) {
	for in, want := range map[string]string{
		challenge:                     "",
		"":                            "required",
		challenge[:42]:                "invalid",
		challenge + "A":               "invalid",
		challenge + "=":               "invalid",
		challenge[:42] + "N":          "invalid", // two bits that no encoder writes
		challenge[:42] + "+":          "invalid",
		challenge[:42] + "/":          "invalid",
		challenge[:42] + "\n":         "invalid",
		strings.Repeat("\n", 43):      "invalid",
		strings.Repeat("A", 1<<20):    "invalid",
		strings.Repeat("A", 40) + "é": "invalid",
	} {
		err := oauth.CheckChallenge(in)
		got := ""
		if err != nil {
			got = fault.Of(err).Fields["code_challenge"]
		}
		if got != want || (err == nil) != (want == "") {
			t.Errorf("%.50q: %q, want %q", in, got, want)
		}
	}
}

func TestPKCEHolds(t *testing.T) {
	verifiers := rapid.StringMatching(`[A-Za-z0-9._~-]{43,128}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := verifiers.Draw(t, "a"), verifiers.Draw(t, "b")
		c := oauth.Challenge(a)
		if oauth.CheckChallenge(c) != nil || !oauth.Verify(c, a) || oauth.Verify(c, b) != (a == b) {
			t.Fatal(a, b, c)
		}
	})
}

func FuzzVerify(f *testing.F) {
	f.Add(challenge, verifier)
	f.Add("", "")
	f.Add(verifier, verifier)
	f.Fuzz(func(t *testing.T, c, v string) {
		if oauth.Verify(c, v) && (oauth.Challenge(v) != c || len(c) != 43 || len(v) < 43 || len(v) > 128) {
			t.Fatalf("%q fits %q", v, c)
		}
	})
}

func TestCheckState(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "af0ifjsldkj": "", "{\"a\": 1}": "", strings.Repeat("a", 512): "",
		strings.Repeat("a", 513): "too_long", "a\nb": "invalid", "a\x00": "invalid", "é": "invalid", "a\x7f": "invalid",
	} {
		err := oauth.CheckState(in)
		got := ""
		if err != nil {
			got = fault.Of(err).Fields["state"]
		}
		if got != want || (err == nil) != (want == "") {
			t.Errorf("%.20q: %q, want %q", in, got, want)
		}
	}
}
