package dev_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/testkit/app"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456000, time.UTC)

// post puts three messages into the inbox: two letters and one to a phone.
func post(t *testing.T, s *app.Server) {
	t.Helper()
	for i, m := range []mail.Message{
		{ID: "msg_1", Channel: "email", To: "Ann@example.test", From: "Threshold <no-reply@auth.example.test>", ReplyTo: "help@example.test",
			Subject: "012345 · Your code", Text: "Your code is 012345.\n", HTML: "<p>Your code is 012345.</p>", Code: "012345"},
		{ID: "msg_2", Channel: "sms", To: "+41791234567", Text: "Your code is 424242.\n@localhost #424242", Code: "424242",
			Links: []string{"http://localhost/sign-in/link?token=t"}},
		{ID: "msg_3", Channel: "email", To: "bob@example.test", From: "no-reply@auth.example.test", Subject: "Grüße", Text: "Salut\n", HTML: "<p>Salut</p>",
			Links: []string{"http://localhost/sign-in"}},
	} {
		m.SentAt = noon.Add(time.Duration(i) * time.Second)
		if err := s.Inbox.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, c *app.Client, path string) []map[string]any {
	t.Helper()
	out := []map[string]any{}
	if err := json.Unmarshal(c.Do("GET", path, nil).Want(http.StatusOK).Body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMessages(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	if raw := c.Do("GET", "/dev/messages", nil).Want(http.StatusOK).Body; string(raw) != "[]\n" {
		t.Errorf("an empty inbox is %s", raw)
	}
	post(t, s)
	for query, want := range map[string][]string{
		"":                                  {"msg_3", "msg_2", "msg_1"},
		"?channel=email":                    {"msg_3", "msg_1"},
		"?channel=sms":                      {"msg_2"},
		"?to=ann%40EXAMPLE.test":            {"msg_1"},
		"?to=%2B41791234567":                {"msg_2"},
		"?to=+41791234567":                  {"msg_2"}, // the plus is a space here
		"?to=%2B41+79+123-45-67":            {"msg_2"},
		"?to=%2B41791234567&channel=email":  {},
		"?to=nobody%40example.test":         {},
		"?to=nobody&channel=sms":            {},
		"?limit=1":                          {"msg_3"},
		"?limit=2&channel=email":            {"msg_3", "msg_1"},
		"?to=bob%40example.test&channel=":   {"msg_3"},
		"?to=%2B41791234567&to=%2B41791234": nil,
		"?channel=pigeon":                   nil,
		"?limit=-1":                         nil,
		"?limit=x":                          nil,
	} {
		if want == nil {
			c.Do("GET", "/dev/messages"+query, nil).Want(http.StatusUnprocessableEntity, "invalid_request")
			continue
		}
		got := list(t, c, "/dev/messages"+query)
		ids := []string{}
		for _, m := range got {
			ids = append(ids, m["id"].(string))
		}
		if len(ids) != len(want) {
			t.Errorf("%s: %v", query, ids)
			continue
		}
		for i := range want {
			if ids[i] != want[i] {
				t.Errorf("%s: %v", query, ids)
			}
		}
	}
	phone := list(t, c, "/dev/messages?channel=sms")[0]
	if phone["code"] != "424242" || phone["to"] != "+41791234567" || len(phone["links"].([]any)) != 1 || phone["channel"] != "sms" {
		t.Errorf("%v", phone)
	}
	c.Do("DELETE", "/dev/messages", nil).Want(http.StatusNoContent)
	if got := list(t, c, "/dev/messages"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestMessagesToPhones: what is texted stands in the inbox as well, with its code, found by
// any spelling of the number; maildev knows nothing of it.
func TestMessagesToPhones(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	c.SignUp("ann@example.test")
	c.Do("POST", "/v1/me/phones", app.M{"phone": "+1 (201) 555-0123"}).Want(http.StatusCreated)
	s.CodeFor(t, "+12015550123")
	got := list(t, c.Without(), "/dev/messages?to="+url.QueryEscape("+1 (201) 555-0123"))
	if len(got) != 1 || got[0]["channel"] != "sms" || got[0]["code"] != "424242" || got[0]["subject"] != "" || got[0]["html"] != "" ||
		!strings.Contains(got[0]["text"].(string), "#424242") {
		t.Errorf("%v", got)
	}
	if page := string(c.Do("GET", "/dev/inbox", nil).Want(http.StatusOK).Body); !strings.Contains(page, "#424242") || !strings.Contains(page, "+12015550123") {
		t.Error("the page does not show the message")
	}
	for _, m := range list(t, c, "/dev/email") {
		if strings.Contains(m["text"].(string), "#424242") {
			t.Errorf("%v", m)
		}
	}
}

var boundary = regexp.MustCompile(`boundary=[^"\\]*(\\"[^"\\]*\\")?[^"\\]*`)

// TestMaildev: what tests read from maildev they read here.
func TestMaildev(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	post(t, s)
	raw := c.Do("GET", "/dev/email", nil).Want(http.StatusOK).Body
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	got := boundary.ReplaceAll(pretty.Bytes(), []byte("boundary=B"))
	name := filepath.Join("testdata", "maildev.golden.json")
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; look at it, then run with -update:\n%s", name, got)
	}

	if one := c.Do("GET", "/dev/email/msg_3", nil).Want(http.StatusOK); one.Text("subject") != "Grüße" || one.Text("text") != "Salut\n" {
		t.Errorf("%s", one.Body)
	}
	c.Do("GET", "/dev/inbox/msg_2", nil).Want(http.StatusNotFound)              // no HTML to show
	c.Do("GET", "/dev/email/msg_2", nil).Want(http.StatusNotFound, "not_found") // not a letter
	c.Do("DELETE", "/dev/email/msg_2", nil).Want(http.StatusNotFound, "not_found")
	if a := c.Do("DELETE", "/dev/email/msg_3", nil).Want(http.StatusOK); string(a.Body) != "true\n" {
		t.Errorf("%s", a.Body)
	}
	c.Do("DELETE", "/dev/email/msg_3", nil).Want(http.StatusNotFound, "not_found")
	if left := list(t, c, "/dev/email"); len(left) != 1 || left[0]["id"] != "msg_1" {
		t.Errorf("%v", left)
	}
	c.Do("DELETE", "/dev/email/all", nil).Want(http.StatusOK)
	if left := list(t, c, "/dev/messages"); len(left) != 1 || left[0]["channel"] != "sms" {
		t.Errorf("%v", left)
	}
}

// TestNobodyElseReads: what stands in the inbox signs people in, so no other origin gets
// any of it, and nothing of it answers to a name that could be rebound.
func TestNobodyElseReads(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	post(t, s)
	for _, path := range []string{"/dev/messages", "/dev/email", "/dev/email/msg_1", "/dev/inbox/msg_1", "/dev/clock"} {
		for _, header := range [][]string{
			{"Origin", "http://localhost:3000"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		} {
			if a := c.Do("GET", path, nil, header...); a.Status != http.StatusForbidden {
				t.Errorf("%s %v: %d", path, header, a.Status)
			}
		}
		c.Do("GET", path, nil, "Host", "rebound.example").Want(http.StatusForbidden)
	}
	for _, path := range []string{"/dev/messages", "/dev/email/all", "/dev/email/msg_1", "/dev/clock"} {
		c.Do("DELETE", path, nil, "Origin", "http://localhost:3000").Want(http.StatusForbidden)
	}
	if got := list(t, c, "/dev/messages"); len(got) != 3 {
		t.Errorf("%d messages are left", len(got))
	}
}

func TestClock(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	start := s.Clock.Now()
	if a := c.Do("POST", "/dev/clock", app.M{"advance": "31d"}).Want(http.StatusOK); a.JSON()["offset"] != float64(31*24*3600) {
		t.Errorf("%s", a.Body)
	}
	if got := s.Clock.Now().Sub(start); got != 31*24*time.Hour {
		t.Errorf("the clock moved by %v", got)
	}
	c.Do("POST", "/dev/clock", app.M{"set": "2027-01-01T00:00:00Z"}).Want(http.StatusOK)
	if a := c.Do("GET", "/dev/clock", nil).Want(http.StatusOK); a.Text("now") != "2027-01-01T00:00:00Z" {
		t.Errorf("%s", a.Body)
	}
	for _, bad := range []app.M{{}, {"advance": "soon"}, {"set": "tomorrow"}, {"advance": "1d", "set": "2027-01-01T00:00:00Z"}} {
		c.Do("POST", "/dev/clock", bad).Want(http.StatusUnprocessableEntity, "invalid_request")
	}
	c.Do("DELETE", "/dev/clock", nil).Want(http.StatusOK)
	// What was counted at another time is forgotten.
	guess := func() *app.Answer {
		return c.Do("POST", "/v1/sign-in/password", app.M{"identifier": "nobody@example.com", "password": "not this one"})
	}
	for range 10 {
		guess().Want(http.StatusUnauthorized, "invalid_credentials")
	}
	guess().Want(http.StatusTooManyRequests, "rate_limited")
	for _, move := range []func() *app.Answer{
		func() *app.Answer { return c.Do("POST", "/dev/clock", app.M{"set": "2025-01-01T00:00:00Z"}) },
		func() *app.Answer { return c.Do("POST", "/dev/clock", app.M{"advance": "1s"}) },
		func() *app.Answer { return c.Do("DELETE", "/dev/clock", nil) },
	} {
		move().Want(http.StatusOK)
		for range 10 {
			guess().Want(http.StatusUnauthorized, "invalid_credentials")
		}
		guess().Want(http.StatusTooManyRequests, "rate_limited")
	}
	if !s.Clock.Now().Equal(start) {
		t.Errorf("the clock shows %v", s.Clock.Now())
	}
}
