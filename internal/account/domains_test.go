package account_test

import (
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/account"
)

func TestDomains(t *testing.T) {
	for _, c := range []struct {
		allow, block string
		admits       string
		refuses      string
	}{
		{"", "", "a@example.com", ""},
		{"example.com", "", "a@example.com A@EXAMPLE.com", "a@sub.example.com a@example.org a@notexample.com"},
		{"*.example.com", "", "a@sub.example.com a@x.sub.example.com", "a@example.com a@xexample.com"},
		{"", "mail.test *.mail.test", "a@example.com a@xmail.test", "a@mail.test a@b.mail.test"},
		{"example.com *.example.com", "bad.example.com", "a@example.com a@good.example.com", "a@bad.example.com"},
		{"bücher.example", "", "a@bücher.example a@xn--bcher-kva.example", "a@bucher.example"},
	} {
		d, err := account.ParseDomains(strings.Fields(c.allow), strings.Fields(c.block))
		if err != nil {
			t.Fatal(err)
		}
		for want, list := range map[bool]string{true: c.admits, false: c.refuses} {
			for _, s := range strings.Fields(list) {
				a, err := account.ParseAddress(s)
				if err != nil {
					t.Fatal(err)
				}
				if d.Admits(a) != want {
					t.Errorf("allow %q, block %q: %s is %v, want %v", c.allow, c.block, s, !want, want)
				}
			}
		}
	}
}

// TestTheLastAdmittedAddressStays: among any addresses, none may go that leaves an account
// without an admitted one.
func TestTheLastAdmittedAddressStays(t *testing.T) {
	for _, c := range []struct {
		allow, gone, others string
		may                 bool
	}{
		{"", "a@example.com", "", true},
		{"example.com", "a@example.com", "", false},
		{"example.com", "a@example.com", "a@example.org b@sub.example.com", false},
		{"example.com", "a@example.com", "a@example.org b@example.com", true},
		{"example.com", "a@example.org", "", true}, // from before there was a list
		{"example.com", "a@example.org", "a@example.com", true},
	} {
		d, err := account.ParseDomains(strings.Fields(c.allow), nil)
		if err != nil {
			t.Fatal(err)
		}
		parse := func(s string) account.Address {
			a, err := account.ParseAddress(s)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		var others []account.Address
		for _, s := range strings.Fields(c.others) {
			others = append(others, parse(s))
		}
		if got := d.MayGo(parse(c.gone), others); got != c.may {
			t.Errorf("allow %q: %s may go and leave %q: %v", c.allow, c.gone, c.others, got)
		}
	}
}

func TestReadDomains(t *testing.T) {
	got, err := account.ReadDomains(strings.NewReader("# disposable\n\nmail.test\n *.drop.test \n"))
	if err != nil || strings.Join(got, " ") != "mail.test *.drop.test" {
		t.Errorf("%q %v", got, err)
	}
	for _, bad := range []string{"not a domain", "a@b.test", "*.*.test", "http://mail.test", "*"} {
		if _, err := account.ReadDomains(strings.NewReader("mail.test\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
