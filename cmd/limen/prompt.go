package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/limenauth/limen/internal/secret"
)

// longest is the longest line that is read as a secret: a token has at most 3 KiB, a
// password 1 KiB.
const longest = 16 << 10

// newPassword asks twice on a terminal and reads one line elsewhere.
func (x *call) newPassword(otherwise string) (secret.Text, error) {
	password, err := x.secretLine("New password: ")
	if err != nil {
		return "", err
	}
	if password == "" {
		hint := "there is no password on standard input; pipe one"
		if otherwise != "" {
			hint += ", or " + otherwise
		}
		return "", usageError(hint)
	}
	if !isTerminal(x.inFile) {
		return password, nil
	}
	again, err := x.secretLine("The same again: ")
	if err != nil {
		return "", err
	}
	if !again.Equal(password) {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return password, nil
}

// secretLine reads one line that is not shown while it is typed.
func (x *call) secretLine(question string) (secret.Text, error) {
	if !isTerminal(x.inFile) {
		return x.line()
	}
	show, err := hideInput(x.inFile)
	if err != nil {
		return "", fmt.Errorf("the terminal cannot hide what is typed (%w); pipe it instead", err)
	}
	defer show()
	fmt.Fprint(x.err, question)
	defer fmt.Fprintln(x.err)
	return x.line()
}

// confirm goes on only when the answer is what it should be.
func (x *call) confirm(question, want string) error {
	if !isTerminal(x.inFile) {
		return usageError("nobody can be asked here; add --yes if you are sure")
	}
	fmt.Fprint(x.err, question)
	answer, err := x.line()
	if err != nil {
		return err
	}
	if answer.Reveal() != want {
		return errors.New("that is something else; nothing was changed")
	}
	return nil
}

// line reads up to the line end. It ends early, with the terminal as it was, when the
// program is told to stop.
func (x *call) line() (secret.Text, error) {
	type result struct {
		text secret.Text
		err  error
	}
	done := make(chan result, 1)
	go func() {
		var b strings.Builder
		for {
			c, err := x.in.ReadByte()
			if errors.Is(err, io.EOF) || (err == nil && c == '\n') {
				done <- result{text: secret.Text(strings.TrimSuffix(b.String(), "\r"))}
				return
			}
			if err != nil {
				done <- result{err: err}
				return
			}
			if b.Len() == longest {
				done <- result{err: errors.New("the line is too long to be a password or a token")}
				return
			}
			b.WriteByte(c)
		}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-x.ctx.Done():
		return "", x.ctx.Err()
	}
}
