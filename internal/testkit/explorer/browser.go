package explorer

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/limenauth/limen/internal/mail"
)

// person is one of the two parties, with everything that it ever saw.
type person struct {
	name      string
	ip, agent string
	browsers  []*browser
	passwords []string
	usernames []string

	access    []string
	refresh   []refreshToken
	devices   []string
	attempts  []*attempt
	links     []*link
	handovers []handover
}

// refreshToken is a refresh token with the device secret that came with it.
type refreshToken struct {
	value, device string
	cookie        bool
}

// attempt is an attempt that a person holds: its value, the cookies of the browser that
// began it and, when its message came to the person, its code and link.
type attempt struct {
	value   string
	purpose string // of the call that began it: sign-in, recovery, verify, reauthenticate, keep, review
	contact string // label
	subject string // the id of what it verifies
	cookies map[string]string
	cookie  bool
	code    string
	token   string
	match   string
}

// link is a link of a message: where it leads, to whom it was sent and when, and for how
// long it works.
type link struct {
	path, token string
	to          string // label of the contact
	at          time.Time
	life        time.Duration
	serial      int // counts the links of a run
	used        bool
	attempt     *attempt // the attempt whose message it stands in, as far as it is known
	// gone and was are what an undo is to bring back: the contact that was removed and the
	// one that was primary.
	gone, was string
}

// handover is a code for another origin.
type handover struct {
	code, verifier, redirect string
	at                       time.Time
}

// browser is a program or a browser of a person.
type browser struct {
	w       *world
	p       *person
	label   string
	cookie  bool // delivery cookie; else token
	cookies map[string]string

	access, refresh, device string

	authenticated time.Time // of its newest proof; zero while it is signed out
	method        string    // of that proof: password, message
}

func (w *world) browser(p *person, label string, cookie bool) *browser {
	b := &browser{w: w, p: p, label: label, cookie: cookie, cookies: map[string]string{}}
	p.browsers = append(p.browsers, b)
	return b
}

// answer is a finished answer and the messages that it caused.
type answer struct {
	status   int
	header   http.Header
	body     map[string]any
	raw      []byte
	messages []mail.Message
}

func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 400 }

// grants reports whether the answer signs somebody in.
func (a answer) grants() bool {
	return a.status == http.StatusOK && a.text("status") == "complete" && a.body["session"] != nil
}

type form map[string]string

// body is a JSON object.
type body map[string]any

// do sends a request with all that the browser presents by itself.
func (b *browser) do(method, path string, in any) answer { return b.send(method, path, in, true) }

// anonymous sends a request without the access token of a program. A browser sends its
// cookies all the same.
func (b *browser) anonymous(method, path string, in any) answer {
	return b.send(method, path, in, false)
}

func (b *browser) send(method, path string, in any, signedIn bool) answer {
	header := http.Header{}
	if b.cookie {
		header.Set("Limen-Delivery", "cookie")
		header.Set("Sec-Fetch-Site", "same-origin")
		header.Set("Cookie", cookieHeader(b.cookies))
	} else {
		if signedIn && b.access != "" {
			header.Set("Authorization", "Bearer "+b.access)
		}
		if b.device != "" {
			header.Set("Limen-Device", b.device)
		}
	}
	if _, isForm := in.(form); isForm {
		header.Del("Limen-Delivery")
	}
	before := b.cookies[attemptCookie]
	a := b.w.request(b.p, method, path, in, header)
	b.learn(a)
	if b.cookie && a.grants() && strings.HasPrefix(path, "/v1/sign-in/") && b.cookies[attemptCookie] == before {
		b.w.violate("rule", "the attempt cookie outlives a sign-in", path)
	}
	return a
}

const attemptCookie = "limen_attempt"

func cookieHeader(cookies map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(cookies)) {
		pairs = append(pairs, name+"="+cookies[name])
	}
	return strings.Join(pairs, "; ")
}

