package breach

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"
)

const (
	bitsPerEntry = 32
	probes       = 22 // bitsPerEntry times ln 2
)

// A filter file begins with magic and a header; the bits follow.
const (
	magic      = "limen breach filter 1\n"
	headerSize = len(magic) + 1 + 8 + 8 // kinds, entries, size in bits
)

// Stats is what an operator may want to know of a list.
type Stats struct {
	// Entries are in the filter, Dropped did not fit.
	Entries, Dropped uint64
	// Bytes is the size in memory.
	Bytes int
	// FalsePositives is the chance that one comparison names a text that is not listed.
	FalsePositives float64
}

// Stats returns what the filter holds.
func (f *Filter) Stats() Stats {
	set := 0
	for _, b := range f.bits {
		set += bits.OnesCount8(b)
	}
	s := Stats{Entries: f.entries, Dropped: f.dropped, Bytes: len(f.bits)}
	if f.size > 0 {
		s.FalsePositives = math.Pow(float64(set)/float64(f.size), probes)
	}
	return s
}

// Compile returns a filter of common passwords with their usual endings: what Builtin is
// made with. Case and repetitions do not matter.
func Compile(passwords []string) *Filter {
	seen := map[string]bool{}
	for _, p := range passwords {
		if p = strings.ToLower(p); utf8.RuneCountInString(p) >= minStem {
			seen[p] = true
		}
	}
	f := newFilter(uint64(len(seen)), folded|dressable)
	for p := range seen { // in any order: bits are only ever set
		f.add(sha1.Sum([]byte(p)))
	}
	return f
}

// WriteTo writes the filter in the form that LoadFile reads without work.
func (f *Filter) WriteTo(w io.Writer) (int64, error) {
	header := append([]byte(magic), byte(f.kinds))
	header = binary.LittleEndian.AppendUint64(header, f.entries)
	header = binary.LittleEndian.AppendUint64(header, f.size)
	n, err := w.Write(header)
	if err != nil {
		return int64(n), fmt.Errorf("write breach filter: %w", err)
	}
	m, err := w.Write(f.bits)
	if err != nil {
		return int64(n + m), fmt.Errorf("write breach filter: %w", err)
	}
	return int64(n + m), nil
}

// read reads what WriteTo wrote; the filter keeps file's bytes.
func read(file []byte) (*Filter, error) {
	if len(file) < headerSize || !bytes.HasPrefix(file, []byte(magic)) {
		return nil, errors.New("not a breach filter")
	}
	rest := file[len(magic):]
	f := &Filter{kinds: kinds(rest[0]), entries: binary.LittleEndian.Uint64(rest[1:]), size: binary.LittleEndian.Uint64(rest[9:])}
	f.bits = file[headerSize:]
	if f.kinds == 0 || f.kinds > folded|hashed|dressable || f.entries == 0 || f.entries > MaxEntries ||
		f.size != f.entries*bitsPerEntry || uint64(len(f.bits)) != f.size/8 {
		return nil, errors.New("damaged breach filter")
	}
	return f, nil
}

func newFilter(entries uint64, k kinds) *Filter {
	return &Filter{bits: make([]byte, entries*bitsPerEntry/8), size: entries * bitsPerEntry, entries: entries, kinds: k}
}

// probe yields the places of one entry: a walk from the first 8 bytes of its digest in
// steps of the next 8, each stop mixed and scaled to the size by the high half of a
// product. Unmixed, two entries of a small filter would share too many places.
type probe struct{ at, step, size uint64 }

func (f *Filter) probe(digest [sha1.Size]byte) probe {
	return probe{at: binary.LittleEndian.Uint64(digest[:]), step: binary.LittleEndian.Uint64(digest[8:]) | 1, size: f.size}
}

func (p *probe) next() (index uint64, mask byte) {
	mixed := (p.at ^ p.at>>32) * 0x9e3779b97f4a7c15
	mixed = (mixed ^ mixed>>29) * 0xbf58476d1ce4e5b9
	place, _ := bits.Mul64(mixed, p.size)
	p.at += p.step
	return place / 8, 1 << (place % 8)
}

func (f *Filter) add(digest [sha1.Size]byte) {
	p := f.probe(digest)
	for range probes {
		at, mask := p.next()
		f.bits[at] |= mask
	}
}

func (f *Filter) has(digest [sha1.Size]byte) bool {
	p := f.probe(digest)
	for range probes {
		if at, mask := p.next(); f.bits[at]&mask == 0 {
			return false
		}
	}
	return true
}
