package sms

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/limenauth/limen/internal/secret"
)

var (
	// A sender is a number, a short code or a name (GSM allows eleven characters).
	senderForm = regexp.MustCompile(`^(\+[1-9][0-9]{4,14}|[0-9]{3,8}|[A-Za-z0-9][A-Za-z0-9 ]{0,10})$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// minSecret is how long the secret of a webhook is at least, in bytes.
const minSecret = 16

// forms are how the addresses are written.
var forms = []struct{ scheme, form string }{
	{"twilio", "twilio://SID:TOKEN@?from=+15005550006"},
	{"sns", "sns://KEY:SECRET@eu-central-1?sender=NAME"},
	{"vonage", "vonage://KEY:SECRET@?from=NAME"},
	{"messagebird", "messagebird://KEY@?from=NAME"},
	{"webhook", "webhook+https://sms.example.com/send?secret=SECRET"},
}

// address is the address of a provider, taken apart. url.Parse would not take the keys
// that Amazon makes, which hold slashes, and would read the plus of a number as a space.
type address struct {
	scheme, user, password, place string
	options                       map[string]string
}

// Parse reads the address of a provider. Its errors say how it is written and show nothing
// of what was written but a known scheme: the rest may be secret.
func Parse(raw secret.Text, now func() time.Time) (Provider, error) {
	a, ok := split(raw.Reveal())
	for _, f := range forms {
		if scheme, _, _ := strings.Cut(a.scheme, "+"); scheme != f.scheme {
			continue
		}
		if !ok {
			return Provider{}, fmt.Errorf("%s: it does not parse; write it like %s and percent-encode special characters", f.scheme, f.form)
		}
		p, err := a.provider(now)
		if err == nil && len(a.options) > 0 {
			err = errors.New("it has an option that is not known")
		}
		if err != nil {
			return Provider{}, fmt.Errorf("%s: %w; write it like %s", f.scheme, err, f.form)
		}
		return p, nil
	}
	var known []string
	for _, f := range forms {
		known = append(known, f.form)
	}
	return Provider{}, fmt.Errorf("it names no provider that limen knows; write one of %s", strings.Join(known, ", "))
}

func split(raw string) (a address, ok bool) {
	var rest, query string
	a.scheme, rest, ok = strings.Cut(raw, "://")
	if !ok {
		return address{}, false
	}
	rest, query, _ = strings.Cut(rest, "?")
	a.place, a.options = rest, map[string]string{}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, password, _ := strings.Cut(rest[:at], ":")
		var err1, err2 error
		a.user, err1 = url.PathUnescape(user)
		a.password, err2 = url.PathUnescape(password)
		a.place = rest[at+1:]
		ok = err1 == nil && err2 == nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value)
		if _, twice := a.options[name]; err != nil || twice {
			return a, false
		}
		if name != "" {
			a.options[name] = value
		}
	}
	return a, ok
}

// take returns an option and strikes it off: what is left over is not known.
func (a address) take(name string) string {
	value := a.options[name]
	delete(a.options, name)
	return value
}

// at is where the provider is called: its usual place or the option endpoint.
func (a address) at(usual string) (string, error) {
	other := a.take("endpoint")
	if other == "" {
		return usual, nil
	}
	u, err := endpoint(other)
	if err != nil {
		return "", fmt.Errorf("the option endpoint %w", err)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// sender is the option by which people see who writes.
func (a address) sender(name string, demanded bool) (string, error) {
	from := a.take(name)
	if from == "" && !demanded || senderForm.MatchString(from) {
		return from, nil
	}
	return "", fmt.Errorf("the option %s must be a number like +15005550006 or a name of up to 11 letters and digits", name)
}

func (a address) provider(now func() time.Time) (Provider, error) {
	switch a.scheme {
	case "twilio":
		return a.twilio()
	case "sns":
		return a.sns(now)
	case "vonage":
		return a.vonage()
	case "messagebird":
		return a.messagebird()
	case "webhook+https", "webhook+http":
		return a.webhook(now)
	}
	return Provider{}, errors.New("the scheme is not complete")
}

func (a address) twilio() (Provider, error) {
	base, err := a.at("https://api.twilio.com")
	if err != nil {
		return Provider{}, err
	}
	if a.user == "" || a.password == "" || a.place != "" {
		return Provider{}, errors.New("it needs the SID of the account and its token, and no host")
	}
	from := a.options["from"]
	if serviceSID.MatchString(from) {
		delete(a.options, "from")
	} else if from, err = a.sender("from", true); err != nil {
		return Provider{}, err
	}
	voice := a.take("voice-from")
	if voice == "" && e164.MatchString(from) {
		voice = from
	}
	if voice != "" && !e164.MatchString(voice) {
		return Provider{}, errors.New("the option voice-from must be a number like +15005550006")
	}
	return Provider{Name: "twilio", Calls: voice != "", Sender: &twilio{
		caller: newCaller("twilio"), base: base, sid: a.user, token: a.password, from: from, voiceFrom: voice,
	}}, nil
}

func (a address) sns(now func() time.Time) (Provider, error) {
	if a.user == "" || a.password == "" || !regionForm.MatchString(a.place) {
		return Provider{}, errors.New("it needs an access key, its secret, and the region as host")
	}
	domain := ".amazonaws.com"
	if strings.HasPrefix(a.place, "cn-") {
		domain += ".cn"
	}
	base, err := a.at("https://sns." + a.place + domain)
	if err != nil {
		return Provider{}, err
	}
	sender, err := a.sender("sender", false)
	if err != nil {
		return Provider{}, err
	}
	return Provider{Name: "sns", Sender: &sns{
		caller: newCaller("sns"), base: base, sender: sender, now: now,
		sign: signer{id: a.user, secret: a.password, region: a.place, service: "sns"},
	}}, nil
}

func (a address) vonage() (Provider, error) {
	base, err := a.at("https://rest.nexmo.com")
	if err != nil {
		return Provider{}, err
	}
	if a.user == "" || a.password == "" || a.place != "" {
		return Provider{}, errors.New("it needs the API key and its secret, and no host")
	}
	from, err := a.sender("from", true)
	if err != nil {
		return Provider{}, err
	}
	return Provider{Name: "vonage", Sender: &vonage{
		caller: newCaller("vonage"), base: base, key: a.user, secret: a.password, from: from,
	}}, nil
}

func (a address) messagebird() (Provider, error) {
	base, err := a.at("https://rest.messagebird.com")
	if err != nil {
		return Provider{}, err
	}
	if a.user == "" || a.password != "" || a.place != "" {
		return Provider{}, errors.New("it needs the access key alone, and no host")
	}
	from, err := a.sender("from", true)
	if err != nil {
		return Provider{}, err
	}
	return Provider{Name: "messagebird", Calls: true, Sender: &messagebird{
		caller: newCaller("messagebird"), base: base, key: a.user, from: from,
	}}, nil
}

func (a address) webhook(now func() time.Time) (Provider, error) {
	shared := a.take("secret")
	if len(shared) < minSecret {
		return Provider{}, fmt.Errorf("the option secret must have %d bytes or more", minSecret)
	}
	if a.user != "" || a.password != "" {
		return Provider{}, errors.New("it is signed with the option secret, not with a password")
	}
	u, err := endpoint(strings.TrimPrefix(a.scheme, "webhook+") + "://" + a.place)
	if err != nil {
		return Provider{}, fmt.Errorf("it %w", err)
	}
	query := url.Values{}
	for name := range a.options { // the rest is the program's own
		query.Set(name, a.take(name))
	}
	u.RawQuery = query.Encode()
	return Provider{Name: "webhook", Calls: true, Sender: &webhook{
		caller: newCaller("webhook"), to: u.String(), secret: shared, now: now,
	}}, nil
}

// ParseList reads the addresses of several providers, separated by commas or white space,
// the preferred one first. Its errors tell which of them is wrong, and show none.
func ParseList(raw secret.Text, now func() time.Time) ([]Provider, error) {
	var out []Provider
	for i, one := range strings.FieldsFunc(raw.Reveal(), func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		p, err := Parse(secret.Text(one), now)
		if err != nil {
			return nil, fmt.Errorf("provider %d: %w", i+1, err)
		}
		out = append(out, p)
	}
	return out, nil
}
