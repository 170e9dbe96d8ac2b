package limenauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	callTimeout = 5 * time.Second
	answerLimit = 1 << 20
)

var errTooLarge = errors.New("the answer is too large")

// A wire speaks to the server: bounded answers, bounded time, and no redirects, so
// that a server key or a token is never sent to a host that was not configured
// (ASVS 15.3.2).
type wire struct {
	base   string
	client *http.Client
}

// defaultClient keeps more connections open than net/http would: Live asks once per
// request.
func defaultClient() *http.Client {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultClient // somebody has replaced it, and means it
	}
	t := standard.Clone()
	t.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: t}
}

// newWire copies the client: the caller's own keeps its redirect rule and timeout.
func newWire(base string, client *http.Client) *wire {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	c.Timeout = 0 // every call brings its own deadline; the feed has a long one
	return &wire{base: base, client: &c}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (w *wire) open(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header
	r.Header.Set("User-Agent", "limenauth-go/1")
	return w.client.Do(r)
}

func (w *wire) call(ctx context.Context, method, path string, header http.Header, body []byte, limit int64) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := w.open(ctx, method, path, header, body)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := readAll(resp.Body, limit)
	if err != nil {
		return answer{}, err
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: got}, nil
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	got, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(got)) > limit {
		return nil, errTooLarge
	}
	return got, nil
}

// post sends a JSON body.
func (w *wire) post(ctx context.Context, path string, header http.Header, body any) (answer, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json, application/problem+json")
	return w.call(ctx, http.MethodPost, path, header, encoded, answerLimit)
}

// code is the stable code of the problem in the answer, "" if there is none.
func (a answer) code() string {
	var p struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return p.Code
}

// refusal is what the log says about an answer that was not hoped for. The body is
// left out: it may echo what was sent.
func (a answer) refusal(path string) error {
	return fmt.Errorf("%s answered %d %s", path, a.status, a.code())
}
