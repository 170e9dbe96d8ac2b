package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/limenauth/limen/internal/secret"
)

// rootKeys returns the ring of root keys: the supplied one, or the one that was generated
// into the data directory when a server or a migration first made the database. Production
// on PostgreSQL must supply it: the key belongs to the database, and the database to more
// machines than this one.
func (c *Config) rootKeys(mode Mode, generate bool) (*secret.Ring, error) {
	if c.RootKey != "" {
		ring, err := secret.ParseRing(c.RootKey.Reveal())
		if err != nil {
			return nil, fmt.Errorf("root-key: %w", err)
		}
		return ring, nil
	}
	path := c.GeneratedRootKey()
	if raw, err := os.ReadFile(path); err == nil {
		ring, err := secret.ParseRing(string(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return ring, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the root key cannot be read: %w", err)
	}
	if c.Database().Postgres && mode != Development {
		return nil, Problems{{Key: "root-key", Text: "with PostgreSQL the key must be supplied; set LIMEN_ROOT_KEY or root-key-file to the one that limen serve has (a new one: openssl rand -base64 32)"}}
	}
	if !generate {
		return nil, Problems{{Key: "root-key", Text: "there is none in " + path + ", and the database was made under one; name the directory it lies in by data, or supply it by LIMEN_ROOT_KEY or root-key-file"}}
	}
	return writeRootKey(path)
}

// writeRootKey generates a key and makes it durable before anything is derived from it.
// If another process was faster, its key counts.
func writeRootKey(path string) (*secret.Ring, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	root := secret.NewRoot()
	temporary, err := os.CreateTemp(filepath.Dir(path), "root-*.key") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("the root key cannot be written: %w", err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.WriteString(root.Reveal() + "\n")
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return nil, fmt.Errorf("the root key cannot be written: %w", err)
	}
	// A link, unlike a rename, fails when the name exists.
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("the root key cannot be written: %w", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the root key cannot be read: %w", err)
	}
	return secret.ParseRing(string(raw))
}
