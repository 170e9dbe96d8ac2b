package account

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Domains says whose addresses may make an account. The zero value admits all.
type Domains struct {
	allowed, blocked map[string]bool
}

// ParseDomains reads the rules: domains that alone are admitted, if there are any, and
// domains that are not. "example.com" means that domain, "*.example.com" every domain
// below it. A domain is compared in its ASCII form.
func ParseDomains(allow, block []string) (Domains, error) {
	var d Domains
	var err error
	if d.allowed, err = domainSet(allow); err != nil {
		return Domains{}, err
	}
	d.blocked, err = domainSet(block)
	return d, err
}

func domainSet(list []string) (map[string]bool, error) {
	set := map[string]bool{}
	for _, s := range list {
		below, name := "", strings.TrimSpace(s)
		if rest, ok := strings.CutPrefix(name, "*."); ok {
			below, name = "*.", rest
		}
		a, code := parseAddress("a@" + name)
		if code != "" {
			return nil, fmt.Errorf("%q is no domain; write example.com, or *.example.com for what is below it", s)
		}
		set[below+a.Key[len("a@"):]] = true
	}
	return set, nil
}

// maxDomains bounds a list that is read from a file.
const maxDomains = 1_000_000

// ReadDomains reads a list of domains, one in a line, as lists of disposable addresses
// are kept. Empty lines and those that begin with # are left out; a line that is no domain
// is an error that tells its number.
func ReadDomains(r io.Reader) ([]string, error) {
	var out []string
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := domainSet([]string{line}); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if out = append(out, line); len(out) > maxDomains {
			return nil, fmt.Errorf("more than %d domains", maxDomains)
		}
	}
	return out, lines.Err()
}

// Admits reports whether an address may make an account.
func (d Domains) Admits(a Address) bool {
	_, domain, _ := strings.Cut(a.Key, "@")
	if listed(d.blocked, domain) {
		return false
	}
	return len(d.allowed) == 0 || listed(d.allowed, domain)
}

// Restricted reports whether accounts are made with admitted addresses alone. A username or
// a number would slip through the list: an account is made only together with an address
// that is proven and admitted.
func (d Domains) Restricted() bool { return len(d.allowed) > 0 }

// MayGo reports whether a person may give up a proven address and keep others. Where accounts
// are Restricted one admitted address stays: it is what the account was made with.
func (d Domains) MayGo(gone Address, others []Address) bool {
	return !d.Restricted() || !d.Admits(gone) || slices.ContainsFunc(others, d.Admits)
}

func listed(set map[string]bool, domain string) bool {
	if set[domain] {
		return true
	}
	for {
		_, above, ok := strings.Cut(domain, ".")
		if !ok {
			return false
		}
		if set["*."+above] {
			return true
		}
		domain = above
	}
}