// request sends one request to the router in this process.
func (w *world) request(p *person, method, path string, in any, header http.Header) answer {
	var payload []byte
	switch in := in.(type) {
	case nil:
	case form:
		values := url.Values{}
		for name, value := range in {
			values.Set(name, value)
		}
		payload = []byte(values.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	default:
		var err error
		if payload, err = json.Marshal(in); err != nil {
			w.fail(err)
		}
		header.Set("Content-Type", "application/json")
	}
	r, err := http.NewRequestWithContext(w.ctx, method, publicURL+path, bytes.NewReader(payload))
	if err != nil {
		w.fail(err)
		return answer{}
	}
	maps.Copy(r.Header, header)
	r.Header.Set("User-Agent", p.agent)
	r.RemoteAddr = p.ip + ":40000"
	out := httptest.NewRecorder()
	w.s.app.Handler.ServeHTTP(out, r)
	a := answer{status: out.Code, header: out.Header(), raw: out.Body.Bytes(), body: map[string]any{}}
	if strings.Contains(a.header.Get("Content-Type"), "json") && len(a.raw) > 0 {
		if err := json.Unmarshal(a.raw, &a.body); err != nil {
			w.fail(err)
		}
	}
	if a.status >= 500 {
		w.violate("server", "error "+method+" "+strings.SplitN(path, "?", 2)[0], string(a.raw))
	}
	if method != http.MethodGet {
		a.messages = w.deliver()
	}
	return a
}

// learn keeps what an answer gave to the browser and to its person.
func (b *browser) learn(a answer) {
	response := http.Response{Header: a.header}
	for _, c := range response.Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	if b.cookie {
		b.access, b.refresh, b.device = b.cookies["limen_access"], b.cookies["limen_refresh"], b.cookies["limen_device"]
	} else {
		for name, field := range map[string]*string{"access_token": &b.access, "refresh_token": &b.refresh, "device_secret": &b.device} {
			if value := a.text(name); value != "" {
				*field = value
			}
		}
	}
	b.p.keep(b)
}

// keep remembers what a browser holds now.
func (p *person) keep(b *browser) {
	if b.access != "" && !slices.Contains(p.access, b.access) {
		p.access = append(p.access, b.access)
	}
	if b.device != "" && !slices.Contains(p.devices, b.device) {
		p.devices = append(p.devices, b.device)
	}
	token := refreshToken{value: b.refresh, device: b.device, cookie: b.cookie}
	if b.refresh != "" && !slices.Contains(p.refresh, token) {
		p.refresh = append(p.refresh, token)
	}
}

// deliver carries the messages that wait to the people they are for.
func (w *world) deliver() []mail.Message {
	waiting, err := w.s.queued(w.ctx)
	if err != nil {
		w.fail(err)
	}
	if !waiting {
		return nil
	}
	for n := 1; n > 0 && err == nil; {
		n, err = w.s.app.Post.SendDue(w.ctx)
	}
	if err != nil {
		w.fail(err)
	}
	messages := w.s.app.Inbox.Messages("", "")
	w.s.app.Inbox.Forget()
	slices.Reverse(messages) // oldest first
	for _, m := range messages {
		w.receive(m)
	}
	return messages
}

// receive gives the links of a message to the person whose contact it went to. The page
// behind the link of a deletion has a second button, which reports it.
func (w *world) receive(m mail.Message) {
	label, found := w.labels[strings.ToLower(m.To)]
	if !found {
		return
	}
	var received []*link
	for _, text := range m.Links {
		u, err := url.Parse(text)
		if err != nil {
			w.fail(err)
			continue
		}
		if token := u.Query().Get("token"); token != "" {
			received = append(received, &link{path: u.Path, token: token, to: label, at: w.now(), life: undoLife})
		}
	}
	if len(received) > 0 && received[0].path == keepPath {
		report := *received[0]
		report.path = notMePath
		received = append(received[:1], &report)
		received[0].life, report.life = graceLife, graceLife
	}
	for _, l := range received {
		w.serial++
		l.serial = w.serial
	}
	p := w.holder(label)
	p.links = append(p.links, received...)
}

// spend notes that the token of a link is used.
func (p *person) spend(l *link) {
	for _, other := range p.links {
		other.used = other.used || other.token == l.token
	}
}

// begun keeps an attempt that an answer began or renewed, with what its message carried
// if that came to a contact of the same person.
func (b *browser) begun(a answer, purpose, contact, subject string) *attempt {
	value := a.text("attempt")
	if to, err := url.Parse(a.header.Get("Location")); err == nil && value == "" {
		value = to.Query().Get("attempt")
	}
	if value == "" {
		return nil
	}
	t := &attempt{value: value, purpose: purpose, contact: contact, subject: subject, cookie: b.cookie, match: a.text("match")}
	t.cookies = maps.Clone(b.cookies)
	t.read(b, a)
	b.p.attempts = append(b.p.attempts, t)
	return t
}

// landed keeps what the page after a remedy leads on with: the attempt of a review, and
// that of a recovery for the contact that made the remedy. Either may be missing.
func (b *browser) landed(a answer, contact string) (review, recovery *attempt) {
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || to.Path != "/recovery/review" && to.Path != "/recovery/code" {
		return nil, nil
	}
	hold := func(value, purpose string) *attempt {
		if value == "" {
			return nil
		}
		t := &attempt{value: value, purpose: purpose, contact: contact, cookie: b.cookie, cookies: maps.Clone(b.cookies)}
		b.p.attempts = append(b.p.attempts, t)
		return t
	}
	value := to.Query().Get("attempt")
	if to.Path == "/recovery/review" {
		review = hold(value, "review")
		value = to.Query().Get("recovery")
	}
	if recovery = hold(value, "recovery"); recovery != nil {
		recovery.read(b, a)
	}
	return review, recovery
}

// read takes the code and the link of an attempt's newest message.
func (t *attempt) read(b *browser, a answer) {
	for _, m := range a.messages {
		label := b.w.labels[strings.ToLower(m.To)]
		if m.Code == "" || label == "" || b.w.holder(label) != b.p {
			continue
		}
		t.code, t.contact = m.Code, label
		for _, l := range b.p.links {
			if l.attempt == nil && l.to == label && slices.ContainsFunc(m.Links, func(text string) bool { return strings.Contains(text, l.token) }) {
				l.attempt, t.token = t, l.token
			}
		}
	}
}
