package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/fault"
)

// statusClientGone is logged when the client left before the answer. It is never sent.
const statusClientGone = 499

const realm = `Bearer realm="limen"`

// Problem is a refusal on the wire (RFC 9457).
type Problem struct {
	Type   string `json:"type" format:"uri" doc:"The page that explains the code."`
	Title  string `json:"title" doc:"The code in words."`
	Status int    `json:"status"`
	Code   string `json:"code" doc:"Stable: programs depend on it."`
	Detail string `json:"detail" doc:"One sentence that a person can act on."`

	Errors    map[string]string `json:"errors,omitempty" doc:"What is wrong, by field."`
	TriesLeft *int              `json:"tries_left,omitempty" doc:"With code_incorrect."`
	Factors   []string          `json:"factors,omitempty" doc:"With reauthentication_required: the proofs that would do."`
	DeleteAt  *time.Time        `json:"delete_at,omitempty" doc:"With account_deleting."`
	Attempt   string            `json:"attempt,omitempty" doc:"With account_deleting, where this browser can keep the account."`
	RequestID string            `json:"request_id"`
}

// StatusOf is the status of a fault.
func StatusOf(f *fault.Fault) int {
	switch f.Kind {
	case fault.Malformed:
		return http.StatusBadRequest
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.WrongType:
		return http.StatusUnsupportedMediaType
	case fault.WrongMethod:
		return http.StatusMethodNotAllowed
	case fault.Limited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// refuse is the one writer of refusals. Nothing of an error that is not a fault reaches
// the caller.
func (c *Call) refuse(err error) {
	f := c.faultOf(err)
	status := StatusOf(f)
	c.refused = f.Code
	c.hall.Metrics.Refused(f.Code)
	if status == http.StatusInternalServerError {
		c.hall.Log.LogAttrs(c.R.Context(), slog.LevelError, "request failed",
			slog.String("request_id", c.RequestID), slog.String("route", c.route()), slog.Any("cause", err))
	}
	if c.status.began {
		// Half an answer is out. Cutting the connection is the only honest end.
		panic(http.ErrAbortHandler)
	}
	h := c.W.Header()
	h["Cache-Control"] = []string{"no-store"}
	c.refusalHeaders(f, status)
	if c.page() && c.hall.RefusePage != nil {
		if err := c.hall.RefusePage(c, f, status); err == nil || c.status.began {
			return
		}
	}
	c.writeProblem(f, status)
}

func (c *Call) faultOf(err error) *fault.Fault {
	if _, ours := errors.AsType[*fault.Fault](err); !ours {
		switch {
		case c.gone():
			return fault.ErrUnavailable.Because(err)
		case errors.Is(err, context.DeadlineExceeded):
			return fault.ErrUnavailable.Because(err)
		}
	}
	return fault.Of(err)
}

// gone reports whether the client has left.
func (c *Call) gone() bool { return errors.Is(c.R.Context().Err(), context.Canceled) }

func (c *Call) refusalHeaders(f *fault.Fault, status int) {
	h := c.W.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", c.authenticate(f))
	case http.StatusForbidden:
		if c.challenge != "" {
			h.Set("WWW-Authenticate", realm+", "+c.challenge)
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter(f.RetryAfter))
	}
}

// authenticate is the challenge of RFC 6750 section 3: with an error code only when a
// token was presented.
func (c *Call) authenticate(f *fault.Fault) string {
	if c.challenge == "" {
		return realm
	}
	return realm + ", " + c.challenge + `, error_description="` + f.Code + `"`
}

// retryAfter is in whole seconds (RFC 9110 section 10.2.3), rounded up: who waits that
// long has waited long enough.
func retryAfter(d time.Duration) string {
	seconds := int64((d + time.Second - 1) / time.Second)
	return strconv.FormatInt(max(1, seconds), 10)
}

func (c *Call) writeProblem(f *fault.Fault, status int) {
	p := Problem{
		Type: c.hall.CodesURL + "#" + f.Code, Title: title(f.Code), Status: status,
		Code: f.Code, Detail: f.Detail, Errors: f.Fields, TriesLeft: f.TriesLeft, Factors: f.Factors,
		Attempt: f.Attempt, RequestID: c.RequestID,
	}
	if !f.DeleteAt.IsZero() {
		at := f.DeleteAt.UTC()
		p.DeleteAt = &at
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic("web: a problem does not encode: " + err.Error())
	}
	_ = c.Write(status, "application/problem+json", body) // never fails
}

// title is the code in words; it does not change from one occurrence to the next.
func title(code string) string {
	words := strings.ReplaceAll(code, "_", " ")
	words = strings.ReplaceAll(words, "json", "JSON")
	return strings.ToUpper(words[:1]) + words[1:]
}
