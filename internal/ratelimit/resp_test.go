package ratelimit_test

import (
	"bufio"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/limenauth/limen/internal/ratelimit"
)

func TestAnswers(t *testing.T) {
	for text, want := range map[string]any{
		"+OK\r\n": "OK", ":-12\r\n": int64(-12), "$5\r\na\r\nbc\r\n": "a\r\nbc", "$0\r\n\r\n": "", "$-1\r\n": nil, "*-1\r\n": nil,
		"*3\r\n:1\r\n$1\r\nx\r\n:3\r\n": []any{int64(1), "x", int64(3)}, "*0\r\n": []any{},
	} {
		got, err := ratelimit.ReadAnswer(bufio.NewReader(strings.NewReader(text)))
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
	}
	got, err := ratelimit.ReadAnswer(bufio.NewReader(strings.NewReader("-NOSCRIPT No matching script\r\n")))
	if said, ok := got.(error); err != nil || !ok || said.Error() != "NOSCRIPT No matching script" {
		t.Errorf("%#v, %v", got, err)
	}
	for _, text := range []string{
		"", "\r\n", "OK\r\n", "+OK\n", "+OK", ":1x\r\n", ":9999999999999999999\r\n", "$x\r\n", "$-2\r\n", "$3\r\nab\r\n", "$2\r\nabcd",
		"$99999999\r\n", "*17\r\n", "*1\r\n*1\r\n:1\r\n", "*2\r\n:1\r\n", "%1\r\n", "+" + strings.Repeat("x", 9000) + "\r\n",
	} {
		if got, err := ratelimit.ReadAnswer(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%.20q is read as %#v", text, got)
		}
	}
}

func TestCommands(t *testing.T) {
	if got := string(ratelimit.AppendCommand(nil, []string{"SET", "k\r\n", "é"})); got != "*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$2\r\né\r\n" {
		t.Errorf("%q", got)
	}
}

// Whatever stands on the wire, reading it ends, and what is read is small.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "-ERR x\r\n", ":1\r\n", "$2\r\nab\r\n", "*2\r\n:1\r\n$-1\r\n", "*1\r\n*1\r\n:1\r\n", "$-1\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := bufio.NewReader(strings.NewReader(text))
		for {
			answer, err := ratelimit.ReadAnswer(r)
			if err != nil {
				return
			}
			if all, ok := answer.([]any); ok && len(all) > 16 {
				t.Errorf("%d values", len(all))
			}
		}
	})
}
