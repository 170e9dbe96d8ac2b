//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package main

import (
	"errors"
	"os"
)

// isTerminal knows no terminals here: secrets are read from standard input.
func isTerminal(*os.File) bool { return false }

func hideInput(*os.File) (show func(), err error) {
	return nil, errors.New("not supported on this system")
}
