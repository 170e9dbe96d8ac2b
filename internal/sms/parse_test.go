package sms_test

import (
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/sms"
)

// FuzzParse: an address is taken or refused, and a refusal shows nothing of it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"twilio", "sns", "vonage", "messagebird", "webhook+https", "webhook+http", "telex", ""} {
		f.Add(s, "key", "s3cr3t-t0k3n", "eu-central-1", "from=+15005550006")
		f.Add(s, "key%zz", "", "[::1", "secret=0123456789abcdef&endpoint=http://[::1]:1")
	}
	f.Fuzz(func(t *testing.T, scheme, user, password, place, query string) {
		const marker = "s3cr3t-t0k3n"
		raw := scheme + "://" + user + ":" + marker + password + "@" + place + "?" + query + "&x=" + marker
		p, err := sms.Parse(secret.Text(raw), fixed)
		if err != nil {
			if strings.Contains(err.Error(), marker) || len(err.Error()) > 600 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if p.Name == "" || p.Sender == nil {
			t.Fatalf("%q gave nothing", raw)
		}
	})
}

// TestAmazonKeys: keys hold slashes and plus signs, and mean the same percent-encoded.
func TestAmazonKeys(t *testing.T) {
	for _, raw := range []secret.Text{"sns://AKID:a/b+c/d@eu-central-1", "sns://AKID:a%2Fb%2Bc%2Fd@eu-central-1", "sns://AKID:a/b+c@d@eu-central-1"} {
		if p, err := sms.Parse(raw, fixed); err != nil || p.Name != "sns" || p.Calls {
			t.Errorf("%s: %v", raw.Reveal(), err)
		}
	}
}
