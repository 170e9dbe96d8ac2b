package breach

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxEntries is how many entries of a file are held: 128 MB.
	MaxEntries = 32 << 20
	// maxLine is the longest password that limen takes; longer lines are skipped.
	maxLine = 1024
	// maxCount is where counts of a hash list are no longer told apart.
	maxCount = 1 << 16
)

// LoadFile reads a list of passwords. Each line is one password, one SHA-1 hash in 40 hex
// digits, or such a hash with ":" and how often it was seen; the kinds may be mixed. A
// line of 40 hex digits is always taken for a hash. Lines that are empty, longer than
// 1,024 bytes or no UTF-8 are skipped. A file that WriteTo wrote is read as it is.
//
// The file is read twice and never held: memory is 4 bytes per entry, at most MaxEntries
// of them. If it holds more and counts them, the most frequent ones are kept and
// Stats.Dropped says how many were not; if it does not count them, LoadFile fails, because
// it cannot tell which ones matter. A file without a password fails too, and one that is
// no text by ErrNoText. A million lines take about a second.
func LoadFile(path string) (*Filter, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("password list: %w", err)
	}
	defer f.Close()
	filter, err := load(f, MaxEntries)
	if err != nil {
		return nil, fmt.Errorf("password list %s: %w", path, err)
	}
	return filter, nil
}

// load reads a list of at most most entries.
func load(file io.ReadSeeker, most uint64) (*Filter, error) {
	begin, err := beginning(file)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(begin, []byte(magic)) {
		return loadCompiled(file)
	}
	if err := checkText(begin); err != nil {
		return nil, err
	}
	c, err := census(file)
	if err != nil {
		return nil, err
	}
	least, kept, err := c.threshold(most)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	filter := newFilter(kept, c.kinds)
	filter.dropped = c.lines - kept
	filled := uint64(0)
	err = eachLine(file, func(l line) {
		// A file that grows between the two readings must not overfill the filter.
		if l.count >= least && filled < kept {
			filter.add(l.digest)
			filled++
		}
	})
	return filter, err
}

// sniffed is how much of a file says what it is.
const sniffed = 64 << 10

// beginning reads what says what the file is, and goes back to its start.
func beginning(file io.ReadSeeker) ([]byte, error) {
	begin := make([]byte, sniffed)
	n, err := io.ReadFull(file, begin)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return begin[:n], err
}

// ErrNoText says that a list is no text in UTF-8. Reading one all the same would fill the
// filter with nonsense, and leaked passwords would be taken.
var ErrNoText = errors.New("it is no text")

// checkText refuses archives, other binary files and other encodings by the beginning of
// the file. Lists hold a few lines in other encodings, which are skipped; a file of which
// most are is in another encoding itself.
func checkText(begin []byte) error {
	if bytes.IndexByte(begin, 0) >= 0 {
		return fmt.Errorf("%w: it holds a NUL byte; unpack an archive first, and convert UTF-16 to UTF-8", ErrNoText)
	}
	text, other := 0, 0
	for line := range bytes.Lines(begin) {
		if utf8.Valid(line) || len(line) > maxLine {
			text++
		} else {
			other++
		}
	}
	if other > text {
		return fmt.Errorf("%w: most of its lines are not UTF-8; convert it to UTF-8 (iconv -t UTF-8), and unpack an archive first", ErrNoText)
	}
	return nil
}

func loadCompiled(file io.Reader) (*Filter, error) {
	const most = int64(headerSize + MaxEntries*bitsPerEntry/8)
	all, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	return read(all)
}

// counts is what the first reading of a file finds.
type counts struct {
	lines     uint64
	uncounted bool             // some line has no count
	of        [maxCount]uint64 // how many lines were seen that often, or more for the last
	kinds     kinds
}

func census(file io.Reader) (*counts, error) {
	c := &counts{}
	err := eachLine(file, func(l line) {
		c.lines++
		c.of[l.count]++
		c.kinds |= l.kind
		c.uncounted = c.uncounted || !l.counted
	})
	if err == nil && c.lines == 0 {
		err = errors.New("there is no password in it")
	}
	return c, err
}

// threshold returns the least count that is kept, so that at most most lines are.
func (c *counts) threshold(most uint64) (least, kept uint64, err error) {
	if c.lines <= most {
		return 0, c.lines, nil
	}
	if c.uncounted {
		return 0, 0, fmt.Errorf("it has %d lines and at most %d fit: keep the most frequent ones, or use a list with counts (HASH:COUNT)", c.lines, most)
	}
	least = maxCount
	for ; least > 0 && kept+c.of[least-1] <= most; least-- {
		kept += c.of[least-1]
	}
	if kept == 0 {
		return 0, 0, fmt.Errorf("more than %d of its lines share the highest count: shorten it", most)
	}
	return least, kept, nil
}

type line struct {
	digest  [sha1.Size]byte
	kind    kinds
	counted bool
	count   uint64 // how often it was seen, below maxCount
}

// eachLine calls each for every line that is an entry.
func eachLine(file io.Reader, each func(line)) error {
	r := bufio.NewReaderSize(file, 64<<10)
	for first := true; ; first = false {
		text, err := r.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // far above maxLine: skipped below
			_, err = r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if first {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if l, ok := parseLine(bytes.TrimRight(text, "\r\n")); ok {
			each(l)
		}
		if err != nil {
			return nil
		}
	}
}

func parseLine(text []byte) (l line, ok bool) {
	if len(text) == 0 || len(text) > maxLine || !utf8.Valid(text) {
		return line{}, false
	}
	if l, ok := parseHash(text); ok {
		return l, true
	}
	return line{digest: sha1.Sum([]byte(strings.ToLower(string(text)))), kind: folded}, true
}

func parseHash(text []byte) (l line, ok bool) {
	const n = 2 * sha1.Size
	if len(text) < n || len(text) > n && text[n] != ':' {
		return line{}, false
	}
	l = line{kind: hashed}
	if _, err := hex.Decode(l.digest[:], text[:n]); err != nil {
		return line{}, false
	}
	if len(text) > n {
		count, err := strconv.ParseUint(string(text[n+1:]), 10, 63)
		if err != nil {
			return line{}, false
		}
		l.count, l.counted = min(count, maxCount-1), true
	}
	return l, true
}
