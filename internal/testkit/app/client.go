package app

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/testkit/twilio"
)

// Client talks to a server as a program or a browser does.
type Client struct {
	Server *Server
	// Header is sent with every request.
	Header http.Header
	// Access, Refresh and Device are what the last grant held.
	Access, Refresh, Device string

	http *http.Client
	t    testing.TB
}

// Client returns a client without cookies; delivery may be "".
func (s *Server) Client(t testing.TB, delivery string) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Server: s, Header: http.Header{}, t: t}
	c.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	if delivery != "" {
		c.Header.Set("Limen-Delivery", delivery)
	}
	c.http = &http.Client{
		Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Answer is a finished answer.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	t      testing.TB
}

// Do sends one request. Body may be nil, a string (sent as it is), url.Values (a form) or
// anything that JSON can carry.
func (c *Client) Do(method, path string, body any, header ...string) *Answer {
	c.t.Helper()
	reader, kind := encode(c.t, body)
	target := path
	if strings.HasPrefix(path, "/") {
		target = c.Server.URL + path
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, target, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, values := range c.Header {
		r.Header[name] = values
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	for _, cookie := range answer.Cookies() {
		if cookie.Name != "limen_language" {
			c.Server.Log.Secret(cookie.Value)
		}
	}
	for _, attempt := range attempts.FindAllString(string(raw), -1) {
		c.Server.Log.Secret(attempt[len(attempt)-22:]) // the id before it may be logged
	}
	return &Answer{Status: answer.StatusCode, Header: answer.Header, Body: raw, t: c.t}
}

// attempts are values of attempts, wherever they stand.
var attempts = regexp.MustCompile(`att_[0-9a-z]{26}_[\w-]{22}`)

func encode(t testing.TB, body any) (io.Reader, string) {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil, ""
	case string:
		return strings.NewReader(b), "application/json"
	case url.Values:
		return strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(raw), "application/json"
}

// M is a JSON object.
type M map[string]any

// JSON reads the body as an object.
func (a *Answer) JSON() M {
	a.t.Helper()
	out := M{}
	if err := json.Unmarshal(a.Body, &out); err != nil {
		a.t.Fatalf("status %d, not JSON: %v\n%s", a.Status, err, a.Body)
	}
	return out
}

// Text returns a text member of the body, or "".
func (a *Answer) Text(name string) string {
	a.t.Helper()
	s, _ := a.JSON()[name].(string)
	return s
}

// Code returns the code of a problem, or "".
func (a *Answer) Code() string {
	a.t.Helper()
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		return ""
	}
	return a.Text("code")
}

// Want fails the test unless the answer has the status and, for a refusal, the code.
func (a *Answer) Want(status int, code ...string) *Answer {
	a.t.Helper()
	got := ""
	if len(code) > 0 {
		got = a.Code()
	}
	if a.Status != status || len(code) > 0 && got != code[0] {
		a.t.Fatalf("got %d %s, want %d %v\n%s", a.Status, got, status, code, a.Body)
	}
	return a
}

// Grant keeps what a grant holds: the next requests carry the access token where the
// delivery gives it to the client.
func (c *Client) Grant(a *Answer) *Answer {
	c.t.Helper()
	a.Want(http.StatusOK)
	body := a.JSON()
	if body["status"] != "complete" {
		c.t.Fatalf("no grant: %s", a.Body)
	}
	text := func(name string) string { s, _ := body[name].(string); return s }
	if s := text("access_token"); s != "" {
		c.Access = s
		c.Header.Set("Authorization", "Bearer "+s)
	}
	if s := text("refresh_token"); s != "" {
		c.Refresh = s
	}
	if s := text("device_secret"); s != "" {
		c.Device = s
	}
	c.Server.Log.Secret(c.Access, c.Refresh, c.Device)
	return a
}

// SignUp signs up with an address and the code from its letter.
func (c *Client) SignUp(email string) *Answer {
	c.t.Helper()
	c.Server.Log.Secret(Password)
	owed := c.Do("POST", "/v1/sign-up", M{"email": email, "password": Password}).Want(http.StatusOK)
	attempt := owed.Text("attempt")
	code := c.Server.CodeFor(c.t, email)
	return c.Grant(c.Do("POST", "/v1/sign-in/code", M{"attempt": attempt, "code": code}))
}

// SignIn signs in with the test password.
func (c *Client) SignIn(identifier string) *Answer {
	c.t.Helper()
	return c.Grant(c.Do("POST", "/v1/sign-in/password", M{"identifier": identifier, "password": Password}))
}

// Without returns the same client without the Authorization header.
func (c *Client) Without() *Client {
	other := *c
	other.Header = c.Header.Clone()
	other.Header.Del("Authorization")
	return &other
}

// Cookies are the cookies that the client would send.
func (c *Client) Cookies() map[string]string {
	u, _ := url.Parse(c.Server.URL)
	out := map[string]string{}
	for _, cookie := range c.http.Jar.Cookies(u) {
		out[cookie.Name] = cookie.Value
	}
	return out
}

// Letter sends what is due and returns the newest letter to an address.
func (s *Server) Letter(t testing.TB, email string) mail.Message {
	t.Helper()
	for {
		n, err := s.Post.SendDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	messages := s.Inbox.Messages(email, "")
	if len(messages) == 0 {
		t.Fatalf("no letter to %s", email)
	}
	m := messages[0]
	if !strings.HasSuffix(email, ".test") && m.Code != "424242" {
		s.Log.Secret(m.Code)
	}
	for _, link := range m.Links {
		if _, token, ok := strings.Cut(link, "token="); ok {
			s.Log.Secret(token)
		}
	}
	return m
}

// Texts returns an SMS provider and the settings of a server that sends over it, to numbers
// of the given countries ("CH,DE").
func Texts(t testing.TB, countries string, more Settings) (*twilio.Server, Settings) {
	t.Helper()
	provider := twilio.Start(t)
	settings := Settings{"sms": provider.Address(), "sms-countries": countries}
	maps.Copy(settings, more)
	return provider, settings
}

// CodeFor sends what is due and returns the newest code for an address.
func (s *Server) CodeFor(t testing.TB, email string) string {
	t.Helper()
	s.Letter(t, email)
	for _, m := range s.Inbox.Messages(email, "") {
		if m.Code != "" {
			return m.Code
		}
	}
	t.Fatalf("no code for %s", email)
	return ""
}

// TokenFor sends what is due and returns the token that the links of the newest email or
// SMS carry.
func (s *Server) TokenFor(t testing.TB, email string) string {
	t.Helper()
	m := s.Letter(t, email)
	found := ""
	for _, link := range m.Links {
		_, token, _ := strings.Cut(link, "token=")
		if token == "" || found != "" && token != found {
			t.Fatalf("the message to %s has the links %v", email, m.Links)
		}
		found = token
	}
	if found == "" {
		t.Fatalf("the message to %s has no link", email)
	}
	return found
}
