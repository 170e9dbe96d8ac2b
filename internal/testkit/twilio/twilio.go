// Package twilio gives tests an SMS provider: a server that speaks the part of Twilio's
// API (2010-04-01, Messages) that limen uses and keeps what it took.
//
// A request with another path, method, account, sender or form is refused as Twilio refuses
// it, so a test that receives a message has also shown that the request was right. Refuse
// makes the server answer as a provider in trouble does. Address is what the setting sms
// takes; nothing of the package knows limen.
//
// The package is for tests only.
package twilio

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	sid   = "AC00000000000000000000000000000001"
	token = "token-of-the-test-provider"
	from  = "+15005550006"
)

// Message is one that the provider took.
type Message struct{ To, Body string }

// Server is a provider. It takes every message until it is told otherwise.
type Server struct {
	http *httptest.Server

	mu     sync.Mutex
	took   []Message
	status int // of a refusal; 0 takes
	code   int
}

// Start returns a running provider, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/"+sid+"/Messages.json":
			answer(w, http.StatusNotFound, 20404, "")
		case user != sid || password != token:
			answer(w, http.StatusUnauthorized, 20003, "")
		case r.PostFormValue("From") != from || !strings.HasPrefix(r.PostFormValue("To"), "+") || r.PostFormValue("Body") == "":
			answer(w, http.StatusBadRequest, 21604, "")
		default:
			s.take(w, Message{To: r.PostFormValue("To"), Body: r.PostFormValue("Body")})
		}
	}))
	t.Cleanup(s.http.Close)
	return s
}

func (s *Server) take(w http.ResponseWriter, m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != 0 {
		answer(w, s.status, s.code, "")
		return
	}
	s.took = append(s.took, m)
	answer(w, http.StatusCreated, 0, m.To)
}

// answer writes what Twilio does: the message, or a problem with its code.
func answer(w http.ResponseWriter, status, code int, to string) {
	body := map[string]any{"sid": "SM00000000000000000000000000000001", "status": "queued", "to": to}
	if code != 0 {
		body = map[string]any{"code": code, "status": status, "message": "refused by the test"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client sees what is missing
}

// Address is the provider as the setting sms names it.
func (s *Server) Address() string {
	return "twilio://" + sid + ":" + token + "@?from=" + from + "&endpoint=" + url.QueryEscape(s.http.URL)
}

// Messages are those that were taken, in order; of one number, unless it is "".
func (s *Server) Messages(to string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.took), func(m Message) bool { return to != "" && m.To != to })
}

// Refuse answers every message with a status and one of Twilio's codes; 0 takes them again.
func (s *Server) Refuse(status, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.code = status, code
}
