package app

import (
	"os"
	"slices"

	"github.com/limenauth/limen/internal/account"
)

// domains says whose addresses may make an account.
func (c *Config) domains() (account.Domains, error) {
	blocked := slices.Clone(c.BlockedDomains)
	if c.BlockedFile != "" {
		more, err := readDomains(c.BlockedFile)
		if err != nil {
			return account.Domains{}, Problems{{Key: "blocked-domains-file", From: c.from["blocked-domains-file"], Text: err.Error()}}
		}
		blocked = append(blocked, more...)
	}
	return account.ParseDomains(c.SignUpDomains, blocked)
}

func readDomains(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return account.ReadDomains(f)
}
