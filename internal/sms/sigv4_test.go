package sms_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/sms"
)

// TestSignatureV4 signs the requests of AWS's Signature Version 4 test suite that have the
// form of ours (root path, no query): region us-east-1, service "service", 2015-08-30
// 12:36:00 UTC. The suite stood in the AWS General Reference; awslabs/aws-c-auth and the
// SDKs carry copies.
func TestSignatureV4(t *testing.T) {
	now := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for _, c := range []struct {
		name, method string
		header       [2]string
		body         string
		signed       string
		signature    string
	}{
		{"get-vanilla", "GET", [2]string{}, "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", [2]string{}, "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{
			"post-x-www-form-urlencoded", "POST", [2]string{"Content-Type", "application/x-www-form-urlencoded"}, "Param1=value1",
			"content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
		},
		{
			"post-x-www-form-urlencoded-parameters", "POST", [2]string{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}, "Param1=value1",
			"content-type;host;x-amz-date", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
		},
		{
			"get-header-value-multiline", "GET", [2]string{"My-Header1", "value1,value2,value3"}, "",
			"host;my-header1;x-amz-date", "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790",
		},
	} {
		r, err := http.NewRequest(c.method, "https://example.amazonaws.com/", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		sms.SignV4("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service", r, []byte(c.body), now)
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.signature
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
		if r.Header.Get("X-Amz-Date") != "20150830T123600Z" {
			t.Errorf("%s: the date is %q", c.name, r.Header.Get("X-Amz-Date"))
		}
	}
}
