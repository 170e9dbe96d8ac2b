package mail

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/limenauth/limen/internal/secret"
)

// Security is how a connection to a relay is protected.
type Security string

// The ways. Plain is for this machine alone.
const (
	StartTLS Security = "starttls"
	TLS      Security = "tls"
	Plain    Security = "plain"
)

// Relay is a server that takes letters, and how to sign in there.
type Relay struct {
	Host     string
	Port     int
	Security Security
	User     string // "" for a relay that asks for no password
	Password secret.Text
}

// String is host and port, without the password.
func (r Relay) String() string { return net.JoinHostPort(r.Host, strconv.Itoa(r.Port)) }

// ParseRelay reads the URL of a relay. Its errors say how to write it and show nothing
// of it, because it may hold a password:
//
//	smtp://user:password@host:587   STARTTLS, demanded
//	smtps://user:password@host:465  TLS from the first byte
//	smtp+insecure://localhost:25    no encryption, this machine only
func ParseRelay(s string) (Relay, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Relay{}, errors.New("a URL does not parse; write smtp://user:password@host:587 and escape special characters of the password")
	}
	kinds := map[string]struct {
		security Security
		port     int
	}{"smtp": {StartTLS, 587}, "smtps": {TLS, 465}, "smtp+insecure": {Plain, 25}}
	kind, ok := kinds[u.Scheme]
	switch {
	case !ok:
		return Relay{}, errors.New("a relay begins with smtp:// (STARTTLS), smtps:// (TLS) or, on this machine, smtp+insecure://; write smtp://user:password@host:587")
	case u.Opaque != "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Relay{}, errors.New("there is more than user, password, host and port; write smtp://user:password@host:587 and escape special characters of the password")
	}
	r := Relay{Security: kind.security, Port: kind.port}
	if r.Host, err = hostOf(u.Hostname()); err != nil {
		return Relay{}, err
	}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return Relay{}, errors.New("the port is outside 1 to 65535; the usual ones are 587 for smtp:// and 465 for smtps://")
		}
		r.Port = n
	}
	if u.User != nil {
		password, _ := u.User.Password()
		r.User, r.Password = u.User.Username(), secret.Text(password)
		if r.User == "" || password == "" {
			return Relay{}, errors.New("a user needs a password and a password a user; write smtp://user:password@host:587, or leave both away")
		}
		if strings.ContainsAny(r.User+password, "\x00\r\n") {
			return Relay{}, errors.New("the user and the password are one line each")
		}
	}
	if r.Security == Plain && !loopback(r.Host) {
		return Relay{}, errors.New("smtp+insecure:// sends letters with codes and links in the clear, so it is for localhost alone; use smtp:// (STARTTLS) or smtps:// for " + r.Host)
	}
	return r, nil
}

func hostOf(s string) (string, error) {
	if net.ParseIP(s) != nil {
		return s, nil
	}
	ascii, err := idna.Lookup.ToASCII(s)
	if err != nil || !isHost(ascii) {
		return "", errors.New("the host is missing or is no name; write smtp://user:password@host:587")
	}
	return ascii, nil
}

// ParseRelays reads URLs that are separated by commas or white space. The first is the
// one that is preferred.
func ParseRelays(s string) ([]Relay, error) {
	var all []Relay
	for _, one := range strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) }) {
		r, err := ParseRelay(one)
		if err != nil {
			return nil, err
		}
		for _, other := range all {
			if other.String() == r.String() && other.User == r.User {
				return nil, errors.New(r.String() + " is named twice; keep one of the two")
			}
		}
		all = append(all, r)
	}
	return all, nil
}
