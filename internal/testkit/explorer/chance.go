package explorer

import "math/bits"

// dice is splitmix64: small, fast, and the same on every machine. It is no source of
// secrets.
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below draws from 0 to n-1.
func (d *dice) below(n int) int {
	hi, _ := bits.Mul64(d.next(), uint64(n))
	return int(hi)
}

// chance is true in n of 100 draws.
func (d *dice) chance(n int) bool { return d.below(100) < n }

func pick[T any](d *dice, from []T) T { return from[d.below(len(from))] }
