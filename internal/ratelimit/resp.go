package ratelimit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// What a counter needs of the protocol of Redis (RESP 2): commands are arrays of texts,
// and the answers are a number, a text, an error or a short array. The Redis of an
// operator is trusted, its bytes are bounded all the same.
const (
	maxLine  = 1 << 10
	maxText  = 16 << 10
	maxArray = 16
)

// redisError is an answer that begins with a minus.
type redisError string

// Error is what Redis said.
func (e redisError) Error() string { return string(e) }

var errAnswer = errors.New("the answer is not of the protocol of Redis")

// appendCommand writes a command.
func appendCommand(b []byte, args []string) []byte {
	b = strconv.AppendInt(append(b, '*'), int64(len(args)), 10)
	b = append(b, "\r\n"...)
	for _, a := range args {
		b = strconv.AppendInt(append(b, '$'), int64(len(a)), 10)
		b = append(b, "\r\n"...)
		b = append(b, a...)
		b = append(b, "\r\n"...)
	}
	return b
}

// readAnswer reads one answer: an int64, a string, nil, an array of these as []any, or a
// redisError. The error is about the connection, which is of no use afterwards.
func readAnswer(r *bufio.Reader) (any, error) { return readValue(r, true) }

func readValue(r *bufio.Reader, arrays bool) (any, error) {
	text, err := readLine(r)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, errAnswer
	}
	rest := text[1:]
	switch text[0] {
	case '+':
		return rest, nil
	case '-':
		return redisError(rest), nil
	case ':':
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return nil, errAnswer
		}
		return n, nil
	case '$':
		return readText(r, rest)
	case '*':
		if !arrays {
			return nil, errAnswer
		}
		return readArray(r, rest)
	}
	return nil, errAnswer
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull), err == nil && (len(line) < 2 || line[len(line)-2] != '\r'):
		return "", errAnswer
	case err != nil:
		return "", err
	}
	return string(line[:len(line)-2]), nil
}

// length reads a count of at most most; -1 is none.
func length(text string, most int) (n int, none bool, err error) {
	n, err = strconv.Atoi(text)
	if err != nil || n < -1 || n > most {
		return 0, false, errAnswer
	}
	return n, n == -1, nil
}

func readText(r *bufio.Reader, size string) (any, error) {
	n, none, err := length(size, maxText)
	if err != nil || none {
		return nil, err
	}
	text := make([]byte, n+2)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("an answer is cut off: %w", err)
	}
	if text[n] != '\r' || text[n+1] != '\n' {
		return nil, errAnswer
	}
	return string(text[:n]), nil
}

func readArray(r *bufio.Reader, size string) (any, error) {
	n, none, err := length(size, maxArray)
	if err != nil || none {
		return nil, err
	}
	all := make([]any, n)
	for i := range all {
		if all[i], err = readValue(r, false); err != nil {
			return nil, err
		}
	}
	return all, nil
}
