package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pair of pseudo-terminal ends: what a person types goes into keys.
func terminal(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keys, tty
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestInputIsHiddenAndShownAgain(t *testing.T) {
	_, tty := terminal(t)
	if !isTerminal(tty) || !echoes(t, tty) {
		t.Fatal("a terminal is not taken for one")
	}
	show, err := hideInput(tty)
	if err != nil {
		t.Fatal(err)
	}
	if echoes(t, tty) {
		t.Error("what is typed is shown")
	}
	show()
	if !echoes(t, tty) {
		t.Error("the terminal stays silent")
	}
}

func TestPasswordIsAskedForTwice(t *testing.T) {
	for _, test := range []struct{ typed, want, err string }{
		{"nine otters\nnine otters\n", "nine otters", ""},
		{"nine otters\nnine others\n", "", "the two passwords differ; nothing was changed"},
	} {
		keys, tty := terminal(t)
		if _, err := keys.WriteString(test.typed); err != nil {
			t.Fatal(err)
		}
		var asked bytes.Buffer
		x := &call{ctx: t.Context(), in: bufio.NewReader(tty), inFile: tty, err: &asked}
		got, err := x.newPassword("")
		if got.Reveal() != test.want || (err == nil) != (test.err == "") || (err != nil && err.Error() != test.err) {
			t.Errorf("%q: %q, %v", test.typed, got.Reveal(), err)
		}
		if asked.String() != "New password: \nThe same again: \n" {
			t.Errorf("asked %q", asked.String())
		}
	}
}

// TestStopAtThePrompt is Ctrl-C while a password is being typed: the terminal must not
// stay silent.
func TestStopAtThePrompt(t *testing.T) {
	_, tty := terminal(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	x := &call{ctx: ctx, in: bufio.NewReader(tty), inFile: tty, err: &bytes.Buffer{}}
	if _, err := x.newPassword(""); err != context.Canceled {
		t.Errorf("%v", err)
	}
	if !echoes(t, tty) {
		t.Error("the terminal stays silent")
	}
}
