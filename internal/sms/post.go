package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	// timeout is how long a provider may take for one message.
	timeout = 10 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 64 << 10
	// maxAsked bounds how long a provider may ask us to wait.
	maxAsked = 10 * time.Minute
)

// newClient makes the client of one provider: it has a connection of its own to keep, a
// deadline for each step, and goes where it is told and nowhere else.
func newClient() *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  timeout,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConnsPerHost:    8,
			MaxConnsPerHost:        32,
			MaxResponseHeaderBytes: 32 << 10,
			ForceAttemptHTTP2:      true,
		},
		// Credentials travel in headers and bodies: they stay with whom they are for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// endpoint checks where a provider is called: https, or this machine in the clear.
func endpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return nil, errors.New("is not the address of an HTTP service, like https://sms.example.com/send")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("must be https: numbers, codes and credentials go there")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// answer is what a provider said.
type answer struct {
	status int
	body   []byte
	after  time.Duration
}

// ok reports whether the message was taken, as far as HTTP tells.
func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// caller is what all providers share.
type caller struct {
	name   string
	client *http.Client
}

func newCaller(name string) caller { return caller{name: name, client: newClient()} }

// post sends a request with a body. A failure to get any answer is the provider's.
func (c caller) post(ctx context.Context, to, kind string, body []byte, dress func(*http.Request)) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return answer{}, c.broken(errors.New("the address does not parse"))
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("User-Agent", "limen")
	if dress != nil {
		dress(req)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return answer{}, c.broken(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	a := answer{status: res.StatusCode, body: text, after: asked(res.Header.Get("Retry-After"))}
	// What follows a good status cannot be taken back: the message has left.
	if err != nil && !a.ok() {
		return a, c.broken(err)
	}
	return a, nil
}

func (c caller) form(ctx context.Context, to string, fields url.Values, dress func(*http.Request)) (answer, error) {
	return c.post(ctx, to, "application/x-www-form-urlencoded", []byte(fields.Encode()), dress)
}

func (c caller) json(ctx context.Context, to string, body any, dress func(*http.Request)) (answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return answer{}, c.broken(err)
	}
	return c.post(ctx, to, "application/json", text, dress)
}

// broken hides where the request went: an address may hold an account or a secret.
func (c caller) broken(err error) *Failure {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &Failure{Provider: c.name, cause: fmt.Errorf("no answer: %w", err)}
}

// check looks at the number once more: what goes into a request of ours is a number.
func (c caller) check(m Message) error {
	if !e164.MatchString(m.To) {
		return &Failure{Provider: c.name, Code: "not_e164", kind: ErrRefused}
	}
	return nil
}

// refused is final.
func (c caller) refused(code string) *Failure {
	return &Failure{Provider: c.name, Code: codeOf(code), kind: ErrRefused}
}

// notHere leaves the message to another provider.
func (c caller) notHere(code string) *Failure {
	return &Failure{Provider: c.name, Code: codeOf(code), kind: ErrNotHere}
}

// unwell is a failure of the provider or of our account there. An answer without a code of
// its own is told by its status. A request that it did not understand speaks against the
// message, not against its health.
func (c caller) unwell(a answer, code string) *Failure {
	f := &Failure{Provider: c.name, Code: codeOf(code), RetryAfter: a.after}
	if f.Code == "" {
		f.Code = "http_" + strconv.Itoa(a.status)
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		f.kind = ErrNotHere
	}
	return f
}

// sick is unwell whatever the status says.
func (c caller) sick(a answer, code string) *Failure {
	f := c.unwell(a, code)
	f.kind = nil
	return f
}

// asked reads Retry-After in seconds. Its other form, a date, needs a clock and is rare.
func asked(header string) time.Duration {
	n, err := strconv.Atoi(header)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(min(n, 86400))*time.Second, maxAsked)
}
