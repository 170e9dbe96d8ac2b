package refreshsim

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

// chance is true in n of 1000 draws.
func (d *dice) chance(n int) bool { return d.below(1000) < n }

// between draws from a to b.
func (d *dice) between(a, b int64) int64 { return a + int64(d.below(int(b-a)+1)) }

// stretch draws from a to b so that every order of magnitude is as likely.
func (d *dice) stretch(a, b int64) int64 {
	for b/a > 2 && d.below(bits.Len64(uint64(b/a))) > 0 {
		a *= 2
	}
	return d.between(a, min(2*a, b))
}

// queue is a heap of events by time, then by order of birth.
type queue []event

func (q queue) before(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}

func (q *queue) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.before(i, up) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *queue) pop() event {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*q = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h) {
			return top
		}
		if right := down + 1; right < len(h) && h.before(right, down) {
			down = right
		}
		if !h.before(down, i) {
			return top
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}
